/**
 * mmap(2): makes a mapping (mm/mmap.c do_mmap, mm/vma.c __mmap_region).
 *
 * No page is touched here: the mapping is a promise, which faults keep. The arguments are checked in Linux's order,
 * because that order decides which errno a call with two mistakes gets.
 */
import type { Mmu } from "../fault/mmu.ts";
import { mmPopulate } from "../fault/populate.ts";
import { OVERCOMMIT_NEVER } from "../frames/commit.ts";
import { isPageAligned, PAGE_SIZE, pageAlign, type Vaddr } from "../page.ts";
import { newSharedAnonymousFile } from "../shmem/shared-anonymous.ts";
import type { MappingType } from "../trace/events.ts";
import {
  EACCES,
  EAGAIN,
  EBADF,
  EEXIST,
  EINVAL,
  ENODEV,
  ENOMEM,
  EOPNOTSUPP,
  EOVERFLOW,
  EPERM,
  ETXTBSY,
} from "../uapi/errno.ts";
import { F_SEAL_FUTURE_WRITE, F_SEAL_WRITE } from "../uapi/fs.ts";
import {
  MAP_ANONYMOUS,
  MAP_DENYWRITE,
  MAP_DROPPABLE,
  MAP_EXECUTABLE,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_GROWSDOWN,
  MAP_HUGETLB,
  MAP_LOCKED,
  MAP_NONBLOCK,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_SHARED_VALIDATE,
  MAP_STACK,
  MAP_SYNC,
  MAP_TYPE,
  MAP_UNINITIALIZED,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "../uapi/mman.ts";
import { READ_IMPLIES_EXEC } from "../uapi/personality.ts";
import { type File, FMODE_READ, FMODE_WRITE } from "../vfs/file.ts";
import { mayExpandVm, mlockFutureOk, vmStatAccount } from "../vma/accounting.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { isAccountable, vmEnoughMemory } from "../vma/overcommit.ts";
import { vmaSetPageProt } from "../vma/page-prot.ts";
import { getUnmappedArea, roundHintToMin } from "../vma/unmapped-area.ts";
import {
  VM_ACCOUNT,
  VM_DONTDUMP,
  VM_DONTEXPAND,
  VM_DROPPABLE,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_LOCKED,
  VM_LOCKED_MASK,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_NOHUGEPAGE,
  VM_NORESERVE,
  VM_READ,
  VM_SHARED,
  VM_SYNC,
  VM_WIPEONFORK,
  VM_WRITE,
} from "../vma/vm-flags.ts";
import { allocVma, freeVma, setVmaFlags, vmaLink } from "../vma/vma-lifetime.ts";
import { vmaMergeNewRange } from "../vma/vma-merge.ts";
import { fdGet } from "./fd.ts";
import { splitAtEnds, unmapWhole } from "./munmap.ts";
import type { Task } from "./task.ts";

/** Placement flags that x86-64 has besides (MAP_32BIT, MAP_ABOVE4G). */
const X86_MAP_MASK: number = 0x40 | 0x80;
/** The flags a MAP_SHARED_VALIDATE mapping may have (LEGACY_MAP_MASK), the two huge-page sizes included. */
const LEGACY_MAP_MASK: number =
  MAP_SHARED |
  MAP_PRIVATE |
  MAP_FIXED |
  MAP_ANONYMOUS |
  MAP_DENYWRITE |
  MAP_EXECUTABLE |
  MAP_UNINITIALIZED |
  MAP_GROWSDOWN |
  MAP_LOCKED |
  MAP_NORESERVE |
  MAP_POPULATE |
  MAP_NONBLOCK |
  MAP_STACK |
  MAP_HUGETLB |
  (21 << 26) |
  (30 << 26);
/** Where a size of huge pages stands in the flags, and the sizes that x86-64 and riscv64 know, the usual one first. */
const MAP_HUGE_SHIFT = 26;
const MAP_HUGE_MASK = 0x3f;
const HUGE_SIZE_LOGS: readonly number[] = [21, 30];
/** Largest offset any file may have (MAX_LFS_FILESIZE): 2^63 − 1. */
const MAX_FILE_BYTES = 2 ** 63;

/**
 * mmap(2). Answers the address, or a negative errno. `offset` is in bytes and must be page-aligned.
 *
 * Errors: EBADF no such descriptor; EINVAL bad length, type, alignment; ENOMEM no room, too many mappings, limits;
 * EACCES descriptor does not allow it; EEXIST with MAP_FIXED_NOREPLACE; ENODEV a file that can't be mapped; EOVERFLOW
 * offset too large; EOPNOTSUPP unknown flag with MAP_SHARED_VALIDATE; EAGAIN too much locked; EPERM below
 * mmap_min_addr.
 */
export function sysMmap(
  mmu: Mmu,
  task: Task,
  addr: Vaddr,
  len: number,
  prot: number,
  flags: number,
  fd: number,
  offset: number,
): number {
  if (!isPageAligned(offset)) return -EINVAL;
  if ((flags & MAP_ANONYMOUS) !== 0) {
    if ((flags & MAP_HUGETLB) !== 0) return hugeMmap(task, addr, len, prot, flags, offset);
    return doMmap(mmu, task, null, addr, len, prot, flags, offset);
  }
  const file = fdGet(task, fd);
  if (file === undefined) return -EBADF;
  if ((flags & MAP_HUGETLB) !== 0) return -EINVAL;
  return doMmap(mmu, task, file, addr, len, prot, flags, offset);
}

/**
 * mmap of huge pages, of which there is no pool (hugetlb_file_setup, hugetlb_reserve_pages): everything is checked as for
 * a file, the pages are asked for last, and by then what lay at a fixed address is gone.
 */
function hugeMmap(task: Task, hint: Vaddr, len: number, prot: number, flags: number, offset: number): number {
  const { mm } = task;
  const sizeLog = (flags >>> MAP_HUGE_SHIFT) & MAP_HUGE_MASK;
  if (sizeLog !== 0 && !HUGE_SIZE_LOGS.includes(sizeLog)) return -EINVAL;
  const size = 2 ** (sizeLog === 0 ? HUGE_SIZE_LOGS[0] : sizeLog);
  const length = Math.ceil(len / size) * size;
  if (len === 0) return -EINVAL;
  if (length >= 2 ** 64 || length > mm.arch.taskSize) return -ENOMEM;
  const isFixed = (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) !== 0;
  if (isFixed && (hint > mm.arch.taskSize - length || hint % size !== 0)) {
    return hint % size !== 0 ? -EINVAL : -ENOMEM;
  }
  const wanted = isFixed ? hint : roundHintToMin(mm, hint);
  const addr = getUnmappedArea(
    mm,
    wanted,
    length,
    offset / PAGE_SIZE,
    flags | (isFixed ? MAP_FIXED : 0),
    null,
  );
  if (addr < 0) return addr;
  if ((flags & MAP_FIXED_NOREPLACE) !== 0 && mm.vmas.findIntersection(addr, addr + length) !== null) {
    return -EEXIST;
  }
  if ((flags & MAP_LOCKED) !== 0 && mm.rlimitMemlock === 0 && !mm.capIpcLock) return -EPERM;
  const isShared = (flags & MAP_TYPE) !== MAP_PRIVATE;
  const vmFlags = protToVmFlags(prot) | mapToVmFlags(mm, flags) | mm.defFlags | (isShared ? VM_SHARED : 0);
  if (!mlockFutureOk(mm, vmFlags, length)) return -EAGAIN;
  if (offset / PAGE_SIZE >= (MAX_FILE_BYTES - length) / PAGE_SIZE) return -EOVERFLOW;
  const type = flags & MAP_TYPE;
  if (type !== MAP_PRIVATE && type !== MAP_SHARED && type !== MAP_SHARED_VALIDATE) return -EINVAL;
  if (type === MAP_SHARED_VALIDATE && (flags & ~legacyMapMask(mm)) !== 0) return -EOPNOTSUPP;
  if ((vmFlags & VM_GROWSDOWN) !== 0) return -EINVAL;
  const failed = isFixed ? splitAtEnds(mm, addr, addr + length) : 0;
  if (failed !== 0) return failed;
  const replaced = isFixed ? mappedPages(mm, addr, addr + length) : 0;
  if (!mayExpandVm(mm, vmFlags, length / PAGE_SIZE - replaced)) return -ENOMEM;
  if (isFixed) unmapWhole(mm, addr, addr + length);
  return offset % size !== 0 ? -EINVAL : -ENOMEM;
}

/** mmap of an open file, or of anonymous memory where `file` is null: for the system call and for loaders. */
export function doMmap(
  mmu: Mmu,
  task: Task,
  file: File | null,
  hint: Vaddr,
  len: number,
  callerProt: number,
  callerFlags: number,
  offset: number,
): number {
  const { mm } = task;
  const prot = readImpliesExec(mm, callerProt) && !isOnNoexec(file) ? callerProt | PROT_EXEC : callerProt;
  if (len === 0) return -EINVAL;
  const flags = (callerFlags & MAP_FIXED_NOREPLACE) !== 0 ? callerFlags | MAP_FIXED : callerFlags;
  const wanted = (flags & MAP_FIXED) !== 0 ? hint : roundHintToMin(mm, hint);
  const length = pageAlign(len);
  if (length >= 2 ** 64) return -ENOMEM;
  if (mm.mapCount > mm.maxMapCount) return -ENOMEM;
  let pgoff = offset / PAGE_SIZE;
  // A fixed address among the last 4095 bytes looks like an error number to Linux, and comes back as one.
  if ((flags & MAP_FIXED) !== 0 && wanted > 2 ** 64 - PAGE_SIZE && length <= mm.arch.taskSize) {
    return wanted - 2 ** 64;
  }
  // A directory or a pipe has no page cache to ask for an alignment; it is refused below, after the search for a place.
  const mappable = file === null || file.inode.mapping === null ? null : file;
  const addr = getUnmappedArea(mm, wanted, length, pgoff, flags, mappable);
  if (addr < 0) return addr;
  if ((flags & MAP_FIXED_NOREPLACE) !== 0 && mm.vmas.findIntersection(addr, addr + length) !== null) {
    return -EEXIST;
  }
  let vmFlags =
    protToVmFlags(prot) | mapToVmFlags(mm, flags) | mm.defFlags | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
  if ((flags & MAP_LOCKED) !== 0 && mm.rlimitMemlock === 0 && !mm.capIpcLock) return -EPERM;
  if (!mlockFutureOk(mm, vmFlags, length)) return -EAGAIN;
  if (file !== null) {
    const result = fileVmFlags(file, prot, flags, vmFlags, pgoff, length, legacyMapMask(mm));
    if (result < 0) return result;
    vmFlags = result;
  } else {
    switch (flags & MAP_TYPE) {
      case MAP_SHARED:
        if ((vmFlags & VM_GROWSDOWN) !== 0) return -EINVAL;
        pgoff = 0;
        vmFlags |= VM_SHARED | VM_MAYSHARE;
        break;
      case MAP_DROPPABLE:
        // What may vanish at any time is not worth locking, reserving, inheriting or dumping.
        if ((flags & MAP_LOCKED) !== 0 || (vmFlags & VM_GROWSDOWN) !== 0) return -EINVAL;
        vmFlags |= VM_DROPPABLE | VM_NORESERVE | VM_WIPEONFORK | VM_DONTDUMP;
        pgoff = addr / PAGE_SIZE;
        break;
      case MAP_PRIVATE:
        pgoff = addr / PAGE_SIZE;
        break;
      default:
        return -EINVAL;
    }
  }
  if ((flags & MAP_NORESERVE) !== 0 && mm.phys.commit.mode !== OVERCOMMIT_NEVER) vmFlags |= VM_NORESERVE;
  const failed = mmapRegion(task, file, addr, length, vmFlags, pgoff);
  if (failed !== 0) return failed;
  if (mm.phys.tracer.enabled) traceMmap(task, file, addr, length, prot, flags, pgoff);
  if ((vmFlags & VM_LOCKED) !== 0 || (flags & (MAP_POPULATE | MAP_NONBLOCK)) === MAP_POPULATE) {
    mmPopulate(mmu, task, addr, addr + length);
  }
  return addr;
}

/** Whether what may be read is to be executable, too (READ_IMPLIES_EXEC). */
export function readImpliesExec(mm: MmStruct, prot: number): boolean {
  return (prot & PROT_READ) !== 0 && (mm.actor.personality & READ_IMPLIES_EXEC) !== 0;
}

function isOnNoexec(file: File | null): boolean {
  return file !== null && file.inode.sb.noExec === true;
}

/** What PROT_… asks for as VM_… (calc_vm_prot_bits). Unknown bits are ignored, as by mmap. */
export function protToVmFlags(prot: number): number {
  return (
    ((prot & PROT_READ) !== 0 ? VM_READ : 0) |
    ((prot & PROT_WRITE) !== 0 ? VM_WRITE : 0) |
    ((prot & PROT_EXEC) !== 0 ? VM_EXEC : 0)
  );
}

/** What MAP_… asks for as VM_… (calc_vm_flag_bits). */
function mapToVmFlags(mm: MmStruct, flags: number): number {
  return (
    ((flags & MAP_GROWSDOWN) !== 0 ? VM_GROWSDOWN : 0) |
    ((flags & MAP_LOCKED) !== 0 ? VM_LOCKED : 0) |
    ((flags & MAP_SYNC) !== 0 ? VM_SYNC : 0) |
    ((flags & MAP_STACK) !== 0 && mm.thpSize > 0 ? VM_NOHUGEPAGE : 0)
  );
}

function legacyMapMask(mm: MmStruct): number {
  return mm.arch.name === "x86-64" ? LEGACY_MAP_MASK | X86_MAP_MASK : LEGACY_MAP_MASK;
}

/** Files of a disk know MAP_SYNC (FOP_MMAP_SYNC), though none of them can be mapped so. */
function syncFlag(file: File): number {
  return file.inode.mapping?.canWriteback === true ? MAP_SYNC : 0;
}

/** Checks a file mapping against the descriptor; the mapping's flags, or a negative errno. */
function fileVmFlags(
  file: File,
  prot: number,
  flags: number,
  asked: number,
  pgoff: number,
  length: number,
  validatedFlags: number,
): number {
  let vmFlags = asked;
  if (length > MAX_FILE_BYTES || pgoff >= (MAX_FILE_BYTES - length) / PAGE_SIZE) return -EOVERFLOW;
  switch (flags & MAP_TYPE) {
    case MAP_SHARED:
    case MAP_SHARED_VALIDATE:
      // Plain MAP_SHARED has always ignored flags it does not know.
      if ((flags & MAP_TYPE) === MAP_SHARED_VALIDATE && (flags & ~(validatedFlags | syncFlag(file))) !== 0)
        return -EOPNOTSUPP;
      if ((prot & PROT_WRITE) !== 0) {
        if ((file.mode & FMODE_WRITE) === 0) return -EACCES;
        if (file.inode.isSwapFile) return -ETXTBSY;
      }
      vmFlags |= VM_SHARED | VM_MAYSHARE;
      if ((file.mode & FMODE_WRITE) === 0) vmFlags &= ~(VM_MAYWRITE | VM_SHARED);
      break;
    case MAP_PRIVATE:
      break;
    default:
      return -EINVAL;
  }
  if ((file.mode & FMODE_READ) === 0) return -EACCES;
  if (file.inode.sb.noExec === true) {
    if ((vmFlags & VM_EXEC) !== 0) return -EPERM;
    vmFlags &= ~VM_MAYEXEC;
  }
  if (file.ops.mmap === undefined) return -ENODEV;
  if ((vmFlags & VM_GROWSDOWN) !== 0) return -EINVAL;
  // memfd_check_seals_mmap
  if ((file.inode.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0 && (vmFlags & VM_SHARED) !== 0) {
    if ((vmFlags & VM_WRITE) !== 0) return -EPERM;
    // A mapping that only reads must not become one that writes.
    vmFlags &= ~VM_MAYWRITE;
  }
  return vmFlags;
}

/** Makes the mapping at an address that is decided, replacing what is there (mmap_region). 0 or a negative errno. */
function mmapRegion(
  task: Task,
  file: File | null,
  addr: Vaddr,
  length: number,
  flags: number,
  pgoff: number,
): number {
  const { mm } = task;
  const end = addr + length;
  const pages = length / PAGE_SIZE;
  let vmFlags = flags;
  const failed = splitAtEnds(mm, addr, end);
  if (failed !== 0) return failed;
  const replaced = mappedPages(mm, addr, end);
  if (!mayExpandVm(mm, vmFlags, pages - replaced)) return -ENOMEM;
  let charged = 0;
  if (isAccountable(vmFlags)) {
    // What is replaced hands its promise on; the unmapping takes it back, so it has to be made again.
    const inherited = replaced === 0 ? 0 : accountedPages(mm, addr, end);
    if (!vmEnoughMemory(mm, pages - inherited)) return -ENOMEM;
    mm.phys.commit.add(inherited);
    charged = pages;
    vmFlags |= VM_ACCOUNT;
  }
  unmapWhole(mm, addr, end);
  const range = { start: addr, end, flags: vmFlags, pgoff, file, ops: null };
  if (vmaMergeNewRange(mm, range) === null) {
    const result = newMapping(task, range);
    if (result !== 0) {
      mm.phys.commit.uncharge(charged);
      return result;
    }
  }
  vmStatAccount(mm, vmFlags, pages);
  if ((vmFlags & VM_LOCKED) !== 0) {
    if ((vmFlags & (VM_DROPPABLE | VM_DONTEXPAND)) === 0) mm.lockedVm += pages;
    else dropLock(mm, addr);
  }
  return 0;
}

/** Links a mapping of its own for `range` (__mmap_new_vma). */
function newMapping(
  task: Task,
  range: { start: Vaddr; end: Vaddr; flags: number; pgoff: number; file: File | null; ops: null },
): number {
  const { mm } = task;
  let backing: File | null = null;
  if (range.file === null && (range.flags & VM_SHARED) !== 0) {
    const length = range.end - range.start;
    const made = newSharedAnonymousFile(task.fs.mounts, length, range.flags, mm);
    if (typeof made === "number") return made;
    backing = made;
  }
  const file = backing ?? range.file;
  // The spread is worth avoiding: private anonymous memory is what programs map most.
  const vma = allocVma(mm, backing === null ? range : { ...range, file: backing });
  // The mapping holds a reference of its own.
  backing?.put();
  if (vma === null) return -ENOMEM;
  if (file !== null) {
    // Storage that can be mapped itself would have to be memory; tmpfs does not look. A disk refuses so late that what
    // lay at a fixed address is gone.
    const isSync = (vma.flags & VM_SYNC) !== 0 && file.inode.mapping?.canWriteback === true;
    const refused = isSync ? -EOPNOTSUPP : (file.ops.mmap?.(file, vma) ?? -ENODEV);
    if (refused !== 0) {
      freeVma(vma);
      return refused;
    }
  }
  vmaSetPageProt(vma);
  vmaLink(mm, vma);
  return 0;
}

/** Some kinds of memory are never locked, whatever mlockall(MCL_FUTURE) said. */
function dropLock(mm: MmStruct, addr: Vaddr): void {
  const vma = mm.vmas.lookup(addr);
  if (vma !== null) setVmaFlags(vma, vma.flags & ~VM_LOCKED_MASK);
}

/** Pages of start … end whose mappings are promises. Precondition: no mapping reaches beyond an end. */
function accountedPages(mm: MmStruct, start: Vaddr, end: Vaddr): number {
  let pages = 0;
  for (let vma = mm.vmas.find(start); vma !== null && vma.start < end; vma = vma.next) {
    if ((vma.flags & VM_ACCOUNT) !== 0) pages += (vma.end - vma.start) / PAGE_SIZE;
  }
  return pages;
}

function mappedPages(mm: MmStruct, start: Vaddr, end: Vaddr): number {
  let pages = 0;
  for (let vma = mm.vmas.find(start); vma !== null && vma.start < end; vma = vma.next) {
    pages += (Math.min(vma.end, end) - Math.max(vma.start, start)) / PAGE_SIZE;
  }
  return pages;
}

function traceMmap(
  task: Task,
  file: File | null,
  address: Vaddr,
  length: number,
  prot: number,
  flags: number,
  pgoff: number,
): void {
  const shared = (flags & MAP_TYPE) !== MAP_PRIVATE;
  const mappingType: MappingType =
    file === null
      ? shared
        ? "shared anonymous"
        : "private anonymous"
      : shared
        ? "shared file"
        : "private file";
  const path = file?.path ?? "";
  const offset = file === null ? 0 : pgoff * PAGE_SIZE;
  task.mm.phys.tracer.emit({
    type: "mmap",
    pid: task.pid,
    address,
    length,
    prot,
    flags,
    mappingType,
    path,
    offset,
  });
}
