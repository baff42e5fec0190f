/**
 * Pipes (fs/pipe.c): sixteen page-sized buffers, or as many as F_SETPIPE_SZ says, between a writing and a reading file.
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
 * Each buffer is a page of RAM. It need not be the pipe's own: splice puts pages of a file into it, which show what is written to the file until
 * they are read (pipe_buf_operations of the page cache).
 *
 * A copy that meets a bad user page moves nothing of its buffer, where a file takes and gives what could be copied: only
 * the buffers before it count (copy_page_from_iter in anon_pipe_write, copy_page_to_iter in anon_pipe_read).
 */
import type { FrameHolder, PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SIZE, type Pfn } from "../page.ts";
import { EAGAIN, EBUSY, EFAULT, EINVAL, ENFILE, ENOMEM, ENOTTY, ENXIO, EPERM, EPIPE } from "../uapi/errno.ts";
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
import { FasyncList, POLL_IN, POLL_OUT } from "./fasync.ts";
import { File, type FileOperations, FMODE_READ, FMODE_WRITE } from "./file.ts";
import { Inode } from "./inode.ts";
import type { IovIter } from "./iov-iter.ts";
import type { MountNamespace } from "./mount.ts";
import { PipePayer, roundPipeSize } from "./pipe-payer.ts";
import { PollQueue } from "./poll-queue.ts";
import { type PseudoSuperBlock, pseudoFs } from "./pseudo-fs.ts";
import type { FileSystem } from "./super-block.ts";
import { ERESTART_WOULD_BLOCK } from "./would-block.ts";

/** Buffers of a new pipe (PIPE_DEF_BUFFERS). */
const PIPE_BUFFERS = 16;
/** Linux keeps the buffers of a pipe in one piece of memory, of 4 MiB at most: so many of 40 bytes, as a power of two. */
const MAX_BUFFERS = 2 ** 16;

/** One buffer: a frame of RAM, its own, or one that others have, too: of a file, of a program, of another pipe. */
export interface PipeBuffer {
  /** The frame, on which the buffer holds a reference, and its bytes. */
  readonly pfn: Pfn;
  readonly bytes: Uint8Array;
  /** What is unread: bytes[start … end). */
  start: number;
  end: number;
  /** Nobody else writes behind `end`: a write may append there (PIPE_BUF_FLAG_CAN_MERGE). */
  readonly canMerge: boolean;
}

/** Owner: the inode that the two files share. Invariant: each buffer has at least one unread byte. */
export class Pipe implements FrameHolder {
  readers = 0;
  writers = 0;
  /** How often it was opened for reading, and for writing: who opens a named pipe waits for one of the others. */
  readOpens = 0;
  writeOpens = 0;
  /** Who watches the reading end, and the writing end. */
  readonly readQueue: PollQueue = new PollQueue();
  readonly writeQueue: PollQueue = new PollQueue();
  /** Whom signals tell of something to read, and of room. */
  readonly asyncReaders: FasyncList = new FasyncList();
  readonly asyncWriters: FasyncList = new FasyncList();
  readonly phys: PhysicalMemory;
  /** The oldest is at `#tail`. Those before it are gone, and cut off now and then: so it costs the same however many there are. */
  #buffers: PipeBuffer[] = [];
  #tail = 0;
  /** A frame of its own that was emptied, for the next write (tmp_page); 0 for none. */
  #spare: Pfn = 0;
  /** How many buffers it may have (max_usage). */
  #capacity: number;
  readonly #payer: PipePayer | undefined;

  /** @param payer the user for whom its buffers count, undefined: they count for nobody; @param buffers how many it may have */
  constructor(phys: PhysicalMemory, payer?: PipePayer, buffers: number = PIPE_BUFFERS) {
    this.phys = phys;
    phys.holders.add(this);
    this.#payer = payer;
    this.#capacity = buffers;
    payer?.add(this.#capacity);
  }

  /** Capacity in bytes (F_GETPIPE_SZ). */
  get size(): number {
    return this.#capacity * PAGE_SIZE;
  }

  /** A pipe made by `maker`, whose user its buffers count for; null where that has too many. */
  static of(phys: PhysicalMemory, maker: Holder): Pipe | null {
    const payer = new PipePayer(phys, maker.userIds?.real ?? maker.uid);
    const buffers = payer.buffersOfNew(maker, PIPE_BUFFERS);
    return buffers === 0 ? null : new Pipe(phys, payer, buffers);
  }

  /** `who` changes it, rounded up: the new one, or negative errno (pipe_set_size). */
  resize(who: Holder, wanted: number): number {
    const size = roundPipeSize(wanted);
    if (size === 0) return -EINVAL;
    const buffers = size / PAGE_SIZE;
    if (buffers > this.#capacity && this.#payer?.mayGrow(who, size, buffers - this.#capacity) === false)
      return -EPERM;
    if (buffers > MAX_BUFFERS || this.#payer?.isRoomFor(buffers - this.#capacity) === false) return -ENOMEM;
    if (this.#used > buffers) return -EBUSY;
    this.#payer?.add(buffers - this.#capacity);
    const hadRoom = !this.isFull;
    this.#capacity = buffers;
    if (!hadRoom && !this.isFull) this.#tellWriters();
    return size;
  }

  /** Unread bytes (FIONREAD). */
  get unread(): number {
    let sum = 0;
    for (const { start, end } of this.buffers()) sum += end - start;
    return sum;
  }

  get #used(): number {
    return this.#buffers.length - this.#tail;
  }

  get isFull(): boolean {
    return this.#used >= this.#capacity;
  }

  get isEmpty(): boolean {
    return this.#used === 0;
  }

  /** Buffers that nothing is in. */
  get freeBuffers(): number {
    return this.#capacity - this.#used;
  }

  /** The buffer that is read next. */
  get oldest(): PipeBuffer | undefined {
    return this.#buffers[this.#tail];
  }

  /** The buffers in the order in which they are read. */
  *buffers(): IterableIterator<PipeBuffer> {
    for (let at = this.#tail; at < this.#buffers.length; at++) yield this.#buffers[at];
  }

  read(to: IovIter): number {
    let done = 0;
    while (to.count > 0) {
      const buffer = this.oldest;
      if (buffer === undefined) break;
      const part = Math.min(buffer.end - buffer.start, to.count);
      if (to.copyToIter(buffer.pfn * PAGE_SIZE + buffer.start, part) < part) return done > 0 ? done : -EFAULT;
      done += part;
      this.consume(part);
    }
    return done;
  }

  /** The frames that it holds a reference on, some of them perhaps several times. */
  *frames(): IterableIterator<Pfn> {
    for (const { pfn } of this.buffers()) yield pfn;
    if (this.#spare !== 0) yield this.#spare;
  }

  /** Takes as much of `from` as fits. Bytes, -EFAULT, or -ENOMEM. */
  write(from: IovIter): number {
    const done = this.#append(from);
    if (done > 0) this.#tellReaders();
    return done;
  }

  #append(from: IovIter): number {
    let done = 0;
    const odd = from.count % PAGE_SIZE;
    const last = this.isEmpty ? undefined : this.#buffers.at(-1);
    if (odd > 0 && last?.canMerge === true && last.end + odd <= PAGE_SIZE) {
      if (from.copyFromIter(last.pfn * PAGE_SIZE + last.end, odd) < odd) return -EFAULT;
      last.end += odd;
      done = odd;
    }
    while (from.count > 0 && !this.isFull) {
      const pfn = this.#takeFrame();
      if (pfn === 0) return done > 0 ? done : -ENOMEM;
      const end = Math.min(from.count, PAGE_SIZE);
      if (from.copyFromIter(pfn * PAGE_SIZE, end) < end) {
        this.#keepFrame(pfn);
        return done > 0 ? done : -EFAULT;
      }
      this.#buffers.push({ bytes: this.#bytesOf(pfn), start: 0, end, pfn, canMerge: true });
      done += end;
    }
    return done;
  }

  /** A frame for bytes of a writer; 0 where memory is out. */
  #takeFrame(): Pfn {
    const pfn = this.#spare;
    this.#spare = 0;
    return pfn !== 0 ? pfn : this.phys.allocPage();
  }

  #keepFrame(pfn: Pfn): void {
    if (this.#spare === 0 && this.readers + this.writers > 0) this.#spare = pfn;
    else this.phys.putPage(pfn);
  }

  #bytesOf(pfn: Pfn): Uint8Array {
    return this.phys.ram.u8.subarray(pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
  }

  /** Adds bytes start … end of a frame, without copying them; takes a reference of its own. Precondition: not full. */
  pushPage(pfn: Pfn, start: number, end: number): void {
    this.phys.getPage(pfn);
    this.#buffers.push({ bytes: this.#bytesOf(pfn), start, end, pfn, canMerge: false });
    this.#tellReaders();
  }

  /** Adds the first `len` bytes of another pipe's buffer, which keeps them. Precondition: not full. */
  pushShared(buffer: PipeBuffer, len: number): void {
    const { bytes, start, pfn } = buffer;
    this.phys.getPage(pfn);
    this.#buffers.push({ bytes, start, end: start + len, pfn, canMerge: false });
    this.#tellReaders();
  }

  /** Moves the first buffer of `from` here as it is. Preconditions: there is one, and this pipe is not full. */
  takeBuffer(from: Pipe): void {
    const wasFull = from.isFull;
    const buffer = from.#shift();
    if (buffer === undefined) return;
    this.#buffers.push(buffer);
    this.#tellReaders();
    if (wasFull) from.#tellWriters();
  }

  /** Takes the next `n` bytes out. Precondition: so many are there. */
  consume(n: number): void {
    for (let left = n; left > 0; ) {
      const buffer = this.#buffers[this.#tail];
      const part = Math.min(left, buffer.end - buffer.start);
      buffer.start += part;
      left -= part;
      if (buffer.start === buffer.end) this.#drop();
    }
  }

  /** Lets go of everything: nobody has it any more. */
  free(): void {
    while (!this.isEmpty) this.#drop();
    if (this.#spare !== 0) this.phys.putPage(this.#spare);
    this.#spare = 0;
    this.phys.holders.delete(this);
    this.#payer?.add(-this.#capacity);
  }

  #shift(): PipeBuffer | undefined {
    const buffer = this.oldest;
    if (buffer === undefined) return undefined;
    if (++this.#tail * 2 >= this.#buffers.length) {
      this.#buffers = this.#buffers.slice(this.#tail);
      this.#tail = 0;
    }
    return buffer;
  }

  #drop(): void {
    const wasFull = this.isFull;
    const buffer = this.#shift();
    if (buffer === undefined) return;
    if (wasFull) this.#tellWriters();
    // Its own, and nobody shows it: the next write may have it.
    if (buffer.canMerge && this.phys.frames.refCount[buffer.pfn] === 1) this.#keepFrame(buffer.pfn);
    else this.phys.putPage(buffer.pfn);
  }

  /** Every write does, also to a pipe that was not empty: epoll has always seen it so. */
  #tellReaders(): void {
    this.readQueue.wake(POLLIN | POLLRDNORM);
  }

  #tellWriters(): void {
    this.writeQueue.wake(POLLOUT | POLLWRNORM);
  }
}

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
