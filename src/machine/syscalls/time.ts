/** Clocks and sleeping (kernel/time). */
import { EFAULT, EINVAL, EOPNOTSUPP } from "../../mm/uapi/errno.ts";
import { USER_HZ } from "../abi/auxv.ts";
import { StructView } from "../abi/bytes.ts";
import {
  encodeTms,
  getTimespec,
  isValidTimespec,
  nsOf,
  putTimespec,
  type ResourceUsage,
  TIMESPEC_BYTES,
  type Timespec,
  timespecOf,
} from "../abi/structs.ts";
import type { MachineClock } from "../clock.ts";
import { childUsage, cpuNs, ownUsage, threadUsage } from "../life/usage.ts";
import type { TimerClock } from "../signals/posix-timer.ts";
import type { System } from "../system.ts";
import { type Thread, ThreadGroup } from "../thread.ts";
import type { Call, SyscallGroup } from "./call.ts";
import { ERESTART_RESTARTBLOCK, ERESTARTNOHAND } from "./restart.ts";

export const CLOCK_REALTIME = 0;
export const CLOCK_MONOTONIC = 1;
export const CLOCK_PROCESS_CPUTIME_ID = 2;
export const CLOCK_THREAD_CPUTIME_ID = 3;
export const CLOCK_MONOTONIC_RAW = 4;
export const CLOCK_REALTIME_COARSE = 5;
export const CLOCK_MONOTONIC_COARSE = 6;
export const CLOCK_BOOTTIME = 7;
export const CLOCK_REALTIME_ALARM = 8;
export const CLOCK_BOOTTIME_ALARM = 9;
export const CLOCK_TAI = 11;
export const TIMER_ABSTIME = 1;
/** Negative clock ids: the lowest bits say which time (all, user, run), or that a descriptor is meant, and whose. */
const CPUCLOCK_CLOCK_MASK = 3;
const CPUCLOCK_VIRT = 1;
const CLOCKFD = 3;
const CPUCLOCK_PERTHREAD = 4;
/** What the coarse clocks tick in: CONFIG_HZ=250. */
const COARSE_NS = 4_000_000;

export const timeCalls: SyscallGroup = [
  [101, "nanosleep", 2, (call) => sleep(call, CLOCK_MONOTONIC, 0, 0)],
  [113, "clock_gettime", 2, clockGettime],
  [114, "clock_getres", 2, clockGetres],
  [115, "clock_nanosleep", 4, clockNanosleep],
  [153, "times", 1, times],
  [169, "gettimeofday", 2, gettimeofday],
];

/** The time of day, seconds and nanoseconds apart: a double holds only the larger of them exactly. */
export function realtime(clock: MachineClock): Timespec {
  const boot = timespecOf(clock.bootNs);
  const { seconds, nanoseconds } = timespecOf(boot.nanoseconds + clock.monotonicNs());
  return { seconds: boot.seconds + seconds, nanoseconds };
}

/** What a clock shows, or undefined for one that is not there. */
function read(call: Call, id: number): Timespec | undefined {
  if (id < 0) {
    const clock = cpuClock(call, id);
    return clock === undefined ? undefined : timespecOf(clock.nowNs());
  }
  const { clock } = call.system;
  switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
      return realtime(clock);
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
      return timespecOf(clock.monotonicNs());
    case CLOCK_PROCESS_CPUTIME_ID:
      return timespecOf(cpuNs(ownUsage(call.system, call.thread.group)));
    case CLOCK_THREAD_CPUTIME_ID:
      return timespecOf(cpuNs(threadUsage(call.system, call.thread)));
    default:
      return undefined;
  }
}

/**
 * The CPU time behind a negative clock id, which has the complement of a number in its upper bits: of that process, or
 * with CPUCLOCK_PERTHREAD of that thread of the caller's process (0: of the caller). Undefined where there is none.
 */
export function cpuClock({ system, thread: caller }: Call, id: number): TimerClock | undefined {
  const which = id & CPUCLOCK_CLOCK_MASK;
  if (which === CLOCKFD) return undefined;
  const isVirtual = which === CPUCLOCK_VIRT;
  const pid = ~(id >> 3);
  if ((id & CPUCLOCK_PERTHREAD) !== 0) {
    const thread = pid === 0 ? caller : system.thread(pid);
    return thread === undefined || thread.group !== caller.group
      ? undefined
      : cpuTimeOf(system, thread, isVirtual);
  }
  const group = pid === 0 ? caller.group : system.groups.get(pid);
  return group === undefined ? undefined : cpuTimeOf(system, group, isVirtual);
}

/** The clock that a process or a thread is. @param isVirtual without the time of its system calls */
export function cpuTimeOf(system: System, of: ThreadGroup | Thread, isVirtual = false): TimerClock {
  const usage = (): ResourceUsage =>
    of instanceof ThreadGroup ? ownUsage(system, of) : threadUsage(system, of);
  return { cpuOf: of, nowNs: () => (isVirtual ? usage().userNs : cpuNs(usage())) };
}

function encode(time: Timespec): Uint8Array {
  const out = new StructView(TIMESPEC_BYTES);
  putTimespec(out, 0, time);
  return out.bytes;
}

function clockGettime(call: Call): number {
  const time = read(call, call.s32(0));
  return time === undefined ? -EINVAL : call.put(call.u64(1), encode(time));
}

function clockGetres(call: Call): number {
  const id = call.s32(0);
  if (read(call, id) === undefined) return -EINVAL;
  const isCoarse = id === CLOCK_REALTIME_COARSE || id === CLOCK_MONOTONIC_COARSE;
  const nanoseconds = isCoarse ? COARSE_NS : 1;
  return call.putIfWanted(call.u64(1), () => encode({ seconds: 0, nanoseconds }));
}

/** struct timezone, the second argument, is 8 bytes of zeros: nobody sets it. */
function gettimeofday(call: Call): number {
  const { seconds, nanoseconds } = realtime(call.system.clock);
  const failed = call.putIfWanted(
    call.u64(0),
    () => new StructView(16).put64(0, seconds).put64(8, Math.floor(nanoseconds / 1000)).bytes,
  );
  return failed < 0 ? failed : call.putIfWanted(call.u64(1), () => new Uint8Array(8));
}

function clockNanosleep(call: Call): number {
  const id = call.s32(0);
  if (id === CLOCK_THREAD_CPUTIME_ID || read(call, id) === undefined) return -EINVAL;
  if (id === CLOCK_MONOTONIC_RAW || id === CLOCK_REALTIME_COARSE || id === CLOCK_MONOTONIC_COARSE)
    return -EOPNOTSUPP;
  return sleep(call, id, call.s32(1), 2);
}

/** Argument i points to the time to sleep (or to wake at), i + 1 to where the rest goes if a signal ends the sleep. */
function sleep(call: Call, id: number, flags: number, i: number): number {
  const { clock } = call.system;
  const state = call.thread.callState;
  let deadlineNs: number;
  const isAbsolute = (flags & TIMER_ABSTIME) !== 0;
  if (typeof state === "number") {
    deadlineNs = state;
  } else {
    const raw = call.get(call.u64(i), TIMESPEC_BYTES);
    if (raw === undefined) return -EFAULT;
    const time = getTimespec(raw);
    if (!isValidTimespec(time)) return -EINVAL;
    deadlineNs = isAbsolute ? absoluteDeadline(clock, id, time) : clock.monotonicNs() + nsOf(time);
  }
  if (clock.monotonicNs() >= deadlineNs) return 0;
  const rest = isAbsolute ? 0 : call.u64(i + 1);
  return call.block(
    {
      isReady: () => false,
      deadlineNs,
      interrupted: isAbsolute ? -ERESTARTNOHAND : -ERESTART_RESTARTBLOCK,
      onInterrupt: () =>
        call.putIfWanted(rest, () => encode(timespecOf(Math.max(0, deadlineNs - clock.monotonicNs())))),
    },
    deadlineNs,
  );
}

/** A time of the clock `id` on the monotonic clock. */
export function absoluteDeadline(clock: MachineClock, id: number, time: Timespec): number {
  if (id === CLOCK_MONOTONIC || id === CLOCK_BOOTTIME || id === CLOCK_BOOTTIME_ALARM) return nsOf(time);
  const now = realtime(clock);
  return clock.monotonicNs() + (time.seconds - now.seconds) * 1e9 + (time.nanoseconds - now.nanoseconds);
}

/** Answers clock ticks since boot, and stores those that the process and its children used. */
function times(call: Call): number {
  const ticks = (ns: number): number => Math.floor((ns / 1e9) * USER_HZ);
  const { system, thread } = call;
  const own = ownUsage(system, thread.group);
  const children = childUsage(thread.group);
  const values = [own.userNs, own.systemNs, children.userNs, children.systemNs].map(ticks);
  const failed = call.putIfWanted(call.u64(0), () => encodeTms(values));
  return failed < 0 ? failed : ticks(system.clock.monotonicNs());
}
