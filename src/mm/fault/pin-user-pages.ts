/**
 * Frames of a process's memory for the kernel or a device to work on (pin_user_pages in mm/gup.c): made resident as by
 * an access of that process, with its mappings' rights, and held so that reclaim leaves them alone.
 */
import { PG_ANON, PG_ANON_EXCLUSIVE, PG_REFERENCED } from "../frames/page-flags.ts";
import { PAGE_SIZE, type Pfn, type Vaddr } from "../page.ts";
import { PTE_PRESENT, PTE_PROT, PTE_SPECIAL, PTE_WRITE } from "../pagetable/pte.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { VM_READ, VM_WRITE } from "../vma/vm-flags.ts";
import { VM_FAULT_ERROR } from "../vma/vm-operations.ts";
import type { FaultingTask } from "./faulting-task.ts";
import type { Mmu } from "./mmu.ts";

/** What is wanted of the pages: bits. */
const GUP_WRITE = 1 << 0;
/** Somebody works on them until they are let go (FOLL_PIN): what is shared with a fork is made the process's own first. */
const GUP_PIN = 1 << 1;
/** What the page table has is taken as it is, without a look at the mapping, up to the first page that is not there so. */
const GUP_FAST = 1 << 2;

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
  return getPages(mmu, task, mm, addr, count, GUP_PIN | (write ? GUP_WRITE : 0));
}

/** The same for the caller's own memory (pin_user_pages_fast): memory that can only be written can be read here, too. */
export function pinUserPagesFast(
  mmu: Mmu,
  task: FaultingTask,
  addr: Vaddr,
  count: number,
  write: boolean,
): Pfn[] {
  return getPages(mmu, task, task.mm, addr, count, GUP_FAST | GUP_PIN | (write ? GUP_WRITE : 0));
}

/** The same for who only looks at the pages, be they shared (get_user_pages_fast). */
export function getUserPagesFast(mmu: Mmu, task: FaultingTask, addr: Vaddr, count: number): Pfn[] {
  return getPages(mmu, task, task.mm, addr, count, GUP_FAST);
}

function getPages(
  mmu: Mmu,
  task: FaultingTask,
  mm: MmStruct,
  addr: Vaddr,
  count: number,
  how: number,
): Pfn[] {
  const got: Pfn[] = [];
  let isFast = (how & GUP_FAST) !== 0;
  while (got.length < count) {
    const at = addr + got.length * PAGE_SIZE;
    let pfn = isFast ? getPageFast(mmu, mm, at, how) : 0;
    if (pfn === 0) {
      isFast = false;
      pfn = getPage(mmu, task, mm, at, how);
    }
    if (pfn === 0) break;
    got.push(pfn);
  }
  return got;
}

/** gup_fast_pte_range */
function getPageFast(mmu: Mmu, mm: MmStruct, addr: Vaddr, how: number): Pfn {
  const { frames, ram } = mmu.phys;
  const pte = addr < mm.arch.taskSize ? mm.pageTable.walk(addr) : 0;
  const word = pte === 0 ? 0 : ram.u32[pte];
  const allowed = (how & GUP_WRITE) !== 0 ? PTE_WRITE : PTE_PROT;
  if ((word & (PTE_PRESENT | PTE_SPECIAL)) !== PTE_PRESENT || (word & allowed) === 0) return 0;
  const pfn = ram.u32[pte + 1];
  if (mustUnshare(frames.flags[pfn], how)) return 0;
  frames.flags[pfn] |= PG_REFERENCED;
  mmu.phys.getPage(pfn);
  return pfn;
}

/** __get_user_pages, of one page. */
function getPage(mmu: Mmu, task: FaultingTask, mm: MmStruct, addr: Vaddr, how: number): Pfn {
  // A stack does not grow by being looked at.
  const write = (how & GUP_WRITE) !== 0;
  const vma = addr < mm.arch.taskSize ? mm.vmas.lookup(addr) : null;
  if (vma === null || (vma.flags & (write ? VM_WRITE : VM_READ)) === 0) return 0;
  const { frames } = mmu.phys;
  const { u32 } = mmu.phys.ram;
  const needed = write ? PTE_PRESENT | PTE_WRITE : PTE_PRESENT;
  for (;;) {
    const pte = mm.pageTable.walk(addr);
    const isThere = pte !== 0 && (u32[pte] & needed) === needed;
    if (isThere && !mustUnshare(frames.flags[u32[pte + 1]], how)) {
      mmu.touch(pte, write);
      mmu.phys.getPage(u32[pte + 1]);
      return u32[pte + 1];
    }
    // What is held must stay what the process sees, even once somebody writes.
    const result = isThere ? mmu.unshare(task, vma, addr) : mmu.fault(task, vma, addr, write);
    if ((result & VM_FAULT_ERROR) !== 0) return 0;
  }
}

/** gup_must_unshare */
function mustUnshare(flags: number, how: number): boolean {
  return (how & (GUP_PIN | GUP_WRITE)) === GUP_PIN && (flags & (PG_ANON | PG_ANON_EXCLUSIVE)) === PG_ANON;
}
