/** Shared anonymous memory is a file that nobody can open (shmem_zero_setup): children of fork map the same pages. */
import { EINVAL, ENOMEM } from "../uapi/errno.ts";
import { MAX_LFS_FILESIZE } from "../uapi/fcntl.ts";
import type { File } from "../vfs/file.ts";
import type { KernMounts } from "../vfs/super-block.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_NORESERVE } from "../vma/vm-flags.ts";
import { newShmemFile } from "./shmem-mount.ts";
import { shmemOf, shmemVmOps } from "./shmem-page.ts";

/**
 * A file of `sizeBytes` that maps calls "/dev/zero (deleted)", one reference for the caller; or negative errno. Its
 * memory is promised to `mm` as a whole, unless `vmFlags` say otherwise.
 */
export function newSharedAnonymousFile(
  mounts: KernMounts,
  sizeBytes: number,
  vmFlags = 0,
  mm: MmStruct | null = null,
): File | number {
  if (sizeBytes < 0 || sizeBytes > MAX_LFS_FILESIZE) return -EINVAL;
  const file = newShmemFile(mounts, "dev/zero", sizeBytes, { uid: 0, gid: 0 });
  const inode = shmemOf(file.inode);
  if ((vmFlags & VM_NORESERVE) === 0 && !inode.sb.reserve(inode, mm)) {
    file.put();
    return -ENOMEM;
  }
  return file;
}

/** Makes a new shared mapping one of shmem; the file it had, if any, is put back. */
export function shmemZeroSetup(mounts: KernMounts, vma: VmArea): number {
  const file = newSharedAnonymousFile(mounts, vma.end - vma.start, vma.flags, vma.mm);
  if (typeof file === "number") return file;
  vma.file?.put();
  vma.file = file;
  vma.ops = shmemVmOps;
  return 0;
}
