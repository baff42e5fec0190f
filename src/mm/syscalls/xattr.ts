/**
 * Extended attributes (fs/xattr.c), on file systems that have none: as in Linux on proc, who may ask is looked at first, and
 * the answer is EOPNOTSUPP; a list of them is empty.
 */
import { CAP_SETFCAP, CAP_SYS_ADMIN } from "../uapi/capability.ts";
import { ENODATA, EOPNOTSUPP, EPERM, EROFS } from "../uapi/errno.ts";
import { S_ISVTX } from "../uapi/fcntl.ts";
import { capable } from "../vfs/capability.ts";
import { type Inode, isDir, isReg } from "../vfs/inode.ts";
import { inodePermission, isOwner, MAY_READ, MAY_WRITE } from "../vfs/permission.ts";
import { walkContext } from "./fd.ts";
import type { Task } from "./task.ts";

export function sysGetxattr(task: Task, inode: Inode, name: string): number {
  return xattrPermission(task, inode, name, MAY_READ) || -EOPNOTSUPP;
}

/** setxattr(2) and removexattr(2). */
export function sysChangeXattr(task: Task, inode: Inode, name: string): number {
  if (inode.sb.readOnly === true) return -EROFS;
  if (inode.isImmutable) return -EPERM;
  const refused = xattrPermission(task, inode, name, MAY_WRITE);
  if (refused !== 0) return refused;
  // Whoever may administer the system (cap_inode_setxattr); capabilities of files have one of their own.
  const wanted = name === "security.capability" ? CAP_SETFCAP : CAP_SYS_ADMIN;
  return name.startsWith("security.") && !capable(task, wanted) ? -EPERM : -EOPNOTSUPP;
}

export function sysListxattr(_inode: Inode): number {
  return 0;
}

/** xattr_permission */
function xattrPermission(task: Task, inode: Inode, name: string, mask: number): number {
  if (name.startsWith("security.") || name.startsWith("system.")) return 0;
  const refusal = mask === MAY_WRITE ? -EPERM : -ENODATA;
  if (name.startsWith("trusted.")) return capable(task, CAP_SYS_ADMIN) ? 0 : refusal;
  const cred = walkContext(task);
  if (name.startsWith("user.")) {
    if (!isReg(inode) && !isDir(inode)) return refusal;
    const isSticky = isDir(inode) && (inode.mode & S_ISVTX) !== 0;
    if (isSticky && mask === MAY_WRITE && !isOwner(cred, inode)) return -EPERM;
  }
  return inodePermission(cred, inode, mask);
}
