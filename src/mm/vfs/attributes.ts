/**
 * Attributes of inodes: what stat shows and what chmod, chown, utimens and truncate change (fs/attr.c, fs/stat.c).
 */

import { PAGE_SIZE } from "../page.ts";
import { CAP_CHOWN, CAP_FSETID } from "../uapi/capability.ts";
import { EACCES, EFBIG, EINVAL, EISDIR, EOPNOTSUPP, EPERM, EROFS, ETXTBSY } from "../uapi/errno.ts";
import { MAX_LFS_FILESIZE, S_IFMT, S_ISGID, S_ISUID } from "../uapi/fcntl.ts";
import { S_IALLUGO } from "../uapi/fs.ts";
import { capable } from "./capability.ts";
import { type AttributeChange, type Credentials, type Inode, isDir, isInGroup, isReg } from "./inode.ts";
import { inodePermission, isOwner, MAY_WRITE } from "./permission.ts";

/** struct stat as plain numbers. */
export interface Stat {
  readonly dev: number;
  readonly ino: number;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  /** Bytes. */
  readonly size: number;
  /** Preferred size of I/O (bytes). */
  readonly blksize: number;
  /** 512-byte blocks. */
  readonly blocks: number;
  readonly atimeNs: number;
  readonly mtimeNs: number;
  readonly ctimeNs: number;
}

export function vfsGetattr(inode: Inode): Stat | number {
  const failed = inode.ops.getattr?.(inode) ?? 0;
  if (failed !== 0) return failed;
  return {
    dev: inode.sb.dev,
    ino: inode.ino,
    mode: inode.isAnon ? inode.mode & ~S_IFMT : inode.mode,
    nlink: inode.nlink,
    uid: inode.uid,
    gid: inode.gid,
    rdev: inode.rdev,
    size: inode.size,
    blksize: inode.sb.hugePageSize ?? PAGE_SIZE,
    blocks: inode.blocks,
    atimeNs: inode.atimeNs,
    mtimeNs: inode.mtimeNs,
    ctimeNs: inode.ctimeNs,
  };
}

/** notify_change: hands a change to the file system, or makes it where the file system has no say. */
export function notifyChange(inode: Inode, change: AttributeChange): number {
  if (inode.sb.readOnly === true) return -EROFS;
  if (inode.isImmutable) return -EPERM;
  if (inode.ops.setattr !== undefined) return inode.ops.setattr(inode, change);
  if (change.size !== undefined) return -EINVAL;
  applyAttributes(inode, change);
  return 0;
}

/** anon_inode_setattr: of what is a kernel's object alone, nothing can be set. */
export function anonInodeSetattr(): number {
  return -EOPNOTSUPP;
}

/** Writes everything but the size into the inode (setattr_copy). */
export function applyAttributes(inode: Inode, change: AttributeChange): void {
  if (change.mode !== undefined) inode.mode = (inode.mode & ~S_IALLUGO) | (change.mode & S_IALLUGO);
  if (change.uid !== undefined) inode.uid = change.uid;
  if (change.gid !== undefined) inode.gid = change.gid;
  if (change.atimeNs !== undefined) inode.atimeNs = change.atimeNs;
  if (change.mtimeNs !== undefined) inode.mtimeNs = change.mtimeNs;
  inode.ctimeNs = inode.sb.now();
}

export function vfsChmod(cred: Credentials, inode: Inode, mode: number): number {
  if (inode.sb.readOnly === true) return -EROFS;
  if (!isOwner(cred, inode)) return -EPERM;
  // Who is not in the file's group may not make it set-group-id.
  const kept = !isInGroup(cred, inode.gid) && !capable(cred, CAP_FSETID) ? mode & ~S_ISGID : mode;
  return notifyChange(inode, { mode: kept & S_IALLUGO });
}

/** @param uid new owner, -1 to leave it; @param gid likewise */
export function vfsChown(cred: Credentials, inode: Inode, uid: number, gid: number): number {
  if (inode.sb.readOnly === true) return -EROFS;
  if (!capable(cred, CAP_CHOWN)) {
    if (uid >= 0 && (cred.uid !== inode.uid || uid !== inode.uid)) return -EPERM;
    if (gid >= 0 && (cred.uid !== inode.uid || (!isInGroup(cred, gid) && gid !== inode.gid))) return -EPERM;
  }
  // A new owner must not inherit the old one's set-id bits.
  let mode = inode.mode & S_IALLUGO;
  if (!isDir(inode)) {
    mode &= ~S_ISUID;
    if ((mode & 0o010) !== 0) mode &= ~S_ISGID;
  }
  return notifyChange(inode, {
    ...(uid >= 0 ? { uid } : {}),
    ...(gid >= 0 ? { gid } : {}),
    ...(mode !== (inode.mode & S_IALLUGO) ? { mode } : {}),
  });
}

/** Times to set: nanoseconds, "now", or "omit". */
export type NewTime = number | "now" | "omit";

export function vfsUtimes(cred: Credentials, inode: Inode, atime: NewTime, mtime: NewTime): number {
  if (atime === "omit" && mtime === "omit") return 0;
  if (inode.sb.readOnly === true) return -EROFS;
  if (!isOwner(cred, inode)) {
    // Both to the present time is a kind of write; anything else is the owner's.
    if (atime !== "now" || mtime !== "now") return -EPERM;
    if (inodePermission(cred, inode, MAY_WRITE) !== 0) return -EACCES;
  }
  const now = inode.sb.now();
  return notifyChange(inode, {
    ...(atime === "omit" ? {} : { atimeNs: atime === "now" ? now : atime }),
    ...(mtime === "omit" ? {} : { mtimeNs: mtime === "now" ? now : mtime }),
  });
}

/**
 * Sets the length of a regular file (do_truncate); ETXTBSY for a swap area, unless it grows. The caller has checked permission: truncate by the inode's bits,
 * ftruncate by the file's mode. @param limit the soft RLIMIT_FSIZE
 */
export function vfsTruncate(
  cred: Credentials,
  inode: Inode,
  size: number,
  limit: number,
  touchesTimes: boolean,
): number {
  if (size < 0) return -EINVAL;
  if (isDir(inode)) return -EISDIR;
  if (!isReg(inode)) return -EINVAL;
  // A program that runs keeps its length (get_write_access).
  if (inode.executions > 0) return -ETXTBSY;
  // Asked on the way to a change, where there can be one (setattr_prepare).
  const isFixed = inode.ops.setattr === anonInodeSetattr;
  if (!isFixed && size > inode.size && (size > limit || size > MAX_LFS_FILESIZE)) return -EFBIG;
  if (inode.isSwapFile && size <= inode.size) return -ETXTBSY;
  const failed = notifyChange(inode, touchesTimes ? { size, mtimeNs: inode.sb.now() } : { size });
  return failed !== 0 ? failed : fileRemovePrivs(cred, inode);
}

/**
 * What a change of a file's content takes from it (file_remove_privs): whoever could write into a set-user-ID program
 * would act as its owner. Root may keep the bits. 0 or negative errno.
 */
export function fileRemovePrivs(cred: Credentials, inode: Inode): number {
  if ((inode.mode & (S_ISUID | S_ISGID)) === 0 || !isReg(inode) || capable(cred, CAP_FSETID)) return 0;
  let mode = inode.mode & S_IALLUGO & ~S_ISUID;
  // Without execution for the group the bit means something else, which only those outside the group may not keep.
  if ((mode & 0o010) !== 0 || !isInGroup(cred, inode.gid)) mode &= ~S_ISGID;
  return mode === (inode.mode & S_IALLUGO) ? 0 : notifyChange(inode, { mode });
}
