/** What mlock, munlock and mlockall do with one mapping (mlock_fixup, can_do_mlock in mm/mlock.c). */
import { PAGE_SIZE, type Vaddr } from "../page.ts";
import { mlockRange, munlockRange } from "../rmap/mlock-range.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_DONTEXPAND, VM_DROPPABLE, VM_LOCKED } from "../vma/vm-flags.ts";
import { setVmaFlags } from "../vma/vma-lifetime.ts";
import { vmaModify } from "../vma/vma-modify.ts";

/** Whether the task may lock anything at all: a limit of 0 says no. */
export function canDoMlock(mm: MmStruct): boolean {
  return mm.rlimitMemlock !== 0 || mm.capIpcLock;
}

/**
 * Gives start … end, which lies in `vma`, the flags `flags`, which differ in the lock alone. What can't be locked (device
 * memory, droppable memory) is left as it is, without an error. 0, or -ENOMEM when a split would exceed max_map_count.
 *
 * Pages are locked here only as far as they are there; who locks populates afterwards.
 */
export function mlockFixup(vma: VmArea, start: Vaddr, end: Vaddr, flags: number): number {
  const { mm, flags: old } = vma;
  if (flags === old || (old & (VM_DONTEXPAND | VM_DROPPABLE)) !== 0) return 0;
  const area = vmaModify(mm, vma, start, end, flags);
  if (typeof area === "number") return area;
  setVmaFlags(area, flags);
  const isLocked = (flags & VM_LOCKED) !== 0;
  // From locked to locked on fault, or back: the pages that are there stay as they are.
  if (isLocked === ((old & VM_LOCKED) !== 0)) return 0;
  const pages = (end - start) / PAGE_SIZE;
  if (isLocked) {
    mm.lockedVm += pages;
    mlockRange(mm, start, end);
  } else {
    mm.lockedVm -= pages;
    munlockRange(mm, start, end);
  }
  return 0;
}
