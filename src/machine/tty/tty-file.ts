/** Reading and writing terminals (n_tty_read, n_tty_write, n_tty_poll). Who has to wait does so where the system calls are. */
import { EFAULT, EIO } from "../../mm/uapi/errno.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDNORM, POLLWRNORM } from "../../mm/uapi/fs.ts";
import type { File, FileOperations } from "../../mm/vfs/file.ts";
import type { IovIter } from "../../mm/vfs/iov-iter.ts";
import { copySpliceRead } from "../../mm/vfs/splice.ts";
import { ERESTART_WOULD_BLOCK } from "../../mm/vfs/would-block.ts";
import { type Terminals, ttyFileOf } from "./terminals.ts";
import { VMIN, VTIME } from "./termios.ts";
import type { Tty, TtyFile } from "./tty.ts";

/** Bytes that go through the line discipline at once. */
const CHUNK = 4096;
const WOULD_BLOCK: number = -ERESTART_WOULD_BLOCK;

function openedOf(file: File): TtyFile {
  const opened = ttyFileOf(file);
  if (opened === undefined) throw new TypeError("openedOf: not a terminal");
  return opened;
}

/** How many bytes a read of `wanted` waits for, and whether it waits at all (VMIN and VTIME). */
export function readTarget({ discipline, termios }: Tty, wanted: number): number {
  if (discipline.isCanonical) return 1;
  const minimum = termios.cc[VMIN];
  if (minimum > 0) return Math.min(minimum, wanted);
  return termios.cc[VTIME] > 0 ? 1 : 0;
}

/**
 * What there is, up to the room in `to`. -ERESTART_WOULD_BLOCK while fewer than `target` bytes are there; fewer are good
 * enough for who has waited long enough.
 */
export function readTty(file: File, to: IovIter, target: number): number {
  const { tty, isHungUp } = openedOf(file);
  if (isHungUp) return 0;
  if (tty.hasIoError) return -EIO;
  const { link } = tty;
  if (tty.isPacketMode && link !== undefined && link.packetNews !== 0) {
    const news = Uint8Array.of(link.packetNews);
    link.packetNews = 0;
    return to.copyBytesToIter(news) === 0 ? -EFAULT : 1;
  }
  tty.pump();
  const { discipline } = tty;
  if (discipline.available < Math.max(target, 1)) {
    if (tty.isOtherClosed && discipline.available === 0) return -EIO;
    if (target > 0 && !tty.isOtherClosed) return WOULD_BLOCK;
    if (discipline.available === 0) return 0;
  }
  const scratch = new Uint8Array(Math.min(to.count, CHUNK));
  const first = tty.isPacketMode ? 1 : 0;
  const got = discipline.read(scratch.subarray(first)) + first;
  tty.pump();
  if (got === 0) return 0;
  return to.copyBytesToIter(scratch.subarray(0, got)) === 0 ? -EFAULT : got;
}

function writeTty(file: File, from: IovIter): number {
  const { tty, isHungUp } = openedOf(file);
  if (isHungUp || tty.hasIoError) return -EIO;
  tty.discipline.processEchoes();
  let done = 0;
  while (from.count > 0) {
    const scratch = new Uint8Array(Math.min(from.count, CHUNK));
    const taken = from.copyBytesFromIter(scratch);
    if (taken === 0) return done > 0 ? done : -EFAULT;
    const written = tty.output.write(scratch.subarray(0, taken));
    done += written;
    if (written === taken) continue;
    from.revert(taken - written);
    return done > 0 ? done : WOULD_BLOCK;
  }
  return done;
}

function pollTty(file: File): number {
  const { tty, isHungUp } = openedOf(file);
  if (isHungUp) return POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLWRNORM;
  tty.pump();
  let events = tty.writable;
  if (tty.discipline.isReadable) events |= POLLIN | POLLRDNORM;
  if (tty.isPacketMode && tty.link !== undefined && tty.link.packetNews !== 0)
    events |= POLLPRI | POLLIN | POLLRDNORM;
  if (tty.isOtherClosed) events |= POLLHUP;
  return events;
}

/** What the files of all terminals do. */
export function ttyFileOps(terminals: Terminals): FileOperations {
  return {
    isStream: true,
    takesRwf: true,
    spliceRead: copySpliceRead,
    spliceWrite: "write",
    read: (file, to) => (to.count === 0 ? 0 : readTty(file, to, readTarget(openedOf(file).tty, to.count))),
    write: writeTty,
    poll: pollTty,
    pollQueue: (file) => openedOf(file).tty.queue,
    changes: (file) => openedOf(file).tty.changes,
    release: (file) => terminals.close(file),
    showFdinfo: (file) => {
      const { tty } = openedOf(file);
      return tty.isMaster ? `tty-index:\t${tty.real.rdev & 0xff}\n` : "";
    },
  };
}
