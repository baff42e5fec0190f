/** The structures of shmctl(2), as asm-generic/shmbuf.h lays them out. */
import type { ShmidDs } from "../../mm/ipc/shm-segment.ts";
import type { ShmInfo, ShmInfo64 } from "../../mm/syscalls/shmctl.ts";
import { StructView } from "./bytes.ts";
import { putIpcPerm } from "./ipc-perm.ts";

/**
 * struct shmid64_ds, 112 bytes: 0 shm_perm, 48 shm_segsz, 56 shm_atime, 64 shm_dtime, 72 shm_ctime, 80 shm_cpid (int),
 * 84 shm_lpid (int), 88 shm_nattch, 96 two unused.
 */
export const SHMID_DS_BYTES = 112;

export function encodeShmidDs(ds: ShmidDs): Uint8Array {
  const out = putIpcPerm(new StructView(SHMID_DS_BYTES), ds);
  out.put64(48, ds.segsz).put64(56, ds.atime).put64(64, ds.dtime).put64(72, ds.ctime);
  return out.put32(80, ds.cpid).put32(84, ds.lpid).put64(88, ds.nattch).bytes;
}

/** struct shminfo64, 72 bytes: 0 shmmax, 8 shmmin, 16 shmmni, 24 shmseg, 32 shmall, 40 four unused. */
export function encodeShmInfo64({ shmmax, shmmin, shmmni, shmseg, shmall }: ShmInfo64): Uint8Array {
  const out = new StructView(72);
  putLong(out, 0, shmmax);
  out.put64(8, shmmin).put64(16, shmmni).put64(24, shmseg);
  putLong(out, 32, shmall);
  return out.bytes;
}

/** struct shm_info, 48 bytes: 0 used_ids (int), 8 shm_tot, 16 shm_rss, 24 shm_swp, 32 swap_attempts, 40 swap_successes. */
export function encodeShmInfo({ usedIds, shmTot, shmRss, shmSwp }: ShmInfo): Uint8Array {
  return new StructView(48).put32(0, usedIds).put64(8, shmTot).put64(16, shmRss).put64(24, shmSwp).bytes;
}

/** An unsigned long of which every bit counts. */
function putLong(out: StructView, at: number, value: bigint): void {
  out.putHalves(at, Number(value & 0xffffffffn), Number(value >> 32n));
}
