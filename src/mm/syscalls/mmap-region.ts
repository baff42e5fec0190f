/**
 * Makes a mapping at an address that is decided (mm/vma.c __mmap_region): what is there goes, the promise of memory is
 * checked and made, and the new range joins a neighbour or becomes a mapping of its own.
 *
 * What can fail comes before what is there goes, as far as Linux does it so: a mapping that its file refuses, or for
 * which nothing is left to keep it in, has replaced what lay there by then.
 */
import { PAGE_SIZE, type Vaddr } from "../page.ts";
import { newSharedAnonymousFile } from "../shmem/shared-anonymous.ts";
import { EACCES, ENODEV, ENOMEM, EOPNOTSUPP } from "../uapi/errno.ts";
import type { File } from "../vfs/file.ts";
import { mayExpandVm, vmStatAccount } from "../vma/accounting.ts";
import { mapDenyWriteExec } from "../vma/deny-write-exec.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { isAccountable, vmEnoughMemory } from "../vma/overcommit.ts";
import { vmaSetPageProt } from "../vma/page-prot.ts";
import {
  VM_ACCOUNT,
  VM_DONTEXPAND,
  VM_DROPPABLE,
  VM_LOCKED,
  VM_LOCKED_MASK,
  VM_SHARED,
  VM_SYNC,
} from "../vma/vm-flags.ts";
import { allocVma, freeVma, setVmaFlags, vmaLink } from "../vma/vma-lifetime.ts";
import { vmaMergeNewRange } from "../vma/vma-merge.ts";
import { splitAtEnds, unmapWhole } from "./munmap.ts";
import type { Task } from "./task.ts";

/** Makes the mapping at an address that is decided, replacing what is there (mmap_region). 0 or a negative errno. */
export function mmapRegion(
  task: Task,
  file: File | null,
  addr: Vaddr,
  length: number,
  flags: number,
  pgoff: number,
): number {
  const { mm } = task;
  const end = addr + length;
  const pages = length / PAGE_SIZE;
  let vmFlags = flags;
  if (mapDenyWriteExec(mm, flags, flags)) return -EACCES;
  const failed = splitAtEnds(mm, addr, end);
  if (failed !== 0) return failed;
  const replaced = mappedPages(mm, addr, end);
  if (!mayExpandVm(mm, vmFlags, pages - replaced)) return -ENOMEM;
  let charged = 0;
  if (isAccountable(vmFlags) && file?.inode.sb.hugePageSize === undefined) {
    // What is replaced hands its promise on; the unmapping takes it back, so it has to be made again.
    const inherited = replaced === 0 ? 0 : accountedPages(mm, addr, end);
    if (!vmEnoughMemory(mm, pages - inherited)) return -ENOMEM;
    mm.phys.commit.add(inherited);
    charged = pages;
    vmFlags |= VM_ACCOUNT;
  }
  unmapWhole(mm, addr, end);
  const range = { start: addr, end, flags: vmFlags, pgoff, file, ops: null };
  if (vmaMergeNewRange(mm, range) === null) {
    const result = newMapping(task, range);
    if (result !== 0) {
      mm.phys.commit.uncharge(charged);
      return result;
    }
  }
  vmStatAccount(mm, vmFlags, pages);
  if ((vmFlags & VM_LOCKED) !== 0) countLocked(mm, addr, pages);
  return 0;
}

/** Links a mapping of its own for `range` (__mmap_new_vma). */
function newMapping(
  task: Task,
  range: { start: Vaddr; end: Vaddr; flags: number; pgoff: number; file: File | null; ops: null },
): number {
  const { mm } = task;
  let backing: File | null = null;
  if (range.file === null && (range.flags & VM_SHARED) !== 0) {
    const length = range.end - range.start;
    const made = newSharedAnonymousFile(task.fs.mounts, length, range.flags, mm);
    if (typeof made === "number") return made;
    backing = made;
  }
  const file = backing ?? range.file;
  // The spread is worth avoiding: private anonymous memory is what programs map most.
  const vma = allocVma(mm, backing === null ? range : { ...range, file: backing });
  // The mapping holds a reference of its own.
  backing?.put();
  if (vma === null) return -ENOMEM;
  if (file !== null) {
    // Storage that can be mapped itself would have to be memory; tmpfs does not look. A disk refuses so late that what
    // lay at a fixed address is gone.
    const isSync = (vma.flags & VM_SYNC) !== 0 && file.inode.mapping?.canWriteback === true;
    const refused = isSync ? -EOPNOTSUPP : (file.ops.mmap?.(file, vma) ?? -ENODEV);
    if (refused !== 0) {
      freeVma(vma);
      return refused;
    }
  }
  vmaSetPageProt(vma);
  vmaLink(mm, vma);
  return 0;
}

/** Counts a new mapping as locked; but some kinds of memory never are, whatever the call or mlockall(MCL_FUTURE) said. */
function countLocked(mm: MmStruct, addr: Vaddr, pages: number): void {
  const vma = mm.vmas.lookup(addr);
  if (vma === null) return;
  if ((vma.flags & (VM_DROPPABLE | VM_DONTEXPAND)) === 0) mm.lockedVm += pages;
  else setVmaFlags(vma, vma.flags & ~VM_LOCKED_MASK);
}

/** Pages of start … end whose mappings are promises. Precondition: no mapping reaches beyond an end. */
function accountedPages(mm: MmStruct, start: Vaddr, end: Vaddr): number {
  let pages = 0;
  for (let vma = mm.vmas.find(start); vma !== null && vma.start < end; vma = vma.next) {
    if ((vma.flags & VM_ACCOUNT) !== 0) pages += (vma.end - vma.start) / PAGE_SIZE;
  }
  return pages;
}

function mappedPages(mm: MmStruct, start: Vaddr, end: Vaddr): number {
  let pages = 0;
  for (let vma = mm.vmas.find(start); vma !== null && vma.start < end; vma = vma.next) {
    pages += (Math.min(vma.end, end) - Math.max(vma.start, start)) / PAGE_SIZE;
  }
  return pages;
}
