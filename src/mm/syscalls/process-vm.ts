/**
 * process_vm_readv(2) and process_vm_writev(2): bytes from one process's memory to another's (mm/process_vm_access.c).
 *
 * The two sides fail differently: the other process's memory is taken a page at a time, the caller's byte by byte, as by
 * any system call. What could be transferred is, and counts; only if that is nothing is there an error.
 */
import type { Mmu } from "../fault/mmu.ts";
import { pinUserPages } from "../fault/pin-user-pages.ts";
import { UserIter, type UserSegment } from "../fault/user-iter.ts";
import { PAGE_OFFSET_MASK, PAGE_SIZE } from "../page.ts";
import { setPageDirty } from "../rmap/page-dirty.ts";
import { EFAULT, EPERM, ESRCH } from "../uapi/errno.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { mayAccessMm } from "./ptrace-access.ts";
import type { Task } from "./task.ts";

/** Pages of the other process that are held at a time (PVM_MAX_KMALLOC_PAGES of pointers). */
const BATCH_PAGES = 1024;

/** From where to where: `local` is the caller's memory, `remote` that of `target` (undefined: there is no such process). */
export interface ProcessVmTransfer {
  readonly target: Task | undefined;
  readonly local: readonly UserSegment[];
  readonly remote: readonly UserSegment[];
}

/** Bytes read from the target. ESRCH no such process, or one that has ended; EPERM not the caller's; EFAULT a bad address. */
export function sysProcessVmReadv(mmu: Mmu, task: Task, transfer: ProcessVmTransfer): number {
  return processVmRw(mmu, task, transfer, /* write */ false);
}

/** Bytes written to the target; errors as for reading. */
export function sysProcessVmWritev(mmu: Mmu, task: Task, transfer: ProcessVmTransfer): number {
  return processVmRw(mmu, task, transfer, /* write */ true);
}

function processVmRw(mmu: Mmu, task: Task, transfer: ProcessVmTransfer, write: boolean): number {
  const { target, local, remote } = transfer;
  const iter = new UserIter(mmu, task, local);
  const total = iter.count;
  if (local.some((one) => isOutside(task, one))) return -EFAULT;
  // Nothing to transfer is no error, whoever it is about.
  if (total === 0 || remote.every(({ len }) => len === 0)) return 0;
  if (target === undefined) return -ESRCH;
  if (!mayAccessMm(task, target)) return -EPERM;
  let failed = 0;
  for (const segment of remote) {
    if (iter.count === 0 || failed !== 0) break;
    failed = transferSegment(mmu, task, target.mm, iter, segment, write);
  }
  const moved = total - iter.count;
  return moved > 0 ? moved : failed;
}

/** Whether a segment of the caller's reaches beyond user space: refused before anything is done (access_ok). */
export function isOutside(task: Task, { base, len }: UserSegment): boolean {
  return base + len > task.mm.arch.taskSize;
}

/** process_vm_rw_single_vec: 0, or -EFAULT with a part transferred. */
function transferSegment(
  mmu: Mmu,
  task: Task,
  mm: MmStruct,
  iter: UserIter,
  segment: UserSegment,
  write: boolean,
): number {
  if (segment.len === 0) return 0;
  let offset = segment.base & PAGE_OFFSET_MASK;
  let page = segment.base - offset;
  let left = segment.len;
  while (left > 0 && iter.count > 0) {
    const wanted = Math.min(BATCH_PAGES, Math.ceil((offset + left) / PAGE_SIZE));
    const pfns = pinUserPages(mmu, task, mm, page, wanted, write);
    let failed = pfns.length === 0 ? -EFAULT : 0;
    for (const pfn of pfns) {
      const bytes = Math.min(PAGE_SIZE - offset, left);
      if (failed === 0 && iter.count > 0) {
        const at = pfn * PAGE_SIZE + offset;
        const copied = write ? iter.copyFromIter(at, bytes) : iter.copyToIter(at, bytes);
        if (write) mmu.phys.flushIcache(pfn);
        if (copied < bytes && iter.count > 0) failed = -EFAULT;
      }
      // What was held for writing counts as written (unpin_user_pages_dirty_lock).
      if (write) setPageDirty(mmu.phys, pfn);
      mmu.phys.putPage(pfn);
      left -= bytes;
      offset = 0;
    }
    if (failed !== 0) return failed;
    page += pfns.length * PAGE_SIZE;
  }
  return 0;
}
