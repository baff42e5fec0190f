/**
 * What can end a run from outside: signals to this process, and the timeout.
 *
 * A signal goes to the program, as a terminal's Ctrl-C goes to all who run in it: it may have a handler, and dies of it
 * otherwise. The second of a kind ends the run whatever the program thinks of it.
 */
import { constants } from "node:os";
import type { Machine } from "../machine/index.ts";
import { nowMs } from "./host-time.ts";

const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;
const ASKED_PER_LOOK = 8;
const SIGNAL_BASE = 128;
/** As timeout(1) has it. */
const TIMED_OUT = 124;

export class Interruption {
  /** The exit status of a run that was ended from outside; undefined: it goes on. */
  exitStatus: number | undefined;
  readonly #endsMs: number;
  #asked = 0;
  readonly #seen: Set<string> = new Set();
  readonly #undo: (() => void)[] = [];

  /** @param endsMs when the timeout comes, by nowMs; Infinity for never */
  constructor(endsMs: number) {
    this.#endsMs = endsMs;
  }

  get isTimeout(): boolean {
    return this.exitStatus === TIMED_OUT;
  }

  /** Whether the run is to end. The machine asks in the middle of its work, where no timer and no signal could tell. */
  hasCome(): boolean {
    if (this.exitStatus === undefined && nowMs() >= this.#endsMs) this.exitStatus = TIMED_OUT;
    return this.exitStatus !== undefined;
  }

  /** As hasCome, for who asks very often: looks at the clock every few times. */
  mayHaveCome(): boolean {
    return ++this.#asked % ASKED_PER_LOOK === 0 ? this.hasCome() : this.exitStatus !== undefined;
  }

  /** Forwards signals to `machine` until `close`. */
  watch(machine: Machine): void {
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
  }

  close(): void {
    for (const undo of this.#undo) undo();
  }
}
