/**
 * Making, removing and moving names (vfs_mkdir … vfs_rename in fs/namei.c): permission first, then the file system,
 * then the dentries follow.
 *
 * Each takes the directory as a dentry and the last name of a path; `victim` is the dentry of a name that exists.
 */

import { CAP_MKNOD } from "../uapi/capability.ts";
import {
  EACCES,
  EBUSY,
  EEXIST,
  EINVAL,
  EMLINK,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  EPERM,
  EROFS,
  EXDEV,
} from "../uapi/errno.ts";
import { S_IFBLK, S_IFCHR, S_IFMT, S_IFREG } from "../uapi/fcntl.ts";
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from "../uapi/fs.ts";
import { capable } from "./capability.ts";
import { type Dentry, dAdd, dDelete, dExchange, dMove, isSubdir } from "./dentry.ts";
import { type Credentials, type Inode, isDir } from "./inode.ts";
import { lookupOne, type PathWalk, type WalkContext } from "./namei.ts";
import { inodePermission, MAY_WRITE, mayCreate, mayDelete } from "./permission.ts";

const LINK_MAX = 32000;

/**
 * Whether the last name of a walk is free to be created (filename_create): 0, or EEXIST, ENOENT, EROFS. `wantDir`: a
 * trailing slash is fine.
 */
export function mayMakeName(walk: PathWalk, wantDir: boolean): number {
  if (walk.lastType !== "name") return -EEXIST;
  const found = lookupOne(walk.at, walk.last);
  if (typeof found !== "number") return -EEXIST;
  if (found !== -ENOENT) return found;
  if ((walk.trailingSlash && !wantDir) || walk.at.inode.sb.hasFixedNames === true) return -ENOENT;
  return walk.at.inode.sb.readOnly === true ? -EROFS : 0;
}

function finish(dir: Dentry, name: string, made: Inode | number): number {
  if (typeof made === "number") return made;
  dAdd(dir, name, made);
  return 0;
}

export function vfsMkdir(ctx: WalkContext, dir: Dentry, name: string, mode: number): number {
  const denied = mayCreate(ctx, dir);
  if (denied !== 0) return denied;
  // S_IRWXUGO and the sticky bit: set-id bits are not mkdir's to give.
  const bits = mode & 0o1777 & ~ctx.umask;
  return finish(dir, name, dir.inode.ops.mkdir?.(dir.inode, name, bits, ctx) ?? -EPERM);
}

export function vfsSymlink(cred: Credentials, dir: Dentry, name: string, target: string): number {
  const denied = mayCreate(cred, dir);
  if (denied !== 0) return denied;
  return finish(dir, name, dir.inode.ops.symlink?.(dir.inode, name, target, cred) ?? -EPERM);
}

/** @param mode type and permission bits; type 0 means a regular file */
export function vfsMknod(ctx: WalkContext, dir: Dentry, name: string, mode: number, dev: number): number {
  const denied = mayCreate(ctx, dir);
  if (denied !== 0) return denied;
  const { inode } = dir;
  const type = mode & S_IFMT;
  if (type === 0 || type === S_IFREG) {
    return finish(dir, name, inode.ops.create?.(inode, name, mode & 0o7777 & ~ctx.umask, ctx) ?? -EACCES);
  }
  // A whiteout, number 0, is no device that anybody could use.
  const isDevice = (type === S_IFCHR && dev !== 0) || type === S_IFBLK;
  if (isDevice && !capable(ctx, CAP_MKNOD)) return -EPERM;
  return finish(dir, name, inode.ops.mknod?.(inode, name, mode & ~ctx.umask, dev, ctx) ?? -EPERM);
}

export function vfsLink(cred: Credentials, inode: Inode, dir: Dentry, name: string): number {
  if (inode.sb !== dir.inode.sb && dir.inode.sb.includes?.(inode) !== true) return -EXDEV;
  const denied = mayCreate(cred, dir);
  if (denied !== 0) return denied;
  if (isDir(inode) || dir.inode.ops.link === undefined) return -EPERM;
  // What lost its last name stays lost, except what O_TMPFILE made to be named later.
  if (inode.nlink === 0 && !inode.linkable) return -ENOENT;
  if (inode.nlink >= LINK_MAX) return -EMLINK;
  const failed = dir.inode.ops.link(inode, dir.inode, name);
  if (failed !== 0) return failed;
  inode.linkable = false;
  dAdd(dir, name, inode);
  return 0;
}

export function vfsUnlink(cred: Credentials, dir: Dentry, victim: Dentry): number {
  const denied = mayDelete(cred, dir.inode, victim, /* wantDir */ false);
  if (denied !== 0) return denied;
  if (victim.inode.isSwapFile) return -EPERM;
  if (victim.mounted !== null) return -EBUSY;
  const failed = dir.inode.ops.unlink?.(dir.inode, victim.name, victim.inode) ?? -EPERM;
  if (failed === 0) dDelete(victim);
  return failed;
}

export function vfsRmdir(cred: Credentials, dir: Dentry, victim: Dentry): number {
  const denied = mayDelete(cred, dir.inode, victim, /* wantDir */ true);
  if (denied !== 0) return denied;
  if (victim.mounted !== null) return -EBUSY;
  const failed = dir.inode.ops.rmdir?.(dir.inode, victim.name, victim.inode) ?? -EPERM;
  if (failed === 0) dDelete(victim);
  return failed;
}

/** One side of a rename: the directory, the name in it, and whether a slash followed it. */
export interface RenameSide {
  readonly dir: Dentry;
  readonly name: string;
  readonly trailingSlash: boolean;
}

/** rename of `from` to `to` with RENAME_… flags (do_renameat2 from the looked-up parents on, vfs_rename). */
export function vfsRename(cred: Credentials, from: RenameSide, to: RenameSide, flags: number): number {
  const source = lookupOne(from.dir, from.name);
  if (typeof source === "number") return source;
  const found = lookupOne(to.dir, to.name);
  if (typeof found === "number" && (found !== -ENOENT || to.dir.inode.sb.hasFixedNames === true))
    return found;
  const target = typeof found === "number" ? null : found;
  const exchange = (flags & RENAME_EXCHANGE) !== 0;
  if (target !== null && (flags & RENAME_NOREPLACE) !== 0) return -EEXIST;
  if (exchange) {
    if (target === null) return -ENOENT;
    if (to.trailingSlash && !isDir(target.inode)) return -ENOTDIR;
  }
  if (!isDir(source.inode)) {
    if (from.trailingSlash) return -ENOTDIR;
    if (!exchange && to.trailingSlash) return -ENOTDIR;
  }
  if (isSubdir(to.dir, source)) return -EINVAL;
  if (target !== null && isSubdir(from.dir, target)) return exchange ? -EINVAL : -ENOTEMPTY;
  if (source.inode === target?.inode) return 0;
  const denied = mayRename(cred, from, to, source, target, exchange);
  if (denied !== 0) return denied;
  const rename = from.dir.inode.ops.rename;
  if (rename === undefined) return -EPERM;
  if (source.inode.isSwapFile || target?.inode.isSwapFile === true) return -EPERM;
  const failed = rename(
    from.dir.inode,
    from.name,
    source.inode,
    to.dir.inode,
    to.name,
    target?.inode ?? null,
    flags,
    cred,
  );
  if (failed !== 0) return failed;
  if (target !== null && exchange) {
    dExchange(source, target);
  } else {
    if (target !== null) dDelete(target);
    dMove(source, to.dir, to.name);
  }
  return 0;
}

function mayRename(
  cred: Credentials,
  from: RenameSide,
  to: RenameSide,
  source: Dentry,
  target: Dentry | null,
  exchange: boolean,
): number {
  const isDirectory = isDir(source.inode);
  let denied = mayDelete(cred, from.dir.inode, source, isDirectory);
  if (denied !== 0) return denied;
  if (target === null) denied = mayCreate(cred, to.dir);
  else denied = mayDelete(cred, to.dir.inode, target, exchange ? isDir(target.inode) : isDirectory);
  if (denied !== 0) return denied;
  // A directory that changes its parent is itself changed: its ".." is.
  if (isDirectory && from.dir !== to.dir) {
    denied = inodePermission(cred, source.inode, MAY_WRITE);
    if (denied !== 0) return denied;
  }
  return source.mounted !== null || (target !== null && target.mounted !== null) ? -EBUSY : 0;
}
