/**
 * Was a page used since reclaim last looked? (folio_referenced in mm/rmap.c, folio_check_references in mm/vmscan.c)
 *
 * The hardware sets an accessed bit in the PTE through which a page is used. Reclaim collects these bits and clears them,
 * so that the next look tells what happened in between: a page gets a second chance for each time it was used.
 */
import { lruGenSetRefs } from "../frames/lru-gen.ts";
import { ROOT_MEM_CGROUP } from "../frames/lruvec.ts";
import { PG_REFERENCED, PG_SWAPBACKED } from "../frames/page-flags.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import type { Pfn, Vaddr } from "../page.ts";
import { PTE_ACCESSED } from "../pagetable/pte.ts";
import { type PteVisitor, rmapWalk } from "../rmap/rmap-walk.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_EXEC, VM_LOCKED, VM_RAND_READ, VM_SEQ_READ } from "../vma/vm-flags.ts";
import { lookAround } from "./lru-gen-walk.ts";

/** Take it; leave it on its list; it belongs to the active ones. */
export const PAGEREF_RECLAIM = 0;
export const PAGEREF_KEEP = 1;
export const PAGEREF_ACTIVATE = 2;

export class ReferenceCollector implements PteVisitor {
  /** PTEs through which the page was used. */
  #referenced = 0;
  /** All VM_… flags of the mappings it was used through. */
  #vmFlags = 0;
  #isLocked = false;

  /** What is to become of a page of the inactive list. Clears its accessed bits and its PG_REFERENCED. */
  check(phys: PhysicalMemory, pfn: Pfn): number {
    this.collect(phys, pfn);
    if (this.#isLocked) return PAGEREF_ACTIVATE;
    const { flags } = phys.frames;
    if (phys.lruvecs.genEnabled) {
      if (this.#referenced === 0) return PAGEREF_RECLAIM;
      return lruGenSetRefs(phys, pfn) ? PAGEREF_ACTIVATE : PAGEREF_KEEP;
    }
    const isFile = (flags[pfn] & PG_SWAPBACKED) === 0;
    const wasReferenced = (flags[pfn] & PG_REFERENCED) !== 0;
    flags[pfn] &= ~PG_REFERENCED;
    // Linux knows "only if it is clean", too: without a difference, since dirty pages of files are left to the flusher anyway.
    if (this.#referenced === 0) return PAGEREF_RECLAIM;
    flags[pfn] |= PG_REFERENCED;
    // Used for the first time since it was read is not yet used often; code is worth more than data.
    if (wasReferenced || this.#referenced > 1) return PAGEREF_ACTIVATE;
    return isFile && (this.#vmFlags & VM_EXEC) !== 0 ? PAGEREF_ACTIVATE : PAGEREF_KEEP;
  }

  /** Collects and clears the accessed bits. Answers whether a page of the active list was used as code. */
  collect(phys: PhysicalMemory, pfn: Pfn): boolean {
    this.#referenced = 0;
    this.#vmFlags = 0;
    this.#isLocked = false;
    rmapWalk(phys, pfn, this);
    return this.#referenced > 0 && (this.#vmFlags & VM_EXEC) !== 0;
  }

  visit(vma: VmArea, addr: Vaddr, pte: number): boolean {
    if ((vma.flags & VM_LOCKED) !== 0) {
      this.#isLocked = true;
      return false;
    }
    const { ram, lruvecs, frames } = vma.mm.phys;
    // Who enforces a limit sees only what those do whom it binds.
    if (lruvecs.target !== ROOT_MEM_CGROUP && !lruvecs.isDescendant(vma.mm.memcg, lruvecs.target))
      return true;
    const { u32 } = ram;
    if ((u32[pte] & PTE_ACCESSED) === 0) return true;
    // Such advice says that a use tells nothing of the next one.
    if ((vma.flags & (VM_SEQ_READ | VM_RAND_READ)) !== 0) return true;
    const pfn = u32[pte + 1];
    u32[pte] &= ~PTE_ACCESSED;
    vma.mm.tlb.flushPage(addr);
    if (lruvecs.genEnabled) {
      const { flags, memcg } = frames;
      lookAround(vma, addr, pte, memcg[pfn], (flags[pfn] & PG_SWAPBACKED) !== 0);
    }
    this.#referenced++;
    this.#vmFlags |= vma.flags;
    return true;
  }
}
