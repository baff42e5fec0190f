/**
 * fork's copy of one mapping's PTEs (copy_page_range): the child maps the same frames, and both sides lose the right to
 * write to private ones, so that whoever writes first gets a copy.
 *
 * Mappings that never had an anonymous page of their own, nor a guard, are not copied at all: the child's faults will
 * find the same pages (vma_needs_copy). That is why fork of a large shared mapping is cheap, and why its child takes minor faults.
 */

import { PG_ANON } from "../frames/page-flags.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SIZE } from "../page.ts";
import { PMD_SIZE } from "../pagetable/page-table.ts";
import {
  isSwapPte,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_SWP_EXCLUSIVE,
  PTE_WORDS,
  PTE_WRITE,
} from "../pagetable/pte.ts";
import { mmCounter, pageAddFileRmap, pageDupAnonRmap } from "../rmap/page-mapping.ts";
import { FORK_PAGE_NS } from "../swap/io-time.ts";
import { swapDuplicate } from "../swap/swap-cache.ts";
import { pteToSwpEntry } from "../swap/swap-entry.ts";
import { swapOf } from "../swap/swap-space.ts";
import { ENOMEM } from "../uapi/errno.ts";
import { incMmCounter, MM_SWAPENTS, type MmStruct } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_HUGETLB, VM_MAYBE_GUARD, VM_MAYWRITE, VM_SHARED } from "../vma/vm-flags.ts";
import { copyHugetlbRange } from "./hugetlb-fault.ts";

/** Copies the PTEs of `from` (the parent's) into the child's mapping `to`. 0, or -ENOMEM with a part copied. */
export function copyPageRange(to: VmArea, from: VmArea): number {
  if (from.anonVma === null && (from.flags & VM_MAYBE_GUARD) === 0) return 0;
  if ((from.flags & VM_HUGETLB) !== 0) return copyHugetlbRange(to, from);
  const { phys } = from.mm;
  const { u32 } = phys.ram;
  const isCow = (from.flags & (VM_SHARED | VM_MAYWRITE)) === VM_MAYWRITE;
  const parent = from.mm.pageTable;
  const child = to.mm.pageTable;
  let copied = 0;
  for (let addr: number = from.start; addr < from.end; ) {
    let source = parent.walk(addr);
    // The child has a table wherever its parent has one, of all levels, even if nothing is in it.
    if (source === 0 && child.upperAlloc(addr, parent.holeDepth)) {
      addr = parent.holeEnd;
      continue;
    }
    const first = source === 0 ? 0 : child.walkAlloc(addr);
    if (first === 0) {
      from.mm.tlb.flushAll();
      return -ENOMEM;
    }
    // The two tables lie parallel from here on.
    const target = first - source;
    const tableEnd = Math.min(addr - (addr & (PMD_SIZE - 1)) + PMD_SIZE, from.end);
    for (; addr < tableEnd; addr += PAGE_SIZE, source += PTE_WORDS) {
      if (u32[source] === 0) continue;
      copyPte(phys, to.mm, source, source + target, isCow);
      copied++;
    }
  }
  swapOf(phys)?.time.work(copied * FORK_PAGE_NS);
  from.mm.tlb.flushRange(from.start, from.end);
  return 0;
}

/**
 * Copies one PTE, taking the frame's reference and map count for the child, or one more count of the slot in swap. Markers
 * are copied as they are (copy_nonpresent_pte).
 */
function copyPte(phys: PhysicalMemory, mm: MmStruct, source: number, target: number, isCow: boolean): void {
  const { u32 } = phys.ram;
  let word = u32[source];
  const pfn = u32[source + 1];
  if ((word & PTE_PRESENT) === 0) {
    if (isSwapPte(word)) {
      swapDuplicate(phys, pteToSwpEntry(word, pfn));
      incMmCounter(mm, MM_SWAPENTS);
      word &= ~PTE_SWP_EXCLUSIVE;
      u32[source] = word;
    }
    u32[target + 1] = pfn;
    u32[target] = word;
    return;
  }
  if (isCow && (word & PTE_WRITE) !== 0) {
    word &= ~PTE_WRITE;
    u32[source] = word;
  }
  if ((word & PTE_SPECIAL) === 0) {
    const kind = phys.frames.flags[pfn];
    if ((kind & PG_ANON) !== 0) {
      pageDupAnonRmap(phys, pfn);
    } else {
      pageAddFileRmap(phys, pfn);
    }
    phys.getPage(pfn);
    incMmCounter(mm, mmCounter(kind));
  }
  u32[target + 1] = pfn;
  u32[target] = (isCow ? word : word & ~PTE_DIRTY) & ~PTE_ACCESSED;
}
