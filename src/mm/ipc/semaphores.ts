/**
 * System V semaphores (ipc/sem.c): sets of numbers that are raised, lowered and waited for, several of a set at a time.
 *
 * Nothing waits here: a call that has to is put into the queues of its set, where another one's call does it
 * (semaphore-set.ts), and whoever can block its caller looks at the outcome.
 *
 * Invariants: `usedSems` is the sum of the sets' sizes; #cost is the sum of what sets, adjustments for the end of tasks and calls
 * that wait cost the host. There is a bound to that: Linux has them in RAM, of which nothing here counts.
 */
import {
  E2BIG,
  EACCES,
  EEXIST,
  EFBIG,
  EINVAL,
  ENOENT,
  ENOMEM,
  ENOSPC,
  EPERM,
  ERANGE,
} from "../uapi/errno.ts";
import {
  IPC_CREAT,
  IPC_EXCL,
  IPC_PRIVATE,
  SEM_UNDO,
  SEMMNI,
  SEMMNS,
  SEMMSL,
  SEMOPM,
  SEMVMX,
} from "../uapi/ipc.ts";
import type { Credentials } from "../vfs/inode.ts";
import { IpcIds } from "./ipc-ids.ts";
import {
  type IpcChange,
  ipcPermits,
  isIpcOwner,
  PERMISSION_BITS,
  S_IRUGO,
  S_IWUGO,
  updateIpcPerm,
} from "./ipc-permission.ts";
import { SemUndo, type SemUndoHolder, SemUndoList } from "./sem-undo.ts";
import { MUST_WAIT, SemaphoreSet, type SemOps, SemWaiter } from "./semaphore-set.ts";

const NS_PER_SECOND = 1e9;
/** What everything together may cost: sets of which the most usual number has one semaphore each fit. */
const MAX_COST = 2 ** 24;
const SET_COST = 512;
const SEMAPHORE_COST = 8;
const UNDO_COST = 256;
const ADJUSTMENT_COST = 2;
const WAITER_COST = 256;
/** More than its memory: whoever changes a value may have to try all that wait, again after each that goes on. */
const OPERATION_COST = 64;
const OPERATION_BYTES = 6;

/** Who asks. */
export interface SemTask extends Credentials {
  readonly pid: number;
}

export function costOfSet({ nsems }: SemaphoreSet): number {
  return SET_COST + nsems * SEMAPHORE_COST;
}
export function costOfUndo({ adjustments }: SemUndo): number {
  return UNDO_COST + adjustments.length * ADJUSTMENT_COST;
}
export function costOfWaiter({ ops }: SemWaiter): number {
  return WAITER_COST + ops.count * OPERATION_COST;
}

export class Semaphores {
  readonly sets: IpcIds<SemaphoreSet> = new IpcIds();
  /** kernel.sem: semaphores of a set, of all sets, operations of a call, sets. Any int but for the last. */
  semmsl: number = SEMMSL;
  semmns: number = SEMMNS;
  semopm: number = SEMOPM;
  semmni: number = SEMMNI;
  /** Semaphores of all sets. */
  usedSems = 0;
  #cost = 0;
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  get cost(): number {
    return this.#cost;
  }

  get #seconds(): number {
    return Math.floor(this.#now() / NS_PER_SECOND);
  }

  /** Takes so much of what everything may cost, if it is there. */
  #charge(cost: number): boolean {
    if (this.#cost + cost > MAX_COST) return false;
    this.#cost += cost;
    return true;
  }

  /** semget(2). */
  get(task: SemTask, key: number, nsems: number, flags: number): number {
    if (nsems < 0 || nsems > this.semmsl) return -EINVAL;
    const set = key === IPC_PRIVATE ? undefined : this.sets.withKey(key);
    if (set === undefined) {
      if (key !== IPC_PRIVATE && (flags & IPC_CREAT) === 0) return -ENOENT;
      return this.#make(task, key, nsems, flags);
    }
    if ((flags & (IPC_CREAT | IPC_EXCL)) === (IPC_CREAT | IPC_EXCL)) return -EEXIST;
    if (nsems > set.nsems) return -EINVAL;
    return ipcPermits(task, set, flags) ? set.id : -EACCES;
  }

  /** newary */
  #make(task: SemTask, key: number, nsems: number, flags: number): number {
    if (nsems === 0) return -EINVAL;
    if (this.usedSems + nsems > this.semmns) return -ENOSPC;
    const cost = SET_COST + nsems * SEMAPHORE_COST;
    if (!this.#charge(cost)) return -ENOMEM;
    const set = new SemaphoreSet(key, flags & PERMISSION_BITS, nsems, task, this.#seconds);
    const id = this.sets.add(set, this.semmni);
    if (id < 0) this.#cost -= cost;
    else this.usedSems += nsems;
    return id;
  }

  /** Whether a call may have so many operations: 0, -EINVAL, -E2BIG, or -ENOMEM where the host could not hold them. */
  checkCount(count: number): number {
    if (count < 1) return -EINVAL;
    // The limit is an int, of which all bits count here.
    if (count > this.semopm >>> 0) return -E2BIG;
    return count * OPERATION_BYTES > MAX_COST ? -ENOMEM : 0;
  }

  /** semop(2): 0 or -errno; or as what the caller waits now, until there is an outcome or it leaves. */
  operate(task: SemTask, holder: SemUndoHolder, id: number, ops: SemOps): number | SemWaiter {
    const set = this.sets.withId(id);
    if (set === undefined) return -EINVAL;
    const undo = ops.hasFlag(SEM_UNDO) ? this.#undoFor(holder, set) : undefined;
    if (undo === null) return -ENOMEM;
    if (ops.maxNum >= set.nsems) return -EFBIG;
    const waiter = new SemWaiter(set, ops, undo, task.pid);
    if (!ipcPermits(task, set, waiter.alters ? S_IWUGO : S_IRUGO)) return -EACCES;
    const done = set.perform(waiter);
    if (done === MUST_WAIT) {
      if (!this.#charge(costOfWaiter(waiter))) return -ENOMEM;
      set.enqueue(waiter);
      return waiter;
    }
    if (done !== 0) return done;
    if (waiter.alters) this.#update(set, ops);
    set.otime = this.#seconds;
    return 0;
  }

  /** find_alloc_undo; null where there is no memory for it. */
  #undoFor(holder: SemUndoHolder, set: SemaphoreSet): SemUndo | null {
    holder.undoList ??= new SemUndoList();
    const found = holder.undoList.find(set);
    if (found !== undefined) return found;
    return this.#charge(UNDO_COST + set.nsems * ADJUSTMENT_COST) ? new SemUndo(holder.undoList, set) : null;
  }

  /** Values have changed: who waits for that goes on. @param ops how; absent: any may have */
  #update(set: SemaphoreSet, ops?: SemOps): void {
    for (const waiter of set.smartUpdate(ops)) {
      this.#cost -= costOfWaiter(waiter);
      if (waiter.outcome === 0) set.otime = this.#seconds;
    }
  }

  /** A call waits no longer, if nothing has come of it by now. @param outcome -EINTR or -EAGAIN */
  leave(waiter: SemWaiter, outcome: number): void {
    if (waiter.outcome !== undefined) return;
    waiter.outcome = outcome;
    waiter.set.leave(waiter);
    this.#cost -= costOfWaiter(waiter);
  }

  /** The task ends, or shares its operations with nobody any more: the last one takes them back (exit_sem). */
  exit(task: SemTask, holder: SemUndoHolder): void {
    const { undoList } = holder;
    if (undoList === undefined) return;
    holder.undoList = undefined;
    if (--undoList.users > 0) return;
    for (const undo of undoList.latestFirst) {
      const { set, adjustments } = undo;
      undo.unlink();
      this.#cost -= costOfUndo(undo);
      for (let num = 0; num < set.nsems; num++) {
        if (adjustments[num] === 0) continue;
        const value = set.value(num) + adjustments[num];
        set.setValue(num, Math.min(Math.max(value, 0), SEMVMX), task.pid);
      }
      this.#update(set);
      set.otime = this.#seconds;
    }
  }

  /** The set with this id, if it may be used so: S_IRUGO, S_IWUGO. Or -errno. */
  obtain(task: SemTask, id: number, access: number): SemaphoreSet | number {
    const set = this.sets.withId(id);
    if (set === undefined) return -EINVAL;
    return ipcPermits(task, set, access) ? set : -EACCES;
  }

  /** The set of a single semaphore that is asked about (GETVAL and its like). */
  obtainOne(task: SemTask, id: number, num: number): SemaphoreSet | number {
    const set = this.obtain(task, id, S_IRUGO);
    return typeof set !== "number" && (num < 0 || num >= set.nsems) ? -EINVAL : set;
  }

  /** SETVAL. */
  setVal(task: SemTask, id: number, num: number, value: number): number {
    if (value < 0 || value > SEMVMX) return -ERANGE;
    const set = this.sets.withId(id);
    if (set === undefined || num < 0 || num >= set.nsems) return -EINVAL;
    if (!ipcPermits(task, set, S_IWUGO)) return -EACCES;
    for (const { adjustments } of set.undos) adjustments[num] = 0;
    set.setValue(num, value, task.pid);
    this.#changed(set);
    return 0;
  }

  /** SETALL, of a set that the caller has obtained: a value for each. */
  setAll(task: SemTask, set: SemaphoreSet, values: Uint16Array): number {
    if (values.some((value) => value > SEMVMX)) return -ERANGE;
    for (const { adjustments } of set.undos) adjustments.fill(0);
    for (let num = 0; num < set.nsems; num++) set.setValue(num, values[num], task.pid);
    this.#changed(set);
    return 0;
  }

  #changed(set: SemaphoreSet): void {
    set.ctime = this.#seconds;
    this.#update(set);
  }

  /** IPC_STAT: the set with this id; SEM_STAT: in this slot. @param any asks for no permission (SEM_STAT_ANY) */
  stat(task: SemTask, id: number, isSlot: boolean, any: boolean): SemaphoreSet | number {
    const set = isSlot ? this.sets.inSlotOf(id) : this.sets.withId(id);
    if (set === undefined) return -EINVAL;
    return any || ipcPermits(task, set, S_IRUGO) ? set : -EACCES;
  }

  /** IPC_SET. */
  set(task: SemTask, id: number, change: IpcChange): number {
    const set = this.sets.withId(id);
    if (set === undefined) return -EINVAL;
    if (!isIpcOwner(task, set)) return -EPERM;
    const failed = updateIpcPerm(set, change);
    if (failed === 0) set.ctime = this.#seconds;
    return failed;
  }

  /** IPC_RMID: it is gone, and whoever waits for it hears of that. */
  remove(task: SemTask, id: number): number {
    const set = this.sets.withId(id);
    if (set === undefined) return -EINVAL;
    if (!isIpcOwner(task, set)) return -EPERM;
    for (const waiter of set.waiters()) this.#cost -= costOfWaiter(waiter);
    for (const undo of set.undos) this.#cost -= costOfUndo(undo);
    this.#cost -= costOfSet(set);
    set.remove();
    this.sets.remove(set);
    this.usedSems -= set.nsems;
    return 0;
  }
}
