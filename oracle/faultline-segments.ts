/** shmctl on Faultline, answered in bytes as x86-64 has them. */
import { encodeShmInfo, encodeShmInfo64, encodeShmidDs } from "../src/machine/abi/shm.ts";
import type { Process } from "../src/mm/kernel/process.ts";
import {
  sysShmctlIpcInfo,
  sysShmctlLock,
  sysShmctlRmid,
  sysShmctlSet,
  sysShmctlShmInfo,
  sysShmctlStat,
  sysShmctlStatSlot,
  sysShmctlUnlock,
} from "../src/mm/syscalls/shmctl.ts";
import { EFAULT, EINVAL } from "../src/mm/uapi/errno.ts";
import {
  IPC_INFO,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  SHM_INFO,
  SHM_LOCK,
  SHM_STAT_ANY,
  SHM_UNLOCK,
} from "../src/mm/uapi/ipc.ts";
import { ANSWER_BYTES, comparableStat, isStat } from "./segments.ts";
import { NOBODY, type Outcome } from "./subject.ts";

/** @param slotOf where a process lives, negative for one that is gone */
export function segmentControl(
  task: Process,
  [id, command, mode, nowhere]: readonly number[],
  slotOf: (pid: number) => number,
): Outcome {
  if (id < 0) return { result: -EINVAL };
  if (nowhere === undefined) return answer(task, [id, command, mode], slotOf);
  // What is to be set is read before anything is asked, and an answer is given when there is one.
  if (command === IPC_SET) return { result: -EFAULT };
  const { result } = answer(task, [id, command, mode], slotOf);
  return { result: result !== undefined && result >= 0 && ANSWER_BYTES.has(command) ? -EFAULT : result };
}

function answer(
  task: Process,
  [id, command, mode]: readonly number[],
  slotOf: (pid: number) => number,
): Outcome {
  switch (command) {
    case IPC_RMID:
      return { result: sysShmctlRmid(task, id) };
    case IPC_SET:
      return { result: sysShmctlSet(task, id, { uid: NOBODY, gid: NOBODY, mode }) };
    case IPC_INFO: {
      const info = sysShmctlIpcInfo(task);
      return { result: info.maxSlot, bytes: encodeShmInfo64(info) };
    }
    case SHM_LOCK:
      return { result: sysShmctlLock(task, id) };
    case SHM_UNLOCK:
      return { result: sysShmctlUnlock(task, id) };
    case SHM_INFO: {
      const info = sysShmctlShmInfo(task);
      return { result: info.maxSlot, bytes: encodeShmInfo(info) };
    }
  }
  if (!isStat(command)) return { result: -EINVAL };
  const segment =
    command === IPC_STAT ? sysShmctlStat(task, id) : sysShmctlStatSlot(task, id, command === SHM_STAT_ANY);
  if (typeof segment === "number") return { result: segment };
  return {
    result: command === IPC_STAT ? 0 : segment.id,
    bytes: comparableStat(encodeShmidDs(segment), slotOf, NOBODY),
  };
}
