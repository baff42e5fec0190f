/** fstat, newfstatat, statfs, fstatfs (fs/stat.c, fs/statfs.c). The caller lays the answers out for its architecture. */
import { PAGE_SIZE } from "../page.ts";
import { EBADF, EINVAL } from "../uapi/errno.ts";
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, NAME_MAX } from "../uapi/fcntl.ts";
import { type Stat, vfsGetattr } from "../vfs/attributes.ts";
import type { Dentry } from "../vfs/dentry.ts";
import { LOOKUP_FOLLOW, pathLookup } from "../vfs/namei.ts";
import type { SuperBlock } from "../vfs/super-block.ts";
import { fdGetRaw, startAt, walkContext } from "./fd.ts";
import type { Task } from "./task.ts";

/** AT_NO_AUTOMOUNT and the AT_STATX_SYNC_ flags: accepted, and nothing to do. */
const IGNORED_FLAGS = 0x800 | 0x6000;

/** fstat(2); an O_PATH descriptor is fine. */
export function sysFstat(task: Task, fd: number): Stat | number {
  const file = fdGetRaw(task, fd);
  return file === undefined ? -EBADF : vfsGetattr(file.inode);
}

/** newfstatat(2): stat, lstat, and with AT_EMPTY_PATH fstat. */
export function sysNewfstatat(task: Task, dirfd: number, path: string, flags: number): Stat | number {
  const dentry = findToStat(task, dirfd, path, flags);
  return typeof dentry === "number" ? dentry : vfsGetattr(dentry.inode);
}

function findToStat(task: Task, dirfd: number, path: string, flags: number): Dentry | number {
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | IGNORED_FLAGS)) !== 0) return -EINVAL;
  const start = startAt(task, dirfd, path);
  if (typeof start === "number") return start;
  if (path === "" && (flags & AT_EMPTY_PATH) !== 0) return start;
  const follow = (flags & AT_SYMLINK_NOFOLLOW) === 0 ? LOOKUP_FOLLOW : 0;
  return pathLookup(walkContext(task), start, path, follow);
}

/** What statx tells beside that: of the file's mount, and whether the file is the root of it. */
export interface MountStat {
  readonly stat: Stat;
  readonly mountId: number;
  readonly isMountRoot: boolean;
  readonly fsName: string;
}

/** statx(2). */
export function sysStatx(task: Task, dirfd: number, path: string, flags: number): MountStat | number {
  const dentry = findToStat(task, dirfd, path, flags);
  if (typeof dentry === "number") return dentry;
  const stat = vfsGetattr(dentry.inode);
  if (typeof stat === "number") return stat;
  const { sb } = dentry.inode;
  const isMountRoot = dentry.parent === null && dentry.pseudoName === null;
  return { stat, mountId: task.fs.mounts.idOf(sb), isMountRoot, fsName: sb.fsName };
}

/** struct statfs as plain numbers. */
export interface FsStatistics {
  readonly magic: number;
  readonly dev: number;
  /** Bytes; the counts below are in this unit. */
  readonly blockSize: number;
  readonly blocks: number;
  readonly freeBlocks: number;
  readonly availableBlocks: number;
  readonly files: number;
  readonly freeFiles: number;
  readonly nameMax: number;
  readonly readOnly: boolean;
  readonly noExec: boolean;
}

function statistics(sb: SuperBlock): FsStatistics {
  const sizes = sb.statfs?.();
  return {
    magic: sb.magic,
    dev: sb.dev,
    blockSize: sizes?.blockSize ?? PAGE_SIZE,
    blocks: sizes?.blocks ?? 0,
    freeBlocks: sizes?.blocksFree ?? 0,
    availableBlocks: sizes?.blocksAvailable ?? 0,
    files: sizes?.files ?? 0,
    freeFiles: sizes?.filesFree ?? 0,
    nameMax: NAME_MAX,
    readOnly: sb.readOnly === true,
    noExec: sb.noExec === true,
  };
}

/** statfs(2). */
export function sysStatfs(task: Task, path: string): FsStatistics | number {
  const dentry = pathLookup(walkContext(task), task.fs.cwd, path, LOOKUP_FOLLOW);
  return typeof dentry === "number" ? dentry : statistics(dentry.inode.sb);
}

/** fstatfs(2). */
export function sysFstatfs(task: Task, fd: number): FsStatistics | number {
  const file = fdGetRaw(task, fd);
  return file === undefined ? -EBADF : statistics(file.inode.sb);
}
