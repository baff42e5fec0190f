/**
 * The program's standard streams: this process's descriptors 0, 1 and 2, byte for byte.
 *
 * Input is read when the program asks, and no byte more: what it leaves is left for whoever reads next, as in
 * `(faultline run head1; cat) < file`. To stay interruptible while the program waits for a terminal or a pipe, those
 * are opened again without blocking, where the host can do that; then "nothing yet" puts the program to wait.
 */
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { isatty } from "node:tty";
import type { MachineStream } from "../machine/index.ts";
import { EIO, EPIPE } from "../mm/uapi/errno.ts";
import { S_IFCHR, S_IFIFO } from "../mm/uapi/fcntl.ts";
import { makedev, POLLIN, POLLOUT } from "../mm/uapi/fs.ts";
import { ERESTART_WOULD_BLOCK } from "../mm/vfs/would-block.ts";

const STDIN = 0;
/** Major number of terminals (UNIX98_PTY_SLAVE_MAJOR). */
const PTS_MAJOR = 136;

/** What the program sees as its descriptors 0, 1 and 2. */
export function hostStreams(): readonly [MachineStream, MachineStream, MachineStream] {
  return [inputStream(), outputStream(1, process.stdout), outputStream(2, process.stderr)];
}

function inputStream(): MachineStream {
  const fd = reopenNonBlocking(STDIN);
  // Whether something has come can only be found out by reading it. What that brings is kept for the next read; it is
  // never more than was asked for last.
  let wanted = 1;
  let ahead: Uint8Array = new Uint8Array(0);
  let isAtEnd = false;
  return {
    ...appearance(STDIN, process.stdout),
    read: (into) => {
      if (ahead.length > 0) {
        const bytes = ahead.subarray(0, into.length);
        into.set(bytes);
        ahead = ahead.subarray(bytes.length);
        return bytes.length;
      }
      if (isAtEnd) {
        // A terminal can go on after an end.
        isAtEnd = false;
        return 0;
      }
      wanted = into.length;
      return readHost(fd, into);
    },
    poll: () => {
      if (ahead.length > 0 || isAtEnd) return POLLIN;
      const bytes = new Uint8Array(wanted);
      const got = readHost(fd, bytes);
      if (got > 0) ahead = bytes.subarray(0, got);
      isAtEnd = got === 0;
      return got === -ERESTART_WOULD_BLOCK ? 0 : POLLIN;
    },
  };
}

function readHost(fd: number, into: Uint8Array): number {
  try {
    return readSync(fd, into, 0, into.length, null);
  } catch (error) {
    // Windows tells the end of a pipe so.
    return codeOf(error) === "EOF" ? 0 : failure(error);
  }
}

function outputStream(fd: number, stream: NodeJS.WriteStream): MachineStream {
  return {
    ...appearance(fd, stream),
    write: (from) => {
      try {
        return writeSync(fd, from);
      } catch (error) {
        return failure(error);
      }
    },
    poll: () => POLLOUT,
  };
}

/**
 * Type and size as fstat and the terminal's ioctls show them. Only terminals look like what they are: a regular file
 * could be neither sought nor mapped through a stream, so it looks like the pipe that it behaves as.
 */
function appearance(fd: number, screen: NodeJS.WriteStream): Partial<MachineStream> {
  if (!isatty(fd)) return { mode: S_IFIFO | 0o600 };
  const terminal = {
    get rows(): number {
      return screen.rows ?? 24;
    },
    get columns(): number {
      return screen.columns ?? 80;
    },
  };
  return { mode: S_IFCHR | 0o620, rdev: makedev(PTS_MAJOR, 0), terminal };
}

/** Writes a text of our own. Who no longer listens does not get it. */
export function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  const idle = new Int32Array(new SharedArrayBuffer(4));
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      if (codeOf(error) !== "EAGAIN") return;
      // A full pipe that doesn't block: its reader needs a moment.
      Atomics.wait(idle, 0, 0, 1);
    }
  }
}

/** A descriptor for the same pipe or terminal that doesn't block; `fd` itself where there is none to be had. */
function reopenNonBlocking(fd: number): number {
  if (process.platform !== "linux") return fd;
  let opened = -1;
  try {
    const stat = fstatSync(fd);
    if (!stat.isFIFO() && !isatty(fd)) return fd;
    opened = openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_NONBLOCK);
    return opened;
  } catch {
    if (opened >= 0) closeSync(opened);
    return fd;
  }
}

function failure(error: unknown): number {
  switch (codeOf(error)) {
    case "EAGAIN":
      return -ERESTART_WOULD_BLOCK;
    case "EPIPE":
      return -EPIPE;
    default: {
      const errno = (error as { readonly errno?: unknown }).errno;
      return typeof errno === "number" && process.platform === "linux" ? errno : -EIO;
    }
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as { readonly code?: string }).code;
}
