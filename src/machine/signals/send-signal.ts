/**
 * Sending a signal (kernel/signal.c: send_signal_locked, force_sig_info_to_task): it becomes pending, or is dropped
 * because nobody would notice. What it does to the receiver happens later, in deliver-signal.ts.
 */
import { EAGAIN } from "../../mm/uapi/errno.ts";
import type { Thread, ThreadGroup } from "../thread.ts";
import type { SigInfo } from "./siginfo.ts";
import { IGNORED_BY_DEFAULT, SIG_DFL, SIG_IGN, SIGCONT, STOPPING } from "./signal-numbers.ts";
import { SigSet } from "./sigset.ts";

const CONTINUING: SigSet = SigSet.of(SIGCONT);

/**
 * Sends to one thread, or with `thread` undefined to the process, of which the first fit thread takes it. 0, or -EAGAIN
 * when no more real-time signals can queue.
 */
export function sendSignal(group: ThreadGroup, info: SigInfo, thread?: Thread): number {
  const { signal } = info;
  if (group.hasExited) return 0;
  // Stopping and continuing cancel each other out, delivered or not (prepare_signal).
  if (STOPPING.has(signal)) flushPending(group, CONTINUING);
  if (signal === SIGCONT) {
    flushPending(group, STOPPING);
    if (group.stopSignal !== 0) group.stopNews = "continued";
    group.stopSignal = 0;
  }
  if (isIgnored(thread ?? group.leader, signal)) return 0;
  return (thread?.signals.pending ?? group.pending).add(info) ? 0 : -EAGAIN;
}

/**
 * A signal that an instruction caused and that the program must take now: if it is blocked or ignored, the default
 * action happens.
 */
export function forceSignal(thread: Thread, info: SigInfo): void {
  const { signal } = info;
  const action = thread.group.handlers.of(signal);
  const isBlocked = thread.signals.blocked.has(signal);
  if (isBlocked || action.handler === SIG_IGN) {
    action.handler = SIG_DFL;
    thread.signals.blocked.delete(signal);
  }
  thread.signals.pending.add(info);
}

/** As forceSignal, past any handler (force_fatal_sig). */
export function forceFatalSignal(thread: Thread, info: SigInfo): void {
  thread.group.handlers.of(info.signal).handler = SIG_DFL;
  forceSignal(thread, info);
}

/** Forgets pending signals of the process and its threads. */
export function flushPending(group: ThreadGroup, signals: SigSet): void {
  group.pending.flush(signals);
  group.leader.signals.pending.flush(signals);
}

/** Whether nobody would notice: not blocked, and ignored by choice or by default (sig_ignored). */
function isIgnored(thread: Thread, signal: number): boolean {
  return !thread.signals.blocked.has(signal) && isIgnoredAction(thread.group, signal);
}

export function isIgnoredAction(group: ThreadGroup, signal: number): boolean {
  const { handler } = group.handlers.of(signal);
  return handler === SIG_IGN || (handler === SIG_DFL && IGNORED_BY_DEFAULT.has(signal));
}
