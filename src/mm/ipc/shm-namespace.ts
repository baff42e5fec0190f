/**
 * System V shared memory (ipc/shm.c): memory that has a number, and a life of its own.
 *
 * A segment is made by shmget and is there until somebody says that it shall go (IPC_RMID); then it ends with its last
 * attachment, at once where there is none. Attachments are mappings: fork copies them, exec and exit drop them, mprotect
 * and munmap cut them into pieces, each of which counts as one more.
 *
 * ```
 *   newSegment ──▶ attached and detached (open, close) ──▶ markRemoved ──▶ close of the last ──▶ gone
 *                                                               └── nothing attached ──────────────▲
 * ```
 *
 * Invariants: `nattch` of a segment is the number of mappings whose operations are shm's and whose file names it;
 * `totalPages` is the sum of the segments' sizes; `lockedPages` of a user is the sum over the segments it has locked.
 */

import { BugError } from "../bug.ts";
import { OVERCOMMIT_NEVER } from "../frames/commit.ts";
import { hugePageSize, hugetlbFileSetup } from "../hugetlb/hugetlbfs.ts";
import { PAGE_SIZE, pageAlign } from "../page.ts";
import { shmemLock, shmemUnlock } from "../shmem/shmem-lock.ts";
import { shmemFileSetup } from "../shmem/shmem-mount.ts";
import { CAP_IPC_LOCK } from "../uapi/capability.ts";
import { EINVAL, ENOMEM, ENOSPC, EPERM } from "../uapi/errno.ts";
import { MAX_LFS_FILESIZE } from "../uapi/fcntl.ts";
import {
  SHM_DEST,
  SHM_HUGE_MASK,
  SHM_HUGE_SHIFT,
  SHM_HUGETLB,
  SHM_LOCKED,
  SHM_NORESERVE,
  SHMALL,
  SHMMAX,
  SHMMIN,
  SHMMNI,
} from "../uapi/ipc.ts";
import { capable } from "../vfs/capability.ts";
import type { File } from "../vfs/file.ts";
import type { Credentials } from "../vfs/inode.ts";
import type { KernMounts } from "../vfs/super-block.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { VM_NORESERVE } from "../vma/vm-flags.ts";
import { IpcIds } from "./ipc-ids.ts";
import { PERMISSION_BITS } from "./ipc-permission.ts";
import { ShmSegment } from "./shm-segment.ts";

/** Who asks. */
export interface ShmTask extends Credentials {
  readonly pid: number;
  readonly mm: MmStruct;
}

/** What the namespace needs of the kernel. */
export interface ShmHost {
  readonly mounts: KernMounts;
  /** Nanoseconds since the epoch. */
  readonly timeOfDay: () => number;
  /** The process whose call is being served (current): a mapping that is split or dropped does not know who did it. */
  readonly currentPid: number;
}

const NS_PER_SECOND = 1e9;

export class ShmNamespace {
  readonly segments: IpcIds<ShmSegment> = new IpcIds();
  /** kernel.shmmax (bytes) and kernel.shmall (pages): unsigned 64-bit numbers, all bits of which show. */
  shmmax: bigint = SHMMAX;
  shmall: bigint = SHMALL;
  /** kernel.shmmni */
  shmmni: number = SHMMNI;
  /** vm.hugetlb_shm_group: its members may have segments of huge pages, as root may. */
  hugetlbShmGroup = 0;
  #rmidForced = false;
  /** Pages of all segments, by their sizes. */
  totalPages = 0;
  /** Pages that each user has locked with SHM_LOCK (user_struct.locked_shm). */
  readonly lockedPages: Map<number, number> = new Map();
  readonly #host: ShmHost;

  constructor(host: ShmHost) {
    this.#host = host;
  }

  /** kernel.shm_rmid_forced: a segment that nobody has attached ends with its maker, and those of dead makers at once. */
  get rmidForced(): boolean {
    return this.#rmidForced;
  }

  set rmidForced(forced: boolean) {
    this.#rmidForced = forced;
    for (const segment of [...this.segments]) {
      if (segment.creator === null) this.#destroyIfUnused(segment);
    }
  }

  /** A new segment's id, or a negative errno (newseg). */
  newSegment(task: ShmTask, key: number, size: number, flags: number): number {
    // (size_t) −1 would be rounded to 2^64 and be above every limit.
    if (size < SHMMIN || Math.min(size, 2 ** 64 - PAGE_SIZE / 2) > this.shmmax) return -EINVAL;
    const pages = pageAlign(size) / PAGE_SIZE;
    // Rounded up, it would wrap.
    if (size > 2 ** 64 - PAGE_SIZE) return -ENOSPC;
    if (this.totalPages + pages > this.shmall) return -ENOSPC;
    const name = `SYSV${(key >>> 0).toString(16).padStart(8, "0")}`;
    const isHuge = (flags & SHM_HUGETLB) !== 0;
    const file = isHuge ? this.#hugeFile(task, name, size, flags) : this.#file(task, name, size, flags);
    if (typeof file === "number") return file;
    const segment = new ShmSegment(key, flags & PERMISSION_BITS, size, file, task, this.#seconds());
    const id = this.segments.add(segment, this.shmmni);
    if (id < 0) {
      file.put();
      return id;
    }
    // Tools read it out of maps.
    file.inode.ino = id;
    this.totalPages += pages;
    return id;
  }

  #file(task: ShmTask, name: string, size: number, flags: number): File | number {
    if (size >= 2 ** 63) return -EINVAL;
    // No more can be promised; and without a promise no file here is that long.
    if (size > MAX_LFS_FILESIZE) return -ENOMEM;
    const noreserve =
      (flags & SHM_NORESERVE) !== 0 && task.mm.phys.commit.mode !== OVERCOMMIT_NEVER ? VM_NORESERVE : 0;
    return shmemFileSetup(this.#host.mounts, name, size, noreserve, task, task.mm);
  }

  /** A file of huge pages, in whole ones: all of them are reserved now, or with SHM_NORESERVE none ever. */
  #hugeFile(task: ShmTask, name: string, size: number, flags: number): File | number {
    const code = (flags >>> SHM_HUGE_SHIFT) & SHM_HUGE_MASK;
    const pageSize = hugePageSize(task.mm.arch.hugePageSizeLogs, code);
    if (pageSize === undefined) return -EINVAL;
    if (!capable(task, CAP_IPC_LOCK) && task.gid !== this.hugetlbShmGroup) return -EPERM;
    return hugetlbFileSetup(this.#host.mounts, {
      name,
      size: Math.ceil(size / pageSize) * pageSize,
      pageSize,
      vmFlags: (flags & SHM_NORESERVE) !== 0 ? VM_NORESERVE : 0,
      owner: task,
      isPrivate: true,
    });
  }

  /** A mapping shows the segment from now on (__shm_open). -EINVAL when that is gone, and perhaps another has its slot. */
  open(id: number, base: File): number {
    const segment = this.segments.inSlotOf(id);
    if (segment === undefined || segment.file !== base) return -EINVAL;
    segment.atime = this.#seconds();
    segment.lpid = this.#host.currentPid;
    segment.nattch++;
    return 0;
  }

  /** A mapping shows it no longer (shm_close). */
  close(id: number): void {
    const segment = this.segments.inSlotOf(id);
    if (segment === undefined) throw new BugError("shm_close", `segment ${id} ended before its mappings`);
    segment.lpid = this.#host.currentPid;
    segment.dtime = this.#seconds();
    this.release(segment);
  }

  /** Takes back one count of attachments: that of a mapping, or that of an attempt to make one. */
  release(segment: ShmSegment): void {
    segment.nattch--;
    if (this.#rmidForced || (segment.mode & SHM_DEST) !== 0) this.#destroyIfUnused(segment);
  }

  /** IPC_RMID: nobody finds it by its key any more, and it ends when nobody has it attached (do_shm_rmid). */
  markRemoved(segment: ShmSegment): void {
    segment.mode |= SHM_DEST;
    this.segments.setPrivate(segment);
    this.#destroyIfUnused(segment);
  }

  /** The process is about to end, its memory is gone: its segments have no maker any more (exit_shm). */
  exit(task: object): void {
    for (const segment of [...this.segments]) {
      if (segment.creator !== task) continue;
      segment.creator = null;
      if (this.#rmidForced) this.#destroyIfUnused(segment);
    }
  }

  /** IPC_SET has changed owner or permissions. */
  touch(segment: ShmSegment): void {
    segment.ctime = this.#seconds();
  }

  /** SHM_LOCK: charges the user for all of it. 0 or -ENOMEM (shmem_lock, user_shm_lock). */
  lock(task: ShmTask, segment: ShmSegment): number {
    // Huge pages never leave memory, whoever asks for it.
    if ((segment.mode & SHM_LOCKED) !== 0 || segment.isHuge) return 0;
    const pages = pageAlign(segment.segsz) / PAGE_SIZE;
    if (!this.#mayLock(task, pages)) return -ENOMEM;
    this.lockedPages.set(task.uid, (this.lockedPages.get(task.uid) ?? 0) + pages);
    shmemLock(segment.file.mapping);
    segment.mode |= SHM_LOCKED;
    segment.lockUser = task.uid;
    return 0;
  }

  /** SHM_UNLOCK, and the end of a locked segment. */
  unlock(segment: ShmSegment): void {
    if (segment.lockUser === null) return;
    const left = (this.lockedPages.get(segment.lockUser) ?? 0) - pageAlign(segment.segsz) / PAGE_SIZE;
    if (left === 0) this.lockedPages.delete(segment.lockUser);
    else this.lockedPages.set(segment.lockUser, left);
    shmemUnlock(segment.file.mapping);
    segment.mode &= ~SHM_LOCKED;
    segment.lockUser = null;
  }

  #mayLock({ uid, mm }: ShmTask, pages: number): boolean {
    const locked = (this.lockedPages.get(uid) ?? 0) + pages;
    return mm.capIpcLock || locked <= Math.floor(mm.rlimitMemlock / PAGE_SIZE);
  }

  #destroyIfUnused(segment: ShmSegment): void {
    if (segment.nattch > 0) return;
    if (!this.#rmidForced && (segment.mode & SHM_DEST) === 0) return;
    this.totalPages -= pageAlign(segment.segsz) / PAGE_SIZE;
    this.segments.remove(segment);
    this.unlock(segment);
    segment.file.put();
  }

  #seconds(): number {
    return Math.floor(this.#host.timeOfDay() / NS_PER_SECOND);
  }
}
