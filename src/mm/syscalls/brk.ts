/**
 * brk(2): moves the end of the heap (mm/mmap.c). The heap is one private anonymous mapping from startBrk on; a failed
 * call answers the old break and changes nothing.
 */
import type { Mmu } from "../fault/mmu.ts";
import { mmPopulate } from "../fault/populate.ts";
import { PAGE_SIZE, pageAlign, type Vaddr } from "../page.ts";
import { MAP_FIXED } from "../uapi/mman.ts";
import { mlockFutureOk } from "../vma/accounting.ts";
import { brkExpand } from "../vma/brk-area.ts";
import { getUnmappedArea, vmStartGap } from "../vma/unmapped-area.ts";
import { VM_LOCKED } from "../vma/vm-flags.ts";
import { doMunmap } from "./munmap.ts";
import type { Task } from "./task.ts";

/** Sets the break to `brk` where that is possible; answers the break that now holds. */
export function sysBrk(mmu: Mmu, task: Task, brk: Vaddr): number {
  const { mm } = task;
  const oldEnd = pageAlign(mm.brk);
  const now = moveBreak(mmu, task, brk);
  const end = pageAlign(now);
  if (end !== oldEnd && mm.phys.tracer.enabled) {
    mm.phys.tracer.emit({ type: "brk", pid: task.pid, address: mm.startBrk, length: end - mm.startBrk });
  }
  return now;
}

function moveBreak(mmu: Mmu, task: Task, brk: Vaddr): number {
  const { mm } = task;
  const old = mm.brk;
  if (brk < mm.startBrk) return old;
  // RLIMIT_DATA bounds heap plus data segment.
  if (brk - mm.startBrk + (mm.endData - mm.startData) > mm.rlimitData) return old;
  const newEnd = pageAlign(brk);
  const oldEnd = pageAlign(old);
  if (newEnd === oldEnd) {
    mm.brk = brk;
    return brk;
  }
  if (brk <= old) {
    if (mm.vmas.findIntersection(newEnd, oldEnd) === null) return old;
    mm.brk = brk;
    if (doMunmap(mm, newEnd, oldEnd) === 0) return brk;
    mm.brk = old;
    return old;
  }
  const grown = newEnd - oldEnd;
  if (getUnmappedArea(mm, oldEnd, grown, 0, MAP_FIXED) < 0) return old;
  if (!mlockFutureOk(mm, mm.defFlags, grown)) return old;
  const above = mm.vmas.find(oldEnd);
  if (above !== null && newEnd + PAGE_SIZE > vmStartGap(above)) return old;
  if (brkExpand(mm, oldEnd, grown, 0) !== 0) return old;
  mm.brk = brk;
  if ((mm.defFlags & VM_LOCKED) !== 0) mmPopulate(mmu, task, oldEnd, newEnd);
  return brk;
}
