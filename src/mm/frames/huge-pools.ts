/**
 * The pools of huge pages (hstate in mm/hugetlb.c), which stay empty. A pool is as large as what could be found for it: memory here
 * is too scattered for a single huge page, so that whatever is asked for, none is what there is, as who reads the number
 * again sees.
 */
import { HTLB_BUDDY_PGALLOC_FAIL, type VmStat } from "../trace/vmstat.ts";

export class HugePools {
  /** How many pages of the usual size may be looked for beyond the pool when a mapping wants them. */
  overcommit = 0n;
  readonly #stat: VmStat;

  constructor(stat: VmStat) {
    this.#stat = stat;
  }

  /** Asks for a pool of `pages`: the first that is not found is the last that is looked for. */
  resize(pages: bigint): void {
    if (pages > 0n) this.#stat[HTLB_BUDDY_PGALLOC_FAIL]++;
  }
}
