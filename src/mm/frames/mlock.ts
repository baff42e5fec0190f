/**
 * Pages that may not leave memory because a locked mapping shows them (mlock_folio, munlock_folio in mm/mlock.c).
 *
 * Each PTE of a VM_LOCKED mapping locks its page once more; the last one that goes makes the page evictable again. While
 * a page is locked it is off the lists that reclaim looks at: it is counted as unevictable but linked nowhere, so that
 * its `lruPrev` has room for the number of locks (mlock_count). Invariant: PG_MLOCKED and PG_UNEVICTABLE are set iff
 * `lruPrev` counts at least one such PTE; NR_MLOCK counts these pages.
 */
import type { Pfn } from "../page.ts";
import {
  NR_MLOCK,
  UNEVICTABLE_PGCULLED,
  UNEVICTABLE_PGMLOCKED,
  UNEVICTABLE_PGMUNLOCKED,
  UNEVICTABLE_PGRESCUED,
} from "../trace/vmstat.ts";
import { type LruMemory, lruAdd, lruDel } from "./lru.ts";
import { PG_ACTIVE, PG_MLOCKED, PG_UNEVICTABLE } from "./page-flags.ts";

/** A PTE of a locked mapping names the page from now on. */
export function mlockPage(phys: LruMemory, pfn: Pfn): void {
  const { flags, lruPrev } = phys.frames;
  const { stat } = phys;
  if ((flags[pfn] & PG_MLOCKED) !== 0) {
    lruPrev[pfn]++;
    return;
  }
  lruDel(phys, pfn);
  flags[pfn] = (flags[pfn] & ~PG_ACTIVE) | PG_MLOCKED | PG_UNEVICTABLE;
  lruAdd(phys, pfn);
  lruPrev[pfn] = 1;
  stat[NR_MLOCK]++;
  stat[UNEVICTABLE_PGMLOCKED]++;
  stat[UNEVICTABLE_PGCULLED]++;
}

/** One PTE of a locked mapping names the page no longer, or its mapping is no longer locked. */
export function munlockPage(phys: LruMemory, pfn: Pfn): void {
  const { flags, lruPrev } = phys.frames;
  const { stat } = phys;
  if ((flags[pfn] & PG_MLOCKED) === 0) return;
  if (--lruPrev[pfn] > 0) return;
  lruDel(phys, pfn);
  flags[pfn] &= ~(PG_MLOCKED | PG_UNEVICTABLE);
  lruAdd(phys, pfn);
  stat[NR_MLOCK]--;
  stat[UNEVICTABLE_PGMUNLOCKED]++;
  stat[UNEVICTABLE_PGRESCUED]++;
}
