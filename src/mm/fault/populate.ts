/**
 * Filling a range with pages ahead of use (populate_vma_page_range, faultin_page_range): MAP_POPULATE, mlock and the
 * POPULATE advices. The same faults as a program would take, taken and counted by the kernel for it.
 */
import { PAGE_SIZE, type Vaddr } from "../page.ts";
import { EFAULT, EINTR, EINVAL, ENOMEM } from "../uapi/errno.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_ACCESS_FLAGS, VM_LOCKONFAULT, VM_READ, VM_SHARED, VM_WRITE } from "../vma/vm-flags.ts";
import { VM_FAULT_ERROR, VM_FAULT_OOM } from "../vma/vm-operations.ts";
import type { FaultingTask } from "./faulting-task.ts";
import type { Mmu } from "./mmu.ts";

/** mm_populate: makes start … end resident as far as that is possible; errors are dropped, as mmap drops them. */
export function mmPopulate(mmu: Mmu, task: FaultingTask, start: Vaddr, end: Vaddr): void {
  for (let vma = task.mm.vmas.find(start); vma !== null && vma.start < end; vma = vma.next) {
    populateVma(mmu, task, vma, Math.max(vma.start, start), Math.min(vma.end, end));
  }
}

/** As mmPopulate, for mlock: stops at the first mapping that can't be made resident and answers why (__mm_populate). */
export function mmPopulateOrFail(mmu: Mmu, task: FaultingTask, start: Vaddr, end: Vaddr): number {
  // An empty range needs nothing of the mapping that it lies in.
  if (start >= end) return 0;
  for (let vma = task.mm.vmas.find(start); vma !== null && vma.start < end; vma = vma.next) {
    const failed = populateVma(mmu, task, vma, Math.max(vma.start, start), Math.min(vma.end, end));
    if (failed !== 0) return failed;
  }
  return 0;
}

/**
 * Makes start … end, which lies in `vma`, resident (populate_vma_page_range). A private writable mapping gets its own
 * frames at once; one that is to be locked page by page gets nothing. 0; -EFAULT for PROT_NONE or past the end of a
 * file, -ENOMEM without memory, -EINTR for one who is to die, with the pages before that one resident.
 */
function populateVma(mmu: Mmu, task: FaultingTask, vma: VmArea, start: Vaddr, end: Vaddr): number {
  if ((vma.flags & VM_LOCKONFAULT) !== 0) return 0;
  if ((vma.flags & VM_ACCESS_FLAGS) === 0) return -EFAULT;
  const write = (vma.flags & (VM_WRITE | VM_SHARED)) === VM_WRITE;
  for (let addr: number = start; addr < end; addr += PAGE_SIZE) {
    if (mmu.phys.fatalSignalPending()) return -EINTR;
    const result = mmu.faultIn(task, vma, addr, write, "as-minor");
    if ((result & VM_FAULT_OOM) !== 0) return -ENOMEM;
    if ((result & VM_FAULT_ERROR) !== 0) return -EFAULT;
  }
  return 0;
}

/**
 * MADV_POPULATE_READ and _WRITE over start … end: 0, or -ENOMEM at a hole or without memory, -EINVAL where the mapping
 * does not allow the access, -EFAULT past the end of a file, -EINTR for one who is to die.
 */
export function madvisePopulate(
  mmu: Mmu,
  task: FaultingTask,
  start: Vaddr,
  end: Vaddr,
  write: boolean,
): number {
  const needed = write ? VM_WRITE : VM_READ;
  let addr: number = start;
  while (addr < end) {
    const vma = task.mm.vmas.lookup(addr);
    if (vma === null) return -ENOMEM;
    if ((vma.flags & needed) === 0) return -EINVAL;
    const last = Math.min(vma.end, end);
    for (; addr < last; addr += PAGE_SIZE) {
      if (mmu.phys.fatalSignalPending()) return -EINTR;
      const result = mmu.faultIn(task, vma, addr, write);
      if ((result & VM_FAULT_OOM) !== 0) return -ENOMEM;
      if ((result & VM_FAULT_ERROR) !== 0) return -EFAULT;
    }
  }
  return 0;
}
