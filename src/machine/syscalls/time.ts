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
import { childUsage, cpuNs, ownUsage, threadUsage } from "../life/usage.ts";
import type { TimerClock } from "../signals/posix-timer.ts";
import type { System } from "../system.ts";
import { type Thread, ThreadGroup, type Wait } from "../thread.ts";
import type { Call, SyscallGroup } from "./call.ts";
import { ERESTART_RESTARTBLOCK } from "./restart.ts";

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

/** Clocks that nobody can sleep by. */
const SLEEPLESS: ReadonlySet<number> = new Set([
  CLOCK_THREAD_CPUTIME_ID,
  CLOCK_MONOTONIC_RAW,
  CLOCK_REALTIME_COARSE,
  CLOCK_MONOTONIC_COARSE,
]);

export const timeCalls: SyscallGroup = [
  [101, "nanosleep", 2, (call) => sleep(call, CLOCK_MONOTONIC, 0, 0)],
  [113, "clock_gettime", 2, clockGettime],
  [114, "clock_getres", 2, clockGetres],
  [115, "clock_nanosleep", 4, clockNanosleep],
  [153, "times", 1, times],
  [169, "gettimeofday", 2, gettimeofday],
];

/** Whether the number is a clock's: every one for CPU time is, even of a process that is not there; those of clock devices are not. */
export function isClockId(id: number): boolean {
  return id < 0 ? !isOfDescriptor(id) : id <= CLOCK_BOOTTIME_ALARM || id === CLOCK_TAI;
}

function isOfDescriptor(id: number): boolean {
  return id < 0 && (id & (CPUCLOCK_PERTHREAD | CPUCLOCK_CLOCK_MASK)) === CLOCKFD;
}

/** Whether there is such a clock, with a time. */
export function clockExists(call: Call, id: number): boolean {
  return read(call, id) !== undefined;
}

/** What a clock shows, or undefined for one that is not there. */
function read(call: Call, id: number): Timespec | undefined {
  if (id < 0) {
    const clock = cpuClock(call, id);
    return clock === undefined ? undefined : timespecOf(clock.nowNs());
  }
  const { clock, timeOfDay } = call.system;
  switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
      return timeOfDay.now();
    case CLOCK_TAI: {
      const { seconds, nanoseconds } = timeOfDay.now();
      return { seconds: seconds + timeOfDay.tai, nanoseconds };
    }
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
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
  // CPU time is told in nanoseconds, but those who ask for it all, or for the program's part, are told of ticks.
  const isOfTicks = id < 0 && (id & CPUCLOCK_CLOCK_MASK) <= CPUCLOCK_VIRT;
  const isCoarse = id === CLOCK_REALTIME_COARSE || id === CLOCK_MONOTONIC_COARSE || isOfTicks;
  const nanoseconds = isCoarse ? COARSE_NS : 1;
  return call.putIfWanted(call.u64(1), () => encode({ seconds: 0, nanoseconds }));
}

function gettimeofday(call: Call): number {
  const { timeOfDay } = call.system;
  const { seconds, nanoseconds } = timeOfDay.now();
  const failed = call.putIfWanted(
    call.u64(0),
    () => new StructView(16).put64(0, seconds).put64(8, Math.floor(nanoseconds / 1000)).bytes,
  );
  return failed < 0
    ? failed
    : call.putIfWanted(
        call.u64(1),
        () => new StructView(8).put32(0, timeOfDay.minutesWest).put32(4, timeOfDay.dstTime).bytes,
      );
}

function clockNanosleep(call: Call): number {
  const id = call.s32(0);
  if (SLEEPLESS.has(id) || isOfDescriptor(id)) return -EOPNOTSUPP;
  if (!isClockId(id)) return -EINVAL;
  return sleep(call, id, call.s32(1), 2);
}

/** Argument i points to the time to sleep (or to wake at), i + 1 to where the rest goes if a signal ends the sleep. */
function sleep(call: Call, id: number, flags: number, i: number): number {
  const { callState } = call.thread;
  if (callState instanceof Sleep) return callState.isOver ? 0 : call.block(callState, callState);
  const raw = call.get(call.u64(i), TIMESPEC_BYTES);
  if (raw === undefined) return -EFAULT;
  const time = getTimespec(raw);
  if (!isValidTimespec(time)) return -EINVAL;
  // They want a clock of real time that could wake the machine.
  if (id === CLOCK_REALTIME_ALARM || id === CLOCK_BOOTTIME_ALARM) return -EOPNOTSUPP;
  const isAbsolute = (flags & TIMER_ABSTIME) !== 0;
  const cpu = id < 0 || id === CLOCK_PROCESS_CPUTIME_ID ? cpuClockToSleepIn(call, id) : undefined;
  if (cpu === null) return -EINVAL;
  const nowNs = (): number => cpu?.nowNs() ?? call.system.clock.monotonicNs();
  const untilNs = isAbsolute ? absoluteDeadline(call, id, time) : nowNs() + nsOf(time);
  const sleeping = new Sleep(call, nowNs, cpu !== undefined, untilNs, isAbsolute ? 0 : call.u64(i + 1));
  return sleeping.isOver ? 0 : call.block(sleeping, sleeping);
}

/** null where there is none: that of the caller itself, who would never wake, among them (posix_cpu_nsleep). */
function cpuClockToSleepIn(call: Call, id: number): TimerClock | null {
  if (id >= 0) return cpuTimeOf(call.system, call.thread.group);
  const clock = cpuClock(call, id);
  return clock === undefined || clock.cpuOf === call.thread ? null : clock;
}

/** A sleep, by whatever clock. */
class Sleep implements Wait {
  deadlineNs: number;
  failed?: number;
  readonly interrupted: number = -ERESTART_RESTARTBLOCK;
  readonly #call: Call;
  readonly #nowNs: () => number;
  /** On a clock of CPU time, which others advance; undefined: on the monotonic one. */
  readonly #cpuNs: number | undefined;
  readonly #rest: number;

  /** @param rest where the time that is left is told, 0: nowhere */
  constructor(call: Call, nowNs: () => number, isCpuTime: boolean, untilNs: number, rest: number) {
    this.#call = call;
    this.#nowNs = nowNs;
    this.deadlineNs = isCpuTime ? Number.POSITIVE_INFINITY : untilNs;
    this.#cpuNs = isCpuTime ? untilNs : undefined;
    this.#rest = rest;
  }

  get #leftNs(): number {
    return (this.#cpuNs ?? this.deadlineNs) - this.#nowNs();
  }

  get isOver(): boolean {
    return this.#leftNs <= 0;
  }

  isReady(): boolean {
    return this.#cpuNs !== undefined && this.isOver;
  }

  onInterrupt(): void {
    const left = timespecOf(Math.max(0, this.#leftNs));
    if (this.#call.putIfWanted(this.#rest, () => encode(left)) < 0) this.failed = -EFAULT;
  }
}

/** A time of the clock `id` on the monotonic clock. One of the day makes the call one that waits for that. */
export function absoluteDeadline(call: Call, id: number, time: Timespec): number {
  if (!isTimeOfDay(id)) return nsOf(time);
  const { clock, timeOfDay } = call.system;
  call.isByTimeOfDay = true;
  const ahead = id === CLOCK_TAI ? timeOfDay.tai * 1e9 : 0;
  return clock.monotonicNs() + timeOfDay.until(time) - ahead;
}

export function isTimeOfDay(id: number): boolean {
  return id === CLOCK_REALTIME || id === CLOCK_TAI || id === CLOCK_REALTIME_ALARM;
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
