/** What /proc shows of programs that run: the machine's side of it. */
import type { SignalBits, SystemActivity, TaskActivity, ThreadActivity } from "../../mm/proc/proc-task.ts";
import type { PidfdTarget } from "../../mm/vfs/pidfd.ts";
import type { Mempolicy } from "../../mm/vma/mempolicy.ts";
import type { LoadAverage } from "../load-average.ts";
import { SIG_DFL, SIG_IGN } from "../signals/signal-numbers.ts";
import { SigSet } from "../signals/sigset.ts";
import type { System } from "../system.ts";
import type { Thread, ThreadGroup } from "../thread.ts";
import { childUsage, ownUsage, threadUsage } from "./usage.ts";

const NSIG = 64;
/** What Linux gives every process: 50 µs. */
const DEFAULT_SLACK_NS = 50_000;

/** One thread, while it is there. */
class OneThread implements ThreadActivity {
  readonly startNs: number;
  readonly #system: System;
  readonly #thread: Thread;

  constructor(system: System, thread: Thread) {
    this.#system = system;
    this.#thread = thread;
    this.startNs = system.clock.monotonicNs();
  }

  get tid(): number {
    return this.#thread.tid;
  }
  get pidfdTarget(): PidfdTarget {
    return this.#thread.pidfdTarget();
  }
  get comm(): string {
    return this.#thread.comm;
  }
  set comm(name: string) {
    this.#thread.comm = name;
  }

  get hasExited(): boolean {
    return this.#thread.hasExited;
  }

  get state(): string {
    const { group, wait } = this.#thread;
    if (this.hasExited) return "Z (zombie)";
    if (group.stopSignal !== 0) return "T (stopped)";
    if (wait === undefined) return "R (running)";
    return wait.killableOnly === true ? "D (disk sleep)" : "S (sleeping)";
  }

  get userNs(): number {
    return threadUsage(this.#system, this.#thread).userNs;
  }
  get minFlt(): number {
    return threadUsage(this.#system, this.#thread).minFlt;
  }
  get majFlt(): number {
    return threadUsage(this.#system, this.#thread).majFlt;
  }
  get voluntarySwitches(): number {
    return this.#thread.voluntarySwitches;
  }
  get involuntarySwitches(): number {
    return this.#thread.involuntarySwitches;
  }
  get nice(): number {
    return this.#thread.nice;
  }
  get policy(): number {
    return this.#thread.sched.policy;
  }
  get realTimePriority(): number {
    return this.#thread.sched.priority;
  }
  get mempolicy(): Mempolicy | null {
    return this.#thread.mempolicy;
  }
  get pending(): SignalBits {
    return this.#thread.signals.pending.set;
  }
  get blocked(): SignalBits {
    return this.#thread.signals.blocked;
  }
}

/** One process, from when it was made until it is waited for. */
export class ProcessActivity implements TaskActivity {
  readonly startNs: number;
  readonly #system: System;
  readonly #group: ThreadGroup;
  readonly #threads: WeakMap<Thread, ThreadActivity> = new WeakMap();
  #timerSlackNs: number;
  /** What the parent had when it was made: 0 brings that back. */
  readonly #defaultSlackNs: number;

  constructor(system: System, group: ThreadGroup) {
    this.#system = system;
    this.#group = group;
    this.startNs = system.clock.monotonicNs();
    const { parent } = group.process;
    this.#defaultSlackNs = parent?.activity?.timerSlackNs ?? DEFAULT_SLACK_NS;
    this.#timerSlackNs = this.#defaultSlackNs;
    this.begin(group.leader);
  }

  get threads(): readonly ThreadActivity[] {
    const { leader, threads } = this.#group;
    const others = threads.filter((thread) => thread !== leader);
    return [leader, ...others].map((thread) => this.#activityOf(thread));
  }

  #activityOf(thread: Thread): ThreadActivity {
    let activity = this.#threads.get(thread);
    if (activity === undefined) {
      activity = new OneThread(this.#system, thread);
      this.#threads.set(thread, activity);
    }
    return activity;
  }

  /** Notes when the thread began. */
  begin(thread: Thread): void {
    this.#activityOf(thread);
  }

  get state(): string {
    return this.#activityOf(this.#group.leader).state;
  }

  get processGroup(): number {
    return this.#group.processGroup;
  }
  get session(): number {
    return this.#group.session;
  }
  get terminal(): { readonly rdev: number; readonly foreground: number } | undefined {
    return this.#group.terminal;
  }
  get userNs(): number {
    return ownUsage(this.#system, this.#group).userNs;
  }
  get systemNs(): number {
    return ownUsage(this.#system, this.#group).systemNs;
  }
  get childUserNs(): number {
    return childUsage(this.#group).userNs;
  }
  get childSystemNs(): number {
    return childUsage(this.#group).systemNs;
  }
  get voluntarySwitches(): number {
    return this.#group.voluntarySwitches;
  }
  get involuntarySwitches(): number {
    return this.#group.involuntarySwitches;
  }
  get exitSignal(): number {
    return this.#group.exitSignal;
  }
  get personality(): number {
    return this.#group.personality;
  }
  get noNewPrivileges(): boolean {
    return this.#group.noNewPrivileges;
  }

  get timerSlackNs(): number {
    return this.#timerSlackNs;
  }
  set timerSlackNs(ns: number) {
    this.#timerSlackNs = ns === 0 ? this.#defaultSlackNs : ns;
  }

  get queuedSignals(): number {
    let queued = this.#group.pending.length;
    for (const { signals } of this.#group.threads) queued += signals.pending.length;
    return queued;
  }
  get pending(): SignalBits {
    return this.#group.leader.signals.pending.set;
  }
  get sharedPending(): SignalBits {
    return this.#group.pending.set;
  }
  get blocked(): SignalBits {
    return this.#group.leader.signals.blocked;
  }
  get ignored(): SignalBits {
    return this.#signalsWhere((handler) => handler === SIG_IGN);
  }
  get caught(): SignalBits {
    return this.#signalsWhere((handler) => handler !== SIG_IGN && handler !== SIG_DFL);
  }

  #signalsWhere(holds: (handler: number) => boolean): SigSet {
    const set = new SigSet();
    for (let signal = 1; signal <= NSIG; signal++) {
      if (holds(this.#group.handlers.of(signal).handler)) set.add(signal);
    }
    return set;
  }
}

/** The whole machine. */
export class MachineActivity implements SystemActivity {
  readonly #system: System;
  readonly #load: LoadAverage;

  constructor(system: System, load: LoadAverage) {
    this.#system = system;
    this.#load = load;
  }

  get uptimeNs(): number {
    return this.#system.clock.monotonicNs();
  }

  get busyNs(): number {
    return this.#system.workedNs;
  }

  get contextSwitches(): number {
    return this.#system.contextSwitches;
  }

  get currentTid(): number {
    return this.#system.current?.tid ?? 0;
  }

  get threads(): number {
    return this.#system.threadCount;
  }

  get running(): number {
    return this.#system.threads.filter(({ wait, group }) => wait === undefined && group.stopSignal === 0)
      .length;
  }

  get blocked(): number {
    return this.#system.threads.filter(({ wait }) => wait?.killableOnly === true).length;
  }

  get loads(): readonly number[] {
    return this.#load.averages;
  }
}
