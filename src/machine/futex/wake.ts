/** Waking and moving those that wait at a futex (kernel/futex/waitwake.c, requeue.c). Counts, or negative errno. */
import type { Process } from "../../mm/kernel/process.ts";
import { ACCESS_READ } from "../../mm/pagetable/access.ts";
import { EINVAL } from "../../mm/uapi/errno.ts";
import type { System } from "../system.ts";
import { futexKey } from "./futex-key.ts";
import type { FutexKey, FutexTable } from "./futex-table.ts";

/** All wakers, all waiters. */
export const FUTEX_BITSET_MATCH_ANY = -1;

/** Wakes `most` of those that listen to `bits`, and one even where `most` is 0. */
export function wakeFutex(table: FutexTable, key: FutexKey, most: number, bits: number): number {
  let woken = 0;
  for (const waiter of [...table.at(key)]) {
    if (waiter.pi !== undefined || waiter.requeueTo !== undefined) return -EINVAL;
    if ((waiter.bits & bits) === 0) continue;
    table.wake(waiter);
    if (++woken >= most) break;
  }
  return woken;
}

/** Wakes `nrWake`, and moves `nrRequeue` of the others to another futex. */
export function requeueFutex(
  table: FutexTable,
  from: FutexKey,
  to: FutexKey,
  nrWake: number,
  nrRequeue: number,
): number {
  let count = 0;
  for (const waiter of [...table.at(from)]) {
    if (count - nrWake >= nrRequeue) break;
    if (waiter.pi !== undefined || waiter.requeueTo !== undefined) return -EINVAL;
    if (++count <= nrWake) table.wake(waiter);
    else table.requeue(waiter, to);
  }
  return count;
}

/** FUTEX_WAKE as the kernel itself makes it, of one waiter at the word `addr` of `process`. */
export function wakeOne(system: System, process: Process, addr: number): void {
  const key = futexKey(system.mmu, process, addr, /* isPrivate */ false, ACCESS_READ);
  if (typeof key !== "number") wakeFutex(system.futexes, key, 1, FUTEX_BITSET_MATCH_ANY);
}
