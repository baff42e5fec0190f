/**
 * Signals instead of waiting (fasync_struct, fs/fcntl.c): open files with O_ASYNC stand in lists of what they are open on,
 * and whoever changes that tells the list. Whom a file's signals go to, its owner, is the business of whoever knows of signals.
 *
 * Invariant: a file that is in a list has O_ASYNC, and is there until it is taken out or has no reference left.
 */
import { O_ASYNC } from "../uapi/fcntl.ts";
import type { File } from "./file.ts";

/** What happened (si_code of SIGIO). */
export const POLL_IN = 1;
export const POLL_OUT = 2;
export const POLL_ERR = 4;
export const POLL_HUP = 6;

/** Who is told by a signal (fown_struct). */
export interface FileOwner {
  /** @param fd the descriptor by which O_ASYNC was set; @param reason POLL_… */
  sendSigio(fd: number, reason: number): void;
}

interface Entry {
  fd: number;
  readonly forget: () => void;
}

export class FasyncList {
  readonly #entries: Map<File, Entry> = new Map();

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /** Puts the file there, or takes it out (fasync_helper). */
  set(file: File, fd: number, isOn: boolean): void {
    const entry = this.#entries.get(file);
    if (isOn) {
      file.flags |= O_ASYNC;
      if (entry !== undefined) {
        entry.fd = fd;
        return;
      }
      const forget = (): void => {
        this.#entries.delete(file);
      };
      this.#entries.set(file, { fd, forget });
      file.watchers.add(forget);
    } else if (entry !== undefined) {
      file.flags &= ~O_ASYNC;
      this.#entries.delete(file);
      file.watchers.delete(entry.forget);
    }
  }

  /** Takes all files out. */
  clear(): void {
    for (const [file, { fd }] of [...this.#entries]) this.set(file, fd, false);
  }

  /** kill_fasync. @param reason POLL_… */
  kill(reason: number): void {
    for (const [file, { fd }] of this.#entries) file.owner?.sendSigio(fd, reason);
  }
}

/** F_SETFL and FIOASYNC: changes O_ASYNC of a file. 0, or -errno; undefined: this kind of file tells nobody. */
export function setAsync(file: File, fd: number, isOn: boolean): number | undefined {
  if (((file.flags & O_ASYNC) !== 0) === isOn) return 0;
  return file.ops.fasync?.(file, fd, isOn);
}
