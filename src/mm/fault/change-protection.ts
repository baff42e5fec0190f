/**
 * What mprotect does to the pages that are already mapped (change_protection), after the mapping itself changed.
 *
 * Every present PTE takes the mapping's new protection. The write bit of a private mapping comes back only where no
 * fault could have anything to do: on anonymous pages that are this process's alone; on shared pages that must be
 * noticed when written, only while they are dirty already (can_change_pte_writable).
 */
import { PG_ANON, PG_ANON_EXCLUSIVE } from "../frames/page-flags.ts";
import { PAGE_SIZE, type Vaddr } from "../page.ts";
import { PMD_SIZE } from "../pagetable/page-table.ts";
import {
  PTE_DIRTY,
  PTE_PRESENT,
  PTE_PROT,
  PTE_SPECIAL,
  PTE_USER,
  PTE_WORDS,
  PTE_WRITE,
} from "../pagetable/pte.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_SHARED, VM_WRITE } from "../vma/vm-flags.ts";

/** Gives the PTEs of start … end, which lie in `vma`, the protection of `vma`. */
export function changeProtection(vma: VmArea, start: Vaddr, end: Vaddr): void {
  const { mm } = vma;
  const { u32 } = mm.phys.ram;
  const { flags } = mm.phys.frames;
  const shared = (vma.flags & VM_SHARED) !== 0;
  const mayWrite = (vma.flags & VM_WRITE) !== 0;
  const prot = (shared ? vma.pageProt : vma.pageProt & ~PTE_WRITE) & PTE_PROT;
  let anyPresent = false;
  for (let addr: number = start; addr < end; ) {
    let pte = mm.pageTable.walk(addr);
    if (pte === 0) {
      addr = mm.pageTable.holeEnd;
      continue;
    }
    const tableEnd = Math.min(addr - (addr & (PMD_SIZE - 1)) + PMD_SIZE, end);
    for (; addr < tableEnd; addr += PAGE_SIZE, pte += PTE_WORDS) {
      const word = u32[pte];
      if ((word & PTE_PRESENT) === 0) continue;
      let changed = (word & ~PTE_PROT) | prot | PTE_USER;
      if (mayWrite && (word & PTE_SPECIAL) === 0) {
        const noFaultNeeded = shared
          ? (word & PTE_DIRTY) !== 0
          : (flags[u32[pte + 1]] & (PG_ANON | PG_ANON_EXCLUSIVE)) === (PG_ANON | PG_ANON_EXCLUSIVE);
        if (noFaultNeeded) changed |= PTE_WRITE;
      }
      u32[pte] = changed;
      anyPresent = true;
    }
  }
  // What is not present is in no TLB.
  if (anyPresent) mm.tlb.flushRange(start, end);
}
