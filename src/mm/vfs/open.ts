/**
 * open: from a path and flags to an open file description (do_filp_open in fs/namei.c, do_dentry_open in fs/open.c).
 *
 * The checks stand in Linux's order, because a program sees which of two errors it gets.
 */
import { PAGE_SIZE } from "../page.ts";
import {
  EACCES,
  EEXIST,
  EINVAL,
  EISDIR,
  ELOOP,
  ENOENT,
  ENOTDIR,
  ENXIO,
  EOPNOTSUPP,
  EPERM,
  EROFS,
  ETXTBSY,
} from "../uapi/errno.ts";
import {
  O_ACCMODE,
  O_APPEND,
  O_ASYNC,
  O_CREAT,
  O_DIRECT,
  O_DIRECTORY,
  O_DSYNC,
  O_EXCL,
  O_LARGEFILE,
  O_NOATIME,
  O_NOCTTY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_SYNC,
  O_TMPFILE,
  O_TRUNC,
  O_WRONLY,
  S_IFMT,
  S_IFSOCK,
} from "../uapi/fcntl.ts";
import { S_IALLUGO } from "../uapi/fs.ts";
import { vfsTruncate } from "./attributes.ts";
import { Dentry, dAdd } from "./dentry.ts";
import { File, FMODE_PATH, FMODE_READ, FMODE_WRITE } from "./file.ts";
import { type Actor, type Inode, isDir, isLnk, isReg } from "./inode.ts";
import { LOOKUP_DIRECTORY, LOOKUP_FOLLOW, PathWalk, pathLookup, type WalkContext } from "./namei.ts";
import { inodePermission, isOwner, MAY_EXEC, MAY_READ, MAY_WRITE, mayCreate } from "./permission.ts";

/** Default readahead window (VM_READAHEAD_PAGES): 128 KiB. */
const RA_PAGES = (128 * 1024) / PAGE_SIZE;
/** The bit of O_TMPFILE that is not O_DIRECTORY, and that of O_SYNC that is not O_DSYNC. */
const TMPFILE_BIT = O_TMPFILE & ~O_DIRECTORY;
const SYNC_BIT = O_SYNC & ~O_DSYNC;
/** Every flag that open knows; others are ignored (VALID_OPEN_FLAGS). O_CLOEXEC belongs to the descriptor. */
export const VALID_OPEN_FLAGS: number =
  O_ACCMODE |
  O_CREAT |
  O_EXCL |
  O_NOCTTY |
  O_TRUNC |
  O_APPEND |
  O_NONBLOCK |
  O_ASYNC |
  O_SYNC |
  O_DIRECT |
  O_LARGEFILE |
  O_NOFOLLOW |
  O_NOATIME |
  O_PATH |
  O_TMPFILE;

/**
 * Opens `path`, walked from `start`. The file has one reference, for the caller.
 * @param mode permission bits of a file that this creates; the umask comes off
 */
export function openPath(
  ctx: WalkContext,
  start: Dentry,
  path: string,
  flags: number,
  mode: number,
): File | number {
  let flag = flags & VALID_OPEN_FLAGS;
  if ((flag & SYNC_BIT) !== 0) flag |= O_DSYNC;
  if ((flag & O_PATH) !== 0) return openForPath(ctx, start, path, flag & (O_DIRECTORY | O_NOFOLLOW | O_PATH));
  flag |= O_LARGEFILE;
  const wrong = checkOpenFlags(flag);
  if (wrong !== 0) return wrong;
  if ((flag & TMPFILE_BIT) !== 0) return openTmpfile(ctx, start, path, flag, mode & S_IALLUGO);
  return openWalk(ctx, start, path, flag, mode & S_IALLUGO);
}

/** Flags that contradict each other, which are looked at before all else: 0 or -EINVAL (build_open_flags). */
export function checkOpenFlags(flags: number): number {
  if ((flags & O_PATH) !== 0) return 0;
  if ((flags & (O_DIRECTORY | O_CREAT)) === (O_DIRECTORY | O_CREAT)) return -EINVAL;
  if ((flags & TMPFILE_BIT) === 0) return 0;
  return (flags & O_DIRECTORY) === 0 || (accessMask(flags) & MAY_WRITE) === 0 ? -EINVAL : 0;
}

function openForPath(ctx: WalkContext, start: Dentry, path: string, flags: number): File | number {
  const follow = (flags & O_NOFOLLOW) === 0 ? LOOKUP_FOLLOW : 0;
  const dentry = pathLookup(ctx, start, path, follow | ((flags & O_DIRECTORY) !== 0 ? LOOKUP_DIRECTORY : 0));
  if (typeof dentry === "number") return dentry;
  return new File(dentry, dentry.inode, FMODE_PATH, flags, RA_PAGES);
}

function openTmpfile(
  ctx: WalkContext,
  start: Dentry,
  path: string,
  flags: number,
  mode: number,
): File | number {
  const dir = pathLookup(ctx, start, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
  if (typeof dir === "number") return dir;
  const denied = inodePermission(ctx, dir.inode, MAY_WRITE | MAY_EXEC);
  if (denied !== 0) return denied;
  const inode = dir.inode.ops.tmpfile?.(dir.inode, mode & ~ctx.umask, ctx) ?? -EOPNOTSUPP;
  if (typeof inode === "number") return inode;
  inode.linkable = (flags & O_EXCL) === 0;
  const dentry = new Dentry(`#${inode.ino}`, dir, inode);
  dentry.unhashed = true;
  return openInode(ctx, dentry, inode, flags);
}

function openWalk(ctx: WalkContext, start: Dentry, path: string, flags: number, mode: number): File | number {
  const creates = (flags & O_CREAT) !== 0;
  // O_EXCL never opens what a link leads to: the link itself is "there already".
  const follows = (flags & O_NOFOLLOW) === 0 && !(creates && (flags & O_EXCL) !== 0);
  const walk = new PathWalk(ctx, start, path);
  for (;;) {
    const failed = walk.toLast();
    if (failed !== 0) return failed;
    if (creates && walk.lastType === "name" && walk.trailingSlash) return -EISDIR;
    const found = walk.lookupLast();
    if (found === -ENOENT && creates && walk.lastType === "name")
      return createAndOpen(ctx, walk, flags, mode);
    if (typeof found === "number") return found;
    if (isLnk(found.inode) && (follows || walk.trailingSlash)) {
      if (creates && (flags & O_EXCL) !== 0) return -EEXIST;
      const stuck = walk.follow(found);
      if (stuck !== 0) return stuck;
      continue;
    }
    return openFound(ctx, found, flags, walk.trailingSlash);
  }
}

function createAndOpen(ctx: WalkContext, walk: PathWalk, flags: number, mode: number): File | number {
  const dir = walk.at;
  if (dir.inode.sb.hasFixedNames === true) return -ENOENT;
  if (dir.inode.sb.readOnly === true) return -EROFS;
  const denied = mayCreate(ctx, dir);
  if (denied !== 0) return denied;
  const made = dir.inode.ops.create?.(dir.inode, walk.last, mode & ~ctx.umask, ctx) ?? -EACCES;
  if (typeof made === "number") return made;
  // The creator gets what it asked for, whatever the new file's mode says; and there is nothing to truncate.
  const file = openInode(ctx, dAdd(dir, walk.last, made), made, flags);
  if (typeof file !== "number") file.isCreated = true;
  return file;
}

/** do_open and may_open: what exists is opened, if this caller may. */
function openFound(ctx: WalkContext, dentry: Dentry, flags: number, trailingSlash: boolean): File | number {
  const { inode } = dentry;
  if ((flags & O_CREAT) !== 0) {
    if ((flags & O_EXCL) !== 0) return -EEXIST;
    if (isDir(inode)) return -EISDIR;
  }
  if (((flags & O_DIRECTORY) !== 0 || trailingSlash) && !isDir(inode)) return -ENOTDIR;
  if (isLnk(inode)) return -ELOOP;
  const mask = accessMask(flags);
  if (isDir(inode) && (mask & MAY_WRITE) !== 0) return -EISDIR;
  const truncates = (flags & O_TRUNC) !== 0 && isReg(inode);
  const denied = inodePermission(ctx, inode, mask);
  if (denied !== 0) return denied;
  if ((flags & O_NOATIME) !== 0 && !isOwner(ctx, inode)) return -EPERM;
  const file = openInode(ctx, dentry, inode, flags);
  if (typeof file === "number" || !truncates) return file;
  const failed = vfsTruncate(ctx, inode, 0, Number.POSITIVE_INFINITY, /* touchesTimes */ true);
  if (failed === 0) return file;
  file.put();
  return failed;
}

/** An open file for an inode that the caller may open so: do_dentry_open. */
export function openInode(opener: Actor, dentry: Dentry, inode: Inode, flags: number): File | number {
  if ((inode.mode & S_IFMT) === S_IFSOCK) return -ENXIO;
  // Access mode 3 opens for neither reading nor writing (OPEN_FMODE).
  const mode = ((flags & O_ACCMODE) + 1) & (FMODE_READ | FMODE_WRITE);
  if ((mode & FMODE_WRITE) !== 0 && isReg(inode) && inode.executions > 0) return -ETXTBSY;
  const file = new File(dentry, inode, mode, flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC), RA_PAGES);
  if ((mode & FMODE_WRITE) !== 0) file.becomeWriter();
  file.opener = opener;
  let failed = inode.ops.open?.(inode, file, flags) ?? 0;
  if (failed === 0 && (flags & O_DIRECT) !== 0 && !file.canDirect) failed = -EINVAL;
  if (failed === 0) return file;
  file.put();
  return failed;
}

/** Permission that the flags need (ACC_MODE): O_TRUNC writes, whatever the access mode. */
function accessMask(flags: number): number {
  const mode = flags & O_ACCMODE;
  const reads = mode === O_WRONLY ? 0 : MAY_READ;
  const writes = mode === O_RDONLY && (flags & O_TRUNC) === 0 ? 0 : MAY_WRITE;
  return reads | writes;
}
