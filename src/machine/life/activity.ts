/** What /proc shows of programs that run: the machine's side of it. */
import type { SignalBits, SystemActivity, TaskActivity } from "../../mm/proc/proc-task.ts";
import type { LoadAverage } from "../load-average.ts";
import { SIG_DFL, SIG_IGN } from "../signals/signal-numbers.ts";
import { SigSet } from "../signals/sigset.ts";
import type { System } from "../system.ts";
import type { ThreadGroup } from "../thread.ts";
import { childUsage, ownUsage } from "./usage.ts";

const NSIG = 64;
/** What Linux gives every process: 50 µs. */
const DEFAULT_SLACK_NS = 50_000;

/** One process, from when it was made until it is waited for. */
export class ProcessActivity implements TaskActivity {
  readonly startNs: number;
  readonly #system: System;
  readonly #group: ThreadGroup;
  #timerSlackNs: number;

  constructor(system: System, group: ThreadGroup) {
    this.#system = system;
    this.#group = group;
    this.startNs = system.clock.monotonicNs();
    const { parent } = group.process;
    this.#timerSlackNs = parent?.activity?.timerSlackNs ?? DEFAULT_SLACK_NS;
  }

  get state(): string {
    const { stopSignal, leader } = this.#group;
    if (stopSignal !== 0) return "T (stopped)";
    if (leader.wait === undefined) return "R (running)";
    return leader.wait.killableOnly === true ? "D (disk sleep)" : "S (sleeping)";
  }

  get processGroup(): number {
    return this.#group.processGroup;
  }
  get session(): number {
    return this.#group.session;
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
  get nice(): number {
    return this.#group.nice;
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
    this.#timerSlackNs = ns === 0 ? DEFAULT_SLACK_NS : ns;
  }

  get queuedSignals(): number {
    return this.#group.pending.length + this.#group.leader.signals.pending.length;
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

  /** An instruction takes a nanosecond. */
  get busyNs(): number {
    return this.#system.hart.instret;
  }

  get contextSwitches(): number {
    return this.#system.contextSwitches;
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
