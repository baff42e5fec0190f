/** semget, semop, semtimedop, semctl: System V semaphores, with their waiting (ipc/sem.c). */
import { S_IRUGO, S_IWUGO } from "../../mm/ipc/ipc-permission.ts";
import type { SemaphoreSet, SemWaiter } from "../../mm/ipc/semaphore-set.ts";
import { EAGAIN, EFAULT, EINTR, EINVAL } from "../../mm/uapi/errno.ts";
import {
  GETALL,
  GETNCNT,
  GETPID,
  GETVAL,
  GETZCNT,
  IPC_INFO,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  SEM_INFO,
  SEM_STAT,
  SEM_STAT_ANY,
  SETALL,
  SETVAL,
} from "../../mm/uapi/ipc.ts";
import { getIpcChange } from "../abi/ipc-perm.ts";
import {
  encodeSemInfo,
  encodeSemidDs,
  encodeValues,
  getSemOps,
  SEMBUF_BYTES,
  SEMID_DS_BYTES,
  shorts,
} from "../abi/sem.ts";
import { getTimespec, isValidTimespec, nsOf, TIMESPEC_BYTES, type Timespec } from "../abi/structs.ts";
import type { Call, SyscallGroup } from "./call.ts";

export const semaphoreCalls: SyscallGroup = [
  [
    190,
    "semget",
    3,
    (call) => call.system.kernel.semaphores.get(call.process, call.s32(0), call.s32(1), call.s32(2)),
  ],
  [191, "semctl", 4, semctl],
  [192, "semtimedop", 4, (call) => goOn(call) ?? semtimedop(call)],
  [193, "semop", 3, (call) => goOn(call) ?? semop(call, undefined)],
];

/** What a call that waits keeps: as what, and until when. */
class SemWait {
  readonly waiter: SemWaiter;
  readonly deadlineNs: number;

  constructor(waiter: SemWaiter, deadlineNs: number) {
    this.waiter = waiter;
    this.deadlineNs = deadlineNs;
  }
}

/** The answer of a call that has waited; undefined in a new one. */
function goOn(call: Call): number | undefined {
  const { callState } = call.thread;
  if (!(callState instanceof SemWait)) return undefined;
  const { waiter, deadlineNs } = callState;
  if (waiter.outcome !== undefined) return waiter.outcome;
  if (call.system.clock.monotonicNs() < deadlineNs) return wait(call, callState);
  call.system.kernel.semaphores.leave(waiter, -EAGAIN);
  return -EAGAIN;
}

/** Until somebody else's call has done it, or the set is removed. No signal leaves it as it was. */
function wait(call: Call, state: SemWait): number {
  const { semaphores } = call.system.kernel;
  const { waiter, deadlineNs } = state;
  const leave = (): void => semaphores.leave(waiter, -EINTR);
  const isReady = (): boolean => waiter.outcome !== undefined;
  return call.block({ isReady, deadlineNs, interrupted: -EINTR, onStop: leave, abandon: leave }, state);
}

/** Arguments: id, operations, how many, how long it may wait at most or null. */
function semtimedop(call: Call): number {
  const at = call.u64(3);
  if (at === 0) return semop(call, undefined);
  const raw = call.get(at, TIMESPEC_BYTES);
  return raw === undefined ? -EFAULT : semop(call, getTimespec(raw));
}

/** Arguments: id, operations, how many. */
function semop(call: Call, timeout: Timespec | undefined): number {
  const { semaphores } = call.system.kernel;
  const count = call.u32(2);
  const refused = semaphores.checkCount(count);
  if (refused !== 0) return refused;
  const raw = call.get(call.u64(1), count * SEMBUF_BYTES);
  if (raw === undefined) return -EFAULT;
  const id = call.s32(0);
  if (id < 0 || (timeout !== undefined && !isValidTimespec(timeout))) return -EINVAL;
  const result = semaphores.operate(call.process, call.thread, id, getSemOps(raw));
  if (typeof result === "number") return result;
  const deadlineNs =
    timeout === undefined ? Number.POSITIVE_INFINITY : call.system.clock.monotonicNs() + nsOf(timeout);
  return wait(call, new SemWait(result, deadlineNs));
}

function semctl(call: Call): number {
  const { semaphores } = call.system.kernel;
  const { process } = call;
  const id = call.s32(0);
  const num = call.s32(1);
  const command = call.s32(2);
  const arg = call.u64(3);
  if (id < 0) return -EINVAL;
  switch (command) {
    case IPC_INFO:
    case SEM_INFO:
      return (
        call.put(arg, encodeSemInfo(semaphores, command === SEM_INFO)) || Math.max(semaphores.sets.maxSlot, 0)
      );
    case IPC_STAT:
    case SEM_STAT:
    case SEM_STAT_ANY: {
      const set = semaphores.stat(process, id, command !== IPC_STAT, command === SEM_STAT_ANY);
      if (typeof set === "number") return set;
      return call.put(arg, encodeSemidDs(set)) || (command === IPC_STAT ? 0 : set.id);
    }
    case GETALL: {
      const set = semaphores.obtain(process, id, S_IRUGO);
      return typeof set === "number" ? set : call.put(arg, encodeValues(set));
    }
    case SETALL: {
      const set = semaphores.obtain(process, id, S_IWUGO);
      if (typeof set === "number") return set;
      const from = call.get(arg, 2 * set.nsems);
      return from === undefined ? -EFAULT : semaphores.setAll(process, set, shorts(from));
    }
    case GETVAL:
    case GETPID:
    case GETNCNT:
    case GETZCNT: {
      const set = semaphores.obtainOne(process, id, num);
      return typeof set === "number" ? set : tell(set, num, command);
    }
    case SETVAL:
      return semaphores.setVal(process, id, num, call.s32(3));
    case IPC_SET: {
      const from = call.get(arg, SEMID_DS_BYTES);
      return from === undefined ? -EFAULT : semaphores.set(process, id, getIpcChange(from));
    }
    case IPC_RMID:
      return semaphores.remove(process, id);
    default:
      return -EINVAL;
  }
}

function tell(set: SemaphoreSet, num: number, command: number): number {
  if (command === GETVAL) return set.value(num);
  if (command === GETPID) return set.pid(num);
  return set.countWaiters(num, command === GETZCNT);
}
