/**
 * tty_struct: one side of a terminal. Its line discipline stands between who types and who reads, its output processing
 * between who writes and what shows it.
 *
 * ```
 *     write ──▶ TtyOutput ──▶ driver ──▶ the screen, or the other side of a pseudo-terminal
 *     read ◀── NTty ◀── incoming ◀── the keyboard, or the other side
 *                └─ echo ──▶ TtyOutput
 * ```
 *
 * Owner: who made it, a pseudo-terminal or the machine for its console. Invariants: `files` are the open files that are
 * not hung up; `session` is the session whose controlling terminal it is, 0 for none, and then `foreground` is 0, too;
 * `incoming` is empty unless the line discipline has no room.
 */

import { POLLIN, POLLOUT, POLLPRI, POLLRDNORM, POLLWRNORM } from "../../mm/uapi/fs.ts";
import { FasyncList, POLL_IN, POLL_OUT } from "../../mm/vfs/fasync.ts";
import { PollQueue } from "../../mm/vfs/poll-queue.ts";
import { sendSignal } from "../signals/send-signal.ts";
import { kernelInfo } from "../signals/siginfo.ts";
import { SI_KERNEL, SIGWINCH } from "../signals/signal-numbers.ts";
import type { System } from "../system.ts";
import type { ControllingTerminal } from "../thread.ts";
import { NTty, type NTtyHost } from "./n-tty.ts";
import { EXTPROC, IXON, type Termios, VSTART, VSTOP } from "./termios.ts";
import { TtyOutput, type TtySink } from "./tty-output.ts";

// What a master in packet mode is told of its slave (TIOCPKT_…).
export const TIOCPKT_FLUSHREAD = 1;
export const TIOCPKT_FLUSHWRITE = 2;
export const TIOCPKT_STOP = 4;
export const TIOCPKT_START = 8;
export const TIOCPKT_NOSTOP = 16;
export const TIOCPKT_DOSTOP = 32;
export const TIOCPKT_IOCTL = 64;

/** Bytes that have come and that the line discipline has no room for (tty_buffer_set_limit). */
const INCOMING_LIMIT = 16384;
const START = 17;
const STOP = 19;

export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
  readonly xPixels: number;
  readonly yPixels: number;
}

/** What an open file of a terminal is (file->private_data). */
export class TtyFile {
  readonly tty: Tty;
  /** The terminal was taken away from it: it reads as its end, and can't be written to. */
  isHungUp = false;

  constructor(tty: Tty) {
    this.tty = tty;
  }
}

export class Tty implements ControllingTerminal {
  /** Device number, as stat and /proc show it. */
  readonly rdev: number;
  readonly termios: Termios;
  readonly discipline: NTty;
  readonly output: TtyOutput;
  /** Who waits for input, and for room to write. */
  readonly queue: PollQueue = new PollQueue();
  /** Whom signals tell; and that a write found no room, of whose end they tell (TTY_DO_WRITE_WAKEUP). */
  readonly fasync: FasyncList = new FasyncList();
  #lacksRoom = false;
  /** How often either may have come. */
  changes = 0;
  readonly files: Set<TtyFile> = new Set();
  /** Open files, those that are hung up included. */
  users = 0;
  /** It was hung up, and not opened since: what comes is kept, and nobody looks at it. */
  isHalted = false;
  /** Session whose controlling terminal it is, and the process group in its foreground; 0 for none. */
  session = 0;
  foreground = 0;
  windowSize: WindowSize = { rows: 0, columns: 0, xPixels: 0, yPixels: 0 };
  /** The other side of a pseudo-terminal. */
  link: Tty | undefined;
  /** It is the side that shows and types. */
  readonly isMaster: boolean;
  /** Nobody has the other side any more (TTY_OTHER_CLOSED); nobody has this one (TTY_IO_ERROR). */
  isOtherClosed = false;
  hasIoError = false;
  /** Only root may open it again (TIOCEXCL). */
  isExclusive = false;
  /** Output was stopped by ^S, or by TCXONC, which ^Q does not undo. */
  isStopped = false;
  isStoppedByCall = false;
  /** A master that is told of changes by a byte before each read; and what its slave has to tell. */
  isPacketMode = false;
  packetNews = 0;
  /** The machine's own: what is typed comes from outside. */
  readonly isConsole: boolean;
  /** Gets what has come from outside. */
  source: (() => void) | undefined;
  /** Told when a program changes the settings or the foreground. */
  onControl: (() => void) | undefined;
  readonly #system: () => System;
  /** What the line discipline had no room for: [start, end) of a buffer that is there once it is needed. */
  #incoming: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;

  constructor(
    system: () => System,
    rdev: number,
    termios: Termios,
    side: "master" | "slave" | "console",
    sink: (tty: Tty) => TtySink,
  ) {
    this.#system = system;
    this.rdev = rdev;
    this.termios = termios;
    this.isMaster = side === "master";
    this.isConsole = side === "console";
    const to = sink(this);
    this.output = new TtyOutput(termios, {
      room: () => (this.isStopped ? 0 : to.room()),
      put: (bytes) => to.put(bytes),
    });
    const host: NTtyHost = {
      wakeReaders: () => this.#wake(POLLIN | POLLRDNORM),
      tellOfLine: () => this.fasync.kill(POLL_IN),
      signalForeground: (signal) => this.signalForeground(signal),
      flushForSignal: () => this.#flushForSignal(),
      stop: () => this.stop(),
      start: () => this.start(),
      isStopped: () => this.isStopped,
    };
    this.discipline = new NTty(termios, this.output, host);
  }

  /** The side whose settings count: the slave's (tty_pair_get_tty). */
  get real(): Tty {
    return this.isMaster && this.link !== undefined ? this.link : this;
  }

  /** Bytes that `receive` takes now. */
  get incomingRoom(): number {
    return INCOMING_LIMIT - (this.#end - this.#start);
  }

  get #takesInput(): boolean {
    return !this.isHalted && this.discipline.hasRoom;
  }

  /** Bytes from the keyboard or the other side. Precondition: there is room for them. */
  receive(bytes: Uint8Array): void {
    this.#handOn();
    let done = 0;
    if (this.#start === this.#end)
      while (done < bytes.length && this.#takesInput) this.discipline.receive(bytes[done++]);
    if (done > 0) this.#tellOfInput();
    if (done < bytes.length) this.#keep(bytes.subarray(done));
    this.discipline.processEchoes();
    this.output.flush();
  }

  #keep(bytes: Uint8Array): void {
    if (this.#incoming.length === 0) this.#incoming = new Uint8Array(INCOMING_LIMIT);
    if (this.#end + bytes.length > INCOMING_LIMIT) {
      this.#incoming.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    this.#incoming.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Hands on what has come, as far as there is room for it. */
  pump(): void {
    this.source?.();
    this.#handOn();
    this.output.flush();
  }

  #handOn(): void {
    const hadRoom = this.incomingRoom > 0;
    const before = this.#start;
    while (this.#start < this.#end && this.#takesInput)
      this.discipline.receive(this.#incoming[this.#start++]);
    if (this.#start > before) this.#tellOfInput();
    this.discipline.processEchoes();
    if (!hadRoom && this.incomingRoom > 0) this.link?.wakeWriters();
  }

  /** Bytes that came together and make no lines (the end of __receive_buf). */
  #tellOfInput(): void {
    if (!this.discipline.isCanonical && this.discipline.available > 0) this.fasync.kill(POLL_IN);
  }

  #forgetIncoming(): void {
    this.#start = 0;
    this.#end = 0;
  }

  wakeWriters(): void {
    this.discipline.processEchoes();
    this.output.flush();
    this.#wake(POLLOUT | POLLWRNORM);
    if (!this.#lacksRoom) return;
    this.#lacksRoom = false;
    this.fasync.kill(POLL_OUT);
  }

  /** Not all that was to be written had room. */
  noteLackOfRoom(): void {
    if (!this.fasync.isEmpty) this.#lacksRoom = true;
  }

  /** Everybody who waits looks again. */
  wakeAll(): void {
    this.#wake(0);
  }

  #wake(events: number): void {
    this.changes++;
    this.queue.wake(events);
  }

  /** TCIFLUSH: forgets what has come and was not read. */
  flushInput(): void {
    this.#forgetIncoming();
    this.discipline.flush();
    this.tellMaster(TIOCPKT_FLUSHREAD);
    this.link?.wakeWriters();
  }

  /** TCOFLUSH: forgets what was written and has not been taken. */
  flushOutput(): void {
    const { link } = this;
    if (link === undefined) return;
    link.#forgetIncoming();
    this.tellMaster(TIOCPKT_FLUSHWRITE);
    this.wakeWriters();
  }

  #flushForSignal(): void {
    this.flushOutput();
    this.tellMaster(TIOCPKT_FLUSHREAD);
  }

  /** ^S (stop_tty). */
  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.#tellFlow(TIOCPKT_STOP, TIOCPKT_START);
  }

  /** ^Q (start_tty). */
  start(): void {
    if (!this.isStopped || this.isStoppedByCall) return;
    this.isStopped = false;
    this.#tellFlow(TIOCPKT_START, TIOCPKT_STOP);
    this.wakeWriters();
  }

  #tellFlow(news: number, undone: number): void {
    const { link } = this;
    if (link?.isPacketMode !== true) return;
    this.packetNews &= ~undone;
    this.tellMaster(news);
  }

  /** Something that a master in packet mode reads before all else. */
  tellMaster(news: number): void {
    const { link } = this;
    if (link?.isPacketMode !== true) return;
    this.packetNews |= news;
    link.#wake(POLLIN | POLLRDNORM | POLLPRI);
  }

  /** tty_set_termios. */
  setTermios(wanted: Termios): void {
    this.onControl?.();
    const old = this.termios.clone();
    this.termios.assign(wanted);
    if (this.link?.isPacketMode === true) {
      const flowed = usesFlowKeys(old);
      const flows = usesFlowKeys(this.termios);
      if (((old.lflag ^ this.termios.lflag) & EXTPROC) !== 0) this.tellMaster(TIOCPKT_IOCTL);
      if (flowed !== flows) {
        this.packetNews &= ~(TIOCPKT_DOSTOP | TIOCPKT_NOSTOP);
        this.tellMaster(flows ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP);
      }
    }
    this.discipline.settingsChanged(old);
    this.pump();
    this.wakeWriters();
  }

  /** Both sides have the size; the foreground of each hears of it (pty_resize). */
  resize(size: WindowSize): void {
    const { rows, columns, xPixels, yPixels } = this.windowSize;
    if (
      size.rows === rows &&
      size.columns === columns &&
      size.xPixels === xPixels &&
      size.yPixels === yPixels
    )
      return;
    this.windowSize = size;
    this.signalForeground(SIGWINCH);
    if (this.link === undefined) return;
    this.link.windowSize = size;
    if (this.link.foreground !== this.foreground) this.link.signalForeground(SIGWINCH);
  }

  signalForeground(signal: number): void {
    if (this.foreground !== 0) signalProcessGroup(this.#system(), this.foreground, signal);
  }

  /** POLL… bits of output. */
  get writable(): number {
    return this.output.hasRoom ? POLLOUT | POLLWRNORM : 0;
  }
}

/** To each process of the group, from the kernel (kill_pgrp). */
export function signalProcessGroup(system: System, processGroup: number, signal: number): void {
  for (const group of [...system.groups.values()])
    if (group.processGroup === processGroup) sendSignal(group, kernelInfo(signal, SI_KERNEL));
}

/** ^S and ^Q are what stops and starts output (pty_set_termios: old_flow). */
function usesFlowKeys({ iflag, cc }: Termios): boolean {
  return (iflag & IXON) !== 0 && cc[VSTOP] === STOP && cc[VSTART] === START;
}
