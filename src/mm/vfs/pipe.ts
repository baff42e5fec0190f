/**
 * What is in a pipe (fs/pipe.c): sixteen page-sized buffers, or as many as F_SETPIPE_SZ says, between a writing and a
 * reading file (pipe-file.ts).
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
import { EBUSY, EFAULT, EINVAL, ENOMEM, EPERM } from "../uapi/errno.ts";
import { POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../uapi/fs.ts";
import type { Holder } from "./capability.ts";
import { FasyncList } from "./fasync.ts";
import type { IovIter } from "./iov-iter.ts";
import { PipePayer, roundPipeSize } from "./pipe-payer.ts";
import { PollQueue } from "./poll-queue.ts";

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
