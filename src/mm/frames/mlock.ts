/**
 * Pages that may not leave memory because a locked mapping shows them (mlock_folio, munlock_folio in mm/mlock.c).
 *
 * Each PTE of a VM_LOCKED mapping locks its page once more; the last one that goes makes the page evictable again. While
 * a page is locked it is off the lists that reclaim looks at: it is counted as unevictable but linked nowhere, so that
 * its `lruPrev` has room for the number of locks (mlock_count). Invariant: PG_MLOCKED is set iff `lruPrev` counts at least
 * one such PTE; NR_MLOCK counts these pages; they have PG_UNEVICTABLE, as a page of a file that SHM_LOCK keeps may have
 * without them. Once MREMAP_DONTUNMAP has left locked pages behind in a mapping that is locked no longer (`lostLocks`),
 * pages may have more locks than PTEs, and keep them until they are free.
 */
import type { Pfn } from "../page.ts";
import {
  NR_MLOCK,
  UNEVICTABLE_PGCLEARED,
  UNEVICTABLE_PGCULLED,
  UNEVICTABLE_PGMLOCKED,
  UNEVICTABLE_PGMUNLOCKED,
  UNEVICTABLE_PGRESCUED,
} from "../trace/vmstat.ts";
import { type LruMemory, lruAdd, lruDel } from "./lru.ts";
import { PG_ACTIVE, PG_MLOCKED, PG_SHM_LOCKED, PG_UNEVICTABLE } from "./page-flags.ts";

/** A PTE of a locked mapping names the page from now on. */
export function mlockPage(phys: LruMemory, pfn: Pfn): void {
  const { flags, lruPrev } = phys.frames;
  const { stat } = phys;
  if ((flags[pfn] & PG_MLOCKED) !== 0) {
    lruPrev[pfn]++;
    return;
  }
  if ((flags[pfn] & PG_UNEVICTABLE) === 0) cull(phys, pfn);
  flags[pfn] |= PG_MLOCKED;
  lruPrev[pfn] = 1;
  stat[NR_MLOCK]++;
  stat[UNEVICTABLE_PGMLOCKED]++;
}

/** One PTE of a locked mapping names the page no longer, or its mapping is no longer locked. */
export function munlockPage(phys: LruMemory, pfn: Pfn): void {
  const { flags, lruPrev } = phys.frames;
  const { stat } = phys;
  if ((flags[pfn] & PG_MLOCKED) === 0) return;
  if (--lruPrev[pfn] > 0) return;
  flags[pfn] &= ~PG_MLOCKED;
  stat[NR_MLOCK]--;
  stat[UNEVICTABLE_PGMUNLOCKED]++;
  if ((flags[pfn] & PG_SHM_LOCKED) !== 0) return;
  lruDel(phys, pfn);
  flags[pfn] &= ~PG_UNEVICTABLE;
  lruAdd(phys, pfn);
  stat[UNEVICTABLE_PGRESCUED]++;
}

/**
 * Reclaim has come to a page that must stay, because its file does (SHM_LOCK): it becomes unevictable. Answers whether it is
 * one (folio_evictable).
 */
export function cullUnevictable(phys: LruMemory, pfn: Pfn): boolean {
  if ((phys.frames.flags[pfn] & PG_SHM_LOCKED) === 0) return false;
  cull(phys, pfn);
  return true;
}

function cull(phys: LruMemory, pfn: Pfn): void {
  const { flags } = phys.frames;
  lruDel(phys, pfn);
  flags[pfn] = (flags[pfn] & ~PG_ACTIVE) | PG_UNEVICTABLE;
  lruAdd(phys, pfn);
  phys.stat[UNEVICTABLE_PGCULLED]++;
}

/** The page is on its way to be free, and nobody has taken its locks back. */
export function clearMlocked(phys: LruMemory, pfn: Pfn): void {
  const { flags } = phys.frames;
  if ((flags[pfn] & PG_MLOCKED) === 0) return;
  flags[pfn] &= ~PG_MLOCKED;
  phys.stat[NR_MLOCK]--;
  phys.stat[UNEVICTABLE_PGCLEARED]++;
}
