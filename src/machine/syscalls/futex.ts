/**
 * futex: waiting until another changes a word (kernel/futex). WAIT and WAKE are what processes that
 * share memory use.
 */
import { getUserU32 } from "../../mm/fault/uaccess.ts";
import type { Process } from "../../mm/kernel/process.ts";
import { PAGE_SIZE } from "../../mm/page.ts";
import { EAGAIN, EFAULT, EINVAL, ENOSYS, ETIMEDOUT } from "../../mm/uapi/errno.ts";
import type { MmStruct } from "../../mm/vma/mm-struct.ts";
import type { MappedObject } from "../../mm/vma/vm-operations.ts";
import { getTimespec, isValidTimespec, nsOf, TIMESPEC_BYTES } from "../abi/structs.ts";
import type { System } from "../system.ts";
import type { Call, SyscallGroup } from "./call.ts";
import { ERESTARTSYS } from "./restart.ts";
import { realtime } from "./time.ts";

const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;
const FUTEX_WAIT_BITSET = 9;
const FUTEX_WAKE_BITSET = 10;
const FUTEX_PRIVATE_FLAG = 128;
const FUTEX_CLOCK_REALTIME = 256;

/** A thread that waits, at a word named by what backs it: a mapped file and offset, or an address space and address. */
class FutexWait {
  readonly object: MappedObject | MmStruct;
  readonly offset: number;
  readonly bits: number;
  readonly deadlineNs: number;
  isWoken = false;

  constructor(object: MappedObject | MmStruct, offset: number, bits: number, deadlineNs: number) {
    this.object = object;
    this.offset = offset;
    this.bits = bits;
    this.deadlineNs = deadlineNs;
  }
}

export const futexCalls: SyscallGroup = [[98, "futex", 6, futex]];

function futex(call: Call): number {
  const op = call.s32(1);
  switch (op & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)) {
    case FUTEX_WAIT:
      return wait(call, -1, /* absolute */ false);
    case FUTEX_WAIT_BITSET:
      return wait(call, call.s32(5), /* absolute */ true);
    case FUTEX_WAKE:
      return wake(call, -1);
    case FUTEX_WAKE_BITSET:
      return wake(call, call.s32(5));
    default:
      return -ENOSYS;
  }
}

interface FutexKey {
  readonly object: MappedObject | MmStruct;
  readonly offset: number;
}

/** What backs the word of a call. */
function keyOf(call: Call): FutexKey | undefined {
  return futexKey(call.process.mm, call.u64(0), (call.s32(1) & FUTEX_PRIVATE_FLAG) !== 0);
}

/** What backs the word at `addr` (get_futex_key): undefined where nothing is mapped. */
function futexKey(mm: MmStruct, addr: number, isPrivate: boolean): FutexKey | undefined {
  if (isPrivate) return { object: mm, offset: addr };
  const vma = mm.vmas.lookup(addr);
  if (vma === null) return undefined;
  if (!vma.isShared || vma.file === null) return { object: mm, offset: addr };
  return { object: vma.file.mapping, offset: vma.pgoff * PAGE_SIZE + (addr - vma.start) };
}

function wait(call: Call, bits: number, absolute: boolean): number {
  const { thread, system, process } = call;
  const state = thread.callState;
  if (state instanceof FutexWait) {
    if (state.isWoken) return 0;
    return system.clock.monotonicNs() >= state.deadlineNs ? -ETIMEDOUT : sleepOn(call, state);
  }
  const addr = call.u64(0);
  if (bits === 0 || addr % 4 !== 0) return -EINVAL;
  const deadlineNs = deadline(call, absolute);
  if (deadlineNs < 0) return deadlineNs;
  const value = getUserU32(system.mmu, process, addr);
  const key = keyOf(call);
  if (value < 0 || key === undefined) return -EFAULT;
  if (value !== call.u32(2)) return -EAGAIN;
  return sleepOn(call, new FutexWait(key.object, key.offset, bits, deadlineNs));
}

function sleepOn(call: Call, state: FutexWait): number {
  const { deadlineNs } = state;
  return call.block({ isReady: () => state.isWoken, deadlineNs, interrupted: -ERESTARTSYS }, state);
}

function deadline(call: Call, absolute: boolean): number {
  if (call.u64(3) === 0) return Number.POSITIVE_INFINITY;
  const raw = call.get(call.u64(3), TIMESPEC_BYTES);
  if (raw === undefined) return -EFAULT;
  const time = getTimespec(raw);
  if (!isValidTimespec(time)) return -EINVAL;
  const { clock } = call.system;
  if (!absolute) return clock.monotonicNs() + nsOf(time);
  if ((call.s32(1) & FUTEX_CLOCK_REALTIME) === 0) return nsOf(time);
  return Math.max(0, clock.monotonicNs() + nsOf(time) - nsOf(realtime(clock)));
}

/** Wakes up to argument 2 of the waiters; how many. */
function wake(call: Call, bits: number): number {
  if (bits === 0 || call.u64(0) % 4 !== 0) return -EINVAL;
  const key = keyOf(call);
  return key === undefined ? -EFAULT : wakeKey(call.system, key, call.s32(2), bits);
}

/** FUTEX_WAKE as the kernel itself makes it, of one waiter at the word `addr` of `process`. */
export function wakeOne(system: System, process: Process, addr: number): void {
  const key = addr % 4 === 0 ? futexKey(process.mm, addr, /* isPrivate */ false) : undefined;
  if (key !== undefined) wakeKey(system, key, 1, -1);
}

function wakeKey({ threads }: System, { object, offset }: FutexKey, most: number, bits: number): number {
  let woken = 0;
  for (const { callState } of threads) {
    if (woken >= most) break;
    if (!(callState instanceof FutexWait) || callState.isWoken) continue;
    if (callState.object !== object || callState.offset !== offset || (callState.bits & bits) === 0) continue;
    callState.isWoken = true;
    woken++;
  }
  return woken;
}
