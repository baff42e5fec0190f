/**
 * mmap(2): what is asked for, checked and made into an address and a mapping's flags (mm/mmap.c do_mmap). mmap-region.ts
 * makes the mapping.
 *
 * No page is touched here: the mapping is a promise, which faults keep. The arguments are checked in Linux's order,
 * because that order decides which errno a call with two mistakes gets.
 */
import type { Mmu } from "../fault/mmu.ts";
import { mmPopulate } from "../fault/populate.ts";
import { OVERCOMMIT_NEVER } from "../frames/commit.ts";
import { hugePageSize, hugetlbFileSetup } from "../hugetlb/hugetlbfs.ts";
import { isPageAligned, PAGE_SIZE, pageAlign, type Vaddr } from "../page.ts";
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
import { S_IFBLK, S_IFMT, S_IFREG, S_IFSOCK } from "../uapi/fcntl.ts";
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
import { mlockFutureOk } from "../vma/accounting.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { getUnmappedArea, roundHintToMin } from "../vma/unmapped-area.ts";
import {
  VM_DONTDUMP,
  VM_DROPPABLE,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_LOCKED,
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
import { fdGet } from "./fd.ts";
import { mmapRegion } from "./mmap-region.ts";
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
/** Where a size of huge pages stands in the flags. */
const MAP_HUGE_SHIFT = 26;
const MAP_HUGE_MASK = 0x3f;
/** One more than the largest offset that a file on a disk or a socket may have (MAX_LFS_FILESIZE). */
const MAX_FILE_BYTES = 2 ** 63;
/** The same for all else that can be opened, where mmap takes an offset for a number without sign (file_mmap_size_max). */
const MAX_DEVICE_BYTES = 2 ** 64;

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
    if ((flags & MAP_HUGETLB) !== 0) return hugeMmap(mmu, task, addr, len, prot, flags, offset);
    return doMmap(mmu, task, null, addr, len, prot, flags, offset);
  }
  const file = fdGet(task, fd);
  if (file === undefined) return -EBADF;
  const pageSize = file.inode.sb.hugePageSize ?? 0;
  if (pageSize > 0) return doMmap(mmu, task, file, addr, hugeAlign(len, pageSize), prot, flags, offset);
  if ((flags & MAP_HUGETLB) !== 0) return -EINVAL;
  return doMmap(mmu, task, file, addr, len, prot, flags, offset);
}

/**
 * mmap of huge pages that are no open file's: of a file made for it (ksys_mmap_pgoff). It reserves nothing when it is made; the
 * mapping asks for what it wants reserved, last of all, when what lay at a fixed address is gone.
 */
function hugeMmap(
  mmu: Mmu,
  task: Task,
  addr: Vaddr,
  len: number,
  prot: number,
  flags: number,
  offset: number,
): number {
  const pageSize = hugePageSize(task.mm.arch.hugePageSizeLogs, (flags >>> MAP_HUGE_SHIFT) & MAP_HUGE_MASK);
  if (pageSize === undefined) return -EINVAL;
  const size = hugeAlign(len, pageSize);
  const file = hugetlbFileSetup(task.fs.mounts, {
    name: "anon_hugepage",
    size,
    pageSize,
    vmFlags: VM_NORESERVE,
    owner: task,
  });
  if (typeof file === "number") return file;
  const result = doMmap(mmu, task, file, addr, size, prot, flags, offset);
  file.put();
  return result;
}

/** A length in whole huge pages, as a 64-bit number that wraps. */
function hugeAlign(len: number, pageSize: number): number {
  const length = Math.ceil(len / pageSize) * pageSize;
  return length >= 2 ** 64 ? 0 : length;
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
  const isHuge = file !== null && file.inode.sb.hugePageSize !== undefined;
  // A fixed address among the last 4095 bytes looks like an error number to Linux, and comes back as one.
  if ((flags & MAP_FIXED) !== 0 && wanted > 2 ** 64 - PAGE_SIZE && length <= mm.arch.taskSize && !isHuge) {
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
  // Huge pages are never promised without being there, so that renouncing them is always allowed.
  const mayRenounce = isHuge || mm.phys.commit.mode !== OVERCOMMIT_NEVER;
  if ((flags & MAP_NORESERVE) !== 0 && mayRenounce) vmFlags |= VM_NORESERVE;
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

function maxMappedBytes({ inode }: File): number {
  const type = inode.mode & S_IFMT;
  return type === S_IFREG || type === S_IFBLK || type === S_IFSOCK ? MAX_FILE_BYTES : MAX_DEVICE_BYTES;
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
  const maxBytes = maxMappedBytes(file);
  if (length > maxBytes || pgoff >= (maxBytes - length) / PAGE_SIZE) return -EOVERFLOW;
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
