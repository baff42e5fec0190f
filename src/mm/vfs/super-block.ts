/** super_block: one mounted file system: its root, its device number, and what it does as a whole. */
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import type { BackingDevInfo } from "./backing-dev.ts";
import type { Inode } from "./inode.ts";
import type { StorageFaults } from "./storage-faults.ts";

/** Where the kernel's own instances of file systems are kept: one for each kind, which no path reaches (kern_mount). */
export interface KernMounts {
  kernMount(fs: FileSystem): SuperBlock;
  /**
   * vm.memfd_noexec: whether memory files that don't say are executable (0) or sealed against it (1), or must be so (2). Kept
   * here because pid namespaces have it in Linux, of which there is one.
   */
  memfdNoexec: number;
  /** What the extended attributes of all file systems in memory cost the host (shmem-xattr.ts). */
  xattrCost: number;
}

/** What the VFS hands a file system when it is mounted. */
export interface MountContext {
  readonly kernMounts: KernMounts;
  readonly phys: PhysicalMemory;
  /** Nanoseconds since the epoch, from the kernel's clock. */
  readonly now: () => number;
  /** A device number (st_dev, maps) that no other mount has. */
  readonly dev: number;
}

/** A kind of file system, ready to be mounted: tmpfs, Node's directories, … */
export interface FileSystem {
  /** "tmpfs", "nodefs", … */
  readonly name: string;
  /** Faults on purpose between the page cache and its storage (faultInjection). */
  readonly faults?: StorageFaults;
  mount(context: MountContext): SuperBlock;
}

export interface SuperBlock {
  /** Its files ask for huge-page alignment of large mappings, as those of ext4 do. */
  readonly hugeAligned?: boolean;
  /** Its files consist of huge pages of so many bytes (hugetlbfs). */
  readonly hugePageSize?: number;
  readonly fsName: string;
  readonly dev: number;
  readonly root: Inode;
  /** Positions in its files end here (s_maxbytes); absent: MAX_LFS_FILESIZE. */
  readonly maxBytes?: number;
  /** Statistics for statfs. */
  readonly magic: number;
  /** Writes every dirty inode to storage; 0 or the first negative errno. */
  sync(): number;
  /** Write-back's view of its storage. Set by who mounts. */
  bdi?: BackingDevInfo;
  /** Brings size and times of an inode to storage, its pages aside (write_inode). Absent: it has no storage. */
  writeInode?(inode: Inode): number;
  /**
   * A write-back error of a file that was closed before anybody was told of it, as a negative errno, once; 0 for none.
   * Absent: write-back can't fail.
   */
  takeUntoldError?(): number;
  /** Time stamps a mapping's or a write's change. */
  readonly now: () => number;
  /** Nothing may be changed (EROFS). */
  readonly readOnly?: boolean;
  /** Nothing may be executed, nor mapped to be (MNT_NOEXEC): set by whoever mounts it. */
  noExec?: boolean;
  /** Others may change the names behind our back: a cached dentry must be looked up again before it is used. */
  readonly revalidates?: boolean;
  /** A name that is not there can't be made: ENOENT, whoever asks (its lookup fails instead of finding nothing). */
  readonly hasFixedNames?: boolean;
  /** An inode that nobody holds can be made again from storage: evict it even while it has names there. */
  readonly evictsUnused?: boolean;
  /** Whether a file of another file system may get a name in this one, which puts several together. */
  includes?(inode: Inode): boolean;
  /** Sizes for statfs; absent: all zero. */
  statfs?(): StatFs;
  /** The last mount is gone: everything is written and closed. */
  umount?(): void;
}

/** What statfs tells of a file system beside type and id. Counts of blocks are in units of `blockSize` bytes. */
export interface StatFs {
  readonly blockSize: number;
  readonly blocks: number;
  readonly blocksFree: number;
  readonly blocksAvailable: number;
  readonly files: number;
  readonly filesFree: number;
}
