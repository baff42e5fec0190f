/**
 * Locks with priority inheritance (kernel/futex/pi.c). Their word is a contract between program and kernel:
 *
 * ```
 *   0                        nobody has it
 *   tid                      that thread has it; it is taken and left without the kernel
 *   tid | FUTEX_WAITERS      others wait: leaving it takes a call, which hands it to the first of them
 *   … | FUTEX_OWNER_DIED     a thread ended without leaving it
 * ```
 */
import { getUserU32, putUserU32 } from "../../mm/fault/uaccess.ts";
import { EAGAIN, EDEADLK, EFAULT, EINVAL, ESRCH } from "../../mm/uapi/errno.ts";
import type { System } from "../system.ts";
import type { Thread } from "../thread.ts";
import { type FutexKey, FutexWaiter, PiState } from "./futex-table.ts";

export const FUTEX_WAITERS = 0x80000000;
export const FUTEX_OWNER_DIED = 0x40000000;
export const FUTEX_TID_MASK = 0x3fffffff;

/** A lock was free, and is taken. */
export const ACQUIRED = 1;

/**
 * Takes the lock for `thread`, or finds whom to wait for (futex_lock_pi_atomic): ACQUIRED, the state to wait at, or a
 * negative errno.
 *
 * @param caller whose memory `addr` is an address of
 * @param setWaiters the word says at once that others wait
 */
export function lockPiAtomic(
  system: System,
  caller: Thread,
  addr: number,
  key: FutexKey,
  thread: Thread,
  setWaiters: boolean,
): typeof ACQUIRED | PiState | number {
  const { process } = caller.group;
  const value = getUserU32(system.mmu, process, addr);
  if (value < 0) return -EFAULT;
  const tid = value & FUTEX_TID_MASK;
  if (tid === thread.tid) return -EDEADLK;
  const top = system.futexes.at(key).at(0);
  if (top !== undefined) return attachToState(value, top);
  if (tid === 0) {
    const died = value & FUTEX_OWNER_DIED;
    const taken = (died | thread.tid) + (setWaiters ? FUTEX_WAITERS : 0);
    return putUserU32(system.mmu, process, addr, taken) < 0 ? -EFAULT : ACQUIRED;
  }
  if (putUserU32(system.mmu, process, addr, (value | FUTEX_WAITERS) >>> 0) < 0) return -EFAULT;
  const owner = system.thread(tid);
  return owner === undefined || owner.hasExited ? -ESRCH : new PiState(key, owner);
}

/** attach_to_pi_state: the word and the kernel must agree on who has it. */
function attachToState(value: number, { pi }: FutexWaiter): PiState | number {
  if (pi === undefined) return -EINVAL;
  const tid = value & FUTEX_TID_MASK;
  if ((value & FUTEX_OWNER_DIED) !== 0 && tid === 0) return pi;
  return tid === pi.owner.tid ? pi : -EINVAL;
}

/** Whether `thread` would wait for itself: through the owner of the lock, who waits for another, and so on. */
export function isDeadlock(thread: Thread, state: PiState): boolean {
  const seen = new Set<Thread>();
  for (let owner = state.owner; !seen.has(owner); ) {
    if (owner === thread) return true;
    seen.add(owner);
    const { callState } = owner;
    if (!(callState instanceof FutexWaiter) || callState.isWoken || callState.pi === undefined) return false;
    owner = callState.pi.owner;
  }
  return false;
}

/**
 * Gives the lock to the first that waits for it, whose word is set and who is woken. 0, or -EFAULT where the word can't be
 * reached.
 *
 * @param flags FUTEX_OWNER_DIED, if it did not leave the lock itself
 */
export function handOver(system: System, state: PiState, flags: number): number {
  const waiters = system.futexes.at(state.key);
  const next = waiters.find(({ pi }) => pi === state);
  if (next === undefined) return 0;
  const { process } = next.thread.group;
  const value = (FUTEX_WAITERS | flags | next.thread.tid) >>> 0;
  const failed = putUserU32(system.mmu, process, next.piAddress, value);
  state.owner = next.thread;
  system.futexes.wake(next);
  return failed;
}

/** unlock_pi: 0 or a negative errno. The caller is the owner, as the word says. */
export function unlockPi(system: System, thread: Thread, addr: number, key: FutexKey): number {
  const top = system.futexes.at(key).at(0);
  if (top === undefined) return putUserU32(system.mmu, thread.group.process, addr, 0);
  if (top.pi === undefined || top.pi.owner !== thread) return -EINVAL;
  return handOver(system, top.pi, 0);
}

/** exit_pi_state_list: a thread ends, and what it has goes to those who wait. */
export function exitPiStates(system: System, thread: Thread): void {
  for (const state of system.futexes.ownedBy(thread)) handOver(system, state, FUTEX_OWNER_DIED);
}

/** What a try-lock answers where LOCK_PI would wait. */
export const WOULD_WAIT: number = -EAGAIN;
