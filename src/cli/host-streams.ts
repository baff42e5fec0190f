/**
 * The program's standard streams: this process's descriptors 0, 1 and 2, byte for byte.
 *
 * To stay interruptible while the program waits, nothing here blocks for long: what can't be done now answers "would
 * block", and the machine puts the program to wait.
 */
import { writeSync } from "node:fs";
import type { MachineStream } from "../machine/index.ts";
import { S_IFCHR, S_IFIFO } from "../mm/uapi/fcntl.ts";
import { makedev, POLLOUT } from "../mm/uapi/fs.ts";
import { codeOf, failure } from "./host-error.ts";
import { hostInput } from "./host-input.ts";
import { isTerminal } from "./terminal.ts";

const STDIN = 0;
/** Major number of terminals (UNIX98_PTY_SLAVE_MAJOR). */
const PTS_MAJOR = 136;

/** What the program sees as its descriptors 0, 1 and 2. */
export function hostStreams(): readonly [MachineStream, MachineStream, MachineStream] {
  return [inputStream(), outputStream(1, () => process.stdout), outputStream(2, () => process.stderr)];
}

function inputStream(): MachineStream {
  return { ...appearance(STDIN, () => process.stdout), ...hostInput(STDIN) };
}

/** @param stream Node's view of it, made only for a terminal */
function outputStream(fd: number, stream: () => NodeJS.WriteStream): MachineStream {
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
function appearance(fd: number, screen: () => NodeJS.WriteStream): Partial<MachineStream> {
  if (!isTerminal(fd)) return { mode: S_IFIFO | 0o600 };
  const terminal = {
    get rows(): number {
      return screen().rows ?? 24;
    },
    get columns(): number {
      return screen().columns ?? 80;
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
