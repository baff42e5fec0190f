/**
 * The kernel's own tmpfs (shm_mnt): no path leads there; memfd and shared anonymous memory have their inodes in it.
 */
import { BugError } from "../bug.ts";
import { PAGE_SIZE } from "../page.ts";
import { O_LARGEFILE, O_RDWR, S_IFREG } from "../uapi/fcntl.ts";
import { newPseudoDentry } from "../vfs/dentry.ts";
import { File, FMODE_READ, FMODE_WRITE } from "../vfs/file.ts";
import type { Credentials } from "../vfs/inode.ts";
import type { FileSystem, KernMounts } from "../vfs/super-block.ts";
import { shmemFileOps, shmemInodeOps } from "./shmem.ts";
import { type ShmemInodeKind, ShmemSuperBlock } from "./shmem-inode.ts";
import { initShmemMapping } from "./shmem-page.ts";

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
  return new File(
    newPseudoDentry(name, inode),
    inode,
    FMODE_READ | FMODE_WRITE,
    O_RDWR | O_LARGEFILE,
    RA_PAGES,
  );
}
