/**
 * A timer of timer_create (kernel/time/posix-timers.c): it tells a process, a thread or nobody that its time has come.
 *
 * ```
 *   disarmed ──set──▶ running ──expires──▶ signal queued ──taken──▶ running, if there is an interval, else disarmed
 *                                             │    ▲
 *                                      ignored▼    │no longer ignored
 *                                         signal put aside
 * ```
 *
 * There is at most one signal of a timer in the queue. One with an interval starts anew only when its signal is taken;
 * intervals that went by meanwhile are its overrun, which the signal tells. Where the signal is ignored, that of a timer with an
 * interval is kept beside the queue (ignored_posix_timers), and the timer rests.
 */
import type { System } from "../system.ts";
import type { Thread, ThreadGroup } from "../thread.ts";
import type { TimeOfDayUser } from "../time-of-day.ts";
import type { Timer } from "../timer-queue.ts";
import { queueTimerSignal, sendTimerSignal } from "./send-signal.ts";
import { type SigInfo, type SignalSender, timerInfo } from "./siginfo.ts";

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

export class PosixTimer implements Timer, TimeOfDayUser, SignalSender {
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
  /** It has been started, and has an interval or has not expired. */
  #isRunning = false;
  /** Its time will come; not while its signal waits to be taken. */
  #isArmed = false;
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
    this.#isArmed = false;
    this.#group.ignoredTimers.delete(this);
    this.intervalNs = 0;
    this.overrun = 0;
    this.#missed = 0;
    const info = this.#queued;
    this.#queued = undefined;
    if (info === undefined) return;
    info.sender = undefined;
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
    if (this.intervalNs > 0 && (isSilent || !this.#isArmed)) this.#missed += this.#forward();
    const left = this.expiresNs - this.nowNs();
    return left > 0 ? left : isSilent ? 0 : 1;
  }

  expire(): void {
    const { notify, thread } = this.notice;
    if (notify === SIGEV_NONE) return;
    this.#isRunning = this.intervalNs > 0;
    this.#isArmed = false;
    const info = this.#signal();
    this.#queued = info;
    if (!sendTimerSignal(this.#group, info, thread, this.#running())) this.flushed();
  }

  /** Who is asked first whether it takes a signal for the process: the one that runs (posixtimer_get_target). */
  #running(): Thread {
    const last = this.#system.threads.at(-1);
    return last?.group === this.#group && last.wait === undefined && !last.hasExited
      ? last
      : this.#group.leader;
  }

  #signal(): SigInfo {
    const { signal, valueLow, valueHigh } = this.notice;
    const info = timerInfo(signal, this.id, valueLow, valueHigh);
    info.sender = this;
    return info;
  }

  /** Nobody would notice its signal (posixtimer_sig_ignore). */
  flushed(): void {
    this.#queued = undefined;
    if (this.intervalNs > 0) this.#group.ignoredTimers.add(this);
  }

  /** Somebody would notice its signal, which was put aside, from now on (posixtimer_sig_unignore). */
  unignore(): void {
    this.#group.ignoredTimers.delete(this);
    this.#queued = this.#signal();
    queueTimerSignal(this.#group, this.#queued, this.notice.thread, this.#running());
  }

  /** posixtimer_rearm: the signal leaves the queue, and the next interval begins. */
  taken(): void {
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
    this.#isArmed = true;
    if (this.notice.notify !== SIGEV_NONE) this.#system.timers.start(this);
  }
}
