/**
 * The LRU lists (mm/swap.c): the order in which reclaim looks at pages, as links in the frame table.
 *
 * New pages enter the inactive list of their kind at its head and drift to its tail, where reclaim takes them. A page
 * that is used twice before it gets there moves to the active list, whose tail is fed back into the inactive list: what
 * was read once leaves early, what is used again and again stays.
 *
 * ```
 *   new page ─▶ head [ inactive … ] tail ─▶ reclaim
 *                 ▲           │ used again
 *    needs to age │           ▼
 *               tail [ active … ] head
 * ```
 *
 * The lists are circular through a head that is no page: frames 1 … 5 are reserved and on no list, so that their link
 * columns are the heads, and list, head and counter have one number (NR_INACTIVE_ANON … NR_UNEVICTABLE). A head of
 * zeros, as the columns begin, is an empty list. Invariant: a frame has PG_LRU iff it is on the list that its other
 * flags name. The unevictable list is none: nobody ever walks it, so its pages are only counted, and their links are
 * free for another use (mlock.ts).
 */
import { BugError } from "../bug.ts";
import type { Pfn } from "../page.ts";
import {
  NR_ACTIVE_FILE,
  NR_INACTIVE_ANON,
  NR_INACTIVE_FILE,
  NR_UNEVICTABLE,
  PGACTIVATE,
  PGDEACTIVATE,
  type VmStat,
} from "../trace/vmstat.ts";
import { PG_ACTIVE, PG_LRU, PG_REFERENCED, PG_SWAPBACKED, PG_UNEVICTABLE } from "./page-flags.ts";
import type { PageFrames } from "./page-frames.ts";

/** What the lists need of physical memory. */
export interface LruMemory {
  readonly frames: PageFrames;
  readonly stat: VmStat;
}

export const LRU_INACTIVE_FILE: number = NR_INACTIVE_FILE;
export const LRU_ACTIVE_FILE: number = NR_ACTIVE_FILE;

/** Puts a page at the head of the list that its flags name. */
export function lruAdd(phys: LruMemory, pfn: Pfn): void {
  const { flags, lruNext, lruPrev } = phys.frames;
  if ((flags[pfn] & PG_LRU) !== 0) throw new BugError("lruAdd", `frame ${pfn} is on a list already`);
  const list = listOf(flags[pfn]);
  flags[pfn] |= PG_LRU;
  phys.stat[list]++;
  if (list === NR_UNEVICTABLE) return;
  const first = lruNext[list] === 0 ? list : lruNext[list];
  lruNext[pfn] = first;
  lruPrev[pfn] = list;
  lruPrev[first] = pfn;
  lruNext[list] = pfn;
}

/** Takes a page off its list; nothing if it is on none. Precedes any change of the flags that name the list. */
export function lruDel(phys: LruMemory, pfn: Pfn): void {
  const { flags, lruNext, lruPrev } = phys.frames;
  if ((flags[pfn] & PG_LRU) === 0) return;
  const list = listOf(flags[pfn]);
  flags[pfn] &= ~PG_LRU;
  phys.stat[list]--;
  if (list === NR_UNEVICTABLE) return;
  const next = lruNext[pfn];
  const prev = lruPrev[pfn];
  lruNext[prev] = next;
  lruPrev[next] = prev;
}

/** The page that has been longest on a list, 0 when it is empty. */
export function lruTail(phys: LruMemory, list: number): Pfn {
  const tail = phys.frames.lruPrev[list];
  return tail === list ? 0 : tail;
}

/** Gives a page another round through its list. */
export function lruRotate(phys: LruMemory, pfn: Pfn): void {
  lruDel(phys, pfn);
  lruAdd(phys, pfn);
}

export function activatePage(phys: LruMemory, pfn: Pfn): void {
  lruDel(phys, pfn);
  phys.frames.flags[pfn] |= PG_ACTIVE;
  lruAdd(phys, pfn);
  phys.stat[PGACTIVATE]++;
}

export function deactivatePage(phys: LruMemory, pfn: Pfn): void {
  lruDel(phys, pfn);
  phys.frames.flags[pfn] &= ~PG_ACTIVE;
  lruAdd(phys, pfn);
  phys.stat[PGDEACTIVATE]++;
}

/**
 * Notes a use of a page by read(2), by the kernel through a process's memory, or by a PTE that goes away
 * (folio_mark_accessed): the first makes it referenced, the second active.
 */
export function markPageAccessed(phys: LruMemory, pfn: Pfn): void {
  const { flags } = phys.frames;
  const now = flags[pfn];
  if ((now & PG_REFERENCED) === 0) {
    flags[pfn] = now | PG_REFERENCED;
  } else if ((now & (PG_ACTIVE | PG_UNEVICTABLE)) === 0) {
    // A page that is on no list yet is active once it gets on one.
    if ((now & PG_LRU) !== 0) activatePage(phys, pfn);
    else flags[pfn] |= PG_ACTIVE;
    flags[pfn] &= ~PG_REFERENCED;
  }
}

/** Walks a list from head to tail: for the validator. */
export function forEachLru(phys: LruMemory, list: number, visit: (pfn: Pfn) => void): void {
  const { lruNext } = phys.frames;
  for (let pfn = lruNext[list]; pfn !== 0 && pfn !== list; pfn = lruNext[pfn]) visit(pfn);
}

function listOf(flags: number): number {
  if ((flags & PG_UNEVICTABLE) !== 0) return NR_UNEVICTABLE;
  const kind = (flags & PG_SWAPBACKED) !== 0 ? NR_INACTIVE_ANON : NR_INACTIVE_FILE;
  return (flags & PG_ACTIVE) !== 0 ? kind + 1 : kind;
}
