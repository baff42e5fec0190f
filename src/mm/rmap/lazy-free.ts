/**
 * MADV_FREE: pages whose content the program can do without (madvise_free_pte_range in mm/madvise.c, folio_mark_lazyfree
 * in mm/swap.c).
 *
 * Nothing is taken away at once. The PTE keeps its frame, but becomes clean, and the page loses PG_SWAPBACKED: it is now
 * worth as little as a clean page of a file, and moves to the lists where reclaim looks for those. A store sets the dirty
 * bit of the PTE, as any store does, and thereby takes the page back: reclaim finds the bit and leaves the page alone.
 */
import { activatePage, lruAdd, lruDel } from "../frames/lru.ts";
import {
  PG_ACTIVE,
  PG_ANON,
  PG_DIRTY,
  PG_LAST_COPY,
  PG_REFERENCED,
  PG_SWAPBACKED,
  PG_SWAPCACHE,
  PG_UNEVICTABLE,
} from "../frames/page-flags.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SIZE, type Pfn, type Vaddr } from "../page.ts";
import { PMD_SIZE } from "../pagetable/page-table.ts";
import { isSwapPte, PTE_ACCESSED, PTE_DIRTY, PTE_PRESENT, PTE_SPECIAL, PTE_WORDS } from "../pagetable/pte.ts";
import { freeSwap, freeSwapAndCache } from "../swap/swap-cache.ts";
import { pteToSwpEntry } from "../swap/swap-entry.ts";
import { PGLAZYFREE } from "../trace/vmstat.ts";
import { decMmCounter, MM_SWAPENTS } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";

/** Gives up the pages of start … end, which lies in the anonymous mapping `vma`, and flushes the TLB. */
export function lazyFreeRange(vma: VmArea, start: Vaddr, end: Vaddr): void {
  const { mm } = vma;
  const { phys, pageTable } = mm;
  const { u32 } = phys.ram;
  for (let addr: number = start; addr < end; ) {
    let pte = pageTable.walk(addr);
    if (pte === 0) {
      addr = pageTable.holeEnd;
      continue;
    }
    const tableEnd = Math.min(addr - (addr & (PMD_SIZE - 1)) + PMD_SIZE, end);
    for (; addr < tableEnd; addr += PAGE_SIZE, pte += PTE_WORDS) {
      const word = u32[pte];
      if (isSwapPte(word)) {
        // In swap it is worth nothing at once.
        freeSwapAndCache(phys, pteToSwpEntry(word, u32[pte + 1]));
        u32[pte] = 0;
        u32[pte + 1] = 0;
        decMmCounter(mm, MM_SWAPENTS);
        continue;
      }
      if ((word & (PTE_PRESENT | PTE_SPECIAL)) !== PTE_PRESENT) continue;
      const pfn = u32[pte + 1];
      if (!cleanPage(phys, pfn, word)) continue;
      u32[pte] &= ~(PTE_DIRTY | PTE_ACCESSED);
      markLazyFree(phys, pfn);
    }
  }
  mm.tlb.flushRange(start, end);
}

/**
 * Makes the page itself clean. False where another process needs it, too: then it is not this one's to give up.
 *
 * Of a page that a fork shares each PTE says that it was written, and keeps it for its own process. But one that came
 * from swap past the cache and was only read since is the last copy (PG_LAST_COPY), as no PTE says (`word` is that of the
 * process that gives up): it stays as long as anybody else maps it.
 */
function cleanPage(phys: PhysicalMemory, pfn: Pfn, word: number): boolean {
  const { flags, mapCount } = phys.frames;
  const isShared = mapCount[pfn] !== 1;
  if ((flags[pfn] & (PG_DIRTY | PG_SWAPCACHE)) === 0) {
    const isLastCopy = (flags[pfn] & PG_LAST_COPY) !== 0;
    return !isShared || !isLastCopy || (word & PTE_DIRTY) !== 0 || isLazyFree(flags[pfn]);
  }
  if (isShared) return false;
  if ((flags[pfn] & PG_SWAPCACHE) !== 0 && !freeSwap(phys, pfn)) return false;
  flags[pfn] &= ~PG_DIRTY;
  return true;
}

/** A page that is given up already, or may not leave memory, stays where it is. */
function markLazyFree(phys: PhysicalMemory, pfn: Pfn): void {
  const { flags } = phys.frames;
  const now = flags[pfn];
  if ((now & (PG_ANON | PG_SWAPBACKED)) !== (PG_ANON | PG_SWAPBACKED)) return;
  if ((now & (PG_SWAPCACHE | PG_UNEVICTABLE)) !== 0) return;
  lruDel(phys, pfn);
  flags[pfn] &= ~(PG_ACTIVE | PG_REFERENCED | PG_SWAPBACKED);
  lruAdd(phys, pfn);
  phys.stat[PGLAZYFREE]++;
}

/** Whether `flags` (PG_…) are those of a page that was given up, by MADV_FREE or, with its mapping, by MAP_DROPPABLE. */
export function isLazyFree(flags: number): boolean {
  return (flags & (PG_ANON | PG_SWAPBACKED)) === PG_ANON;
}

/**
 * A page that was given up turned out to be in use: it is worth keeping again, among the active anonymous pages
 * (folio_set_swapbacked).
 */
export function keepLazyFree(phys: PhysicalMemory, pfn: Pfn): void {
  lruDel(phys, pfn);
  const { flags } = phys.frames;
  flags[pfn] = (flags[pfn] & ~PG_REFERENCED) | PG_SWAPBACKED;
  lruAdd(phys, pfn);
  activatePage(phys, pfn);
}
