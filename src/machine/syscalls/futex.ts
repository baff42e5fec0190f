/**
 * futex: waiting until another changes a word, and what locks are made of (kernel/futex/syscalls.c). The calls with
 * priority inheritance are in futex-pi.ts, the newer calls in futex2.ts.
 */
import { getUserU32, putUserU32 } from "../../mm/fault/uaccess.ts";
import { ACCESS_READ, ACCESS_WRITE } from "../../mm/pagetable/access.ts";
import { EAGAIN, EFAULT, EINVAL, ENOSYS } from "../../mm/uapi/errno.ts";
import { FutexWaiter } from "../futex/futex-table.ts";
import { FUTEX_BITSET_MATCH_ANY, requeueFutex, wakeFutex } from "../futex/wake.ts";
import type { Call, SyscallGroup } from "./call.ts";
import { cmpRequeuePi, lockPi, unlockPiCall, waitRequeuePi } from "./futex-pi.ts";
import { deadlineOf, FUTEX_PRIVATE_FLAG, keyAt, timedOut, waitAt } from "./futex-wait.ts";

const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;
const FUTEX_REQUEUE = 3;
const FUTEX_CMP_REQUEUE = 4;
const FUTEX_WAKE_OP = 5;
const FUTEX_LOCK_PI = 6;
const FUTEX_UNLOCK_PI = 7;
const FUTEX_TRYLOCK_PI = 8;
const FUTEX_WAIT_BITSET = 9;
const FUTEX_WAKE_BITSET = 10;
const FUTEX_WAIT_REQUEUE_PI = 11;
const FUTEX_CMP_REQUEUE_PI = 12;
const FUTEX_LOCK_PI2 = 13;
const FUTEX_CLOCK_REALTIME = 256;

/** Their fourth argument points to a time. */
const HAS_TIMEOUT: ReadonlySet<number> = new Set([
  FUTEX_WAIT,
  FUTEX_LOCK_PI,
  FUTEX_LOCK_PI2,
  FUTEX_WAIT_BITSET,
  FUTEX_WAIT_REQUEUE_PI,
]);
/** That time may be one of the day. LOCK_PI's always is. */
const TAKES_REALTIME: ReadonlySet<number> = new Set([
  FUTEX_WAIT_BITSET,
  FUTEX_WAIT_REQUEUE_PI,
  FUTEX_LOCK_PI2,
]);

export const futexCalls: SyscallGroup = [[98, "futex", 6, futex]];

function futex(call: Call): number {
  const op = call.s32(1);
  const command = op & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
  const isRealtime = (op & FUTEX_CLOCK_REALTIME) !== 0;
  let deadlineNs = Number.POSITIVE_INFINITY;
  if (HAS_TIMEOUT.has(command) && !(call.thread.callState instanceof FutexWaiter)) {
    const clock = command === FUTEX_WAIT ? "relative" : isRealtime ? "realtime" : "monotonic";
    deadlineNs = deadlineOf(call, call.u64(3), command === FUTEX_LOCK_PI ? "realtime" : clock);
    if (deadlineNs < 0) return deadlineNs;
  }
  if (isRealtime && !TAKES_REALTIME.has(command)) return -ENOSYS;
  switch (command) {
    case FUTEX_WAIT:
      return wait(call, FUTEX_BITSET_MATCH_ANY, deadlineNs);
    case FUTEX_WAIT_BITSET:
      return wait(call, call.s32(5), deadlineNs);
    case FUTEX_WAKE:
      return wake(call, FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAKE_BITSET:
      return wake(call, call.s32(5));
    case FUTEX_REQUEUE:
      return requeue(call, undefined);
    case FUTEX_CMP_REQUEUE:
      return requeue(call, call.u32(5));
    case FUTEX_WAKE_OP:
      return wakeOp(call);
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
      return lockPi(call, deadlineNs);
    case FUTEX_TRYLOCK_PI:
      return lockPi(call, undefined);
    case FUTEX_UNLOCK_PI:
      return unlockPiCall(call);
    case FUTEX_WAIT_REQUEUE_PI:
      return waitRequeuePi(call, deadlineNs);
    case FUTEX_CMP_REQUEUE_PI:
      return cmpRequeuePi(call);
    default:
      return -ENOSYS;
  }
}

function wait(call: Call, bits: number, deadlineNs: number): number {
  const { callState } = call.thread;
  if (callState instanceof FutexWaiter) return callState.isWoken ? 0 : timedOut(call, callState);
  if (bits === 0) return -EINVAL;
  const key = keyAt(call, call.u64(0), ACCESS_READ);
  return typeof key === "number" ? key : waitAt(call, key, call.u64(0), call.u32(2), bits, deadlineNs);
}

function wake(call: Call, bits: number): number {
  if (bits === 0) return -EINVAL;
  const key = keyAt(call, call.u64(0), ACCESS_READ);
  return typeof key === "number" ? key : wakeFutex(call.system.futexes, key, call.s32(2), bits);
}

/** Arguments: word, …, how many to wake, to move, the other word, the value expected in the first. */
function requeue(call: Call, expected: number | undefined): number {
  const nrWake = call.s32(2);
  const nrRequeue = call.s32(3);
  if (nrWake < 0 || nrRequeue < 0) return -EINVAL;
  const from = keyAt(call, call.u64(0), ACCESS_READ);
  if (typeof from === "number") return from;
  const to = keyAt(call, call.u64(4), ACCESS_READ);
  if (typeof to === "number") return to;
  if (expected !== undefined) {
    const value = getUserU32(call.system.mmu, call.process, call.u64(0));
    if (value < 0) return -EFAULT;
    if (value !== expected) return -EAGAIN;
  }
  return requeueFutex(call.system.futexes, from, to, nrWake, nrRequeue);
}

/** Changes the second word, wakes at the first, and at the second if its old value compares. */
function wakeOp(call: Call): number {
  const { system, process } = call;
  const first = keyAt(call, call.u64(0), ACCESS_READ);
  if (typeof first === "number") return first;
  const second = keyAt(call, call.u64(4), ACCESS_WRITE);
  if (typeof second === "number") return second;
  const encoded = call.s32(5);
  const old = getUserU32(system.mmu, process, call.u64(4));
  if (old < 0) return -EFAULT;
  const changed = operate(encoded, old);
  if (changed === undefined) return -ENOSYS;
  if (putUserU32(system.mmu, process, call.u64(4), changed) < 0) return -EFAULT;
  const compared = compare(encoded, old | 0);
  if (compared === undefined) return -ENOSYS;
  const woken = wakeFutex(system.futexes, first, call.s32(2), FUTEX_BITSET_MATCH_ANY);
  if (woken < 0 || !compared) return woken;
  const more = wakeFutex(system.futexes, second, call.s32(3), FUTEX_BITSET_MATCH_ANY);
  return more < 0 ? more : woken + more;
}

/** Bits 28 … 30 say what is done with the word, bit 31 that 1 << operand is meant; bits 12 … 23 are the operand. */
function operate(encoded: number, old: number): number | undefined {
  const signed = (encoded << 8) >> 20;
  const operand = encoded < 0 ? 1 << (signed & 31) : signed;
  switch ((encoded >>> 28) & 7) {
    case 0:
      return operand >>> 0;
    case 1:
      return (old + operand) >>> 0;
    case 2:
      return (old | operand) >>> 0;
    case 3:
      return (old & ~operand) >>> 0;
    case 4:
      return (old ^ operand) >>> 0;
    default:
      return undefined;
  }
}

/** Bits 24 … 27 say how the old value is compared, with bits 0 … 11. */
function compare(encoded: number, old: number): boolean | undefined {
  const other = (encoded << 20) >> 20;
  switch ((encoded >>> 24) & 15) {
    case 0:
      return old === other;
    case 1:
      return old !== other;
    case 2:
      return old < other;
    case 3:
      return old <= other;
    case 4:
      return old > other;
    case 5:
      return old >= other;
    default:
      return undefined;
  }
}
