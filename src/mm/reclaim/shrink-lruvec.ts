/**
 * The classic policy: active and inactive lists (shrink_lruvec, shrink_active_list, shrink_inactive_list in mm/vmscan.c).
 *
 * Each round takes from the tails of the lists as many pages as scan-balance.ts says, 32 at a time and in turns, so that
 * both kinds get the same pressure. What becomes of each page of an inactive list stands in shrink-page.ts; an active list
 * only hands its oldest pages down, whether they were used or not: to be worth keeping, a page has to be used again while
 * it is inactive. Code is the exception.
 */
import { ageNonresident, deactivatePage, lruRotate, lruTail } from "../frames/lru.ts";
import { noteCost } from "../frames/lru-cost.ts";
import {
  LRU_ACTIVE,
  LRU_ACTIVE_ANON,
  LRU_ACTIVE_FILE,
  LRU_INACTIVE_ANON,
  LRU_INACTIVE_FILE,
} from "../frames/lruvec.ts";
import { cullUnevictable } from "../frames/mlock.ts";
import { PG_SWAPBACKED, PG_WORKINGSET } from "../frames/page-flags.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { SCAN_PAGE_NS, SCAN_ROUND_NS } from "../swap/io-time.ts";
import { swapOf } from "../swap/swap-space.ts";
import { endDueSwapWriteback, finishSwapPlug, startSwapPlug } from "../swap/swap-writeback.ts";
import {
  PGREFILL,
  PGSCAN_ANON,
  PGSCAN_DIRECT,
  PGSCAN_FILE,
  PGSCAN_KSWAPD,
  PGSCAN_PROACTIVE,
  PGSTEAL_ANON,
  PGSTEAL_DIRECT,
  PGSTEAL_FILE,
  PGSTEAL_KSWAPD,
  PGSTEAL_PROACTIVE,
} from "../trace/vmstat.ts";
import { ReferenceCollector } from "./page-referenced.ts";
import { isProtected } from "./protection.ts";
import type { ReclaimPolicy } from "./reclaim-policy.ts";
import {
  canAgeAnon,
  getScanCount,
  inactiveIsLow,
  prepareScanControl,
  type ScanCounts,
} from "./scan-balance.ts";
import {
  DEACTIVATE_ANON,
  DEACTIVATE_FILE,
  DEF_PRIORITY,
  type ScanControl,
  SWAP_CLUSTER_MAX,
} from "./scan-control.ts";
import { shrinkPage } from "./shrink-page.ts";

const NR_EVICTABLE_LISTS = 4;

export class ActiveInactivePolicy implements ReclaimPolicy {
  readonly #phys: PhysicalMemory;
  readonly #references: ReferenceCollector = new ReferenceCollector();
  readonly #counts: ScanCounts = new Float64Array(NR_EVICTABLE_LISTS);
  readonly #targets: ScanCounts = new Float64Array(NR_EVICTABLE_LISTS);
  /** For each target, the group at which the last walk that did not need them all stopped. */
  readonly #lastGroup: Map<number, number> = new Map();

  constructor(phys: PhysicalMemory) {
    this.#phys = phys;
  }

  shrinkNode(sc: ScanControl): void {
    prepareScanControl(this.#phys, sc);
    const before = sc.nrReclaimed;
    this.#shrinkGroups(sc);
    if (sc.nrReclaimed === before && sc.cacheTrimMode) sc.cacheTrimModeFailed = true;
  }

  ageNode(sc: ScanControl): void {
    const phys = this.#phys;
    if (!canAgeAnon(phys) || !inactiveIsLow(phys, 0, LRU_INACTIVE_ANON)) return;
    for (const group of phys.memcg.subtree(0)) {
      this.#shrinkActiveList(group, SWAP_CLUSTER_MAX, LRU_ACTIVE_ANON, sc);
    }
  }

  /** Goes through the groups; who needs only some frames stops at that which gave them, and goes on there next time. */
  #shrinkGroups(sc: ScanControl): void {
    const groups = [...this.#phys.memcg.subtree(sc.target)];
    const isPartial = sc.kind !== "kswapd" && !sc.memcgFullWalk;
    const last = isPartial ? groups.indexOf(this.#lastGroup.get(sc.target) ?? -1) : -1;
    for (let i = 1; i <= groups.length; i++) {
      const group = groups[(last + i) % groups.length];
      if (isProtected(this.#phys, group, sc)) continue;
      this.#shrinkLruvec(group, sc);
      if (!isPartial || sc.nrReclaimed < sc.nrToReclaim) continue;
      this.#lastGroup.set(sc.target, group);
      return;
    }
    this.#lastGroup.delete(sc.target);
  }

  #shrinkLruvec(group: number, sc: ScanControl): void {
    const phys = this.#phys;
    const nr = this.#counts;
    const targets = this.#targets;
    getScanCount(phys, group, sc, nr);
    targets.set(nr);
    // At the first round of a direct reclaim all lists are scanned as planned: the next one would only start anew.
    const isProportional = !sc.isCgroupReclaim && sc.kind !== "kswapd" && sc.priority === DEF_PRIORITY;
    const swap = swapOf(phys);
    let reclaimed = 0;
    if (swap !== null) startSwapPlug(swap);
    try {
      while (nr[LRU_INACTIVE_ANON] > 0 || nr[LRU_ACTIVE_FILE] > 0 || nr[LRU_INACTIVE_FILE] > 0) {
        for (let list = LRU_INACTIVE_ANON; list <= LRU_ACTIVE_FILE; list++) {
          const count = Math.min(nr[list], SWAP_CLUSTER_MAX);
          if (count === 0) continue;
          nr[list] -= count;
          reclaimed += this.#shrinkList(group, list, count, sc);
        }
        if (reclaimed < sc.nrToReclaim || isProportional) continue;
        if (!evenOut(nr, targets)) break;
      }
    } finally {
      if (swap !== null) finishSwapPlug(swap);
    }
    sc.nrReclaimed += reclaimed;
    swap?.time.work(SCAN_ROUND_NS);
    if (canAgeAnon(phys) && inactiveIsLow(phys, group, LRU_INACTIVE_ANON)) {
      this.#shrinkActiveList(group, SWAP_CLUSTER_MAX, LRU_ACTIVE_ANON, sc);
    }
  }

  #shrinkList(group: number, list: number, nrToScan: number, sc: ScanControl): number {
    if (list === LRU_ACTIVE_ANON || list === LRU_ACTIVE_FILE) {
      const allowed = list === LRU_ACTIVE_FILE ? DEACTIVATE_FILE : DEACTIVATE_ANON;
      if ((sc.mayDeactivate & allowed) !== 0) this.#shrinkActiveList(group, nrToScan, list, sc);
      else sc.skippedDeactivate = true;
      return 0;
    }
    return this.#shrinkInactiveList(group, nrToScan, list, sc);
  }

  #shrinkActiveList(group: number, nrToScan: number, list: number, sc: ScanControl): void {
    const phys = this.#phys;
    const { flags } = phys.frames;
    let scanned = 0;
    let rotated = 0;
    const length = phys.lruvecs.lruSize(group, list);
    for (; scanned < nrToScan && scanned < length; scanned++) {
      const pfn = lruTail(phys, group, list);
      if (pfn === 0) break;
      if (cullUnevictable(phys, pfn)) continue;
      const isUsedAsCode = this.#references.collect(phys, pfn);
      if (isUsedAsCode && (flags[pfn] & PG_SWAPBACKED) === 0) {
        rotated++;
        lruRotate(phys, pfn);
        ageNonresident(phys, group);
      } else {
        flags[pfn] |= PG_WORKINGSET;
        deactivatePage(phys, pfn);
      }
    }
    sc.nrScanned += scanned;
    if (!sc.isCgroupReclaim) phys.stat[PGREFILL] += scanned;
    phys.memcg.countEvents(group, PGREFILL, scanned);
    noteCost(phys, group, list === LRU_ACTIVE_FILE, /* nrIo */ 0, rotated);
  }

  #shrinkInactiveList(group: number, nrToScan: number, list: number, sc: ScanControl): number {
    const phys = this.#phys;
    const isFile = list === LRU_INACTIVE_FILE;
    const pageouts = sc.nrPageout;
    const unqueued = sc.nrUnqueuedDirty;
    const swap = swapOf(phys);
    if (swap !== null) endDueSwapWriteback(swap);
    const length = phys.lruvecs.lruSize(group, list);
    let scanned = 0;
    let reclaimed = 0;
    for (; scanned < nrToScan && scanned < length; scanned++) {
      const pfn = lruTail(phys, group, list);
      if (pfn === 0) break;
      if (shrinkPage(phys, pfn, this.#references, sc)) reclaimed++;
    }
    swap?.time.work(scanned * SCAN_PAGE_NS);
    if (scanned > 0 && sc.nrUnqueuedDirty - unqueued === scanned) sc.needsFlusher = true;
    sc.nrTaken += scanned;
    if (isFile) sc.nrFileTaken += scanned;
    sc.nrScanned += scanned;
    countScan(phys, group, sc, isFile, scanned, reclaimed);
    noteCost(phys, group, isFile, sc.nrPageout - pageouts, scanned - reclaimed);
    return reclaimed;
  }
}

/** Counts pages that were looked at and taken, for the whole, or for a group whose limit is enforced. */
export function countScan(
  phys: PhysicalMemory,
  group: number,
  sc: ScanControl,
  isFile: boolean,
  scanned: number,
  reclaimed: number,
): void {
  const { stat, memcg } = phys;
  const scan = SCAN_ITEM[sc.kind];
  const steal = STEAL_ITEM[sc.kind];
  if (!sc.isCgroupReclaim) {
    stat[scan] += scanned;
    stat[steal] += reclaimed;
  }
  stat[isFile ? PGSCAN_FILE : PGSCAN_ANON] += scanned;
  stat[isFile ? PGSTEAL_FILE : PGSTEAL_ANON] += reclaimed;
  memcg.countEvents(group, scan, scanned);
  memcg.countEvents(group, steal, reclaimed);
}

const SCAN_ITEM = { kswapd: PGSCAN_KSWAPD, direct: PGSCAN_DIRECT, proactive: PGSCAN_PROACTIVE };
const STEAL_ITEM = { kswapd: PGSTEAL_KSWAPD, direct: PGSTEAL_DIRECT, proactive: PGSTEAL_PROACTIVE };

/**
 * Enough was freed: the kind that has less left to scan is done with, and the other is scanned as far, in proportion, as
 * that one was. False when either is done already.
 */
function evenOut(nr: ScanCounts, targets: ScanCounts): boolean {
  const anon = nr[LRU_INACTIVE_ANON] + nr[LRU_ACTIVE_ANON];
  const file = nr[LRU_INACTIVE_FILE] + nr[LRU_ACTIVE_FILE];
  if (anon === 0 || file === 0) return false;
  const smaller = file > anon ? LRU_INACTIVE_ANON : LRU_INACTIVE_FILE;
  const larger = file > anon ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON;
  const planned = targets[smaller] + targets[smaller + LRU_ACTIVE] + 1;
  const percentLeft = Math.floor((Math.min(anon, file) * 100) / planned);
  nr[smaller] = 0;
  nr[smaller + LRU_ACTIVE] = 0;
  for (const list of [larger, larger + LRU_ACTIVE]) {
    const scanned = targets[list] - nr[list];
    const wanted = Math.floor((targets[list] * (100 - percentLeft)) / 100);
    nr[list] = wanted - Math.min(wanted, scanned);
  }
  return true;
}
