/** timer_create and its relatives (kernel/time/posix-timers.c). */

import { EAGAIN, EFAULT, EINVAL, EOPNOTSUPP } from "../../mm/uapi/errno.ts";
import { RLIM_INFINITY, RLIMIT_SIGPENDING } from "../../mm/uapi/mman.ts";
import { StructView } from "../abi/bytes.ts";
import { encodeItimerspec, getItimerspec, ITIMERSPEC_BYTES, nsOf } from "../abi/structs.ts";
import {
  PosixTimer,
  SIGEV_NONE,
  SIGEV_SIGNAL,
  SIGEV_THREAD,
  SIGEV_THREAD_ID,
  type TimerClock,
  type TimerNotice,
} from "../signals/posix-timer.ts";
import { NSIG, SIGALRM } from "../signals/signal-numbers.ts";
import type { Call, SyscallGroup } from "./call.ts";
import * as time from "./time.ts";

/** struct sigevent, 64 bytes: 0 sigev_value, 8 sigev_signo, 12 sigev_notify, 16 sigev_notify_thread_id. */
const SIGEVENT_BYTES = 64;

export const posixTimerCalls: SyscallGroup = [
  [107, "timer_create", 3, timerCreate],
  [108, "timer_gettime", 2, timerGettime],
  [109, "timer_getoverrun", 1, (call) => timerOf(call)?.overrun ?? -EINVAL],
  [110, "timer_settime", 4, timerSettime],
  [111, "timer_delete", 1, timerDelete],
];

/** No user has more, whatever RLIMIT_SIGPENDING says: each takes memory of the host. */
const MAX_TIMERS = 16_384;

function timerOf(call: Call): PosixTimer | undefined {
  return call.thread.group.posixTimers.get(call.s32(0));
}

function timerCreate(call: Call): number {
  const { system, thread } = call;
  const { group } = thread;
  const at = call.u64(1);
  const event = at === 0 ? undefined : call.get(at, SIGEVENT_BYTES);
  if (at !== 0 && event === undefined) return -EFAULT;
  const clock = timerClock(call, call.s32(0));
  if (typeof clock === "number") return clock;
  if (!mayHaveTimer(call)) return -EAGAIN;
  const id = group.nextTimerId;
  const notice = event === undefined ? defaultNotice(id) : noticeOf(call, event);
  if (notice === undefined) return -EINVAL;
  if (call.put(call.u64(2), new StructView(4).put32(0, id).bytes) < 0) return -EFAULT;
  group.nextTimerId++;
  group.posixTimers.set(id, new PosixTimer(system, group, id, call.s32(0), clock, notice));
  return 0;
}

/** Each timer has its signal set aside for it, which counts among those of the user (RLIMIT_SIGPENDING). */
function mayHaveTimer({ system, process }: Call): boolean {
  const limit = process.rlimits[RLIMIT_SIGPENDING].soft;
  let count = 1;
  for (const group of system.groups.values()) {
    if (group.process.userIds.real === process.userIds.real) count += group.posixTimers.size;
  }
  return count <= (limit === RLIM_INFINITY ? MAX_TIMERS : Math.min(limit, MAX_TIMERS));
}

/** The clock with this id, if timers can go by it; EINVAL: there is none; EOPNOTSUPP: they can't. */
function timerClock(call: Call, id: number): TimerClock | number {
  const { system, thread } = call;
  if (id < 0) return time.cpuClock(call, id) ?? -EINVAL;
  switch (id) {
    case time.CLOCK_REALTIME:
    case time.CLOCK_MONOTONIC:
    case time.CLOCK_BOOTTIME:
    case time.CLOCK_TAI:
      return { cpuOf: undefined, nowNs: () => system.clock.monotonicNs() };
    case time.CLOCK_PROCESS_CPUTIME_ID:
      return time.cpuTimeOf(system, thread.group);
    case time.CLOCK_THREAD_CPUTIME_ID:
      return time.cpuTimeOf(system, thread);
    // There is no clock of real time that could wake the machine.
    case time.CLOCK_REALTIME_ALARM:
    case time.CLOCK_BOOTTIME_ALARM:
    case time.CLOCK_MONOTONIC_RAW:
    case time.CLOCK_REALTIME_COARSE:
    case time.CLOCK_MONOTONIC_COARSE:
      return -EOPNOTSUPP;
    default:
      return -EINVAL;
  }
}

/** Without a sigevent: SIGALRM, with the timer's own id. */
function defaultNotice(id: number): TimerNotice {
  return { notify: SIGEV_SIGNAL, signal: SIGALRM, valueLow: id, valueHigh: 0, thread: undefined };
}

/** good_sigevent: a signal that exists, and a thread of the caller's process. */
function noticeOf({ system, thread }: Call, event: StructView): TimerNotice | undefined {
  const signal = event.s32(8);
  const notify = event.s32(12);
  const notice = { notify, signal, valueLow: event.u32(0), valueHigh: event.u32(4), thread: undefined };
  if (notify === SIGEV_NONE) return notice;
  if (notify !== SIGEV_SIGNAL && notify !== SIGEV_THREAD && notify !== SIGEV_THREAD_ID) return undefined;
  if (signal <= 0 || signal > NSIG) return undefined;
  if (notify !== SIGEV_THREAD_ID) return notice;
  const target = system.thread(event.s32(16));
  return target?.group === thread.group && !target.hasExited ? { ...notice, thread: target } : undefined;
}

function timerGettime(call: Call): number {
  const timer = timerOf(call);
  if (timer === undefined) return -EINVAL;
  const { leftNs } = timer;
  return call.put(call.u64(1), encodeItimerspec(timer.intervalNs, leftNs));
}

function timerSettime(call: Call): number {
  if (call.u64(2) === 0) return -EINVAL;
  const raw = call.get(call.u64(2), ITIMERSPEC_BYTES);
  if (raw === undefined) return -EFAULT;
  const setting = getItimerspec(raw);
  const timer = timerOf(call);
  if (setting === undefined || timer === undefined) return -EINVAL;
  const { leftNs } = timer;
  const old = encodeItimerspec(timer.intervalNs, leftNs);
  const valueNs = nsOf(setting.value);
  const isAbsolute = (call.s32(1) & time.TIMER_ABSTIME) !== 0;
  if (valueNs === 0) timer.stop();
  else {
    const expiresNs = !isAbsolute
      ? timer.nowNs() + valueNs
      : timer.cpuOf !== undefined
        ? valueNs
        : time.absoluteDeadline(call, timer.clockId, setting.value);
    timer.start(expiresNs, nsOf(setting.interval), call.isByTimeOfDay);
  }
  return call.putIfWanted(call.u64(3), () => old);
}

function timerDelete(call: Call): number {
  const timer = timerOf(call);
  if (timer === undefined) return -EINVAL;
  timer.stop();
  call.thread.group.posixTimers.delete(timer.id);
  return 0;
}
