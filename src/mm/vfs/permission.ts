/**
 * Who may do what with an inode (fs/namei.c: inode_permission, may_create, may_delete).
 *
 * Nine bits of the mode: the owner's, the group's or the others' three count, the first that fits. User 0 passes all
 * of them (CAP_DAC_OVERRIDE), except that it executes no file which nobody may execute.
 */

import { CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER } from "../uapi/capability.ts";
import { EACCES, EBUSY, EISDIR, ENOENT, ENOTDIR, EPERM, EROFS } from "../uapi/errno.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_ISVTX } from "../uapi/fcntl.ts";
import { capable } from "./capability.ts";
import type { Dentry } from "./dentry.ts";
import { type Actor, type Credentials, type Inode, isDir, isInGroup } from "./inode.ts";

export const MAY_EXEC = 1;
export const MAY_WRITE = 2;
export const MAY_READ = 4;

/** 0, or the negative errno that `cred` gets for access `mask` (MAY_… bits) to the inode. */
export function inodePermission(cred: Actor, inode: Inode, mask: number): number {
  const type = inode.mode & S_IFMT;
  if ((mask & MAY_WRITE) !== 0 && inode.sb.readOnly === true) {
    if (type === S_IFREG || type === S_IFDIR || type === S_IFLNK) return -EROFS;
  }
  if ((mask & MAY_WRITE) !== 0 && inode.isImmutable) return -EPERM;
  let bits = inode.mode;
  if (cred.uid === inode.uid) bits >>= 6;
  else if (isInGroup(cred, inode.gid)) bits >>= 3;
  if ((mask & ~bits & 7) === 0) return 0;
  // To read a file, or to read and search a directory, the smaller capability is enough.
  const isDirectory = type === S_IFDIR;
  const isReading = isDirectory ? (mask & MAY_WRITE) === 0 : (mask & 7) === MAY_READ;
  if (isReading && capable(cred, CAP_DAC_READ_SEARCH)) return 0;
  const isPossible = isDirectory || (mask & MAY_EXEC) === 0 || (inode.mode & 0o111) !== 0;
  if (isPossible && capable(cred, CAP_DAC_OVERRIDE)) return 0;
  return inode.ops.permits?.(inode, cred) === true ? 0 : -EACCES;
}

/** Whether `cred` owns the inode, or may act as if (inode_owner_or_capable). */
export function isOwner(cred: Credentials, inode: Inode): boolean {
  return cred.uid === inode.uid || capable(cred, CAP_FOWNER);
}

/** Whether a new name may be made in `dir`. */
export function mayCreate(cred: Credentials, dir: Dentry): number {
  // A removed directory takes no new names (IS_DEADDIR).
  if (dir.unhashed) return -ENOENT;
  return inodePermission(cred, dir.inode, MAY_WRITE | MAY_EXEC);
}

/** Whether `victim` may be removed from `dir`, by rmdir (`wantDir`) or by unlink. */
export function mayDelete(cred: Credentials, dir: Inode, victim: Dentry, wantDir: boolean): number {
  const denied = inodePermission(cred, dir, MAY_WRITE | MAY_EXEC);
  if (denied !== 0) return denied;
  const sticky = (dir.mode & S_ISVTX) !== 0;
  if (sticky && cred.uid !== victim.inode.uid && cred.uid !== dir.uid && !capable(cred, CAP_FOWNER))
    return -EPERM;
  if (wantDir) {
    if (!isDir(victim.inode)) return -ENOTDIR;
    if (victim.parent === null) return -EBUSY;
  } else if (isDir(victim.inode)) {
    return -EISDIR;
  }
  return 0;
}
