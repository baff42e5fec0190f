/** System V shared memory, as a program asks for it. What it does is the business of src/mm. */
import type { ShmSegment } from "../../mm/ipc/shm-segment.ts";
import { sysShmat, sysShmdt, sysShmget } from "../../mm/syscalls/shm.ts";
import {
  sysShmctlIpcInfo,
  sysShmctlLock,
  sysShmctlRmid,
  sysShmctlSet,
  sysShmctlShmInfo,
  sysShmctlStat,
  sysShmctlStatSlot,
  sysShmctlUnlock,
} from "../../mm/syscalls/shmctl.ts";
import { EFAULT, EINVAL } from "../../mm/uapi/errno.ts";
import {
  IPC_INFO,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  SHM_INFO,
  SHM_LOCK,
  SHM_STAT,
  SHM_STAT_ANY,
  SHM_UNLOCK,
} from "../../mm/uapi/ipc.ts";
import { getIpcChange } from "../abi/ipc-perm.ts";
import { encodeShmInfo, encodeShmInfo64, encodeShmidDs, SHMID_DS_BYTES } from "../abi/shm.ts";
import type { Call, SyscallGroup } from "./call.ts";

export const ipcCalls: SyscallGroup = [
  [194, "shmget", 3, (call) => sysShmget(call.process, call.s32(0), call.u64(1), call.s32(2))],
  [195, "shmctl", 3, shmctl],
  [196, "shmat", 3, (call) => sysShmat(call.system.mmu, call.process, call.s32(0), call.u64(1), call.s32(2))],
  [197, "shmdt", 1, (call) => sysShmdt(call.process, call.u64(0))],
];

function shmctl(call: Call): number {
  const { process } = call;
  const shmid = call.s32(0);
  const command = call.s32(1);
  const buffer = call.u64(2);
  if (shmid < 0) return -EINVAL;
  switch (command) {
    case IPC_INFO: {
      const info = sysShmctlIpcInfo(process);
      return call.put(buffer, encodeShmInfo64(info)) || info.maxSlot;
    }
    case SHM_INFO: {
      const info = sysShmctlShmInfo(process);
      return call.put(buffer, encodeShmInfo(info)) || info.maxSlot;
    }
    case IPC_STAT:
      return stat(call, buffer, sysShmctlStat(process, shmid), /* answersId */ false);
    case SHM_STAT:
    case SHM_STAT_ANY:
      return stat(
        call,
        buffer,
        sysShmctlStatSlot(process, shmid, command === SHM_STAT_ANY),
        /* answersId */ true,
      );
    case IPC_SET: {
      const from = call.get(buffer, SHMID_DS_BYTES);
      return from === undefined ? -EFAULT : sysShmctlSet(process, shmid, getIpcChange(from));
    }
    case IPC_RMID:
      return sysShmctlRmid(process, shmid);
    case SHM_LOCK:
      return sysShmctlLock(process, shmid);
    case SHM_UNLOCK:
      return sysShmctlUnlock(process, shmid);
    default:
      return -EINVAL;
  }
}

function stat(call: Call, buffer: number, segment: ShmSegment | number, answersId: boolean): number {
  if (typeof segment === "number") return segment;
  return call.put(buffer, encodeShmidDs(segment)) || (answersId ? segment.id : 0);
}
