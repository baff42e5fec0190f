/**
 * Frames of another process's memory for the kernel to work on (pin_user_pages_remote in mm/gup.c): made resident as by
 * an access of that process, with its mappings' rights, and held so that reclaim leaves them alone.
 */
import { PG_ANON, PG_ANON_EXCLUSIVE } from "../frames/page-flags.ts";
import { PAGE_SIZE, type Pfn, type Vaddr } from "../page.ts";
import { PTE_PRESENT, PTE_WRITE } from "../pagetable/pte.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { VM_READ, VM_WRITE } from "../vma/vm-flags.ts";
import { VM_FAULT_ERROR } from "../vma/vm-operations.ts";
import type { FaultingTask } from "./faulting-task.ts";
import type { Mmu } from "./mmu.ts";

/**
 * The frames of up to `count` pages from `addr` (page-aligned) on, with a reference each, which the caller drops. Fewer,
 * perhaps none, when the next page can't be had. Faults are counted for `task`, who asks.
 */
export function pinUserPages(
  mmu: Mmu,
  task: FaultingTask,
  mm: MmStruct,
  addr: Vaddr,
  count: number,
  write: boolean,
): Pfn[] {
  const pinned: Pfn[] = [];
  for (let page = 0; page < count; page++) {
    const pfn = pinPage(mmu, task, mm, addr + page * PAGE_SIZE, write);
    if (pfn === 0) break;
    pinned.push(pfn);
  }
  return pinned;
}

function pinPage(mmu: Mmu, task: FaultingTask, mm: MmStruct, addr: Vaddr, write: boolean): Pfn {
  // A stack does not grow by being looked at.
  const vma = addr < mm.arch.taskSize ? mm.vmas.lookup(addr) : null;
  if (vma === null || (vma.flags & (write ? VM_WRITE : VM_READ)) === 0) return 0;
  const { frames } = mmu.phys;
  const { u32 } = mmu.phys.ram;
  const needed = write ? PTE_PRESENT | PTE_WRITE : PTE_PRESENT;
  for (;;) {
    const pte = mm.pageTable.walk(addr);
    const isThere = pte !== 0 && (u32[pte] & needed) === needed;
    if (isThere && (write || !isSharedAnon(frames.flags[u32[pte + 1]]))) {
      mmu.touch(pte, write);
      mmu.phys.getPage(u32[pte + 1]);
      return u32[pte + 1];
    }
    // What is held must stay what the process sees, even once somebody writes (gup_must_unshare).
    const result = isThere ? mmu.unshare(task, vma, addr) : mmu.fault(task, vma, addr, write);
    if ((result & VM_FAULT_ERROR) !== 0) return 0;
  }
}

function isSharedAnon(flags: number): boolean {
  return (flags & (PG_ANON | PG_ANON_EXCLUSIVE)) === PG_ANON;
}
