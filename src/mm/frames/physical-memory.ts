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
import { ALLOCSTALL, NR_FREE_PAGES, newVmStat, PGALLOC, PGFREE, type VmStat } from "../trace/vmstat.ts";
import { Buddy } from "./buddy.ts";
import { Commit } from "./commit.ts";
import { lruDel } from "./lru.ts";
import { PG_ICACHE, PG_LRU, PG_RESERVED } from "./page-flags.ts";
import { PageFrames } from "./page-frames.ts";
import { Ram, ZERO_PFN } from "./ram.ts";

/** What a frame's `mapping` column can name: an address_space or an anon_vma. */
export interface PageOwner {
  readonly ownerKind: "file" | "anon";
}

/** Makes frames free when none are. Registered at boot by the room above that can. */
export interface Reclaimer {
  /** Tries to free at least `nrPages` frames; answers how many it freed, 0 when nothing more can be. */
  tryToFreePages(nrPages: number): number;
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

/** The byte that fills free frames in debug mode (PAGE_POISON). */
export const PAGE_POISON = 0xaa;

export class PhysicalMemory {
  readonly ram: Ram;
  readonly frames: PageFrames;
  readonly buddy: Buddy;
  readonly stat: VmStat = newVmStat();
  readonly tracer: Tracer = new Tracer();
  /** Memory promised to mappings, touched or not. */
  readonly commit: Commit;
  /** The address_spaces and anon_vmas that frames belong to, by the id in the `mapping` column. */
  readonly owners: IdTable<PageOwner> = new IdTable<PageOwner>();
  /** Frames that can be allocated at all. */
  readonly totalFrames: number;
  /** Least free frames seen since boot: total − this is the peak of resident frames. */
  minFreeFrames: number;
  reclaimer: Reclaimer | undefined;
  icache: InstructionCache | undefined;
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
    this.commit = new Commit(this.totalFrames);
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
    let pfn = this.buddy.alloc(0);
    if (pfn === 0) pfn = this.#allocSlow();
    if (pfn === 0) return 0;
    const { frames, stat } = this;
    if (this.#poison) this.#checkPoison(pfn);
    frames.refCount[pfn] = 1;
    stat[PGALLOC]++;
    const free = this.buddy.freeFrames;
    stat[NR_FREE_PAGES] = free;
    if (free < this.minFreeFrames) this.minFreeFrames = free;
    return pfn;
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

  /** Frames in use now. */
  get usedFrames(): number {
    return this.totalFrames - this.buddy.freeFrames;
  }

  #allocSlow(): Pfn {
    while (this.reclaimer !== undefined) {
      this.stat[ALLOCSTALL]++;
      if (this.reclaimer.tryToFreePages(32) === 0) return 0;
      const pfn = this.buddy.alloc(0);
      if (pfn !== 0) return pfn;
    }
    return 0;
  }

  #freePage(pfn: Pfn): void {
    const { frames } = this;
    if (frames.mapCount[pfn] !== 0) {
      throw new BugError("freePage", `frame ${pfn} is still mapped ${frames.mapCount[pfn]} times`);
    }
    this.flushIcache(pfn);
    // Only anonymous pages are still on a list when nobody has them any more: what leaves a page cache is taken off before.
    if ((frames.flags[pfn] & PG_LRU) !== 0) lruDel(this, pfn);
    frames.flags[pfn] = 0;
    frames.mapping[pfn] = 0;
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
