/** The structures of semop(2) and semctl(2), as asm-generic/sembuf.h and linux/sem.h lay them out. */
import { type SemaphoreSet, SemOps } from "../../mm/ipc/semaphore-set.ts";
import type { Semaphores } from "../../mm/ipc/semaphores.ts";
import { SEMAEM, SEMMNS, SEMOPM, SEMUSZ, SEMVMX } from "../../mm/uapi/ipc.ts";
import { StructView } from "./bytes.ts";
import { putIpcPerm } from "./ipc-perm.ts";

/** struct sembuf, 6 bytes: 0 sem_num (u16), 2 sem_op (s16), 4 sem_flg (s16). */
export const SEMBUF_BYTES = 6;

export function getSemOps(from: StructView): SemOps {
  return new SemOps(new Int16Array(shorts(from)));
}

export function shorts(from: StructView): Uint16Array {
  return Uint16Array.from({ length: from.bytes.length / 2 }, (_, i) => from.u16(2 * i));
}

/** What GETALL tells: a short for each. */
export function encodeValues(set: SemaphoreSet): Uint8Array {
  const out = new StructView(2 * set.nsems);
  for (let num = 0; num < set.nsems; num++) out.put16(2 * num, set.value(num));
  return out.bytes;
}

/** struct semid64_ds, 88 bytes: 0 sem_perm, 48 sem_otime, 56 sem_ctime, 64 sem_nsems, 72 two unused. */
export const SEMID_DS_BYTES = 88;

export function encodeSemidDs(set: SemaphoreSet): Uint8Array {
  const out = putIpcPerm(new StructView(SEMID_DS_BYTES), set);
  return out.put64(48, set.otime).put64(56, set.ctime).put64(64, set.nsems).bytes;
}

/**
 * struct seminfo, 40 bytes, all int: 0 semmap, 4 semmni, 8 semmns, 12 semmnu, 16 semmsl, 20 semopm, 24 semume, 28 semusz,
 * 32 semvmx, 36 semaem. SEM_INFO tells sets and semaphores in the places of semusz and semaem.
 */
export function encodeSemInfo(all: Semaphores, isUsage: boolean): Uint8Array {
  const [semusz, semaem] = isUsage ? [all.sets.inUse, all.usedSems] : [SEMUSZ, SEMAEM];
  const out = new StructView(40).put32(0, SEMMNS).put32(4, all.semmni).put32(8, all.semmns).put32(12, SEMMNS);
  out.put32(16, all.semmsl).put32(20, all.semopm).put32(24, SEMOPM).put32(28, semusz);
  return out.put32(32, SEMVMX).put32(36, semaem).bytes;
}
