/**
 * The ends of pipes (fs/pipe.c): the two files that pipe(2) makes, and the opens of a named pipe. Of one inode all share a pipe
 * (pipe.ts), for as long as one of them is open. Calls that would wait say so (ERESTART_WOULD_BLOCK) and move nothing.
 */
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { EAGAIN, EINVAL, ENFILE, ENOMEM, ENOTTY, ENXIO, EPIPE } from "../uapi/errno.ts";
import { O_DIRECT, O_NONBLOCK, O_RDONLY, O_WRONLY, S_IFIFO } from "../uapi/fcntl.ts";
import {
  PIPEFS_MAGIC,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLRDNORM,
  POLLWRNORM,
  RWF_NOWAIT,
} from "../uapi/fs.ts";
import type { Holder } from "./capability.ts";
import { newPseudoDentry } from "./dentry.ts";
import { POLL_IN, POLL_OUT } from "./fasync.ts";
import { File, type FileOperations, FMODE_READ, FMODE_WRITE } from "./file.ts";
import { Inode } from "./inode.ts";
import type { MountNamespace } from "./mount.ts";
import { Pipe } from "./pipe.ts";
import { type PseudoSuperBlock, pseudoFs } from "./pseudo-fs.ts";
import type { FileSystem } from "./super-block.ts";
import { ERESTART_WOULD_BLOCK } from "./would-block.ts";

const pipes: WeakMap<Inode, Pipe> = new WeakMap();

/**
 * What splice and vmsplice do to the end that they are given: with what they put into pipes it can't be promised that nobody
 * waits (pipe_clear_nowait).
 */
export function pipeClearNowait(file: File): void {
  file.canNowait = false;
}

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
function wouldBlock(file: File, rwf: number): number {
  return (file.flags & O_NONBLOCK) !== 0 || (rwf & RWF_NOWAIT) !== 0 ? -EAGAIN : -ERESTART_WOULD_BLOCK;
}

const pipeOps: FileOperations = {
  isStream: true,
  takesRwf: true,
  read(file, to, _pos, rwf = 0) {
    if (to.count === 0) return 0;
    const pipe = pipeIn(file);
    let done = 0;
    if (!pipe.isEmpty) done = pipe.read(to);
    else if (pipe.writers > 0) done = wouldBlock(file, rwf);
    // Whether anything was read or not, but not where it waits.
    if (done !== -ERESTART_WOULD_BLOCK) pipe.asyncWriters.kill(POLL_OUT);
    return done;
  },
  write(file, from, _pos, rwf = 0) {
    if (from.count === 0) return 0;
    const pipe = pipeIn(file);
    // Whoever runs the caller also sends it SIGPIPE.
    const done = pipe.readers === 0 ? -EPIPE : pipe.write(from);
    pipe.asyncReaders.kill(POLL_IN);
    return done === 0 ? wouldBlock(file, rwf) : done;
  },
  ioctl: () => -ENOTTY,
  poll(file) {
    const pipe = pipeIn(file);
    let ready = 0;
    if ((file.mode & FMODE_READ) !== 0) {
      if (!pipe.isEmpty) ready |= POLLIN | POLLRDNORM;
      if (pipe.writers === 0 && !isBeforeFirstWriter(file, pipe)) ready |= POLLHUP;
    }
    if ((file.mode & FMODE_WRITE) !== 0) {
      if (!pipe.isFull) ready |= POLLOUT | POLLWRNORM;
      if (pipe.readers === 0) ready |= POLLERR;
    }
    return ready;
  },
  pollQueue: (file) => ((file.mode & FMODE_READ) !== 0 ? pipeIn(file).readQueue : pipeIn(file).writeQueue),
  fasync(file, fd, isOn) {
    const pipe = pipeIn(file);
    if ((file.mode & FMODE_READ) !== 0) pipe.asyncReaders.set(file, fd, isOn);
    if ((file.mode & FMODE_WRITE) !== 0) pipe.asyncWriters.set(file, fd, isOn);
    return 0;
  },
  release(file) {
    const pipe = pipes.get(file.inode);
    // A named one whose open failed has none.
    if (pipe === undefined || isUnopened(file)) return;
    if ((file.mode & FMODE_READ) !== 0) pipe.readers--;
    if ((file.mode & FMODE_WRITE) !== 0) pipe.writers--;
    if (pipe.readers === 0 && pipe.writers === 0) {
      pipe.free();
      // The next one who opens a named pipe finds a new one.
      if (file.data instanceof FifoOpen) pipes.delete(file.inode);
    } else if ((pipe.readers === 0) !== (pipe.writers === 0)) {
      pipe.readQueue.wake(0);
      pipe.writeQueue.wake(0);
      pipe.asyncReaders.kill(POLL_IN);
      pipe.asyncWriters.kill(POLL_OUT);
    }
  },
};

/** It is named, and its open failed. */
function isUnopened(file: File): boolean {
  return file.inode.ops.open !== openEnd && !(file.data instanceof FifoOpen);
}

/** What an open of a named pipe keeps. */
class FifoOpen {
  readonly pipe: Pipe;
  /** Opened for reading without waiting, while nobody wrote: no hangup until a writer has been there. */
  readonly quietAt: number | undefined;
  readonly hasPartner: () => boolean;

  constructor(pipe: Pipe, quietAt: number | undefined, hasPartner: () => boolean) {
    this.pipe = pipe;
    this.quietAt = quietAt;
    this.hasPartner = hasPartner;
  }
}

function isBeforeFirstWriter(file: File, pipe: Pipe): boolean {
  return file.data instanceof FifoOpen && file.data.quietAt === pipe.writeOpens;
}

/** What a named pipe's inode does when it is opened; of one inode all opens share a pipe while any is left (fifo_open). */
export function openFifo(phys: PhysicalMemory): (inode: Inode, file: File) => number {
  return (inode, file) => {
    const reads = (file.mode & FMODE_READ) !== 0;
    const writes = (file.mode & FMODE_WRITE) !== 0;
    const isNonblock = (file.flags & O_NONBLOCK) !== 0;
    const existing = pipes.get(inode);
    // Before it counts as a writer: a reader who waits for one must not take it for one.
    if (writes && !reads && isNonblock && (existing?.readers ?? 0) === 0) return -ENXIO;
    const pipe = existing ?? Pipe.of(phys, file.opener);
    if (pipe === null) return -ENOMEM;
    pipes.set(inode, pipe);
    const { readOpens, writeOpens } = pipe;
    let hasPartner = (): boolean => true;
    if (reads && !writes && pipe.writers === 0 && !isNonblock)
      hasPartner = () => pipe.writeOpens !== writeOpens;
    if (writes && !reads && pipe.readers === 0) hasPartner = () => pipe.readOpens !== readOpens;
    if (reads) {
      pipe.readers++;
      pipe.readOpens++;
    }
    if (writes) {
      pipe.writers++;
      pipe.writeOpens++;
    }
    const isQuiet = reads && !writes && pipe.writers === 0 && isNonblock;
    file.data = new FifoOpen(pipe, isQuiet ? writeOpens : undefined, hasPartner);
    return 0;
  };
}

/** Whether an open goes on: of a named pipe without O_NONBLOCK once somebody has opened the other end. */
export function mayGoOn(file: File): boolean {
  return !(file.data instanceof FifoOpen) || file.data.hasPartner();
}

/** What named pipes do, whichever file system they stand in. */
export { pipeOps as fifoOps };

/** A further open of an end, through its link in /proc/PID/fd. */
function openEnd(_inode: Inode, file: File): number {
  const pipe = pipeIn(file);
  if ((file.mode & FMODE_READ) !== 0) pipe.readers++;
  if ((file.mode & FMODE_WRITE) !== 0) pipe.writers++;
  return 0;
}

const pipeFs: FileSystem = pseudoFs("pipefs", PIPEFS_MAGIC, S_IFIFO, pipeOps);

/**
 * A new pipe: its reading and its writing file, one reference each, or negative errno.
 * @param flags O_NONBLOCK
 */
export function newPipe(
  mounts: MountNamespace,
  flags: number,
  maker: Holder,
): readonly [File, File] | number {
  // Packet mode keeps the boundaries of writes: not built.
  if ((flags & O_DIRECT) !== 0) return -EINVAL;
  const pipe = Pipe.of(mounts.phys, maker);
  if (pipe === null) return -ENFILE;
  const sb = mounts.kernMount(pipeFs) as PseudoSuperBlock;
  const inode = new Inode(sb, sb.nextIno++, S_IFIFO | 0o600, { open: openEnd }, pipeOps);
  inode.atimeNs = sb.now();
  inode.mtimeNs = inode.atimeNs;
  inode.ctimeNs = inode.atimeNs;
  pipe.readers = 1;
  pipe.writers = 1;
  pipes.set(inode, pipe);
  const dentry = newPseudoDentry("", inode, `pipe:[${inode.ino}]`);
  const nonblock = flags & O_NONBLOCK;
  const reader = new File(dentry, inode, FMODE_READ, O_RDONLY | nonblock, 0);
  const writer = new File(dentry, inode, FMODE_WRITE, O_WRONLY | nonblock, 0);
  // The ends that pipe(2) gives can, what is opened by a name or through /proc can't.
  reader.canNowait = true;
  writer.canNowait = true;
  return [reader, writer];
}
