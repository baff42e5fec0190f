/**
 * What can end a run from outside: signals to this process, and the timeout.
 *
 * A signal goes to the program, as a terminal's Ctrl-C goes to all who run in it: it may have a handler, and dies of it
 * otherwise. The second of a kind ends the run whatever the program thinks of it.
 */
import { constants } from "node:os";
import type { Machine } from "../machine/index.ts";

const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;
const SIGNAL_BASE = 128;
/** As timeout(1) has it. */
const TIMED_OUT = 124;

export class Interruption {
  /** The exit status of a run that was ended from outside; undefined: it goes on. */
  exitStatus: number | undefined;
  readonly #seen: Set<string> = new Set();
  readonly #undo: (() => void)[] = [];

  get isTimeout(): boolean {
    return this.exitStatus === TIMED_OUT;
  }

  /** Watches on behalf of `machine` until `close`. */
  watch(machine: Machine, timeoutSeconds: number | undefined): void {
    for (const name of FORWARDED) {
      const number = constants.signals[name];
      const listener = (): void => {
        if (this.#seen.has(name)) this.exitStatus ??= SIGNAL_BASE + number;
        this.#seen.add(name);
        machine.signal(number);
      };
      process.on(name, listener);
      this.#undo.push(() => process.off(name, listener));
    }
    if (timeoutSeconds === undefined) return;
    const timer = setTimeout(() => {
      this.exitStatus ??= TIMED_OUT;
    }, timeoutSeconds * 1000);
    this.#undo.push(() => clearTimeout(timer));
  }

  close(): void {
    for (const undo of this.#undo) undo();
  }
}
