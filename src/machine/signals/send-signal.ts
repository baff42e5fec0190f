/**
 * Sending a signal (kernel/signal.c: send_signal_locked, force_sig_info_to_task): it becomes pending, or is dropped
 * because nobody would notice. What it does to the receiver happens later, in deliver-signal.ts.
 */
import { EAGAIN } from "../../mm/uapi/errno.ts";
import { RLIM_INFINITY, RLIMIT_SIGPENDING } from "../../mm/uapi/mman.ts";
import type { Thread, ThreadGroup } from "../thread.ts";
import { type SigInfo, userInfo } from "./siginfo.ts";
import {
  IGNORED_BY_DEFAULT,
  SI_USER,
  SIG_DFL,
  SIG_IGN,
  SIGCONT,
  SIGRTMIN,
  STOPPING,
} from "./signal-numbers.ts";
import { SigSet } from "./sigset.ts";

const CONTINUING: SigSet = SigSet.of(SIGCONT);

/**
 * Sends to one thread, or with `thread` undefined to the process, of which the first fit thread takes it. 0, or -EAGAIN
 * when no more real-time signals can queue.
 *
 * @param first whom of the process to ask first whether it takes it
 */
export function sendSignal(
  group: ThreadGroup,
  info: SigInfo,
  thread?: Thread,
  first: Thread = group.leader,
): number {
  const { signal } = info;
  if (!prepareSignal(group, signal, thread ?? first)) return 0;
  if (thread?.hasExited === true) return 0;
  if (thread === undefined) info.chosen = chooseThread(group, signal, first);
  const queue = thread?.signals.pending ?? group.pending;
  if (signal < SIGRTMIN && queue.set.has(signal)) return 0;
  if (!needsRoom(info) || hasRoom(group)) {
    if (!queue.add(info)) return -EAGAIN;
    group.handlers.signalQueue.wake(0);
    return 0;
  }
  if (signal >= SIGRTMIN && info.code !== SI_USER) return -EAGAIN;
  // It is sent all the same, and what it has to tell is lost.
  queue.add(userInfo(signal, SI_USER, 0, 0));
  group.handlers.signalQueue.wake(0);
  return 0;
}

/**
 * The signal of a timer, to a thread or with `thread` undefined to the process, where `first` is asked first. It has its place in the
 * queue even where the same standard signal is pending already. False: nobody would notice it, and it is not queued
 * (posixtimer_send_sigqueue).
 */
export function sendTimerSignal(
  group: ThreadGroup,
  info: SigInfo,
  thread: Thread | undefined,
  first: Thread,
): boolean {
  if (!prepareSignal(group, info.signal, thread ?? first)) return false;
  queueTimerSignal(group, info, thread, first);
  return true;
}

/** Queues it whether anybody would notice or not (posixtimer_queue_sigqueue). */
export function queueTimerSignal(
  group: ThreadGroup,
  info: SigInfo,
  thread: Thread | undefined,
  first: Thread,
): void {
  if (group.hasExited || thread?.hasExited === true) return;
  if (thread === undefined) info.chosen = chooseThread(group, info.signal, first);
  (thread?.signals.pending ?? group.pending).addAnyway(info);
  group.handlers.signalQueue.wake(0);
}

/** What a signal does by being sent, and whether anybody would notice it (prepare_signal). */
function prepareSignal(group: ThreadGroup, signal: number, receiver: Thread): boolean {
  if (group.hasExited) return false;
  // Stopping and continuing cancel each other out, delivered or not (prepare_signal).
  if (STOPPING.has(signal)) flushPending(group, CONTINUING);
  if (signal === SIGCONT) {
    flushPending(group, STOPPING);
    if (group.stopSignal !== 0) {
      group.stopNews = "continued";
      group.tellsContinued = true;
    }
    group.stopSignal = 0;
  }
  return !isIgnored(receiver, signal);
}

/** complete_signal: one that does not block it. Undefined where all do: the first that stops to. */
function chooseThread({ threads }: ThreadGroup, signal: number, first: Thread): Thread | undefined {
  const takes = ({ hasExited, signals }: Thread): boolean => !hasExited && !signals.blocked.has(signal);
  return takes(first) ? first : threads.find(takes);
}

/** Standard signals of kill and of the kernel are sent past the limit; what a program queues is not (send_signal_locked). */
function needsRoom({ signal, code }: SigInfo): boolean {
  return signal >= SIGRTMIN || code < 0;
}

/** RLIMIT_SIGPENDING: signals queued for all processes of the user. */
function hasRoom({ process }: ThreadGroup): boolean {
  const limit = process.rlimits[RLIMIT_SIGPENDING].soft;
  if (limit === RLIM_INFINITY) return true;
  let queued = 1;
  for (const { userIds, activity } of process.kernel.processes.values()) {
    if (userIds.real === process.userIds.real) queued += activity?.queuedSignals ?? 0;
  }
  return queued <= limit;
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
  for (const { signals: own } of group.threads) own.pending.flush(signals);
}

/** Whether nobody would notice: not blocked, and ignored by choice or by default (sig_ignored). */
function isIgnored(thread: Thread, signal: number): boolean {
  return !thread.signals.blocked.has(signal) && isIgnoredAction(thread.group, signal);
}

export function isIgnoredAction(group: ThreadGroup, signal: number): boolean {
  const { handler } = group.handlers.of(signal);
  return handler === SIG_IGN || (handler === SIG_DFL && IGNORED_BY_DEFAULT.has(signal));
}
