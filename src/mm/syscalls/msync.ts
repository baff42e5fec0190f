/**
 * msync(2): brings what was written through shared mappings of files to storage (mm/msync.c).
 *
 * MS_ASYNC starts nothing: dirty pages are already known to write-back. MS_SYNC writes and waits, and reports a
 * write-back error once per open file.
 */
import { isPageAligned, PAGE_SIZE, pageAlign, type Vaddr } from "../page.ts";
import { EBUSY, EINVAL, ENOMEM } from "../uapi/errno.ts";
import { MS_ASYNC, MS_INVALIDATE, MS_SYNC } from "../uapi/mman.ts";
import { fileOf } from "../vfs/file.ts";
import { vfsFsyncRange } from "../vfs/sync.ts";
import { VM_LOCKED, VM_SHARED } from "../vma/vm-flags.ts";
import type { Task } from "./task.ts";

/** 0; EINVAL unknown or contradictory flags, unaligned; ENOMEM a hole; EBUSY MS_INVALIDATE of a locked mapping; or the write's error. */
export function sysMsync(task: Task, addr: Vaddr, len: number, flags: number): number {
  const { mm } = task;
  if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) !== 0) return -EINVAL;
  if (!isPageAligned(addr)) return -EINVAL;
  if ((flags & MS_ASYNC) !== 0 && (flags & MS_SYNC) !== 0) return -EINVAL;
  // Linux rounds the length up with wrap-around, and only then looks whether the end wrapped, too.
  const length = pageAlign(len) >= 2 ** 64 ? 0 : pageAlign(len);
  const end = addr + length;
  if (end >= 2 ** 64) return -ENOMEM;
  if (length === 0) return 0;
  let holes = 0;
  let start: number = addr;
  for (let vma = mm.vmas.find(start); ; vma = mm.vmas.find(start)) {
    if (vma === null) return -ENOMEM;
    if (start < vma.start) {
      if (flags === MS_ASYNC) return -ENOMEM;
      start = vma.start;
      if (start >= end) return -ENOMEM;
      holes = -ENOMEM;
    }
    if ((flags & MS_INVALIDATE) !== 0 && (vma.flags & VM_LOCKED) !== 0) return -EBUSY;
    const from = start - vma.start + vma.pgoff * PAGE_SIZE;
    const to = from + Math.min(end, vma.end) - start;
    start = vma.end;
    if ((flags & MS_SYNC) !== 0 && vma.file !== null && (vma.flags & VM_SHARED) !== 0) {
      const failed = vfsFsyncRange(fileOf(vma), from, to, /* datasync */ true);
      if (failed !== 0) return failed;
    }
    if (start >= end) return holes;
  }
}
