/** Names: mkdirat, unlinkat, renameat2, linkat, symlinkat, readlinkat, getdents64, chdir, getcwd (fs/namei.c, readdir.c). */

import { CAP_SYS_CHROOT } from "../uapi/capability.ts";
import {
  EBADF,
  EBUSY,
  EEXIST,
  EILSEQ,
  EINVAL,
  EISDIR,
  ENAMETOOLONG,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  EPERM,
  EXDEV,
} from "../uapi/errno.ts";
import {
  AT_EMPTY_PATH,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  DT_DIR,
  PATH_MAX,
  S_IFDIR,
  S_IFMT,
} from "../uapi/fcntl.ts";
import { RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT } from "../uapi/fs.ts";
import { capable } from "../vfs/capability.ts";
import type { Dentry } from "../vfs/dentry.ts";
import {
  mayMakeName,
  vfsLink,
  vfsMkdir,
  vfsMknod,
  vfsRename,
  vfsRmdir,
  vfsSymlink,
  vfsUnlink,
} from "../vfs/directory.ts";
import type { File } from "../vfs/file.ts";
import { type DirEntry, isDir, isLnk } from "../vfs/inode.ts";
import { byteLength, isName } from "../vfs/name-bytes.ts";
import { LOOKUP_DIRECTORY, LOOKUP_FOLLOW, lookupOne, PathWalk, pathLookup } from "../vfs/namei.ts";
import { dPath, isBelow } from "../vfs/path.ts";
import { inodePermission, MAY_EXEC } from "../vfs/permission.ts";
import { fdGet, fdGetRaw, startAt, walkContext } from "./fd.ts";
import type { Task } from "./task.ts";

/** A walk that stands before the last name of `path`, or negative errno (filename_parentat). */
function parentAt(task: Task, dirfd: number, path: string): PathWalk | number {
  const start = startAt(task, dirfd, path);
  if (typeof start === "number") return start;
  const walk = new PathWalk(walkContext(task), start, path);
  const failed = walk.toLast();
  return failed === 0 ? walk : failed;
}

/** The same for a name that is to be made. */
function newNameAt(task: Task, dirfd: number, path: string, wantDir: boolean): PathWalk | number {
  const walk = parentAt(task, dirfd, path);
  if (typeof walk === "number") return walk;
  const failed = mayMakeName(walk, wantDir);
  return failed === 0 ? walk : failed;
}

/** mkdirat(2). */
export function sysMkdirat(task: Task, dirfd: number, path: string, mode: number): number {
  const walk = newNameAt(task, dirfd, path, /* wantDir */ true);
  return typeof walk === "number" ? walk : vfsMkdir(walkContext(task), walk.at, walk.last, mode);
}

/** mknodat(2). */
export function sysMknodat(task: Task, dirfd: number, path: string, mode: number, dev: number): number {
  if ((mode & S_IFMT) === S_IFDIR) return -EPERM;
  if ((mode & S_IFMT) !== 0 && ![1, 2, 6, 8, 12].includes((mode & S_IFMT) >> 12)) return -EINVAL;
  const walk = newNameAt(task, dirfd, path, /* wantDir */ false);
  return typeof walk === "number" ? walk : vfsMknod(walkContext(task), walk.at, walk.last, mode, dev);
}

/** chroot(2): "/" is another directory from now on, and ".." ends there. */
export function sysChroot(task: Task, path: string): number {
  const dentry = pathLookup(
    walkContext(task),
    startAtCwd(task, path),
    path,
    LOOKUP_FOLLOW | LOOKUP_DIRECTORY,
  );
  if (typeof dentry === "number") return dentry;
  const denied = inodePermission(walkContext(task), dentry.inode, MAY_EXEC);
  if (denied !== 0) return denied;
  if (!capable(task, CAP_SYS_CHROOT)) return -EPERM;
  task.fs.root = dentry;
  return 0;
}

function startAtCwd(task: Task, path: string): Dentry {
  return path.startsWith("/") ? task.fs.root : task.fs.cwd;
}

/** symlinkat(2). */
export function sysSymlinkat(task: Task, target: string, dirfd: number, path: string): number {
  if (target === "") return -ENOENT;
  if (!isName(target)) return -EILSEQ;
  if (byteLength(target) >= PATH_MAX) return -ENAMETOOLONG;
  const walk = newNameAt(task, dirfd, path, /* wantDir */ false);
  return typeof walk === "number" ? walk : vfsSymlink(task, walk.at, walk.last, target);
}

/** linkat(2). */
export function sysLinkat(
  task: Task,
  oldDirfd: number,
  oldPath: string,
  newDirfd: number,
  newPath: string,
  flags: number,
): number {
  if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const start = startAt(task, oldDirfd, oldPath);
  if (typeof start === "number") return start;
  const isEmpty = oldPath === "" && (flags & AT_EMPTY_PATH) !== 0;
  const follow = (flags & AT_SYMLINK_FOLLOW) !== 0 ? LOOKUP_FOLLOW : 0;
  const source = isEmpty ? start : pathLookup(walkContext(task), start, oldPath, follow);
  if (typeof source === "number") return source;
  const walk = newNameAt(task, newDirfd, newPath, /* wantDir */ false);
  return typeof walk === "number" ? walk : vfsLink(task, source.inode, walk.at, walk.last);
}

/** unlinkat(2): unlink, and with AT_REMOVEDIR rmdir. */
export function sysUnlinkat(task: Task, dirfd: number, path: string, flags: number): number {
  if ((flags & ~AT_REMOVEDIR) !== 0) return -EINVAL;
  const walk = parentAt(task, dirfd, path);
  if (typeof walk === "number") return walk;
  const removesDir = (flags & AT_REMOVEDIR) !== 0;
  if (walk.lastType !== "name") {
    if (!removesDir) return -EISDIR;
    return { dotdot: -ENOTEMPTY, dot: -EINVAL, root: -EBUSY }[walk.lastType];
  }
  const victim = lookupOne(walk.at, walk.last);
  if (typeof victim === "number") return victim;
  if (removesDir) return vfsRmdir(task, walk.at, victim);
  if (walk.trailingSlash) return isDir(victim.inode) ? -EISDIR : -ENOTDIR;
  return vfsUnlink(task, walk.at, victim);
}

/** renameat2(2). */
export function sysRenameat2(
  task: Task,
  oldDirfd: number,
  oldPath: string,
  newDirfd: number,
  newPath: string,
  flags: number,
): number {
  if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) !== 0) return -EINVAL;
  if ((flags & RENAME_EXCHANGE) !== 0 && flags !== RENAME_EXCHANGE) return -EINVAL;
  const from = parentAt(task, oldDirfd, oldPath);
  if (typeof from === "number") return from;
  const to = parentAt(task, newDirfd, newPath);
  if (typeof to === "number") return to;
  if (from.at.inode.sb !== to.at.inode.sb) return -EXDEV;
  if (from.lastType !== "name") return -EBUSY;
  if (to.lastType !== "name") return (flags & RENAME_NOREPLACE) !== 0 ? -EEXIST : -EBUSY;
  return vfsRename(
    task,
    { dir: from.at, name: from.last, trailingSlash: from.trailingSlash },
    { dir: to.at, name: to.last, trailingSlash: to.trailingSlash },
    flags,
  );
}

/** readlinkat(2): the whole target; the caller cuts it to its buffer. */
export function sysReadlinkat(task: Task, dirfd: number, path: string): string | number {
  const start = startAt(task, dirfd, path);
  if (typeof start === "number") return start;
  // With an empty path it is the link that O_PATH | O_NOFOLLOW opened.
  const dentry = path === "" ? start : pathLookup(walkContext(task), start, path, 0);
  if (typeof dentry === "number") return dentry;
  if (!isLnk(dentry.inode)) return path === "" ? -ENOENT : -EINVAL;
  return dentry.inode.ops.readlink?.(dentry.inode, task) ?? -EINVAL;
}

/** One entry of a directory, and the position behind it (d_off). */
export interface Dirent extends DirEntry {
  readonly off: number;
}

/**
 * getdents64(2): hands the entries from the file's position on to `emit`, until it answers false for one that does not
 * fit any more; that one comes again next time. 0 or negative errno.
 */
export function sysGetdents(task: Task, fd: number, emit: (entry: Dirent) => boolean): number {
  const file = fdGet(task, fd);
  if (file === undefined) return -EBADF;
  if (!isDir(file.inode)) return -ENOTDIR;
  if (file.dentry.unhashed && file.dentry.parent !== null) return -ENOENT;
  const entries = listing(file);
  if (typeof entries === "number") return entries;
  while (file.pos < entries.length) {
    const entry = entries[file.pos];
    if (!emit({ ...entry, off: file.pos + 1 })) break;
    file.pos++;
  }
  return 0;
}

/** The directory as it was when this file was first read from, or rewound: what comes and goes meanwhile moves nothing. */
function listing(file: File): readonly DirEntry[] | number {
  if (file.pos > 0 && Array.isArray(file.data)) return file.data;
  const { inode, dentry } = file;
  const named = file.ops.readdir?.(file) ?? inode.ops.readdir?.(inode) ?? -ENOTDIR;
  if (typeof named === "number") return named;
  const parent = dentry.parent ?? dentry.covers?.parent ?? dentry;
  const entries = [
    { name: ".", ino: inode.ino, type: DT_DIR },
    { name: "..", ino: parent.inode.ino, type: DT_DIR },
    ...named,
  ];
  file.data = entries;
  return entries;
}

/** chdir(2). */
export function sysChdir(task: Task, path: string): number {
  const dentry = pathLookup(walkContext(task), task.fs.cwd, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
  return typeof dentry === "number" ? dentry : changeTo(task, dentry);
}

/** fchdir(2). */
export function sysFchdir(task: Task, fd: number): number {
  const file = fdGetRaw(task, fd);
  if (file === undefined) return -EBADF;
  return isDir(file.inode) ? changeTo(task, file.dentry) : -ENOTDIR;
}

function changeTo(task: Task, dentry: Dentry): number {
  const denied = inodePermission(task, dentry.inode, MAY_EXEC);
  if (denied === 0) task.fs.cwd = dentry;
  return denied;
}

/** getcwd(2): the path, marked where chroot has left it outside; ENOENT when the directory was removed. */
export function sysGetcwd(task: Task): string | number {
  const { cwd, root } = task.fs;
  if (cwd.unhashed) return -ENOENT;
  const path = dPath(cwd, root);
  return isBelow(cwd, root) ? path : `(unreachable)${path}`;
}

/** umask(2): the old mask. */
export function sysUmask(task: Task, mask: number): number {
  const old = task.fs.umask;
  task.fs.umask = mask & 0o777;
  return old;
}
