/**
 * Memory cgroups: who pays for a frame, and how much he may use (mm/memcontrol.c, mm/page_counter.c).
 *
 * A group is a small number. A frame carries the number of the group that it is charged to in its `memcg` column, from
 * its allocation until it is free: whoever touches a page first pays for it, however many use it later. A charge
 * counts for the group and for every group that it lies in; the root has no limits, and nothing is counted for it.
 *
 * All that a process causes to be allocated is charged to its group: anonymous pages, pages of files, of tmpfs, page
 * tables. A page in swap is charged to the group that owned it, separately (memory.swap.max).
 *
 * Invariants: `usage` of a group is the number of frames charged to it and to the groups in it; it exceeds `max` only
 * by what reclaim itself had to allocate, or after `max` was lowered below what could be reclaimed.
 */
import { BugError } from "../bug.ts";
import type { Pfn } from "../page.ts";
import { newVmStat, type VmStat } from "../trace/vmstat.ts";
import { type Lruvecs, MAX_MEM_CGROUPS, ROOT_MEM_CGROUP } from "./lruvec.ts";
import type { PageFrames } from "./page-frames.ts";

/** Events of a group, as memory.events and memory.swap.events show them. */
export const MEMCG_LOW = 0;
export const MEMCG_HIGH = 1;
export const MEMCG_MAX = 2;
export const MEMCG_OOM = 3;
export const MEMCG_OOM_KILL = 4;
export const MEMCG_SWAP_MAX = 5;
export const MEMCG_SWAP_FAIL = 6;
export const MEMCG_OOM_GROUP_KILL = 7;
const NR_MEMCG_EVENTS = 8;

export class MemCgroups {
  /** Frames charged, and the most there ever were (memory.current, memory.peak). */
  readonly usage: Float64Array = new Float64Array(MAX_MEM_CGROUPS);
  readonly peak: Float64Array = new Float64Array(MAX_MEM_CGROUPS);
  /** Frames that may be charged; above `high` the charging process reclaims, but is not refused. Infinity: no limit. */
  readonly max: Float64Array = new Float64Array(MAX_MEM_CGROUPS).fill(Number.POSITIVE_INFINITY);
  readonly high: Float64Array = new Float64Array(MAX_MEM_CGROUPS).fill(Number.POSITIVE_INFINITY);
  /** Frames that reclaim leaves to the group: in any case, and as long as others have some (memory.min, memory.low). */
  readonly min: Float64Array = new Float64Array(MAX_MEM_CGROUPS);
  readonly low: Float64Array = new Float64Array(MAX_MEM_CGROUPS);
  /** What of that the groups above grant, as calculateProtection has found last. */
  readonly #emin: Float64Array = new Float64Array(MAX_MEM_CGROUPS);
  readonly #elow: Float64Array = new Float64Array(MAX_MEM_CGROUPS);
  /** Pages in swap, the most there ever were, and the limit (memory.swap.current, .peak, .max). */
  readonly swapUsage: Float64Array = new Float64Array(MAX_MEM_CGROUPS);
  readonly swapPeak: Float64Array = new Float64Array(MAX_MEM_CGROUPS);
  readonly swapMax: Float64Array = new Float64Array(MAX_MEM_CGROUPS).fill(Number.POSITIVE_INFINITY);
  /** 1: who is killed for its memory takes all of the group along (memory.oom.group). */
  readonly oomGroup: Uint8Array = new Uint8Array(MAX_MEM_CGROUPS);
  /** The controller is that of version 1: reclaim at a limit waits for pages that are being written. Set at boot. */
  isLegacy = false;
  readonly #lruvecs: Lruvecs;
  readonly #frames: PageFrames;
  /** MEMCG_… events at 8·group + event, each counted for the group and those that it lies in. */
  readonly #events: Float64Array = new Float64Array(MAX_MEM_CGROUPS * NR_MEMCG_EVENTS);
  /** What reclaim and faults counted for a group alone; undefined for a number that is not in use, and for the root. */
  readonly #stats: (VmStat | undefined)[] = [];

  constructor(frames: PageFrames, lruvecs: Lruvecs) {
    this.#frames = frames;
    this.#lruvecs = lruvecs;
  }

  /** A new group in `parent`, or 0 when there are as many as there can be. */
  create(parent: number): number {
    for (let group = ROOT_MEM_CGROUP + 1; group < MAX_MEM_CGROUPS; group++) {
      if (this.#stats[group] !== undefined) continue;
      this.#stats[group] = newVmStat();
      this.#lruvecs.parent[group] = parent;
      this.oomGroup[group] = 0;
      return group;
    }
    return 0;
  }

  /**
   * The group is gone: what is charged to it is its parent's from now on. Precondition: its pages have been moved to the
   * parent's lists (lruReparent), and no swap slot names it.
   */
  remove(group: number): void {
    const parent = this.#lruvecs.parent[group];
    const { memcg } = this.#frames;
    for (let pfn = 0; pfn < memcg.length; pfn++) if (memcg[pfn] === group) memcg[pfn] = parent;
    const stat = this.#stats[group];
    const parentStat = this.#stats[parent];
    if (stat !== undefined && parentStat !== undefined) {
      for (let item = 0; item < stat.length; item++) parentStat[item] += stat[item];
    }
    this.#stats[group] = undefined;
    for (const column of [this.usage, this.peak, this.swapUsage, this.swapPeak]) column[group] = 0;
    for (const column of [this.min, this.low, this.#emin, this.#elow]) column[group] = 0;
    for (const column of [this.max, this.high, this.swapMax]) column[group] = Number.POSITIVE_INFINITY;
    this.#events.fill(0, group * NR_MEMCG_EVENTS, (group + 1) * NR_MEMCG_EVENTS);
    this.#lruvecs.forget(group);
  }

  isOnline(group: number): boolean {
    return group === ROOT_MEM_CGROUP || this.#stats[group] !== undefined;
  }

  /** Charges one frame to the group. Answers 0, or, with nothing charged, the group whose limit it would exceed. */
  tryCharge(group: number): number {
    const { parent } = this.#lruvecs;
    const { usage, max } = this;
    for (let at = group; at > ROOT_MEM_CGROUP; at = parent[at]) if (usage[at] >= max[at]) return at;
    this.charge(group);
    return 0;
  }

  /** Charges one frame whatever the limits are. */
  charge(group: number): void {
    const { parent } = this.#lruvecs;
    const { usage, peak } = this;
    for (let at = group; at > ROOT_MEM_CGROUP; at = parent[at]) {
      if (++usage[at] > peak[at]) peak[at] = usage[at];
    }
  }

  /** The frame is free: it is charged to nobody any more. */
  uncharge(pfn: Pfn): void {
    const { parent } = this.#lruvecs;
    const { memcg } = this.#frames;
    for (let at: number = memcg[pfn]; at > ROOT_MEM_CGROUP; at = parent[at]) {
      if (--this.usage[at] < 0) throw new BugError("uncharge", `group ${at} has less than no frames`);
    }
    memcg[pfn] = ROOT_MEM_CGROUP;
  }

  /**
   * Finds out how much of the group is protected from reclaim for the sake of `target`, which is that group or lies above
   * it (mem_cgroup_calculate_protection). Nothing is protected from reclaim for its own sake.
   */
  calculateProtection(target: number, group: number): void {
    if (group === target || group === ROOT_MEM_CGROUP || this.usage[group] === 0) return;
    const above = this.#lruvecs.parent[group];
    if (above === target) {
      this.#emin[group] = this.min[group];
      this.#elow[group] = this.low[group];
      return;
    }
    this.calculateProtection(target, above);
    this.#emin[group] = this.#effectiveProtection(group, above, this.min, this.#emin[above]);
    this.#elow[group] = this.#effectiveProtection(group, above, this.low, this.#elow[above]);
  }

  /** Frames of the group that calculateProtection has found protected, in any case or as long as others have some. */
  protectedMin(target: number, group: number): number {
    return group === target ? 0 : this.#emin[group];
  }

  protectedLow(target: number, group: number): number {
    return group === target ? 0 : this.#elow[group];
  }

  /**
   * What groups claim and use is theirs as long as all of them together keep within what the group above was granted; else
   * each has its share of that (effective_protection, without memory_recursiveprot).
   */
  #effectiveProtection(group: number, above: number, claims: Float64Array, granted: number): number {
    const { usage } = this;
    const { parent } = this.#lruvecs;
    let siblings = 0;
    for (let at = 0; at < this.#stats.length; at++) {
      if (this.#stats[at] !== undefined && parent[at] === above) siblings += Math.min(usage[at], claims[at]);
    }
    const claimed = Math.min(usage[group], claims[group]);
    return siblings > granted ? Math.floor((claimed * granted) / siblings) : claimed;
  }

  /** The group, itself or above, that uses more than its `high`; 0 for none. */
  overHigh(group: number): number {
    const { parent } = this.#lruvecs;
    for (let at = group; at > ROOT_MEM_CGROUP; at = parent[at]) if (this.usage[at] > this.high[at]) return at;
    return 0;
  }

  /** Charges one page of swap; false, with the event counted, when a limit forbids it (mem_cgroup_try_charge_swap). */
  tryChargeSwap(group: number): boolean {
    const { parent } = this.#lruvecs;
    const { swapUsage, swapMax, swapPeak } = this;
    for (let at = group; at > ROOT_MEM_CGROUP; at = parent[at]) {
      if (swapUsage[at] < swapMax[at]) continue;
      this.noteEvent(group, MEMCG_SWAP_MAX);
      this.noteEvent(group, MEMCG_SWAP_FAIL);
      return false;
    }
    for (let at = group; at > ROOT_MEM_CGROUP; at = parent[at]) {
      if (++swapUsage[at] > swapPeak[at]) swapPeak[at] = swapUsage[at];
    }
    return true;
  }

  /** Takes back one page of swap. */
  unchargeSwap(group: number): void {
    const { parent } = this.#lruvecs;
    for (let at = group; at > ROOT_MEM_CGROUP; at = parent[at]) {
      if (--this.swapUsage[at] < 0) throw new BugError("unchargeSwap", `group ${at} has less than no swap`);
    }
  }

  /** Swap that the group may still fill, of `free` pages that there are (mem_cgroup_get_nr_swap_pages). */
  nrSwapPages(group: number, free: number): number {
    const { parent } = this.#lruvecs;
    let left = free;
    for (let at = group; at > ROOT_MEM_CGROUP; at = parent[at]) {
      left = Math.min(left, this.swapMax[at] - this.swapUsage[at]);
    }
    return left;
  }

  /** Frames that may still be charged (mem_cgroup_margin). */
  margin(group: number): number {
    return Math.max(0, this.max[group] - this.usage[group]);
  }

  /** Counts a MEMCG_… event for the group and every group that it lies in. */
  noteEvent(group: number, event: number): void {
    const { parent } = this.#lruvecs;
    for (let at = group; at > ROOT_MEM_CGROUP; at = parent[at]) this.#events[at * NR_MEMCG_EVENTS + event]++;
  }

  events(group: number, event: number): number {
    return this.#events[group * NR_MEMCG_EVENTS + event];
  }

  /** Counts `count` of a VMSTAT item for the group; for the root the global counters do that. */
  countEvents(group: number, item: number, count: number): void {
    const stat = this.#stats[group];
    if (stat !== undefined) stat[item] += count;
  }

  /** An item that was counted by countEvents, over the group and those in it. */
  eventsOf(group: number, item: number): number {
    let sum = 0;
    for (const [at, stat] of this.#stats.entries()) {
      if (stat !== undefined && this.#lruvecs.isDescendant(at, group)) sum += stat[item];
    }
    return sum;
  }

  /** The groups in use that are `group` or lie in it, smallest number first. */
  *subtree(group: number): Generator<number> {
    if (group === ROOT_MEM_CGROUP) yield group;
    for (const [at, stat] of this.#stats.entries()) {
      if (stat !== undefined && this.#lruvecs.isDescendant(at, group)) yield at;
    }
  }
}
