/** The structures of shmctl(2), as asm-generic/shmbuf.h and ipcbuf.h lay them out. */
import type { IpcChange } from "../../mm/ipc/ipc-permission.ts";
import type { ShmidDs } from "../../mm/ipc/shm-segment.ts";
import type { ShmInfo, ShmInfo64 } from "../../mm/syscalls/shmctl.ts";
import { StructView } from "./bytes.ts";

/**
 * struct shmid64_ds, 112 bytes: 0 shm_perm, 48 shm_segsz, 56 shm_atime, 64 shm_dtime, 72 shm_ctime, 80 shm_cpid (int),
 * 84 shm_lpid (int), 88 shm_nattch, 96 two unused. Its struct ipc64_perm: 0 key, 4 uid, 8 gid, 12 cuid, 16 cgid, 20 mode,
 * 24 seq (u16), 32 two unused.
 */
export const SHMID_DS_BYTES = 112;

export function encodeShmidDs(ds: ShmidDs): Uint8Array {
  const out = new StructView(SHMID_DS_BYTES);
  out.put32(0, ds.key).put32(4, ds.uid).put32(8, ds.gid).put32(12, ds.cuid).put32(16, ds.cgid);
  out.put32(20, ds.mode).put16(24, ds.seq);
  out.put64(48, ds.segsz).put64(56, ds.atime).put64(64, ds.dtime).put64(72, ds.ctime);
  return out.put32(80, ds.cpid).put32(84, ds.lpid).put64(88, ds.nattch).bytes;
}

/** What IPC_SET looks at of a struct shmid64_ds. */
export function getIpcChange(from: StructView): IpcChange {
  return { uid: from.u32(4), gid: from.u32(8), mode: from.u32(20) };
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
