/**
 * Working-set detection: was a page that comes back taken too early? (mm/workingset.c)
 *
 * When a page is evicted, a shadow stays in its place: how old its lruvec was then, counted in evictions and
 * activations. When it is read again, the difference to the age now is its refault distance: so many pages more would
 * the inactive list have needed to still hold it. If the pages that were kept meanwhile on the other lists are that
 * many, it has as good a right to memory as they, and starts as active.
 *
 * ```
 *   shadow   31                            10 9        1   0
 *           ┌───────────────────────────────┬───────────┬────┐
 *           │ age of the lruvec, 22 bits    │ cgroup    │ ws │    ws: it was active before (PG_workingset)
 *           └───────────────────────────────┴───────────┴────┘
 * ```
 *
 * Ages wrap after four million evictions; so does Linux's after more. A shadow that happens to be 0 is none.
 */
import type { Pfn } from "../page.ts";
import {
  NR_ACTIVE_ANON,
  NR_ACTIVE_FILE,
  NR_INACTIVE_ANON,
  NR_INACTIVE_FILE,
  WORKINGSET_ACTIVATE_ANON,
  WORKINGSET_REFAULT_ANON,
  WORKINGSET_RESTORE_ANON,
} from "../trace/vmstat.ts";
import { ageNonresident, type LruMemory } from "./lru.ts";
import { lruvecPageState, noteCost } from "./lru-cost.ts";
import { lruGenEviction, lruGenRefault } from "./lru-gen.ts";
import { PG_ACTIVE, PG_SWAPBACKED, PG_WORKINGSET } from "./page-flags.ts";

/** What workingset detection needs beside the lists: how much swap is free. */
export interface WorkingsetMemory extends LruMemory {
  readonly nrSwapPages: number;
}

const AGE_MASK = 0x3fffff;

/** An Int32 that tells what is to be known of an evicted page. */
export function packShadow(age: number, group: number, workingset: boolean): number {
  return ((age & AGE_MASK) << 10) | (group << 1) | (workingset ? 1 : 0);
}

export function shadowAge(shadow: number): number {
  return shadow >>> 10;
}

export function shadowGroup(shadow: number): number {
  return (shadow >>> 1) & 0x1ff;
}

export function shadowWorkingset(shadow: number): boolean {
  return (shadow & 1) !== 0;
}

/**
 * The shadow to leave in the place of a page that reclaim is about to free (workingset_eviction), 0 for none. Ages the
 * lruvec. Precondition: the page still has its flags and its cgroup.
 */
export function workingsetEviction(phys: LruMemory, pfn: Pfn): number {
  const { lruvecs, frames } = phys;
  if (lruvecs.genEnabled) return lruGenEviction(phys, pfn);
  const group = lruvecs.target;
  const shadow = packShadow(lruvecs.nonresidentAge[group], group, (frames.flags[pfn] & PG_WORKINGSET) !== 0);
  ageNonresident(phys, group);
  return shadow;
}

/**
 * A page that left `shadow` behind is in memory again: counts the refault, and sets PG_ACTIVE and PG_WORKINGSET as it has
 * earned them (workingset_refault). Precondition: the page is charged to its cgroup, has PG_SWAPBACKED or not, and is on
 * no list yet.
 */
export function workingsetRefault(phys: WorkingsetMemory, pfn: Pfn, shadow: number): void {
  if (phys.lruvecs.genEnabled) {
    lruGenRefault(phys, pfn, shadow);
    return;
  }
  const { frames } = phys;
  const group = frames.memcg[pfn];
  const file = (frames.flags[pfn] & PG_SWAPBACKED) === 0 ? 1 : 0;
  countWorkingset(phys, group, WORKINGSET_REFAULT_ANON + file);
  if (!workingsetTestRecent(phys, shadow, file === 1)) return;
  frames.flags[pfn] |= PG_ACTIVE;
  ageNonresident(phys, group);
  countWorkingset(phys, group, WORKINGSET_ACTIVATE_ANON + file);
  if (!shadowWorkingset(shadow)) return;
  frames.flags[pfn] |= PG_WORKINGSET;
  noteCost(phys, group, file === 1, /* nrIo */ 1, /* nrRotated */ 0);
  countWorkingset(phys, group, WORKINGSET_RESTORE_ANON + file);
}

/** Whether the page would still be in memory had its lruvec all that is on the other lists (workingset_test_recent). */
export function workingsetTestRecent(phys: WorkingsetMemory, shadow: number, file: boolean): boolean {
  const { lruvecs, memcg } = phys;
  const group = shadowGroup(shadow);
  if (!memcg.isOnline(group)) return false;
  const distance = (lruvecs.nonresidentAge[group] - shadowAge(shadow)) & AGE_MASK;
  let size = lruvecPageState(phys, group, NR_ACTIVE_FILE);
  if (!file) size += lruvecPageState(phys, group, NR_INACTIVE_FILE);
  if (memcg.nrSwapPages(group, phys.nrSwapPages) > 0) {
    size += lruvecPageState(phys, group, NR_ACTIVE_ANON);
    if (file) size += lruvecPageState(phys, group, NR_INACTIVE_ANON);
  }
  return distance <= size;
}

/** Counts a WORKINGSET_… item for the whole and for the group. */
export function countWorkingset(phys: LruMemory, group: number, item: number): void {
  phys.stat[item]++;
  if (group !== 0) phys.memcg.countEvents(group, item, 1);
}
