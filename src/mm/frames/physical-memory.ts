/**
 * Physical memory: RAM, its frame table, the allocator, and the reference counts that decide when a frame is free.
 *
 * A frame lives from allocPage, which gives it one reference, until putPage drops the last one. Who runs out of
 * frames asks the reclaimer, which the kernel registers at boot: the allocator knows the interface, not what stands
 * behind it.
 */
import { IdTable } from "../../lib/id-table.ts";
import { BugError } from "../bug.ts";
import { PAGE_SIZE, type Pfn } from "../page.ts";
import { Tracer } from "../trace/events.ts";
import { NR_FREE_PAGES, newVmStat, PGALLOC, PGFREE, type VmStat } from "../trace/vmstat.ts";
import { Buddy } from "./buddy.ts";
import { Commit, type CommitAsker } from "./commit.ts";
import { HugePools } from "./huge-pools.ts";
import { lruDel } from "./lru.ts";
import { Lruvecs } from "./lruvec.ts";
import { MEMCG_HIGH, MEMCG_MAX, MEMCG_OOM, MemCgroups } from "./mem-cgroup.ts";
import { clearMlocked } from "./mlock.ts";
import { PG_ICACHE, PG_LRU, PG_RESERVED } from "./page-flags.ts";
import { PageFrames } from "./page-frames.ts";
import { Ram, ZERO_PFN } from "./ram.ts";
import { ShadowNodes } from "./shadow-nodes.ts";
import { Watermarks } from "./watermarks.ts";

/** What a frame's `mapping` column can name: an address_space or an anon_vma. */
export interface PageOwner {
  readonly ownerKind: "file" | "anon";
}

/** Who holds references on frames without being their owner, and may be in nobody's sight: a pipe under way in a socket. */
export interface FrameHolder {
  /** The frames, each as often as it is held. */
  frames(): Iterable<Pfn>;
}

/** Makes frames free when there are too few. Registered at boot by the room above that can. */
export interface Reclaimer {
  /** It is at work: whoever allocates now does so on its behalf, and may have the last frame (PF_MEMALLOC). */
  readonly isRunning: boolean;
  /** Free memory has fallen below the low watermark. */
  wakeKswapd(): void;
  /** Tries to free at least `nrPages` frames on behalf of who allocates; answers how many it freed. */
  tryToFreePages(nrPages: number): number;
  /** Tries to free `nrPages` frames of those charged to a cgroup and the groups in it; answers how many it freed. */
  tryToFreeMemCgroupPages(group: number, nrPages: number): number;
  /** Frames that could perhaps be freed (zone_reclaimable_pages). */
  reclaimablePages(): number;
  /**
   * Memory is out, of the whole for group 0, else of the group: kills a process. False when there is none to kill. Then,
   * and when it is the one that allocates that has to die, the allocation fails.
   */
  outOfMemory(group: number): boolean;
  /** Who allocates is to die as soon as he returns from what he is doing. */
  readonly isCurrentDying: boolean;
}

/** Who causes memory to be allocated: a process, as far as this room knows it. */
export interface AllocatingTask {
  readonly mm: CommitAsker & { readonly memcg: number };
}

/** Where pages go that no file can take. The room that has swap areas fills it in at boot; see swap/swap-space.ts. */
export interface SwapTotals {
  /** Slots of all areas in use, and those of them that are free (total_swap_pages, nr_swap_pages). */
  readonly totalSwapPages: number;
  readonly nrSwapPages: number;
}

/** Drops what was decoded from a frame's bytes. Registered by the machine. */
export interface InstructionCache {
  flushIcachePage(pfn: Pfn): void;
}

export interface PhysicalMemoryOptions {
  /** allocatable RAM in bytes */
  readonly ramBytes: number;
  /** bytes reserved for the machine's hart, beside the RAM */
  readonly machineBytes?: number;
  /** fill freed frames with POISON, and check that they still hold it when they are allocated again */
  readonly poison?: boolean;
}

/** Frames that direct reclaim asks for at once (SWAP_CLUSTER_MAX). */
const CLUSTER = 32;
/** Fruitless rounds of reclaim before memory counts as out. */
const MAX_RECLAIM_RETRIES = 16;

/** 512 bytes for each mapping with its part of the reverse map; at least what one process may have, whatever the RAM. */
const VMAS_PER_FRAME = 8;
const MIN_VMAS = 2 ** 17;
/** Of the host's memory they take about 600 bytes each. */
const MAX_VMAS = 2 ** 21;

/** The byte that fills free frames in debug mode (PAGE_POISON). */
export const PAGE_POISON = 0xaa;

export class PhysicalMemory {
  /** The kernel has panicked: nothing is written to storage any more. */
  hasPanicked = false;
  readonly ram: Ram;
  readonly frames: PageFrames;
  readonly buddy: Buddy;
  readonly stat: VmStat = newVmStat();
  readonly tracer: Tracer = new Tracer();
  /** Memory promised to mappings, touched or not. */
  readonly commit: Commit;
  readonly hugePools: HugePools;
  /** The address_spaces and anon_vmas that frames belong to, by the id in the `mapping` column. */
  readonly owners: IdTable<PageOwner> = new IdTable<PageOwner>();
  /** Whether pages may be locked more often than PTEs of locked mappings name them (mlock.ts). */
  lostLocks = false;
  /** All pipes that there are. The validator counts what they hold. */
  readonly holders: Set<FrameHolder> = new Set<FrameHolder>();
  /** Frames that can be allocated at all. */
  readonly totalFrames: number;
  /** Least free frames seen since boot: total − this is the peak of resident frames. */
  minFreeFrames: number;
  reclaimer: Reclaimer | undefined;
  readonly lruvecs: Lruvecs;
  readonly memcg: MemCgroups;
  readonly shadowNodes: ShadowNodes;
  /** All 0 until somebody sets them up: then every frame can be had. */
  readonly watermarks: Watermarks;
  /** Who runs: whom memory is charged to, and who dies when there is none. Null before the first process. */
  current: AllocatingTask | null = null;
  /** The cgroup that allocations are charged to: that of who runs, or of whom somebody allocates for. */
  chargeGroup = 0;
  icache: InstructionCache | undefined;
  /** The swap areas, undefined before the first. */
  swap: SwapTotals | undefined;
  /**
   * Who allocates now rather gets no frame than have a process killed for it (readahead; swapoff that no process asked for).
   */
  failsBeforeOom = false;
  /** Who allocates now can't do without: it gets frames that are kept back, whatever limits say (PF_MEMALLOC). */
  mayUseReserves = false;
  /**
   * Whether whoever runs is to die, and the call that he is in is to end as soon as it can (fatal_signal_pending): asked
   * between the pages of calls that work on many. Whoever runs programs sets it.
   */
  fatalSignalPending: () => boolean = () => false;
  /** Mappings of all address spaces, and how many there may be: in Linux each takes of the RAM (vma-lifetime.ts). */
  nrVmas = 0;
  maxVmas: number;
  /** Ranges of memory policy of all objects that are shared (vma/shared-policy.ts). */
  nrPolicyRanges = 0;
  /** For tests: allocations left until every further one fails; −1 for never. */
  failAfter = -1;
  readonly #poison: boolean;

  constructor(options: PhysicalMemoryOptions) {
    this.ram = new Ram(options.ramBytes, options.machineBytes ?? 0);
    const { firstPfn, endPfn } = this.ram;
    this.frames = new PageFrames(endPfn);
    this.frames.flags.fill(PG_RESERVED, 0, firstPfn);
    this.frames.refCount[ZERO_PFN] = 1;
    this.buddy = new Buddy(this.frames, firstPfn, endPfn);
    this.totalFrames = this.buddy.freeFrames;
    this.minFreeFrames = this.totalFrames;
    this.maxVmas = Math.min(MAX_VMAS, Math.max(MIN_VMAS, this.totalFrames * VMAS_PER_FRAME));
    this.lruvecs = new Lruvecs(this.frames);
    this.memcg = new MemCgroups(this.frames, this.lruvecs);
    this.watermarks = new Watermarks(this.totalFrames);
    this.shadowNodes = new ShadowNodes(this.stat, this.totalFrames);
    this.commit = new Commit(this.totalFrames);
    this.hugePools = new HugePools(this.stat);
    this.stat[NR_FREE_PAGES] = this.totalFrames;
    this.#poison = options.poison ?? false;
    if (this.#poison) this.ram.u8.fill(PAGE_POISON, firstPfn * PAGE_SIZE, endPfn * PAGE_SIZE);
  }

  /** A frame with one reference and unspecified content, or 0 when memory is out even after reclaim. */
  allocPage(): Pfn {
    if (this.failAfter >= 0 && this.failAfter-- === 0) {
      this.failAfter = 0;
      return 0;
    }
    const pfn = this.buddy.freeFrames > this.watermarks.low ? this.buddy.alloc(0) : this.#allocSlow();
    if (pfn === 0) return 0;
    const { frames, stat } = this;
    if (this.#poison) this.#checkPoison(pfn);
    frames.refCount[pfn] = 1;
    stat[PGALLOC]++;
    const free = this.buddy.freeFrames;
    stat[NR_FREE_PAGES] = free;
    if (free < this.minFreeFrames) this.minFreeFrames = free;
    return this.chargeGroup === 0 || this.#charge(pfn, this.chargeGroup) ? pfn : 0;
  }

  /** As allocPage, charged to `group`, whoever runs: for a page that comes back from swap. */
  allocPageFor(group: number): Pfn {
    const runs = this.chargeGroup;
    this.chargeGroup = group;
    const pfn = this.allocPage();
    this.chargeGroup = runs;
    return pfn;
  }

  /** Says who runs from now on. */
  setCurrent(task: AllocatingTask): void {
    this.current = task;
    this.chargeGroup = task.mm.memcg;
  }

  /** A frame with one reference, all bytes zero; 0 when memory is out. */
  allocZeroedPage(): Pfn {
    const pfn = this.allocPage();
    if (pfn !== 0) this.clearPage(pfn);
    return pfn;
  }

  clearPage(pfn: Pfn): void {
    const from = pfn * PAGE_SIZE;
    this.ram.u8.fill(0, from, from + PAGE_SIZE);
  }

  copyPage(to: Pfn, from: Pfn): void {
    this.ram.u8.copyWithin(to * PAGE_SIZE, from * PAGE_SIZE, from * PAGE_SIZE + PAGE_SIZE);
  }

  getPage(pfn: Pfn): void {
    this.frames.refCount[pfn]++;
  }

  /** Drops one reference; the last one frees the frame. */
  putPage(pfn: Pfn): void {
    const left = --this.frames.refCount[pfn];
    if (left > 0) return;
    if (left < 0) throw new BugError("putPage", `frame ${pfn} has ${left} references`);
    this.#freePage(pfn);
  }

  /** Says that the kernel rewrote bytes of this frame: decoded instructions of it are stale. */
  flushIcache(pfn: Pfn): void {
    if ((this.frames.flags[pfn] & PG_ICACHE) === 0) return;
    this.frames.flags[pfn] &= ~PG_ICACHE;
    this.icache?.flushIcachePage(pfn);
  }

  /** Free pages in all swap areas (nr_swap_pages), and all there are (total_swap_pages). */
  get nrSwapPages(): number {
    return this.swap?.nrSwapPages ?? 0;
  }

  get totalSwapPages(): number {
    return this.swap?.totalSwapPages ?? 0;
  }

  /** Frames in use now. */
  get usedFrames(): number {
    return this.totalFrames - this.buddy.freeFrames;
  }

  /** Nobody runs: what is done now is done from outside. */
  clearCurrent(): void {
    this.current = null;
    this.chargeGroup = 0;
  }

  /** Free memory is at or below the low watermark (__alloc_pages_slowpath). */
  #allocSlow(): Pfn {
    const { reclaimer, buddy, watermarks } = this;
    if (reclaimer === undefined || reclaimer.isRunning || this.mayUseReserves) return buddy.alloc(0);
    reclaimer.wakeKswapd();
    for (let fruitless = 0; buddy.freeFrames <= watermarks.min; ) {
      const freed = reclaimer.tryToFreePages(CLUSTER);
      if (buddy.freeFrames > watermarks.min) break;
      fruitless = freed > 0 ? 0 : fruitless + 1;
      const mayComeYet = reclaimer.reclaimablePages() + buddy.freeFrames > watermarks.min;
      if (fruitless <= MAX_RECLAIM_RETRIES && mayComeYet) continue;
      if (this.failsBeforeOom) return 0;
      if (!reclaimer.outOfMemory(/* group */ 0)) return 0;
      // Who has to die needs memory to get there, and gets half of what is kept back (ALLOC_OOM).
      if (reclaimer.isCurrentDying) return buddy.freeFrames > watermarks.min >> 1 ? buddy.alloc(0) : 0;
      fruitless = 0;
    }
    return buddy.alloc(0);
  }

  /** Charges a frame to a cgroup (try_charge_memcg). False: its limit forbids that, and the frame is free again. */
  #charge(pfn: Pfn, group: number): boolean {
    const { memcg, reclaimer } = this;
    let over = memcg.tryCharge(group);
    if (over !== 0) over = this.#reclaimAndCharge(group, over);
    if (over !== 0) {
      this.putPage(pfn);
      return false;
    }
    this.frames.memcg[pfn] = group;
    const high = memcg.overHigh(group);
    if (high !== 0 && reclaimer !== undefined && !reclaimer.isRunning) {
      memcg.noteEvent(high, MEMCG_HIGH);
      reclaimer.tryToFreeMemCgroupPages(high, memcg.usage[high] - memcg.high[high]);
    }
    return true;
  }

  /** Makes room below the limit of group `over`. Answers 0 once the frame is charged, else the group that is full. */
  #reclaimAndCharge(group: number, firstOver: number): number {
    const { memcg, reclaimer } = this;
    let over = firstOver;
    if (reclaimer === undefined) return over;
    if (reclaimer.isRunning || this.mayUseReserves) {
      memcg.charge(group);
      return 0;
    }
    let killed = false;
    for (let retries = MAX_RECLAIM_RETRIES; ; ) {
      memcg.noteEvent(over, MEMCG_MAX);
      const freed = reclaimer.tryToFreeMemCgroupPages(over, 1);
      const full = over;
      over = memcg.tryCharge(group);
      if (over === 0) return 0;
      if (over !== full || freed > 0 || retries-- > 0) continue;
      if (killed && reclaimer.isCurrentDying) return over;
      memcg.noteEvent(over, MEMCG_OOM);
      if (this.failsBeforeOom || !reclaimer.outOfMemory(over)) return over;
      killed = true;
      retries = MAX_RECLAIM_RETRIES;
    }
  }

  #freePage(pfn: Pfn): void {
    const { frames } = this;
    if (frames.mapCount[pfn] !== 0) {
      throw new BugError("freePage", `frame ${pfn} is still mapped ${frames.mapCount[pfn]} times`);
    }
    this.flushIcache(pfn);
    // What leaves a page cache is taken off its list before: these are anonymous pages.
    if ((frames.flags[pfn] & PG_LRU) !== 0) lruDel(this, pfn);
    clearMlocked(this, pfn);
    frames.flags[pfn] = 0;
    frames.mapping[pfn] = 0;
    if (frames.memcg[pfn] !== 0) this.memcg.uncharge(pfn);
    if (this.#poison) this.ram.u8.fill(PAGE_POISON, pfn * PAGE_SIZE, pfn * PAGE_SIZE + PAGE_SIZE);
    this.buddy.free(pfn, 0);
    this.stat[PGFREE]++;
    this.stat[NR_FREE_PAGES] = this.buddy.freeFrames;
  }

  #checkPoison(pfn: Pfn): void {
    const { u8 } = this.ram;
    const end = (pfn + 1) * PAGE_SIZE;
    for (let byte = pfn * PAGE_SIZE; byte < end; byte++) {
      if (u8[byte] !== PAGE_POISON) {
        throw new BugError("allocPage", `free frame ${pfn} was written at offset ${byte % PAGE_SIZE}`);
      }
    }
  }
}
