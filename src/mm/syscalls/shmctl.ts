/** shmctl(2): what is known of segments, who may use them, their end, and their place in memory (ipc/shm.c). */
import { type IpcChange, ipcPermits, isIpcOwner, S_IRUGO, updateIpcPerm } from "../ipc/ipc-permission.ts";
import type { ShmSegment } from "../ipc/shm-segment.ts";
import { EACCES, EINVAL, EPERM } from "../uapi/errno.ts";
import { SHMMIN } from "../uapi/ipc.ts";
import { RLIMIT_MEMLOCK } from "../uapi/mman.ts";
import type { Task } from "./task.ts";

/** What IPC_INFO tells (struct shminfo64): the limits; shmmax in bytes, shmall in pages. */
export interface ShmInfo64 {
  readonly shmmax: bigint;
  readonly shmmin: number;
  readonly shmmni: number;
  readonly shmseg: number;
  readonly shmall: bigint;
  /** The highest slot in use, 0 where none is: for SHM_STAT. */
  readonly maxSlot: number;
}

/** What SHM_INFO tells (struct shm_info): how much of all there is; in pages. */
export interface ShmInfo {
  readonly usedIds: number;
  readonly shmTot: number;
  readonly shmRss: number;
  readonly shmSwp: number;
  /** As ShmInfo64.maxSlot. */
  readonly maxSlot: number;
}

export function sysShmctlIpcInfo({ ipc }: Task): ShmInfo64 {
  const { shmmax, shmall, shmmni } = ipc;
  return {
    shmmax,
    shmmin: SHMMIN,
    shmmni,
    shmseg: shmmni,
    shmall,
    maxSlot: Math.max(ipc.segments.maxSlot, 0),
  };
}

export function sysShmctlShmInfo({ ipc }: Task): ShmInfo {
  let shmRss = 0;
  for (const segment of ipc.segments) shmRss += residentPages(segment);
  const maxSlot = Math.max(ipc.segments.maxSlot, 0);
  return { usedIds: ipc.segments.inUse, shmTot: ipc.totalPages, shmRss, shmSwp: 0, maxSlot };
}

/** Pages of the segment that are in memory (shm_add_rss_swap). */
export function residentPages({ file }: ShmSegment): number {
  return file.mapping.pages.size;
}

/** IPC_STAT. EINVAL no such segment; EACCES not readable for the caller. */
export function sysShmctlStat(task: Task, shmid: number): ShmSegment | number {
  const segment = obtain(task, shmid);
  return typeof segment === "number" || ipcPermits(task, segment, S_IRUGO) ? segment : -EACCES;
}

/** SHM_STAT, and SHM_STAT_ANY, which asks for no permission: the segment in a slot. */
export function sysShmctlStatSlot(task: Task, slot: number, any: boolean): ShmSegment | number {
  if (slot < 0) return -EINVAL;
  const segment = task.ipc.segments.inSlotOf(slot);
  if (segment === undefined) return -EINVAL;
  return any || ipcPermits(task, segment, S_IRUGO) ? segment : -EACCES;
}

/** IPC_SET. EINVAL no such segment, or no such user; EPERM not the caller's. */
export function sysShmctlSet(task: Task, shmid: number, change: IpcChange): number {
  const segment = obtainOwned(task, shmid);
  if (typeof segment === "number") return segment;
  const failed = updateIpcPerm(segment, change);
  if (failed === 0) task.ipc.touch(segment);
  return failed;
}

/** IPC_RMID: the segment goes when its last attachment does. EINVAL no such segment; EPERM not the caller's. */
export function sysShmctlRmid(task: Task, shmid: number): number {
  const segment = obtainOwned(task, shmid);
  if (typeof segment === "number") return segment;
  task.ipc.markRemoved(segment);
  return 0;
}

/** SHM_LOCK. EINVAL no such segment; EPERM not the caller's, or nothing may be locked; ENOMEM more than may be. */
export function sysShmctlLock(task: Task, shmid: number): number {
  const segment = obtainForLock(task, shmid);
  if (typeof segment === "number") return segment;
  if (!task.mm.capIpcLock && task.rlimits[RLIMIT_MEMLOCK].soft === 0) return -EPERM;
  return task.ipc.lock(task, segment);
}

/** SHM_UNLOCK. EINVAL no such segment; EPERM not the caller's. */
export function sysShmctlUnlock(task: Task, shmid: number): number {
  const segment = obtainForLock(task, shmid);
  if (typeof segment === "number") return segment;
  task.ipc.unlock(segment);
  return 0;
}

function obtain({ ipc }: Task, shmid: number): ShmSegment | number {
  return shmid < 0 ? -EINVAL : (ipc.segments.withId(shmid) ?? -EINVAL);
}

function obtainOwned(task: Task, shmid: number): ShmSegment | number {
  const segment = obtain(task, shmid);
  return typeof segment === "number" || isIpcOwner(task, segment) ? segment : -EPERM;
}

function obtainForLock(task: Task, shmid: number): ShmSegment | number {
  const segment = obtain(task, shmid);
  if (typeof segment === "number" || task.mm.capIpcLock) return segment;
  return task.uid === segment.uid || task.uid === segment.cuid ? segment : -EPERM;
}
