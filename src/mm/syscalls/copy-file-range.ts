/** copy_file_range(2): bytes from one regular file to another of the same file system (fs/read_write.c). */
import { EBADF, EFBIG, EINVAL, EISDIR, EOVERFLOW, ETXTBSY, EXDEV } from "../uapi/errno.ts";
import { MAX_LFS_FILESIZE, MAX_RW_COUNT, O_APPEND } from "../uapi/fcntl.ts";
import { RLIMIT_FSIZE } from "../uapi/mman.ts";
import { type File, FMODE_READ, FMODE_WRITE } from "../vfs/file.ts";
import { isDir, isReg } from "../vfs/inode.ts";
import { spliceDirect } from "../vfs/splice.ts";
import { fdGet } from "./fd.ts";
import type { FileOffset } from "./splice.ts";
import type { Task } from "./task.ts";

/** 0, or -EBADF: what is checked before the offsets in the caller's memory are read. */
export function mayCopyFileRange(task: Task, inFd: number, outFd: number): number {
  return fdGet(task, inFd) === undefined || fdGet(task, outFd) === undefined ? -EBADF : 0;
}

/**
 * Bytes copied, fewer at the end of the source; or negative errno. Offsets that are given move on, else the files' own do.
 * -EFBIG past RLIMIT_FSIZE also means SIGXFSZ: the caller sends it.
 */
export function sysCopyFileRange(
  task: Task,
  inFd: number,
  inOffset: FileOffset | null,
  outFd: number,
  outOffset: FileOffset | null,
  len: number,
  flags: number,
): number {
  const source = fdGet(task, inFd);
  const target = fdGet(task, outFd);
  if (source === undefined || target === undefined) return -EBADF;
  const from = inOffset === null ? source.pos : inOffset.value;
  const to = outOffset === null ? target.pos : outOffset.value;
  if (flags !== 0) return -EINVAL;
  const count = checkRange(task, source, from, target, to, len);
  if (count <= 0) return count;
  const copied = spliceDirect(
    source,
    from,
    target,
    to,
    Math.min(count, MAX_RW_COUNT),
    task,
    task.fs.mounts.phys,
  );
  if (copied > 0) {
    if (inOffset === null) source.pos = from + copied;
    else inOffset.value = from + copied;
    if (outOffset === null) target.pos = to + copied;
    else outOffset.value = to + copied;
  }
  return copied;
}

/** generic_copy_file_checks: how many bytes there are to copy, or negative errno. */
function checkRange(task: Task, source: File, from: number, target: File, to: number, len: number): number {
  const refused = genericFileRwChecks(source, target);
  if (refused !== 0) return refused;
  if (source.inode.sb !== target.inode.sb) return -EXDEV;
  if (source.inode.isSwapFile || target.inode.isSwapFile) return -ETXTBSY;
  if (wraps(from, len) || wraps(to, len)) return -EOVERFLOW;
  const there = from >= source.inode.size ? 0 : Math.min(len, source.inode.size - from);
  // Also where there is nothing to copy.
  const limit = task.rlimits[RLIMIT_FSIZE].soft;
  if (to >= limit || to >= MAX_LFS_FILESIZE) return -EFBIG;
  const count = Math.min(there, limit - to, MAX_LFS_FILESIZE - to);
  if (source.inode === target.inode && to + count > from && to < from + count) return -EINVAL;
  return from < 0 || to < 0 ? -EINVAL : count;
}

/** 0, or the negative errno of two files between which nothing can be copied. */
export function genericFileRwChecks(source: File, target: File): number {
  if (isDir(source.inode) || isDir(target.inode)) return -EISDIR;
  if (!isReg(source.inode) || !isReg(target.inode)) return -EINVAL;
  const mayCopy =
    (source.mode & FMODE_READ) !== 0 && (target.mode & FMODE_WRITE) !== 0 && (target.flags & O_APPEND) === 0;
  return mayCopy ? 0 : -EBADF;
}

/** Whether a range runs past the end of 64 bits; a negative offset counts as a huge one. Near there a sum of numbers is rounded. */
function wraps(offset: number, len: number): boolean {
  return offset !== 0 && len > 0 && BigInt.asUintN(64, BigInt(offset)) + BigInt(len) >= 2n ** 64n;
}
