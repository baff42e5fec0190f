/**
 * munmap(2): takes a range out of the address space (mm/vma.c do_vmi_munmap).
 *
 * Holes are no error. Mappings that reach over an end of the range are split there first, which is all that can fail;
 * then pages go, then tables that nothing else uses, then the mappings themselves.
 */
import { isPageAligned, PAGE_SIZE, pageAlign, type Vaddr } from "../page.ts";
import { zapRange } from "../rmap/zap.ts";
import { EINVAL, ENOMEM, EPERM } from "../uapi/errno.ts";
import { vmStatAccount } from "../vma/accounting.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_ACCOUNT, VM_LOCKED, VM_SEALED } from "../vma/vm-flags.ts";
import { detachVma, removeVma } from "../vma/vma-lifetime.ts";
import { splitVmaUnchecked } from "../vma/vma-split.ts";
import type { Task } from "./task.ts";

/** Unmaps addr … addr + len. 0, EINVAL for a bad range, ENOMEM when a split would exceed max_map_count. */
export function sysMunmap(task: Task, addr: Vaddr, len: number): number {
  const { mm } = task;
  if (!isPageAligned(addr) || addr > mm.arch.taskSize || len > mm.arch.taskSize - addr) return -EINVAL;
  const length = pageAlign(len);
  if (length === 0) return -EINVAL;
  const result = doMunmap(mm, addr, addr + length);
  if (result === 0 && mm.phys.tracer.enabled) {
    mm.phys.tracer.emit({ type: "munmap", pid: task.pid, address: addr, length });
  }
  return result;
}

/** Unmaps start … end (page-aligned) of `mm`. mremap comes with an end of its caller's, which may lie anywhere. */
export function doMunmap(mm: MmStruct, start: Vaddr, end: Vaddr): number {
  if (end > mm.arch.taskSize) return -EINVAL;
  const failed = splitAtEnds(mm, start, end);
  if (failed !== 0) return failed;
  unmapWhole(mm, start, end);
  return 0;
}

/**
 * Splits the mappings that lie across `start` and `end`, so that whole mappings cover the range
 * (vms_gather_munmap_vmas). 0 or a negative errno; a split that was done stays, and changes nothing a program sees.
 */
export function splitAtEnds(mm: MmStruct, start: Vaddr, end: Vaddr): number {
  const first = mm.vmas.findIntersection(start, end);
  if (first === null) return 0;
  if (start > first.start) {
    // Cutting a hole makes one mapping more, before the unmapping makes any fewer.
    if (end < first.end && mm.mapCount >= mm.maxMapCount) return -ENOMEM;
    if ((first.flags & VM_SEALED) !== 0) return -EPERM;
    const failed = splitVmaUnchecked(first, start, /* newBelow */ true);
    if (failed !== 0) return failed;
  }
  // A sealed mapping further up is met only now, with the first one split already: so maps shows it, as in Linux.
  for (let vma: VmArea | null = first; vma !== null && vma.start < end; vma = vma.next) {
    if ((vma.flags & VM_SEALED) !== 0) return -EPERM;
  }
  const last = mm.vmas.lookup(end - 1);
  if (last !== null && last.end > end) return splitVmaUnchecked(last, end, /* newBelow */ false);
  return 0;
}

/** Unmaps the mappings in start … end, none of which reaches beyond it. Can't fail. */
export function unmapWhole(mm: MmStruct, start: Vaddr, end: Vaddr): void {
  const first = mm.vmas.findIntersection(start, end);
  if (first === null) return;
  const before = first.prev;
  let vma: VmArea | null = first;
  for (; vma !== null && vma.start < end; vma = vma.next) zapRange(mm, vma, vma.start, vma.end);
  const after = vma;
  // Above the last mapping nothing needs a table: not even the rest of the one that the end of user space falls into.
  mm.pageTable.freeRange(start, end, before?.end ?? 0, after?.start ?? Number.POSITIVE_INFINITY);
  for (let gone: VmArea | null = first; gone !== null && gone !== after; ) {
    const next: VmArea | null = gone.next;
    const pages = (gone.end - gone.start) / PAGE_SIZE;
    vmStatAccount(mm, gone.flags, -pages);
    if ((gone.flags & VM_LOCKED) !== 0) mm.lockedVm -= pages;
    if ((gone.flags & VM_ACCOUNT) !== 0) mm.phys.commit.uncharge(pages);
    detachVma(gone);
    removeVma(gone);
    gone = next;
  }
}
