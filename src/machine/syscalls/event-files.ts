/** Events by descriptor: eventfd2, timerfd_create and its relatives, signalfd4. */
import { fdGet, fdInstall } from "../../mm/syscalls/fd.ts";
import { EBADF, ECANCELED, EFAULT, EINVAL } from "../../mm/uapi/errno.ts";
import { O_CLOEXEC, O_NONBLOCK } from "../../mm/uapi/fcntl.ts";
import { encodeItimerspec, getItimerspec, ITIMERSPEC_BYTES, nsOf } from "../abi/structs.ts";
import { newEventFile } from "../event-files/event-fd.ts";
import { newSignalFile, setSignalMask } from "../event-files/signal-fd.ts";
import { newTimerFile, TFD_TIMER_CANCEL_ON_SET, type TimerFd, timerOfFile } from "../event-files/timer-fd.ts";
import { UNBLOCKABLE } from "../signals/signal-numbers.ts";
import { SigSet } from "../signals/sigset.ts";
import type { Call, SyscallGroup } from "./call.ts";
import * as time from "./time.ts";

const EFD_SEMAPHORE = 1;
const TFD_TIMER_ABSTIME = 1;
const TFD_SETTIME_FLAGS: number = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
const SIGSET_BYTES = 8;
const TIMERFD_CLOCKS: ReadonlySet<number> = new Set([
  time.CLOCK_REALTIME,
  time.CLOCK_MONOTONIC,
  time.CLOCK_BOOTTIME,
  time.CLOCK_REALTIME_ALARM,
  time.CLOCK_BOOTTIME_ALARM,
]);

export const eventFileCalls: SyscallGroup = [
  [19, "eventfd2", 2, eventfd2],
  [74, "signalfd4", 4, signalfd4],
  [85, "timerfd_create", 2, timerfdCreate],
  [86, "timerfd_settime", 4, timerfdSettime],
  [87, "timerfd_gettime", 2, timerfdGettime],
];

function eventfd2(call: Call): number {
  const flags = call.s32(1);
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK | EFD_SEMAPHORE)) !== 0) return -EINVAL;
  const { system, process } = call;
  const isSemaphore = (flags & EFD_SEMAPHORE) !== 0;
  const { mounts } = system.kernel;
  const file = newEventFile(mounts, call.u32(0), isSemaphore, flags & O_NONBLOCK, system.nextEventId++);
  return fdInstall(process, file, (flags & O_CLOEXEC) !== 0);
}

/** Arguments: descriptor of a signalfd that is to have another set, or −1; the set, its size, flags. */
function signalfd4(call: Call): number {
  if (call.u64(2) !== SIGSET_BYTES) return -EINVAL;
  const raw = call.get(call.u64(1), SIGSET_BYTES);
  if (raw === undefined) return -EFAULT;
  const flags = call.s32(3);
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) !== 0) return -EINVAL;
  const set = SigSet.fromBytes(raw.bytes).deleteAll(UNBLOCKABLE);
  const { system, process } = call;
  const fd = call.s32(0);
  if (fd !== -1) {
    const file = fdGet(process, fd);
    if (file === undefined) return -EBADF;
    return setSignalMask(file, set) ? fd : -EINVAL;
  }
  const file = newSignalFile(system, system.kernel.mounts, set, flags & O_NONBLOCK);
  return fdInstall(process, file, (flags & O_CLOEXEC) !== 0);
}

function timerfdCreate(call: Call): number {
  const { system, process } = call;
  const flags = call.s32(1);
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) !== 0 || !TIMERFD_CLOCKS.has(call.s32(0))) return -EINVAL;
  const file = newTimerFile(system, system.kernel.mounts, call.s32(0), flags & O_NONBLOCK);
  return fdInstall(process, file, (flags & O_CLOEXEC) !== 0);
}

function timerAt(call: Call): TimerFd | number {
  const file = fdGet(call.process, call.s32(0));
  return file === undefined ? -EBADF : (timerOfFile(file) ?? -EINVAL);
}

function timerfdSettime(call: Call): number {
  const raw = call.get(call.u64(2), ITIMERSPEC_BYTES);
  if (raw === undefined) return -EFAULT;
  const setting = getItimerspec(raw);
  const flags = call.s32(1);
  if ((flags & ~TFD_SETTIME_FLAGS) !== 0 || setting === undefined) return -EINVAL;
  const timer = timerAt(call);
  if (typeof timer === "number") return timer;
  const { leftNs } = timer;
  const old = encodeItimerspec(timer.intervalNs, leftNs);
  const valueNs = nsOf(setting.value);
  let expiresNs: number | undefined;
  if (valueNs > 0) {
    expiresNs =
      (flags & TFD_TIMER_ABSTIME) === 0
        ? timer.nowNs() + valueNs
        : time.absoluteDeadline(call, timer.clockId, setting.value);
  }
  const isByTimeOfDay = (flags & TFD_TIMER_ABSTIME) !== 0 && time.isTimeOfDay(timer.clockId);
  timer.set(expiresNs, nsOf(setting.interval), flags, isByTimeOfDay);
  if (expiresNs !== undefined && timer.takeCancellation()) return -ECANCELED;
  return call.putIfWanted(call.u64(3), () => old);
}

function timerfdGettime(call: Call): number {
  const timer = timerAt(call);
  if (typeof timer === "number") return timer;
  const { leftNs } = timer;
  return call.put(call.u64(1), encodeItimerspec(timer.intervalNs, leftNs));
}
