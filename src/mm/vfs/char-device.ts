/**
 * Character devices and streams: files whose bytes come from, and go to, something that is no storage.
 *
 * The memory devices (null, zero, full, random) are a few lines each, as in drivers/char/mem.c. A stream is the seam
 * to whatever runs the kernel: standard input and output of a command, a terminal in a page.
 */
import { EFAULT, EINVAL, ENOSPC, ENOTTY, ENXIO } from "../uapi/errno.ts";
import { O_ACCMODE, S_IFCHR } from "../uapi/fcntl.ts";
import {
  ANON_INODE_FS_MAGIC,
  DEFAULT_POLLMASK,
  POLLIN,
  POLLOUT,
  POLLRDNORM,
  POLLWRNORM,
} from "../uapi/fs.ts";
import { newPseudoDentry } from "./dentry.ts";
import { File, type FileOperations, FMODE_READ, FMODE_WRITE } from "./file.ts";
import { Inode } from "./inode.ts";
import type { IovIter } from "./iov-iter.ts";
import type { MountNamespace } from "./mount.ts";
import { type PseudoSuperBlock, pseudoFs } from "./pseudo-fs.ts";
import { noopLlseek } from "./read-write.ts";
import { copySpliceRead } from "./splice.ts";
import type { FileSystem } from "./super-block.ts";
import { ERESTART_WOULD_BLOCK } from "./would-block.ts";

/** Bytes moved between a stream and user memory in one go. */
const CHUNK = 65536;

/** What stands behind a stream. Counts, or negative errno. */
export interface StreamIo {
  /** S_IF… type and permission bits that fstat shows: decides how C libraries buffer. Default: a character device, 0620. */
  readonly mode?: number;
  readonly rdev?: number;
  /** What /proc and reports call it. */
  readonly path?: string;
  /** Up to into.length bytes; 0 at the end; -ERESTART_WOULD_BLOCK when nothing has come yet. */
  read?(into: Uint8Array): number;
  /** How many bytes were taken; -ERESTART_WOULD_BLOCK when none can be now. `from` is only valid during the call. */
  write?(from: Uint8Array): number;
  ioctl?(cmd: number, arg: number): number;
  /** POLL… bits; default: always ready. */
  poll?(): number;
}

function nullLlseek(file: File): number {
  file.pos = 0;
  return 0;
}

function discard(from: IovIter): number {
  const scratch = new Uint8Array(Math.min(from.count, CHUNK));
  let done = 0;
  while (from.count > 0) {
    const taken = from.copyBytesFromIter(scratch.subarray(0, Math.min(from.count, CHUNK)));
    if (taken === 0) break;
    done += taken;
  }
  return done;
}

/** /dev/null: takes everything without looking at it, gives nothing. */
export const nullDevice: FileOperations = {
  takesRwf: true,
  keepsPosition: true,
  canNowait: true,
  spliceWrite: "discard",
  read: () => 0,
  write: (_file, from) => from.count,
  llseek: nullLlseek,
};

function readZeros(_file: File, to: IovIter): number {
  const wanted = to.count;
  const done = to.zeroIter(wanted);
  return done === 0 && wanted > 0 ? -EFAULT : done;
}

/** /dev/zero without its mapping, which needs shmem: the room above adds it. */
export const zeroDevice: FileOperations = { ...nullDevice, read: readZeros, spliceRead: copySpliceRead };

/** /dev/full: reads zeros, and is always full. */
export const fullDevice: FileOperations = {
  takesRwf: true,
  keepsPosition: true,
  read: readZeros,
  write: () => -ENOSPC,
  llseek: nullLlseek,
  spliceRead: copySpliceRead,
};

/** /dev/urandom over a source of random bytes that the kernel was given. /dev/random can be polled, too. */
export function randomDevice(random: (bytes: Uint8Array) => void): FileOperations {
  return {
    takesRwf: true,
    keepsPosition: true,
    canNowait: true,
    spliceRead: copySpliceRead,
    spliceWrite: "write",
    read: (_file, to) => {
      const wanted = to.count;
      const scratch = new Uint8Array(Math.min(wanted, CHUNK));
      let done = 0;
      while (to.count > 0) {
        const part = scratch.subarray(0, Math.min(to.count, CHUNK));
        random(part);
        const copied = to.copyBytesToIter(part);
        done += copied;
        if (copied < part.length) break;
      }
      return done === 0 && wanted > 0 ? -EFAULT : done;
    },
    // What is written would stir the pool; a seeded source stays what it is.
    write: (_file, from) => {
      const wanted = from.count;
      const done = discard(from);
      return done === 0 && wanted > 0 ? -EFAULT : done;
    },
    llseek: noopLlseek,
  };
}

/** An open of a device number that no driver has. */
export const noDevice: FileOperations = {};

/** Refuses to open what has no driver, and asks the driver (chrdev_open). */
export function openDevice(inode: Inode, file: File, flags: number): number {
  return inode.fops === noDevice ? -ENXIO : (inode.fops.open?.(file, flags) ?? 0);
}

/** Ready is ready for normal data, too. */
function normal(events: number): number {
  return events | ((events & POLLIN) !== 0 ? POLLRDNORM : 0) | ((events & POLLOUT) !== 0 ? POLLWRNORM : 0);
}

/** The operations of one stream. */
export function streamOps(io: StreamIo): FileOperations {
  return {
    isStream: true,
    takesRwf: true,
    spliceRead: copySpliceRead,
    spliceWrite: "write",
    read: (_file, to) => {
      if (io.read === undefined) return -EINVAL;
      if (to.count === 0) return 0;
      const scratch = new Uint8Array(Math.min(to.count, CHUNK));
      const got = io.read(scratch);
      if (got <= 0) return got;
      const copied = to.copyBytesToIter(scratch.subarray(0, got));
      return copied === 0 ? -EFAULT : copied;
    },
    write: (_file, from) => writeStream(io, from),
    ioctl: (_file, cmd, arg) => io.ioctl?.(cmd, arg) ?? -ENOTTY,
    poll: () => normal(io.poll?.() ?? DEFAULT_POLLMASK),
  };
}

function writeStream(io: StreamIo, from: IovIter): number {
  if (io.write === undefined) return -EINVAL;
  const scratch = new Uint8Array(Math.min(from.count, CHUNK));
  let done = 0;
  while (from.count > 0) {
    const part = scratch.subarray(0, Math.min(from.count, CHUNK));
    const taken = from.copyBytesFromIter(part);
    if (taken === 0) return done > 0 ? done : -EFAULT;
    const written = io.write(part.subarray(0, taken));
    if (written < taken) from.revert(taken - Math.max(written, 0));
    if (written < 0) return done > 0 ? done : written;
    done += written;
    if (written < taken) break;
  }
  return done === 0 && from.count > 0 ? -ERESTART_WOULD_BLOCK : done;
}

/** The file system that the inodes of streams belong to. */
const streamFs: FileSystem = pseudoFs("streamfs", ANON_INODE_FS_MAGIC, S_IFCHR, noDevice);

/** An open file over `io`, for a descriptor of a new process. @param flags O_RDONLY, O_WRONLY or O_RDWR, and status flags */
export function newStreamFile(mounts: MountNamespace, name: string, io: StreamIo, flags: number): File {
  const sb = mounts.kernMount(streamFs) as PseudoSuperBlock;
  const inode = new Inode(sb, sb.nextIno++, io.mode ?? S_IFCHR | 0o620, {}, streamOps(io));
  inode.rdev = io.rdev ?? 0;
  inode.atimeNs = sb.now();
  inode.mtimeNs = inode.atimeNs;
  inode.ctimeNs = inode.atimeNs;
  const mode = ((flags & O_ACCMODE) + 1) & (FMODE_READ | FMODE_WRITE);
  return new File(newPseudoDentry(name, inode, io.path ?? name), inode, mode, flags, 0);
}
