/**
 * What a thread and its process keep about signals (sighand_struct, signal_struct, task_struct).
 *
 * A signal that was sent is *pending*, for one thread or for the process as a whole, until a thread that does not block
 * it comes back from the kernel; then its *disposition* decides what happens. A standard signal is pending once or
 * not at all, whatever the number of senders; real-time signals queue.
 */

import { PollQueue } from "../../mm/vfs/poll-queue.ts";
import type { Thread } from "../thread.ts";
import type { SigInfo } from "./siginfo.ts";
import { SIG_DFL, SIG_IGN, SIGRTMIN } from "./signal-numbers.ts";
import { SigSet } from "./sigset.ts";

/** One signal's disposition (struct k_sigaction). */
export interface SigAction {
  /** SIG_DFL, SIG_IGN, or the handler's address. */
  handler: number;
  /** SA_… */
  flags: number;
  /** Signals blocked while the handler runs, beside the signal itself. */
  mask: SigSet;
}

/** The dispositions of a process; threads share them. */
export class SignalHandlers {
  /** Told of every signal that is sent to those who have these handlers: signalfds are watched through it. */
  readonly signalQueue: PollQueue = new PollQueue();
  readonly #actions: SigAction[];

  constructor(actions?: readonly SigAction[]) {
    this.#actions =
      actions?.map(({ handler, flags, mask }) => ({ handler, flags, mask: mask.clone() })) ??
      Array.from({ length: 65 }, () => ({ handler: SIG_DFL, flags: 0, mask: new SigSet() }));
  }

  of(signal: number): SigAction {
    return this.#actions[signal];
  }

  clone(): SignalHandlers {
    return new SignalHandlers(this.#actions);
  }

  /** execve: handlers are gone with the program that had them; what was ignored stays so (flush_signal_handlers). */
  reset(): void {
    for (const action of this.#actions) {
      if (action.handler !== SIG_IGN) action.handler = SIG_DFL;
      action.flags = 0;
      action.mask = new SigSet();
    }
  }
}

/** No queue is longer, whatever RLIMIT_SIGPENDING says: each entry takes memory of the host. */
const MAX_PENDING = 4096;

/** Signals sent and not yet delivered (struct sigpending). Invariant: `set` holds exactly the signals in the queue. */
export class PendingSignals {
  readonly set: SigSet = new SigSet();
  #queue: SigInfo[] = [];

  /** How many are queued. */
  get length(): number {
    return this.#queue.length;
  }

  /** Queues a signal; a standard one that is pending already stays once. False when the queue is full. */
  add(info: SigInfo): boolean {
    if (info.signal < SIGRTMIN && this.set.has(info.signal)) return true;
    if (this.#queue.length >= MAX_PENDING) return false;
    this.addAnyway(info);
    return true;
  }

  /** Queues a signal that has its place: a timer's, of which there is one in a queue at most. */
  addAnyway(info: SigInfo): void {
    this.set.add(info.signal);
    this.#queue.push(info);
  }

  /** Adds the signals to `set` that `thread` is to take, of those sent to its process. */
  addChosen(set: SigSet, thread: Thread): void {
    for (const { signal, chosen } of this.#queue) {
      const isOther = chosen !== undefined && chosen !== thread && !chosen.hasExited;
      if (!isOther || chosen.signals.blocked.has(signal)) set.add(signal);
    }
  }

  /** Takes the oldest entry of `signal`, which is pending. */
  take(signal: number): SigInfo {
    const index = this.#queue.findIndex((info) => info.signal === signal);
    const [info] = this.#queue.splice(index, 1);
    if (!this.#queue.some((other) => other.signal === signal)) this.set.delete(signal);
    info.sender?.taken();
    return info;
  }

  /** Forgets one entry, if it is there. */
  drop(info: SigInfo): void {
    this.#queue = this.#queue.filter((other) => other !== info);
    if (!this.#queue.some(({ signal }) => signal === info.signal)) this.set.delete(info.signal);
  }

  /** Forgets every entry of the signals in `signals` (flush_sigqueue_mask). */
  flush(signals: SigSet): void {
    const dropped = this.#queue.filter((info) => signals.has(info.signal));
    this.#queue = this.#queue.filter((info) => !signals.has(info.signal));
    for (const info of dropped) info.sender?.flushed();
    this.set.deleteAll(signals);
  }
}

/** Where handlers that asked for it run (sigaltstack). `size` 0: there is none. */
export interface AlternateStack {
  base: number;
  size: number;
  /** SS_… as they were set. */
  flags: number;
}

export const SS_ONSTACK = 1;
export const SS_DISABLE = 2;
export const SS_AUTODISARM = 0x80000000;

export class ThreadSignals {
  /** The signals that are held back now. Never SIGKILL or SIGSTOP. */
  readonly blocked: SigSet = new SigSet();
  /** The mask to put back when sigsuspend or ppoll ends; the frame of a handler that ends it saves this one. */
  saved: SigSet | undefined;
  readonly pending: PendingSignals = new PendingSignals();
  readonly altStack: AlternateStack = { base: 0, size: 0, flags: SS_DISABLE };

  /** fork and clone: mask and alternate stack are the child's too, what is pending is not. */
  copyFrom(parent: ThreadSignals): void {
    this.blocked.assign(parent.blocked);
    this.saved = parent.saved?.clone();
    Object.assign(this.altStack, parent.altStack);
  }

  /** Whether the stack pointer is on the alternate stack (on_sig_stack). */
  isOnAltStack(sp: number): boolean {
    const { base, size, flags } = this.altStack;
    if (flags >>> 0 >= SS_AUTODISARM) return false;
    return sp > base && sp - base <= size;
  }

  /** SS_DISABLE, SS_ONSTACK or 0 (sas_ss_flags). */
  altStackState(sp: number): number {
    if (this.altStack.size === 0) return SS_DISABLE;
    return this.isOnAltStack(sp) ? SS_ONSTACK : 0;
  }
}
