/**
 * Pipes (fs/pipe.c): sixteen page-sized buffers between a writing and a reading file.
 *
 * ```
 *   tail                head            a write's odd bytes join the last buffer if they fit there whole;
 *    ▼                    ▼              every other byte starts a new one. Full is: sixteen buffers, however
 *   [##..][####][####][##] [ ] …        little they hold.
 * ```
 *
 * Kept as Linux keeps it, because a program that fills a pipe without blocking sees how much goes in. A blocking write
 * that finds some room takes what fits and answers how much: whoever can block the caller goes on with the rest when
 * there is room again, as the loop in pipe_write does.
 *
 * A copy that meets a bad user page moves nothing of its buffer, where a file takes and gives what could be copied: only
 * the buffers before it count (copy_page_from_iter in anon_pipe_write, copy_page_to_iter in anon_pipe_read).
 */
import { PAGE_SIZE } from "../page.ts";
import { EAGAIN, EFAULT, EINVAL, ENOTTY, EPIPE } from "../uapi/errno.ts";
import { O_DIRECT, O_NONBLOCK, O_RDONLY, O_WRONLY, S_IFIFO } from "../uapi/fcntl.ts";
import { PIPEFS_MAGIC, POLLERR, POLLHUP, POLLIN, POLLOUT } from "../uapi/fs.ts";
import { newPseudoDentry } from "./dentry.ts";
import { File, type FileOperations, FMODE_READ, FMODE_WRITE } from "./file.ts";
import { Inode } from "./inode.ts";
import type { IovIter } from "./iov-iter.ts";
import type { MountNamespace } from "./mount.ts";
import { type PseudoSuperBlock, pseudoFs } from "./pseudo-fs.ts";
import type { FileSystem } from "./super-block.ts";
import { ERESTART_WOULD_BLOCK } from "./would-block.ts";

/** Buffers of a pipe (PIPE_DEF_BUFFERS). */
const PIPE_BUFFERS = 16;
/** Capacity in bytes, as F_GETPIPE_SZ says. */
export const PIPE_SIZE: number = PIPE_BUFFERS * PAGE_SIZE;

interface PipeBuffer {
  readonly bytes: Uint8Array;
  /** What is unread: bytes[start … end). */
  start: number;
  end: number;
}

/** Owner: the inode that the two files share. */
export class Pipe {
  readers = 0;
  writers = 0;
  readonly #buffers: PipeBuffer[] = [];
  /** A buffer that was emptied, for the next write. */
  #spare: Uint8Array | undefined;

  /** Unread bytes (FIONREAD). */
  get unread(): number {
    return this.#buffers.reduce((sum, buffer) => sum + buffer.end - buffer.start, 0);
  }

  get isFull(): boolean {
    return this.#buffers.length >= PIPE_BUFFERS;
  }

  get isEmpty(): boolean {
    return this.#buffers.length === 0;
  }

  read(to: IovIter): number {
    let done = 0;
    while (to.count > 0) {
      const buffer = this.#buffers[0];
      if (buffer === undefined) break;
      const part = buffer.bytes.subarray(buffer.start, Math.min(buffer.end, buffer.start + to.count));
      if (to.copyBytesToIter(part) < part.length) return done > 0 ? done : -EFAULT;
      done += part.length;
      buffer.start += part.length;
      if (buffer.start === buffer.end) this.#spare = this.#buffers.shift()?.bytes;
    }
    return done;
  }

  /** Takes as much of `from` as fits. Bytes, or -EFAULT. */
  write(from: IovIter): number {
    let done = 0;
    const odd = from.count % PAGE_SIZE;
    const last = this.#buffers.at(-1);
    if (odd > 0 && last !== undefined && last.end + odd <= PAGE_SIZE) {
      if (from.copyBytesFromIter(last.bytes.subarray(last.end, last.end + odd)) < odd) return -EFAULT;
      last.end += odd;
      done = odd;
    }
    while (from.count > 0 && !this.isFull) {
      const bytes = this.#spare ?? new Uint8Array(PAGE_SIZE);
      this.#spare = undefined;
      const end = Math.min(from.count, PAGE_SIZE);
      if (from.copyBytesFromIter(bytes.subarray(0, end)) < end) return done > 0 ? done : -EFAULT;
      this.#buffers.push({ bytes, start: 0, end });
      done += end;
    }
    return done;
  }
}

const pipes: WeakMap<Inode, Pipe> = new WeakMap();

/** The pipe of a file that is one end of it, else undefined. */
export function pipeOf(file: File): Pipe | undefined {
  return pipes.get(file.inode);
}

function pipeIn(file: File): Pipe {
  const pipe = pipes.get(file.inode);
  if (pipe === undefined) throw new TypeError("not a pipe");
  return pipe;
}

/** What a call answers that would have to wait. */
function wouldBlock(file: File): number {
  return (file.flags & O_NONBLOCK) !== 0 ? -EAGAIN : -ERESTART_WOULD_BLOCK;
}

const pipeOps: FileOperations = {
  isStream: true,
  read(file, to) {
    if (to.count === 0) return 0;
    const pipe = pipeIn(file);
    if (!pipe.isEmpty) return pipe.read(to);
    return pipe.writers === 0 ? 0 : wouldBlock(file);
  },
  write(file, from) {
    if (from.count === 0) return 0;
    const pipe = pipeIn(file);
    // Whoever runs the caller also sends it SIGPIPE.
    if (pipe.readers === 0) return -EPIPE;
    const done = pipe.write(from);
    return done === 0 ? wouldBlock(file) : done;
  },
  ioctl: () => -ENOTTY,
  poll(file) {
    const pipe = pipeIn(file);
    let ready = 0;
    if ((file.mode & FMODE_READ) !== 0) {
      if (!pipe.isEmpty) ready |= POLLIN;
      if (pipe.writers === 0) ready |= POLLHUP;
    }
    if ((file.mode & FMODE_WRITE) !== 0) {
      if (!pipe.isFull) ready |= POLLOUT;
      if (pipe.readers === 0) ready |= POLLERR;
    }
    return ready;
  },
  release(file) {
    const pipe = pipeIn(file);
    if ((file.mode & FMODE_READ) !== 0) pipe.readers--;
    if ((file.mode & FMODE_WRITE) !== 0) pipe.writers--;
  },
};

/** A further open of an end, through its link in /proc/PID/fd. */
function openEnd(_inode: Inode, file: File): number {
  const pipe = pipeIn(file);
  if ((file.mode & FMODE_READ) !== 0) pipe.readers++;
  if ((file.mode & FMODE_WRITE) !== 0) pipe.writers++;
  return 0;
}

const pipeFs: FileSystem = pseudoFs("pipefs", PIPEFS_MAGIC, S_IFIFO, pipeOps);

/** A new pipe: its reading and its writing file, one reference each, or negative errno. @param flags O_NONBLOCK */
export function newPipe(mounts: MountNamespace, flags: number): readonly [File, File] | number {
  // Packet mode keeps the boundaries of writes: not built.
  if ((flags & O_DIRECT) !== 0) return -EINVAL;
  const sb = mounts.kernMount(pipeFs) as PseudoSuperBlock;
  const inode = new Inode(sb, sb.nextIno++, S_IFIFO | 0o600, { open: openEnd }, pipeOps);
  inode.atimeNs = sb.now();
  inode.mtimeNs = inode.atimeNs;
  inode.ctimeNs = inode.atimeNs;
  const pipe = new Pipe();
  pipe.readers = 1;
  pipe.writers = 1;
  pipes.set(inode, pipe);
  const dentry = newPseudoDentry("", inode, `pipe:[${inode.ino}]`);
  const nonblock = flags & O_NONBLOCK;
  return [
    new File(dentry, inode, FMODE_READ, O_RDONLY | nonblock, 0),
    new File(dentry, inode, FMODE_WRITE, O_WRONLY | nonblock, 0),
  ];
}
