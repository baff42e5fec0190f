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
  /** What the kinds have cost lately, in the target. */
  anonCost = 0;
  fileCost = 0;

  constructor(
    kind: ReclaimerKind,
    nrToReclaim: number,
    swappiness: number,
    target: number = ROOT_MEM_CGROUP,
  ) {
    this.kind = kind;
    this.nrToReclaim = nrToReclaim;
    this.swappiness = swappiness;
    this.target = target;
  }

  /** A limit is enforced, rather than a shortage of all memory mended (cgroup_reclaim). */
  get isCgroupReclaim(): boolean {
    return this.target !== ROOT_MEM_CGROUP;
  }
}
