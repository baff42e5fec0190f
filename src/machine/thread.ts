/**
 * The machine's side of a program: threads, and the thread group that a process is (task_struct, signal_struct).
 *
 * A thread is what runs: registers, signal mask, what it waits for. A thread group shares everything else.
 *
 * ```
 *   ThreadGroup   process, handlers, signals for all, timers      lives as long as any of its threads
 *     leader      the thread whose number is the process's        may have exited before the others: a zombie until then
 *     threads     those that have not exited, oldest first        exec leaves one, which becomes the leader
 * ```
 */
import type { SemUndoHolder, SemUndoList } from "../mm/ipc/sem-undo.ts";
import type { Process } from "../mm/kernel/process.ts";
import type { PidfdTarget } from "../mm/vfs/pidfd.ts";
import type { Mempolicy, PolicyHolder } from "../mm/vma/mempolicy.ts";
import { TASK_STATE_BYTES } from "./cpu/hart.ts";
import { type IntervalTimer, newIntervalTimers } from "./signals/interval-timer.ts";
import type { PosixTimer } from "./signals/posix-timer.ts";
import { PendingSignals, type SignalHandlers, ThreadSignals } from "./signals/signal-state.ts";
import type { SigSet } from "./signals/sigset.ts";
import { HeldFiles } from "./syscalls/held-files.ts";
import { ThreadPidfdTarget } from "./thread-pidfd.ts";

/** Why a thread can't go on, and what ends that. */
export interface Wait {
  /** Whether the system call may be tried again now. */
  isReady(): boolean;
  /** When it is to be tried again at the latest (nanoseconds of the monotonic clock); Infinity for never. */
  deadlineNs: number;
  /** That is a time of day: it moves when the time is set. */
  isByTimeOfDay?: boolean;
  /** What the call answers when a signal ends it: −EINTR or one of −ERESTART…, or a count of what was done. */
  readonly interrupted: number;
  /** It waits for bytes from outside the machine. Asked only where nobody can run. */
  readonly isForInput?: boolean;
  /** Only the end of the process interrupts it. */
  readonly killableOnly?: boolean;
  /** What is to be done when a signal ends it (nanosleep tells how much was left); and what the call answers instead, if that failed. */
  onInterrupt?(): void;
  failed?: number;
  /** Its process stops: nobody serves it from now on. It may be ready by that. */
  onStop?(): void;
  /** A signal or the end of its thread takes it away from where it waits; it may come back with a new try. */
  abandon?(): void;
}

/** What a process knows of the terminal of its session (tty/tty.ts). */
export interface ControllingTerminal {
  /** Device number. */
  readonly rdev: number;
  /** The session whose it is, and the process group in its foreground; 0 for none. */
  session: number;
  foreground: number;
}

/** What the calls of the scheduler set (sched.ts). */
export interface SchedulingPolicy {
  /** SCHED_… */
  policy: number;
  /** 1 … 99 with SCHED_FIFO and SCHED_RR, else 0. */
  priority: number;
  /** What it clones does not inherit. */
  resetOnFork: boolean;
  /** Its slice; 0 for the usual one. */
  sliceNs: number;
}

/** One thread of a program. */
export class Thread implements SemUndoHolder, PolicyHolder {
  /** Its number; a thread that executes a program takes the leader's. */
  tid: number;
  readonly group: ThreadGroup;
  /** Registers while another thread has the hart (Registers.saveState). */
  readonly state: Uint8Array = new Uint8Array(TASK_STATE_BYTES);
  readonly signals: ThreadSignals = new ThreadSignals();
  /** What it waits for; undefined while it can run. Its pc is then at the call, which is executed again. */
  wait: Wait | undefined;
  /** Its process was stopped while it waited in a call that ends with EINTR after that. */
  wasStopped = false;
  /** What a system call that waits keeps between its tries; undefined in every new call. */
  callState: unknown;
  /** The files of the call that it waits in. */
  readonly heldFiles: HeldFiles = new HeldFiles();
  /** Name of the call that it waits in, for messages; undefined in every new call. */
  waitingIn: string | undefined;
  /** Address that is zeroed when the thread exits and others share its memory (CLONE_CHILD_CLEARTID). */
  clearChildTid = 0;
  /** Head of the list of the locks that it holds (set_robust_list); 0 for none. */
  robustList = 0;
  /** What is taken back of its System V semaphores when it ends. */
  undoList: SemUndoList | undefined;
  hasExited = false;
  /** −20 … 19, and the rest of what scheduling calls set: kept, told back and inherited. */
  nice = 0;
  readonly sched: SchedulingPolicy = { policy: 0, priority: 0, resetOnFork: false, sliceNs: 0 };
  /** As ioprio_set sets it, 0 for none: kept, told back and inherited. */
  ioPriority = 0;
  /** The parent's thread that waits in vfork until this one has its own memory or is gone. */
  vforkParent: Thread | undefined;
  /** Instructions executed, time of its system calls, faults taken, turns given up and turns ended by the scheduler. */
  instructions = 0;
  systemNs = 0;
  minFlt = 0;
  majFlt = 0;
  voluntarySwitches = 0;
  involuntarySwitches = 0;
  #comm: string;
  #mempolicy: Mempolicy | null = null;
  #pidfdTarget: ThreadPidfdTarget | undefined;

  constructor(tid: number, group: ThreadGroup, comm = "") {
    this.tid = tid;
    this.group = group;
    this.#comm = comm;
  }

  /** What a new thread or process begins with (sched_fork, copy_io). */
  inheritScheduling(parent: Thread): void {
    const { resetOnFork, policy, priority, sliceNs } = parent.sched;
    this.nice = resetOnFork ? Math.max(0, parent.nice) : parent.nice;
    if (!resetOnFork) Object.assign(this.sched, { policy, priority, sliceNs });
    // One of no class is none to hand on.
    if (parent.ioPriority >> 13 !== 0) this.ioPriority = parent.ioPriority;
  }

  /** Its name; the leader's is the process's. */
  get comm(): string {
    return this.group.leader === this ? this.group.process.comm : this.#comm;
  }
  set comm(name: string) {
    if (this.group.leader === this) this.group.process.comm = name;
    this.#comm = name;
  }

  /** Its memory policy; the leader's is the process's. */
  get mempolicy(): Mempolicy | null {
    return this.group.leader === this ? this.group.process.mempolicy : this.#mempolicy;
  }
  set mempolicy(policy: Mempolicy | null) {
    if (this.group.leader === this) this.group.process.mempolicy = policy;
    else this.#mempolicy = policy;
  }

  /** What descriptors for it alone stand for (PIDFD_THREAD); the leader's for the process. */
  pidfdTarget(): PidfdTarget {
    const { process, leader } = this.group;
    if (leader === this) return process;
    this.#pidfdTarget ??= new ThreadPidfdTarget(this.tid, process);
    return this.#pidfdTarget;
  }

  /** Its number, which is not the process's, is nobody's any more. */
  releaseTid(): void {
    this.#pidfdTarget?.end();
  }

  /** Signals that are pending for it and that it takes: its own, and of the process's those that are its to take. */
  deliverable(): SigSet {
    const set = this.signals.pending.set.clone();
    this.group.pending.addChosen(set, this);
    return set.deleteAll(this.signals.blocked);
  }

  /** Whether `deliverable` has any. */
  get hasDeliverable(): boolean {
    const own = this.signals.pending.set;
    const shared = this.group.pending.set;
    const { blocked } = this.signals;
    if ((shared.low | shared.high) === 0)
      return ((own.low & ~blocked.low) | (own.high & ~blocked.high)) !== 0;
    return !this.deliverable().isEmpty;
  }
}

/** A process, seen from the machine. */
export class ThreadGroup {
  readonly process: Process;
  leader: Thread;
  /** Those that have not exited, oldest first. */
  readonly threads: Thread[];
  /** The parent's thread that made it, or another one since that has exited. */
  maker: Thread | undefined;
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
  /** Path that the program had when it was started, for reports. */
  exePath = "";
  processGroup: number;
  session: number;
  /** The controlling terminal of its session. */
  terminal: ControllingTerminal | undefined;
  /** Of a session leader: the process group that was in front when its terminal went away, 0 for none. */
  oldForeground = 0;
  /** The signal that stopped it, 0 while it may run; and what a waiting parent has not been told yet. */
  stopSignal = 0;
  stopNews: "stopped" | "continued" | undefined;
  /** It goes on after a stop, and its parent has not been sent a signal about that yet. */
  tellsContinued = false;
  /** Timers of timer_create, by their ids; execve takes them away. */
  readonly posixTimers: Map<number, PosixTimer> = new Map();
  /** Those of them whose signals are put aside while they are ignored, in that order. */
  readonly ignoredTimers: Set<PosixTimer> = new Set();
  nextTimerId = 0;
  /** Instructions executed, system calls made and their time, turns given up and turns ended by the scheduler. */
  instructions = 0;
  systemNs = 0;
  syscalls = 0;
  voluntarySwitches = 0;
  involuntarySwitches = 0;
  /** The same of the children it waited for: instructions, and time of system calls. */
  childInstructions = 0;
  childSystemNs = 0;
  hasExited = false;
  /** It has executed no program since it was made: its parent may still choose its process group (PF_FORKNOEXEC). */
  isAsForked = true;
  /** Membarriers that it has registered for, as the bits of those commands. */
  membarriers = 0;
  /** PR_SET_NO_NEW_PRIVS: no program gives it more rights than it has (set-user-id bits, and what user 0 gains by exec). */
  noNewPrivileges = false;

  constructor(process: Process, handlers: SignalHandlers, exitSignal: number) {
    this.process = process;
    this.leader = new Thread(process.pid, this);
    this.threads = [this.leader];
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
