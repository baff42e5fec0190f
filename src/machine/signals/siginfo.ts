/**
 * siginfo: what a handler is told of a signal, in the bytes that the program sees.
 *
 * ```
 *   0 si_signo │ 4 si_errno │ 8 si_code │ 12 pad │ 16 … 127 by kind:
 *      kill, tkill        16 si_pid    20 si_uid
 *      sigqueue           16 si_pid    20 si_uid   24 si_value (u64)
 *      SIGCHLD            16 si_pid    20 si_uid   24 si_status   32 si_utime   40 si_stime (clock ticks)
 *      timer_create       16 si_timerid   20 si_overrun   24 si_value (u64)
 *      SEGV BUS ILL TRAP  16 si_addr (u64)
 *      SIGIO              16 si_band (long)   24 si_fd
 * ```
 *
 * Kept as bytes because a program that queues a signal of its own (rt_sigqueueinfo) brings the bytes along.
 */
import { StructView } from "../abi/bytes.ts";
import type { Thread } from "../thread.ts";
import { SI_TIMER } from "./signal-numbers.ts";

export const SIGINFO_BYTES = 128;

/** Who sent a signal and waits for what becomes of it. */
export interface SignalSender {
  /** It leaves the queue, and nobody has been told yet. */
  taken(): void;
  /** It was thrown away, since nobody would notice. */
  flushed(): void;
}

export class SigInfo {
  readonly bytes: Uint8Array;
  /** The timer that sent it, and is told what becomes of it. */
  sender: SignalSender | undefined;
  /**
   * The thread that was chosen to take it, of a process that it was sent to as a whole; another one takes it if that blocks it
   * or is gone (complete_signal).
   */
  chosen: Thread | undefined;
  readonly #view: StructView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new StructView(bytes);
  }

  get signal(): number {
    return this.#view.s32(0);
  }
  get code(): number {
    return this.#view.s32(8);
  }
  /** A timer's signal: how often it expired beside the once. */
  set overrun(count: number) {
    this.#view.put32(20, count);
  }
  /** si_addr, or what stands in its place. */
  get address(): number {
    return this.#view.u64(16);
  }
}

function begin(signal: number, code: number): StructView {
  return new StructView(SIGINFO_BYTES).put32(0, signal).put32(8, code);
}

/** From an instruction that could not be done. The address as its two halves, since it may be any 64 bits. */
export function faultInfo(signal: number, code: number, addressLow: number, addressHigh: number): SigInfo {
  return new SigInfo(begin(signal, code).putHalves(16, addressLow, addressHigh).bytes);
}

/** From a process: kill, tkill, tgkill. */
export function userInfo(signal: number, code: number, pid: number, uid: number): SigInfo {
  return new SigInfo(begin(signal, code).put32(16, pid).put32(20, uid).bytes);
}

/** From a timer (timer_create). The value as its halves. */
export function timerInfo(signal: number, id: number, valueLow: number, valueHigh: number): SigInfo {
  return new SigInfo(begin(signal, SI_TIMER).put32(16, id).putHalves(24, valueLow, valueHigh).bytes);
}

/** From a file that something happened to (F_SETSIG). */
export function ioInfo(signal: number, code: number, band: number, fd: number): SigInfo {
  return new SigInfo(begin(signal, code).put64(16, band).put32(24, fd).bytes);
}

/** From the kernel itself, without more to say (SEND_SIG_PRIV). */
export function kernelInfo(signal: number, code: number): SigInfo {
  return new SigInfo(begin(signal, code).bytes);
}

export interface ChildNews {
  readonly pid: number;
  readonly uid: number;
  /** CLD_… */
  readonly code: number;
  /** Exit code or signal. */
  readonly status: number;
  readonly userTicks: number;
  readonly systemTicks: number;
}

export function childInfo(signal: number, news: ChildNews): SigInfo {
  const out = begin(signal, news.code).put32(16, news.pid).put32(20, news.uid).put32(24, news.status);
  return new SigInfo(out.put64(32, news.userTicks).put64(40, news.systemTicks).bytes);
}
