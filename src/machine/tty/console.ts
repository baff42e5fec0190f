/**
 * The machine's own terminal, over the streams that its host gives it.
 *
 * A host may have a line discipline itself (a terminal that `faultline run` was started in). As long as no program asks
 * for more than a terminal does by itself, it stays in charge: lines come whole and were echoed by it. With the first
 * change of settings or of the foreground it is told to hand on every key (`setRaw`), and ours takes over. What has no
 * `setRaw` hands on every key from the start, as a terminal in a page does.
 */
import { POLLOUT } from "../../mm/uapi/fs.ts";
import { ERESTART_WOULD_BLOCK } from "../../mm/vfs/would-block.ts";
import type { MachineStream } from "../stream.ts";
import type { Terminals } from "./terminals.ts";
import type { Tty } from "./tty.ts";
import type { TtySink } from "./tty-output.ts";

/** Bytes that are handed to the host, and taken from it, at once. */
const CHUNK = 4096;
const RETURN = 13;
const NEWLINE = 10;

/** Makes the console. @param output where it shows things; @param input what is typed; each a terminal, or absent */
export function newConsole(
  terminals: Terminals,
  input: MachineStream | undefined,
  output: MachineStream | undefined,
): Tty {
  const screen = new Screen(output);
  const tty = terminals.newConsole(screen);
  const size = (output ?? input)?.terminal;
  if (size !== undefined) tty.windowSize = { rows: size.rows, columns: size.columns, xPixels: 0, yPixels: 0 };
  const host = input?.terminal;
  let isHostCooking = host?.setRaw !== undefined;
  tty.onControl = () => {
    if (!isHostCooking) return;
    isHostCooking = false;
    host?.setRaw?.();
  };
  host?.onResize?.((rows, columns) => tty.resize({ rows, columns, xPixels: 0, yPixels: 0 }));
  const scratch = new Uint8Array(CHUNK);
  tty.source = () => {
    for (let room = tty.incomingRoom; room > 0 && input?.read !== undefined; room = tty.incomingRoom) {
      const got = input.read(scratch.subarray(0, Math.min(room, CHUNK)));
      if (got === -ERESTART_WOULD_BLOCK) return;
      if (got <= 0) {
        // A host that hands on every key would have handed on ^D: it has no terminal any more.
        const isGone = got < 0 || (host?.setRaw !== undefined && !isHostCooking);
        if (isGone) terminals.hangUp(tty);
        else tty.discipline.receiveEnd();
        return;
      }
      if (isHostCooking) for (const byte of scratch.subarray(0, got)) tty.discipline.receiveCooked(byte);
      else tty.receive(scratch.subarray(0, got));
    }
  };
  return tty;
}

/** What is shown, on its way to the host. */
class Screen implements TtySink {
  readonly #stream: MachineStream | undefined;
  /** What the host had no room for. */
  #left: Uint8Array = new Uint8Array(0);

  constructor(stream: MachineStream | undefined) {
    this.#stream = stream;
  }

  room(): number {
    this.#push();
    if (this.#left.length > 0) return 0;
    return ((this.#stream?.poll?.() ?? POLLOUT) & POLLOUT) !== 0 ? CHUNK : 0;
  }

  put(bytes: Uint8Array): void {
    this.#left = this.#stream?.terminal?.addsReturns === true ? withoutReturns(bytes) : bytes.slice();
    this.#push();
  }

  #push(): void {
    if (this.#left.length === 0) return;
    const written = this.#stream?.write?.(this.#left) ?? this.#left.length;
    if (written === -ERESTART_WOULD_BLOCK) return;
    // What can't be written is lost, as on a terminal that was closed.
    this.#left = written < 0 ? this.#left.subarray(this.#left.length) : this.#left.subarray(written);
  }
}

/** The host's terminal puts its own before each newline. */
function withoutReturns(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length);
  let length = 0;
  for (let i = 0; i < bytes.length; i++)
    if (bytes[i] !== RETURN || bytes[i + 1] !== NEWLINE) out[length++] = bytes[i];
  return out.subarray(0, length);
}
