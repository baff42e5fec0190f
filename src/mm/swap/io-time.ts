/**
 * Time as a device sees it: while the processor is busy with reclaim, the device works, too.
 *
 * The kernel's clock counts what programs execute and sleep, and takes what the kernel itself does for nothing. To a
 * device that makes a difference: how much of what reclaim has written is there before reclaim looks at it again. So a
 * device's time is the kernel's clock and, on top, what the kernel has worked since, as a processor of 3 GHz takes for it
 * (Linux 6.18 under its own trace events). It depends on nothing but what was done, so a run takes the same course always,
 * also where the clock stands.
 */
import { PGFAULT, type VmStat } from "../trace/vmstat.ts";

/** Nanoseconds for a fault that reads nothing. */
const FAULT_NS = 1000;
/** For one more page read from swap: its frame, its place in the cache. */
export const SWAPIN_PAGE_NS = 1500;
/**
 * For a page taken out of the page tables and handed to the device. A virtual machine whose page tables the hypervisor shadows
 * was seen to take 4 µs at least and 7 in the middle for it. Of the figures here this one decides most: how much of what reclaim has
 * written is there when it comes by again, and so on which of two ways a loop goes.
 */
export const SWAPOUT_PAGE_NS = 3000;
/** For a page that fork shares. */
export const FORK_PAGE_NS = 100;
/** For a look at a page on a list; and for each round over the lists of a group. */
export const SCAN_PAGE_NS = 400;
export const SCAN_ROUND_NS = 3000;

export class IoTime {
  readonly #stat: VmStat;
  readonly #clock: () => number;
  readonly #sleep: (ns: number) => void;
  readonly #bootNs: number;
  /** What the clock has not counted, but for faults. */
  #workedNs = 0;

  /** @param clock nanoseconds, of a clock that may stand; @param sleep lets nanoseconds of it pass, if it can */
  constructor(stat: VmStat, clock: () => number, sleep: (ns: number) => void) {
    this.#stat = stat;
    this.#clock = clock;
    this.#sleep = sleep;
    this.#bootNs = clock();
  }

  /** Nanoseconds since boot, a whole number. Never goes back. */
  get nowNs(): number {
    return Math.floor(this.#clock() - this.#bootNs) + this.#workedNs + this.#stat[PGFAULT] * FAULT_NS;
  }

  /** The kernel was busy. */
  work(ns: number): void {
    this.#workedNs += ns;
  }

  /** Who runs waits for a device: the clock, if it can, moves on to that moment, a whole number. */
  waitUntil(ns: number): void {
    const left = ns - this.nowNs;
    if (!(left > 0)) return;
    this.#sleep(left);
    // A clock that stands, or counts more coarsely.
    this.#workedNs += Math.max(0, ns - this.nowNs);
  }
}
