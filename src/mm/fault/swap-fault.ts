/**
 * A touch of a page that is in swap (do_swap_page).
 *
 * ```
 *   in the swap cache?  ──yes──▶ minor fault
 *        │ no
 *   one user, and a device as fast as memory ──▶ read straight into a frame        major fault
 *   else ──▶ read into the swap cache, neighbours too, for all who share it         major fault
 *        ▼
 *   the PTE's claim on the slot is given up; nobody else's ──▶ the slot, too, if more than half of swap is used,
 *        │                                                     or the page is about to be written
 *        ▼
 *   mapped: writable if the page is this process's alone; else the write copies it (do_wp_page)
 * ```
 *
 * Whether it is its alone was noted in the PTE when it went out, or shows by nobody else holding it now.
 */
import { lruAdd } from "../frames/lru.ts";
import { PG_LAST_COPY, PG_MLOCKED, PG_SWAPBACKED, PG_SWAPCACHE, PG_UPTODATE } from "../frames/page-flags.ts";
import { workingsetRefault } from "../frames/workingset.ts";
import type { Pfn } from "../page.ts";
import {
  isSwapPte,
  PTE_DIRTY,
  PTE_GUARD,
  PTE_MARKER,
  PTE_SWP_EXCLUSIVE,
  PTE_WRITE,
} from "../pagetable/pte.ts";
import { pageAddSwappedRmap } from "../rmap/page-mapping.ts";
import { swapReadPage } from "../swap/page-io.ts";
import { freeSwap, swapCacheLookup } from "../swap/swap-cache.ts";
import { pteToSwpEntry, type SwpEntry, swpOffset } from "../swap/swap-entry.ts";
import { swapinReadahead, swapUpdateReadahead } from "../swap/swap-readahead.ts";
import { type SwapSpace, swapSpace } from "../swap/swap-space.ts";
import { PGMAJFAULT } from "../trace/vmstat.ts";
import { decMmCounter, incMmCounter, MM_ANONPAGES, MM_SWAPENTS } from "../vma/mm-struct.ts";
import { VM_LOCKED, VM_WRITE } from "../vma/vm-flags.ts";
import { VM_FAULT_MAJOR, VM_FAULT_OOM, VM_FAULT_SIGBUS, VM_FAULT_SIGSEGV } from "../vma/vm-operations.ts";
import { CAUSE, type FaultContext, readablePte } from "./fault-context.ts";
import { doWpPage } from "./wp-fault.ts";

export function doSwapPage(vmf: FaultContext): number {
  const { phys, vma } = vmf;
  const { u32 } = phys.ram;
  const word = u32[vmf.pte];
  const offset = u32[vmf.pte + 1];
  // A guard, or a page that swapoff could not read.
  if ((word & PTE_MARKER) !== 0) return word === PTE_GUARD ? VM_FAULT_SIGSEGV : VM_FAULT_SIGBUS;
  vmf.cause = CAUSE.swap;
  const swap = swapSpace(phys);
  const entry = pteToSwpEntry(word, offset);
  const { frames } = phys;
  let major = 0;
  let pfn = swapCacheLookup(phys, entry);
  if (pfn !== 0) {
    swapUpdateReadahead(phys, pfn, vma, vmf.address);
    phys.getPage(pfn);
  } else {
    const isDirect = swap.infoOf(entry).device.isSynchronous === true && swap.count(entry) === 1;
    pfn = isDirect ? swapinDirect(vmf, swap, entry) : swapinReadahead(phys, entry, vma, vmf.address);
    if (pfn === 0) return u32[vmf.pte] === word ? VM_FAULT_OOM : 0;
    major = VM_FAULT_MAJOR;
    phys.stat[PGMAJFAULT]++;
    // Looking for frames may have ended the process, and its pages.
    if (u32[vmf.pte] !== word || u32[vmf.pte + 1] !== offset) {
      phys.putPage(pfn);
      return major;
    }
  }
  if ((frames.flags[pfn] & PG_UPTODATE) === 0) {
    phys.putPage(pfn);
    return VM_FAULT_SIGBUS;
  }
  const isFresh = (frames.flags[pfn] & PG_SWAPCACHE) === 0;
  swap.free(entry);
  if (shouldTryToFreeSwap(vmf, swap, pfn)) freeSwap(phys, pfn);
  const isExclusive = isFresh || (word & PTE_SWP_EXCLUSIVE) !== 0 || frames.refCount[pfn] === 1;
  incMmCounter(vma.mm, MM_ANONPAGES);
  decMmCounter(vma.mm, MM_SWAPENTS);
  let mapped = readablePte(vma);
  let needsCopy = vmf.isWrite;
  if (isExclusive && (vma.flags & VM_WRITE) !== 0) {
    mapped |= vmf.isWrite ? PTE_WRITE | PTE_DIRTY : PTE_WRITE;
    needsCopy = false;
  }
  pageAddSwappedRmap(phys, pfn, vma, vmf.address, isExclusive);
  u32[vmf.pte + 1] = pfn;
  u32[vmf.pte] = mapped;
  if (!needsCopy) return major;
  const result = doWpPage(vmf);
  vmf.cause = CAUSE.swap;
  vmf.sharer = 0;
  return major | result;
}

/** Whether the slot is better given back than kept for the case that the page leaves again unchanged. */
function shouldTryToFreeSwap(vmf: FaultContext, swap: SwapSpace, pfn: Pfn): boolean {
  const { frames } = vmf.phys;
  if ((frames.flags[pfn] & PG_SWAPCACHE) === 0) return false;
  if (swap.isFullFor(pfn) || (vmf.vma.flags & VM_LOCKED) !== 0 || (frames.flags[pfn] & PG_MLOCKED) !== 0)
    return true;
  // Held by us and the cache alone: without the cache it can be written in place.
  return vmf.isWrite && frames.refCount[pfn] === 2;
}

/** Reads a page that nobody shares into a frame of its own, past the cache; 0 without memory. */
function swapinDirect(vmf: FaultContext, swap: SwapSpace, entry: SwpEntry): Pfn {
  const { phys } = vmf;
  const info = swap.infoOf(entry);
  const slot = swpOffset(entry);
  const pfn = phys.allocPageFor(info.memcg[slot]);
  // Looking for the frame may have ended the process: its slot is not its own any more.
  if (pfn === 0 || !isSwapPte(phys.ram.u32[vmf.pte])) return pfn;
  try {
    if (swapReadPage(phys, pfn, entry) !== 0) return pfn;
  } catch (error) {
    phys.putPage(pfn);
    throw error;
  }
  phys.frames.flags[pfn] |= PG_SWAPBACKED | PG_LAST_COPY;
  if (info.shadow[slot] !== 0) workingsetRefault(phys, pfn, info.shadow[slot]);
  lruAdd(phys, pfn);
  return pfn;
}
