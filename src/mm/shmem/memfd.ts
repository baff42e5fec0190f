/**
 * memfd_create and file seals (mm/memfd.c).
 *
 * A seal is a promise that a file of shmem keeps from then on: not to shrink, not to grow, not to be written, to take
 * no further seals. Whoever is handed the descriptor can check them and then trust the mapping.
 */
import { hugePageSize, hugetlbFileSetup } from "../hugetlb/hugetlbfs.ts";
import { EACCES, EBUSY, EILSEQ, EINVAL, ENODEV, EPERM } from "../uapi/errno.ts";
import {
  F_ALL_SEALS,
  F_SEAL_EXEC,
  F_SEAL_FUTURE_WRITE,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
} from "../uapi/fs.ts";
import { MFD_ALLOW_SEALING, MFD_CLOEXEC, MFD_EXEC, MFD_HUGETLB, MFD_NOEXEC_SEAL } from "../uapi/mman.ts";
import type { AddressSpace } from "../vfs/address-space.ts";
import { type File, FMODE_WRITE } from "../vfs/file.ts";
import { type Credentials, isReg } from "../vfs/inode.ts";
import { byteLength, isName } from "../vfs/name-bytes.ts";
import type { KernMounts } from "../vfs/super-block.ts";
import { VM_NORESERVE } from "../vma/vm-flags.ts";
import { ShmemInode } from "./shmem-inode.ts";
import { newShmemFile } from "./shmem-mount.ts";

/** NAME_MAX less the length of "memfd:". */
const MFD_NAME_MAX_LEN = 249;
/** Where the size of huge pages is chosen. */
const MFD_HUGE_SHIFT = 26;
const MFD_HUGE_MASK = 0x3f;
const MFD_HUGE_SIZE: number = MFD_HUGE_MASK << MFD_HUGE_SHIFT;
const KNOWN_FLAGS = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC | MFD_NOEXEC_SEAL;

/** vm.memfd_noexec: files that don't say may be executed, may not, or none may. */
export const MEMFD_NOEXEC_SCOPE_NOEXEC_SEAL = 1;
export const MEMFD_NOEXEC_SCOPE_NOEXEC_ENFORCED = 2;

/**
 * 0, -EINVAL for flags that mean nothing, or -EACCES for an executable file where there shall be none (sanitize_flags): looked
 * at before the name is.
 */
export function checkMemfdFlags({ memfdNoexec }: KernMounts, flags: number): number {
  const isHuge = (flags & MFD_HUGETLB) !== 0;
  // The bits that choose the size of huge pages have a meaning beside MFD_HUGETLB only.
  const unknown = isHuge ? flags & ~(KNOWN_FLAGS | MFD_HUGETLB | MFD_HUGE_SIZE) : flags & ~KNOWN_FLAGS;
  if (unknown !== 0) return -EINVAL;
  if ((flags & MFD_EXEC) !== 0 && (flags & MFD_NOEXEC_SEAL) !== 0) return -EINVAL;
  return (flags & MFD_EXEC) !== 0 && memfdNoexec >= MEMFD_NOEXEC_SCOPE_NOEXEC_ENFORCED ? -EACCES : 0;
}

/**
 * An empty file called "/memfd:name (deleted)", with MFD_HUGETLB of huge pages in one of the sizes that there are
 * (-ENODEV for others). MFD_CLOEXEC is the descriptor's business.
 */
export function newMemfd(
  mounts: KernMounts,
  name: string,
  flags: number,
  owner: Credentials,
  hugePageSizeLogs: readonly number[],
  /** Whether there is room for a descriptor, which is asked once the name is known to be one: 0 or a negative errno. */
  refusesFile: () => number,
): File | number {
  const wrong = checkMemfdFlags(mounts, flags);
  if (wrong !== 0) return wrong;
  if (!isName(name)) return -EILSEQ;
  if (byteLength(name) > MFD_NAME_MAX_LEN) return -EINVAL;
  const refused = refusesFile();
  if (refused !== 0) return refused;
  const file = newEmptyFile(mounts, `memfd:${name}`, flags, owner, hugePageSizeLogs);
  if (typeof file === "number") return file;
  const { inode } = file;
  const isExecutable =
    (flags & MFD_EXEC) !== 0 ||
    ((flags & MFD_NOEXEC_SEAL) === 0 && mounts.memfdNoexec < MEMFD_NOEXEC_SCOPE_NOEXEC_SEAL);
  if (!isExecutable) {
    inode.mode &= ~0o111;
    inode.seals = F_SEAL_EXEC;
  } else if ((flags & MFD_ALLOW_SEALING) !== 0) {
    inode.seals = 0;
  }
  return file;
}

function newEmptyFile(
  mounts: KernMounts,
  name: string,
  flags: number,
  owner: Credentials,
  sizeLogs: readonly number[],
): File | number {
  if ((flags & MFD_HUGETLB) === 0) return newShmemFile(mounts, name, 0, owner);
  const pageSize = hugePageSize(sizeLogs, (flags >>> MFD_HUGE_SHIFT) & MFD_HUGE_MASK);
  if (pageSize === undefined) return -ENODEV;
  return hugetlbFileSetup(mounts, { name, size: 0, pageSize, vmFlags: VM_NORESERVE, owner });
}

/** Files of memory: shmem's and those of huge pages. */
function isSealable(file: File): boolean {
  return (file.inode instanceof ShmemInode || file.inode.sb.hugePageSize !== undefined) && isReg(file.inode);
}

/** F_GET_SEALS. */
export function memfdGetSeals(file: File): number {
  return isSealable(file) ? file.inode.seals : -EINVAL;
}

/** F_ADD_SEALS. */
export function memfdAddSeals(file: File, seals: number): number {
  if ((file.mode & FMODE_WRITE) === 0) return -EPERM;
  if ((seals & ~F_ALL_SEALS) !== 0) return -EINVAL;
  if (!isSealable(file)) return -EINVAL;
  const { inode } = file;
  if ((inode.seals & F_SEAL_SEAL) !== 0) return -EPERM;
  // An executable that is sealed as such is sealed against every change.
  const isSealedProgram = (seals & F_SEAL_EXEC) !== 0 && (inode.mode & 0o111) !== 0;
  const wanted = isSealedProgram
    ? seals | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE
    : seals;
  // Somebody could still write, through a mapping or a page that he holds.
  const newlySealsWrites = (wanted & ~inode.seals & F_SEAL_WRITE) !== 0;
  if (newlySealsWrites && (file.mapping.writableMappings > 0 || hasPins(file.mapping))) return -EBUSY;
  inode.seals |= wanted;
  return 0;
}

/** Whether a page has a reference beside the cache's and those of mappings: a pipe shows it, say (memfd_wait_for_pins). */
function hasPins({ pages, phys: { frames } }: AddressSpace): boolean {
  for (let pfn = pages.next(0); pfn !== 0; pfn = pages.next(pages.index + 1)) {
    if (frames.refCount[pfn] !== 1 + frames.mapCount[pfn]) return true;
  }
  return false;
}
