/**
 * A timer of timer_create (kernel/time/posix-timers.c): it tells a process, a thread or nobody that its time has come.
 *
 * ```
 *   disarmed ──set──▶ running ──expires──▶ signal queued ──taken──▶ running, if there is an interval, else disarmed
 * ```
 *
 * There is at most one signal of a timer in the queue. One with an interval starts anew only when its signal is taken;
 * intervals that went by meanwhile are its overrun, which the signal tells.
 */
import type { System } from "../system.ts";
import type { Thread, ThreadGroup } from "../thread.ts";
import type { TimeOfDayUser } from "../time-of-day.ts";
import type { Timer } from "../timer-queue.ts";
import { isIgnoredAction, sendSignal } from "./send-signal.ts";
import { type SigInfo, timerInfo } from "./siginfo.ts";

export const SIGEV_SIGNAL = 0;
export const SIGEV_NONE = 1;
export const SIGEV_THREAD = 2;
export const SIGEV_THREAD_ID = 4;

const INT_MAX = 0x7fffffff;

/** Whom a timer tells (struct sigevent). The value as its halves. */
export interface TimerNotice {
  readonly notify: number;
  readonly signal: number;
  readonly valueLow: number;
  readonly valueHigh: number;
  /** With SIGEV_THREAD_ID. */
  readonly thread: Thread | undefined;
}

/** A clock that a timer can go by: what it shows, and whose CPU time it is, if it is any. */
export interface TimerClock {
  readonly cpuOf: ThreadGroup | Thread | undefined;
  nowNs(): number;
}

export class PosixTimer implements Timer, TimeOfDayUser {
  readonly id: number;
  /** CLOCK_… as it was asked for. */
  readonly clockId: number;
  readonly notice: TimerNotice;
  expiresNs = 0;
  intervalNs = 0;
  /** Of the signal that was taken last. */
  overrun = 0;
  readonly #system: System;
  readonly #group: ThreadGroup;
  readonly #clock: TimerClock;
  #isRunning = false;
  #queued: SigInfo | undefined;
  /** Intervals that were forwarded over while the signal was queued. */
  #missed = 0;

  constructor(
    system: System,
    group: ThreadGroup,
    id: number,
    clockId: number,
    clock: TimerClock,
    notice: TimerNotice,
  ) {
    this.#system = system;
    this.#group = group;
    this.#clock = clock;
    this.id = id;
    this.clockId = clockId;
    this.notice = notice;
  }

  get cpuOf(): object | undefined {
    return this.#clock.cpuOf;
  }

  nowNs(): number {
    return this.#clock.nowNs();
  }

  /** Starts it anew. What it has queued is forgotten. */
  start(expiresNs: number, intervalNs: number, isByTimeOfDay: boolean): void {
    this.stop();
    if (isByTimeOfDay) this.#system.timeOfDay.users.add(this);
    this.expiresNs = expiresNs;
    this.intervalNs = intervalNs;
    this.#run();
  }

  stop(): void {
    this.#system.timers.stop(this);
    this.#system.timeOfDay.users.delete(this);
    this.#isRunning = false;
    this.intervalNs = 0;
    this.overrun = 0;
    this.#missed = 0;
    const info = this.#queued;
    this.#queued = undefined;
    if (info === undefined) return;
    info.onTake = undefined;
    (this.notice.thread?.signals.pending ?? this.#group.pending).drop(info);
  }

  onTimeSet(deltaNs: number): void {
    const isQueued = this.#isRunning && this.notice.notify !== SIGEV_NONE && this.#queued === undefined;
    if (isQueued) this.#system.timers.stop(this);
    this.expiresNs -= deltaNs;
    if (isQueued) this.#system.timers.start(this);
  }

  /** Time left: 0 when it does not run, and never 0 while it does and is to tell somebody (common_timer_get). */
  get leftNs(): number {
    if (!this.#isRunning) return 0;
    const isSilent = this.notice.notify === SIGEV_NONE;
    if (this.intervalNs > 0 && (isSilent || this.#queued !== undefined)) this.#missed += this.#forward();
    const left = this.expiresNs - this.nowNs();
    return left > 0 ? left : isSilent ? 0 : 1;
  }

  expire(): void {
    const { notify, signal, valueLow, valueHigh, thread } = this.notice;
    if (notify === SIGEV_NONE) return;
    this.#isRunning = this.intervalNs > 0;
    const isBlocked = (thread ?? this.#group.leader).signals.blocked.has(signal);
    if (!isBlocked && isIgnoredAction(this.#group, signal)) {
      // Nobody would notice: it goes on, in case somebody does later.
      if (this.intervalNs === 0) return;
      this.#forward();
      this.#run();
      return;
    }
    const info = timerInfo(signal, this.id, valueLow, valueHigh);
    info.onTake = () => this.#taken();
    this.#queued = info;
    sendSignal(this.#group, info, thread);
  }

  /** posixtimer_rearm: the signal leaves the queue, and the next interval begins. */
  #taken(): void {
    const info = this.#queued;
    this.#queued = undefined;
    if (info === undefined || this.intervalNs === 0) return;
    this.overrun = Math.min(INT_MAX, this.#missed + this.#forward() - 1);
    this.#missed = 0;
    info.overrun = this.overrun;
    this.#run();
  }

  /** Moves the time past now; by how many intervals (hrtimer_forward). */
  #forward(): number {
    const late = this.nowNs() - this.expiresNs;
    if (late < 0) return 0;
    const intervals = Math.floor(late / this.intervalNs) + 1;
    this.expiresNs += intervals * this.intervalNs;
    return intervals;
  }

  #run(): void {
    this.#isRunning = true;
    if (this.notice.notify !== SIGEV_NONE) this.#system.timers.start(this);
  }
}
