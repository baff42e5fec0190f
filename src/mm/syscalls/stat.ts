/** fstat, newfstatat, statfs, fstatfs (fs/stat.c, fs/statfs.c). The caller lays the answers out for its architecture. */
import { PAGE_SIZE } from "../page.ts";
import { EBADF, EINVAL } from "../uapi/errno.ts";
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, NAME_MAX } from "../uapi/fcntl.ts";
import { type Stat, vfsGetattr } from "../vfs/attributes.ts";
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
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | IGNORED_FLAGS)) !== 0) return -EINVAL;
  const start = startAt(task, dirfd, path);
  if (typeof start === "number") return start;
  if (path === "" && (flags & AT_EMPTY_PATH) !== 0) return vfsGetattr(start.inode);
  const follow = (flags & AT_SYMLINK_NOFOLLOW) === 0 ? LOOKUP_FOLLOW : 0;
  const dentry = pathLookup(walkContext(task), start, path, follow);
  return typeof dentry === "number" ? dentry : vfsGetattr(dentry.inode);
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
