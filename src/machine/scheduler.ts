/**
 * Who runs next, and a turn of running: the part of the machine that a kernel's entry code and scheduler are.
 *
 * ```
 *   pick ─▶ load registers ─▶ deliver signals ─▶ hart.run ─▶ why did it stop?
 *    ▲                            ▲                           ecall     serve the call
 *    │                            └── turn not over ◀──────── fault     signal
 *    └── save registers ◀─── turn over, waiting, ended ◀───── budget
 * ```
 *
 * Threads take turns, each for a number of instructions, which a seed may vary, or for system calls that take as long: nothing
 * depends on the host's time. Whoever had a turn goes to the end of the queue. A thread that waits keeps its place, and is
 * asked there whether it can go on: so of several that wait for the same, the first comes first. When none can, time jumps to
 * the next deadline.
 */

import type { Prng } from "../lib/prng.ts";
import { PG_ICACHE } from "../mm/frames/page-flags.ts";
import { becomeCurrent } from "../mm/kernel/task-lifecycle.ts";
import { PAGE_SHIFT } from "../mm/page.ts";
import { ACCESS_EXEC } from "../mm/pagetable/access.ts";
import { OOM_KILL, PGALLOC, PGFREE, PGSCAN_ANON, PGSCAN_FILE } from "../mm/trace/vmstat.ts";
import { EAGAIN, ENOSYS } from "../mm/uapi/errno.ts";
import { ERESTART_WOULD_BLOCK } from "../mm/vfs/would-block.ts";
import { highHalf, lowHalf, u64FromHalves } from "./abi/bytes.ts";
import {
  Hart,
  STOP_BUDGET,
  STOP_EBREAK,
  STOP_ECALL,
  STOP_FAULT,
  STOP_ILLEGAL,
  STOP_MISALIGNED,
  type Stop,
  type Translate,
} from "./cpu/hart.ts";
import { exitGroup, stopGroup, tellContinued } from "./life/exit.ts";
import { checkCpuLimit } from "./signals/cpu-limit.ts";
import { deliverSignals, endByStop, type SignalEffects } from "./signals/deliver-signal.ts";
import { ITIMER_REAL, rearmRealTimer, runIntervalTimers } from "./signals/interval-timer.ts";
import { forceSignal } from "./signals/send-signal.ts";
import { faultInfo } from "./signals/siginfo.ts";
import type { FrameOwner } from "./signals/signal-frame.ts";
import {
  BUS_ADRALN,
  ILL_ILLOPC,
  SIGBUS,
  SIGILL,
  SIGKILL,
  SIGSTOP,
  SIGTRAP,
  TRAP_BRKPT,
} from "./signals/signal-numbers.ts";
import { BLOCKED, Call, REGISTERS_SET } from "./syscalls/call.ts";
import { costOf } from "./syscalls/cost.ts";
import { SYSCALLS } from "./syscalls/table.ts";
import type { System } from "./system.ts";
import type { Thread } from "./thread.ts";
import { isOrphaned } from "./tty/job-control.ts";

const A0 = 10;
const A7 = 17;
const ECALL_BYTES = 4;
/**
 * Pages that the kernel may hand out, take back and scan on behalf of a turn before that is over: where memory is short or
 * calls are large, a few instructions can take as long as all others of it, and whoever waits for the end of the turn (the
 * host, for signals) must not wait for ever.
 */
const PAGES_OF_A_TURN = 100_000;

/** What became of a turn: somebody ran; all wait, the first until a time; all wait for ever; nobody is left. */
export type Turn =
  | { readonly kind: "ran" }
  | { readonly kind: "idle"; readonly untilNs: number }
  | { readonly kind: "stuck" }
  | { readonly kind: "done" };

const RAN: Turn = { kind: "ran" };
const STUCK: Turn = { kind: "stuck" };
const DONE: Turn = { kind: "done" };

export class Scheduler {
  readonly #system: System;
  readonly #quantum: number;
  readonly #random: Prng | undefined;
  readonly #effects: SignalEffects;
  /** The thread whose registers the hart holds. */
  #loaded: Thread | undefined;

  /** @param random where the lengths of turns come from; without it all are the same */
  constructor(system: System, quantum: number, random?: Prng) {
    this.#system = system;
    this.#random = random;
    this.#quantum = quantum;
    this.#effects = {
      terminate: (group, signal) => exitGroup(system, group, signal),
      // Nobody would continue an orphan; only SIGSTOP asks for no one.
      stop: (group, signal) => {
        if (signal === SIGSTOP || !isOrphaned(system, group.processGroup)) stopGroup(system, group, signal);
      },
      onDeliver: (thread, info) => {
        rearmRealTimer(system, thread.group, info.signal);
        const { tracer } = system.kernel;
        if (!tracer.enabled) return;
        const { signal, code, address } = info;
        tracer.emit({ type: "signal", pid: thread.group.pid, signal, code, address });
      },
    };
  }

  /** Gives the next thread that can run its turn. */
  turn(): Turn {
    const { threads } = this.#system;
    if (threads.length === 0) return DONE;
    for (const group of this.#system.groups.values()) {
      if (group.hasExited) continue;
      runIntervalTimers(this.#system, group);
      checkCpuLimit(this.#system, group);
    }
    this.#system.timers.run();
    this.#system.kernel.runFlusher();
    for (let i = 0; i < threads.length; i++) {
      const thread = threads[i];
      if (!this.#canRun(thread)) continue;
      threads.splice(i, 1);
      threads.push(thread);
      this.#run(thread);
      return RAN;
    }
    let untilNs = this.#system.timers.nextNs;
    for (const { wait, group } of threads) {
      // Nothing that comes with time lets a stopped process go on.
      if (group.stopSignal !== 0) continue;
      if (wait !== undefined) untilNs = Math.min(untilNs, wait.deadlineNs);
      const alarm = group.timers[ITIMER_REAL];
      if (alarm.isRunning) untilNs = Math.min(untilNs, alarm.expiresNs);
    }
    if (untilNs === Number.POSITIVE_INFINITY) return STUCK;
    return { kind: "idle", untilNs: Math.min(untilNs, this.#flusherWakesNs()) };
  }

  /** When the flusher is due, on the monotonic clock; Infinity when it is not, or the kernel goes by another clock. */
  #flusherWakesNs(): number {
    const { clock, kernel } = this.#system;
    const atNs = kernel.mounts.writeback.nextWakeNs - clock.bootNs;
    return atNs > clock.monotonicNs() ? atNs : Number.POSITIVE_INFINITY;
  }

  #canRun(thread: Thread): boolean {
    const { wait, group } = thread;
    const isKilled = thread.hasDeliverable && thread.deliverable().has(SIGKILL);
    if (isKilled) return true;
    if (group.stopSignal !== 0) return false;
    if (wait === undefined || thread.wasStopped) return true;
    this.#system.asked = thread;
    if (wait.isReady() || this.#system.clock.monotonicNs() >= wait.deadlineNs) return true;
    return wait.killableOnly !== true && thread.hasDeliverable;
  }

  #run(thread: Thread): void {
    const system = this.#system;
    const { hart } = system;
    const { group } = thread;
    if (this.#loaded !== thread) {
      hart.loadState(thread.state);
      system.contextSwitches++;
    }
    this.#loaded = thread;
    system.current = thread;
    becomeCurrent(group.process);
    system.turnStart = hart.instret;
    system.turnSystemNs = system.systemNs;
    system.turnMinFlt = group.process.minFlt;
    system.turnMajFlt = group.process.majFlt;
    system.yields = false;
    system.isOutOfTime = false;
    system.workLimit = workedPages(system) + PAGES_OF_A_TURN;
    if (group.tellsContinued) tellContinued(system, group);
    this.#resume(thread);
    const end = system.workedNs + this.#turnLength();
    while (!system.yields && !system.isOutOfTime && this.#isRunning(thread) && system.workedNs < end) {
      const { tlb } = group.process.mm;
      system.kernel.tlbs.activate(tlb);
      const stop = hart.run(tlb.base, end - system.workedNs);
      system.clock.instructionsExecuted?.(system.workedNs);
      if (stop !== STOP_BUDGET) this.#serve(thread, stop);
      this.#leaveKernel(thread);
    }
    if (system.yields || thread.wait !== undefined) {
      group.voluntarySwitches++;
      thread.voluntarySwitches++;
    } else if (!thread.hasExited) {
      group.involuntarySwitches++;
      thread.involuntarySwitches++;
    }
    if (!thread.hasExited) system.settleTurn();
    system.current = undefined;
    hart.saveState(thread.state);
  }

  #isRunning({ wait, group, hasExited }: Thread): boolean {
    return wait === undefined && !hasExited && group.stopSignal === 0;
  }

  /** Where others could run, a seed makes turns of half to one and a half times the usual length. */
  #turnLength(): number {
    if (this.#random === undefined || this.#system.threads.length === 1) return this.#quantum;
    return Math.max(1, Math.floor(this.#quantum / 2)) + this.#random.below(this.#quantum);
  }

  /** Back to the program: with its signals, or not at all. */
  #leaveKernel(thread: Thread): void {
    const { group } = thread;
    // Chosen by itself, for want of memory, while it was in the kernel.
    if (group.process.isOomVictim && !group.hasExited) exitGroup(this.#system, group, SIGKILL);
    this.#deliver(thread);
  }

  /**
   * A thread that waited goes on: with the same call again, or with a signal that ends it. The call is made from the registers:
   * whatever has become of the instruction meanwhile, the program is still in the kernel.
   */
  #resume(thread: Thread): void {
    const { wait, group } = thread;
    this.#system.asked = thread;
    // Nothing that it waits for, and no stop, holds this off.
    if (thread.hasDeliverable && thread.deliverable().has(SIGKILL)) {
      exitGroup(this.#system, group, SIGKILL);
      return;
    }
    if (wait !== undefined && (wait.isReady() || this.#system.clock.monotonicNs() >= wait.deadlineNs)) {
      thread.wait = undefined;
      thread.wasStopped = false;
      this.#syscall(thread);
      this.#leaveKernel(thread);
      return;
    }
    this.#deliver(thread);
    if (thread.wasStopped) endByStop(thread, this.#system.hart);
  }

  #deliver(thread: Thread): void {
    if (!thread.hasDeliverable && thread.signals.saved === undefined) return;
    if (thread.wait?.killableOnly === true) return;
    deliverSignals(thread, this.#frameOwner(thread), this.#effects, thread.wait?.interrupted);
  }

  #frameOwner({ group, signals }: Thread): FrameOwner {
    const { mmu, hart } = this.#system;
    return { mmu, task: group.process, registers: hart, signals, sigreturn: group.process.mm.vdso };
  }

  #serve(thread: Thread, stop: Stop): void {
    const { hart, mmu } = this.#system;
    const { pc } = hart;
    const signalAtPc = (signal: number, code: number): void =>
      forceSignal(thread, faultInfo(signal, code, lowHalf(pc), highHalf(pc)));
    switch (stop) {
      case STOP_ECALL:
        this.#syscall(thread);
        break;
      case STOP_EBREAK:
        signalAtPc(SIGTRAP, TRAP_BRKPT);
        break;
      case STOP_ILLEGAL:
        signalAtPc(SIGILL, ILL_ILLOPC);
        break;
      case STOP_MISALIGNED:
        signalAtPc(SIGBUS, BUS_ADRALN);
        break;
      case STOP_FAULT:
        // Nothing failed: the access is made again in the next turn.
        if (this.#system.isOutOfTime) break;
        if (mmu.faultSignal === SIGKILL) this.#outOfMemory(thread);
        else
          forceSignal(
            thread,
            faultInfo(mmu.faultSignal, mmu.faultCode, this.#system.faultLow, this.#system.faultHigh),
          );
        break;
    }
  }

  /**
   * No frame is left for the page that it needs. If nobody could be chosen to go for it, it has to go itself, with whoever
   * shares its memory.
   */
  #outOfMemory({ group }: Thread): void {
    const system = this.#system;
    const { process } = group;
    if (!process.isOomVictim) system.kernel.phys.stat[OOM_KILL]++;
    const { mm } = process;
    for (const other of [...system.groups.values()]) {
      if (!other.hasExited && other.process.mm === mm) exitGroup(system, other, SIGKILL);
    }
  }

  #syscall(thread: Thread): void {
    const system = this.#system;
    const { hart, kernel } = system;
    const { tracer } = kernel;
    const call = new Call(system, thread);
    const nr = hart.getXU(A7);
    const entry = SYSCALLS[nr];
    const isFirstTry = thread.callState === undefined && thread.waitingIn === undefined;
    if (isFirstTry) {
      thread.group.syscalls++;
      system.countSyscall(nr, entry?.name);
    }
    const traced = tracer.enabled
      ? Array.from({ length: entry?.args ?? 6 }, (_, i) => call.s64(i))
      : undefined;
    if (!isFirstTry) thread.heldFiles.lend(call.process);
    let result = entry === undefined ? -ENOSYS : entry.handler(call);
    if (result === BLOCKED) thread.heldFiles.hold(call, entry?.name);
    if (!isFirstTry) thread.heldFiles.takeBack(call.process);
    system.systemNs += costOf(entry?.name, result);
    if (workedPages(system) > system.workLimit || kernel.phys.fatalSignalPending()) system.isOutOfTime = true;
    if (result === BLOCKED) {
      thread.waitingIn = entry?.name;
      return;
    }
    thread.callState = undefined;
    thread.waitingIn = undefined;
    thread.heldFiles.release();
    if (result === -ERESTART_WOULD_BLOCK) result = -EAGAIN;
    if (result !== REGISTERS_SET) {
      hart.setX(A0, result);
      hart.pc += ECALL_BYTES;
    }
    if (traced !== undefined) {
      const name = entry?.name ?? `syscall_${nr}`;
      const answer = result === REGISTERS_SET ? 0 : result;
      tracer.emit({ type: "syscall", pid: thread.group.pid, name, args: traced, result: answer });
    }
  }
}

/** How many pages were handed out, taken back and looked at by reclaim. */
function workedPages({ kernel }: System): number {
  const { stat } = kernel.phys;
  return stat[PGALLOC] + stat[PGFREE] + stat[PGSCAN_ANON] + stat[PGSCAN_FILE];
}

/** Makes the hart of a system: its TLB misses go to the MMU on behalf of the thread that runs. */
export function makeHart(
  system: () => System,
  memory: WebAssembly.Memory,
  base: number,
  module: WebAssembly.Module | undefined,
): Hart {
  const translate: Translate = (low, high, access) => {
    const { current, mmu, kernel } = system();
    if (current === undefined) throw new TypeError("translate: nobody is running");
    const { process } = current.group;
    if (workedPages(system()) > system().workLimit) {
      system().isOutOfTime = true;
      return -1;
    }
    let frame = mmu.translate(process, u64FromHalves(low, high), access);
    if (process.isOomVictim) {
      // Got its page from what is kept back for those who die, and does not come to use it.
      mmu.faultSignal = SIGKILL;
      frame = -1;
    }
    if (frame < 0) {
      system().faultLow = low;
      system().faultHigh = high;
      return -1;
    }
    // Whoever rewrites this frame must say so (PhysicalMemory.flushIcache): it holds decoded instructions.
    if (access === ACCESS_EXEC) kernel.phys.frames.flags[frame >>> PAGE_SHIFT] |= PG_ICACHE;
    return frame;
  };
  const readTime = (): number => Math.floor(system().clock.monotonicNs() / 100);
  return new Hart({ memory, base, translate, readTime, ...(module === undefined ? {} : { module }) });
}
