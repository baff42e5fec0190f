/**
 * The multi-gen LRU's lists: generations instead of active and inactive (include/linux/mm_inline.h, mm/workingset.c).
 *
 * Time is cut into generations, numbered as they come. Pages that were seen in use in the same span are of one
 * generation; the youngest is `maxSeq`, the oldest of each kind `minSeq`, and at most four exist at once, so that a
 * generation's list is its number modulo four. Reclaim takes from the oldest; what a walk of the page tables finds in use
 * becomes of the youngest. The two youngest are shown as active, the others as inactive.
 *
 * ```
 *   page flags   28 27        26 … 24
 *               ┌──────────┬───────────────┐
 *               │ refs     │ generation + 1│   0: on no list
 *               └──────────┴───────────────┘
 * ```
 *
 * `refs` counts uses through descriptors since the page was put on a list; their logarithm is its tier. What reclaim does
 * with tiers stands in reclaim/lru-gen-evict.ts.
 */
import { BugError } from "../bug.ts";
import type { Pfn } from "../page.ts";
import { NR_INACTIVE_ANON, WORKINGSET_REFAULT_ANON, WORKINGSET_RESTORE_ANON } from "../trace/vmstat.ts";
import type { LruMemory } from "./lru.ts";
import { LISTS_PER_LRUVEC, LRU_GEN_LISTS } from "./lruvec.ts";
import {
  PG_ACTIVE,
  PG_LRU,
  PG_REFERENCED,
  PG_SWAPBACKED,
  PG_SWAPCACHE,
  PG_UNEVICTABLE,
  PG_WORKINGSET,
} from "./page-flags.ts";

export const MIN_NR_GENS = 2;
export const MAX_NR_GENS = 4;
export const MAX_NR_TIERS = 4;
const GEN_MASK = MAX_NR_GENS - 1;
const GEN_SHIFT = 24;
const GEN_FLAGS: number = 7 << GEN_SHIFT;
const REFS_SHIFT = 27;
export const LRU_REFS_FLAGS: number = 3 << REFS_SHIFT;
const MAX_REFS = 3;

/** The generation list of a page, 0 … 3; −1 on none (folio_lru_gen). */
export function lruGenOf(flags: number): number {
  return ((flags & GEN_FLAGS) >>> GEN_SHIFT) - 1;
}

/** Uses since the page was put on a list, the one that PG_REFERENCED stands for included (folio_lru_refs). */
export function lruRefs(flags: number): number {
  return (flags & PG_REFERENCED) === 0 ? 0 : ((flags & LRU_REFS_FLAGS) >>> REFS_SHIFT) + 1;
}

/** The tier of so many uses: 0 up to one, 1 for two, 2 for three and four, 3 for thrashing (lru_tier_from_refs). */
export function lruTier(refs: number, workingset: boolean): number {
  if (workingset) return MAX_NR_TIERS - 1;
  return refs <= 1 ? 0 : 32 - Math.clz32(refs - 1);
}

/** Puts an evictable page on the list of the generation that it starts in (lru_gen_add_folio). */
export function lruGenAdd(phys: LruMemory, pfn: Pfn, reclaiming: boolean): void {
  const { lruvecs, frames } = phys;
  const now = frames.flags[pfn];
  const group = frames.memcg[pfn];
  const type = (now & PG_SWAPBACKED) === 0 ? 1 : 0;
  const workingset = (now & PG_WORKINGSET) !== 0 ? 1 : 0;
  let behind: number;
  if ((now & PG_ACTIVE) !== 0) behind = MIN_NR_GENS - workingset;
  else if (reclaiming) behind = MAX_NR_GENS;
  else if (type === 0 && (now & PG_SWAPCACHE) === 0) behind = MIN_NR_GENS;
  else behind = MAX_NR_GENS - workingset;
  const seq = Math.max(lruvecs.maxSeq[group] - behind + 1, lruvecs.minSeq[2 * group + type]);
  const gen = seq & GEN_MASK;
  frames.flags[pfn] = (now & ~(GEN_FLAGS | PG_ACTIVE)) | PG_LRU | ((gen + 1) << GEN_SHIFT);
  countPage(phys, group, gen, type, 1);
  link(phys, pfn, group, gen, type, /* atTail */ reclaiming);
}

/** Takes a page off its generation's list; it keeps as PG_ACTIVE that it was of a young one (lru_gen_del_folio). */
export function lruGenDel(phys: LruMemory, pfn: Pfn): void {
  const { lruvecs, frames } = phys;
  const now = frames.flags[pfn];
  const gen = lruGenOf(now);
  if (gen < 0) throw new BugError("lruGenDel", `frame ${pfn} is of no generation`);
  const group = frames.memcg[pfn];
  const active = isActiveGen(lruvecs.maxSeq[group], gen) ? PG_ACTIVE : 0;
  countPage(phys, group, gen, (now & PG_SWAPBACKED) === 0 ? 1 : 0, -1);
  frames.flags[pfn] = (now & ~(GEN_FLAGS | PG_LRU)) | active;
  unlink(phys, pfn);
}

/** Gives a page that is on a list another generation, at the head of that one's list. Forgets its uses (folio_inc_gen). */
export function lruGenMove(phys: LruMemory, pfn: Pfn, gen: number): void {
  const { frames } = phys;
  const now = frames.flags[pfn];
  const group = frames.memcg[pfn];
  const type = (now & PG_SWAPBACKED) === 0 ? 1 : 0;
  countPage(phys, group, lruGenOf(now), type, -1);
  countPage(phys, group, gen, type, 1);
  frames.flags[pfn] = (now & ~(GEN_FLAGS | LRU_REFS_FLAGS | PG_REFERENCED)) | ((gen + 1) << GEN_SHIFT);
  unlink(phys, pfn);
  link(phys, pfn, group, gen, type, /* atTail */ false);
}

/**
 * A walk of page tables found the page in use: the first time that is noted, the second it becomes of the youngest
 * generation (folio_update_gen).
 */
export function lruGenPromote(phys: LruMemory, pfn: Pfn): void {
  const { flags, memcg } = phys.frames;
  if (!lruGenSetRefs(phys, pfn)) return;
  const gen = phys.lruvecs.maxSeq[memcg[pfn]] & GEN_MASK;
  if (lruGenOf(flags[pfn]) !== gen) lruGenMove(phys, pfn, gen);
}

/** The oldest page of a generation, 0 for none. */
export function lruGenTail(phys: LruMemory, group: number, gen: number, type: number): Pfn {
  const head = phys.lruvecs.base + group * LISTS_PER_LRUVEC + LRU_GEN_LISTS + 2 * gen + type;
  const tail = phys.frames.lruPrev[head];
  return tail === head ? 0 : tail;
}

/** Pages of a kind in one generation. */
export function lruGenSize(phys: LruMemory, group: number, gen: number, type: number): number {
  return phys.lruvecs.size[group * LISTS_PER_LRUVEC + LRU_GEN_LISTS + 2 * gen + type];
}

/** A new youngest generation, empty. What was young is shown as inactive from now on. Precondition: there are less than four. */
export function lruGenIncMaxSeq(phys: LruMemory, group: number): void {
  const { lruvecs, stat } = phys;
  const max = lruvecs.maxSeq[group];
  for (let type = 0; type < 2; type++) {
    const aging = lruGenSize(phys, group, (max - 1) & GEN_MASK, type);
    const reused = lruGenSize(phys, group, (max + 1) & GEN_MASK, type);
    stat[NR_INACTIVE_ANON + 2 * type] += aging - reused;
    stat[NR_INACTIVE_ANON + 2 * type + 1] -= aging - reused;
  }
  lruvecs.maxSeq[group] = max + 1;
}

/** A use through a descriptor: counted, not moved (lru_gen_inc_refs). */
export function lruGenMarkAccessed(phys: LruMemory, pfn: Pfn): void {
  const { flags } = phys.frames;
  const now = flags[pfn];
  if ((now & PG_UNEVICTABLE) !== 0) return;
  const refs = (now & LRU_REFS_FLAGS) >>> REFS_SHIFT;
  if ((now & PG_REFERENCED) === 0) flags[pfn] = (now & ~LRU_REFS_FLAGS) | PG_REFERENCED;
  else if (refs === MAX_REFS) flags[pfn] = now | PG_WORKINGSET;
  else flags[pfn] = (now & ~LRU_REFS_FLAGS) | ((refs + 1) << REFS_SHIFT);
}

/**
 * A page that reclaim holds in its hands was found used through a PTE: once is noted, twice makes it part of the working
 * set (lru_gen_set_refs). Answers whether it was the second time.
 */
export function lruGenSetRefs(phys: LruMemory, pfn: Pfn): boolean {
  const { flags } = phys.frames;
  const now = flags[pfn];
  if ((now & (PG_REFERENCED | PG_WORKINGSET)) === 0) {
    flags[pfn] = (now & ~LRU_REFS_FLAGS) | PG_REFERENCED;
    return false;
  }
  flags[pfn] = (now & ~(LRU_REFS_FLAGS | PG_REFERENCED)) | PG_WORKINGSET;
  return true;
}

/** A new oldest generation begins to age: all counters start as a group without pages has them (lru_gen_init_lruvec). */
export function lruGenInit(phys: LruMemory, group: number): void {
  const { lruvecs } = phys;
  lruvecs.maxSeq[group] = MIN_NR_GENS + 1;
  lruvecs.minSeq[2 * group] = 0;
  lruvecs.minSeq[2 * group + 1] = 0;
  for (const column of lruvecs.genColumns()) column.fill(0, group * 8, group * 8 + 8);
}

/** What an evicted page leaves behind: the oldest generation and its uses. Counts the eviction in its tier. */
export function lruGenEviction(phys: LruMemory, pfn: Pfn): number {
  const { lruvecs, frames } = phys;
  const now = frames.flags[pfn];
  const group = frames.memcg[pfn];
  const type = (now & PG_SWAPBACKED) === 0 ? 1 : 0;
  const workingset = (now & PG_WORKINGSET) !== 0;
  const refs = lruRefs(now);
  lruvecs.genEvicted[tierAt(group, type, lruTier(refs, workingset))]++;
  const token = (lruvecs.minSeq[2 * group + type] << 2) | Math.max(refs - 1, 0);
  return ((token & TOKEN_MASK) << 10) | (group << 1) | (workingset ? 1 : 0);
}

/** A page comes back: its tier learns of it, and the page has the uses back that it had (lru_gen_refault). */
export function lruGenRefault(phys: LruMemory, pfn: Pfn, shadow: number): void {
  const { lruvecs, frames, stat, memcg } = phys;
  const group = frames.memcg[pfn];
  if (((shadow >>> 1) & 0x1ff) !== group) return;
  const type = (frames.flags[pfn] & PG_SWAPBACKED) === 0 ? 1 : 0;
  const count = (item: number): void => {
    stat[item + type]++;
    memcg.countEvents(group, item + type, 1);
  };
  count(WORKINGSET_REFAULT_ANON);
  if (!lruGenTestRecent(phys, shadow)) return;
  const workingset = (shadow & 1) !== 0;
  const refs = ((shadow >>> 10) & 3) + 1;
  lruvecs.genRefaulted[tierAt(group, type, lruTier(refs, workingset))]++;
  if (workingset) {
    frames.flags[pfn] |= PG_WORKINGSET;
    count(WORKINGSET_RESTORE_ANON);
  } else {
    frames.flags[pfn] = (frames.flags[pfn] & ~LRU_REFS_FLAGS) | ((refs - 1) << REFS_SHIFT);
  }
}

/** Whether the evicted page's generation is one of the last four (lru_gen_test_recent). */
export function lruGenTestRecent(phys: LruMemory, shadow: number): boolean {
  const seqMask = TOKEN_MASK >>> 2;
  const group = (shadow >>> 1) & 0x1ff;
  const distance = Math.abs((phys.lruvecs.maxSeq[group] & seqMask) - (shadow >>> 12));
  return phys.memcg.isOnline(group) && distance < MAX_NR_GENS;
}

/** Index of a tier's counters in the columns of Lruvecs. */
export function tierAt(group: number, type: number, tier: number): number {
  return group * 8 + type * MAX_NR_TIERS + tier;
}

/** Whether a generation is one of the two youngest, which are shown as active (lru_gen_is_active). */
export function isActiveGen(maxSeq: number, gen: number): boolean {
  return gen === (maxSeq & GEN_MASK) || gen === ((maxSeq - 1) & GEN_MASK);
}

const TOKEN_MASK = 0x3fffff;

function countPage(phys: LruMemory, group: number, gen: number, type: number, delta: number): void {
  const { lruvecs } = phys;
  lruvecs.size[group * LISTS_PER_LRUVEC + LRU_GEN_LISTS + 2 * gen + type] += delta;
  const active = isActiveGen(lruvecs.maxSeq[group], gen) ? 1 : 0;
  phys.stat[NR_INACTIVE_ANON + 2 * type + active] += delta;
}

/** Puts a page into a generation's list. */
function link(phys: LruMemory, pfn: Pfn, group: number, gen: number, type: number, atTail: boolean): void {
  const { lruNext, lruPrev } = phys.frames;
  const head = phys.lruvecs.base + group * LISTS_PER_LRUVEC + LRU_GEN_LISTS + 2 * gen + type;
  const before = atTail ? lruPrev[head] : head;
  const after = atTail ? head : lruNext[head];
  lruNext[pfn] = after;
  lruPrev[pfn] = before;
  lruPrev[after] = pfn;
  lruNext[before] = pfn;
}

function unlink(phys: LruMemory, pfn: Pfn): void {
  const { lruNext, lruPrev } = phys.frames;
  const next = lruNext[pfn];
  const prev = lruPrev[pfn];
  lruNext[prev] = next;
  lruPrev[next] = prev;
}
