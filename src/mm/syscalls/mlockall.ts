/** mlockall(2) and munlockall(2): the whole address space, what is mapped now and what will be (mm/mlock.c). */
import type { Mmu } from "../fault/mmu.ts";
import { mmPopulate } from "../fault/populate.ts";
import { PAGE_SIZE } from "../page.ts";
import { EINVAL, ENOMEM, EPERM } from "../uapi/errno.ts";
import { MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT } from "../uapi/mman.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { VM_LOCKED, VM_LOCKED_MASK, VM_LOCKONFAULT } from "../vma/vm-flags.ts";
import { canDoMlock, mlockFixup } from "./mlock-fixup.ts";
import type { Task } from "./task.ts";

/**
 * Errors: EINVAL no flags, unknown ones, or MCL_ONFAULT alone; EPERM a limit of 0; ENOMEM more mapped than RLIMIT_MEMLOCK.
 * That a mapping could not be locked, or a page not be brought in, is nobody's error.
 */
export function sysMlockall(mmu: Mmu, task: Task, flags: number): number {
  const { mm } = task;
  if (flags === 0 || flags === MCL_ONFAULT) return -EINVAL;
  if ((flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) !== 0) return -EINVAL;
  if (!canDoMlock(mm)) return -EPERM;
  const isCurrent = (flags & MCL_CURRENT) !== 0;
  if (isCurrent && !mm.capIpcLock && mm.totalVm > Math.floor(mm.rlimitMemlock / PAGE_SIZE)) return -ENOMEM;
  applyMlockallFlags(mm, flags);
  if (isCurrent) mmPopulate(mmu, task, 0, mm.arch.taskSize);
  return 0;
}

/** Unlocks everything, and what will be mapped as well. Never fails. */
export function sysMunlockall(task: Task): number {
  applyMlockallFlags(task.mm, 0);
  return 0;
}

function applyMlockallFlags(mm: MmStruct, flags: number): void {
  const lock = (flags & MCL_ONFAULT) !== 0 ? VM_LOCKED | VM_LOCKONFAULT : VM_LOCKED;
  mm.defFlags &= ~VM_LOCKED_MASK;
  if ((flags & MCL_FUTURE) !== 0) {
    mm.defFlags |= lock;
    // For the future alone: what is mapped keeps the locks it has.
    if ((flags & MCL_CURRENT) === 0) return;
  }
  const wanted = (flags & MCL_CURRENT) !== 0 ? lock : 0;
  for (let vma = mm.vmas.first; vma !== null; ) {
    const { end } = vma;
    mlockFixup(vma, vma.start, end, (vma.flags & ~VM_LOCKED_MASK) | wanted);
    // The mapping may have become part of a neighbour: the next one is the one behind what was looked at.
    vma = mm.vmas.find(end);
  }
}
