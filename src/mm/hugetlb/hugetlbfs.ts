/**
 * hugetlbfs (fs/hugetlbfs/inode.c, mm/hugetlb.c): files whose pages are huge pages, 2 MiB or 1 GiB each.
 *
 * Huge pages come from a pool that is set aside before programs need it, and here none ever is: memory is too scattered for
 * a single one. What Linux does then is not nothing. A file can be made, given a size, read (holes read as zeros) and
 * mapped by who renounces the reservation (MAP_NORESERVE); only a page of it can't be had, which is SIGBUS for who
 * touches the mapping and ENOSPC for fallocate. A mapping that wants its pages reserved is ENOMEM at once.
 *
 * ```
 *   mmap(MAP_ANONYMOUS | MAP_HUGETLB)   a file "anon_hugepage" of its own ┐
 *   memfd_create(MFD_HUGETLB)           a file of size 0                  ├─▶ hugetlbFileSetup ─▶ inode of the size's mount
 *   shmget(SHM_HUGETLB)                 a file of the segment's size      ┘
 * ```
 *
 * Invariants: no page of such a file is ever in its page cache; its size and all bounds of its mappings are multiples of
 * the huge page (a cut elsewhere is refused: vma/vma-page-size.ts).
 */
import { BugError } from "../bug.ts";
import { fileAccessed } from "../filemap/file-times.ts";
import { PAGE_SIZE } from "../page.ts";
import { EFAULT, EFBIG, EINVAL, ENOMEM, ENOSPC, EOPNOTSUPP, EPERM } from "../uapi/errno.ts";
import { MAX_LFS_FILESIZE, O_LARGEFILE, O_RDWR, S_IFDIR, S_IFREG } from "../uapi/fcntl.ts";
import {
  F_SEAL_FUTURE_WRITE,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  HUGETLBFS_MAGIC,
} from "../uapi/fs.ts";
import { AddressSpace, type AddressSpaceOperations } from "../vfs/address-space.ts";
import { applyAttributes } from "../vfs/attributes.ts";
import { newPseudoDentry } from "../vfs/dentry.ts";
import { File, type FileOperations, FMODE_READ, FMODE_WRITE } from "../vfs/file.ts";
import { type AttributeChange, type Credentials, Inode, type InodeOperations } from "../vfs/inode.ts";
import type { IovIter } from "../vfs/iov-iter.ts";
import { defaultLlseek } from "../vfs/read-write.ts";
import type { FileSystem, KernMounts, MountContext, StatFs, SuperBlock } from "../vfs/super-block.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_DONTEXPAND, VM_HUGETLB, VM_NORESERVE, VM_WRITE } from "../vma/vm-flags.ts";
import { VM_FAULT_SIGBUS, type VmOperations } from "../vma/vm-operations.ts";

const RA_PAGES = (128 * 1024) / PAGE_SIZE;

/** What a file is asked to be (hugetlb_file_setup). */
export interface HugetlbFileRequest {
  readonly name: string;
  /** Bytes, a multiple of `pageSize`. */
  readonly size: number;
  /** Bytes of a huge page. */
  readonly pageSize: number;
  /** VM_NORESERVE: the pages are asked for by mappings, or by nobody, instead of now. */
  readonly vmFlags: number;
  readonly owner: Credentials;
  /** A segment of System V shared memory: what it needs was settled when it was made, mappings reserve nothing (S_PRIVATE). */
  readonly isPrivate?: boolean;
}

/** The size of huge pages that a size code of MAP_…, MFD_… or SHM_HUGE_… asks for, 0: the usual one; undefined: there is none. */
export function hugePageSize(sizeLogs: readonly number[], code: number): number | undefined {
  const log = code === 0 ? sizeLogs[0] : sizeLogs.find((one) => one === code);
  return log === undefined ? undefined : 2 ** log;
}

/** An open file called `/name (deleted)`, one reference for the caller; -ENOMEM where its pages are to be reserved. */
export function hugetlbFileSetup(mounts: KernMounts, request: HugetlbFileRequest): File | number {
  const { name, size, pageSize, vmFlags, owner } = request;
  const sb = mounts.kernMount(hugetlbFs(pageSize));
  if (!(sb instanceof HugetlbSuperBlock)) throw new BugError("hugetlbFileSetup", `${sb.fsName} is mounted`);
  if (!reservePages(size / pageSize, vmFlags)) return -ENOMEM;
  const inode = sb.newInode(S_IFREG | 0o777, owner, request.isPrivate === true);
  inode.mapping = new AddressSpace(sb.context.phys, inode, hugetlbAops);
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

/** Whether `huge` pages can be promised (hugetlb_reserve_pages): none can, so that only who asks for no promise gets on. */
function reservePages(huge: number, vmFlags: number): boolean {
  return (vmFlags & VM_NORESERVE) !== 0 || huge === 0;
}

function hugetlbFs(pageSize: number): FileSystem {
  return {
    name: `hugetlbfs ${pageSize}`,
    mount: (context) => new HugetlbSuperBlock(context, pageSize),
  };
}

class HugetlbInode extends Inode {
  readonly isPrivate: boolean;

  constructor(sb: HugetlbSuperBlock, ino: number, mode: number, isPrivate: boolean) {
    super(sb, ino, mode, hugetlbInodeOps, (mode & S_IFDIR) !== 0 ? {} : hugetlbFileOps);
    this.isPrivate = isPrivate;
  }
}

class HugetlbSuperBlock implements SuperBlock {
  readonly fsName = "hugetlbfs";
  readonly magic: number = HUGETLBFS_MAGIC;
  readonly hugePageSize: number;
  readonly context: MountContext;
  readonly dev: number;
  readonly now: () => number;
  readonly root: Inode;
  #nextIno = 1;

  constructor(context: MountContext, pageSize: number) {
    this.context = context;
    this.dev = context.dev;
    this.now = context.now;
    this.hugePageSize = pageSize;
    this.root = this.newInode(S_IFDIR | 0o755, { uid: 0, gid: 0 }, /* isPrivate */ false);
  }

  newInode(mode: number, { uid, gid }: Credentials, isPrivate: boolean): HugetlbInode {
    const inode = new HugetlbInode(this, this.#nextIno++, mode, isPrivate);
    inode.uid = uid;
    inode.gid = gid;
    inode.atimeNs = this.now();
    inode.mtimeNs = inode.atimeNs;
    inode.ctimeNs = inode.atimeNs;
    // Seals are for memfd: on any other file the one set says that none can be added.
    inode.seals = F_SEAL_SEAL;
    return inode;
  }

  sync(): number {
    return 0;
  }

  /** Without a limit of its own the mount has no sizes to tell. */
  statfs(): StatFs {
    return {
      blockSize: this.hugePageSize,
      blocks: 0,
      blocksFree: 0,
      blocksAvailable: 0,
      files: 0,
      filesFree: 0,
    };
  }
}

/** Holes read as zeros, and all of the file is one. */
function hugetlbRead(file: File, to: IovIter, start: number): number {
  const wanted = Math.min(to.count, Math.max(file.inode.size - start, 0));
  if (wanted === 0) return 0;
  const done = to.zeroIter(wanted);
  return done === 0 ? -EFAULT : done;
}

/** hugetlbfs_fallocate: no page is there to be punched out, and none to be had. */
function hugetlbFallocate(
  file: File,
  mode: number,
  offset: number,
  len: number,
  limit = Number.POSITIVE_INFINITY,
): number {
  const { inode } = file;
  if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) !== 0) return -EOPNOTSUPP;
  if ((mode & FALLOC_FL_PUNCH_HOLE) !== 0) {
    return (inode.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0 ? -EPERM : 0;
  }
  const end = offset + len;
  if (end > inode.size && (end > limit || end > MAX_LFS_FILESIZE)) return -EFBIG;
  if (end > inode.size && (inode.seals & F_SEAL_GROW) !== 0) return -EPERM;
  return -ENOSPC;
}

/** hugetlbfs_file_mmap: what shows huge pages is never merged, grown, locked or sent to swap. */
function hugetlbMmap(file: File, vma: VmArea): number {
  const { inode } = file;
  if (!(inode instanceof HugetlbInode))
    throw new BugError("hugetlbMmap", `"${file.dentry.name}" is another's`);
  vma.flags |= VM_HUGETLB | VM_DONTEXPAND;
  vma.ops = hugetlbVmOps;
  const pageSize = file.mapping.hugePageSize;
  if ((vma.pgoff * PAGE_SIZE) % pageSize !== 0) return -EINVAL;
  fileAccessed(file);
  const length = vma.end - vma.start;
  if (!reservePages(length / pageSize, inode.isPrivate ? VM_NORESERVE : vma.flags)) return -ENOMEM;
  // A mapping that may write makes the file as long as it reaches.
  const reach = vma.pgoff * PAGE_SIZE + length;
  if ((vma.flags & VM_WRITE) !== 0 && inode.size < reach) inode.size = reach;
  return 0;
}

/** hugetlbfs_setattr */
function hugetlbSetattr(inode: Inode, change: AttributeChange): number {
  const { size } = change;
  if (size !== undefined) {
    if (size % (inode.sb.hugePageSize ?? PAGE_SIZE) !== 0) return -EINVAL;
    if (size < inode.size && (inode.seals & F_SEAL_SHRINK) !== 0) return -EPERM;
    if (size > inode.size && (inode.seals & F_SEAL_GROW) !== 0) return -EPERM;
    inode.size = size;
  }
  applyAttributes(inode, change);
  return 0;
}

const hugetlbInodeOps: InodeOperations = {
  setattr: hugetlbSetattr,
  evict: (inode) => inode.mapping?.destroy(),
};

const hugetlbFileOps: FileOperations = {
  llseek: defaultLlseek,
  read: hugetlbRead,
  takesRwf: true,
  mmap: hugetlbMmap,
  fsync: () => 0,
  fallocate: hugetlbFallocate,
};

/** A page can't be had, be it within the file or past its end. */
const hugetlbVmOps: VmOperations = { fault: () => VM_FAULT_SIGBUS, mapsAround: false };

/** The page cache stays empty: whoever fills or empties it has been led astray. */
const hugetlbAops: AddressSpaceOperations = {
  readPages: () => -EINVAL,
  writePages: () => -EINVAL,
  writesBack: false,
};
