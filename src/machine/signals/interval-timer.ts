/**
 * The three interval timers of a process (kernel/time/itimer.c): alarm() and setitimer().
 *
 * ```
 *   ITIMER_REAL      SIGALRM     time on the monotonic clock
 *   ITIMER_VIRTUAL   SIGVTALRM   CPU time of the process in user mode
 *   ITIMER_PROF      SIGPROF     all its CPU time, with that of its system calls
 * ```
 *
 * All three are looked at between turns, as Linux looks at the last two with its tick.
 */
import { cpuNs, ownUsage } from "../life/usage.ts";
import type { System } from "../system.ts";
import type { ThreadGroup } from "../thread.ts";
import { sendSignal } from "./send-signal.ts";
import { kernelInfo } from "./siginfo.ts";
import { SI_KERNEL, SIGALRM, SIGPROF, SIGVTALRM } from "./signal-numbers.ts";

export const ITIMER_REAL = 0;
export const ITIMER_VIRTUAL = 1;
export const ITIMER_PROF = 2;

const SIGNALS = [SIGALRM, SIGVTALRM, SIGPROF];

/** One timer. Nanoseconds of its own clock. */
export interface IntervalTimer {
  /** When it expires, or did last. */
  expiresNs: number;
  /** Time from one expiry to the next; 0: only once. */
  intervalNs: number;
  isRunning: boolean;
}

/** A process's timers, none of them running: by ITIMER_…, as a fork gets them. execve keeps them. */
export function newIntervalTimers(): readonly IntervalTimer[] {
  return SIGNALS.map(() => ({ expiresNs: 0, intervalNs: 0, isRunning: false }));
}

/** What the clock of a process's timer `which` shows. */
export function timerClockNs(system: System, group: ThreadGroup, which: number): number {
  if (which === ITIMER_REAL) return system.clock.monotonicNs();
  const usage = ownUsage(system, group);
  return which === ITIMER_VIRTUAL ? usage.userNs : cpuNs(usage);
}

/** Sends the signals of the timers that have expired. */
export function runIntervalTimers(system: System, group: ThreadGroup): void {
  for (const [which, timer] of group.timers.entries()) {
    if (!timer.isRunning || timerClockNs(system, group, which) < timer.expiresNs) continue;
    // ITIMER_REAL goes on only when its signal is taken, so that it can't keep a process busy that does not listen.
    if (which === ITIMER_REAL || timer.intervalNs === 0) timer.isRunning = false;
    else timer.expiresNs += timer.intervalNs;
    sendSignal(group, kernelInfo(SIGNALS[which], SI_KERNEL));
  }
}

/** A signal was taken: SIGALRM starts an interval of ITIMER_REAL anew, past those that went by meanwhile (posixtimer_rearm_itimer). */
export function rearmRealTimer(system: System, group: ThreadGroup, signal: number): void {
  const timer = group.timers[ITIMER_REAL];
  if (signal !== SIGALRM || timer.isRunning || timer.intervalNs === 0) return;
  const missed = Math.floor((system.clock.monotonicNs() - timer.expiresNs) / timer.intervalNs);
  timer.expiresNs += (missed + 1) * timer.intervalNs;
  timer.isRunning = true;
}
