/**
 * The multi-gen policy (lru_gen_shrink_node and what it calls in mm/vmscan.c).
 *
 * ```
 *        aging                                            eviction
 *   walk page tables ──▶ [ youngest ] [ … ] [ … ] [ oldest ] ──▶ tail: used often through descriptors? one younger
 *   what was used                                                       else shrink-page.ts
 * ```
 *
 * Eviction takes the oldest generation of one kind until it is empty; aging makes a new youngest one when only three are
 * left. Which kind, and which of its pages are spared, follows from refaults: a page used twice and more through
 * descriptors (its tier) is spared as long as pages of its tier come back more often than those used once. Both ratios
 * are compared with a gain, as a controller does that knows a proportional term and, as moving average, an integral one.
 */
import { lruAdd, lruDel } from "../frames/lru.ts";
import {
  LRU_REFS_FLAGS,
  lruGenIncMaxSeq,
  lruGenInit,
  lruGenMove,
  lruGenOf,
  lruGenSize,
  lruGenTail,
  lruRefs,
  lruTier,
  MAX_NR_GENS,
  MAX_NR_TIERS,
  MIN_NR_GENS,
  tierAt,
} from "../frames/lru-gen.ts";
import { ROOT_MEM_CGROUP } from "../frames/lruvec.ts";
import {
  PG_ACTIVE,
  PG_ANON,
  PG_DIRTY,
  PG_LRU,
  PG_RECLAIM,
  PG_REFERENCED,
  PG_UNEVICTABLE,
  PG_WORKINGSET,
  PG_WRITEBACK,
} from "../frames/page-flags.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import type { Pfn } from "../page.ts";
import { SCAN_PAGE_NS, SCAN_ROUND_NS } from "../swap/io-time.ts";
import { swapOf } from "../swap/swap-space.ts";
import { endDueSwapWriteback, finishSwapPlug, startSwapPlug } from "../swap/swap-writeback.ts";
import { NR_INACTIVE_ANON, NR_INACTIVE_FILE, PGREFILL } from "../trace/vmstat.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { addressSpacesOf, walkMm } from "./lru-gen-walk.ts";
import { ReferenceCollector } from "./page-referenced.ts";
import { isProtected } from "./protection.ts";
import type { ReclaimPolicy } from "./reclaim-policy.ts";
import { canReclaimAnon, MAX_SWAPPINESS } from "./scan-balance.ts";
import { DEF_PRIORITY, type ScanControl } from "./scan-control.ts";
import { countScan } from "./shrink-lruvec.ts";
import { shrinkPage } from "./shrink-page.ts";

const ANON = 0;
const FILE = 1;
const GEN_MASK = MAX_NR_GENS - 1;
/** Pages that are taken at once, and looked at for that at most. */
const MIN_LRU_BATCH = 64;
const MAX_LRU_BATCH = 4096;

/** Refaults of some tiers, how many pages they had, and the weight of their ratio (struct ctrl_pos). */
interface ControlPosition {
  refaulted: number;
  total: number;
  gain: number;
}

type Tasks = ReadonlyMap<number, { readonly mm: MmStruct; readonly exitStatus: number | null }>;

export class LruGenPolicy implements ReclaimPolicy {
  readonly #phys: PhysicalMemory;
  readonly #tasks: Tasks;
  readonly #references: ReferenceCollector = new ReferenceCollector();

  /** Makes generations of the lists: create it before the first page is on one. @param tasks whose page tables are walked */
  constructor(phys: PhysicalMemory, tasks: Tasks) {
    this.#phys = phys;
    this.#tasks = tasks;
    phys.lruvecs.enableGenerations();
    lruGenInit(phys, ROOT_MEM_CGROUP);
  }

  shrinkNode(sc: ScanControl): void {
    if (!sc.isCgroupReclaim) this.#setInitialPriority(sc);
    for (const group of [...this.#phys.memcg.subtree(sc.target)]) {
      if (isProtected(this.#phys, group, sc)) continue;
      this.#tryToShrinkLruvec(group, sc);
      if (!sc.memcgFullWalk && sc.kind !== "kswapd" && sc.nrReclaimed >= sc.nrToReclaim) return;
    }
  }

  ageNode(sc: ScanControl): void {
    this.#setInitialPriority(sc);
  }

  /** Begins where a round can be expected to free what is wanted, rather than at the very least urgency. */
  #setInitialPriority(sc: ScanControl): void {
    if (sc.priority !== DEF_PRIORITY || sc.nrToReclaim < MIN_LRU_BATCH) return;
    const { stat } = this.#phys;
    let reclaimable = stat[NR_INACTIVE_FILE];
    if (canReclaimAnon(this.#phys, ROOT_MEM_CGROUP)) reclaimable += stat[NR_INACTIVE_ANON];
    const priority = 31 - Math.clz32(reclaimable) - (32 - Math.clz32(sc.nrToReclaim - 1));
    sc.priority = Math.min(Math.max(priority, DEF_PRIORITY / 2), DEF_PRIORITY);
  }

  #tryToShrinkLruvec(group: number, sc: ScanControl): void {
    const swappiness = this.#swappinessOf(group, sc);
    const swap = swapOf(this.#phys);
    swap?.time.work(SCAN_ROUND_NS);
    if (swap !== null) startSwapPlug(swap);
    try {
      this.#shrinkLruvec(group, sc, swappiness);
    } finally {
      if (swap !== null) finishSwapPlug(swap);
    }
    if (sc.nrUnqueuedDirty > 0 && sc.nrUnqueuedDirty === sc.nrFileTaken) sc.needsFlusher = true;
  }

  #shrinkLruvec(group: number, sc: ScanControl, swappiness: number): void {
    for (let scanned = 0; ; ) {
      const nrToScan = this.#nrToScan(group, sc, swappiness);
      if (nrToScan <= 0) return;
      const delta = this.#evict(group, sc, swappiness);
      scanned += delta;
      if (delta === 0 || scanned >= nrToScan || this.#shouldAbort(sc)) return;
    }
  }

  /** 0 where swap would take hardly anything. */
  #swappinessOf(group: number, sc: ScanControl): number {
    const { memcg, nrSwapPages } = this.#phys;
    return memcg.nrSwapPages(group, nrSwapPages) < MIN_LRU_BATCH ? 0 : sc.swappiness;
  }

  /** Pages to scan, after aging where there are too few generations; 0 or less when there is nothing old (get_nr_to_scan). */
  #nrToScan(group: number, sc: ScanControl, swappiness: number): number {
    const { maxSeq } = this.#phys.lruvecs;
    const gens = maxSeq[group] - this.#evictableMinSeq(group, swappiness) + 1;
    let total = 0;
    if (gens > MIN_NR_GENS) {
      for (let type = swappiness === 0 ? FILE : ANON; type <= FILE; type++) {
        for (let gen = 0; gen < MAX_NR_GENS; gen++) total += lruGenSize(this.#phys, group, gen, type);
      }
    }
    const needsAging = gens <= MIN_NR_GENS + 1;
    if (!needsAging || sc.priority === DEF_PRIORITY) return total >>> sc.priority;
    this.#age(group, swappiness);
    return -1;
  }

  #shouldAbort(sc: ScanControl): boolean {
    if (sc.isCgroupReclaim) return false;
    if (sc.nrReclaimed >= sc.nrToReclaim) return true;
    if (sc.kind !== "kswapd") return false;
    return this.#phys.buddy.freeFrames > this.#phys.watermarks.high + MIN_LRU_BATCH;
  }

  #evictableMinSeq(group: number, swappiness: number): number {
    const { minSeq } = this.#phys.lruvecs;
    if (swappiness === 0) return minSeq[2 * group + FILE];
    return Math.min(minSeq[2 * group + ANON], minSeq[2 * group + FILE]);
  }

  /** A new youngest generation, after whatever was used became of the present one (try_to_inc_max_seq). */
  #age(group: number, swappiness: number): void {
    const phys = this.#phys;
    const { lruvecs } = phys;
    for (const mm of addressSpacesOf(phys, this.#tasks, group)) walkMm(mm, group, swappiness > 0);
    for (let type = FILE; type >= ANON; type--) {
      const gens = lruvecs.maxSeq[group] - lruvecs.minSeq[2 * group + type] + 1;
      if (gens === MAX_NR_GENS) this.#incMinSeq(group, type, swappiness);
    }
    lruGenIncMaxSeq(phys, group);
  }

  /** Gives up the oldest generation of a kind: what it still has joins the next one. */
  #incMinSeq(group: number, type: number, swappiness: number): void {
    const phys = this.#phys;
    const { minSeq } = phys.lruvecs;
    const oldest = minSeq[2 * group + type] & GEN_MASK;
    const next = (oldest + 1) & GEN_MASK;
    if (type === FILE || swappiness > 0) {
      for (let pfn = lruGenTail(phys, group, oldest, type); pfn !== 0; ) {
        lruGenMove(phys, pfn, next);
        pfn = lruGenTail(phys, group, oldest, type);
      }
    }
    this.#carryOver(group, type);
    minSeq[2 * group + type]++;
  }

  /** Moves past generations that are empty (try_to_inc_min_seq). Answers whether there was one. */
  #tryToIncMinSeq(group: number, swappiness: number): boolean {
    const phys = this.#phys;
    const { minSeq, maxSeq } = phys.lruvecs;
    const found = [minSeq[2 * group], minSeq[2 * group + 1]];
    const first = swappiness === 0 ? FILE : ANON;
    for (let type = first; type <= FILE; type++) {
      while (
        found[type] + MIN_NR_GENS <= maxSeq[group] &&
        lruGenSize(phys, group, found[type] & GEN_MASK, type) === 0
      ) {
        found[type]++;
      }
    }
    if (swappiness > 0) {
      // Of the two kinds anonymous pages may be one generation behind, never ahead.
      found[ANON] = Math.min(found[ANON], found[FILE]);
      found[FILE] = Math.max(found[ANON], minSeq[2 * group + FILE]);
    }
    let moved = false;
    for (let type = first; type <= FILE; type++) {
      if (found[type] === minSeq[2 * group + type]) continue;
      this.#carryOver(group, type);
      minSeq[2 * group + type] = found[type];
      moved = true;
    }
    return moved;
  }

  /** The oldest generation is done with: its refaults enter the averages (reset_ctrl_pos). */
  #carryOver(group: number, type: number): void {
    const { genEvicted, genRefaulted, genProtected, genAvgRefaulted, genAvgTotal } = this.#phys.lruvecs;
    for (let tier = 0; tier < MAX_NR_TIERS; tier++) {
      const at = tierAt(group, type, tier);
      genAvgRefaulted[at] = Math.floor((genAvgRefaulted[at] + genRefaulted[at]) / 2);
      genAvgTotal[at] = Math.floor((genAvgTotal[at] + genEvicted[at] + genProtected[at]) / 2);
      genRefaulted[at] = 0;
      genEvicted[at] = 0;
      genProtected[at] = 0;
    }
  }

  /** Takes a batch of the oldest pages of one kind. Answers how many it looked at (evict_folios). */
  #evict(group: number, sc: ScanControl, swappiness: number): number {
    let scanned = 0;
    let type = this.#typeToScan(group, swappiness);
    for (let tries = swappiness === 0 ? 1 : 2; tries > 0 && scanned === 0; tries--, type ^= 1) {
      scanned = this.#scan(group, sc, type, this.#lastTierToEvict(group, type));
    }
    if (this.#tryToIncMinSeq(group, swappiness)) scanned++;
    const oldest = this.#evictableMinSeq(group, swappiness);
    return oldest + MIN_NR_GENS > this.#phys.lruvecs.maxSeq[group] ? 0 : scanned;
  }

  #scan(group: number, sc: ScanControl, type: number, lastTier: number): number {
    const phys = this.#phys;
    const { lruvecs } = phys;
    const seq = lruvecs.minSeq[2 * group + type];
    if (lruvecs.maxSeq[group] - seq + 1 === MIN_NR_GENS) return 0;
    const gen = seq & GEN_MASK;
    const swap = swapOf(phys);
    if (swap !== null) endDueSwapWriteback(swap);
    let sorted = 0;
    let taken = 0;
    let reclaimed = 0;
    while (sorted + taken < MAX_LRU_BATCH && taken < MIN_LRU_BATCH) {
      const pfn = lruGenTail(phys, group, gen, type);
      if (pfn === 0) break;
      if (this.#sort(pfn, group, gen, type, lastTier, sc)) {
        sorted++;
        continue;
      }
      taken++;
      if (this.#take(pfn, gen, sc)) reclaimed++;
    }
    swap?.time.work((sorted + taken) * SCAN_PAGE_NS);
    sc.nrTaken += taken;
    if (type === FILE) sc.nrFileTaken += taken;
    sc.nrScanned += taken;
    sc.nrReclaimed += reclaimed;
    if (!sc.isCgroupReclaim) phys.stat[PGREFILL] += sorted;
    phys.memcg.countEvents(group, PGREFILL, sorted);
    countScan(phys, group, sc, type === FILE, taken, reclaimed);
    return taken > 0 || sorted + taken >= MAX_LRU_BATCH ? sorted + taken : 0;
  }

  /** Whether the page is not to be evicted now: then it is one generation younger (sort_folio). */
  #sort(pfn: Pfn, group: number, gen: number, type: number, lastTier: number, sc: ScanControl): boolean {
    const phys = this.#phys;
    const now = phys.frames.flags[pfn];
    const refs = lruRefs(now);
    const workingset = (now & PG_WORKINGSET) !== 0;
    const tier = lruTier(refs, workingset);
    const next = (gen + 1) & GEN_MASK;
    const isSaturated = refs + (workingset ? 1 : 0) === MAX_NR_GENS + 1;
    if (tier > lastTier || isSaturated) {
      lruGenMove(phys, pfn, next);
      if (!isSaturated) phys.lruvecs.genProtected[tierAt(group, type, tier)]++;
      return true;
    }
    const isDirtyFile = type === FILE && (now & (PG_DIRTY | PG_ANON)) === PG_DIRTY;
    if (isDirtyFile) {
      sc.nrFileTaken++;
      if ((now & PG_WRITEBACK) === 0) sc.nrUnqueuedDirty++;
    }
    if ((now & PG_WRITEBACK) === 0 && !isDirtyFile) return false;
    lruGenMove(phys, pfn, next);
    phys.frames.flags[pfn] |= PG_RECLAIM;
    return true;
  }

  /** Evicts one page, or moves it to a generation that is not the oldest. Answers whether it is free. */
  #take(pfn: Pfn, gen: number, sc: ScanControl): boolean {
    const phys = this.#phys;
    const { flags } = phys.frames;
    if ((flags[pfn] & PG_REFERENCED) === 0) flags[pfn] &= ~LRU_REFS_FLAGS;
    if (shrinkPage(phys, pfn, this.#references, sc)) return true;
    const now = flags[pfn];
    if ((now & (PG_LRU | PG_UNEVICTABLE)) !== PG_LRU || lruGenOf(now) !== gen) return false;
    lruDel(phys, pfn);
    flags[pfn] = (flags[pfn] & ~(LRU_REFS_FLAGS | PG_REFERENCED)) | PG_ACTIVE;
    lruAdd(phys, pfn);
    return false;
  }

  /** The kind whose pages come back less, weighed by swappiness (get_type_to_scan). */
  #typeToScan(group: number, swappiness: number): number {
    if (swappiness <= 1) return FILE;
    if (swappiness >= MAX_SWAPPINESS) return ANON;
    const anon = this.#position(group, ANON, 0, MAX_NR_TIERS - 1, swappiness);
    const file = this.#position(group, FILE, 0, MAX_NR_TIERS - 1, MAX_SWAPPINESS - swappiness);
    return isPositive(anon, file) ? FILE : ANON;
  }

  /** The highest tier that may go: those above come back much more often than the first (get_tier_idx). */
  #lastTierToEvict(group: number, type: number): number {
    const first = this.#position(group, type, 0, 0, 2);
    let tier = 1;
    while (tier < MAX_NR_TIERS && isPositive(first, this.#position(group, type, tier, tier, 3))) tier++;
    return tier - 1;
  }

  #position(group: number, type: number, from: number, to: number, gain: number): ControlPosition {
    const { genEvicted, genRefaulted, genProtected, genAvgRefaulted, genAvgTotal } = this.#phys.lruvecs;
    const position = { refaulted: 0, total: 0, gain };
    for (let tier = from; tier <= to; tier++) {
      const at = tierAt(group, type, tier);
      position.refaulted += genAvgRefaulted[at] + genRefaulted[at];
      position.total += genAvgTotal[at] + genEvicted[at] + genProtected[at];
    }
    return position;
  }
}

/** Whether the pages of `value` come back rarely enough, measured by those of `setPoint` (positive_ctrl_err). */
function isPositive(setPoint: ControlPosition, value: ControlPosition): boolean {
  return (
    value.refaulted < MIN_LRU_BATCH ||
    value.refaulted * (setPoint.total + MIN_LRU_BATCH) * setPoint.gain <=
      (setPoint.refaulted + 1) * value.total * value.gain
  );
}
