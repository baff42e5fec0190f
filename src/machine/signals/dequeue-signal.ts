/** Taking a pending signal without delivering it: sigtimedwait and signalfd. */
import type { System } from "../system.ts";
import type { Thread } from "../thread.ts";
import { rearmRealTimer } from "./interval-timer.ts";
import type { SigInfo } from "./siginfo.ts";
import type { SigSet } from "./sigset.ts";

/** Takes the next signal of the set that is pending for the thread, of its own ones first (dequeue_signal). */
export function dequeueSignal(system: System, thread: Thread, set: SigSet): SigInfo | undefined {
  for (const queue of [thread.signals.pending, thread.group.pending]) {
    const signal = queue.set.clone().keepOnly(set).first;
    if (signal === 0) continue;
    const info = queue.take(signal);
    rearmRealTimer(system, thread.group, signal);
    return info;
  }
  return undefined;
}

/** Whether dequeueSignal would find one. */
export function hasSignal({ signals, group }: Thread, set: SigSet): boolean {
  return !signals.pending.set.clone().addAll(group.pending.set).keepOnly(set).isEmpty;
}
