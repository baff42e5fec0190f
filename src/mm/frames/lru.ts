/**
 * The LRU lists (mm/swap.c): the order in which reclaim looks at pages, as links in the frame table.
 *
 * New pages enter the inactive list of their kind at its head and drift to its tail, where reclaim takes them. A page
 * that is used twice before it gets there moves to the active list, whose tail is fed back into the inactive list: what
 * was used once leaves early, what is used again and again stays.
 *
 * ```
 *   new page ─▶ head [ inactive … ] tail ─▶ reclaim
 *                 ▲           │ used again
 *    needs to age │           ▼
 *               tail [ active … ] head
 * ```
 *
 * Each memory cgroup has a set of lists of its own, whose heads are in the link columns, too (lruvec.ts). With the
 * multi-gen LRU the same functions keep generations instead (lru-gen.ts).
 *
 * Invariant: a frame has PG_LRU iff it is on the list that its other flags and its cgroup name, and is counted there.
 */
import { BugError } from "../bug.ts";
import type { Pfn } from "../page.ts";
import { NR_INACTIVE_ANON, PGACTIVATE, PGDEACTIVATE, PGROTATED, type VmStat } from "../trace/vmstat.ts";
import { lruGenAdd, lruGenDel, lruGenMarkAccessed } from "./lru-gen.ts";
import {
  LISTS_PER_LRUVEC,
  LRU_ACTIVE,
  LRU_INACTIVE_ANON,
  LRU_INACTIVE_FILE,
  LRU_UNEVICTABLE,
  type Lruvecs,
} from "./lruvec.ts";
import type { MemCgroups } from "./mem-cgroup.ts";
import {
  PG_ACTIVE,
  PG_DIRTY,
  PG_LOCKED,
  PG_LRU,
  PG_REFERENCED,
  PG_SWAPBACKED,
  PG_UNEVICTABLE,
} from "./page-flags.ts";
import type { PageFrames } from "./page-frames.ts";

/** What the lists need of physical memory. */
export interface LruMemory {
  readonly frames: PageFrames;
  readonly stat: VmStat;
  readonly lruvecs: Lruvecs;
  readonly memcg: MemCgroups;
}

/** Puts a page at the head of the list that its flags name (lruvec_add_folio). */
export function lruAdd(phys: LruMemory, pfn: Pfn): void {
  const { frames, lruvecs } = phys;
  const { flags, lruNext, lruPrev } = frames;
  const now = flags[pfn];
  if ((now & PG_LRU) !== 0) throw new BugError("lruAdd", `frame ${pfn} is on a list already`);
  if (lruvecs.genEnabled && (now & PG_UNEVICTABLE) === 0) {
    lruGenAdd(phys, pfn, /* reclaiming */ false);
    return;
  }
  const list = listOf(now);
  const at = frames.memcg[pfn] * LISTS_PER_LRUVEC + list;
  flags[pfn] = now | PG_LRU;
  phys.stat[NR_INACTIVE_ANON + list]++;
  lruvecs.size[at]++;
  if (list === LRU_UNEVICTABLE) return;
  const head = lruvecs.base + at;
  const first = lruNext[head];
  lruNext[pfn] = first;
  lruPrev[pfn] = head;
  lruPrev[first] = pfn;
  lruNext[head] = pfn;
}

/** Takes a page off its list; nothing if it is on none. Precedes any change of the flags that name the list. */
export function lruDel(phys: LruMemory, pfn: Pfn): void {
  const { frames, lruvecs } = phys;
  const { flags, lruNext, lruPrev } = frames;
  const now = flags[pfn];
  if ((now & PG_LRU) === 0) return;
  if (lruvecs.genEnabled && (now & PG_UNEVICTABLE) === 0) {
    lruGenDel(phys, pfn);
    return;
  }
  const list = listOf(now);
  flags[pfn] = now & ~PG_LRU;
  phys.stat[NR_INACTIVE_ANON + list]--;
  lruvecs.size[frames.memcg[pfn] * LISTS_PER_LRUVEC + list]--;
  if (list === LRU_UNEVICTABLE) return;
  const next = lruNext[pfn];
  const prev = lruPrev[pfn];
  lruNext[prev] = next;
  lruPrev[next] = prev;
}

/** The page that has been longest on a list of a group's lruvec, 0 when it is empty. */
export function lruTail(phys: LruMemory, group: number, list: number): Pfn {
  const head = phys.lruvecs.base + group * LISTS_PER_LRUVEC + list;
  const tail = phys.frames.lruPrev[head];
  return tail === head ? 0 : tail;
}

/** Gives a page another round through its list. */
export function lruRotate(phys: LruMemory, pfn: Pfn): void {
  lruDel(phys, pfn);
  lruAdd(phys, pfn);
}

/**
 * Write-back of a page that reclaim waited for is over: it goes to the tail of the inactive list of its kind, where it is
 * taken next (folio_rotate_reclaimable). Not one that was made dirty meanwhile.
 */
export function lruRotateReclaimable(phys: LruMemory, pfn: Pfn): void {
  const { frames, lruvecs } = phys;
  const { flags, lruNext, lruPrev } = frames;
  if ((flags[pfn] & (PG_LOCKED | PG_DIRTY | PG_UNEVICTABLE | PG_LRU)) !== PG_LRU) return;
  phys.stat[PGROTATED]++;
  lruDel(phys, pfn);
  flags[pfn] &= ~PG_ACTIVE;
  if (lruvecs.genEnabled) {
    lruGenAdd(phys, pfn, /* reclaiming */ true);
    return;
  }
  lruAdd(phys, pfn);
  const head = lruvecs.base + frames.memcg[pfn] * LISTS_PER_LRUVEC + listOf(flags[pfn]);
  lruNext[head] = lruNext[pfn];
  lruPrev[lruNext[pfn]] = head;
  const last = lruPrev[head];
  lruNext[last] = pfn;
  lruPrev[pfn] = last;
  lruNext[pfn] = head;
  lruPrev[head] = pfn;
}

/** Moves a page to the active list of its kind. Precondition: it is on a list, and evictable. */
export function activatePage(phys: LruMemory, pfn: Pfn): void {
  lruDel(phys, pfn);
  phys.frames.flags[pfn] |= PG_ACTIVE;
  lruAdd(phys, pfn);
  const group = phys.frames.memcg[pfn];
  ageNonresident(phys, group);
  phys.stat[PGACTIVATE]++;
  if (group !== 0) phys.memcg.countEvents(group, PGACTIVATE, 1);
}

/** Moves a page to the inactive list of its kind. Precondition: it is on a list, and evictable. */
export function deactivatePage(phys: LruMemory, pfn: Pfn): void {
  lruDel(phys, pfn);
  phys.frames.flags[pfn] &= ~PG_ACTIVE;
  lruAdd(phys, pfn);
  phys.stat[PGDEACTIVATE]++;
  const group = phys.frames.memcg[pfn];
  if (group !== 0) phys.memcg.countEvents(group, PGDEACTIVATE, 1);
}

/** Pages in memory have aged by one: so have those that are not (workingset_age_nonresident). */
export function ageNonresident(phys: LruMemory, group: number): void {
  const { nonresidentAge, parent } = phys.lruvecs;
  for (let at = group; at !== -1; at = parent[at]) nonresidentAge[at]++;
}

/**
 * Notes a use of a page by read(2), by the kernel through a process's memory, or by a PTE that goes away
 * (folio_mark_accessed): the first makes it referenced, the second active.
 */
export function markPageAccessed(phys: LruMemory, pfn: Pfn): void {
  if (phys.lruvecs.genEnabled) {
    lruGenMarkAccessed(phys, pfn);
    return;
  }
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

/** Walks a list of a group's lruvec from head to tail: for the validator. */
export function forEachLru(phys: LruMemory, group: number, list: number, visit: (pfn: Pfn) => void): void {
  const { lruNext } = phys.frames;
  const head = phys.lruvecs.base + group * LISTS_PER_LRUVEC + list;
  for (let pfn = lruNext[head]; pfn !== head; pfn = lruNext[pfn]) visit(pfn);
}

/** Moves all pages of a group to the lists of the group above it, oldest first, because the group goes. */
export function lruReparent(phys: LruMemory, group: number): void {
  const { frames, lruvecs } = phys;
  const parent = lruvecs.parent[group];
  for (let list = 0; list < LISTS_PER_LRUVEC; list++) {
    if (list === LRU_UNEVICTABLE) continue;
    for (let pfn = lruTail(phys, group, list); pfn !== 0; pfn = lruTail(phys, group, list)) {
      lruDel(phys, pfn);
      frames.memcg[pfn] = parent;
      lruAdd(phys, pfn);
    }
  }
  const unevictable = group * LISTS_PER_LRUVEC + LRU_UNEVICTABLE;
  lruvecs.size[parent * LISTS_PER_LRUVEC + LRU_UNEVICTABLE] += lruvecs.size[unevictable];
  lruvecs.size[unevictable] = 0;
}

/** The LRU_… list of an evictable or unevictable page by its flags (folio_lru_list). */
function listOf(flags: number): number {
  if ((flags & PG_UNEVICTABLE) !== 0) return LRU_UNEVICTABLE;
  const kind = (flags & PG_SWAPBACKED) !== 0 ? LRU_INACTIVE_ANON : LRU_INACTIVE_FILE;
  return (flags & PG_ACTIVE) !== 0 ? kind + LRU_ACTIVE : kind;
}
