/**
 * What reclaim of each kind of page has cost lately, and sizes of a lruvec with all that lies in it (lru_note_cost in
 * mm/swap.c, lruvec_page_state).
 *
 * A page that reclaim looked at in vain costs one, one that had to be written or read back costs 32. Both sums are halved
 * when together they exceed a quarter of the lists: only the recent past counts. The kind that costs more is scanned less.
 */
import { NR_INACTIVE_ANON } from "../trace/vmstat.ts";
import type { LruMemory } from "./lru.ts";
import {
  LISTS_PER_LRUVEC,
  LRU_ACTIVE_ANON,
  LRU_ACTIVE_FILE,
  LRU_GEN_LISTS,
  LRU_INACTIVE_ANON,
  LRU_INACTIVE_FILE,
  ROOT_MEM_CGROUP,
} from "./lruvec.ts";

/** Pages of scanning that one page of I/O is worth (SWAP_CLUSTER_MAX). */
const IO_COST = 32;

/** Notes `nrIo` pages of I/O and `nrRotated` pages that were scanned in vain. */
export function noteCost(
  phys: LruMemory,
  group: number,
  file: boolean,
  nrIo: number,
  nrRotated: number,
): void {
  const cost = nrIo * IO_COST + nrRotated;
  if (cost === 0) return;
  const { anonCost, fileCost, parent } = phys.lruvecs;
  for (let at = group; at !== -1; at = parent[at]) {
    if (file) fileCost[at] += cost;
    else anonCost[at] += cost;
    let lruSize = 0;
    for (let list = LRU_INACTIVE_ANON; list <= LRU_ACTIVE_FILE; list++) {
      lruSize += lruvecPageState(phys, at, NR_INACTIVE_ANON + list);
    }
    if (fileCost[at] + anonCost[at] <= Math.floor(lruSize / 4)) continue;
    fileCost[at] = Math.floor(fileCost[at] / 2);
    anonCost[at] = Math.floor(anonCost[at] / 2);
  }
}

/** Pages on a list, given as NR_INACTIVE_ANON … NR_UNEVICTABLE, of the group and the groups in it. */
export function lruvecPageState(phys: LruMemory, group: number, item: number): number {
  if (group === ROOT_MEM_CGROUP) return phys.stat[item];
  let sum = 0;
  for (const at of phys.memcg.subtree(group)) sum += lruvecListPages(phys, at, item - NR_INACTIVE_ANON);
  return sum;
}

/** Pages on one LRU_… list of the group alone; with the multi-gen LRU, of the generations that count as that list. */
export function lruvecListPages(phys: LruMemory, group: number, list: number): number {
  const { lruvecs } = phys;
  const own = lruvecs.lruSize(group, list);
  if (!lruvecs.genEnabled || list > LRU_ACTIVE_FILE) return own;
  const type = list >= LRU_INACTIVE_FILE ? 1 : 0;
  const active = list === LRU_ACTIVE_ANON || list === LRU_ACTIVE_FILE;
  const youngest = lruvecs.maxSeq[group] & 3;
  let sum = 0;
  for (let gen = 0; gen < 4; gen++) {
    const isActive = gen === youngest || gen === ((youngest - 1) & 3);
    if (isActive === active) sum += lruvecs.size[group * LISTS_PER_LRUVEC + LRU_GEN_LISTS + 2 * gen + type];
  }
  return sum;
}
