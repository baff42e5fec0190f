/**
 * timerfd (fs/timerfd.c): a timer whose expirations are read from a descriptor. Having expired it stands still until it is
 * read, which then counts the intervals that have gone by.
 */
import { EAGAIN, ECANCELED, EFAULT, EINVAL, ENOTTY } from "../../mm/uapi/errno.ts";
import { O_NONBLOCK } from "../../mm/uapi/fcntl.ts";
import { POLLIN } from "../../mm/uapi/fs.ts";
import type { File, FileOperations } from "../../mm/vfs/file.ts";
import type { IovIter } from "../../mm/vfs/iov-iter.ts";
import type { MountNamespace } from "../../mm/vfs/mount.ts";
import { PollQueue } from "../../mm/vfs/poll-queue.ts";
import { noopLlseek } from "../../mm/vfs/read-write.ts";
import { ERESTART_WOULD_BLOCK } from "../../mm/vfs/would-block.ts";
import { StructView } from "../abi/bytes.ts";
import { timespecOf } from "../abi/structs.ts";
import type { System } from "../system.ts";
import type { TimeOfDayUser } from "../time-of-day.ts";
import type { Timer } from "../timer-queue.ts";
import { newAnonymousFile } from "./anonymous-file.ts";

export const TFD_TIMER_CANCEL_ON_SET = 2;
const TICKS_BYTES = 8;

export class TimerFd implements Timer, TimeOfDayUser {
  readonly clockId: number;
  readonly cpuOf = undefined;
  expiresNs = 0;
  intervalNs = 0;
  /** TFD_TIMER_… of the last setting. */
  settingFlags = 0;
  /** Expirations that nobody has read. */
  ticks = 0;
  readonly queue: PollQueue = new PollQueue();
  readonly #system: System;
  #isRunning = false;
  #hasExpired = false;
  /** Whoever reads is to be told when the time of day is set (TFD_TIMER_CANCEL_ON_SET); and that has happened. */
  #tellsSetting = false;
  #wasSet = false;

  constructor(system: System, clockId: number) {
    this.#system = system;
    this.clockId = clockId;
  }

  nowNs(): number {
    return this.#system.clock.monotonicNs();
  }

  expire(): void {
    this.#hasExpired = true;
    this.#isRunning = false;
    this.ticks++;
    this.queue.wake(POLLIN);
  }

  /** Starts it anew, or with `expiresNs` undefined stops it. @param isByTimeOfDay it goes by that */
  set(expiresNs: number | undefined, intervalNs: number, flags: number, isByTimeOfDay: boolean): void {
    this.stop();
    this.#tellsSetting = isByTimeOfDay && (flags & TFD_TIMER_CANCEL_ON_SET) !== 0;
    if (isByTimeOfDay) this.#system.timeOfDay.users.add(this);
    this.settingFlags = flags;
    this.intervalNs = intervalNs;
    this.ticks = 0;
    this.#hasExpired = false;
    if (expiresNs === undefined) return;
    this.expiresNs = expiresNs;
    this.#start();
  }

  stop(): void {
    this.#system.timers.stop(this);
    this.#system.timeOfDay.users.delete(this);
    this.#isRunning = false;
  }

  onTimeSet(deltaNs: number): void {
    const isQueued = this.#isRunning;
    if (isQueued) this.#system.timers.stop(this);
    this.expiresNs -= deltaNs;
    if (isQueued) this.#system.timers.start(this);
    if (!this.#tellsSetting) return;
    this.#wasSet = true;
    this.ticks++;
    this.queue.wake(POLLIN);
  }

  /** Whether the time of day was set since this was asked last (timerfd_canceled). */
  takeCancellation(): boolean {
    if (!this.#tellsSetting || !this.#wasSet) return false;
    this.#wasSet = false;
    return true;
  }

  /** What a cancelled one has counted means nothing; it does not go on either, until it is set anew. */
  forget(): void {
    this.ticks = 0;
    this.#hasExpired = false;
  }

  /** Time to the next expiration, 0 when there is none. */
  get leftNs(): number {
    this.catchUp();
    return this.#isRunning ? Math.max(0, this.expiresNs - this.nowNs()) : 0;
  }

  /** After an expiration, with an interval: it runs again, and has expired once for each interval that went by. */
  catchUp(): void {
    if (!this.#hasExpired || this.intervalNs === 0) return;
    this.#hasExpired = false;
    const missed = Math.floor((this.nowNs() - this.expiresNs) / this.intervalNs);
    this.ticks += missed;
    this.expiresNs += (missed + 1) * this.intervalNs;
    this.#start();
  }

  #start(): void {
    this.#isRunning = true;
    this.#system.timers.start(this);
  }
}

/** The timer behind a file; undefined: it is none. */
export function timerOfFile(file: File): TimerFd | undefined {
  return file.data instanceof TimerFd ? file.data : undefined;
}

function timerOf(file: File): TimerFd {
  const timer = timerOfFile(file);
  if (timer === undefined) throw new TypeError("timerOf: not a timerfd");
  return timer;
}

function read(file: File, to: IovIter): number {
  const timer = timerOf(file);
  if (to.count < TICKS_BYTES) return -EINVAL;
  if (timer.ticks === 0) return (file.flags & O_NONBLOCK) !== 0 ? -EAGAIN : -ERESTART_WOULD_BLOCK;
  if (timer.takeCancellation()) {
    timer.forget();
    return -ECANCELED;
  }
  timer.catchUp();
  const { bytes } = new StructView(TICKS_BYTES).put64(0, timer.ticks);
  timer.ticks = 0;
  return to.copyBytesToIter(bytes) < TICKS_BYTES ? -EFAULT : TICKS_BYTES;
}

function pair(ns: number): string {
  const { seconds, nanoseconds } = timespecOf(ns);
  return `(${seconds}, ${nanoseconds})`;
}

const timerOps: FileOperations = {
  read,
  isStream: true,
  llseek: noopLlseek,
  poll: (file) => (timerOf(file).ticks > 0 ? POLLIN : 0),
  pollQueue: (file) => timerOf(file).queue,
  ioctl: () => -ENOTTY,
  release: (file) => timerOf(file).stop(),
  showFdinfo: (file) => {
    const timer = timerOf(file);
    const { clockId, ticks, settingFlags, intervalNs, leftNs } = timer;
    return (
      `clockid: ${clockId}\nticks: ${ticks}\nsettime flags: 0${settingFlags.toString(8)}\n` +
      `it_value: ${pair(leftNs)}\nit_interval: ${pair(intervalNs)}\n`
    );
  },
};

/** A new timer, which does not run. @param flags O_NONBLOCK, or nothing */
export function newTimerFile(system: System, mounts: MountNamespace, clockId: number, flags: number): File {
  return newAnonymousFile(mounts, "timerfd", timerOps, flags, new TimerFd(system, clockId));
}
