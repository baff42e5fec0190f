/**
 * mlock(2), mlock2(2), munlock(2): keep a range in memory, or no longer (mm/mlock.c).
 *
 * Mappings are locked one by one up to the first hole or refusal; what lies before stays locked. Only then are the pages
 * brought in, and a page that can't be leaves the lock where it is, too: so a call may fail and have locked everything.
 */
import type { Mmu } from "../fault/mmu.ts";
import { mmPopulateOrFail } from "../fault/populate.ts";
import { offsetInPage, PAGE_SIZE, pageAlign, pageAlignDown, type Vaddr } from "../page.ts";
import { EAGAIN, EFAULT, EINVAL, ENOMEM, EPERM } from "../uapi/errno.ts";
import { MLOCK_ONFAULT } from "../uapi/mman.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { VM_LOCKED, VM_LOCKED_MASK, VM_LOCKONFAULT } from "../vma/vm-flags.ts";
import { canDoMlock, mlockFixup } from "./mlock-fixup.ts";
import type { Task } from "./task.ts";

/** End of 64-bit arithmetic, where the kernel's sums wrap. */
const WRAP = 2 ** 64;

/**
 * Errors: EPERM a limit of 0; ENOMEM a hole, more than RLIMIT_MEMLOCK, too many mappings, or a page that can't be made
 * resident (PROT_NONE, past the end of a file); EAGAIN no memory; EINVAL a range that wraps around.
 */
export function sysMlock(mmu: Mmu, task: Task, addr: Vaddr, len: number): number {
  return doMlock(mmu, task, addr, len, VM_LOCKED);
}

/** mlock2(2): with MLOCK_ONFAULT pages are locked as they are touched. EINVAL unknown flags; else as mlock. */
export function sysMlock2(mmu: Mmu, task: Task, addr: Vaddr, len: number, flags: number): number {
  if ((flags & ~MLOCK_ONFAULT) !== 0) return -EINVAL;
  return doMlock(
    mmu,
    task,
    addr,
    len,
    (flags & MLOCK_ONFAULT) !== 0 ? VM_LOCKED | VM_LOCKONFAULT : VM_LOCKED,
  );
}

/** munlock(2): ENOMEM a hole or too many mappings, with what lies before unlocked; EINVAL a range that wraps around. */
export function sysMunlock(task: Task, addr: Vaddr, len: number): number {
  return applyVmaLockFlags(task.mm, pageAlignDown(addr), wrappedLength(addr, len), 0);
}

function doMlock(mmu: Mmu, task: Task, addr: Vaddr, len: number, lock: number): number {
  const { mm } = task;
  if (!canDoMlock(mm)) return -EPERM;
  const length = wrappedLength(addr, len);
  const start = pageAlignDown(addr);
  if (!mm.capIpcLock) {
    const limit = Math.floor(mm.rlimitMemlock / PAGE_SIZE);
    let locked = length / PAGE_SIZE + mm.lockedVm;
    // What is locked already counts once, however often it is locked.
    if (locked > limit) locked -= lockedPages(mm, start, start + length);
    if (locked > limit) return -ENOMEM;
  }
  const failed = applyVmaLockFlags(mm, start, length, lock);
  if (failed !== 0) return failed;
  return mlockError(mmPopulateOrFail(mmu, task, start, start + length));
}

/** What POSIX wants to hear of a failed populate (__mlock_posix_error_return). */
function mlockError(error: number): number {
  if (error === -EFAULT) return -ENOMEM;
  return error === -ENOMEM ? -EAGAIN : error;
}

/** The length from the start of addr's page, in whole pages, in arithmetic that wraps. */
function wrappedLength(addr: Vaddr, len: number): number {
  return pageAlign((len + offsetInPage(addr)) % WRAP) % WRAP;
}

/** Gives the mappings of the range the lock `lock` (0: none), up to the first that refuses (apply_vma_lock_flags). */
function applyVmaLockFlags(mm: MmStruct, start: Vaddr, length: number, lock: number): number {
  const end = (start + length) % WRAP;
  if (end < start) return -EINVAL;
  for (let at: number = start; at < end; ) {
    const vma = mm.vmas.lookup(at);
    if (vma === null) return -ENOMEM;
    const upTo = Math.min(vma.end, end);
    const failed = mlockFixup(vma, at, upTo, (vma.flags & ~VM_LOCKED_MASK) | lock);
    if (failed !== 0) return failed;
    at = upTo;
  }
  return 0;
}

/** Locked pages of start … end, holes left out (count_mm_mlocked_page_nr). */
function lockedPages(mm: MmStruct, start: Vaddr, end: Vaddr): number {
  let pages = 0;
  for (let vma = mm.vmas.find(start); vma !== null && vma.start < end; vma = vma.next) {
    if ((vma.flags & VM_LOCKED) === 0) continue;
    pages += (Math.min(vma.end, end) - Math.max(vma.start, start)) / PAGE_SIZE;
  }
  return pages;
}
