/**
 * The line discipline (N_TTY, drivers/tty/n_tty.c): what is typed, on its way to who reads it.
 *
 * ```
 *    tail            canonHead        head       canonical (ICANON): a reader gets whole lines, up to canonHead; what is
 *     ▼                  ▼              ▼        behind it is being typed and can still be erased.
 *   [a b c ⏎ d e f ⏎   g h i ]                   raw: a reader gets everything up to head.
 * ```
 *
 * A byte may also be a signal, stop or start the output, or be echoed: `receive` is the whole of that. A line that was
 * ended by ^D ends with a byte of 0 that no reader sees; so a ^D at the beginning of a line reads as nothing at all,
 * which is the end of a file.
 *
 * Invariants: tail ≤ canonHead ≤ head ≤ tail + SIZE; `ends` marks the last byte of each whole line in [tail, canonHead).
 */
import { SIGINT, SIGQUIT, SIGTSTP } from "../signals/signal-numbers.ts";
import {
  ECHO,
  ECHOCTL,
  ECHOE,
  ECHOK,
  ECHOKE,
  ECHONL,
  ECHOPRT,
  EXTPROC,
  ICANON,
  ICRNL,
  IEXTEN,
  IGNCR,
  INLCR,
  ISIG,
  ISTRIP,
  IUCLC,
  IXANY,
  IXON,
  NOFLSH,
  PARMRK,
  type Termios,
  VEOF,
  VEOL,
  VEOL2,
  VERASE,
  VINTR,
  VKILL,
  VLNEXT,
  VMIN,
  VQUIT,
  VREPRINT,
  VSTART,
  VSTOP,
  VSUSP,
  VTIME,
  VWERASE,
} from "./termios.ts";
import { CARET, EchoQueue } from "./tty-echo.ts";
import { isContinuation, isControl, isLower, type TtyOutput } from "./tty-output.ts";

/** N_TTY_BUF_SIZE */
const SIZE = 4096;
const MASK = SIZE - 1;
const TAB = 9;
const NEWLINE = 10;
const RETURN = 13;
const BACKSPACE = 8;
const MARK = 0xff;
/** _POSIX_VDISABLE: a character that is set to this is none; and the byte that stands for ^D in the buffer. */
const DISABLED = 0;

/** What the line discipline asks of the terminal that it belongs to. */
export interface NTtyHost {
  /** Whoever waits for input looks again. */
  wakeReaders(): void;
  /** A line is whole. */
  tellOfLine(): void;
  /** To everybody in the foreground. */
  signalForeground(signal: number): void;
  /** Bytes that were written and not yet taken are dropped; a master in packet mode is told that input was. */
  flushForSignal(): void;
  stop(): void;
  start(): void;
  isStopped(): boolean;
}

export class NTty {
  readonly #termios: Termios;
  readonly #output: TtyOutput;
  readonly #echoes: EchoQueue;
  readonly #host: NTtyHost;
  readonly #buffer: Uint8Array = new Uint8Array(SIZE);
  readonly #ends: Uint8Array = new Uint8Array(SIZE);
  #tail = 0;
  #canonHead = 0;
  #head = 0;
  /** The next byte is taken as it is (^V). */
  #isLiteral = false;
  constructor(termios: Termios, output: TtyOutput, host: NTtyHost) {
    this.#termios = termios;
    this.#output = output;
    this.#echoes = new EchoQueue(termios, output);
    this.#host = host;
  }

  get isCanonical(): boolean {
    return this.#local(ICANON) && !this.#local(EXTPROC);
  }

  /** Bytes that a reader could get: of whole lines, or all. */
  get available(): number {
    return (this.isCanonical ? this.#canonHead : this.#head) - this.#tail;
  }

  /** As poll sees it: with VMIN and without VTIME, so many bytes (input_available_p). */
  get isReadable(): boolean {
    const { cc } = this.#termios;
    const wanted = !this.isCanonical && cc[VTIME] === 0 && cc[VMIN] > 0 ? cc[VMIN] : 1;
    return this.available >= wanted;
  }

  /** What FIONREAD says: ^D marks don't count (inq_canon). */
  get unread(): number {
    if (!this.isCanonical) return this.#head - this.#tail;
    let bytes = this.#canonHead - this.#tail;
    for (let at = this.#tail; at < this.#canonHead; at++)
      if (this.#ends[at & MASK] === 1 && this.#buffer[at & MASK] === DISABLED) bytes--;
    return bytes;
  }

  /** Whether another byte can be received. A line that gets too long loses what is typed, so that it can still be ended. */
  get hasRoom(): boolean {
    return this.#room > 0 || (this.#local(ICANON) && this.#canonHead === this.#tail);
  }

  get #room(): number {
    const used = this.#head - this.#tail;
    const free = (this.#termios.iflag & PARMRK) !== 0 ? Math.floor((SIZE - used + 2) / 3) : SIZE - used;
    return free - 1;
  }

  /** Bytes from the keyboard, or from who has the master. Precondition: `hasRoom` before each. */
  receive(byte: number): void {
    if (this.#room < 0 && this.#head > this.#canonHead) this.#head--;
    const before = this.#head;
    if (this.#isRaw) this.#put(byte);
    else this.#receiveStandard(byte);
    // Whoever waits for more than there is takes what there is, and goes on waiting.
    if (this.#head !== before && !this.isCanonical) this.#host.wakeReaders();
  }

  /** A byte of a line that somebody else has edited and echoed. */
  receiveCooked(byte: number): void {
    if (!this.hasRoom) return;
    if (byte === NEWLINE && this.#local(ICANON)) this.#endLine(byte);
    else {
      this.#put(byte);
      if (!this.isCanonical) this.#host.wakeReaders();
    }
  }

  /** There is no more: a reader gets what there is, and then nothing, once. */
  receiveEnd(): void {
    if (this.hasRoom) this.#endLine(DISABLED);
  }

  /** No byte means anything but itself (real_raw). */
  get #isRaw(): boolean {
    const { iflag, lflag } = this.#termios;
    const special = ISTRIP | IUCLC | IGNCR | ICRNL | INLCR | IXON | PARMRK;
    return (iflag & special) === 0 && (lflag & (ICANON | ISIG | IEXTEN | ECHO)) === 0;
  }

  /** Up to into.length bytes: of one line, or all that there are. How many; 0 also for a line of nothing but ^D. */
  read(into: Uint8Array): number {
    if (!this.isCanonical) {
      const taken = Math.min(into.length, this.#head - this.#tail);
      for (let i = 0; i < taken; i++) into[i] = this.#buffer[this.#tail++ & MASK];
      if (this.#canonHead < this.#tail) this.#canonHead = this.#tail;
      return taken;
    }
    let done = 0;
    while (this.#tail < this.#canonHead) {
      const at = this.#tail & MASK;
      const isEnd = this.#ends[at] === 1;
      const isMark = isEnd && this.#buffer[at] === DISABLED;
      // What fits exactly takes the mark behind it along, or the next read would be the end of the file.
      if (done === into.length && !isMark) break;
      this.#tail++;
      this.#ends[at] = 0;
      if (isMark) break;
      into[done++] = this.#buffer[at];
      if (isEnd) break;
    }
    return done;
  }

  /** Forgets what has not been read (TCIFLUSH). */
  flush(): void {
    this.#tail = 0;
    this.#canonHead = 0;
    this.#head = 0;
    this.#ends.fill(0);
    this.#echoes.forgetErasing();
  }

  /** Everything as in the beginning, after a hangup. */
  restart(): void {
    this.flush();
    this.#isLiteral = false;
    this.#echoes.clear();
    this.#output.column = 0;
    this.#output.canonColumn = 0;
  }

  /** The settings have changed from `old` to what they are now (n_tty_set_termios). */
  settingsChanged(old: Termios): void {
    if (((old.lflag ^ this.#termios.lflag) & (ICANON | EXTPROC)) !== 0) {
      this.#ends.fill(0);
      if (!this.#local(ICANON) || this.#head === this.#tail) this.#canonHead = this.#tail;
      else {
        // What was typed without lines is one now.
        this.#ends[(this.#head - 1) & MASK] = 1;
        this.#canonHead = this.#head;
      }
      this.#echoes.forgetErasing();
      this.#isLiteral = false;
    }
    if ((old.iflag & ~this.#termios.iflag & IXON) !== 0) {
      this.#host.start();
      this.processEchoes();
    }
    this.#host.wakeReaders();
  }

  /** Echoes that had to wait. */
  processEchoes(): void {
    this.#echoes.process(() => this.#host.isStopped());
  }

  #local(flag: number): boolean {
    return (this.#termios.lflag & flag) !== 0;
  }

  #input(flag: number): boolean {
    return (this.#termios.iflag & flag) !== 0;
  }

  /** Whether the byte is what the setting `index` says; only with IEXTEN where `extended`. */
  #is(byte: number, index: number, extended = false): boolean {
    return byte !== DISABLED && this.#termios.cc[index] === byte && (!extended || this.#local(IEXTEN));
  }

  #put(byte: number): void {
    this.#buffer[this.#head++ & MASK] = byte;
  }

  /** As part of the input, with its escape where PARMRK wants one. */
  #putMarked(byte: number): void {
    if (byte === MARK && this.#input(PARMRK)) this.#put(byte);
    this.#put(byte);
  }

  #receiveStandard(received: number): void {
    let byte = this.#input(ISTRIP) ? received & 0x7f : received;
    if (this.#input(IUCLC) && this.#local(IEXTEN) && byte >= 0x41 && byte <= 0x5a) byte += 32;
    if (this.#isLiteral) {
      this.#isLiteral = false;
      this.#receivePlain(byte);
      return;
    }
    if (this.#local(EXTPROC)) {
      this.#put(byte);
      return;
    }
    if (this.#input(IXON) && this.#controlsFlow(byte)) return;
    if (this.#local(ISIG) && this.#signals(byte)) return;
    if (this.#host.isStopped() && this.#input(IXON) && this.#input(IXANY)) {
      this.#host.start();
      this.processEchoes();
    }
    if (byte === RETURN) {
      if (this.#input(IGNCR)) return;
      if (this.#input(ICRNL)) byte = NEWLINE;
    } else if (byte === NEWLINE && this.#input(INLCR)) byte = RETURN;
    if (this.#local(ICANON) && this.#edits(byte)) return;
    if (this.#local(ECHO) && byte === NEWLINE) {
      this.#echoes.finishErasing();
      this.#echoes.put(NEWLINE);
      this.#putMarked(byte);
    } else this.#receivePlain(byte);
  }

  /** A byte that means nothing but itself (n_tty_receive_char). */
  #receivePlain(byte: number): void {
    if (this.#local(ECHO)) {
      this.#echoes.finishErasing();
      this.#noteLineStart();
      this.#echoes.putShown(byte);
    }
    this.#putMarked(byte);
  }

  #controlsFlow(byte: number): boolean {
    if (this.#is(byte, VSTART)) {
      this.#host.start();
      return true;
    }
    if (!this.#is(byte, VSTOP)) return false;
    this.#host.stop();
    return true;
  }

  #signals(byte: number): boolean {
    let signal = 0;
    if (this.#is(byte, VINTR)) signal = SIGINT;
    else if (this.#is(byte, VQUIT)) signal = SIGQUIT;
    else if (this.#is(byte, VSUSP)) signal = SIGTSTP;
    else return false;
    this.#host.signalForeground(signal);
    if (!this.#local(NOFLSH)) {
      this.#echoes.clear();
      this.flush();
      this.#host.flushForSignal();
    }
    if (this.#input(IXON)) this.#host.start();
    if (this.#local(ECHO)) this.#echoes.putShown(byte);
    return true;
  }

  /** Keys that edit or end a line. Whether it was one. */
  #edits(byte: number): boolean {
    if (this.#is(byte, VERASE) || this.#is(byte, VKILL) || this.#is(byte, VWERASE, true)) {
      this.#erase(byte);
      return true;
    }
    if (this.#is(byte, VLNEXT, true)) {
      this.#isLiteral = true;
      if (this.#local(ECHO)) {
        this.#echoes.finishErasing();
        if (this.#local(ECHOCTL)) for (const shown of [CARET, BACKSPACE]) this.#echoes.put(shown);
      }
      return true;
    }
    if (this.#local(ECHO) && this.#is(byte, VREPRINT, true)) {
      this.#echoes.finishErasing();
      this.#echoes.putShown(byte);
      this.#echoes.put(NEWLINE);
      for (let at = this.#canonHead; at < this.#head; at++) this.#echoes.putShown(this.#buffer[at & MASK]);
      return true;
    }
    if (byte === NEWLINE) {
      if (this.#local(ECHO) || this.#local(ECHONL)) this.#echoes.put(NEWLINE);
      this.#endLine(byte);
      return true;
    }
    if (this.#is(byte, VEOF)) {
      this.#endLine(DISABLED);
      return true;
    }
    if (this.#is(byte, VEOL) || this.#is(byte, VEOL2, true)) {
      if (this.#local(ECHO)) {
        this.#noteLineStart();
        this.#echoes.putShown(byte);
      }
      if (byte === MARK && this.#input(PARMRK)) this.#put(byte);
      this.#endLine(byte);
      return true;
    }
    return false;
  }

  #endLine(byte: number): void {
    this.#ends[this.#head & MASK] = 1;
    this.#put(byte);
    this.#canonHead = this.#head;
    this.#host.tellOfLine();
    this.#host.wakeReaders();
  }

  /** Takes back the last character, word, or all of the line, and shows that (eraser). */
  #erase(byte: number): void {
    if (this.#head === this.#canonHead) return;
    const isWord = this.#is(byte, VWERASE) && !this.#is(byte, VERASE);
    const isLine = !isWord && !this.#is(byte, VERASE);
    if (isLine && !this.#local(ECHO)) {
      this.#head = this.#canonHead;
      return;
    }
    if (isLine && !(this.#local(ECHOK) && this.#local(ECHOKE) && this.#local(ECHOE))) {
      this.#head = this.#canonHead;
      this.#echoes.finishErasing();
      this.#echoes.putShown(this.#termios.cc[VKILL]);
      if (this.#local(ECHOK)) this.#echoes.put(NEWLINE);
      return;
    }
    let hasWord = false;
    while (this.#head !== this.#canonHead) {
      let at = this.#head;
      let last: number;
      do {
        at--;
        last = this.#buffer[at & MASK];
      } while (isContinuation(last, this.#termios) && at !== this.#canonHead);
      if (isContinuation(last, this.#termios)) break;
      if (isWord) {
        if (isWordByte(last)) hasWord = true;
        else if (hasWord) break;
      }
      const bytes = this.#head - at;
      this.#head = at;
      if (this.#local(ECHO)) this.#showErased(last, at, bytes, !isWord && !isLine);
      if (!isWord && !isLine) break;
    }
    if (this.#head === this.#canonHead && this.#local(ECHO)) this.#echoes.finishErasing();
  }

  #showErased(byte: number, at: number, bytes: number, isSingle: boolean): void {
    if (this.#local(ECHOPRT)) {
      const more = Array.from({ length: bytes - 1 }, (_, i) => this.#buffer[(at + 1 + i) & MASK]);
      this.#echoes.putErased(byte, more);
    } else if (isSingle && !this.#local(ECHOE)) this.#echoes.putShown(this.#termios.cc[VERASE]);
    else if (byte === TAB) this.#eraseTab(at);
    else {
      if (isControl(byte) && this.#local(ECHOCTL)) this.#echoes.rubOut();
      if (!isControl(byte) || this.#local(ECHOCTL)) this.#echoes.rubOut();
    }
  }

  /** As many columns back as the tab took: that depends on what stands before it. */
  #eraseTab(end: number): void {
    let columns = 0;
    let isAfterTab = false;
    for (let at = end; at !== this.#canonHead; ) {
      at--;
      const byte = this.#buffer[at & MASK];
      if (byte === TAB) {
        isAfterTab = true;
        break;
      }
      if (isControl(byte)) columns += this.#local(ECHOCTL) ? 2 : 0;
      else if (!isContinuation(byte, this.#termios)) columns++;
    }
    this.#echoes.eraseTab(columns, isAfterTab);
  }

  /** Where the first character of a line stands on the screen. */
  #noteLineStart(): void {
    if (this.#canonHead === this.#head) this.#echoes.noteLineStart();
  }
}

/** Letters, digits and the underscore: what words are made of. */
function isWordByte(byte: number): boolean {
  const isDigit = byte >= 0x30 && byte <= 0x39;
  const isUpper = (byte >= 0x41 && byte <= 0x5a) || (byte >= 0xc0 && byte <= 0xde && byte !== 0xd7);
  return isDigit || isUpper || isLower(byte) || byte === 0x5f;
}
