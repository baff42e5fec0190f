/**
 * The machine's time. Two kinds: virtual, which instructions and sleeping advance, so that a run takes the same course
 * every time; and the host's, for programs that should see real time.
 */

export interface MachineClock {
  /** Nanoseconds since the machine was switched on. Never goes back. */
  monotonicNs(): number;
  /** Nanoseconds of 1970-01-01 at which the monotonic clock showed 0. */
  readonly bootNs: number;
  /** Told by the machine, often: how many instructions have been executed in all, system calls counted as so many as take as long. */
  instructionsExecuted?(total: number): void;
  /**
   * Nothing can run before the monotonic clock shows `untilNs`. Answers undefined when that time has come on return, or
   * a promise of it where this clock can't wait in place.
   */
  sleepUntil(untilNs: number): Promise<void> | undefined;
}

/** One nanosecond for each instruction, and more for a system call; when all sleep, time jumps to the first who wakes. */
export class VirtualClock implements MachineClock {
  readonly bootNs: number;
  #instructions = 0;
  #slept = 0;

  /** @param bootNs when the machine is switched on (default: 2025-01-01 UTC) */
  constructor(bootNs = 1_735_689_600e9) {
    this.bootNs = bootNs;
  }

  monotonicNs(): number {
    return this.#instructions + this.#slept;
  }

  /** Nanoseconds since 1970, for a Kernel's `now`. */
  realtimeNs(): number {
    return this.bootNs + this.monotonicNs();
  }

  instructionsExecuted(total: number): void {
    this.#instructions = total;
  }

  sleepUntil(untilNs: number): undefined {
    this.#slept += Math.max(0, untilNs - this.monotonicNs());
    return undefined;
  }
}

/** What a host clock needs of the platform. */
export interface HostTime {
  /** Milliseconds since any fixed moment, with fractions; never goes back (performance.now). */
  nowMs(): number;
  /** Milliseconds since 1970 (Date.now). */
  epochMs(): number;
  /** Waits in place. Left out where that is impossible. */
  sleepMs?(ms: number): void;
  /** Waits by a timer. */
  sleepAsync?(ms: number): Promise<void>;
}

/** The host's time, from when it is made. */
export class HostClock implements MachineClock {
  readonly bootNs: number;
  readonly #host: HostTime;
  readonly #startMs: number;

  constructor(host: HostTime) {
    this.#host = host;
    this.#startMs = host.nowMs();
    this.bootNs = host.epochMs() * 1e6;
  }

  monotonicNs(): number {
    return Math.floor((this.#host.nowMs() - this.#startMs) * 1e6);
  }

  /** Nanoseconds since 1970, for a Kernel's `now`. */
  realtimeNs(): number {
    return this.bootNs + this.monotonicNs();
  }

  sleepUntil(untilNs: number): Promise<void> | undefined {
    const ms = Math.max(0, (untilNs - this.monotonicNs()) / 1e6);
    if (this.#host.sleepMs === undefined) return this.#host.sleepAsync?.(Math.ceil(ms));
    this.#host.sleepMs(ms);
    return undefined;
  }
}
