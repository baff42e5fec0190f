/**
 * Guard pages without mappings of their own (MADV_GUARD_INSTALL and _REMOVE; guard_install_pte_entry in mm/madvise.c).
 *
 * Where a program wants accesses to fail, between thread stacks or around allocations, a PROT_NONE mapping would cost a
 * mapping and split its neighbours. A marker in the PTE costs nothing: the mapping stays whole, and whoever touches the
 * page gets a SIGSEGV. Markers belong to the mapping, not to its pages: discarding, truncation and mprotect leave them,
 * fork and mremap take them along, only unmapping ends them.
 */
import { PAGE_SIZE, type Vaddr } from "../page.ts";
import { PMD_SIZE } from "../pagetable/page-table.ts";
import { PTE_GUARD, PTE_WORDS } from "../pagetable/pte.ts";
import { zapPages } from "../rmap/zap.ts";
import { ENOMEM } from "../uapi/errno.ts";
import { anonVmaPrepare } from "../vma/anon-vma.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_MAYBE_GUARD } from "../vma/vm-flags.ts";

/**
 * Makes every page of start … end, which lies in `vma`, a guard; pages that are there are lost. 0, or -ENOMEM with a part
 * done.
 */
export function installGuards(vma: VmArea, start: Vaddr, end: Vaddr): number {
  vma.flags |= VM_MAYBE_GUARD;
  // Anonymous memory with a page table has an anon_vma; of a file's mapping the flag alone makes fork copy the table.
  if (vma.isAnonymous && anonVmaPrepare(vma) !== 0) return -ENOMEM;
  for (;;) {
    const installed = installWhereEmpty(vma, start, end);
    if (installed !== 1) return installed;
    zapPages(vma.mm, vma, start, end);
  }
}

/** Stops at the first page that is there. 0 all done, 1 a page is there, -ENOMEM. */
function installWhereEmpty(vma: VmArea, start: Vaddr, end: Vaddr): number {
  const { phys, pageTable } = vma.mm;
  const { u32 } = phys.ram;
  for (let addr: number = start; addr < end; ) {
    let pte = pageTable.walkAlloc(addr);
    if (pte === 0) return -ENOMEM;
    const tableEnd = Math.min(addr - (addr & (PMD_SIZE - 1)) + PMD_SIZE, end);
    for (; addr < tableEnd; addr += PAGE_SIZE, pte += PTE_WORDS) {
      if (u32[pte] === PTE_GUARD) continue;
      if (u32[pte] !== 0) return 1;
      u32[pte] = PTE_GUARD;
    }
  }
  return 0;
}

/** Takes the guards out of start … end: what comes next there is a first touch. Pages that are there stay. */
export function removeGuards(vma: VmArea, start: Vaddr, end: Vaddr): void {
  const { phys, pageTable } = vma.mm;
  const { u32 } = phys.ram;
  for (let addr: number = start; addr < end; ) {
    let pte = pageTable.walk(addr);
    if (pte === 0) {
      addr = pageTable.holeEnd;
      continue;
    }
    const tableEnd = Math.min(addr - (addr & (PMD_SIZE - 1)) + PMD_SIZE, end);
    for (; addr < tableEnd; addr += PAGE_SIZE, pte += PTE_WORDS) {
      if (u32[pte] === PTE_GUARD) u32[pte] = 0;
    }
  }
}
