/** truncate, ftruncate and fallocate (fs/open.c). */
import { EBADF, EFBIG, EINVAL, EISDIR, ENODEV, EOPNOTSUPP, EROFS, ESPIPE, ETXTBSY } from "../uapi/errno.ts";
import { MAX_LFS_FILESIZE, MAX_NON_LFS, O_LARGEFILE, S_IFIFO, S_IFMT } from "../uapi/fcntl.ts";
import {
  FALLOC_FL_ALLOCATE_RANGE,
  FALLOC_FL_COLLAPSE_RANGE,
  FALLOC_FL_INSERT_RANGE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_UNSHARE_RANGE,
  FALLOC_FL_WRITE_ZEROES,
  FALLOC_FL_ZERO_RANGE,
} from "../uapi/fs.ts";
import { RLIMIT_FSIZE } from "../uapi/mman.ts";
import { fileRemovePrivs, vfsTruncate } from "../vfs/attributes.ts";
import { FMODE_WRITE } from "../vfs/file.ts";
import { isDir, isReg } from "../vfs/inode.ts";
import { LOOKUP_FOLLOW, pathLookup } from "../vfs/namei.ts";
import { inodePermission, MAY_WRITE } from "../vfs/permission.ts";
import { fdGet, walkContext } from "./fd.ts";
import type { Task } from "./task.ts";

/** truncate(2). */
export function sysTruncate(task: Task, path: string, length: number): number {
  if (length < 0) return -EINVAL;
  const dentry = pathLookup(walkContext(task), task.fs.cwd, path, LOOKUP_FOLLOW);
  if (typeof dentry === "number") return dentry;
  const { inode } = dentry;
  if (isDir(inode)) return -EISDIR;
  if (!isReg(inode)) return -EINVAL;
  const denied = inodePermission(task, inode, MAY_WRITE);
  if (denied !== 0) return denied;
  // The path's attributes may be older than its storage's.
  const stale = inode.ops.getattr?.(inode) ?? 0;
  if (stale !== 0) return stale;
  return vfsTruncate(task, inode, length, task.rlimits[RLIMIT_FSIZE].soft, /* touchesTimes */ false);
}

/**
 * ftruncate(2). A descriptor that may not write is EINVAL, not EBADF, and so is a size beyond 2 GiB for what was not opened as a
 * large file, as the kernel's own files (pidfds).
 */
export function sysFtruncate(task: Task, fd: number, length: number): number {
  if (length < 0) return -EINVAL;
  const file = fdGet(task, fd);
  if (file === undefined) return -EBADF;
  if (!isReg(file.inode) || (file.mode & FMODE_WRITE) === 0) return -EINVAL;
  if (length > MAX_NON_LFS && (file.flags & O_LARGEFILE) === 0) return -EINVAL;
  return vfsTruncate(task, file.inode, length, task.rlimits[RLIMIT_FSIZE].soft, /* touchesTimes */ true);
}

/** What fallocate may do to a range, one at a time (FALLOC_FL_MODE_MASK). */
const MODE_MASK =
  FALLOC_FL_PUNCH_HOLE |
  FALLOC_FL_COLLAPSE_RANGE |
  FALLOC_FL_ZERO_RANGE |
  FALLOC_FL_INSERT_RANGE |
  FALLOC_FL_UNSHARE_RANGE |
  FALLOC_FL_WRITE_ZEROES;

/**
 * fallocate(2) (vfs_fallocate): room for a range, or the range emptied, cut out or pushed apart. -EFBIG past RLIMIT_FSIZE
 * also means SIGXFSZ: the caller sends it.
 */
export function sysFallocate(task: Task, fd: number, mode: number, offset: number, len: number): number {
  const file = fdGet(task, fd);
  if (file === undefined) return -EBADF;
  if (offset < 0 || len <= 0) return -EINVAL;
  if (!isMode(mode)) return -EOPNOTSUPP;
  if ((file.mode & FMODE_WRITE) === 0) return -EBADF;
  if (file.inode.sb.readOnly === true) return -EROFS;
  if (file.inode.isSwapFile) return -ETXTBSY;
  if ((file.inode.mode & S_IFMT) === S_IFIFO) return -ESPIPE;
  if (isDir(file.inode)) return -EISDIR;
  if (!isReg(file.inode)) return -ENODEV;
  if (offset + len > MAX_LFS_FILESIZE) return -EFBIG;
  if (file.ops.fallocate === undefined) return -EOPNOTSUPP;
  const failed = file.ops.fallocate(file, mode, offset, len, task.rlimits[RLIMIT_FSIZE].soft);
  return failed !== 0 ? failed : fileRemovePrivs(task, file.inode);
}

function isMode(mode: number): boolean {
  if ((mode & ~(MODE_MASK | FALLOC_FL_KEEP_SIZE)) !== 0) return false;
  const keepsSize = (mode & FALLOC_FL_KEEP_SIZE) !== 0;
  switch (mode & MODE_MASK) {
    case FALLOC_FL_ALLOCATE_RANGE:
    case FALLOC_FL_UNSHARE_RANGE:
    case FALLOC_FL_ZERO_RANGE:
      return true;
    case FALLOC_FL_PUNCH_HOLE:
      return keepsSize;
    case FALLOC_FL_COLLAPSE_RANGE:
    case FALLOC_FL_INSERT_RANGE:
    case FALLOC_FL_WRITE_ZEROES:
      return !keepsSize;
    default:
      return false;
  }
}
