/**
 * What a terminal echoes of what is typed (the echo buffer of drivers/tty/n_tty.c): bytes, and what else is done to the
 * screen. It waits until all that came together was received, and while output is stopped; then it goes the way of what
 * programs write (tty-output.ts).
 *
 * How far a tab goes back, and where a line began, depends on the column at the moment of showing; so these wait as
 * operations among the bytes, and not as the bytes that they will be.
 */
import { ECHOCTL, type Termios } from "./termios.ts";
import { isControl, type TtyOutput } from "./tty-output.ts";

/** Echoes that wait; more are lost. */
const MAX_ECHO = 4096;
/** Among the echoes: the line begins in this column; and, with a number of columns added, a tab goes. */
const LINE_START = 256;
const ERASE_TAB = 512;
/** Added to the columns: they are counted from a tab, not from where the line began. */
const AFTER_TAB = 8;

const BACKSPACE = 8;
const TAB = 9;
const SPACE = 32;
const SLASH = 0x2f;
const BACKSLASH = 0x5c;
export const CARET = 0x5e;

/** Owner: the line discipline. */
export class EchoQueue {
  readonly #termios: Termios;
  readonly #output: TtyOutput;
  readonly #echoes: number[] = [];
  /** Within the slashes that ECHOPRT shows around what is erased. */
  #isErasing = false;

  constructor(termios: Termios, output: TtyOutput) {
    this.#termios = termios;
    this.#output = output;
  }

  /** A byte as it is. */
  put(byte: number): void {
    if (this.#echoes.length < MAX_ECHO) this.#echoes.push(byte);
  }

  /** A byte, control characters as ^X where that is wished. */
  putShown(byte: number): void {
    if ((this.#termios.lflag & ECHOCTL) !== 0 && isControl(byte) && byte !== TAB) {
      this.put(CARET);
      this.put(byte ^ 0x40);
    } else this.put(byte);
  }

  /** What comes now stands at the beginning of a line. */
  noteLineStart(): void {
    this.put(LINE_START);
  }

  /** A character goes from the screen. */
  rubOut(): void {
    for (const shown of [BACKSPACE, SPACE, BACKSPACE]) this.put(shown);
  }

  /** A tab goes; so many columns stand between it and the tab before, or the beginning of the line. */
  eraseTab(columns: number, isAfterTab: boolean): void {
    this.put(ERASE_TAB + (columns & 7) + (isAfterTab ? AFTER_TAB : 0));
  }

  /** A character of one or more bytes goes, on paper: it is shown once more, between slashes. */
  putErased(first: number, more: readonly number[]): void {
    if (!this.#isErasing) {
      this.put(BACKSLASH);
      this.#isErasing = true;
    }
    this.putShown(first);
    for (const byte of more) this.put(byte);
  }

  finishErasing(): void {
    if (!this.#isErasing) return;
    this.put(SLASH);
    this.#isErasing = false;
  }

  forgetErasing(): void {
    this.#isErasing = false;
  }

  clear(): void {
    this.#echoes.length = 0;
  }

  /** Shows what waits, as far as there is room, and nobody stops the output. */
  process(isStopped: () => boolean): void {
    let done = 0;
    while (done < this.#echoes.length && !isStopped() && this.#show(this.#echoes[done])) done++;
    if (done > 0) this.#echoes.splice(0, done);
  }

  /** Whether there was room for it. */
  #show(echo: number): boolean {
    const output = this.#output;
    if (echo < LINE_START) return output.put(echo);
    if (echo === LINE_START) output.canonColumn = output.column;
    else {
      const columns = echo - ERASE_TAB;
      const from = columns >= AFTER_TAB ? columns - AFTER_TAB : columns + output.canonColumn;
      for (let left = 8 - (from & 7); left > 0; left--) output.put(BACKSPACE);
    }
    return true;
  }
}
