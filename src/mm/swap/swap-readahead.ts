/**
 * Reading pages from swap, and which others along with the one that is needed (mm/swap_state.c).
 *
 * What was swapped out together is likely to be needed together. Where seeking is cheap, "together" means neighbours in
 * memory: the window lies around the faulting address, and follows it when it moves up or down. Where it is not, it means
 * neighbours on the device. Either window grows with each page of the last one that was used, up to 2^vm.page-cluster
 * pages, and shrinks when none was.
 */
import { lruAdd } from "../frames/lru.ts";
import { PG_READAHEAD } from "../frames/page-flags.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { workingsetRefault } from "../frames/workingset.ts";
import { PAGE_SIZE, type Pfn, pageAlignDown, type Vaddr } from "../page.ts";
import { PMD_SIZE } from "../pagetable/page-table.ts";
import { isSwapPte } from "../pagetable/pte.ts";
import { SWAP_RA, SWAP_RA_HIT } from "../trace/vmstat.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { swapReadPage } from "./page-io.ts";
import { addToSwapCache, deleteFromSwapCache, swapCacheLookup } from "./swap-cache.ts";
import { pteToSwpEntry, type SwpEntry, swpEntry, swpOffset, swpType } from "./swap-entry.ts";
import { type SwapSpace, swapSpace } from "./swap-space.ts";
import { finishSwapPlug, startSwapPlug, waitForSwapReads } from "./swap-writeback.ts";

/** log2 of the largest window around an address (SWAP_RA_ORDER_CEILING). */
const RA_ORDER_CEILING = 5;
/** Hits that are remembered at most (SWAP_RA_HITS_MAX). */
const RA_HITS_MAX = 63;

/**
 * The page of `entry`, which a fault at `addr` of `vma` needs and which is not in the cache, with its neighbours read as
 * well. It has a reference for the caller, and no PG_UPTODATE if the device failed; 0 without memory (swapin_readahead).
 */
export function swapinReadahead(phys: PhysicalMemory, entry: SwpEntry, vma: VmArea, addr: Vaddr): Pfn {
  const swap = swapSpace(phys);
  return swap.nrRotational === 0
    ? swapVmaReadahead(swap, entry, vma, addr)
    : swapClusterReadahead(phys, entry);
}

/** A page was found in the cache: was it readahead that brought it? (swap_update_readahead) `vma` is null for shmem. */
export function swapUpdateReadahead(phys: PhysicalMemory, pfn: Pfn, vma: VmArea | null, addr: Vaddr): void {
  const { flags } = phys.frames;
  const swap = swapSpace(phys);
  const isHit = (flags[pfn] & PG_READAHEAD) !== 0;
  flags[pfn] &= ~PG_READAHEAD;
  const byVma = vma !== null && swap.nrRotational === 0;
  if (byVma) {
    vma.swapRaAddr = addr;
    if (isHit) vma.swapRaHits = Math.min(vma.swapRaHits + 1, RA_HITS_MAX);
  }
  if (!isHit) return;
  phys.stat[SWAP_RA_HIT]++;
  if (!byVma) swap.raHits++;
}

/** As swapinReadahead, with the neighbours on the device (swap_cluster_readahead). */
export function swapClusterReadahead(phys: PhysicalMemory, entry: SwpEntry): Pfn {
  const swap = swapSpace(phys);
  const offset = swpOffset(entry);
  const mask = clusterWindow(swap, offset) - 1;
  if (mask !== 0) {
    const type = swpType(entry);
    const last = Math.min(offset | mask, swap.infoOf(entry).max - 1);
    startSwapPlug(swap);
    try {
      // Slot 0 is the header.
      for (let slot = Math.max(offset & ~mask, 1); slot <= last; slot++) {
        readAhead(swap, swpEntry(type, slot), slot === offset);
      }
    } finally {
      finishSwapPlug(swap);
    }
  }
  const pfn = readSwapCache(phys, entry);
  waitForSwapReads(swap, swap.infoOf(entry));
  return pfn;
}

/**
 * The page of `entry` in the cache, read if it is not there, with a reference for the caller; 0 when the slot is free or
 * memory is out (read_swap_cache_async).
 */
export function readSwapCache(phys: PhysicalMemory, entry: SwpEntry): Pfn {
  const cached = swapCacheLookup(phys, entry);
  if (cached !== 0) {
    phys.getPage(cached);
    return cached;
  }
  return readIntoSwapCache(swapSpace(phys), entry);
}

/** Reads what start … end of `vma` has in swap into the cache (MADV_WILLNEED, swapin_walk_pmd_entry). */
export function swapinRange(vma: VmArea, start: Vaddr, end: Vaddr): void {
  const { pageTable, phys } = vma.mm;
  const { u32 } = phys.ram;
  for (let addr: number = start; addr < end; ) {
    const pte = pageTable.walk(addr);
    if (pte === 0) {
      addr = pageTable.holeEnd;
      continue;
    }
    if (isSwapPte(u32[pte])) {
      const pfn = readSwapCache(phys, pteToSwpEntry(u32[pte], u32[pte + 1]));
      if (pfn !== 0) phys.putPage(pfn);
    }
    addr += PAGE_SIZE;
  }
}

function swapVmaReadahead(swap: SwapSpace, entry: SwpEntry, vma: VmArea, addr: Vaddr): Pfn {
  const { phys } = swap;
  const window = vmaWindow(swap, vma, addr);
  if (window.end > window.start) {
    const { u32 } = phys.ram;
    startSwapPlug(swap);
    try {
      for (let at = window.start; at < window.end; at += PAGE_SIZE) {
        const pte = vma.mm.pageTable.walk(at);
        if (pte === 0) break;
        if (isSwapPte(u32[pte])) readAhead(swap, pteToSwpEntry(u32[pte], u32[pte + 1]), at === addr);
      }
    } finally {
      finishSwapPlug(swap);
    }
  }
  const pfn = readSwapCache(phys, entry);
  waitForSwapReads(swap, swap.infoOf(entry));
  return pfn;
}

/** Where the last call of vmaWindow found that readahead begins and ends: kept, so that a fault allocates nothing. */
const WINDOW = { start: 0, end: 0 };

/** The window around `addr`, empty for the page alone (swap_vma_ra_win). */
function vmaWindow(swap: SwapSpace, vma: VmArea, addr: Vaddr): Readonly<typeof WINDOW> {
  WINDOW.start = addr;
  WINDOW.end = addr;
  const max = 1 << Math.min(swap.pageCluster, RA_ORDER_CEILING);
  if (max === 1) return WINDOW;
  const page = addr / PAGE_SIZE;
  const previous = vma.swapRaAddr / PAGE_SIZE;
  const pages = swapinNrPages(previous, page, vma.swapRaHits, max, vma.swapRaWin);
  vma.swapRaAddr = addr;
  vma.swapRaWin = pages;
  vma.swapRaHits = 0;
  if (pages === 1) return WINDOW;
  let first: number;
  let end: number;
  if (page === previous + 1) {
    first = page;
    end = page + pages;
  } else if (previous === page + 1) {
    first = page - pages + 1;
    end = page + 1;
  } else {
    const left = (pages - 1) >> 1;
    first = page - left;
    end = page + pages - left;
  }
  const table = pageAlignDown(addr - (addr & (PMD_SIZE - 1)));
  WINDOW.start = Math.max(first * PAGE_SIZE, vma.start, table);
  WINDOW.end = Math.min(end * PAGE_SIZE, vma.end, table + PMD_SIZE);
  return WINDOW;
}

/** The size of the window along the device, a power of two (swapin_nr_pages). */
function clusterWindow(swap: SwapSpace, offset: number): number {
  const max = 2 ** swap.pageCluster;
  if (max <= 1) return 1;
  const hits = swap.raHits;
  swap.raHits = 0;
  const pages = swapinNrPages(swap.raPrevOffset, offset, hits, max, swap.raLastPages);
  if (hits === 0) swap.raPrevOffset = offset;
  swap.raLastPages = pages;
  return pages;
}

/** How many pages to read: more with each hit of the last window, and never less than half of that (__swapin_nr_pages). */
function swapinNrPages(previous: number, at: number, hits: number, max: number, lastWindow: number): number {
  let pages = hits + 2;
  if (pages === 2) {
    // Nothing to judge by, but a step to the neighbour.
    if (at !== previous + 1 && at !== previous - 1) pages = 1;
  } else {
    let rounded = 4;
    while (rounded < pages) rounded *= 2;
    pages = rounded;
  }
  return Math.max(Math.min(pages, max), lastWindow >> 1);
}

/** Reads one page of a window, unless it is there or its slot is free. */
function readAhead(swap: SwapSpace, entry: SwpEntry, isTarget: boolean): void {
  const { phys } = swap;
  if (swapCacheLookup(phys, entry) !== 0 || swap.count(entry) <= 0) return;
  const pfn = readIntoSwapCache(swap, entry);
  if (pfn === 0) return;
  if (!isTarget) {
    phys.frames.flags[pfn] |= PG_READAHEAD;
    phys.stat[SWAP_RA]++;
  }
  phys.putPage(pfn);
}

/** Reads a slot into a fresh page of the cache, with a reference for the caller; 0 without memory or for a free slot. */
function readIntoSwapCache(swap: SwapSpace, entry: SwpEntry): Pfn {
  const { phys } = swap;
  if (swap.count(entry) <= 0) return 0;
  const info = swap.infoOf(entry);
  const slot = swpOffset(entry);
  const group = info.memcg[slot];
  const pfn = phys.allocPageFor(group);
  if (pfn === 0) return 0;
  if (swap.count(entry) <= 0 || info.cache[slot] !== 0 || info.memcg[slot] !== group) {
    // Looking for the frame has ended the last process that named the slot, or another page has come to be in it since.
    phys.putPage(pfn);
    return 0;
  }
  const shadow = info.shadow[slot];
  addToSwapCache(phys, pfn, entry);
  try {
    // The content comes before reclaim can see the page.
    swapReadPage(phys, pfn, entry);
  } catch (error) {
    deleteFromSwapCache(phys, pfn, shadow);
    phys.putPage(pfn);
    throw error;
  }
  if (shadow !== 0) workingsetRefault(phys, pfn, shadow);
  lruAdd(phys, pfn);
  return pfn;
}
