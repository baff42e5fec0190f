/** What one run of reclaim wants, may do and has done so far (struct scan_control). One object for each run. */
import { ROOT_MEM_CGROUP } from "../frames/lruvec.ts";

/** The first round scans the lists' lengths shifted right by this. */
export const DEF_PRIORITY = 12;
/** Pages that are scanned at a time, and the least that a run wants to free. */
export const SWAP_CLUSTER_MAX = 32;
/** Bits of `mayDeactivate`: which active lists may be shortened. */
export const DEACTIVATE_ANON = 1;
export const DEACTIVATE_FILE = 2;

/** Who reclaims: for the counters. */
export type ReclaimerKind = "kswapd" | "direct" | "proactive";

export class ScanControl {
  /** Frames to free. */
  nrToReclaim: number;
  readonly kind: ReclaimerKind;
  /** The cgroup whose limit is enforced; the root where all memory is short. */
  readonly target: number;
  /** Each list is scanned by its length shifted right by this: 12, falling with every round that frees too little. */
  priority: number = DEF_PRIORITY;
  nrReclaimed = 0;
  nrScanned = 0;
  /** 0 … 200: how much rather anonymous pages are taken than pages of files (vm.swappiness). */
  swappiness: number;
  mayDeactivate = 0;
  /** Shorten active lists in any case; a list was left alone that could have been shortened. */
  forceDeactivate = false;
  skippedDeactivate = false;
  /** There are inactive file pages enough that don't thrash: take nothing else. */
  cacheTrimMode = false;
  noCacheTrimMode = false;
  cacheTrimModeFailed = false;
  /** There are so few file pages that taking more of them leads nowhere. */
  fileIsTiny = false;
  /** Go through all cgroups, though enough was freed before the last. */
  memcgFullWalk = false;
  /** Take what memory.low protects as well; something was left alone for it. */
  memcgLowReclaim = false;
  memcgLowSkipped = false;
  /** Of the pages that this round met (struct reclaim_stat): handed to a device, under write-back, cycling faster than they are written. */
  nrPageout = 0;
  nrWriteback = 0;
  nrImmediate = 0;
  /** Pages that this round took off lists to look at; those of files; those of them that nobody writes yet. */
  nrTaken = 0;
  nrFileTaken = 0;
  nrUnqueuedDirty = 0;
  /** A batch had nothing but dirty pages that nobody writes: the flusher has to be woken. */
  needsFlusher = false;
  /** The node's lists are full of pages under write-back (PGDAT_WRITEBACK): kswapd has to slow down. */
  isNodeUnderWriteback = false;
  /** Who enforces a limit waits for each page that is being written, as cgroups of version 1 do. */
  readonly isLegacyCgroup: boolean;
  /** What the kinds have cost lately, in the target. */
  anonCost = 0;
  fileCost = 0;

  constructor(
    kind: ReclaimerKind,
    nrToReclaim: number,
    swappiness: number,
    target: number = ROOT_MEM_CGROUP,
    isLegacyCgroup: boolean = false,
  ) {
    this.kind = kind;
    this.nrToReclaim = nrToReclaim;
    this.swappiness = swappiness;
    this.target = target;
    this.isLegacyCgroup = isLegacyCgroup;
  }

  /** Writers are throttled as they make pages dirty, so that reclaim need not wait page by page (writeback_throttling_sane). */
  get isThrottlingSane(): boolean {
    return !this.isCgroupReclaim || !this.isLegacyCgroup;
  }

  /** A new round begins. */
  resetRound(): void {
    this.nrPageout = 0;
    this.nrWriteback = 0;
    this.nrImmediate = 0;
    this.nrTaken = 0;
    this.nrFileTaken = 0;
    this.nrUnqueuedDirty = 0;
    this.needsFlusher = false;
  }

  /** A limit is enforced, rather than a shortage of all memory mended (cgroup_reclaim). */
  get isCgroupReclaim(): boolean {
    return this.target !== ROOT_MEM_CGROUP;
  }
}
