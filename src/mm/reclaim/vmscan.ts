/**
 * Reclaim: making frames free when none are (mm/vmscan.c).
 *
 * What can be had again may go: a page of a file that is clean, or is made so by writing it back. It is taken out of
 * every page table, then out of the page cache; who touches it next reads it again. Which pages go is what the LRU lists
 * decide: the scan begins with a small part of the inactive list, and takes in more with each round that does not yield
 * enough.
 *
 * ```
 *   tail of inactive ─▶ used since?  ──yes──▶ active, or another round
 *                          │ no
 *                     in use by a fault or I/O? ──yes──▶ another round
 *                          │ no
 *                     unmap ─▶ dirty? write back ─▶ out of the cache ─▶ free
 * ```
 *
 * It runs inside any allocation. So it takes no page that somebody holds: whoever works on a page across an allocation
 * has a reference beside those of the cache and the PTEs, and a page that is being read is in no list yet. Anonymous
 * pages and those of tmpfs stay: there is no swap.
 */

import { BugError } from "../bug.ts";
import { deleteFromPageCache, mappingPath } from "../filemap/page-cache.ts";
import { writeDirtyRun } from "../filemap/writeback.ts";
import {
  activatePage,
  deactivatePage,
  LRU_ACTIVE_FILE,
  LRU_INACTIVE_FILE,
  lruRotate,
  lruTail,
} from "../frames/lru.ts";
import { PG_DIRTY, PG_LOCKED, PG_WRITEBACK } from "../frames/page-flags.ts";
import type { PhysicalMemory, Reclaimer } from "../frames/physical-memory.ts";
import type { Pfn } from "../page.ts";
import { PGSCAN_DIRECT, PGSCAN_FILE, PGSTEAL_DIRECT, PGSTEAL_FILE } from "../trace/vmstat.ts";
import { AddressSpace } from "../vfs/address-space.ts";
import {
  PAGEREF_ACTIVATE,
  PAGEREF_KEEP,
  PAGEREF_RECLAIM_CLEAN,
  ReferenceCollector,
} from "./page-referenced.ts";
import { tryToUnmap } from "./try-to-unmap.ts";

/** The first round scans the list's length shifted right by this (DEF_PRIORITY). */
const DEF_PRIORITY = 12;
/** Pages that a round scans at least, and that are written back in one go (SWAP_CLUSTER_MAX). */
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
      if (!this.#shrinkPage(pfn)) continue;
      stat[PGSTEAL_DIRECT]++;
      stat[PGSTEAL_FILE]++;
      freed++;
    }
    return freed;
  }

  /** Frees one page, or moves it to where it belongs. Answers whether it is free. */
  #shrinkPage(pfn: Pfn): boolean {
    const phys = this.#phys;
    const { flags, refCount, mapCount, mapping: owners, index } = phys.frames;
    const inUse = (flags[pfn] & (PG_LOCKED | PG_WRITEBACK)) !== 0 || refCount[pfn] !== 1 + mapCount[pfn];
    if (inUse) return this.#keep(pfn);
    const references = this.#references.check(phys, pfn);
    if (references === PAGEREF_ACTIVATE) return this.#activate(pfn);
    if (references === PAGEREF_KEEP) return this.#keep(pfn);
    if (references === PAGEREF_RECLAIM_CLEAN && (flags[pfn] & PG_DIRTY) !== 0) return this.#keep(pfn);
    if (mapCount[pfn] !== 0 && !tryToUnmap(phys, pfn)) return this.#activate(pfn);
    const mapping = phys.owners.get(owners[pfn]);
    if (!(mapping instanceof AddressSpace))
      throw new BugError("shrinkPage", `frame ${pfn} belongs to no file`);
    if ((flags[pfn] & PG_DIRTY) !== 0) {
      writeDirtyRun(mapping, index[pfn], CLUSTER);
      if ((flags[pfn] & PG_DIRTY) !== 0 || refCount[pfn] !== 1) return this.#keep(pfn);
    }
    if (phys.tracer.enabled) {
      phys.tracer.emit({ type: "drop", path: mappingPath(mapping), index: index[pfn], pages: 1 });
    }
    deleteFromPageCache(mapping, pfn);
    return true;
  }

  #keep(pfn: Pfn): false {
    lruRotate(this.#phys, pfn);
    return false;
  }

  #activate(pfn: Pfn): false {
    activatePage(this.#phys, pfn);
    return false;
  }
}

function scanCount(length: number, priority: number): number {
  return Math.min(length, Math.max(CLUSTER, Math.floor(length / 2 ** priority)));
}
