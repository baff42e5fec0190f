/**
 * eventfd (fs/eventfd.c): a counter of 64 bits behind a descriptor. A write adds to it, a read takes all of it, or with
 * EFD_SEMAPHORE one; who can't waits.
 */
import { EAGAIN, EFAULT, EINVAL } from "../../mm/uapi/errno.ts";
import { O_NONBLOCK } from "../../mm/uapi/fcntl.ts";
import { POLLERR, POLLIN, POLLOUT } from "../../mm/uapi/fs.ts";
import type { File, FileOperations } from "../../mm/vfs/file.ts";
import type { IovIter } from "../../mm/vfs/iov-iter.ts";
import type { MountNamespace } from "../../mm/vfs/mount.ts";
import { PollQueue } from "../../mm/vfs/poll-queue.ts";
import { noopLlseek } from "../../mm/vfs/read-write.ts";
import { ERESTART_WOULD_BLOCK } from "../../mm/vfs/would-block.ts";
import { newAnonymousFile } from "./anonymous-file.ts";

/** One more than the counter ever holds. */
const ULLONG_MAX = 2n ** 64n - 1n;
const COUNTER_BYTES = 8;

class EventCounter {
  count: bigint;
  readonly isSemaphore: boolean;
  readonly id: number;
  readonly queue: PollQueue = new PollQueue();
  /** Reads and writes so far: a write that waits for room waits for a change. */
  changes = 0;

  constructor(count: number, isSemaphore: boolean, id: number) {
    this.count = BigInt(count);
    this.isSemaphore = isSemaphore;
    this.id = id;
  }
}

function counterOf(file: File): EventCounter {
  if (!(file.data instanceof EventCounter)) throw new TypeError("counterOf: not an eventfd");
  return file.data;
}

function wouldBlock({ flags }: File): number {
  return (flags & O_NONBLOCK) !== 0 ? -EAGAIN : -ERESTART_WOULD_BLOCK;
}

function read(file: File, to: IovIter): number {
  const counter = counterOf(file);
  if (to.count < COUNTER_BYTES) return -EINVAL;
  if (counter.count === 0n) return wouldBlock(file);
  const taken = counter.isSemaphore ? 1n : counter.count;
  counter.count -= taken;
  counter.changes++;
  counter.queue.wake(POLLOUT);
  const bytes = new Uint8Array(COUNTER_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, taken, true);
  return to.copyBytesToIter(bytes) < COUNTER_BYTES ? -EFAULT : COUNTER_BYTES;
}

function write(file: File, from: IovIter): number {
  const counter = counterOf(file);
  if (from.count < COUNTER_BYTES) return -EINVAL;
  const bytes = new Uint8Array(COUNTER_BYTES);
  if (from.copyBytesFromIter(bytes) < COUNTER_BYTES) return -EFAULT;
  const added = new DataView(bytes.buffer).getBigUint64(0, true);
  if (added === ULLONG_MAX) return -EINVAL;
  if (ULLONG_MAX - counter.count <= added) return wouldBlock(file);
  counter.count += added;
  counter.changes++;
  counter.queue.wake(POLLIN);
  return COUNTER_BYTES;
}

const eventOps: FileOperations = {
  read,
  write,
  isStream: true,
  llseek: noopLlseek,
  changes: (file) => counterOf(file).changes,
  poll: (file) => {
    const { count } = counterOf(file);
    const readable = count > 0n ? POLLIN : 0;
    const writable = count < ULLONG_MAX - 1n ? POLLOUT : 0;
    return readable | writable | (count === ULLONG_MAX ? POLLERR : 0);
  },
  pollQueue: (file) => counterOf(file).queue,
  showFdinfo: (file) => {
    const { count, id, isSemaphore } = counterOf(file);
    const shown = count.toString(16).padStart(16);
    return `eventfd-count: ${shown}\neventfd-id: ${id}\neventfd-semaphore: ${Number(isSemaphore)}\n`;
  },
};

/** A new counter. @param flags O_NONBLOCK, or nothing */
export function newEventFile(
  mounts: MountNamespace,
  count: number,
  isSemaphore: boolean,
  flags: number,
  id: number,
): File {
  return newAnonymousFile(mounts, "eventfd", eventOps, flags, new EventCounter(count, isSemaphore, id));
}
