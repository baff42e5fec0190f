/**
 * Output processing (do_output_char in drivers/tty/n_tty.c): newlines become what a terminal needs, tabs perhaps spaces, and
 * the column is kept, so that erasing knows how wide a tab was.
 */
import { IUTF8, OCRNL, OLCUC, ONLCR, ONLRET, ONOCR, OPOST, TABDLY, type Termios } from "./termios.ts";

const TAB = 9;
const NEWLINE = 10;
const RETURN = 13;
const BACKSPACE = 8;
const SPACE = 32;
const TAB_WIDTH = 8;
const LINE_END = [RETURN, NEWLINE];
/** Bytes that are gathered before they are handed on. */
const PENDING = 4096;

/** Where processed bytes go. */
export interface TtySink {
  /** Bytes that can be taken now. */
  room(): number;
  /** Precondition: no more than there is room for. The bytes are only valid during the call. */
  put(bytes: Uint8Array): void;
}

export class TtyOutput {
  /** Where the cursor is, and where it was when the line that is being typed began. */
  column = 0;
  canonColumn = 0;
  readonly #termios: Termios;
  readonly #sink: TtySink;
  /** What was written since `flush`. */
  readonly #pending: Uint8Array = new Uint8Array(PENDING);
  #count = 0;

  constructor(termios: Termios, sink: TtySink) {
    this.#termios = termios;
    this.#sink = sink;
  }

  get hasRoom(): boolean {
    return this.#room > 0;
  }

  get #room(): number {
    return Math.min(this.#sink.room(), PENDING) - this.#count;
  }

  /** Hands on what was written. */
  flush(): void {
    if (this.#count === 0) return;
    const count = this.#count;
    this.#count = 0;
    this.#sink.put(this.#pending.subarray(0, count));
  }

  /** Bytes of `from` that were written; less than all where there is no room for more. */
  write(from: Uint8Array): number {
    this.flush();
    if ((this.#termios.oflag & OPOST) === 0) {
      const taken = Math.min(from.length, this.#sink.room());
      if (taken > 0) this.#sink.put(from.subarray(0, taken));
      return taken;
    }
    let done = 0;
    while (done < from.length && this.put(from[done])) done++;
    this.flush();
    return done;
  }

  /** One byte, processed if that is wished. Whether there was room for it. */
  put(byte: number): boolean {
    return (this.#termios.oflag & OPOST) === 0 ? this.#send(byte) : this.#process(byte);
  }

  #process(byte: number): boolean {
    const { oflag } = this.#termios;
    switch (byte) {
      case NEWLINE:
        if ((oflag & ONLRET) !== 0) this.column = 0;
        if ((oflag & ONLCR) !== 0) {
          if (this.#room < LINE_END.length) return false;
          for (const end of LINE_END) this.#send(end);
          this.column = 0;
          this.canonColumn = 0;
          return true;
        }
        if (!this.#send(byte)) return false;
        this.canonColumn = this.column;
        return true;
      case RETURN:
        if ((oflag & ONOCR) !== 0 && this.column === 0) return true;
        if ((oflag & OCRNL) !== 0) {
          if (!this.#send(NEWLINE)) return false;
          if ((oflag & ONLRET) === 0) return true;
        } else if (!this.#send(byte)) return false;
        this.column = 0;
        this.canonColumn = 0;
        return true;
      case TAB: {
        const spaces = TAB_WIDTH - (this.column & (TAB_WIDTH - 1));
        if ((oflag & TABDLY) === TABDLY) {
          if (this.#room < spaces) return false;
          for (let i = 0; i < spaces; i++) this.#send(SPACE);
        } else if (!this.#send(byte)) return false;
        this.column += spaces;
        return true;
      }
      case BACKSPACE:
        if (!this.#send(byte)) return false;
        if (this.column > 0) this.column--;
        return true;
      default: {
        if (isControl(byte)) return this.#send(byte);
        const shown = (oflag & OLCUC) !== 0 ? toUpper(byte) : byte;
        if (!this.#send(shown)) return false;
        if (!isContinuation(byte, this.#termios)) this.column++;
        return true;
      }
    }
  }

  #send(byte: number): boolean {
    if (this.#room < 1) return false;
    this.#pending[this.#count++] = byte;
    return true;
  }
}

/** Control characters of ASCII and of ISO 8859-1, as the kernel's ctype knows them (iscntrl). */
export function isControl(byte: number): boolean {
  return byte < 32 || byte === 127;
}

/** A byte within a character of UTF-8, where the terminal is set to that. */
export function isContinuation(byte: number, { iflag }: Termios): boolean {
  return (iflag & IUTF8) !== 0 && (byte & 0xc0) === 0x80;
}

/** Small letters of ASCII and of ISO 8859-1. */
export function isLower(byte: number): boolean {
  return (byte >= 0x61 && byte <= 0x7a) || (byte >= 0xdf && byte !== 0xf7);
}

function toUpper(byte: number): number {
  return isLower(byte) ? byte - 32 : byte;
}
