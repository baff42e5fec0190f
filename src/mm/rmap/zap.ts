/**
 * Taking pages out of a page table (zap_page_range, mm/memory.c).
 *
 * Unmapping, discarding (MADV_DONTNEED), truncation and exit all come here: each PTE of a range is cleared, and its
 * page loses what the PTE stood for: one map count, one reference, one page of Rss. What the hardware noted in the PTE
 * moves to the page first: dirty, so that the write is not lost, accessed, so that reclaim knows. The tables themselves
 * stay; who removes the mapping frees them.
 */
import { BugError } from "../bug.ts";
import { markPageAccessed } from "../frames/lru.ts";
import { munlockPage } from "../frames/mlock.ts";
import { PG_ANON, PG_SWAPBACKED, PG_SWAPCACHE } from "../frames/page-flags.ts";
import { PAGE_SIZE, type Vaddr } from "../page.ts";
import { PMD_SIZE } from "../pagetable/page-table.ts";
import {
  isSwapPte,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_GUARD,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_WORDS,
} from "../pagetable/pte.ts";
import { freeSwap, freeSwapAndCache } from "../swap/swap-cache.ts";
import { pteToSwpEntry } from "../swap/swap-entry.ts";
import { NR_ANON_MAPPED, NR_FILE_MAPPED } from "../trace/vmstat.ts";
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, type MmStruct } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_LOCKED, VM_RAND_READ, VM_SEQ_READ } from "../vma/vm-flags.ts";
import { setPageDirty } from "./page-dirty.ts";

/** Clears every PTE of start … end, which lies in `vma` and is being unmapped, and flushes the TLB. */
export function zapRange(mm: MmStruct, vma: VmArea, start: Vaddr, end: Vaddr): void {
  zapPtes(mm, vma, start, end, /* evenCows */ true, /* evenGuards */ true);
}

/** As zapRange for a mapping that stays: guard markers are part of it, and stay too (zap_page_range_single). */
export function zapPages(mm: MmStruct, vma: VmArea, start: Vaddr, end: Vaddr): void {
  zapPtes(mm, vma, start, end, /* evenCows */ true, /* evenGuards */ false);
}

/** As zapPages, but leaves what is the process's own: copies of file pages (zap_details without even_cows). */
export function zapFilePages(mm: MmStruct, vma: VmArea, start: Vaddr, end: Vaddr): void {
  zapPtes(mm, vma, start, end, /* evenCows */ false, /* evenGuards */ false);
}

function zapPtes(
  mm: MmStruct,
  vma: VmArea,
  start: Vaddr,
  end: Vaddr,
  evenCows: boolean,
  evenGuards: boolean,
): void {
  const { pageTable } = mm;
  let addr: number = start;
  let zapped = 0;
  while (addr < end) {
    const pte = pageTable.walk(addr);
    if (pte === 0) {
      addr = pageTable.holeEnd;
      continue;
    }
    const stop = Math.min(end, addr - (addr % PMD_SIZE) + PMD_SIZE);
    const last = pte + ((stop - addr) / PAGE_SIZE) * PTE_WORDS;
    zapped += zapTable(mm, vma, pte, last, evenCows, evenGuards);
    addr = stop;
  }
  // A frame that was freed above can't be given out before this: nothing has been allocated since.
  if (zapped !== 0) mm.tlb.flushRange(start, end);
}

/** Clears the PTEs of one table from word index `from` up to `end`. Answers how many present ones it cleared. */
function zapTable(
  mm: MmStruct,
  vma: VmArea,
  from: number,
  end: number,
  evenCows: boolean,
  evenGuards: boolean,
): number {
  const { phys, rss } = mm;
  const { frames } = phys;
  const { u32 } = phys.ram;
  const { flags, mapCount } = frames;
  // With such advice the mapping's accesses say nothing about the future (vma_has_recency).
  const hasRecency = (vma.flags & (VM_SEQ_READ | VM_RAND_READ)) === 0;
  const isLocked = (vma.flags & VM_LOCKED) !== 0;
  let zapped = 0;
  let anon = 0;
  let file = 0;
  let shmem = 0;
  let swapped = 0;
  let anonUnmapped = 0;
  let fileUnmapped = 0;
  for (let pte = from; pte < end; pte += PTE_WORDS) {
    const word = u32[pte];
    if (word === 0) continue;
    if ((word & PTE_PRESENT) === 0) {
      if (word === PTE_GUARD) {
        if (evenGuards) u32[pte] = 0;
        continue;
      }
      // What is in swap, or was lost there, is the process's own.
      if (!evenCows) continue;
      const offset = u32[pte + 1];
      u32[pte] = 0;
      u32[pte + 1] = 0;
      if (!isSwapPte(word)) continue;
      swapped++;
      freeSwapAndCache(phys, pteToSwpEntry(word, offset));
      continue;
    }
    const pfn = u32[pte + 1];
    const special = (word & PTE_SPECIAL) !== 0;
    const isAnon = !special && (flags[pfn] & PG_ANON) !== 0;
    if (!evenCows && isAnon) continue;
    u32[pte] = 0;
    u32[pte + 1] = 0;
    zapped++;
    if (special) continue;
    const left = --mapCount[pfn];
    if (left < 0) throw new BugError("zapTable", `frame ${pfn} was not mapped`);
    if (isLocked) munlockPage(phys, pfn);
    if (isAnon) {
      anon++;
      if (left === 0) {
        anonUnmapped++;
        // Nobody may need the slot any more: then the cache does not keep the page (free_swap_cache).
        if ((flags[pfn] & PG_SWAPCACHE) !== 0) freeSwap(phys, pfn);
      }
    } else {
      if ((word & PTE_DIRTY) !== 0) setPageDirty(phys, pfn);
      if (hasRecency && (word & PTE_ACCESSED) !== 0) markPageAccessed(phys, pfn);
      if ((flags[pfn] & PG_SWAPBACKED) !== 0) shmem++;
      else file++;
      if (left === 0) fileUnmapped++;
    }
    phys.putPage(pfn);
  }
  rss[MM_ANONPAGES] -= anon;
  rss[MM_FILEPAGES] -= file;
  rss[MM_SHMEMPAGES] -= shmem;
  rss[MM_SWAPENTS] -= swapped;
  phys.stat[NR_ANON_MAPPED] -= anonUnmapped;
  phys.stat[NR_FILE_MAPPED] -= fileUnmapped;
  return zapped;
}
