/**
 * Who waits at which futex (kernel/futex/core.c, the hash buckets).
 *
 * A futex is named by what backs its word, so that processes that map the same file at different addresses mean the same
 * one: a file and the offset in it, or an address space and an address in it. Those that wait at one form a queue, first
 * come first served; whoever leaves a queue was woken, gave up, or was moved to another (requeue).
 */
import type { Thread } from "../thread.ts";

export interface FutexKey {
  /** A MappedObject or an MmStruct. */
  readonly object: object;
  /** Byte offset or address. */
  readonly offset: number;
}

export function isSameKey(a: FutexKey, b: FutexKey): boolean {
  return a.object === b.object && a.offset === b.offset;
}

/**
 * A lock with priority inheritance that somebody waits for (futex_pi_state). It knows its owner whatever the word says.
 * There are no priorities to inherit here; waiters get the lock in the order in which they came.
 */
export class PiState {
  readonly key: FutexKey;
  /** Who has the lock. */
  owner: Thread;

  constructor(key: FutexKey, owner: Thread) {
    this.key = key;
    this.owner = owner;
  }
}

/** One thread at one futex (futex_q). */
export class FutexWaiter {
  readonly thread: Thread;
  /** Where it waits now. */
  key: FutexKey;
  /** Which wakers it listens to: those with a bit in common. */
  readonly bits: number;
  /** It waits for this lock, and is woken as its owner. */
  pi: PiState | undefined;
  /** It waits to be moved to this futex with priority inheritance, whose word is at `piAddress` for it. */
  requeueTo: FutexKey | undefined;
  piAddress = 0;
  isWoken = false;

  constructor(thread: Thread, key: FutexKey, bits: number) {
    this.thread = thread;
    this.key = key;
    this.bits = bits;
  }
}

const NOBODY: readonly FutexWaiter[] = [];

export class FutexTable {
  /** By object and offset; no queue is empty. Objects that are gone take their queues with them. */
  readonly #queues: WeakMap<object, Map<number, FutexWaiter[]>> = new WeakMap();
  /** Locks that somebody waits for. */
  readonly #piStates: Set<PiState> = new Set();

  /** Those that wait at `key`, the first in front. Valid until the next change. */
  at({ object, offset }: FutexKey): readonly FutexWaiter[] {
    return this.#queues.get(object)?.get(offset) ?? NOBODY;
  }

  add(waiter: FutexWaiter): void {
    const { object, offset } = waiter.key;
    let queues = this.#queues.get(object);
    if (queues === undefined) {
      queues = new Map();
      this.#queues.set(object, queues);
    }
    const queue = queues.get(offset);
    if (queue === undefined) queues.set(offset, [waiter]);
    else queue.push(waiter);
    if (waiter.pi !== undefined) this.#piStates.add(waiter.pi);
  }

  /** Takes it out of its queue, if it is in one. */
  remove(waiter: FutexWaiter): void {
    const { object, offset } = waiter.key;
    const queues = this.#queues.get(object);
    const queue = queues?.get(offset);
    const index = queue?.indexOf(waiter) ?? -1;
    if (queues === undefined || queue === undefined || index < 0) return;
    queue.splice(index, 1);
    if (queue.length === 0) queues.delete(offset);
    const { pi } = waiter;
    if (pi !== undefined && !queue.some((other) => other.pi === pi)) this.#piStates.delete(pi);
  }

  wake(waiter: FutexWaiter): void {
    this.remove(waiter);
    waiter.isWoken = true;
  }

  /** Moves it to another futex, behind all that wait there. */
  requeue(waiter: FutexWaiter, key: FutexKey): void {
    this.remove(waiter);
    waiter.key = key;
    this.add(waiter);
  }

  /** The locks that `owner` has and others wait for. */
  ownedBy(owner: Thread): PiState[] {
    return [...this.#piStates].filter((state) => state.owner === owner);
  }
}
