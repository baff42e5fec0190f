/**
 * Taking a page out of every page table, whoever maps it (try_to_unmap in mm/rmap.c). Of a page that has a slot in swap
 * the PTEs keep the slot instead, and whether the page was their process's alone.
 */
import { PG_ANON, PG_ANON_EXCLUSIVE, PG_DIRTY, PG_SWAPBACKED } from "../frames/page-flags.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import type { Pfn, Vaddr } from "../page.ts";
import { PTE_DIRTY } from "../pagetable/pte.ts";
import { isLazyFree } from "../rmap/lazy-free.ts";
import { setPageDirty } from "../rmap/page-dirty.ts";
import { mmCounter, pageRemoveRmap } from "../rmap/page-mapping.ts";
import { type PteVisitor, rmapWalk } from "../rmap/rmap-walk.ts";
import { swapDuplicate } from "../swap/swap-cache.ts";
import { swapPteWord, swpOffset } from "../swap/swap-entry.ts";
import { decMmCounter, incMmCounter, MM_SWAPENTS } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_DROPPABLE, VM_LOCKED } from "../vma/vm-flags.ts";

class Unmapper implements PteVisitor {
  visit(vma: VmArea, addr: Vaddr, pte: number): boolean {
    if ((vma.flags & VM_LOCKED) !== 0) return false;
    const { mm } = vma;
    const { phys } = mm;
    const { u32 } = phys.ram;
    const { flags } = phys.frames;
    const word = u32[pte];
    const pfn = u32[pte + 1];
    if (isLazyFree(flags[pfn]) && (vma.flags & VM_DROPPABLE) === 0) {
      if ((word & PTE_DIRTY) !== 0) setPageDirty(phys, pfn);
      if ((flags[pfn] & PG_DIRTY) !== 0) return false;
    }
    const kind = flags[pfn] & (PG_ANON | PG_SWAPBACKED);
    if (kind === (PG_ANON | PG_SWAPBACKED)) {
      const entry = phys.frames.priv[pfn];
      swapDuplicate(phys, entry);
      u32[pte] = swapPteWord(entry, (flags[pfn] & PG_ANON_EXCLUSIVE) !== 0);
      u32[pte + 1] = swpOffset(entry);
      flags[pfn] &= ~PG_ANON_EXCLUSIVE;
      incMmCounter(mm, MM_SWAPENTS);
    } else {
      u32[pte] = 0;
      u32[pte + 1] = 0;
    }
    mm.tlb.flushPage(addr);
    if ((word & PTE_DIRTY) !== 0) setPageDirty(phys, pfn);
    decMmCounter(mm, mmCounter(flags[pfn]));
    pageRemoveRmap(phys, pfn);
    phys.putPage(pfn);
    return true;
  }
}

const unmapper: Unmapper = new Unmapper();

/**
 * Clears every PTE that maps a page, or makes a swap entry of it; what they knew of it moves to the page. Answers whether none is left: it stops at a locked mapping, and where one that was given up was written since.
 * Precondition: somebody, the cache or the caller, holds a reference beside those of the PTEs; an anonymous page that was
 * not given up is in the swap cache.
 */
export function tryToUnmap(phys: PhysicalMemory, pfn: Pfn): boolean {
  rmapWalk(phys, pfn, unmapper);
  return phys.frames.mapCount[pfn] === 0;
}
