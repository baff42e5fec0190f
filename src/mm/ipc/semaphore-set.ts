/**
 * A set of System V semaphores, and who waits for them (struct sem_array and its queues in ipc/sem.c).
 *
 * Whoever changes a value does at once, on behalf of those who wait, what has become possible by it (`smartUpdate`): they
 * find it done when they run. So the order in which they are served is decided here, by the queues:
 *
 * ```
 *                     waits for zeros only     changes values
 *   one operation     #simpleConst[number]     #simpleAlter[number]; while a complex one waits: #pendingAlter
 *   several           #pendingConst            #pendingAlter
 * ```
 *
 * Each queue is served from its start; one that can't go on does not hold up those behind it. Invariants: `complexCount` is
 * the number of waiters of several operations, and while it is 0, #pendingAlter is empty; no queue in a map is empty.
 */
import { EAGAIN, EIDRM, ERANGE } from "../uapi/errno.ts";
import { IPC_NOWAIT, SEM_UNDO, SEMAEM, SEMVMX } from "../uapi/ipc.ts";
import type { Credentials } from "../vfs/inode.ts";
import { KernIpcPerm } from "./ipc-permission.ts";
import type { SemUndo } from "./sem-undo.ts";

/** The operations of one call of semop, which happen together or not at all: number, operation and flags of each. */
export class SemOps {
  readonly #shorts: Int16Array;

  constructor(shorts: Int16Array) {
    this.#shorts = shorts;
  }

  get count(): number {
    return this.#shorts.length / 3;
  }
  num(i: number): number {
    return this.#shorts[3 * i] & 0xffff;
  }
  op(i: number): number {
    return this.#shorts[3 * i + 1];
  }
  flags(i: number): number {
    return this.#shorts[3 * i + 2];
  }

  /** Whether any of them has the flag. */
  hasFlag(flag: number): boolean {
    for (let i = 0; i < this.count; i++) if ((this.flags(i) & flag) !== 0) return true;
    return false;
  }
  /** Whether they change values, and do not only wait for zeros. */
  get alters(): boolean {
    for (let i = 0; i < this.count; i++) if (this.op(i) !== 0) return true;
    return false;
  }
  /** The semaphores that any of them adds to, in that order, each once. */
  get raised(): Set<number> {
    const raised = new Set<number>();
    for (let i = 0; i < this.count; i++) if (this.op(i) > 0) raised.add(this.num(i));
    return raised;
  }
  get maxNum(): number {
    let max = 0;
    for (let i = 0; i < this.count; i++) max = Math.max(max, this.num(i));
    return max;
  }
}

/** A call of semop: what it wants, and once it has waited, what has come of it (struct sem_queue). */
export class SemWaiter {
  readonly set: SemaphoreSet;
  readonly ops: SemOps;
  readonly alters: boolean;
  readonly undo: SemUndo | undefined;
  readonly pid: number;
  /** The operation that could not be done when it was tried last. */
  blocking = 0;
  /** 0: it is done; -errno: it can't be. Absent while it waits. */
  outcome: number | undefined;

  constructor(set: SemaphoreSet, ops: SemOps, undo: SemUndo | undefined, pid: number) {
    this.set = set;
    this.ops = ops;
    this.alters = ops.alters;
    this.undo = undo;
    this.pid = pid;
  }
}

/** What `perform` answers where the caller has to wait. */
export const MUST_WAIT = 1;

export class SemaphoreSet extends KernIpcPerm {
  readonly nsems: number;
  /** Value, and who changed it last, of each. */
  readonly #cells: Int32Array;
  /** Seconds since the epoch: the last semop that was done, 0 for never; the last change by semctl. */
  otime = 0;
  ctime: number;
  isRemoved = false;
  /** What tasks that will end have for this set. */
  readonly undos: Set<SemUndo> = new Set();
  complexCount = 0;
  #pendingAlter: SemWaiter[] = [];
  readonly #pendingConst: SemWaiter[] = [];
  readonly #simpleAlter: Map<number, SemWaiter[]> = new Map();
  readonly #simpleConst: Map<number, SemWaiter[]> = new Map();

  constructor(key: number, mode: number, nsems: number, maker: Credentials, seconds: number) {
    super(key, mode, maker);
    this.nsems = nsems;
    this.#cells = new Int32Array(2 * nsems);
    this.ctime = seconds;
  }

  value(num: number): number {
    return this.#cells[2 * num];
  }
  /** Who did the last semop, SETVAL or SETALL that changed it, or ended and took something back (sempid). */
  pid(num: number): number {
    return this.#cells[2 * num + 1];
  }
  setValue(num: number, value: number, pid: number): void {
    this.#cells[2 * num] = value;
    this.#cells[2 * num + 1] = pid;
  }

  /**
   * Does all operations of a call or none (perform_atomic_semop): 0; MUST_WAIT; or -EAGAIN where that is not wanted,
   * -ERANGE beyond what a value or an adjustment may be.
   */
  perform(waiter: SemWaiter): number {
    const { ops, undo, pid } = waiter;
    for (let i = 0; i < ops.count; i++) {
      const num = ops.num(i);
      const op = ops.op(i);
      const value = this.value(num);
      const wouldBlock = op === 0 ? value !== 0 : value + op < 0;
      if (wouldBlock) {
        waiter.blocking = i;
        this.#takeBack(waiter, i);
        return (ops.flags(i) & IPC_NOWAIT) !== 0 ? -EAGAIN : MUST_WAIT;
      }
      const adjustment = isUndone(ops, i) && undo !== undefined ? undo.adjustments[num] - op : 0;
      if (value + op > SEMVMX || adjustment < -SEMAEM - 1 || adjustment > SEMAEM) {
        this.#takeBack(waiter, i);
        return -ERANGE;
      }
      if (isUndone(ops, i) && undo !== undefined) undo.adjustments[num] = adjustment;
      this.#cells[2 * num] = value + op;
    }
    for (let i = 0; i < ops.count; i++) this.#cells[2 * ops.num(i) + 1] = pid;
    return 0;
  }

  /** The first `count` operations have not happened. */
  #takeBack({ ops, undo }: SemWaiter, count: number): void {
    for (let i = count - 1; i >= 0; i--) {
      this.#cells[2 * ops.num(i)] -= ops.op(i);
      if (isUndone(ops, i) && undo !== undefined) undo.adjustments[ops.num(i)] += ops.op(i);
    }
  }

  /** Puts a call that has to wait at the end of its queue. */
  enqueue(waiter: SemWaiter): void {
    const { ops, alters } = waiter;
    if (ops.count > 1) {
      if (this.complexCount === 0) this.#mergeQueues();
      (alters ? this.#pendingAlter : this.#pendingConst).push(waiter);
      this.complexCount++;
    } else if (alters && this.complexCount > 0) this.#pendingAlter.push(waiter);
    else addTo(alters ? this.#simpleAlter : this.#simpleConst, waiter);
  }

  /** It waits no longer, and nothing has come of it: a signal, or its time is over. */
  leave(waiter: SemWaiter): void {
    const { ops, alters } = waiter;
    const num = ops.num(0);
    const simple = alters ? this.#simpleAlter : this.#simpleConst;
    for (const queue of [alters ? this.#pendingAlter : this.#pendingConst, simple.get(num) ?? []]) {
      const at = queue.indexOf(waiter);
      if (at >= 0) this.#unlink(queue, at);
    }
    if (simple.get(num)?.length === 0) simple.delete(num);
    this.#unmergeQueues();
  }

  #unlink(queue: SemWaiter[], at: number): SemWaiter {
    const [waiter] = queue.splice(at, 1);
    if (waiter.ops.count > 1) this.complexCount--;
    return waiter;
  }

  /** A complex call is about to wait: those that change values are served in one order from now on. */
  #mergeQueues(): void {
    for (const num of inOrder(this.#simpleAlter))
      this.#pendingAlter.push(...(this.#simpleAlter.get(num) ?? []));
    this.#simpleAlter.clear();
  }

  #unmergeQueues(): void {
    if (this.complexCount > 0) return;
    for (const waiter of this.#pendingAlter) addTo(this.#simpleAlter, waiter);
    this.#pendingAlter = [];
  }

  /**
   * Does for those who wait what has become possible (do_smart_update). Answers who need not wait any more.
   *
   * @param ops what has happened; absent: any value may have changed
   */
  smartUpdate(ops?: SemOps): readonly SemWaiter[] {
    const woken: SemWaiter[] = [];
    this.#wakeZero(ops, woken);
    if (this.#pendingAlter.length > 0) this.#updateQueue(this.#pendingAlter, woken);
    else for (const num of ops?.raised ?? inOrder(this.#simpleAlter)) this.#updateSimple(num, woken);
    this.#unmergeQueues();
    return woken;
  }

  /** Those who wait for the zero that a value may have become (do_smart_wakeup_zero). */
  #wakeZero(ops: SemOps | undefined, woken: SemWaiter[]): void {
    const count = ops?.count ?? this.nsems;
    let gotZero = false;
    for (let i = 0; i < count; i++) {
      const num = ops?.num(i) ?? i;
      if (this.value(num) !== 0) continue;
      gotZero = true;
      const queue = this.#simpleConst.get(num);
      if (queue === undefined) continue;
      this.#wakeConst(queue, woken);
      if (queue.length === 0) this.#simpleConst.delete(num);
    }
    if (gotZero) this.#wakeConst(this.#pendingConst, woken);
  }

  #wakeConst(queue: SemWaiter[], woken: SemWaiter[]): void {
    for (let i = 0; i < queue.length; ) {
      const outcome = this.perform(queue[i]);
      if (outcome === MUST_WAIT) i++;
      else woken.push(this.#end(queue, i, outcome));
    }
  }

  #updateSimple(num: number, woken: SemWaiter[]): void {
    const queue = this.#simpleAlter.get(num);
    if (queue === undefined) return;
    this.#updateQueue(queue, woken, num);
    if (queue.length === 0) this.#simpleAlter.delete(num);
  }

  /**
   * Serves a queue of those who change values, from its start again after each that may have made an earlier one possible
   * (update_queue, check_restart). @param num whose queue it is; absent: the one of all
   */
  #updateQueue(queue: SemWaiter[], woken: SemWaiter[], num?: number): void {
    for (let i = 0; i < queue.length; ) {
      // All in such a queue take something away.
      if (num !== undefined && this.value(num) === 0) break;
      const outcome = this.perform(queue[i]);
      if (outcome === MUST_WAIT) {
        i++;
        continue;
      }
      const waiter = this.#end(queue, i, outcome);
      woken.push(waiter);
      if (outcome !== 0) continue;
      this.#wakeZero(waiter.ops, woken);
      if (this.#pendingAlter.length > 0 || waiter.ops.count > 1) i = 0;
    }
  }

  #end(queue: SemWaiter[], at: number, outcome: number): SemWaiter {
    const waiter = this.#unlink(queue, at);
    waiter.outcome = outcome;
    return waiter;
  }

  /**
   * Who waits for this semaphore to be zero, or to grow (count_semcnt). A complex call waits for the one of the first operation
   * that could not be done.
   */
  countWaiters(num: number, forZero: boolean): number {
    const simple = forZero ? this.#simpleConst : this.#simpleAlter;
    let count = simple.get(num)?.length ?? 0;
    for (const queue of forZero ? [this.#pendingAlter, this.#pendingConst] : [this.#pendingAlter]) {
      for (const { ops, blocking } of queue) {
        if (ops.num(blocking) !== num) continue;
        if (forZero ? ops.op(blocking) === 0 : ops.op(blocking) < 0) count++;
      }
    }
    return count;
  }

  /** It is gone: whoever waits hears of that, and nothing is taken back any more. */
  remove(): void {
    this.isRemoved = true;
    for (const waiter of this.waiters()) waiter.outcome = -EIDRM;
    this.#pendingAlter = [];
    this.#pendingConst.length = 0;
    this.#simpleAlter.clear();
    this.#simpleConst.clear();
    this.complexCount = 0;
    for (const undo of [...this.undos]) undo.unlink();
  }

  /** All, by their queues. */
  *waiters(): Generator<SemWaiter> {
    yield* this.#pendingAlter;
    yield* this.#pendingConst;
    for (const queue of this.#simpleAlter.values()) yield* queue;
    for (const queue of this.#simpleConst.values()) yield* queue;
  }

  /** Whether a call that waits alone waits among all others, though none of them is complex. */
  get isMergedInVain(): boolean {
    return this.complexCount === 0 && this.#pendingAlter.length > 0;
  }
}

function isUndone(ops: SemOps, i: number): boolean {
  return (ops.flags(i) & SEM_UNDO) !== 0;
}

function addTo(queues: Map<number, SemWaiter[]>, waiter: SemWaiter): void {
  const num = waiter.ops.num(0);
  const queue = queues.get(num);
  if (queue === undefined) queues.set(num, [waiter]);
  else queue.push(waiter);
}

function inOrder(queues: Map<number, SemWaiter[]>): number[] {
  return [...queues.keys()].sort((a, b) => a - b);
}
