/** fsync, fdatasync, sync, syncfs, sync_file_range (fs/sync.c). */
import { fileCheckAndAdvanceWbErr, filemapWriteAndWaitRange } from "../filemap/writeback.ts";
import { EBADF, EINVAL, ESPIPE } from "../uapi/errno.ts";
import {
  S_IFBLK,
  S_IFMT,
  SYNC_FILE_RANGE_WAIT_AFTER,
  SYNC_FILE_RANGE_WAIT_BEFORE,
  SYNC_FILE_RANGE_WRITE,
} from "../uapi/fcntl.ts";
import { isDir, isReg } from "../vfs/inode.ts";
import { sbCheckAndAdvanceWbErr, syncFilesystem, vfsFsyncRange } from "../vfs/sync.ts";
import { fdGet } from "./fd.ts";
import type { Task } from "./task.ts";

/** fsync(2): data, size and times are in storage. A write-back error is told once for each open file. */
export function sysFsync(task: Task, fd: number): number {
  return syncFile(task, fd, /* datasync */ false);
}

/** fdatasync(2): data and size are. */
export function sysFdatasync(task: Task, fd: number): number {
  return syncFile(task, fd, /* datasync */ true);
}

function syncFile(task: Task, fd: number, datasync: boolean): number {
  const file = fdGet(task, fd);
  if (file === undefined) return -EBADF;
  const failed = vfsFsyncRange(file, 0, Number.POSITIVE_INFINITY, datasync);
  // Also what failed in the background since this file was last asked.
  const noted = file.inode.mapping === null ? 0 : fileCheckAndAdvanceWbErr(file);
  return failed !== 0 ? failed : noted;
}

/** sync(2): everything is in storage; it reports nothing. */
export function sysSync(task: Task): number {
  for (const sb of task.fs.mounts.superBlocks()) syncFilesystem(sb);
  return 0;
}

/** syncfs(2): as sync, for the file system of `fd`; tells once of what failed on any of its files since `fd` was opened. */
export function sysSyncfs(task: Task, fd: number): number {
  const file = fdGet(task, fd);
  if (file === undefined) return -EBADF;
  const failed = syncFilesystem(file.inode.sb);
  return sbCheckAndAdvanceWbErr(file) || failed;
}

const SYNC_FILE_RANGE_FLAGS =
  SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
/** The first offset that is negative to Linux. */
const MAX_OFFSET = 2 ** 63;

/**
 * sync_file_range(2): data of a range, and neither size nor times. Only the flags that wait tell of write-back errors,
 * each of them once for each open file. `nbytes` 0 reaches to the end of the file.
 */
export function sysSyncFileRange(
  task: Task,
  fd: number,
  offset: number,
  nbytes: number,
  flags: number,
): number {
  const file = fdGet(task, fd);
  if (file === undefined) return -EBADF;
  if ((flags & ~SYNC_FILE_RANGE_FLAGS) !== 0) return -EINVAL;
  if (offset < 0 || nbytes < 0 || offset + nbytes >= MAX_OFFSET) return -EINVAL;
  const { inode } = file;
  if (!isReg(inode) && !isDir(inode) && (inode.mode & S_IFMT) !== S_IFBLK) return -ESPIPE;
  if (inode.mapping === null) return 0;
  if ((flags & SYNC_FILE_RANGE_WAIT_BEFORE) !== 0) {
    const failed = fileCheckAndAdvanceWbErr(file);
    if (failed !== 0) return failed;
  }
  if ((flags & SYNC_FILE_RANGE_WRITE) !== 0) {
    filemapWriteAndWaitRange(
      inode.mapping,
      offset,
      nbytes === 0 ? Number.POSITIVE_INFINITY : offset + nbytes,
    );
  }
  return (flags & SYNC_FILE_RANGE_WAIT_AFTER) !== 0 ? fileCheckAndAdvanceWbErr(file) : 0;
}
