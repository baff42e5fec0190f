/** shmget(2), shmat(2), shmdt(2): segments of System V shared memory, and mappings of them (ipc/shm.c). */
import type { Mmu } from "../fault/mmu.ts";
import { ipcPermits, S_IRUGO, S_IWUGO, S_IXUGO } from "../ipc/ipc-permission.ts";
import { isAttachment, openAttachment } from "../ipc/shm-attachment.ts";
import type { ShmSegment } from "../ipc/shm-segment.ts";
import { isPageAligned, offsetInPage, PAGE_SIZE, pageAlign, type Vaddr } from "../page.ts";
import { EACCES, EEXIST, EINVAL, ENOENT } from "../uapi/errno.ts";
import {
  IPC_CREAT,
  IPC_EXCL,
  IPC_PRIVATE,
  SHM_EXEC,
  SHM_RDONLY,
  SHM_REMAP,
  SHM_RND,
  SHMLBA,
} from "../uapi/ipc.ts";
import { MAP_FIXED, MAP_SHARED, PROT_EXEC, PROT_READ, PROT_WRITE } from "../uapi/mman.ts";
import { fileOf } from "../vfs/file.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { doMmap } from "./mmap.ts";
import { doMunmap } from "./munmap.ts";
import type { Task } from "./task.ts";

/**
 * The id of the segment with this key, or of a new one of `size` bytes. ENOENT no such key, without IPC_CREAT; EEXIST
 * there is one, with IPC_EXCL; EINVAL a size of 0 or above kernel.shmmax, or above that of the segment; EACCES not
 * allowed; ENOSPC too many segments or pages in all; ENOMEM more than can be promised, or huge pages.
 */
export function sysShmget(task: Task, key: number, size: number, flags: number): number {
  const { ipc } = task;
  if (key === IPC_PRIVATE) return ipc.newSegment(task, key, size, flags);
  const segment = ipc.segments.withKey(key);
  if (segment === undefined) {
    return (flags & IPC_CREAT) === 0 ? -ENOENT : ipc.newSegment(task, key, size, flags);
  }
  if ((flags & (IPC_CREAT | IPC_EXCL)) === (IPC_CREAT | IPC_EXCL)) return -EEXIST;
  if (segment.segsz < size) return -EINVAL;
  return ipcPermits(task, segment, flags) ? segment.id : -EACCES;
}

/**
 * Maps the segment and answers where: at `shmaddr`, or with 0 where mmap would put it. EINVAL no such segment, an address
 * that is not page-aligned (without SHM_RND) or not free (without SHM_REMAP); EACCES not allowed; ENOMEM as mmap; EPERM
 * below mmap_min_addr.
 */
export function sysShmat(mmu: Mmu, task: Task, shmid: number, shmaddr: Vaddr, flags: number): number {
  if (shmid < 0) return -EINVAL;
  let addr = shmaddr;
  if (addr === 0) {
    if ((flags & SHM_REMAP) !== 0) return -EINVAL;
  } else if (offsetInPage(addr) !== 0) {
    if ((flags & SHM_RND) === 0) return -EINVAL;
    addr -= addr % SHMLBA;
    // There is nothing to replace at 0.
    if (addr === 0 && (flags & SHM_REMAP) !== 0) return -EINVAL;
  }
  const mayWrite = (flags & SHM_RDONLY) === 0;
  const mayExecute = (flags & SHM_EXEC) !== 0;
  const segment = task.ipc.segments.withId(shmid);
  if (segment === undefined) return -EINVAL;
  const access = S_IRUGO | (mayWrite ? S_IWUGO : 0) | (mayExecute ? S_IXUGO : 0);
  if (!ipcPermits(task, segment, access)) return -EACCES;
  const prot = PROT_READ | (mayWrite ? PROT_WRITE : 0) | (mayExecute ? PROT_EXEC : 0);
  const mapFlags = shmaddr === 0 ? MAP_SHARED : MAP_SHARED | MAP_FIXED;

  // What is replaced may be the last attachment, and must not take the segment along.
  segment.nattch++;
  const file = openAttachment(task.ipc, segment, mayWrite);
  const isTaken = addr !== 0 && (flags & SHM_REMAP) === 0 && overlaps(task, addr, segment);
  const result = isTaken
    ? -EINVAL
    : doMmap(mmu, task, file, addr, segment.file.inode.size, prot, mapFlags, 0);
  file.put();
  task.ipc.release(segment);
  return result;
}

/** Whether anything is mapped where the segment is to go, or it would go beyond the end of all addresses. */
function overlaps({ mm }: Task, addr: Vaddr, segment: ShmSegment): boolean {
  const { size } = segment.file.inode;
  // Not their sum, which is no exact number up there.
  return size >= 2 ** 64 - addr || mm.vmas.findIntersection(addr, addr + size) !== null;
}

/**
 * Takes away what an attachment at `shmaddr` has left: its first piece that is still where it was says which attachment
 * that is and how far it reached, and then every piece of it that is in its place goes. Pieces that were moved, or whose
 * pages were rearranged, stay. EINVAL when there is none.
 */
export function sysShmdt(task: Task, shmaddr: Vaddr): number {
  const { mm } = task;
  if (!isPageAligned(shmaddr)) return -EINVAL;
  const inPlace = (vma: VmArea): boolean =>
    isAttachment(vma) && (vma.start - shmaddr) / PAGE_SIZE === vma.pgoff;
  let vma = mm.vmas.find(shmaddr);
  while (vma !== null && !inPlace(vma)) vma = vma.next;
  if (vma === null) return -EINVAL;
  const { file } = vma;
  const reach = shmaddr + pageAlign(fileOf(vma).inode.size);
  for (let piece: VmArea | null = vma; piece !== null && (piece === vma || piece.end <= reach); ) {
    const next: VmArea | null = piece.next;
    if (piece.file === file && inPlace(piece)) detach(task, piece);
    piece = next;
  }
  return 0;
}

/** A sealed piece stays, and nobody is told. */
function detach({ mm, pid }: Task, { start, end }: VmArea): void {
  const { tracer } = mm.phys;
  if (doMunmap(mm, start, end) === 0 && tracer.enabled) {
    tracer.emit({ type: "munmap", pid, address: start, length: end - start });
  }
}
