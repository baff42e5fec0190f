/**
 * The kernel's own tmpfs (shm_mnt): no path leads there; memfd, shared anonymous memory and SysV segments have their
 * inodes in it.
 */
import { BugError } from "../bug.ts";
import { PAGE_SIZE } from "../page.ts";
import { EINVAL, ENOMEM } from "../uapi/errno.ts";
import { MAX_LFS_FILESIZE, O_LARGEFILE, O_RDWR, S_IFREG } from "../uapi/fcntl.ts";
import { newPseudoDentry } from "../vfs/dentry.ts";
import { File, FMODE_READ, FMODE_WRITE } from "../vfs/file.ts";
import type { Credentials } from "../vfs/inode.ts";
import type { FileSystem, KernMounts } from "../vfs/super-block.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { VM_NORESERVE } from "../vma/vm-flags.ts";
import { shmemFileOps, shmemInodeOps } from "./shmem.ts";
import { type ShmemInodeKind, ShmemSuperBlock } from "./shmem-inode.ts";
import { initShmemMapping, shmemOf } from "./shmem-page.ts";

const REGULAR: ShmemInodeKind = { ops: shmemInodeOps, fops: shmemFileOps };
const ROOT: ShmemInodeKind = { ops: shmemInodeOps, fops: {} };
const RA_PAGES = (128 * 1024) / PAGE_SIZE;

const shmFs: FileSystem = {
  name: "shm_mnt",
  mount: (context) => new ShmemSuperBlock("tmpfs", context, Number.POSITIVE_INFINITY, 0o777, ROOT),
};

/**
 * An open file of `size` bytes without a name in any directory, called `/name (deleted)` (__shmem_file_setup), with one
 * reference for the caller. It ends with its last reference.
 */
export function newShmemFile(mounts: KernMounts, name: string, size: number, owner: Credentials): File {
  const sb = mounts.kernMount(shmFs);
  if (!(sb instanceof ShmemSuperBlock)) throw new BugError("newShmemFile", "shm_mnt is no shmem");
  const inode = sb.newInode(REGULAR, S_IFREG | 0o777, null, owner);
  initShmemMapping(inode);
  inode.nlink = 0;
  inode.size = size;
  const dentry = newPseudoDentry(name, inode);
  const file = new File(dentry, inode, FMODE_READ | FMODE_WRITE, O_RDWR | O_LARGEFILE, RA_PAGES);
  // Nobody has opened it.
  file.canDirect = false;
  return file;
}

/**
 * The same for memory whose size is known when it is made (shmem_file_setup): all of it is promised to `mm`, unless
 * `vmFlags` say otherwise. -EINVAL more than a file can have, -ENOMEM more than can be promised.
 */
export function shmemFileSetup(
  mounts: KernMounts,
  name: string,
  sizeBytes: number,
  vmFlags: number,
  owner: Credentials,
  mm: MmStruct | null,
): File | number {
  if (sizeBytes < 0 || sizeBytes > MAX_LFS_FILESIZE) return -EINVAL;
  const file = newShmemFile(mounts, name, sizeBytes, owner);
  const inode = shmemOf(file.inode);
  if ((vmFlags & VM_NORESERVE) === 0 && !inode.sb.reserve(inode, mm)) {
    file.put();
    return -ENOMEM;
  }
  return file;
}
