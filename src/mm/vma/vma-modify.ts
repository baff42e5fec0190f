/**
 * Changing the flags or the memory policy of a part of a mapping: merge it into a neighbour that has them already, or cut it
 * out (vma_modify_flags, vma_modify_policy in mm/vma.c). What mprotect, mlock, madvise and mbind have in common.
 */
import type { Vaddr } from "../page.ts";
import type { Mempolicy } from "./mempolicy.ts";
import type { MmStruct } from "./mm-struct.ts";
import type { VmArea } from "./vm-area.ts";
import { vmaMergeExisting } from "./vma-merge.ts";
import { splitVma } from "./vma-split.ts";

/**
 * Prepares start … end, which lies in `vma`, for `newFlags`, which differ from what it has. Answers the mapping that holds the range from now on: a
 * neighbour that has swallowed it and has these flags, or `vma`, cut to the range, whose flags the caller sets next
 * (setVmaFlags, which does no harm to the neighbour). So with `newPolicy`. −ENOMEM when there are too many mappings or no memory; a cut at
 * `start` that was made before one at `end` failed stays, as in Linux.
 */
export function vmaModify(
  _mm: MmStruct,
  vma: VmArea,
  start: Vaddr,
  end: Vaddr,
  newFlags: number,
  newPolicy: Mempolicy | null = vma.policy,
): VmArea | number {
  const merged = vmaMergeExisting(vma, start, end, newFlags, newPolicy);
  if (merged !== null) return merged;
  if (vma.start < start) {
    const error = splitVma(vma, start, /* newBelow */ true);
    if (error !== 0) return error;
  }
  if (vma.end > end) {
    const error = splitVma(vma, end, /* newBelow */ false);
    if (error !== 0) return error;
  }
  return vma;
}
