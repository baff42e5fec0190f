/**
 * What happens at a time without anybody waiting for it: timers of timer_create and timerfds that run (hrtimers).
 *
 * Looked at between turns, as Linux looks at CPU-time timers with its tick. Those that are due expire in the order of their
 * times, equal ones in the order in which they were started.
 */

export interface Timer {
  /** When it expires, on its own clock (nanoseconds). */
  readonly expiresNs: number;
  /** Its clock is CPU time, which stands still while all sleep. */
  readonly isCpuTime: boolean;
  /** What its clock shows. */
  nowNs(): number;
  /** It has expired, and is not in the queue any more. */
  expire(): void;
}

export class TimerQueue {
  readonly #running: Set<Timer> = new Set();

  /** Starts a timer, or starts it anew. */
  start(timer: Timer): void {
    this.#running.delete(timer);
    this.#running.add(timer);
  }

  stop(timer: Timer): void {
    this.#running.delete(timer);
  }

  /** When the first one expires, on the monotonic clock; Infinity when none runs. */
  get nextNs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const timer of this.#running) if (!timer.isCpuTime) next = Math.min(next, timer.expiresNs);
    return next;
  }

  /** Lets those expire that are due. */
  run(): void {
    if (this.#running.size === 0) return;
    const due = [...this.#running].filter((timer) => timer.nowNs() >= timer.expiresNs);
    for (const timer of due.sort((a, b) => a.expiresNs - b.expiresNs)) {
      if (this.#running.delete(timer)) timer.expire();
    }
  }
}
