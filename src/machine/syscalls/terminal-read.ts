/**
 * read(2) of a terminal: whom it stops, and how long it waits (n_tty_read).
 *
 * With lines, until there is one. Without, VMIN says for how many bytes, VTIME for how many tenths of a second: from the
 * beginning where VMIN is 0, else after each byte, from the first one on.
 *
 * Linux reads in pieces of 64 bytes, and waits for the first one alone: with a larger VMIN a read brings no more than that.
 */
import type { UserSegment } from "../../mm/fault/user-iter.ts";
import { EAGAIN, EBADF } from "../../mm/uapi/errno.ts";
import { O_NONBLOCK } from "../../mm/uapi/fcntl.ts";
import { type File, FMODE_READ } from "../../mm/vfs/file.ts";
import { ERESTART_WOULD_BLOCK } from "../../mm/vfs/would-block.ts";
import { SIGTTIN, SIGTTOU } from "../signals/signal-numbers.ts";
import { checkChange } from "../tty/job-control.ts";
import { TOSTOP, VMIN, VTIME } from "../tty/termios.ts";
import type { TtyFile } from "../tty/tty.ts";
import { readTarget, readTty } from "../tty/tty-file.ts";
import type { Call } from "./call.ts";
import { comesFromOutside } from "./from-outside.ts";
import { ERESTARTSYS } from "./restart.ts";
import { waitForSignal } from "./terminal.ts";
import { cut } from "./transfer-pieces.ts";

const TENTH_NS = 1e8;
/** Bytes of the kernel's own buffer (iterate_tty_read). */
const PIECE = 64;

/** Between the tries of one read. */
class ReadWait {
  /** From when the time counts. */
  sinceNs: number;
  /** Bytes that it has got. */
  done = 0;

  constructor(nowNs: number) {
    this.sinceNs = nowNs;
  }
}

export function readTerminal(
  call: Call,
  file: File,
  opened: TtyFile,
  segments: readonly UserSegment[],
): number {
  if ((file.mode & FMODE_READ) === 0) return -EBADF;
  const { system, thread } = call;
  const { tty } = opened;
  const now = system.clock.monotonicNs();
  const { callState } = thread;
  const isFirst = !(callState instanceof ReadWait);
  if (isFirst && !opened.isHungUp && !tty.hasIoError) {
    const held = checkChange(system, thread, tty, SIGTTIN);
    if (held === "wait") return waitForSignal(call);
    if (held !== 0) return held;
  }
  const wait = isFirst ? new ReadWait(now) : callState;
  const orDone = (result: number): number => (wait.done > 0 ? wait.done : result);
  const room = segments.reduce((sum, { len }) => sum + len, 0);
  if (room === 0) return 0;
  const { discipline, termios } = tty;
  const minimum = termios.cc[VMIN];
  const wanted = !discipline.isCanonical && minimum > PIECE ? Math.min(room, PIECE) : room;
  const isTimed = !discipline.isCanonical && termios.cc[VTIME] > 0;
  const target = Math.min(readTarget(tty), wanted);
  for (;;) {
    const runs = isTimed && (minimum === 0 || wait.done > 0);
    const deadlineNs = runs ? wait.sinceNs + termios.cc[VTIME] * TENTH_NS : Number.POSITIVE_INFINITY;
    const mayWait = target > 0 && now < deadlineNs;
    const got = readTty(file, call.iter(cut(segments, wait.done, wanted - wait.done)), mayWait, !isFirst);
    if (got > 0) {
      wait.done += got;
      wait.sinceNs = now;
      if (wait.done >= target) return wait.done;
      continue;
    }
    if (got !== -ERESTART_WOULD_BLOCK) return orDone(got);
    if ((file.flags & O_NONBLOCK) !== 0) return orDone(-EAGAIN);
    const before = tty.changes;
    const isReady = (): boolean => {
      tty.pump();
      return opened.isHungUp || tty.changes !== before;
    };
    const isForInput = comesFromOutside(system, file);
    return call.block({ isReady, deadlineNs, interrupted: orDone(-ERESTARTSYS), isForInput }, wait);
  }
}

/**
 * What a write of the caller answers where its terminal is not for the background (TOSTOP); undefined where it may go on.
 * @param done bytes that it has written already
 */
export function holdWrite(call: Call, { tty, isHungUp }: TtyFile, done: number): number | undefined {
  if (isHungUp || (tty.termios.lflag & TOSTOP) === 0) return undefined;
  const held = checkChange(call.system, call.thread, tty, SIGTTOU);
  if (held !== 0 && done > 0) return done;
  if (held === "wait") return waitForSignal(call);
  return held === 0 ? undefined : held;
}
