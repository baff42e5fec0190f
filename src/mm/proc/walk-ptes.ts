/** Looking at page tables from outside: every reader of /proc walks this way and changes nothing. */
import { PAGE_SIZE, type Vaddr } from "../page.ts";
import type { MmStruct } from "../vma/mm-struct.ts";

/** Calls `visit` for every PTE of start … end that is not empty: its address, and its word index in RAM. */
export function walkPtes(
  mm: MmStruct,
  start: Vaddr,
  end: Vaddr,
  visit: (addr: Vaddr, pte: number) => void,
): void {
  const { pageTable, phys } = mm;
  const { u32 } = phys.ram;
  for (let addr: number = start; addr < end; ) {
    const pte = pageTable.walk(addr);
    if (pte === 0) {
      addr = pageTable.holeEnd;
      continue;
    }
    if (u32[pte] !== 0) visit(addr, pte);
    addr += PAGE_SIZE;
  }
}
