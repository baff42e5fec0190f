/**
 * Load averages: how many threads could run or could not be interrupted, averaged over the last 1, 5 and 15 minutes
 * (kernel/sched/loadavg.c).
 *
 * Every five seconds the number of such threads is looked at, and each average moves a little towards it: fixed-point
 * numbers, rounded as Linux rounds them.
 */

/** Bits behind the point (FSHIFT). */
const SHIFT = 11;
const ONE: number = 1 << SHIFT;
/** 1/exp(5 s/1 min), 5 min, 15 min, in 2048ths (EXP_1, EXP_5, EXP_15). */
const DECAYS: readonly number[] = [1884, 2014, 2037];
/** 5 s and a tick at 100 Hz (LOAD_FREQ). */
const PERIOD_NS = 5.01e9;

export class LoadAverage {
  /** Over 1, 5 and 15 minutes, in 2048ths (avenrun). */
  readonly averages: number[] = [0, 0, 0];
  /** When the threads are looked at next, on the monotonic clock. */
  #nextNs = PERIOD_NS;

  /** To be told often: the time, and how many threads are active since the last time that it was told. */
  sample(nowNs: number, active: () => number): void {
    if (nowNs < this.#nextNs) return;
    const count = active() * ONE;
    while (this.#nextNs <= nowNs) {
      this.#nextNs += PERIOD_NS;
      if (count === 0 && this.averages.every((load) => load === 0)) {
        // Nothing changes any more in all the time that is left.
        this.#nextNs += Math.max(0, Math.ceil((nowNs - this.#nextNs) / PERIOD_NS)) * PERIOD_NS;
        continue;
      }
      DECAYS.forEach((decay, i) => {
        const load = this.averages[i];
        const rounded = count >= load ? ONE - 1 : 0;
        this.averages[i] = Math.floor((load * decay + count * (ONE - decay) + rounded) / ONE);
      });
    }
  }
}
