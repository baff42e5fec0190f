/**
 * read(2) of a terminal: whom it stops, and how long it waits (n_tty_read).
 *
 * With lines, until there is one. Without, VMIN says for how many bytes, VTIME for how many tenths of a second: from the
 * beginning where VMIN is 0, else after each byte, from the first one on.
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

const TENTH_NS = 1e8;

/** Between the tries of one read. */
class ReadWait {
  /** From when the time counts. */
  sinceNs: number;
  /** Bytes that were there at the last try. */
  seen = 0;

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
  if (!opened.isHungUp && !tty.hasIoError) {
    const held = checkChange(system, thread, tty, SIGTTIN);
    if (held === "wait") return waitForSignal(call);
    if (held !== 0) return held;
  }
  const to = call.iter(segments);
  const now = system.clock.monotonicNs();
  const wait = thread.callState instanceof ReadWait ? thread.callState : new ReadWait(now);
  const { discipline, termios } = tty;
  const target = readTarget(tty, to.count);
  const minimum = termios.cc[VMIN];
  const isTimed = !discipline.isCanonical && termios.cc[VTIME] > 0;
  tty.pump();
  const { available } = discipline;
  if (isTimed && minimum > 0 && available !== wait.seen) {
    wait.seen = available;
    wait.sinceNs = now;
  }
  const runs = isTimed && (minimum === 0 || available > 0);
  const deadlineNs = runs ? wait.sinceNs + termios.cc[VTIME] * TENTH_NS : Number.POSITIVE_INFINITY;
  const read = readTty(file, to, now >= deadlineNs ? 0 : target);
  if (read !== -ERESTART_WOULD_BLOCK) return read;
  if ((file.flags & O_NONBLOCK) !== 0) return available > 0 ? readTty(file, to, 0) : -EAGAIN;
  const before = tty.changes;
  const { arrivals } = discipline;
  const isReady = (): boolean => {
    tty.pump();
    return opened.isHungUp || tty.changes !== before || (isTimed && discipline.arrivals !== arrivals);
  };
  const isForInput = comesFromOutside(system, file);
  return call.block({ isReady, deadlineNs, interrupted: -ERESTARTSYS, isForInput }, wait);
}

/** What a write of the caller answers where its terminal is not for the background (TOSTOP); undefined where it may go on. */
export function holdWrite(call: Call, { tty, isHungUp }: TtyFile): number | undefined {
  if (isHungUp || (tty.termios.lflag & TOSTOP) === 0) return undefined;
  const held = checkChange(call.system, call.thread, tty, SIGTTOU);
  if (held === "wait") return waitForSignal(call);
  return held === 0 ? undefined : held;
}
