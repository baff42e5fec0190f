/**
 * lruvec: one set of LRU lists for each memory cgroup, and what reclaim remembers of each (struct lruvec).
 *
 * A list is circular through a head that is no page. The heads stand behind the last frame in the link columns of the
 * frame table, sixteen for each group, so that linking a page needs no object and no special case for an empty list:
 *
 * ```
 *   link columns   0 … endPfn−1 │ endPfn …                    │ … + 16                      │
 *                  page frames  │ heads of the root's lruvec  │ heads of group 1's lruvec   │ …
 *
 *   lists of one lruvec   0 inactive anon   1 active anon   2 inactive file   3 active file   4 unevictable
 *                         8 … 15            generations of the multi-gen LRU: 8 + 2·generation + (0 anon, 1 file)
 * ```
 *
 * The unevictable list is none: nobody ever walks it, so its pages are only counted, and their links are free for
 * another use (mlock.ts). Group 0 is the root: every page that was charged to nobody is its own.
 *
 * Invariant: `size` at `16·group + list` is the number of pages on that list; a group that is not in use has all sizes 0.
 */
import type { PageFrames } from "./page-frames.ts";

/** The most memory cgroups that can exist at once, the root included. */
export const MAX_MEM_CGROUPS = 512;
/** The group that everything belongs to that was charged to no other. */
export const ROOT_MEM_CGROUP = 0;

export const LRU_INACTIVE_ANON = 0;
export const LRU_ACTIVE_ANON = 1;
export const LRU_INACTIVE_FILE = 2;
export const LRU_ACTIVE_FILE = 3;
export const LRU_UNEVICTABLE = 4;
/** Added to the number of an inactive list it gives that of its active one. */
export const LRU_ACTIVE = 1;
/** First list of the multi-gen LRU's generations. */
export const LRU_GEN_LISTS = 8;
export const LISTS_PER_LRUVEC = 16;

/** The two kinds of pages that reclaim weighs against each other. */
export const WORKINGSET_ANON = 0;
export const WORKINGSET_FILE = 1;

const NO_TIERS = new Float64Array(0);

/** Of all cgroups, in columns indexed by group. Owner: reclaim, but for `size`, which lru.ts keeps. */
export class Lruvecs {
  /** Index of the root's first head in the link columns. */
  readonly base: number;
  readonly size: Int32Array = new Int32Array(MAX_MEM_CGROUPS * LISTS_PER_LRUVEC);
  /** The group that a group lies in, −1 for the root. */
  readonly parent: Int16Array = new Int16Array(MAX_MEM_CGROUPS).fill(-1);
  /** Evictions and activations so far: the clock by which refault distances are measured. */
  readonly nonresidentAge: Float64Array = new Float64Array(MAX_MEM_CGROUPS);
  /** What reclaiming each kind has cost lately, in pages (lru_note_cost). */
  readonly anonCost: Float64Array = new Float64Array(MAX_MEM_CGROUPS);
  readonly fileCost: Float64Array = new Float64Array(MAX_MEM_CGROUPS);
  /** The counts of activated refaults when reclaim last ended, at 2·group + kind (snapshot_refaults). */
  readonly refaults: Float64Array = new Float64Array(2 * MAX_MEM_CGROUPS);
  /** The group whose limit is being enforced, the root where all memory is short (sc->target_mem_cgroup). */
  target: number = ROOT_MEM_CGROUP;
  /** The multi-gen LRU keeps the lists (lru_gen_enabled). Set at boot, before the first page is on a list. */
  genEnabled = false;
  /** Of the multi-gen LRU: the youngest generation of each group, and the oldest at 2·group + kind. */
  readonly maxSeq: Float64Array = new Float64Array(MAX_MEM_CGROUPS);
  readonly minSeq: Float64Array = new Float64Array(2 * MAX_MEM_CGROUPS);
  /**
   * Of each tier, at 8·group + 4·kind + tier: pages evicted, refaulted and spared in the oldest generation, and moving
   * averages over those before. Empty unless the multi-gen LRU is in use.
   */
  genEvicted: Float64Array = NO_TIERS;
  genRefaulted: Float64Array = NO_TIERS;
  genProtected: Float64Array = NO_TIERS;
  genAvgRefaulted: Float64Array = NO_TIERS;
  genAvgTotal: Float64Array = NO_TIERS;

  constructor(frames: PageFrames) {
    this.base = frames.endPfn;
    const { lruNext, lruPrev } = frames;
    for (let head = this.base; head < lruNext.length; head++) {
      lruNext[head] = head;
      lruPrev[head] = head;
    }
  }

  /** Makes generations of the lists. Call at boot, before the first page is on one. */
  enableGenerations(): void {
    this.genEnabled = true;
    this.genEvicted = new Float64Array(8 * MAX_MEM_CGROUPS);
    this.genRefaulted = new Float64Array(8 * MAX_MEM_CGROUPS);
    this.genProtected = new Float64Array(8 * MAX_MEM_CGROUPS);
    this.genAvgRefaulted = new Float64Array(8 * MAX_MEM_CGROUPS);
    this.genAvgTotal = new Float64Array(8 * MAX_MEM_CGROUPS);
  }

  /** The columns of tiers. */
  genColumns(): readonly Float64Array[] {
    return [this.genEvicted, this.genRefaulted, this.genProtected, this.genAvgRefaulted, this.genAvgTotal];
  }

  /** The group is gone: who gets its number next begins anew. */
  forget(group: number): void {
    this.parent[group] = -1;
    for (const column of [this.nonresidentAge, this.anonCost, this.fileCost]) column[group] = 0;
    this.refaults.fill(0, 2 * group, 2 * group + 2);
  }

  /** Pages on the list of a lruvec, without those of the groups below it (lruvec_lru_size). */
  lruSize(group: number, list: number): number {
    return this.size[group * LISTS_PER_LRUVEC + list];
  }

  /** Whether `group` is `ancestor` or lies in it (mem_cgroup_is_descendant). */
  isDescendant(group: number, ancestor: number): boolean {
    for (let at = group; at !== -1; at = this.parent[at]) if (at === ancestor) return true;
    return false;
  }
}
