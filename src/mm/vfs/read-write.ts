/**
 * read and write as every kind of file shares them (fs/read_write.c): modes, positions, limits; the transfer itself is
 * the file's own operation.
 */
import { EBADF, EFAULT, EFBIG, EINVAL, EISDIR, ENXIO, EOPNOTSUPP, ESPIPE, ETXTBSY } from "../uapi/errno.ts";
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
import {
  RWF_APPEND,
  RWF_ATOMIC,
  RWF_DONTCACHE,
  RWF_DSYNC,
  RWF_HIPRI,
  RWF_NOAPPEND,
  RWF_NOSIGNAL,
  RWF_NOWAIT,
  RWF_SYNC,
} from "../uapi/fs.ts";
import { RLIMIT_FSIZE } from "../uapi/mman.ts";
import { fileRemovePrivs } from "./attributes.ts";
import { type File, FMODE_PATH, FMODE_READ, FMODE_WRITE } from "./file.ts";
import { type Credentials, isDir, isReg } from "./inode.ts";
import type { IovIter } from "./iov-iter.ts";
import { LimitedIter } from "./limited-iter.ts";
import { vfsFsyncRange } from "./sync.ts";

/** Who writes: how long it may make a file (RLIMIT_FSIZE), and whether a file's set-id bits survive it. */
export interface Writer extends Credentials {
  readonly rlimits: readonly { readonly soft: number }[];
  /** A write began at that limit, perhaps after others of the same call: whoever runs the writer owes it SIGXFSZ. */
  metFileSizeLimit?: boolean;
}

/** Every flag that preadv2 and pwritev2 know. */
const RWF_SUPPORTED =
  RWF_HIPRI |
  RWF_DSYNC |
  RWF_SYNC |
  RWF_NOWAIT |
  RWF_APPEND |
  RWF_NOAPPEND |
  RWF_ATOMIC |
  RWF_DONTCACHE |
  RWF_NOSIGNAL;

/** 0, or why the file can't be read at all: EBADF not opened for it, EINVAL nothing to read in this kind. */
export function mayRead(file: File): number {
  if ((file.mode & FMODE_READ) === 0) return -EBADF;
  return file.ops.read === undefined && !isDir(file.inode) ? -EINVAL : 0;
}

/** 0, or why the file can't be written at all. */
export function mayWrite(file: File): number {
  if ((file.mode & FMODE_WRITE) === 0) return -EBADF;
  return file.ops.write === undefined ? -EINVAL : 0;
}

/** Whether transfers move the file's position on. */
export function movesPosition(file: File): boolean {
  return file.ops.isStream !== true && file.ops.keepsPosition !== true;
}

/** Reads at the file's position and advances it. Bytes or negative errno. @param rwf RWF_… */
export function vfsRead(file: File, to: IovIter, rwf = 0): number {
  const bytes = readAt(file, to, file.pos, rwf);
  if (bytes > 0 && movesPosition(file)) file.pos += bytes;
  return bytes;
}

/** Reads at `pos`; the file's position stays. */
export function vfsPread(file: File, to: IovIter, pos: number, rwf = 0): number {
  if (pos < 0) return -EINVAL;
  if (file.ops.isStream === true) return -ESPIPE;
  return readAt(file, to, pos, rwf);
}

/** Writes at the file's position, or at the end under O_APPEND, and advances it. */
export function vfsWrite(file: File, from: IovIter, writer: Writer, rwf = 0): number {
  const pos = writePosition(file, file.pos, rwf);
  const bytes = writeAt(file, from, pos, writer, rwf);
  if (bytes > 0 && movesPosition(file)) file.pos = pos + bytes;
  return bytes;
}

/** Writes at `pos`; the file's position stays. O_APPEND wins over `pos`, a bug that Linux keeps (pwrite(2)). */
export function vfsPwrite(file: File, from: IovIter, pos: number, writer: Writer, rwf = 0): number {
  if (pos < 0) return -EINVAL;
  if (file.ops.isStream === true || file.ops.refusesPwrite === true) return -ESPIPE;
  return writeAt(file, from, writePosition(file, pos, rwf), writer, rwf);
}

/** Writes at `pos`, whatever O_APPEND says: for what moves bytes between files. */
export function vfsIterWrite(file: File, from: IovIter, pos: number, writer: Writer): number {
  return writeAt(file, from, pos, writer, 0);
}

/** Where a write begins: at the end as storage knows it, where it appends. */
function writePosition(file: File, pos: number, rwf: number): number {
  const { inode } = file;
  const appends = (rwf & RWF_APPEND) !== 0 || ((file.flags & O_APPEND) !== 0 && (rwf & RWF_NOAPPEND) === 0);
  if (!appends || !isReg(inode) || (file.mode & FMODE_WRITE) === 0) return pos;
  inode.ops.getattr?.(inode);
  return inode.size;
}

/** kiocb_set_rw_flags: 0, or why this kind of file can't do a transfer with these flags. */
function checkRwf(file: File, rwf: number): number {
  if (rwf === 0) return 0;
  // Files that read and write one segment after the other know no flag that matters.
  if (file.ops.takesRwf !== true) return (rwf & ~RWF_HIPRI) !== 0 ? -EOPNOTSUPP : 0;
  if ((rwf & ~RWF_SUPPORTED) !== 0) return -EOPNOTSUPP;
  if ((rwf & RWF_APPEND) !== 0 && (rwf & RWF_NOAPPEND) !== 0) return -EINVAL;
  if ((rwf & RWF_NOWAIT) !== 0 && !file.canNowait) return -EOPNOTSUPP;
  if ((rwf & RWF_DONTCACHE) !== 0 && file.ops.dropsBehind !== true) return -EOPNOTSUPP;
  return (rwf & RWF_ATOMIC) !== 0 ? -EOPNOTSUPP : 0;
}

function readAt(file: File, to: IovIter, pos: number, rwf: number): number {
  const refused = mayRead(file);
  if (refused !== 0) return refused;
  if (to.isOutside === true) return -EFAULT;
  const unfit = checkRwf(file, rwf);
  if (unfit !== 0) return unfit;
  if (isDir(file.inode)) return -EISDIR;
  if (file.ops.read === undefined) return -EINVAL;
  return file.ops.read(file, to.count > MAX_RW_COUNT ? new LimitedIter(to, MAX_RW_COUNT) : to, pos, rwf);
}

function writeAt(file: File, from: IovIter, pos: number, writer: Writer, rwf: number): number {
  if ((file.mode & FMODE_WRITE) === 0) return -EBADF;
  if (file.ops.write === undefined) return -EINVAL;
  if (from.isOutside === true) return -EFAULT;
  const unfit = checkRwf(file, rwf);
  if (unfit !== 0) return unfit;
  if (file.inode.isSwapFile) return -ETXTBSY;
  let room = MAX_RW_COUNT;
  // Texts of the kernel's own (/proc, /sys) have no size that could be limited.
  if (isReg(file.inode) && file.ops.takesRwf === true && from.count > 0) {
    // generic_write_checks: what fits below the limit is written, a write that starts at it fails.
    const limit = writer.rlimits[RLIMIT_FSIZE].soft;
    if (pos >= limit) writer.metFileSizeLimit = true;
    if (pos >= limit || pos >= MAX_LFS_FILESIZE) return -EFBIG;
    room = Math.min(room, limit - pos, MAX_LFS_FILESIZE - pos);
    const failed = fileRemovePrivs(writer, file.inode);
    if (failed !== 0) return failed;
  }
  const bytes = file.ops.write(file, from.count > room ? new LimitedIter(from, room) : from, pos, rwf);
  const isSync = (file.flags & O_DSYNC) !== 0 || (rwf & (RWF_DSYNC | RWF_SYNC)) !== 0;
  if (bytes > 0 && isSync && file.ops.fsync !== undefined) {
    const datasync = (file.flags & O_SYNC) !== O_SYNC && (rwf & RWF_SYNC) === 0;
    const failed = vfsFsyncRange(file, pos, pos + bytes, datasync);
    if (failed !== 0) return failed;
  }
  return bytes;
}

/** Moves the position. The new one, or negative errno. */
export function vfsLseek(file: File, offset: number, whence: number): number {
  if ((file.mode & FMODE_PATH) !== 0) return -EBADF;
  if (whence < SEEK_SET || whence > SEEK_HOLE) return -EINVAL;
  const { isStream, llseek = isStream === true ? null : genericLlseek } = file.ops;
  return llseek === null ? -ESPIPE : llseek(file, offset, whence);
}

/** FMODE_LSEEK */
export function isSeekable({ ops }: File): boolean {
  return ops.isStream !== true && ops.llseek !== null;
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

/** lseek of files without a limit, whose offsets before the start are no more beyond the end than others (default_llseek). */
export function defaultLlseek(file: File, offset: number, whence: number): number {
  const { size } = file.inode;
  if ((whence === SEEK_DATA || whence === SEEK_HOLE) && offset >= size) return -ENXIO;
  let pos = offset;
  if (whence === SEEK_CUR) pos += file.pos;
  if (whence === SEEK_END) pos += size;
  if (whence === SEEK_HOLE) pos = size;
  if (pos < 0) return -EINVAL;
  file.pos = pos;
  return pos;
}

/** lseek where there is no position to speak of: allowed, and without effect. */
export function noopLlseek(file: File): number {
  return file.pos;
}

/** Where positions in the file end. */
export function maxBytesOf(file: File): number {
  return file.inode.sb.maxBytes ?? MAX_LFS_FILESIZE;
}

/** vfs_setpos: any offset that a file could have, past its end too. */
export function setPosition(file: File, pos: number): number {
  if (pos < 0 || pos > maxBytesOf(file)) return -EINVAL;
  file.pos = pos;
  return pos;
}
