/** futex calls for locks with priority inheritance (kernel/futex/pi.c, requeue.c). */
import { getUserU32 } from "../../mm/fault/uaccess.ts";
import { ACCESS_READ, ACCESS_WRITE } from "../../mm/pagetable/access.ts";
import { EAGAIN, EDEADLK, EFAULT, EINVAL, EPERM } from "../../mm/uapi/errno.ts";
import { type FutexKey, FutexWaiter, isSameKey, PiState } from "../futex/futex-table.ts";
import {
  ACQUIRED,
  FUTEX_TID_MASK,
  isDeadlock,
  lockPiAtomic,
  unlockPi,
  WOULD_WAIT,
} from "../futex/pi-futex.ts";
import { FUTEX_BITSET_MATCH_ANY } from "../futex/wake.ts";
import type { Call } from "./call.ts";
import { keyAt, sleepAt, timedOut } from "./futex-wait.ts";
import { ERESTARTNOINTR } from "./restart.ts";

/** LOCK_PI and LOCK_PI2; TRYLOCK_PI with no deadline. */
export function lockPi(call: Call, deadlineNs: number | undefined): number {
  const { thread, system } = call;
  const { callState } = thread;
  if (callState instanceof FutexWaiter) return callState.isWoken ? 0 : timedOut(call, callState);
  const addr = call.u64(0);
  const key = keyAt(call, addr, ACCESS_WRITE);
  if (typeof key === "number") return key;
  const state = lockPiAtomic(system, thread, addr, key, thread, /* setWaiters */ false);
  if (state === ACQUIRED) return 0;
  if (typeof state === "number") return state;
  if (deadlineNs === undefined) return WOULD_WAIT;
  if (isDeadlock(thread, state)) return -EDEADLK;
  const waiter = new FutexWaiter(thread, key, FUTEX_BITSET_MATCH_ANY);
  waiter.pi = state;
  waiter.piAddress = addr;
  return sleepAt(call, waiter, deadlineNs, -ERESTARTNOINTR);
}

export function unlockPiCall(call: Call): number {
  const { thread, system } = call;
  const addr = call.u64(0);
  const value = getUserU32(system.mmu, call.process, addr);
  if (value < 0) return -EFAULT;
  if ((value & FUTEX_TID_MASK) !== thread.tid) return -EPERM;
  const key = keyAt(call, addr, ACCESS_WRITE);
  return typeof key === "number" ? key : unlockPi(system, thread, addr, key);
}

/** Waits at the first word until CMP_REQUEUE_PI moves it to the second, and it has that lock. */
export function waitRequeuePi(call: Call, deadlineNs: number): number {
  const { thread, system } = call;
  const { callState } = thread;
  if (callState instanceof FutexWaiter) return callState.isWoken ? 0 : timedOut(call, callState);
  const addr = call.u64(0);
  const piAddress = call.u64(4);
  if (addr === piAddress) return -EINVAL;
  const to = keyAt(call, piAddress, ACCESS_WRITE);
  if (typeof to === "number") return to;
  const from = keyAt(call, addr, ACCESS_READ);
  if (typeof from === "number") return from;
  const value = getUserU32(system.mmu, call.process, addr);
  if (value < 0) return -EFAULT;
  if (value !== call.u32(2)) return -EAGAIN;
  if (isSameKey(from, to)) return -EINVAL;
  const waiter = new FutexWaiter(thread, from, FUTEX_BITSET_MATCH_ANY);
  waiter.requeueTo = to;
  waiter.piAddress = piAddress;
  return sleepAt(call, waiter, deadlineNs, -ERESTARTNOINTR);
}

/** Wakes the first that waits at the first word, with the lock at the second, and moves others to wait for that. */
export function cmpRequeuePi(call: Call): number {
  const { system, process } = call;
  const nrWake = call.s32(2);
  const nrRequeue = call.s32(3);
  if (nrWake < 0 || nrRequeue < 0) return -EINVAL;
  if (call.u64(0) === call.u64(4) || nrWake !== 1) return -EINVAL;
  const from = keyAt(call, call.u64(0), ACCESS_READ);
  if (typeof from === "number") return from;
  const to = keyAt(call, call.u64(4), ACCESS_WRITE);
  if (typeof to === "number") return to;
  if (isSameKey(from, to)) return -EINVAL;
  const value = getUserU32(system.mmu, process, call.u64(0));
  if (value < 0) return -EFAULT;
  if (value !== call.u32(5)) return -EAGAIN;
  return requeuePi(call, from, to, nrRequeue);
}

function requeuePi(call: Call, from: FutexKey, to: FutexKey, nrRequeue: number): number {
  const { system, thread } = call;
  const { futexes } = system;
  let state: PiState | undefined;
  let count = 0;
  for (const waiter of [...futexes.at(from)]) {
    if (count - 1 >= nrRequeue) break;
    if (waiter.requeueTo === undefined || !isSameKey(waiter.requeueTo, to)) return -EINVAL;
    if (state === undefined) {
      const isLast = nrRequeue === 0;
      const found = lockPiAtomic(system, thread, call.u64(4), to, waiter.thread, /* setWaiters */ !isLast);
      if (found === ACQUIRED) {
        futexes.wake(waiter);
        count++;
        if (isLast) break;
        // It has the lock; whoever is moved now waits for it.
        state = new PiState(to, waiter.thread);
        continue;
      }
      if (typeof found === "number") return found;
      state = found;
    }
    if (isDeadlock(waiter.thread, state)) return -EDEADLK;
    futexes.remove(waiter);
    waiter.requeueTo = undefined;
    waiter.key = to;
    waiter.pi = state;
    futexes.add(waiter);
    count++;
  }
  return count;
}
