/** Whether a descriptor of the host's is a terminal. Asking Node at once would load its network, at every start. */
import { fstatSync } from "node:fs";

export function isTerminal(fd: number): boolean {
  try {
    return fstatSync(fd).isCharacterDevice() && process.getBuiltinModule("node:tty").isatty(fd);
  } catch {
    // Closed.
    return false;
  }
}
