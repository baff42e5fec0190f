/**
 * Splitting: one mapping becomes two at an address, so that a part of it can be unmapped or changed (mm/vma.c).
 *
 * Both parts show the same pages as before at the same addresses: the upper part's pgoff continues the lower's, and
 * both hang in the same anon_vmas.
 */
import { BugError } from "../bug.ts";
import { PAGE_SIZE, type Vaddr } from "../page.ts";
import { EINVAL, ENOMEM } from "../uapi/errno.ts";
import { anonVmaClone } from "./anon-vma.ts";
import type { VmArea } from "./vm-area.ts";
import { dupVma, freeVma, linkSplitVma } from "./vma-lifetime.ts";
import { maySplit } from "./vma-page-size.ts";

/**
 * Splits `vma` at `addr` unless the address space has as many mappings as it may (split_vma). `newBelow` says which
 * part is the new mapping; `vma` stays the other. 0, −ENOMEM, or −EINVAL inside of a huge page.
 */
export function splitVma(vma: VmArea, addr: Vaddr, newBelow: boolean): number {
  if (vma.mm.mapCount >= vma.mm.maxMapCount) return -ENOMEM;
  return splitVmaUnchecked(vma, addr, newBelow);
}

/** As splitVma, for who has looked at the number of mappings or is about to remove one (__split_vma). */
export function splitVmaUnchecked(vma: VmArea, addr: Vaddr, newBelow: boolean): number {
  const { mm, start, end } = vma;
  if (addr <= start || addr >= end) {
    throw new BugError("splitVma", `${addr} is not inside ${start}–${end}`);
  }
  if (!maySplit(vma, addr)) return -EINVAL;
  const added = dupVma(mm, vma);
  if (added === null) return -ENOMEM;
  // Not linked yet, so its bounds may be set directly; its anon_vma chains are made from them.
  if (newBelow) {
    added.end = addr;
  } else {
    added.start = addr;
    added.pgoff += (addr - start) / PAGE_SIZE;
  }
  const error = anonVmaClone(added, vma);
  if (error !== 0) {
    freeVma(added);
    return error;
  }
  added.ops?.open?.(added);
  linkSplitVma(vma, added);
  return 0;
}
