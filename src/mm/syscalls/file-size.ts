/** truncate, ftruncate and fallocate (fs/open.c). */
import { EBADF, EFBIG, EINVAL, EISDIR, ENODEV, EOPNOTSUPP, EROFS, ESPIPE, ETXTBSY } from "../uapi/errno.ts";
import { MAX_LFS_FILESIZE, S_IFIFO, S_IFMT } from "../uapi/fcntl.ts";
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE } from "../uapi/fs.ts";
import { RLIMIT_FSIZE } from "../uapi/mman.ts";
import { vfsTruncate } from "../vfs/attributes.ts";
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
  return vfsTruncate(inode, length, task.rlimits[RLIMIT_FSIZE].soft, /* touchesTimes */ false);
}

/** ftruncate(2). A descriptor that may not write is EINVAL, not EBADF. */
export function sysFtruncate(task: Task, fd: number, length: number): number {
  if (length < 0) return -EINVAL;
  const file = fdGet(task, fd);
  if (file === undefined) return -EBADF;
  if (!isReg(file.inode) || (file.mode & FMODE_WRITE) === 0) return -EINVAL;
  return vfsTruncate(file.inode, length, task.rlimits[RLIMIT_FSIZE].soft, /* touchesTimes */ true);
}

/** fallocate(2) (vfs_fallocate). */
export function sysFallocate(task: Task, fd: number, mode: number, offset: number, len: number): number {
  const file = fdGet(task, fd);
  if (file === undefined) return -EBADF;
  if (offset < 0 || len <= 0) return -EINVAL;
  const punches = (mode & FALLOC_FL_PUNCH_HOLE) !== 0;
  if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) !== 0) return -EOPNOTSUPP;
  if (punches && (mode & FALLOC_FL_KEEP_SIZE) === 0) return -EOPNOTSUPP;
  if ((file.mode & FMODE_WRITE) === 0) return -EBADF;
  if (file.inode.sb.readOnly === true) return -EROFS;
  if (file.inode.isSwapFile) return -ETXTBSY;
  if ((file.inode.mode & S_IFMT) === S_IFIFO) return -ESPIPE;
  if (isDir(file.inode)) return -EISDIR;
  if (!isReg(file.inode)) return -ENODEV;
  if (offset + len > MAX_LFS_FILESIZE) return -EFBIG;
  const grows = (mode & FALLOC_FL_KEEP_SIZE) === 0 && offset + len > file.inode.size;
  if (grows && offset + len > task.rlimits[RLIMIT_FSIZE].soft) return -EFBIG;
  return file.ops.fallocate?.(file, mode, offset, len) ?? -EOPNOTSUPP;
}
