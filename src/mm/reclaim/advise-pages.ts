/**
 * MADV_COLD and MADV_PAGEOUT: the program knows better than reclaim what it won't need (madvise_cold_or_pageout_pte_range
 * in mm/madvise.c). Cold pages are the next that reclaim takes; pages to be paged out go at once. Only pages that nobody
 * else maps: the advice is not for others.
 */
import { deactivatePage } from "../frames/lru.ts";
import { PG_ACTIVE, PG_ANON, PG_LRU, PG_REFERENCED, PG_UNEVICTABLE } from "../frames/page-flags.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SIZE, type Pfn, type Vaddr } from "../page.ts";
import { PMD_SIZE } from "../pagetable/page-table.ts";
import { PTE_ACCESSED, PTE_PRESENT, PTE_SPECIAL, PTE_WORDS } from "../pagetable/pte.ts";
import { settleSwapWriteback } from "../swap/swap-writeback.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { pageOut } from "./shrink-page.ts";

/** Makes the pages of start … end, which lies in `vma`, the first that reclaim takes: they count as not used. */
export function coolPages(vma: VmArea, start: Vaddr, end: Vaddr): void {
  const { mm } = vma;
  const { u32 } = mm.phys.ram;
  forEachOwnPage(vma, start, end, (pfn, pte) => {
    u32[pte] &= ~PTE_ACCESSED;
    deactivate(mm.phys, pfn);
  });
  mm.tlb.flushRange(start, end);
}

function deactivate(phys: PhysicalMemory, pfn: Pfn): void {
  const { flags } = phys.frames;
  flags[pfn] &= ~PG_REFERENCED;
  if ((flags[pfn] & (PG_LRU | PG_UNEVICTABLE)) !== PG_LRU) return;
  // The multi-gen LRU knows by the generation, not by the flag, what is active.
  if (phys.lruvecs.genEnabled || (flags[pfn] & PG_ACTIVE) !== 0) deactivatePage(phys, pfn);
}

/**
 * Takes the pages of start … end, which lies in `vma`, out of memory, as far as they can be had again. @param onlyAnon
 * the file's pages are not the caller's to take
 */
export function pageOutRange(vma: VmArea, start: Vaddr, end: Vaddr, onlyAnon: boolean): void {
  const { phys } = vma.mm;
  const { flags } = phys.frames;
  forEachOwnPage(vma, start, end, (pfn) => {
    if (onlyAnon && (flags[pfn] & PG_ANON) === 0) return;
    flags[pfn] &= ~PG_REFERENCED;
    if ((flags[pfn] & (PG_LRU | PG_UNEVICTABLE)) === PG_LRU) pageOut(phys, pfn);
  });
  settleSwapWriteback(phys);
}

/** Calls `visit` for each page in start … end of `vma` that no other PTE maps. */
function forEachOwnPage(vma: VmArea, start: Vaddr, end: Vaddr, visit: (pfn: Pfn, pte: number) => void): void {
  const { phys, pageTable } = vma.mm;
  const { u32 } = phys.ram;
  const { mapCount } = phys.frames;
  for (let addr: number = start; addr < end; ) {
    let pte = pageTable.walk(addr);
    if (pte === 0) {
      addr = pageTable.holeEnd;
      continue;
    }
    const tableEnd = Math.min(addr - (addr & (PMD_SIZE - 1)) + PMD_SIZE, end);
    for (; addr < tableEnd; addr += PAGE_SIZE, pte += PTE_WORDS) {
      if ((u32[pte] & (PTE_PRESENT | PTE_SPECIAL)) !== PTE_PRESENT) continue;
      if (mapCount[u32[pte + 1]] === 1) visit(u32[pte + 1], pte);
    }
  }
}
