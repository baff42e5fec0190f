/**
 * read and write as every kind of file shares them (fs/read_write.c): modes, positions, limits; the transfer itself is
 * the file's own operation.
 */
import { EBADF, EFAULT, EFBIG, EINVAL, EISDIR, ENXIO, ESPIPE, ETXTBSY } from "../uapi/errno.ts";
import {
  MAX_LFS_FILESIZE,
  MAX_RW_COUNT,
  O_APPEND,
  O_DSYNC,
  O_SYNC,
  SEEK_CUR,
  SEEK_DATA,
  SEEK_END,
  SEEK_HOLE,
  SEEK_SET,
} from "../uapi/fcntl.ts";
import { type File, FMODE_PATH, FMODE_READ, FMODE_WRITE } from "./file.ts";
import { isDir, isReg } from "./inode.ts";
import type { IovIter } from "./iov-iter.ts";
import { LimitedIter } from "./limited-iter.ts";
import { vfsFsyncRange } from "./sync.ts";

/** Reads at the file's position and advances it. Bytes or negative errno. */
export function vfsRead(file: File, to: IovIter): number {
  const bytes = readAt(file, to, file.pos);
  if (bytes > 0 && file.ops.isStream !== true) file.pos += bytes;
  return bytes;
}

/** Reads at `pos`; the file's position stays. */
export function vfsPread(file: File, to: IovIter, pos: number): number {
  if (pos < 0) return -EINVAL;
  if (file.ops.isStream === true) return -ESPIPE;
  return readAt(file, to, pos);
}

/** Writes at the file's position, or at the end under O_APPEND, and advances it. @param limit the soft RLIMIT_FSIZE */
export function vfsWrite(file: File, from: IovIter, limit: number): number {
  const isAppend = (file.flags & O_APPEND) !== 0 && isReg(file.inode);
  const pos = isAppend ? file.inode.size : file.pos;
  const bytes = writeAt(file, from, pos, limit);
  if (bytes > 0 && file.ops.isStream !== true) file.pos = pos + bytes;
  return bytes;
}

/** Writes at `pos`; the file's position stays. O_APPEND wins over `pos`, a bug that Linux keeps (pwrite(2)). */
export function vfsPwrite(file: File, from: IovIter, pos: number, limit: number): number {
  if (pos < 0) return -EINVAL;
  if (file.ops.isStream === true) return -ESPIPE;
  const isAppend = (file.flags & O_APPEND) !== 0 && isReg(file.inode);
  return writeAt(file, from, isAppend ? file.inode.size : pos, limit);
}

function readAt(file: File, to: IovIter, pos: number): number {
  if ((file.mode & FMODE_READ) === 0) return -EBADF;
  if (to.isOutside === true) return -EFAULT;
  if (isDir(file.inode)) return -EISDIR;
  if (file.ops.read === undefined) return -EINVAL;
  return file.ops.read(file, to.count > MAX_RW_COUNT ? new LimitedIter(to, MAX_RW_COUNT) : to, pos);
}

function writeAt(file: File, from: IovIter, pos: number, limit: number): number {
  if ((file.mode & FMODE_WRITE) === 0) return -EBADF;
  if (file.ops.write === undefined) return -EINVAL;
  if (from.isOutside === true) return -EFAULT;
  if (file.inode.isSwapFile) return -ETXTBSY;
  let room = MAX_RW_COUNT;
  if (isReg(file.inode) && from.count > 0) {
    // generic_write_checks: what fits below the limit is written, a write that starts at it fails.
    if (pos >= limit || pos >= MAX_LFS_FILESIZE) return -EFBIG;
    room = Math.min(room, limit - pos, MAX_LFS_FILESIZE - pos);
  }
  const bytes = file.ops.write(file, from.count > room ? new LimitedIter(from, room) : from, pos);
  if (bytes > 0 && (file.flags & O_DSYNC) !== 0 && file.ops.fsync !== undefined) {
    const failed = vfsFsyncRange(file, pos, pos + bytes, (file.flags & O_SYNC) !== O_SYNC);
    if (failed !== 0) return failed;
  }
  return bytes;
}

/** Moves the position. The new one, or negative errno. */
export function vfsLseek(file: File, offset: number, whence: number): number {
  if ((file.mode & FMODE_PATH) !== 0) return -EBADF;
  if (whence < SEEK_SET || whence > SEEK_HOLE) return -EINVAL;
  if (file.ops.isStream === true) return -ESPIPE;
  return (file.ops.llseek ?? genericLlseek)(file, offset, whence);
}

/** lseek where the position counts bytes of the file. Without knowledge of holes all of it is data. */
export function genericLlseek(file: File, offset: number, whence: number): number {
  const { size } = file.inode;
  switch (whence) {
    case SEEK_SET:
      return setPosition(file, offset);
    case SEEK_CUR:
      return setPosition(file, file.pos + offset);
    case SEEK_END:
      return setPosition(file, size + offset);
    case SEEK_DATA:
      return offset < 0 || offset >= size ? -ENXIO : setPosition(file, offset);
    default:
      return offset < 0 || offset >= size ? -ENXIO : setPosition(file, size);
  }
}

/** vfs_setpos: any offset that a file could have, past its end too. */
export function setPosition(file: File, pos: number): number {
  if (pos < 0 || pos > MAX_LFS_FILESIZE) return -EINVAL;
  file.pos = pos;
  return pos;
}
