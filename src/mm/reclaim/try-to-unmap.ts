/** Taking a page out of every page table, whoever maps it (try_to_unmap in mm/rmap.c). */
import { PG_DIRTY } from "../frames/page-flags.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import type { Pfn, Vaddr } from "../page.ts";
import { PTE_DIRTY } from "../pagetable/pte.ts";
import { isLazyFree } from "../rmap/lazy-free.ts";
import { setPageDirty } from "../rmap/page-dirty.ts";
import { mmCounter, pageRemoveRmap } from "../rmap/page-mapping.ts";
import { type PteVisitor, rmapWalk } from "../rmap/rmap-walk.ts";
import { decMmCounter } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_DROPPABLE, VM_LOCKED } from "../vma/vm-flags.ts";

class Unmapper implements PteVisitor {
  visit(vma: VmArea, addr: Vaddr, pte: number): boolean {
    if ((vma.flags & VM_LOCKED) !== 0) return false;
    const { mm } = vma;
    const { phys } = mm;
    const { u32 } = phys.ram;
    const word = u32[pte];
    const pfn = u32[pte + 1];
    if (isLazyFree(phys.frames.flags[pfn]) && (vma.flags & VM_DROPPABLE) === 0) {
      if ((word & PTE_DIRTY) !== 0) setPageDirty(phys, pfn);
      if ((phys.frames.flags[pfn] & PG_DIRTY) !== 0) return false;
    }
    u32[pte] = 0;
    u32[pte + 1] = 0;
    mm.tlb.flushPage(addr);
    if ((word & PTE_DIRTY) !== 0) setPageDirty(phys, pfn);
    decMmCounter(mm, mmCounter(phys.frames.flags[pfn]));
    pageRemoveRmap(phys, pfn);
    phys.putPage(pfn);
    return true;
  }
}

const unmapper: Unmapper = new Unmapper();

/**
 * Clears every PTE that maps a page of a file, or an anonymous page that was given up; what they knew of it moves to the
 * page. Answers whether none is left: it stops at a locked mapping, and where one that was given up was written since.
 * Precondition: somebody, the cache or the caller, holds a reference beside those of the PTEs.
 */
export function tryToUnmap(phys: PhysicalMemory, pfn: Pfn): boolean {
  rmapWalk(phys, pfn, unmapper);
  return phys.frames.mapCount[pfn] === 0;
}
