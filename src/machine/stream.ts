/** The standard streams of a program, and what stands behind them. */
import { PAGE_SIZE } from "../mm/page.ts";
import { S_IFCHR, S_IFIFO } from "../mm/uapi/fcntl.ts";
import { makedev, POLLIN, POLLOUT } from "../mm/uapi/fs.ts";
import type { StreamIo } from "../mm/vfs/char-device.ts";
import { ERESTART_WOULD_BLOCK } from "../mm/vfs/would-block.ts";

/**
 * A stream as the machine knows it: a terminal, where it has a size, else what a pipe looks like. One whose `read` may
 * have nothing yet also has a `poll`, which says when it has: a reader waits for that.
 */
export interface MachineStream extends StreamIo {
  readonly terminal?: HostTerminal;
}

/** The terminal that a stream belongs to. */
export interface HostTerminal {
  readonly rows: number;
  readonly columns: number;
  /**
   * From now on every key is handed on, and nothing echoed: the machine's line discipline does that. Absent: it has been
   * so from the start.
   */
  setRaw?(): void;
  /** Whether it puts a return before each newline that it is given (ONLCR), at this moment. Absent: never. */
  readonly addsReturns?: boolean;
  /** Tells of every change of the size. */
  onResize?(listener: (rows: number, columns: number) => void): void;
}

/** Where bytes come from. Answers what has come, `null` at the end, `undefined` when nothing has come yet. */
export type ByteSource = (max: number) => Uint8Array | null | undefined;
/** Where bytes go. They are only valid during the call. */
export type ByteSink = (bytes: Uint8Array) => void;

export interface StreamOptions {
  readonly read?: ByteSource;
  readonly write?: ByteSink;
  readonly terminal?: HostTerminal;
}

/** Major number of terminals (UNIX98_PTY_SLAVE_MAJOR). */
const PTS_MAJOR = 136;
const WOULD_BLOCK: number = -ERESTART_WOULD_BLOCK;

/** A stream over two functions. What a read brings beyond what was asked for is kept for the next. */
export function streamOf(options: StreamOptions): MachineStream {
  const { read, write, terminal } = options;
  return {
    // A terminal looks like one of /dev/pts; anything else like one end of a pipe.
    mode: terminal === undefined ? S_IFIFO | 0o600 : S_IFCHR | 0o620,
    rdev: terminal === undefined ? 0 : makedev(PTS_MAJOR, 0),
    ...(terminal === undefined ? {} : { terminal }),
    ...(read === undefined ? {} : inputOf(read)),
    ...(write === undefined ? {} : outputOf(write)),
  };
}

/** Whether input has come can only be found out by asking for it; what that brings waits here to be read. */
function inputOf(read: ByteSource): Required<Pick<MachineStream, "read" | "poll">> {
  let ahead: Uint8Array = new Uint8Array(0);
  let isAtEnd = false;
  const fetch = (max: number): void => {
    if (ahead.length > 0 || isAtEnd) return;
    const got = read(max);
    if (got === null) isAtEnd = true;
    else if (got !== undefined) ahead = got.slice();
  };
  return {
    read: (into) => {
      fetch(into.length);
      if (ahead.length === 0 && !isAtEnd) return WOULD_BLOCK;
      const n = Math.min(ahead.length, into.length);
      into.set(ahead.subarray(0, n));
      ahead = ahead.subarray(n);
      // A terminal can go on after an end.
      if (n === 0) isAtEnd = false;
      return n;
    },
    poll: () => {
      fetch(PAGE_SIZE);
      return ahead.length > 0 || isAtEnd ? POLLIN | POLLOUT : POLLOUT;
    },
  };
}

function outputOf(write: ByteSink): Required<Pick<MachineStream, "write">> {
  return {
    write: (from) => {
      write(from);
      return from.length;
    },
  };
}

/** A stream that is at its end and takes everything without keeping it (/dev/null). */
export const nullStream: MachineStream = streamOf({ read: () => null, write: () => {} });
