/** The newer futex calls (kernel/futex/syscalls.c): one for each operation, with flags of their own, and waiting at several. */
import { getUserU32 } from "../../mm/fault/uaccess.ts";
import { ACCESS_READ } from "../../mm/pagetable/access.ts";
import { EAGAIN, EFAULT, EINVAL, ETIMEDOUT } from "../../mm/uapi/errno.ts";
import type { StructView } from "../abi/bytes.ts";
import { futexKey } from "../futex/futex-key.ts";
import { type FutexKey, FutexWaiter } from "../futex/futex-table.ts";
import { FUTEX_BITSET_MATCH_ANY, requeueFutex, wakeFutex } from "../futex/wake.ts";
import type { Call, SyscallGroup } from "./call.ts";
import { deadlineOf, timedOut, waitAt } from "./futex-wait.ts";
import { ERESTARTSYS } from "./restart.ts";

/** struct futex_waitv, 24 bytes: 0 val, 8 uaddr, 16 flags (u32), 20 reserved. */
const WAITV_BYTES = 24;
const FUTEX_WAITV_MAX = 128;
const FUTEX2_SIZE_U32 = 2;
const FUTEX2_PRIVATE = 128;
const CLOCK_REALTIME = 0;
const CLOCK_MONOTONIC = 1;

export const futex2Calls: SyscallGroup = [
  [449, "futex_waitv", 5, futexWaitv],
  [454, "futex_wake", 4, futexWake],
  [455, "futex_wait", 6, futexWaitCall],
  [456, "futex_requeue", 4, futexRequeue],
];

/** Words of 32 bits, as all are so far, on a machine whose memory has no nodes. */
function areValid(flags: number): boolean {
  return (flags & ~FUTEX2_PRIVATE) === FUTEX2_SIZE_U32;
}

function keyOf(call: Call, addr: number, flags: number): FutexKey | number {
  return futexKey(call.system.mmu, call.process, addr, (flags & FUTEX2_PRIVATE) !== 0, ACCESS_READ);
}

function deadlineBy(call: Call, at: number, clockId: number): number {
  if (at === 0) return Number.POSITIVE_INFINITY;
  if (clockId !== CLOCK_REALTIME && clockId !== CLOCK_MONOTONIC) return -EINVAL;
  return deadlineOf(call, at, clockId === CLOCK_REALTIME ? "realtime" : "monotonic");
}

/** Arguments: word, bits to listen to, how many, flags. */
function futexWake(call: Call): number {
  const flags = call.u32(3);
  if (!areValid(flags) || call.u64(1) > 0xffffffff || call.u64(1) === 0) return -EINVAL;
  const key = keyOf(call, call.u64(0), flags);
  if (typeof key === "number") return key;
  return call.s32(2) === 0 ? 0 : wakeFutex(call.system.futexes, key, call.s32(2), call.s32(1));
}

/** Arguments: word, expected value, bits, flags, time, its clock. */
function futexWaitCall(call: Call): number {
  const { callState } = call.thread;
  if (callState instanceof FutexWaiter) return callState.isWoken ? 0 : timedOut(call, callState);
  const flags = call.u32(3);
  if (!areValid(flags) || call.u64(1) > 0xffffffff || call.u64(2) > 0xffffffff) return -EINVAL;
  const deadlineNs = deadlineBy(call, call.u64(4), call.s32(5));
  if (deadlineNs < 0) return deadlineNs;
  if (call.u64(2) === 0) return -EINVAL;
  const key = keyOf(call, call.u64(0), flags);
  if (typeof key === "number") return key;
  return waitAt(call, key, call.u64(0), call.u32(1), call.s32(2), deadlineNs);
}

/** Arguments: two futex_waitv, flags (none), how many to wake, to move. */
function futexRequeue(call: Call): number {
  if (call.u32(1) !== 0 || call.u64(0) === 0) return -EINVAL;
  const entries = readEntries(call, call.u64(0), 2);
  if (typeof entries === "number") return entries;
  const nrWake = call.s32(2);
  const nrRequeue = call.s32(3);
  if (nrWake < 0 || nrRequeue < 0) return -EINVAL;
  const [from, to] = entries.map(({ addr, flags }) => keyOf(call, addr, flags));
  if (typeof from === "number") return from;
  if (typeof to === "number") return to;
  const value = getUserU32(call.system.mmu, call.process, entries[0].addr);
  if (value < 0) return -EFAULT;
  return value === entries[0].value
    ? requeueFutex(call.system.futexes, from, to, nrWake, nrRequeue)
    : -EAGAIN;
}

interface WaitEntry {
  readonly value: number;
  readonly addr: number;
  readonly flags: number;
}

/** futex_parse_waitv */
function readEntries(call: Call, at: number, count: number): WaitEntry[] | number {
  const entries: WaitEntry[] = [];
  for (let i = 0; i < count; i++) {
    const raw: StructView | undefined = call.get(at + i * WAITV_BYTES, WAITV_BYTES);
    if (raw === undefined) return -EFAULT;
    const flags = raw.u32(16) >>> 0;
    if (!areValid(flags) || raw.u32(20) !== 0 || raw.u32(4) !== 0) return -EINVAL;
    entries.push({ value: raw.u32(0), addr: raw.u64(8), flags });
  }
  return entries;
}

/** One thread at several futexes. */
class FutexVector {
  readonly waiters: readonly FutexWaiter[];

  constructor(waiters: readonly FutexWaiter[]) {
    this.waiters = waiters;
  }

  /** The last that was woken, −1 for none (futex_unqueue_multiple). */
  get woken(): number {
    return this.waiters.findLastIndex(({ isWoken }) => isWoken);
  }
}

/** Arguments: futex_waitv, how many, flags (none), time, its clock. Answers which of them was woken. */
function futexWaitv(call: Call): number {
  const { system, thread } = call;
  const { futexes } = system;
  const kept = thread.callState;
  if (kept instanceof FutexVector) {
    for (const waiter of kept.waiters) futexes.remove(waiter);
    return kept.woken < 0 ? -ETIMEDOUT : kept.woken;
  }
  const count = call.u32(1);
  if (call.u32(2) !== 0) return -EINVAL;
  if (count === 0 || count > FUTEX_WAITV_MAX || call.u64(0) === 0) return -EINVAL;
  const deadlineNs = deadlineBy(call, call.u64(3), call.s32(4));
  if (deadlineNs < 0) return deadlineNs;
  const entries = readEntries(call, call.u64(0), count);
  if (typeof entries === "number") return entries;
  const waiters: FutexWaiter[] = [];
  for (const { addr, flags } of entries) {
    const key = keyOf(call, addr, flags);
    if (typeof key === "number") return key;
    waiters.push(new FutexWaiter(thread, key, FUTEX_BITSET_MATCH_ANY));
  }
  for (const { addr, value: expected } of entries) {
    const value = getUserU32(system.mmu, call.process, addr);
    if (value < 0) return -EFAULT;
    if (value !== expected) return -EAGAIN;
  }
  for (const waiter of waiters) futexes.add(waiter);
  const state = new FutexVector(waiters);
  const abandon = (): void => {
    for (const waiter of waiters) futexes.remove(waiter);
  };
  return call.block(
    { isReady: () => state.woken >= 0, deadlineNs, interrupted: -ERESTARTSYS, abandon },
    state,
  );
}
