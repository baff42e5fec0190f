/**
 * What one fault carries through the handlers (struct vm_fault), and what the handlers found out about it.
 *
 * One object for each kernel, reused: faults don't nest (a handler that reads a file or reclaims memory takes no
 * fault of its own), and none allocates.
 */
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SIZE, type Pfn, type PgOff, pageAlignDown, type Vaddr } from "../page.ts";
import { PTE_ACCESSED, PTE_DIRTY, PTE_PRESENT, PTE_PROT, PTE_USER, PTE_WRITE } from "../pagetable/pte.ts";
import { PageSharer } from "../rmap/page-sharer.ts";
import { FAULT_CAUSES, type FaultCause } from "../trace/events.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_SHARED, VM_WRITE } from "../vma/vm-flags.ts";
import { FAULT_FLAG_UNSHARE, FAULT_FLAG_WRITE, type VmFault } from "../vma/vm-operations.ts";

/** Position of each cause in FAULT_CAUSES: the handlers note the number, readers show the name. */
export const CAUSE: Readonly<Record<FaultCause, number>> = Object.fromEntries(
  FAULT_CAUSES.map((cause, index) => [cause, index]),
) as Record<FaultCause, number>;

export class FaultContext implements VmFault {
  readonly phys: PhysicalMemory;
  vma: VmArea;
  address: Vaddr = 0;
  realAddress: Vaddr = 0;
  pgoff: PgOff = 0;
  flags = 0;
  pte = 0;
  page: Pfn = 0;
  /** Index in FAULT_CAUSES of what was done. */
  cause = 0;
  /** PTEs that fault-around filled beside the faulting one. */
  around = 0;
  /** Whether the last table on the way to `pte` was made for this fault: Linux makes it only when it has a page for it. */
  isNewTable = false;
  /** With cause wp-copy, a process that shares the page which was copied, or 0; looked for only where somebody listens. */
  sharer = 0;
  readonly #sharers = new PageSharer();

  constructor(phys: PhysicalMemory, vma: VmArea) {
    this.phys = phys;
    this.vma = vma;
  }

  /** Starts a fault at `addr` in `vma`. @param pte where its PTE stands, 0 where that is not known */
  begin(vma: VmArea, addr: Vaddr, flags: number, pte: number): void {
    this.vma = vma;
    this.realAddress = addr;
    this.address = pageAlignDown(addr);
    this.pgoff = vma.pgoff + (this.address - vma.start) / PAGE_SIZE;
    this.flags = flags;
    this.pte = pte;
    this.page = 0;
    this.cause = 0;
    this.around = 0;
    this.isNewTable = false;
    this.sharer = 0;
  }

  noteSharer(pfn: Pfn): void {
    this.sharer = this.#sharers.find(this.phys, pfn, this.vma.mm);
  }

  get isWrite(): boolean {
    return (this.flags & FAULT_FLAG_WRITE) !== 0;
  }

  get isUnshare(): boolean {
    return (this.flags & FAULT_FLAG_UNSHARE) !== 0;
  }
}

/** Word 0 of a present PTE for a page of `vma` that is read: write-protected unless every write may go unnoticed. */
export function readablePte(vma: VmArea): number {
  const prot = (vma.flags & VM_SHARED) !== 0 ? vma.pageProt : vma.pageProt & ~PTE_WRITE;
  return (prot & PTE_PROT) | PTE_PRESENT | PTE_USER | PTE_ACCESSED;
}

/** Word 0 of a present PTE for a page of `vma` that is being written: dirty, writable where the mapping is (maybe_mkwrite). */
export function writablePte(vma: VmArea): number {
  const write = (vma.flags & VM_WRITE) !== 0 ? PTE_WRITE : 0;
  return readablePte(vma) | PTE_DIRTY | write;
}
