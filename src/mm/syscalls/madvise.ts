/**
 * madvise(2): what a program says it will do with a range (mm/madvise.c).
 *
 * Advice that changes a mapping's flags splits and merges mappings like mprotect; advice that acts (DONTNEED, WILLNEED,
 * POPULATE) acts on the pages. Holes are skipped, and reported with ENOMEM once all the rest is done.
 */

import type { Mmu } from "../fault/mmu.ts";
import { madvisePopulate } from "../fault/populate.ts";
import { forcePageCacheRa } from "../filemap/readahead.ts";
import { isPageAligned, PAGE_SIZE, pageAlign, type Vaddr } from "../page.ts";
import { zapRange } from "../rmap/zap.ts";
import { EAGAIN, EINVAL, ENOMEM } from "../uapi/errno.ts";
import {
  MADV_DODUMP,
  MADV_DOFORK,
  MADV_DONTDUMP,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_KEEPONFORK,
  MADV_NORMAL,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_RANDOM,
  MADV_SEQUENTIAL,
  MADV_WILLNEED,
  MADV_WIPEONFORK,
} from "../uapi/mman.ts";
import { fileOf } from "../vfs/file.ts";
import type { VmArea } from "../vma/vm-area.ts";
import {
  VM_DONTCOPY,
  VM_DONTDUMP,
  VM_DONTEXPAND,
  VM_DROPPABLE,
  VM_LOCKED,
  VM_RAND_READ,
  VM_SEQ_READ,
  VM_SHARED,
  VM_WIPEONFORK,
} from "../vma/vm-flags.ts";
import { setVmaFlags } from "../vma/vma-lifetime.ts";
import { vmaModify } from "../vma/vma-modify.ts";
import type { Task } from "./task.ts";

/** The advice this kernel knows. Any other is EINVAL, as a Linux built without it answers. */
const KNOWN: ReadonlySet<number> = new Set([
  MADV_NORMAL,
  MADV_RANDOM,
  MADV_SEQUENTIAL,
  MADV_WILLNEED,
  MADV_DONTNEED,
  MADV_DONTFORK,
  MADV_DOFORK,
  MADV_WIPEONFORK,
  MADV_KEEPONFORK,
  MADV_DONTDUMP,
  MADV_DODUMP,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
]);

/** 0; EINVAL unknown advice, unaligned, or not for this kind of mapping; ENOMEM a hole; EAGAIN too many mappings; EFAULT a page that could not be populated. */
export function sysMadvise(mmu: Mmu, task: Task, addr: Vaddr, len: number, advice: number): number {
  if (!KNOWN.has(advice)) return -EINVAL;
  if (!isPageAligned(addr)) return -EINVAL;
  const length = pageAlign(len);
  const end = addr + length;
  if (length >= 2 ** 64 || end >= 2 ** 64) return -EINVAL;
  if (length === 0) return 0;
  if (advice === MADV_POPULATE_READ || advice === MADV_POPULATE_WRITE) {
    return madvisePopulate(mmu, task, addr, end, advice === MADV_POPULATE_WRITE);
  }
  return adviseRange(task, addr, end, advice);
}

/** madvise_walk_vmas: applies the advice to each mapping's part of the range. */
function adviseRange(task: Task, addr: Vaddr, end: Vaddr, advice: number): number {
  const { mm } = task;
  let holes = 0;
  let start: number = addr;
  for (let vma = mm.vmas.find(start); ; vma = mm.vmas.find(start)) {
    if (vma === null) return -ENOMEM;
    if (start < vma.start) {
      holes = -ENOMEM;
      start = vma.start;
      if (start >= end) return holes;
    }
    const upTo = Math.min(vma.end, end);
    const failed = adviseVma(vma, start, upTo, advice);
    if (failed !== 0) return failed;
    start = upTo;
    if (start >= end) return holes;
  }
}

/** Applies the advice to start … end, which lies in `vma`. */
function adviseVma(vma: VmArea, start: Vaddr, end: Vaddr, advice: number): number {
  switch (advice) {
    case MADV_WILLNEED:
      return willneed(vma, start, end);
    case MADV_DONTNEED:
      if ((vma.flags & VM_LOCKED) !== 0) return -EINVAL;
      zapRange(vma.mm, vma, start, end);
      return 0;
    default: {
      const flags = advisedFlags(vma, advice);
      if (flags < 0) return flags;
      if (flags === vma.flags) return 0;
      const area = vmaModify(vma.mm, vma, start, end, flags);
      if (typeof area === "number") return area === -ENOMEM ? -EAGAIN : area;
      setVmaFlags(area, flags);
      return 0;
    }
  }
}

/** The mapping's flags under the advice, or -EINVAL where it is not for this mapping. */
function advisedFlags(vma: VmArea, advice: number): number {
  const { flags } = vma;
  switch (advice) {
    case MADV_NORMAL:
      return flags & ~VM_RAND_READ & ~VM_SEQ_READ;
    case MADV_SEQUENTIAL:
      return (flags & ~VM_RAND_READ) | VM_SEQ_READ;
    case MADV_RANDOM:
      return (flags & ~VM_SEQ_READ) | VM_RAND_READ;
    case MADV_DONTFORK:
      return flags | VM_DONTCOPY;
    case MADV_DOFORK:
      return (flags & VM_DONTEXPAND) !== 0 ? -EINVAL : flags & ~VM_DONTCOPY;
    case MADV_WIPEONFORK:
      return vma.file !== null || (flags & VM_SHARED) !== 0 ? -EINVAL : flags | VM_WIPEONFORK;
    case MADV_KEEPONFORK:
      return (flags & VM_DROPPABLE) !== 0 ? -EINVAL : flags & ~VM_WIPEONFORK;
    case MADV_DONTDUMP:
      return flags | VM_DONTDUMP;
    case MADV_DODUMP:
      return (flags & (VM_DONTEXPAND | VM_DROPPABLE)) !== 0 ? -EINVAL : flags & ~VM_DONTDUMP;
    default:
      return -EINVAL;
  }
}

/** Reads the file's pages into the page cache ahead of use; nothing to do for memory without storage. */
function willneed(vma: VmArea, start: Vaddr, end: Vaddr): number {
  if (vma.file === null) return 0;
  const file = fileOf(vma);
  if (!file.mapping.ops.writesBack) return 0;
  const index = vma.pgoff + (start - vma.start) / PAGE_SIZE;
  forcePageCacheRa(file, index, (end - start) / PAGE_SIZE);
  return 0;
}
