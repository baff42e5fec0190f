/**
 * How the use of memory went over time, in a bounded number of samples: when there are too many, every other one goes, and
 * the next ones are taken half as often.
 *
 * Each sample is read in the kernel's /proc/vmstat and /proc/swaps. The kernel's own idea of the working set is what is on
 * its active lists: pages that were used again while they were in memory. What the working set lacks shows as refaults.
 */

import { PAGE_SIZE } from "../mm/page.ts";
import type { ProcHost } from "../mm/proc/proc-task.ts";
import { readSwaps, readVmstat, type SwapLine } from "./proc-texts.ts";

export interface TimeSample {
  /** Nanoseconds since the first sample, on the kernel's clock. */
  readonly time_ns: number;
  /** Pages on the active and on the inactive and unevictable lists, and those that are in swap alone. */
  readonly active: number;
  readonly inactive: number;
  readonly swapped: number;
  /** Pages that came back after they had been taken, so far. */
  readonly refaults: number;
}

const MAX_SAMPLES = 128;
const FIRST_INTERVAL_NS = 100_000;

export class Timeline {
  samples: TimeSample[] = [];
  readonly #host: ProcHost;
  readonly #onSwaps: (swaps: readonly SwapLine[]) => void;
  #startNs = 0;
  #intervalNs: number = FIRST_INTERVAL_NS;
  #nextNs: number = Number.NEGATIVE_INFINITY;

  /** @param onSwaps sees what each sample reads of /proc/swaps */
  constructor(host: ProcHost, onSwaps: (swaps: readonly SwapLine[]) => void) {
    this.#host = host;
    this.#onSwaps = onSwaps;
  }

  /** Something happened: takes a sample if it is time. */
  tick(): void {
    if (this.#host.now() >= this.#nextNs) this.sample();
  }

  sample(): void {
    const now = this.#host.now();
    if (this.samples.length === 0) this.#startNs = now;
    this.#nextNs = now + this.#intervalNs;
    const swaps = readSwaps(this.#host);
    this.#onSwaps(swaps);
    const stat = readVmstat(this.#host);
    const sample: TimeSample = {
      time_ns: Math.max(0, now - this.#startNs),
      active: stat.nr_active_anon + stat.nr_active_file,
      inactive: stat.nr_inactive_anon + stat.nr_inactive_file + stat.nr_unevictable,
      // A page of the swap cache is in memory, too.
      swapped: Math.max(0, swaps.reduce((sum, { used }) => sum + used, 0) / PAGE_SIZE - stat.nr_swapcached),
      refaults: stat.workingset_refault_anon + stat.workingset_refault_file,
    };
    this.samples.push(sample);
    if (this.samples.length < MAX_SAMPLES) return;
    // The first and the last stay.
    this.samples = this.samples.filter((_, index, all) => index % 2 === 0 || index === all.length - 1);
    this.#intervalNs *= 2;
  }
}
