/**
 * Standard input, in one of three ways:
 *
 * - a file or device answers at once: it is read when the program asks;
 * - a terminal or pipe is opened a second time, without blocking, where the host can do that (Linux);
 * - what is left, sockets and other hosts, comes by events.
 *
 * The first two read no byte more than the program asked for: what it leaves is there for whoever reads next, as in
 * `(faultline run head1; cat) < file`.
 */
import { constants, fstatSync, readSync } from "node:fs";
import type { MachineStream } from "../machine/index.ts";
import { EIO } from "../mm/uapi/errno.ts";
import { POLLIN } from "../mm/uapi/fs.ts";
import { ERESTART_WOULD_BLOCK } from "../mm/vfs/would-block.ts";
import { failure } from "./host-error.ts";
import { reopenNonBlocking } from "./non-blocking.ts";
import { isTerminal } from "./terminal.ts";

type Input = Required<Pick<MachineStream, "read" | "poll">>;

const WOULD_BLOCK: number = -ERESTART_WOULD_BLOCK;

/** Reads from the host's descriptor `fd`. */
export function hostInput(fd: number): Input {
  let mayBlock = true;
  try {
    const stat = fstatSync(fd);
    mayBlock = stat.isFIFO() || stat.isSocket() || isTerminal(fd);
  } catch {
    // Closed: reading will say so.
    mayBlock = false;
  }
  if (!mayBlock) return readingInput(fd);
  const opened = reopenNonBlocking(fd, constants.O_RDONLY);
  return opened === undefined ? eventInput(process.stdin) : readingInput(opened);
}

/** Input from a descriptor that answers at once. */
function readingInput(fd: number): Input {
  // Whether something has come can only be found out by reading it. What that brings is kept for the next read; it is
  // never more than was asked for last.
  let wanted = 1;
  let ahead: Uint8Array = new Uint8Array(0);
  let isAtEnd = false;
  return {
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
      return got === WOULD_BLOCK ? 0 : POLLIN;
    },
  };
}

function readHost(fd: number, into: Uint8Array): number {
  try {
    return readSync(fd, into, 0, into.length, null);
  } catch (error) {
    return failure(error);
  }
}

/** Input that a stream hands over chunk by chunk, each only once the program wants it. */
function eventInput(stream: NodeJS.ReadStream): Input {
  let chunk: Uint8Array = new Uint8Array(0);
  /** What comes after the chunk: 0 at the end, or a negative errno. */
  let end: number | undefined;
  stream.on("data", (bytes: Buffer) => {
    stream.pause();
    chunk = bytes;
  });
  stream.on("end", () => {
    end = 0;
  });
  stream.on("error", () => {
    end = -EIO;
  });
  stream.pause();
  const hasCome = (): boolean => {
    if (chunk.length > 0 || end !== undefined) return true;
    stream.resume();
    return false;
  };
  return {
    read: (into) => {
      if (!hasCome()) return WOULD_BLOCK;
      if (chunk.length === 0) return end ?? 0;
      const bytes = chunk.subarray(0, into.length);
      into.set(bytes);
      chunk = chunk.subarray(bytes.length);
      return bytes.length;
    },
    poll: () => (hasCome() ? POLLIN : 0),
  };
}
