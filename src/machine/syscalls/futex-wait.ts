/** What the futex calls share: the futex of an address, the time of a wait, and going to sleep. */
import { getUserU32 } from "../../mm/fault/uaccess.ts";
import type { Access } from "../../mm/pagetable/access.ts";
import { EAGAIN, EFAULT, EINVAL, ETIMEDOUT } from "../../mm/uapi/errno.ts";
import { getTimespec, isValidTimespec, nsOf, TIMESPEC_BYTES } from "../abi/structs.ts";
import { futexKey } from "../futex/futex-key.ts";
import { type FutexKey, type FutexTable, FutexWaiter } from "../futex/futex-table.ts";
import type { Wait } from "../thread.ts";
import type { Call } from "./call.ts";
import { ERESTART_RESTARTBLOCK, ERESTARTSYS } from "./restart.ts";

export const FUTEX_PRIVATE_FLAG = 128;

/** What backs the word at `addr`, in the sense of the call's flags; or negative errno. */
export function keyAt(call: Call, addr: number, access: Access): FutexKey | number {
  const isPrivate = (call.s32(1) & FUTEX_PRIVATE_FLAG) !== 0;
  return futexKey(call.system.mmu, call.process, addr, isPrivate, access);
}

/**
 * When a wait ends whose time is at `at` (0: never), on the monotonic clock: so long from now, or when one of the clocks
 * shows it. Or negative errno.
 */
export function deadlineOf(call: Call, at: number, clock: "relative" | "monotonic" | "realtime"): number {
  if (at === 0) return Number.POSITIVE_INFINITY;
  const raw = call.get(at, TIMESPEC_BYTES);
  if (raw === undefined) return -EFAULT;
  const time = getTimespec(raw);
  if (!isValidTimespec(time)) return -EINVAL;
  const nowNs = call.system.clock.monotonicNs();
  if (clock === "relative") return nowNs + nsOf(time);
  if (clock === "monotonic") return nsOf(time);
  call.isByTimeOfDay = true;
  return Math.max(0, nowNs + call.system.timeOfDay.until(time));
}

/** Waits at `key` if its word, at `addr`, has the expected value (futex_wait_setup). */
export function waitAt(
  call: Call,
  key: FutexKey,
  addr: number,
  expected: number,
  bits: number,
  deadlineNs: number,
): number {
  const value = getUserU32(call.system.mmu, call.process, addr);
  if (value < 0) return -EFAULT;
  if (value !== expected) return -EAGAIN;
  const waiter = new FutexWaiter(call.thread, key, bits);
  const interrupted = deadlineNs === Number.POSITIVE_INFINITY ? -ERESTARTSYS : -ERESTART_RESTARTBLOCK;
  return sleepAt(call, waiter, deadlineNs, interrupted);
}

/** Puts the caller into the queue of `waiter` and to wait. @param interrupted what a signal makes of it. */
export function sleepAt(call: Call, waiter: FutexWaiter, deadlineNs: number, interrupted: number): number {
  call.system.futexes.add(waiter);
  return call.block(new FutexWait(call.system.futexes, waiter, deadlineNs, interrupted), waiter);
}

class FutexWait implements Wait {
  readonly deadlineNs: number;
  readonly #futexes: FutexTable;
  readonly #waiter: FutexWaiter;
  readonly #interrupted: number;
  /** It begins at one futex, and others move it to the next (futex_wait_requeue_pi). */
  readonly #mayMove: boolean;

  constructor(futexes: FutexTable, waiter: FutexWaiter, deadlineNs: number, interrupted: number) {
    this.deadlineNs = deadlineNs;
    this.#futexes = futexes;
    this.#waiter = waiter;
    this.#interrupted = interrupted;
    this.#mayMove = waiter.requeueTo !== undefined;
  }

  isReady(): boolean {
    return this.#waiter.isWoken;
  }

  /** Once it has been moved it can't begin anew: the word has changed. */
  get interrupted(): number {
    return this.#mayMove && this.#waiter.requeueTo === undefined ? -EAGAIN : this.#interrupted;
  }

  abandon(): void {
    this.#futexes.remove(this.#waiter);
  }
}

/** The call is made again and nobody has woken it: its time has come. */
export function timedOut(call: Call, waiter: FutexWaiter): number {
  call.system.futexes.remove(waiter);
  return -ETIMEDOUT;
}
