/**
 * mseal(2): promises that a range stays mapped as it is (mm/mseal.c). A seal can't be taken off: munmap, mprotect, mremap,
 * a mapping over it and advice that would throw read-only memory away all answer EPERM from then on.
 */
import { isPageAligned, pageAlign, type Vaddr } from "../page.ts";
import { EINVAL, ENOMEM } from "../uapi/errno.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { VM_SEALED } from "../vma/vm-flags.ts";
import { setVmaFlags } from "../vma/vma-lifetime.ts";
import { vmaModify } from "../vma/vma-modify.ts";
import type { Task } from "./task.ts";

/** 0; EINVAL flags, unaligned, or a range that wraps around; ENOMEM a hole, with nothing sealed, or too many mappings. */
export function sysMseal(task: Task, addr: Vaddr, len: number, flags: number): number {
  const { mm } = task;
  if (flags !== 0) return -EINVAL;
  if (!isPageAligned(addr)) return -EINVAL;
  const length = pageAlign(len);
  const end = addr + length;
  if (length >= 2 ** 64 || end >= 2 ** 64) return -EINVAL;
  if (length === 0) return 0;
  if (hasHole(mm, addr, end)) return -ENOMEM;
  for (let at: number = addr; at < end; ) {
    const vma = mm.vmas.lookup(at);
    if (vma === null) return -ENOMEM;
    const upTo = Math.min(vma.end, end);
    if ((vma.flags & VM_SEALED) === 0) {
      const sealed = vma.flags | VM_SEALED;
      const area = vmaModify(mm, vma, at, upTo, sealed);
      if (typeof area === "number") return area;
      setVmaFlags(area, sealed);
    }
    at = upTo;
  }
  return 0;
}

function hasHole(mm: MmStruct, start: Vaddr, end: Vaddr): boolean {
  let at: number = start;
  for (let vma = mm.vmas.find(start); vma !== null && vma.start <= at; vma = vma.next) {
    at = vma.end;
    if (at >= end) return false;
  }
  return true;
}
