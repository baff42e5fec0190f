/** fadvise64 and readahead (mm/fadvise.c, mm/readahead.c): what a program means to do with a file's pages. */
import { DEFAULT_RA_PAGES, forcePageCacheRa } from "../filemap/readahead.ts";
import { invalidateUnmapped } from "../filemap/truncate.ts";
import { filemapWriteAndWaitRange } from "../filemap/writeback.ts";
import { PAGE_SIZE } from "../page.ts";
import { EBADF, EINVAL, ESPIPE } from "../uapi/errno.ts";
import {
  POSIX_FADV_DONTNEED,
  POSIX_FADV_NOREUSE,
  POSIX_FADV_NORMAL,
  POSIX_FADV_RANDOM,
  POSIX_FADV_SEQUENTIAL,
  POSIX_FADV_WILLNEED,
  S_IFIFO,
  S_IFMT,
} from "../uapi/fcntl.ts";
import { type File, FMODE_READ } from "../vfs/file.ts";
import { isReg } from "../vfs/inode.ts";
import { fdGet } from "./fd.ts";
import type { Task } from "./task.ts";

/** Offsets and lengths are signed to Linux; a sum from here on means the end of any file. */
const MAX_OFFSET = 2 ** 63;

/** fadvise64(2). 0; EBADF, ESPIPE for a pipe, EINVAL for a negative length or unknown advice. */
export function sysFadvise64(task: Task, fd: number, offset: number, len: number, advice: number): number {
  const file = fdGet(task, fd);
  return file === undefined ? -EBADF : fadvise(file, offset, len, advice);
}

/** readahead(2): as WILLNEED, for regular files that are open for reading. */
export function sysReadahead(task: Task, fd: number, offset: number, count: number): number {
  const file = fdGet(task, fd);
  if (file === undefined || (file.mode & FMODE_READ) === 0) return -EBADF;
  if (!isReg(file.inode) || file.inode.isAnon) return -EINVAL;
  return fadvise(file, offset, count, POSIX_FADV_WILLNEED);
}

/** generic_fadvise. A length of 0 reaches to the end of the file. */
function fadvise(file: File, offset: number, len: number, advice: number): number {
  if ((file.inode.mode & S_IFMT) === S_IFIFO) return -ESPIPE;
  if (len < 0) return -EINVAL;
  if (advice < POSIX_FADV_NORMAL || advice > POSIX_FADV_NOREUSE) return -EINVAL;
  // Without storage to read from there is nothing to advise on.
  if (file.inode.mapping?.ops.writesBack !== true) return 0;
  const end = len === 0 || offset + len >= MAX_OFFSET ? Number.POSITIVE_INFINITY : offset + len;
  switch (advice) {
    case POSIX_FADV_NORMAL:
      file.raPages = DEFAULT_RA_PAGES;
      file.readsRandomly = false;
      break;
    case POSIX_FADV_SEQUENTIAL:
      file.raPages = 2 * DEFAULT_RA_PAGES;
      file.readsRandomly = false;
      break;
    case POSIX_FADV_RANDOM:
      file.readsRandomly = true;
      break;
    case POSIX_FADV_WILLNEED:
      willneed(file, offset, end);
      break;
    case POSIX_FADV_DONTNEED:
      dontneed(file, offset, end);
      break;
    // NOREUSE tells reclaim how to age pages, which looks at each page's own use here.
  }
  return 0;
}

function willneed(file: File, offset: number, end: number): void {
  if (offset < 0) return;
  const first = Math.floor(offset / PAGE_SIZE);
  forcePageCacheRa(file, first, Math.ceil(end / PAGE_SIZE) - first);
}

/** Pages that lie only in part in the range stay, but for the last one of the file, of which there is no more. */
function dontneed(file: File, offset: number, end: number): void {
  if (offset < 0) return;
  filemapWriteAndWaitRange(file.mapping, offset, end);
  const first = Math.ceil(offset / PAGE_SIZE);
  const pages = end === file.inode.size ? Math.ceil(end / PAGE_SIZE) : Math.floor(end / PAGE_SIZE);
  invalidateUnmapped(file.mapping, first, pages - 1);
}
