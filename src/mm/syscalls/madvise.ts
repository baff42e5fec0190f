/**
 * madvise(2): what a program says it will do with a range (mm/madvise.c).
 *
 * Advice that changes a mapping's flags splits and merges mappings like mprotect; advice that acts (DONTNEED, FREE,
 * REMOVE, WILLNEED, COLD, PAGEOUT, POPULATE, the guards) acts on the pages. Holes are skipped, and reported with ENOMEM
 * once all the rest is done.
 */

import { installGuards, removeGuards } from "../fault/guard-markers.ts";
import type { Mmu } from "../fault/mmu.ts";
import { madvisePopulate } from "../fault/populate.ts";
import { forcePageCacheRa } from "../filemap/readahead.ts";
import { isPageAligned, PAGE_SIZE, pageAlign, type Vaddr } from "../page.ts";
import { coolPages, pageOutRange } from "../reclaim/advise-pages.ts";
import { lazyFreeRange } from "../rmap/lazy-free.ts";
import { zapPages } from "../rmap/zap.ts";
import { ShmemInode } from "../shmem/shmem-inode.ts";
import { shmemSwapinRange } from "../shmem/shmem-swap.ts";
import { swapinRange } from "../swap/swap-readahead.ts";
import { EACCES, EAGAIN, EINVAL, ENOMEM, EOPNOTSUPP, EPERM } from "../uapi/errno.ts";
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE } from "../uapi/fs.ts";
import {
  MADV_COLD,
  MADV_DODUMP,
  MADV_DOFORK,
  MADV_DONTDUMP,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_DONTNEED_LOCKED,
  MADV_FREE,
  MADV_GUARD_INSTALL,
  MADV_GUARD_REMOVE,
  MADV_KEEPONFORK,
  MADV_NORMAL,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_RANDOM,
  MADV_REMOVE,
  MADV_SEQUENTIAL,
  MADV_WILLNEED,
  MADV_WIPEONFORK,
} from "../uapi/mman.ts";
import { fileOf } from "../vfs/file.ts";
import type { Credentials } from "../vfs/inode.ts";
import { inodePermission, isOwner, MAY_WRITE } from "../vfs/permission.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import {
  VM_DONTCOPY,
  VM_DONTDUMP,
  VM_DONTEXPAND,
  VM_DROPPABLE,
  VM_HUGETLB,
  VM_LOCKED,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_RAND_READ,
  VM_SEALED,
  VM_SEQ_READ,
  VM_SHARED,
  VM_WIPEONFORK,
  VM_WRITE,
} from "../vma/vm-flags.ts";
import { setVmaFlags } from "../vma/vma-lifetime.ts";
import { vmaModify } from "../vma/vma-modify.ts";
import { vmaKernelPagesize } from "../vma/vma-page-size.ts";
import type { Task } from "./task.ts";

/**
 * The advice of a kernel built without KSM (MERGEABLE, UNMERGEABLE), transparent huge pages (HUGEPAGE, NOHUGEPAGE,
 * COLLAPSE) and memory failure (HWPOISON, SOFT_OFFLINE), which to that kernel is as unknown as any other number.
 */
const KNOWN: ReadonlySet<number> = new Set([
  MADV_NORMAL,
  MADV_RANDOM,
  MADV_SEQUENTIAL,
  MADV_WILLNEED,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_REMOVE,
  MADV_DONTFORK,
  MADV_DOFORK,
  MADV_WIPEONFORK,
  MADV_KEEPONFORK,
  MADV_DONTDUMP,
  MADV_DODUMP,
  MADV_COLD,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_DONTNEED_LOCKED,
  MADV_GUARD_INSTALL,
  MADV_GUARD_REMOVE,
]);

/** What takes something away for good, so that sealed memory is protected from it (is_discard). */
const DISCARDS: ReadonlySet<number> = new Set([
  MADV_FREE,
  MADV_DONTNEED,
  MADV_DONTNEED_LOCKED,
  MADV_REMOVE,
  MADV_DONTFORK,
  MADV_WIPEONFORK,
  MADV_GUARD_INSTALL,
]);

/**
 * 0; EINVAL unknown advice, unaligned, or not for this kind of mapping; ENOMEM a hole; EAGAIN too many mappings; EACCES
 * REMOVE of what the caller may not write; EOPNOTSUPP REMOVE from a file without holes; EPERM a sealed mapping; EFAULT a
 * page that could not be populated.
 */
export function sysMadvise(mmu: Mmu, task: Task, addr: Vaddr, len: number, advice: number): number {
  return doMadvise(mmu, task, task.mm, addr, len, advice);
}

/** `task` advises on `mm`, its own or, by process_madvise, another's. Only on its own can it populate. */
export function doMadvise(
  mmu: Mmu,
  task: Task,
  mm: MmStruct,
  addr: Vaddr,
  len: number,
  advice: number,
): number {
  if (!KNOWN.has(advice)) return -EINVAL;
  if (!isPageAligned(addr)) return -EINVAL;
  const length = pageAlign(len);
  const end = addr + length;
  if (length >= 2 ** 64 || end >= 2 ** 64) return -EINVAL;
  if (length === 0) return 0;
  if (advice === MADV_POPULATE_READ || advice === MADV_POPULATE_WRITE) {
    return madvisePopulate(mmu, task, addr, end, advice === MADV_POPULATE_WRITE);
  }
  return adviseRange(task, mm, addr, end, advice);
}

/** madvise_walk_vmas: applies the advice to each mapping's part of the range. */
function adviseRange(cred: Credentials, mm: MmStruct, addr: Vaddr, end: Vaddr, advice: number): number {
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
    const failed = adviseVma(cred, vma, start, upTo, advice);
    if (failed !== 0) return failed;
    start = upTo;
    if (start >= end) return holes;
  }
}

/** Applies the advice to start … end, which lies in `vma` (madvise_vma_behavior). */
function adviseVma(cred: Credentials, vma: VmArea, start: Vaddr, end: Vaddr, advice: number): number {
  if (!mayAdvise(vma, advice)) return -EPERM;
  const isLocked = (vma.flags & VM_LOCKED) !== 0;
  const isHuge = (vma.flags & VM_HUGETLB) !== 0;
  const isSpecial = (vma.flags & VM_DONTEXPAND) !== 0;
  switch (advice) {
    case MADV_REMOVE:
      return isLocked ? -EINVAL : remove(vma, start, end);
    case MADV_WILLNEED:
      return willneed(vma, start, end);
    case MADV_COLD:
      if (isLocked || isHuge) return -EINVAL;
      coolPages(vma, start, end);
      return 0;
    case MADV_PAGEOUT:
      return isLocked || isHuge ? -EINVAL : pageout(cred, vma, start, end);
    case MADV_FREE:
      if (isLocked || !vma.isAnonymous) return -EINVAL;
      lazyFreeRange(vma, start, end);
      return 0;
    case MADV_DONTNEED:
    case MADV_DONTNEED_LOCKED:
      // Of huge pages those that lie in the range as a whole go, where it begins with one.
      if (isHuge) return start % vmaKernelPagesize(vma) === 0 ? 0 : -EINVAL;
      if (isLocked && advice === MADV_DONTNEED) return -EINVAL;
      zapPages(vma.mm, vma, start, end);
      if (vma.mm.arch.reclaimsTables) vma.mm.pageTable.dropEmptyTables(start, end);
      return 0;
    case MADV_GUARD_INSTALL:
      return isLocked || isSpecial ? -EINVAL : installGuards(vma, start, end);
    case MADV_GUARD_REMOVE:
      if (isSpecial) return -EINVAL;
      removeGuards(vma, start, end);
      return 0;
    default:
      return changeFlags(vma, start, end, advice);
  }
}

/** Whether a seal allows the advice (can_madvise_modify): files, and what could be overwritten anyway, lose nothing by it. */
function mayAdvise(vma: VmArea, advice: number): boolean {
  if ((vma.flags & VM_SEALED) === 0 || !DISCARDS.has(advice)) return true;
  return !vma.isAnonymous || (vma.flags & VM_WRITE) !== 0;
}

function changeFlags(vma: VmArea, start: Vaddr, end: Vaddr, advice: number): number {
  const flags = advisedFlags(vma, advice);
  if (flags < 0) return flags;
  if (flags === vma.flags) return 0;
  const area = vmaModify(vma.mm, vma, start, end, flags);
  if (typeof area === "number") return area === -ENOMEM ? -EAGAIN : area;
  setVmaFlags(area, flags);
  return 0;
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
      return flags & ~VM_DONTCOPY;
    case MADV_WIPEONFORK:
      return vma.file !== null || (flags & VM_SHARED) !== 0 ? -EINVAL : flags | VM_WIPEONFORK;
    case MADV_KEEPONFORK:
      return (flags & VM_DROPPABLE) !== 0 ? -EINVAL : flags & ~VM_WIPEONFORK;
    case MADV_DONTDUMP:
      return flags | VM_DONTDUMP;
    case MADV_DODUMP: {
      const refuses = (flags & VM_HUGETLB) === 0 ? VM_DONTEXPAND | VM_DROPPABLE : VM_DROPPABLE;
      return (flags & refuses) !== 0 ? -EINVAL : flags & ~VM_DONTDUMP;
    }
    default:
      return -EINVAL;
  }
}

/** Reads ahead of use: the file's pages into the page cache; what is in swap into the swap cache. */
function willneed(vma: VmArea, start: Vaddr, end: Vaddr): number {
  if (vma.file === null) {
    swapinRange(vma, start, end);
    return 0;
  }
  const file = fileOf(vma);
  const index = vma.pgoff + (start - vma.start) / PAGE_SIZE;
  if (!file.mapping.ops.writesBack) {
    const { inode } = file;
    if (inode instanceof ShmemInode) shmemSwapinRange(inode, index, index + (end - start) / PAGE_SIZE - 1);
    return 0;
  }
  forcePageCacheRa(file, index, (end - start) / PAGE_SIZE);
  return 0;
}

/** Punches a hole into the file, for everybody who sees it (madvise_remove). */
function remove(vma: VmArea, start: Vaddr, end: Vaddr): number {
  if (vma.file === null) return -EINVAL;
  const writable = VM_SHARED | VM_MAYWRITE;
  if ((vma.flags & writable) !== writable) return -EACCES;
  const file = fileOf(vma);
  const offset = vma.pgoff * PAGE_SIZE + start - vma.start;
  const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  return file.ops.fallocate?.(file, mode, offset, end - start) ?? -EOPNOTSUPP;
}

/**
 * madvise_pageout. How fast a file's pages come back tells who else uses them, so only who could write to the file may
 * send them out; others only what is theirs.
 */
function pageout(cred: Credentials, vma: VmArea, start: Vaddr, end: Vaddr): number {
  const onlyAnon = !vma.isAnonymous && !mayPageOutFile(cred, vma);
  if (onlyAnon && (vma.flags & VM_MAYSHARE) !== 0) return 0;
  pageOutRange(vma, start, end, onlyAnon);
  return 0;
}

/** can_do_file_pageout */
function mayPageOutFile(cred: Credentials, vma: VmArea): boolean {
  if (vma.file === null) return false;
  const { inode } = fileOf(vma);
  return isOwner(cred, inode) || inodePermission(cred, inode, MAY_WRITE) === 0;
}
