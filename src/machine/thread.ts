/**
 * The machine's side of a program: threads, and the thread group that a process is (task_struct, signal_struct).
 *
 * A thread is what runs: registers, signal mask, what it waits for. A thread group shares everything else. So far
 * every group has one thread; what is per thread and what is per group is kept apart all the same, as Linux does it.
 */
import type { Process } from "../mm/kernel/process.ts";
import { TASK_STATE_BYTES } from "./cpu/hart.ts";
import { type IntervalTimer, newIntervalTimers } from "./signals/interval-timer.ts";
import { PendingSignals, type SignalHandlers, ThreadSignals } from "./signals/signal-state.ts";
import type { SigSet } from "./signals/sigset.ts";

/** Why a thread can't go on, and what ends that. */
export interface Wait {
  /** Whether the system call may be tried again now. */
  isReady(): boolean;
  /** When it is to be tried again at the latest (nanoseconds of the monotonic clock); Infinity for never. */
  readonly deadlineNs: number;
  /** What the call answers when a signal ends it: −EINTR or one of −ERESTART…, or a count of what was done. */
  readonly interrupted: number;
  /** It waits for bytes from outside the machine. */
  readonly isForInput?: boolean;
  /** Only the end of the process interrupts it. */
  readonly killableOnly?: boolean;
  /** What is to be done when a signal ends it (nanosleep tells how much was left). */
  onInterrupt?(): void;
}

/** One thread of a program. */
export class Thread {
  readonly tid: number;
  readonly group: ThreadGroup;
  /** Registers while another thread has the hart (Registers.saveState). */
  readonly state: Uint8Array = new Uint8Array(TASK_STATE_BYTES);
  readonly signals: ThreadSignals = new ThreadSignals();
  /** What it waits for; undefined while it can run. Its pc is then at the call, which is executed again. */
  wait: Wait | undefined;
  /** What a system call that waits keeps between its tries; undefined in every new call. */
  callState: unknown;
  /** Name of the call that it waits in, for messages; undefined in every new call. */
  waitingIn: string | undefined;
  /** Address that is zeroed when the thread exits and others share its memory (CLONE_CHILD_CLEARTID). */
  clearChildTid = 0;
  /** Head of the list of the locks that it holds (set_robust_list); 0 for none. */
  robustList = 0;

  constructor(tid: number, group: ThreadGroup) {
    this.tid = tid;
    this.group = group;
  }

  /** Signals that are pending for it and that it does not block. */
  deliverable(): SigSet {
    const pending = this.signals.pending.set.clone().addAll(this.group.pending.set);
    return pending.deleteAll(this.signals.blocked);
  }

  get hasDeliverable(): boolean {
    const own = this.signals.pending.set;
    const shared = this.group.pending.set;
    const { blocked } = this.signals;
    return (((own.low | shared.low) & ~blocked.low) | ((own.high | shared.high) & ~blocked.high)) !== 0;
  }
}

/** A process, seen from the machine. */
export class ThreadGroup {
  readonly process: Process;
  readonly leader: Thread;
  handlers: SignalHandlers;
  /** Signals sent to the process as a whole. */
  readonly pending: PendingSignals = new PendingSignals();
  /** By ITIMER_… */
  readonly timers: readonly IntervalTimer[] = newIntervalTimers();
  /** What the parent is sent when the process ends; 0 for nothing. */
  exitSignal: number;
  /** Programs that it has executed, and that its parent had when it was made: another program is sent SIGCHLD. */
  selfExecId = 0;
  parentExecId = 0;
  /** What it is sent when its parent ends (PR_SET_PDEATHSIG); 0 for nothing. */
  parentDeathSignal = 0;
  /** Path of the program (/proc/self/exe). */
  exePath = "";
  processGroup: number;
  session: number;
  /** The signal that stopped it, 0 while it may run; and what a waiting parent has not been told yet. */
  stopSignal = 0;
  stopNews: "stopped" | "continued" | undefined;
  /** The parent's thread that waits in vfork until this process has its own memory or is gone. */
  vforkParent: Thread | undefined;
  /** Instructions executed, system calls made, turns given up and turns ended by the scheduler. */
  instructions = 0;
  syscalls = 0;
  voluntarySwitches = 0;
  involuntarySwitches = 0;
  /** The same of the children it waited for: instructions. */
  childInstructions = 0;
  hasExited = false;
  /** Whether it has registered for expedited membarriers. */
  hasMembarrier = false;
  /** −20 … 19: kept and told back. */
  nice = 0;
  /** PR_SET_NO_NEW_PRIVS: kept, told back and inherited. No program gives any here. */
  noNewPrivileges = false;

  constructor(process: Process, handlers: SignalHandlers, exitSignal: number) {
    this.process = process;
    this.leader = new Thread(process.pid, this);
    this.handlers = handlers;
    this.exitSignal = exitSignal;
    this.processGroup = process.pid;
    this.session = process.pid;
  }

  get pid(): number {
    return this.process.pid;
  }

  /** Personality flags (ADDR_NO_RANDOMIZE and so on). */
  get personality(): number {
    return this.process.actor.personality;
  }
  set personality(flags: number) {
    this.process.actor.personality = flags;
  }
}
