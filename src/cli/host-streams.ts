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
import { nonBlockingOutput } from "./non-blocking.ts";
import { hostTerminal, isTerminal } from "./terminal.ts";

const STDIN = 0;
/** Major number of terminals (UNIX98_PTY_SLAVE_MAJOR). */
const PTS_MAJOR = 136;

/** How long a full pipe is left alone before the next try (milliseconds). */
const FULL_MS = 1;

/**
 * What the program sees as its descriptors 0, 1 and 2.
 * @param mayWait whether a write may still wait in place for its reader; without it, it never does. A machine whose runs
 * repeat has to wait so: what its processes do must not depend on how fast somebody reads
 */
export function hostStreams(mayWait?: () => boolean): readonly [MachineStream, MachineStream, MachineStream] {
  return [
    inputStream(),
    outputStream(1, () => process.stdout, mayWait),
    outputStream(2, () => process.stderr, mayWait),
  ];
}

function inputStream(): MachineStream {
  return {
    ...appearance(STDIN, () => (isTerminal(1) ? process.stdout : process.stderr)),
    ...hostInput(STDIN),
  };
}

/** @param stream Node's view of it, made only for a terminal */
function outputStream(
  fd: number,
  stream: () => NodeJS.WriteStream,
  mayWait: (() => boolean) | undefined,
): MachineStream {
  const to = nonBlockingOutput(fd);
  let fullUntilMs = 0;
  return {
    ...appearance(fd, stream),
    write: (from) => {
      for (;;) {
        try {
          return writeSync(to, from);
        } catch (error) {
          if (codeOf(error) === "EAGAIN") {
            fullUntilMs = Date.now() + FULL_MS;
            if (mayWait?.() === true) {
              idle(FULL_MS);
              continue;
            }
          }
          return failure(error);
        }
      }
    },
    // Whether there is room can only be found out by writing.
    poll: () => (Date.now() < fullUntilMs ? 0 : POLLOUT),
  };
}

const never = new Int32Array(new SharedArrayBuffer(4));
const idle = (ms: number): void => void Atomics.wait(never, 0, 0, ms);

/**
 * Type and size as fstat and the terminal's ioctls show them. Only terminals look like what they are: a regular file
 * could be neither sought nor mapped through a stream, so it looks like the pipe that it behaves as.
 */
function appearance(fd: number, screen: () => NodeJS.WriteStream): Partial<MachineStream> {
  if (!isTerminal(fd)) return { mode: S_IFIFO | 0o600 };
  return { mode: S_IFCHR | 0o620, rdev: makedev(PTS_MAJOR, 0), terminal: hostTerminal(screen, fd === STDIN) };
}

/** Writes a text of our own. Who no longer listens does not get it. */
export function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      if (codeOf(error) !== "EAGAIN") return;
      // A full pipe that doesn't block: its reader needs a moment.
      idle(1);
    }
  }
}
