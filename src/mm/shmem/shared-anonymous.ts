/** Shared anonymous memory is a file that nobody can open (shmem_zero_setup): children of fork map the same pages. */
import type { File } from "../vfs/file.ts";
import type { KernMounts } from "../vfs/super-block.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { shmemFileSetup } from "./shmem-mount.ts";
import { shmemVmOps } from "./shmem-page.ts";

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
  return shmemFileSetup(mounts, "dev/zero", sizeBytes, vmFlags, { uid: 0, gid: 0 }, mm);
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
