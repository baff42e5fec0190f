/**
 * Making what was written durable (fs/sync.c): one range of one file, and all of a file system.
 */
import { EINVAL } from "../uapi/errno.ts";
import { errseqCheck, errseqMarkSeen } from "./errseq.ts";
import type { File } from "./file.ts";
import type { SuperBlock } from "./super-block.ts";

/**
 * Bytes start … end of the file are in storage on return; without `datasync` its times, too (vfs_fsync_range). 0, -EINVAL
 * for what has no storage, or the write-back error that this open file has not reported yet.
 */
export function vfsFsyncRange(file: File, start: number, end: number, datasync: boolean): number {
  if (file.ops.fsync === undefined) return -EINVAL;
  const failed = file.ops.fsync(file, start, end, datasync);
  if (failed !== 0) return failed;
  const { bdi } = file.inode.sb;
  return bdi?.faults?.beforeFlush(bdi) ?? 0;
}

/** All of the file system is in storage on return. 0 or the first negative errno (sync_filesystem). */
export function syncFilesystem(sb: SuperBlock): number {
  const failed = sb.sync();
  if (failed !== 0 || sb.bdi === undefined) return failed;
  return sb.bdi.faults?.beforeFlush(sb.bdi) ?? 0;
}

/** 0, or the newest write-back error in the file system that this open file has not reported yet; from now on it has. */
export function sbCheckAndAdvanceWbErr(file: File): number {
  const { bdi } = file.inode.sb;
  if (bdi === undefined) return 0;
  const error = errseqCheck(bdi.wbErr, file.sbErr);
  if (error === 0) return 0;
  bdi.wbErr = errseqMarkSeen(bdi.wbErr);
  file.sbErr = bdi.wbErr;
  return error;
}
