/**
 * The time of day (kernel/time/timekeeping.c, ntp.c): what the clock shows and how far it was set from that, and what
 * adjtimex keeps beside it. The clock's speed is the host's and never changes.
 *
 * Who waits for a time of day waits on the monotonic clock, so that a step of the time moves all these deadlines.
 */
import type { Kernel } from "../mm/kernel/kernel.ts";
import { type Timespec, timespecOf } from "./abi/structs.ts";
import type { MachineClock } from "./clock.ts";
import type { Wait } from "./thread.ts";

const NS_PER_SECOND = 1e9;
export const STA_PLL = 0x1;
export const STA_UNSYNC = 0x40;
export const STA_NANO = 0x2000;
/** The largest error (microseconds), at which nobody takes the clock for set. */
export const NTP_PHASE_LIMIT = 16_000_000;
/** By how much the error may grow in a second. */
const MAXFREQ_US = 500;

/** Who has a deadline that is a time of day: all of them on the monotonic clock. */
export interface TimeOfDayUser {
  /** The time of day was moved by `deltaNs`: what was to come then comes so much sooner. */
  onTimeSet(deltaNs: number): void;
}

export class TimeOfDay {
  /** Timers and timerfds that go by it. */
  readonly users: Set<TimeOfDayUser> = new Set();
  /** settimeofday's time zone, which is kept and told back. */
  minutesWest = 0;
  dstTime = 0;
  /** What adjtimex keeps. In the units of its structure; `offset` in nanoseconds. */
  status: number = STA_UNSYNC;
  offset = 0;
  frequency = 0;
  constant = 2;
  tick = 10_000;
  singleShot = 0;
  /** Seconds that CLOCK_TAI is ahead. */
  tai = 0;
  estimatedError: number = NTP_PHASE_LIMIT;
  #maximumError: number = NTP_PHASE_LIMIT;
  #errorSetNs = 0;
  readonly #kernel: Kernel;
  readonly #clock: MachineClock;

  constructor(kernel: Kernel, clock: MachineClock) {
    this.#kernel = kernel;
    this.#clock = clock;
  }

  /** Seconds and nanoseconds apart: a double holds only the larger of them exactly. */
  now(): Timespec {
    const boot = timespecOf(this.#clock.bootNs);
    const { timeOfDayOffset } = this.#kernel;
    const sum = timespecOf(
      boot.nanoseconds + timeOfDayOffset.nanoseconds + Math.floor(this.#clock.monotonicNs()),
    );
    return {
      seconds: boot.seconds + timeOfDayOffset.seconds + sum.seconds,
      nanoseconds: sum.nanoseconds,
    };
  }

  /** Nanoseconds from now to a time of day. */
  until(time: Timespec): number {
    const now = this.now();
    return (time.seconds - now.seconds) * NS_PER_SECOND + (time.nanoseconds - now.nanoseconds);
  }

  /** Steps the time by seconds and nanoseconds of either sign. @param waits of all threads */
  step(by: Timespec, waits: Iterable<Wait | undefined>): void {
    const { timeOfDayOffset } = this.#kernel;
    const sum = timespecOf(timeOfDayOffset.nanoseconds + by.nanoseconds);
    this.#kernel.timeOfDayOffset = {
      seconds: timeOfDayOffset.seconds + by.seconds + sum.seconds,
      nanoseconds: sum.nanoseconds,
    };
    const deltaNs = by.seconds * NS_PER_SECOND + by.nanoseconds;
    for (const wait of waits) if (wait?.isByTimeOfDay === true) wait.deadlineNs -= deltaNs;
    for (const user of [...this.users]) user.onTimeSet(deltaNs);
    // ntp_clear
    this.singleShot = 0;
    this.offset = 0;
    this.status |= STA_UNSYNC;
    this.maximumError = NTP_PHASE_LIMIT;
    this.estimatedError = NTP_PHASE_LIMIT;
  }

  /** Grows with time, until the clock counts as not set (second_overflow). */
  get maximumError(): number {
    const seconds = Math.floor((this.#clock.monotonicNs() - this.#errorSetNs) / NS_PER_SECOND);
    const error = this.#maximumError + seconds * MAXFREQ_US;
    if (error <= NTP_PHASE_LIMIT) return error;
    this.status |= STA_UNSYNC;
    return NTP_PHASE_LIMIT;
  }
  set maximumError(us: number) {
    this.#maximumError = us;
    this.#errorSetNs = this.#clock.monotonicNs();
  }
}
