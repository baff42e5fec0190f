/** Reading and writing terminals (n_tty_read, n_tty_write, n_tty_poll). Who has to wait does so where the system calls are. */
import { EFAULT, EIO, ENOTTY } from "../../mm/uapi/errno.ts";
import {
  minorOf,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDNORM,
  POLLWRNORM,
} from "../../mm/uapi/fs.ts";
import type { File, FileOperations } from "../../mm/vfs/file.ts";
import type { IovIter } from "../../mm/vfs/iov-iter.ts";
import { copySpliceRead } from "../../mm/vfs/splice.ts";
import { ERESTART_WOULD_BLOCK } from "../../mm/vfs/would-block.ts";
import { type Terminals, ttyFileOf } from "./terminals.ts";
import { VMIN, VTIME } from "./termios.ts";
import type { Tty, TtyFile } from "./tty.ts";

/** Bytes that are read at once. */
const CHUNK = 4096;
/** Bytes that are taken from a writer at once: all of them, or none where some can't be read. */
const WRITE_CHUNK = 2048;
const WOULD_BLOCK: number = -ERESTART_WOULD_BLOCK;

function openedOf(file: File): TtyFile {
  const opened = ttyFileOf(file);
  if (opened === undefined) throw new TypeError("openedOf: not a terminal");
  return opened;
}

/** How many bytes a read waits for, if there is room for so many; 0: it does not wait at all (VMIN and VTIME). */
export function readTarget({ discipline, termios }: Tty): number {
  if (discipline.isCanonical) return 1;
  const minimum = termios.cc[VMIN];
  if (minimum > 0) return minimum;
  return termios.cc[VTIME] > 0 ? 1 : 0;
}

/**
 * What there is, up to the room in `to`; -ERESTART_WOULD_BLOCK where that is nothing, unless the caller `mayWait` no more.
 * @param hasWaited the caller has waited here: that nobody has the other side any more is what it hears of before the hangup
 */
export function readTty(file: File, to: IovIter, mayWait: boolean, hasWaited = false): number {
  const { tty, isHungUp } = openedOf(file);
  if (isHungUp) return hasWaited && tty.isOtherClosed ? -EIO : 0;
  if (tty.hasIoError) return -EIO;
  const { link } = tty;
  if (tty.isPacketMode && link !== undefined && link.packetNews !== 0) {
    const news = Uint8Array.of(link.packetNews);
    link.packetNews = 0;
    return to.copyBytesToIter(news) === 0 ? -EFAULT : 1;
  }
  tty.pump();
  const { discipline } = tty;
  if (discipline.available === 0) {
    if (tty.isOtherClosed) return -EIO;
    return mayWait ? WOULD_BLOCK : 0;
  }
  const scratch = new Uint8Array(Math.min(to.count, CHUNK));
  const first = tty.isPacketMode ? 1 : 0;
  const got = discipline.read(scratch.subarray(first)) + first;
  tty.pump();
  if (got === 0) return 0;
  // What can't be written there is lost.
  const copied = to.copyBytesToIter(scratch.subarray(0, got));
  return copied === 0 ? -EFAULT : copied;
}

function writeTty(file: File, from: IovIter): number {
  const { tty, isHungUp } = openedOf(file);
  if (isHungUp || tty.hasIoError) return -EIO;
  tty.discipline.processEchoes();
  let done = 0;
  while (from.count > 0) {
    const scratch = new Uint8Array(Math.min(from.count, WRITE_CHUNK));
    if (from.copyBytesFromIter(scratch) < scratch.length) return done > 0 ? done : -EFAULT;
    const written = tty.output.write(scratch);
    done += written;
    if (written === scratch.length) continue;
    from.revert(scratch.length - written);
    tty.noteLackOfRoom();
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
    read: (file, to) => (to.count === 0 ? 0 : readTty(file, to, readTarget(openedOf(file).tty) > 0)),
    write: writeTty,
    poll: pollTty,
    pollQueue: (file) => openedOf(file).tty.queue,
    fasync: (file, fd, isOn) => {
      const { tty, isHungUp } = openedOf(file);
      if (isHungUp) return -ENOTTY;
      tty.fasync.set(file, fd, isOn);
      if (isOn) terminals.own(file, tty);
      return 0;
    },
    changes: (file) => openedOf(file).tty.changes,
    release: (file) => terminals.close(file),
    showFdinfo: (file) => {
      const { tty } = openedOf(file);
      return tty.isMaster ? `tty-index:\t${minorOf(tty.real.rdev)}\n` : "";
    },
  };
}
