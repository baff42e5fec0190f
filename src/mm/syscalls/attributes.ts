/** faccessat, fchmodat, fchownat, utimensat and their descriptor forms (fs/open.c, fs/utimes.c). */
import { EACCES, EBADF, EINVAL, EOPNOTSUPP, EROFS } from "../uapi/errno.ts";
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW } from "../uapi/fcntl.ts";
import { AT_EACCESS } from "../uapi/fs.ts";
import { SECBIT_NO_SETUID_FIXUP } from "../uapi/securebits.ts";
import { type NewTime, vfsChmod, vfsChown, vfsUtimes } from "../vfs/attributes.ts";
import { capabilitiesOf, NO_CAPABILITIES } from "../vfs/capability.ts";
import type { Dentry } from "../vfs/dentry.ts";
import { type Inode, isLnk, isReg } from "../vfs/inode.ts";
import { LOOKUP_FOLLOW, pathLookup, type WalkContext } from "../vfs/namei.ts";
import { inodePermission, MAY_EXEC, MAY_WRITE } from "../vfs/permission.ts";
import { fdGet, startAt, walkContext } from "./fd.ts";
import type { Task } from "./task.ts";

const AT_FLAGS = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;

function lookupAt(
  task: Task,
  dirfd: number,
  path: string,
  flags: number,
  who: WalkContext = walkContext(task),
): Dentry | number {
  const start = startAt(task, dirfd, path);
  if (typeof start === "number") return start;
  if (path === "" && (flags & AT_EMPTY_PATH) !== 0) return start;
  const follow = (flags & AT_SYMLINK_NOFOLLOW) === 0 ? LOOKUP_FOLLOW : 0;
  return pathLookup(who, start, path, follow);
}

/** The rights of who started the task, for whom a set-id program asks (access_override_creds). */
function whoStarted(task: Task): WalkContext {
  const { userIds, groupIds } = task;
  const who = walkContext(task);
  if (userIds.real === userIds.effective && groupIds.real === groupIds.effective) return who;
  const { permitted, ...others } = capabilitiesOf(task);
  const isRoot = userIds.real === 0;
  const hasFixup = (task.securebits & SECBIT_NO_SETUID_FIXUP) === 0;
  const effective = isRoot ? permitted : NO_CAPABILITIES;
  const capabilities = hasFixup ? { ...others, permitted, effective } : task.capabilities;
  return { ...who, uid: userIds.real, gid: groupIds.real, capabilities };
}

/** faccessat2(2). @param mode R_OK | W_OK | X_OK, or F_OK */
export function sysFaccessat(task: Task, dirfd: number, path: string, mode: number, flags: number): number {
  if ((mode & ~7) !== 0 || (flags & ~(AT_FLAGS | AT_EACCESS)) !== 0) return -EINVAL;
  const who = (flags & AT_EACCESS) === 0 ? whoStarted(task) : walkContext(task);
  const dentry = lookupAt(task, dirfd, path, flags, who);
  if (typeof dentry === "number") return dentry;
  if (mode === 0) return 0;
  if ((mode & MAY_EXEC) !== 0 && isReg(dentry.inode) && dentry.inode.sb.noExec === true) return -EACCES;
  const denied = inodePermission(who, dentry.inode, mode);
  if (denied === -EROFS && inodePermission(who, dentry.inode, mode & ~MAY_WRITE) === -EACCES) return -EACCES;
  return denied;
}

/** fchmodat2(2). */
export function sysFchmodat(task: Task, dirfd: number, path: string, mode: number, flags: number): number {
  if ((flags & ~AT_FLAGS) !== 0) return -EINVAL;
  const dentry = lookupAt(task, dirfd, path, flags);
  return typeof dentry === "number" ? dentry : chmod(task, dentry.inode, mode);
}

/** fchmod(2). */
export function sysFchmod(task: Task, fd: number, mode: number): number {
  const file = fdGet(task, fd);
  return file === undefined ? -EBADF : chmod(task, file.inode, mode);
}

/** The mode of a symbolic link means nothing, and can't be changed. */
function chmod(task: Task, inode: Inode, mode: number): number {
  return isLnk(inode) ? -EOPNOTSUPP : vfsChmod(task, inode, mode);
}

/** fchownat(2). @param uid new owner, -1 to leave it; @param gid likewise */
export function sysFchownat(
  task: Task,
  dirfd: number,
  path: string,
  uid: number,
  gid: number,
  flags: number,
): number {
  if ((flags & ~AT_FLAGS) !== 0) return -EINVAL;
  const dentry = lookupAt(task, dirfd, path, flags);
  return typeof dentry === "number" ? dentry : vfsChown(task, dentry.inode, uid, gid);
}

/** fchown(2). */
export function sysFchown(task: Task, fd: number, uid: number, gid: number): number {
  const file = fdGet(task, fd);
  return file === undefined ? -EBADF : vfsChown(task, file.inode, uid, gid);
}

/** utimensat(2). @param path null for the file of `dirfd` itself; @param times access and modification time */
export function sysUtimensat(
  task: Task,
  dirfd: number,
  path: string | null,
  times: readonly [NewTime, NewTime],
  flags: number,
): number {
  const [atime, mtime] = times;
  if (atime === "omit" && mtime === "omit") return 0;
  if (path === null) {
    if (flags !== 0) return -EINVAL;
    const file = fdGet(task, dirfd);
    return file === undefined ? -EBADF : vfsUtimes(task, file.inode, atime, mtime);
  }
  if ((flags & ~AT_FLAGS) !== 0) return -EINVAL;
  const dentry = lookupAt(task, dirfd, path, flags);
  return typeof dentry === "number" ? dentry : vfsUtimes(task, dentry.inode, atime, mtime);
}
