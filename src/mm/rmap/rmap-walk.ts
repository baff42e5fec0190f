/**
 * From a frame to the PTEs that map it (rmap_walk, mm/rmap.c), and from a range of a file to the mappings that show it.
 */

import { PG_ANON } from "../frames/page-flags.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SIZE, type Pfn, type PgOff, type Vaddr } from "../page.ts";
import { PTE_PRESENT, PTE_SPECIAL } from "../pagetable/pte.ts";
import { AddressSpace } from "../vfs/address-space.ts";
import { AnonVma } from "../vma/anon-vma.ts";
import type { IntervalTree } from "../vma/interval-tree.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { zapFilePages, zapPages } from "./zap.ts";

/** What is to be done with each PTE. An object that is kept and reused, so that a walk allocates nothing. */
export interface PteVisitor {
  /** `pte` is the word index of a present PTE that maps the frame at `addr` in `vma`. False ends the walk. */
  visit(vma: VmArea, addr: Vaddr, pte: number): boolean;
}

/** Visits every PTE that maps the frame. Answers false when the visitor ended the walk. */
export function rmapWalk(phys: PhysicalMemory, pfn: Pfn, visitor: PteVisitor): boolean {
  const { frames } = phys;
  let left = frames.mapCount[pfn];
  // Comes first: a page that nothing maps any more may name an anon_vma that is gone.
  if (left === 0) return true;
  const tree = mappingsOf(phys, pfn);
  if (tree === null) return true;
  const { u32 } = phys.ram;
  const index = frames.index[pfn];
  for (
    let node = tree.firstOverlap(index, index);
    node !== null;
    node = tree.nextOverlap(node, index, index)
  ) {
    const vma = node.owner;
    const addr = vma.start + (index - vma.pgoff) * PAGE_SIZE;
    const pte = vma.mm.pageTable.walk(addr);
    if (pte === 0 || u32[pte + 1] !== pfn || (u32[pte] & (PTE_PRESENT | PTE_SPECIAL)) !== PTE_PRESENT)
      continue;
    if (!visitor.visit(vma, addr, pte)) return false;
    if (--left === 0) return true;
  }
  return true;
}

/** Takes pages `first` … `last` of a file out of every page table (unmap_mapping_pages). */
export function unmapMappingRange(mapping: AddressSpace, first: PgOff, last: PgOff, evenCows: boolean): void {
  const tree = mapping.iMmap;
  for (let node = tree.firstOverlap(first, last); node !== null; node = tree.nextOverlap(node, first, last)) {
    const vma = node.owner;
    const start = vma.start + Math.max(first - vma.pgoff, 0) * PAGE_SIZE;
    const end = Math.min(vma.end, vma.start + (last + 1 - vma.pgoff) * PAGE_SIZE);
    if (evenCows) zapPages(vma.mm, vma, start, end);
    else zapFilePages(vma.mm, vma, start, end);
  }
}

/** The tree of the mappings that may show the frame, null for a frame that belongs to nothing. */
function mappingsOf(phys: PhysicalMemory, pfn: Pfn): IntervalTree<VmArea> | null {
  const owner = phys.owners.get(phys.frames.mapping[pfn]);
  if ((phys.frames.flags[pfn] & PG_ANON) !== 0) return owner instanceof AnonVma ? owner.tree : null;
  return owner instanceof AddressSpace ? owner.iMmap : null;
}
