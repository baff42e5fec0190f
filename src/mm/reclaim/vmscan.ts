/**
 * Reclaim: making frames free when none are (mm/vmscan.c).
 *
 * What can be had again may go: a page of a file that is clean, or is made so by writing it back. It is taken out of
 * every page table, then out of the page cache; who touches it next reads it again. Which pages go is what the LRU lists
 * decide: the scan begins with a small part of the inactive list, and takes in more with each round that does not yield
 * enough.
 *
 * What becomes of each page that the scan meets stands in shrink-page.ts.
 *
 * It runs inside any allocation. So it takes no page that somebody holds: whoever works on a page across an allocation
 * has a reference beside those of the cache and the PTEs, and a page that is being read is in no list yet. Anonymous
 * pages and those of tmpfs stay: there is no swap. Only what a program gave up itself (MADV_FREE) is on the lists of file
 * pages with them, and goes as they do.
 */

import { deactivatePage, LRU_ACTIVE_FILE, LRU_INACTIVE_FILE, lruRotate, lruTail } from "../frames/lru.ts";
import type { PhysicalMemory, Reclaimer } from "../frames/physical-memory.ts";
import { PGSCAN_DIRECT, PGSCAN_FILE, PGSTEAL_DIRECT, PGSTEAL_FILE } from "../trace/vmstat.ts";
import { ReferenceCollector } from "./page-referenced.ts";
import { shrinkPage } from "./shrink-page.ts";

/** The first round scans the list's length shifted right by this (DEF_PRIORITY). */
const DEF_PRIORITY = 12;
/** Pages that a round scans at least (SWAP_CLUSTER_MAX). */
const CLUSTER = 32;

export class Vmscan implements Reclaimer {
  readonly #phys: PhysicalMemory;
  readonly #references: ReferenceCollector = new ReferenceCollector();
  #isRunning = false;

  constructor(phys: PhysicalMemory) {
    this.#phys = phys;
  }

  /** Tries to free `nrPages` frames; answers how many it freed, 0 when nothing can be. */
  tryToFreePages(nrPages: number): number {
    // Storage that allocates while it writes a page back must not come here again (PF_MEMALLOC).
    if (this.#isRunning) return 0;
    this.#isRunning = true;
    try {
      let freed = 0;
      for (let priority = DEF_PRIORITY; priority >= 0 && freed < nrPages; priority--) {
        freed += this.#shrink(priority, nrPages - freed);
      }
      return freed;
    } finally {
      this.#isRunning = false;
    }
  }

  #shrink(priority: number, wanted: number): number {
    const { stat } = this.#phys;
    // Below 1 GiB of memory half of the pages may be active (inactive_is_low).
    if (stat[LRU_INACTIVE_FILE] < stat[LRU_ACTIVE_FILE]) {
      this.#shrinkActive(scanCount(stat[LRU_ACTIVE_FILE], priority));
    }
    return this.#shrinkInactive(scanCount(stat[LRU_INACTIVE_FILE], priority), wanted);
  }

  /** Feeds the inactive list from the tail of the active one; only code that was used gets another round. */
  #shrinkActive(nrToScan: number): void {
    const phys = this.#phys;
    for (let scanned = 0; scanned < nrToScan; scanned++) {
      const pfn = lruTail(phys, LRU_ACTIVE_FILE);
      if (pfn === 0) return;
      if (this.#references.collect(phys, pfn)) lruRotate(phys, pfn);
      else deactivatePage(phys, pfn);
    }
  }

  #shrinkInactive(nrToScan: number, wanted: number): number {
    const phys = this.#phys;
    const { stat } = phys;
    let freed = 0;
    for (let scanned = 0; scanned < nrToScan && freed < wanted; scanned++) {
      const pfn = lruTail(phys, LRU_INACTIVE_FILE);
      if (pfn === 0) break;
      stat[PGSCAN_DIRECT]++;
      stat[PGSCAN_FILE]++;
      if (!shrinkPage(phys, pfn, this.#references)) continue;
      stat[PGSTEAL_DIRECT]++;
      stat[PGSTEAL_FILE]++;
      freed++;
    }
    return freed;
  }
}

function scanCount(length: number, priority: number): number {
  return Math.min(length, Math.max(CLUSTER, Math.floor(length / 2 ** priority)));
}
