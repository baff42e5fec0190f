/**
 * When is a page of a file dirty? (mm/page-writeback.c; folio_mkclean in mm/rmap.c)
 *
 * A store through a mapping sets nothing but a bit in a PTE, which no file system sees. So a clean page is mapped
 * read-only even where the mapping is writable: the first store faults, page_mkwrite marks the page dirty, and the PTE
 * becomes writable. Before the page is written back, that is undone in every PTE that maps it: the next store faults
 * again, and can't slip in unnoticed between the write and the moment the page counts as clean.
 */
import type { Pfn, Vaddr } from "../page.ts";
import { PTE_DIRTY, PTE_WRITE } from "../pagetable/pte.ts";
import { cancelPageDirty, setPageDirty } from "../rmap/page-dirty.ts";
import { type PteVisitor, rmapWalk } from "../rmap/rmap-walk.ts";
import type { AddressSpace } from "../vfs/address-space.ts";
import type { VmArea } from "../vma/vm-area.ts";

export { setPageDirty };

/** Write-protects and cleans each PTE, noting whether one was dirty. */
class PteCleaner implements PteVisitor {
  wasDirty = false;

  visit(vma: VmArea, addr: Vaddr, pte: number): boolean {
    const { u32 } = vma.mm.phys.ram;
    const word = u32[pte];
    if ((word & (PTE_WRITE | PTE_DIRTY)) === 0) return true;
    if ((word & PTE_DIRTY) !== 0) this.wasDirty = true;
    u32[pte] = word & ~(PTE_WRITE | PTE_DIRTY);
    vma.mm.tlb.flushPage(addr);
    return true;
  }
}

const cleaner: PteCleaner = new PteCleaner();

/**
 * Makes a page clean because its content is about to be written (folio_clear_dirty_for_io). Answers whether it was
 * dirty; if not, there is nothing to write. Stores from now on fault first.
 */
export function clearPageDirtyForIo(mapping: AddressSpace, pfn: Pfn): boolean {
  const { phys } = mapping;
  if (phys.frames.mapCount[pfn] !== 0) {
    cleaner.wasDirty = false;
    rmapWalk(phys, pfn, cleaner);
    if (cleaner.wasDirty) setPageDirty(phys, pfn);
  }
  return cancelPageDirty(mapping, pfn);
}
