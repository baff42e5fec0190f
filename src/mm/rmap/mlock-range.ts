/** Locking and unlocking the pages that a range shows already, when its mapping becomes locked or is no longer (mlock_vma_pages_range). */
import { mlockPage, munlockPage } from "../frames/mlock.ts";
import { PAGE_SIZE, type Vaddr } from "../page.ts";
import { PMD_SIZE } from "../pagetable/page-table.ts";
import { PTE_PRESENT, PTE_SPECIAL, PTE_WORDS } from "../pagetable/pte.ts";
import type { MmStruct } from "../vma/mm-struct.ts";

/** Locks the page of every present PTE of start … end once more. */
export function mlockRange(mm: MmStruct, start: Vaddr, end: Vaddr): void {
  visitPages(mm, start, end, mlockPage);
}

/** Takes back one lock of the page of every present PTE of start … end. */
export function munlockRange(mm: MmStruct, start: Vaddr, end: Vaddr): void {
  visitPages(mm, start, end, munlockPage);
}

function visitPages(mm: MmStruct, start: Vaddr, end: Vaddr, visit: typeof mlockPage): void {
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
      if ((u32[pte] & (PTE_PRESENT | PTE_SPECIAL)) === PTE_PRESENT) visit(phys, u32[pte + 1]);
    }
  }
}
