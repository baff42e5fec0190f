/**
 * Anonymous pages or pages of files, and how many? (prepare_scan_control, get_scan_count and inactive_is_low in
 * mm/vmscan.c)
 *
 * Both kinds are scanned in proportion to their lists' lengths, each divided by what it has cost lately, weighted by
 * swappiness. That holds in the middle of the road; at its edges there is a rule of its own:
 *
 * ```
 *   no swap left                                   files only
 *   a limit is enforced, and swappiness is 0       files only
 *   last round before memory is out                both, as long as they are
 *   hardly any file pages left, and few free       anonymous only
 *   plenty of inactive file pages, not thrashing   files only
 * ```
 */
import { lruvecListPages, lruvecPageState } from "../frames/lru-cost.ts";
import {
  LRU_ACTIVE,
  LRU_ACTIVE_FILE,
  LRU_INACTIVE_ANON,
  LRU_INACTIVE_FILE,
  ROOT_MEM_CGROUP,
  WORKINGSET_ANON,
  WORKINGSET_FILE,
} from "../frames/lruvec.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SHIFT } from "../page.ts";
import {
  NR_ACTIVE_FILE,
  NR_INACTIVE_ANON,
  NR_INACTIVE_FILE,
  WORKINGSET_ACTIVATE_ANON,
} from "../trace/vmstat.ts";
import { unprotectedPages } from "./protection.ts";
import { DEACTIVATE_ANON, DEACTIVATE_FILE, type ScanControl } from "./scan-control.ts";

export const MAX_SWAPPINESS = 200;
const GIB_SHIFT: number = 30 - PAGE_SHIFT;

/** Pages to scan of each LRU_… list. */
export type ScanCounts = Float64Array;

/** Finds out what a round has to know of the target as a whole. */
export function prepareScanControl(phys: PhysicalMemory, sc: ScanControl): void {
  const { lruvecs, stat, watermarks } = phys;
  const { target } = sc;
  sc.anonCost = lruvecs.anonCost[target];
  sc.fileCost = lruvecs.fileCost[target];
  sc.mayDeactivate = DEACTIVATE_ANON | DEACTIVATE_FILE;
  if (!sc.forceDeactivate) {
    // Pages that came back and were activated say that a new working set forms: the old one has to make room.
    if (!isRefaulting(phys, target, WORKINGSET_ANON) && !targetInactiveIsLow(phys, target, LRU_INACTIVE_ANON))
      sc.mayDeactivate &= ~DEACTIVATE_ANON;
    if (!isRefaulting(phys, target, WORKINGSET_FILE) && !targetInactiveIsLow(phys, target, LRU_INACTIVE_FILE))
      sc.mayDeactivate &= ~DEACTIVATE_FILE;
  }
  const inactiveFile = lruvecPageState(phys, target, NR_INACTIVE_FILE);
  sc.cacheTrimMode =
    shifted(inactiveFile, sc.priority) > 0 &&
    (sc.mayDeactivate & DEACTIVATE_FILE) === 0 &&
    !sc.noCacheTrimMode;
  if (sc.isCgroupReclaim) return;
  const file = stat[NR_ACTIVE_FILE] + stat[NR_INACTIVE_FILE];
  sc.fileIsTiny =
    file + phys.buddy.freeFrames <= watermarks.high &&
    (sc.mayDeactivate & DEACTIVATE_ANON) === 0 &&
    shifted(stat[NR_INACTIVE_ANON], sc.priority) > 0;
}

/** Fills in how many pages of each list of one group are to be scanned in this round. */
export function getScanCount(phys: PhysicalMemory, group: number, sc: ScanControl, counts: ScanCounts): void {
  let anonShare = 1;
  let fileShare = 1;
  let shares = 1;
  if (!canReclaimAnon(phys, group) || (sc.isCgroupReclaim && sc.swappiness === 0)) {
    anonShare = 0;
  } else if (sc.priority > 0 || sc.swappiness === 0) {
    if (sc.fileIsTiny) {
      fileShare = 0;
    } else if (sc.cacheTrimMode) {
      anonShare = 0;
    } else {
      const total = sc.anonCost + sc.fileCost;
      const all = 2 * total + sc.anonCost + sc.fileCost;
      anonShare = Math.floor((sc.swappiness * (all + 1)) / (total + sc.anonCost + 1));
      fileShare = Math.floor(((MAX_SWAPPINESS - sc.swappiness) * (all + 1)) / (total + sc.fileCost + 1));
      shares = anonShare + fileShare;
    }
  }
  for (let list = LRU_INACTIVE_ANON; list <= LRU_ACTIVE_FILE; list++) {
    const share = list >= LRU_INACTIVE_FILE ? fileShare : anonShare;
    const length = phys.lruvecs.lruSize(group, list);
    const scan = shifted(unprotectedPages(phys, group, length, sc), sc.priority);
    counts[list] = Math.floor((scan * share) / shares);
  }
}

/** Whether swap would take a page of the group (can_reclaim_anon_folios). */
export function canReclaimAnon(phys: PhysicalMemory, group: number): boolean {
  return phys.memcg.nrSwapPages(group, phys.nrSwapPages) > 0;
}

/** Whether aging of anonymous pages serves anything: there is swap, full or not (can_age_anon_folios). */
export function canAgeAnon(phys: PhysicalMemory): boolean {
  return phys.totalSwapPages > 0;
}

/** Whether the group's inactive list of that kind is too short for the active one (inactive_is_low). */
export function inactiveIsLow(phys: PhysicalMemory, group: number, inactiveList: number): boolean {
  return isLow(
    lruvecListPages(phys, group, inactiveList),
    lruvecListPages(phys, group, inactiveList + LRU_ACTIVE),
  );
}

/** Remembers how many refaults were activated until now (snapshot_refaults). */
export function snapshotRefaults(phys: PhysicalMemory, target: number): void {
  for (const kind of [WORKINGSET_ANON, WORKINGSET_FILE]) {
    phys.lruvecs.refaults[2 * target + kind] = activatedRefaults(phys, target, kind);
  }
}

function targetInactiveIsLow(phys: PhysicalMemory, target: number, inactiveList: number): boolean {
  return isLow(
    lruvecPageState(phys, target, NR_INACTIVE_ANON + inactiveList),
    lruvecPageState(phys, target, NR_INACTIVE_ANON + inactiveList + LRU_ACTIVE),
  );
}

/** The more memory, the smaller the share of it that has to be inactive: half up to 1 GiB, a quarter of 10, a 32nd of a TiB. */
function isLow(inactive: number, active: number): boolean {
  const gib = (inactive + active) >>> GIB_SHIFT;
  const ratio = gib === 0 ? 1 : Math.floor(Math.sqrt(10 * gib));
  return inactive * ratio < active;
}

function isRefaulting(phys: PhysicalMemory, target: number, kind: number): boolean {
  return phys.lruvecs.refaults[2 * target + kind] !== activatedRefaults(phys, target, kind);
}

function activatedRefaults(phys: PhysicalMemory, target: number, kind: number): number {
  const item = WORKINGSET_ACTIVATE_ANON + kind;
  return target === ROOT_MEM_CGROUP ? phys.stat[item] : phys.memcg.eventsOf(target, item);
}

function shifted(pages: number, priority: number): number {
  return pages >>> priority;
}
