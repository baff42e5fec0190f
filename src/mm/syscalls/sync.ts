/** fsync, fdatasync, sync, syncfs (fs/sync.c). */
import { fileCheckAndAdvanceWbErr } from "../filemap/writeback.ts";
import { EBADF, EINVAL } from "../uapi/errno.ts";
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
  if (file.ops.fsync === undefined) return -EINVAL;
  const failed = file.ops.fsync(file, 0, Number.POSITIVE_INFINITY, datasync);
  // Also what failed in the background since this file was last asked.
  const noted = file.inode.mapping === null ? 0 : fileCheckAndAdvanceWbErr(file);
  return failed !== 0 ? failed : noted;
}

/** sync(2): everything is in storage; it reports nothing. */
export function sysSync(task: Task): number {
  for (const sb of task.fs.mounts.superBlocks()) sb.sync();
  return 0;
}

/** syncfs(2). */
export function sysSyncfs(task: Task, fd: number): number {
  const file = fdGet(task, fd);
  if (file === undefined) return -EBADF;
  const { sb } = file.inode;
  const untold = sb.takeUntoldError?.() ?? 0;
  return sb.sync() || untold;
}
