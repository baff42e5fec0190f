/**
 * The inodes and the superblock of tmpfs, and the count of its pages (shmem_inode_info, shmem_sb_info).
 *
 * A file's pages are charged to its file system one by one as they appear; a file system with a size refuses the one
 * that is too many. Invariant, whenever no call is in progress: `chargedPages` of an inode is its mapping's `pages.size`
 * and its `swappedPages` together, and what reclaim has dropped unwritten since `recalc`; the superblock's `usedPages` is
 * the sum over its inodes.
 *
 * A file is also a promise of memory (Committed_AS). Shared anonymous memory promises its whole size when it is made;
 * any other file, page by page, what it has.
 */
import { XArray } from "../../lib/xarray.ts";
import type { CommitAsker } from "../frames/commit.ts";
import { PAGE_SIZE, pageAlign } from "../page.ts";
import { S_IFDIR, S_IFMT, S_ISGID } from "../uapi/fcntl.ts";
import { F_SEAL_SEAL, TMPFS_MAGIC } from "../uapi/fs.ts";
import type { FileOperations } from "../vfs/file.ts";
import { type Credentials, Inode, type InodeOperations } from "../vfs/inode.ts";
import type { MountContext, StatFs, SuperBlock } from "../vfs/super-block.ts";
import type { SharedPolicy } from "../vma/shared-policy.ts";

/** What an inode takes of the space that is for them (BOGO_INODE_SIZE). */
const INODE_SPACE = 1024;
/** 512-byte blocks in a page, as stat counts. */
const BLOCKS_PER_PAGE = PAGE_SIZE / 512;

export class ShmemInode extends Inode {
  declare readonly sb: ShmemSuperBlock;
  /** Pages of the file that the file system's size has been charged for. */
  chargedPages = 0;
  /** Pages that are in swap: index → swap entry, −1 for one that was lost there (shmem-swap.ts). */
  readonly swapped: XArray = new XArray();
  /** Entries of `swapped` without the lost ones (info->swapped). */
  swappedPages = 0;
  /** Promised as a whole, by its size; else by its pages (no VM_NORESERVE). */
  isReserved = false;
  /** Counted among the inodes of its file system. */
  isCounted = false;
  /** A directory's names, in the order in which they were made. */
  readonly entries: Map<string, ShmemInode> = new Map();
  /** A symbolic link's target. */
  target = "";
  /** The memory policies of its pages. Absent: it never had any. */
  policy: SharedPolicy | undefined;
  /** Extended attributes (shmem-xattr.ts). Absent: it never had any. */
  xattrs: Map<string, Uint8Array> | undefined;
}

/** What makes an inode of one type. */
export interface ShmemInodeKind {
  readonly ops: InodeOperations;
  readonly fops: FileOperations;
}

export class ShmemSuperBlock implements SuperBlock {
  readonly fsName: string;
  readonly magic: number = TMPFS_MAGIC;
  readonly context: MountContext;
  readonly dev: number;
  readonly now: () => number;
  readonly root: ShmemInode;
  /** Most pages that all files together may have; Infinity for no limit. */
  readonly maxPages: number;
  usedPages = 0;
  /** Most inodes, further names of one included, and how many there are (max_inodes). */
  maxInodes: number = Number.POSITIVE_INFINITY;
  usedInodes = 0;
  /** Bytes that extended attributes take of the space of inodes. */
  xattrSpace = 0;
  /** Whether the last page that came from swap had to be read from its device. */
  wasMajor = false;
  #nextIno = 1;

  constructor(
    fsName: string,
    context: MountContext,
    maxPages: number,
    rootMode: number,
    rootKind: ShmemInodeKind,
  ) {
    this.fsName = fsName;
    this.context = context;
    this.dev = context.dev;
    this.now = context.now;
    this.maxPages = maxPages;
    this.root = this.newInode(rootKind, S_IFDIR | rootMode, null, { uid: 0, gid: 0 });
  }

  /** A fresh inode: nlink 1, or 2 for a directory. `dir`, where it will stand, hands on its group. */
  newInode(kind: ShmemInodeKind, mode: number, dir: Inode | null, owner: Credentials): ShmemInode {
    const inode = new ShmemInode(this, this.#nextIno++, mode, kind.ops, kind.fops);
    const isDirectory = (mode & S_IFMT) === S_IFDIR;
    inode.uid = owner.uid;
    inode.gid = owner.gid;
    if (dir !== null && (dir.mode & S_ISGID) !== 0) {
      inode.gid = dir.gid;
      if (isDirectory) inode.mode |= S_ISGID;
    }
    if (isDirectory) inode.nlink = 2;
    inode.atimeNs = this.now();
    inode.mtimeNs = inode.atimeNs;
    inode.ctimeNs = inode.atimeNs;
    // Seals are for memfd: on any other file the one set says that none can be added.
    inode.seals = F_SEAL_SEAL;
    return inode;
  }

  /** Whether there is room for one more inode or link (shmem_reserve_inode). */
  get hasInode(): boolean {
    return this.hasSpace(INODE_SPACE);
  }

  /** Whether so many bytes are left of the space of inodes. */
  hasSpace(bytes: number): boolean {
    return this.#freeSpace >= bytes;
  }

  get #freeSpace(): number {
    return (this.maxInodes - this.usedInodes) * INODE_SPACE - this.xattrSpace;
  }

  /** Counts a new inode, for which there was room. */
  countInode(inode: ShmemInode): ShmemInode {
    inode.isCounted = true;
    this.usedInodes++;
    return inode;
  }

  /** The end of an inode. */
  releaseInode(inode: ShmemInode): void {
    if (inode.isCounted) this.usedInodes--;
    inode.isCounted = false;
  }

  /** Promises a whole file's size on behalf of `asker`; false: refused (shmem_acct_size). */
  reserve(inode: ShmemInode, asker: CommitAsker | null): boolean {
    if (!this.context.phys.commit.charge(pageAlign(inode.size) / PAGE_SIZE, asker)) return false;
    inode.isReserved = true;
    return true;
  }

  /** The end of a file that was reserved (shmem_unacct_size). */
  unreserve(inode: ShmemInode): void {
    if (!inode.isReserved) return;
    this.context.phys.commit.uncharge(pageAlign(inode.size) / PAGE_SIZE);
    inode.isReserved = false;
  }

  /**
   * Takes one page of the size for `inode`, on behalf of `asker` or else of whoever runs (current); false when none is left
   * (shmem_inode_acct_blocks).
   */
  chargePage(inode: ShmemInode, asker: CommitAsker | null): boolean {
    const { commit, current } = this.context.phys;
    if (!inode.isReserved && !commit.charge(1, asker ?? current?.mm ?? null)) return false;
    if (this.usedPages >= this.maxPages) {
      if (!inode.isReserved) commit.uncharge(1);
      return false;
    }
    this.usedPages++;
    inode.chargedPages++;
    inode.blocks = inode.chargedPages * BLOCKS_PER_PAGE;
    return true;
  }

  /** Brings the charge in line with the pages that the file has now (shmem_recalc_inode). */
  recalc(inode: ShmemInode): void {
    const pages = (inode.mapping?.pages.size ?? 0) + inode.swappedPages;
    this.usedPages += pages - inode.chargedPages;
    if (!inode.isReserved) this.context.phys.commit.uncharge(inode.chargedPages - pages);
    inode.chargedPages = pages;
    inode.blocks = pages * BLOCKS_PER_PAGE;
  }

  sync(): number {
    return 0;
  }

  statfs(): StatFs {
    // Without a limit Linux reports sizes of 0.
    const limited = Number.isFinite(this.maxPages);
    const free = limited ? this.maxPages - this.usedPages : 0;
    return {
      blockSize: PAGE_SIZE,
      blocks: limited ? this.maxPages : 0,
      blocksFree: free,
      blocksAvailable: free,
      files: Number.isFinite(this.maxInodes) ? this.maxInodes : 0,
      filesFree: Number.isFinite(this.maxInodes) ? Math.floor(this.#freeSpace / INODE_SPACE) : 0,
    };
  }
}
