/**
 * Descriptors that answer "would block" instead of blocking: while a write waits in the host's kernel for a reader who has
 * gone to sleep, no timeout and no signal would reach this process.
 *
 * The flag belongs to the open file, which others may share (a shell's terminal), so pipes and terminals are opened a second
 * time, where the host can do that (Linux). Sockets can't be; Node sets the flag on those.
 */
import { closeSync, constants, fstatSync, openSync } from "node:fs";

/** A descriptor for the same pipe or terminal that doesn't block; undefined where there is none to be had. */
export function reopenNonBlocking(fd: number, flags: number): number | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const opened = openSync(`/proc/self/fd/${fd}`, flags | constants.O_NONBLOCK);
    // A terminal device may lead elsewhere than the descriptor does.
    const { dev, ino } = fstatSync(fd);
    const again = fstatSync(opened);
    if (again.dev === dev && again.ino === ino) return opened;
    closeSync(opened);
  } catch {
    // Sockets can't be opened; a terminal of another user neither.
  }
  return undefined;
}

/** A descriptor to write to what `fd` stands for that doesn't block, if that could block at all and there is one. */
export function nonBlockingOutput(fd: number): number {
  try {
    const stat = fstatSync(fd);
    if (stat.isFIFO() || stat.isCharacterDevice()) return reopenNonBlocking(fd, constants.O_WRONLY) ?? fd;
    if (stat.isSocket()) {
      const { Socket } = process.getBuiltinModule("node:net");
      // Who no longer listens is found out by writing.
      new Socket({ fd, readable: false, writable: true }).on("error", () => {}).unref();
    }
  } catch {
    // Closed: writing will say so.
  }
  return fd;
}
