/**
 * Extended attributes (fs/xattr.c): who may ask is looked at first, then whether the file system has such names. One that has
 * none answers EOPNOTSUPP, and its lists are empty.
 */
import { CAP_SETFCAP, CAP_SYS_ADMIN } from "../uapi/capability.ts";
import { EINVAL, ENODATA, EOPNOTSUPP, EPERM, EROFS } from "../uapi/errno.ts";
import { S_ISVTX } from "../uapi/fcntl.ts";
import { XATTR_REPLACE } from "../uapi/xattr.ts";
import { capable } from "../vfs/capability.ts";
import { type Inode, isDir, isReg } from "../vfs/inode.ts";
import { inodePermission, isOwner, MAY_READ, MAY_WRITE } from "../vfs/permission.ts";
import { walkContext } from "./fd.ts";
import type { Task } from "./task.ts";

const SECURITY = "security.";
const TRUSTED = "trusted.";
const USER = "user.";
const TRUSTED_BYTES: Uint8Array = new TextEncoder().encode(TRUSTED);
/** Programs here have no capabilities from their files, and none can be given. */
const CAPABILITY = "security.capability";

/** getxattr(2): the value, or -errno. */
export function sysGetxattr(task: Task, inode: Inode, name: string): Uint8Array | number {
  const refused = xattrPermission(task, inode, name, MAY_READ) || resolveName(inode, name);
  return refused !== 0 ? refused : (inode.ops.getxattr?.(inode, name) ?? -EOPNOTSUPP);
}

/** setxattr(2). XATTR_… flags. */
export function sysSetxattr(
  task: Task,
  inode: Inode,
  name: string,
  value: Uint8Array,
  flags: number,
): number {
  const refused = mayChange(task, inode, name);
  if (refused !== 0) return refused;
  return name === CAPABILITY ? -EOPNOTSUPP : change(inode, name, value, flags);
}

/** removexattr(2) */
export function sysRemovexattr(task: Task, inode: Inode, name: string): number {
  return mayChange(task, inode, name) || change(inode, name, null, XATTR_REPLACE);
}

function change(inode: Inode, name: string, value: Uint8Array | null, flags: number): number {
  return resolveName(inode, name) || (inode.ops.setxattr?.(inode, name, value, flags) ?? -EOPNOTSUPP);
}

/** listxattr(2): the names with a NUL behind each, without those that are no business of the caller's. */
export function sysListxattr(task: Task, inode: Inode): Uint8Array {
  const seesTrusted = capable(task, CAP_SYS_ADMIN);
  const names = (inode.ops.listxattr?.(inode) ?? []).filter((name) => seesTrusted || !isTrusted(name));
  const list = new Uint8Array(names.reduce((bytes, name) => bytes + name.length + 1, 0));
  let at = 0;
  for (const name of names) {
    list.set(name, at);
    at += name.length + 1;
  }
  return list;
}

function isTrusted(name: Uint8Array): boolean {
  return TRUSTED_BYTES.every((byte, i) => name[i] === byte);
}

/** Whether the file system keeps such names (xattr_resolve_name): a prefix alone is none. */
function resolveName(inode: Inode, name: string): number {
  if (inode.ops.setxattr === undefined) return -EOPNOTSUPP;
  const prefix = [SECURITY, TRUSTED, USER].find((one) => name.startsWith(one));
  if (prefix === undefined) return -EOPNOTSUPP;
  return name === prefix ? -EINVAL : 0;
}

function mayChange(task: Task, inode: Inode, name: string): number {
  if (inode.sb.readOnly === true) return -EROFS;
  if (inode.isImmutable) return -EPERM;
  const refused = xattrPermission(task, inode, name, MAY_WRITE);
  if (refused !== 0) return refused;
  // Whoever may administer the system (cap_inode_setxattr); capabilities of files have one of their own.
  const wanted = name === CAPABILITY ? CAP_SETFCAP : CAP_SYS_ADMIN;
  return name.startsWith(SECURITY) && !capable(task, wanted) ? -EPERM : 0;
}

/** xattr_permission */
function xattrPermission(task: Task, inode: Inode, name: string, mask: number): number {
  if (name.startsWith(SECURITY) || name.startsWith("system.")) return 0;
  const refusal = mask === MAY_WRITE ? -EPERM : -ENODATA;
  if (name.startsWith(TRUSTED)) return capable(task, CAP_SYS_ADMIN) ? 0 : refusal;
  const cred = walkContext(task);
  if (name.startsWith(USER)) {
    if (!isReg(inode) && !isDir(inode)) return refusal;
    const isSticky = isDir(inode) && (inode.mode & S_ISVTX) !== 0;
    if (isSticky && mask === MAY_WRITE && !isOwner(cred, inode)) return -EPERM;
  }
  return inodePermission(cred, inode, mask);
}
