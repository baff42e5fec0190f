/** A directory of the host as a file system, through Node's synchronous fs. */
import fs, { type BigIntStats } from "node:fs";
import { EINVAL } from "../../mm/uapi/errno.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../mm/uapi/fcntl.ts";
import { AddressSpace } from "../../mm/vfs/address-space.ts";
import { dDelete } from "../../mm/vfs/dentry.ts";
import type { FileOperations } from "../../mm/vfs/file.ts";
import { type Inode, type InodeOperations, isDir } from "../../mm/vfs/inode.ts";
import type { FileSystem, MountContext, StatFs, SuperBlock } from "../../mm/vfs/super-block.ts";
import { GuestNode, GuestNodes } from "./guest-nodes.ts";
import { hostDo } from "./host-error.ts";
import { type HostPath, hostPath } from "./host-path.ts";
import { HostTree, nodeInode } from "./host-tree.ts";
import { directoryFileOps, directoryInodeOps, specialInodeOps, symlinkInodeOps } from "./node-directory.ts";
import {
  closeFd,
  holdFd,
  isOpenRegular,
  regularFileOps,
  regularInodeOps,
  writeBack,
  writeInode,
} from "./node-file.ts";
import { hostKey, NodeInode } from "./node-inode.ts";
import { nodePageOps } from "./node-pages.ts";

export interface NodeFsOptions {
  /** Nothing on the host may be changed: EROFS. */
  readonly readOnly?: boolean;
  /** Nothing else changes the directory while it is mounted: a name is asked for once, a missing one too. */
  readonly stable?: boolean;
  /** Files that are remembered though nobody uses them and none of their pages is cached. Default 16384. */
  readonly unusedInodes?: number;
}

const UNUSED_INODES = 16384;

/**
 * The host's `directory` as a file system. Whoever uses it can reach nothing outside: no "..", no absolute path and no
 * symbolic link leads out of it.
 */
export function nodeFs(directory: string, options: NodeFsOptions = {}): FileSystem {
  return { name: "nodefs", mount: (context) => new NodeSuperBlock(directory, context, options) };
}

/** Directories of the host report what stands below them: there is no magic number of ours in Linux. */
const NODEFS_MAGIC = 0x4e4f4445;
/** Time stamps are whole milliseconds, a few of which are what Linux's own clock tick is: the host keeps them exactly. */
const TIME_GRANULARITY_NS = 1e6;

export class NodeSuperBlock implements SuperBlock {
  readonly fsName = "nodefs";
  readonly magic: number = NODEFS_MAGIC;
  readonly revalidates: boolean;
  readonly evictsUnused = true;
  readonly hugeAligned = true;
  readonly readOnly: boolean;
  readonly dev: number;
  readonly now: () => number;
  readonly root: NodeInode;
  readonly tree: HostTree;
  readonly guestNodes: GuestNodes;
  readonly #context: MountContext;
  /** Inodes by the host's identity, least recently looked up first. */
  readonly #inodes: Map<string, NodeInode> = new Map();
  readonly #maxUnused: number;
  /** Number of inodes at which unused ones are looked for again. */
  #pruneAt: number;
  /** Inode numbers for files that lie on another device of the host than the root does. */
  readonly #foreignInos: Map<string, number> = new Map();
  #justCreated: NodeInode | null = null;
  /** The first error that takeUntoldError has to tell: a negative errno, 0 for none. */
  #untoldError = 0;

  constructor(directory: string, context: MountContext, options: NodeFsOptions) {
    this.readOnly = options.readOnly ?? false;
    this.revalidates = options.stable !== true;
    this.dev = context.dev;
    // A kernel that was given no clock stands at the epoch; files of the host do not go back there.
    this.now = () =>
      Math.floor((context.now() || Date.now() * 1e6) / TIME_GRANULARITY_NS) * TIME_GRANULARITY_NS;
    this.#maxUnused = options.unusedInodes ?? UNUSED_INODES;
    this.#pruneAt = this.#maxUnused;
    this.#context = context;
    this.tree = new HostTree(directory, options.stable);
    this.root = this.inodeOf(this.tree.rootStats);
    this.guestNodes = new GuestNodes(this, context);
  }

  /** The inode of what the host describes, brought up to date. */
  inodeOf(stats: BigIntStats): NodeInode {
    const key = hostKey(stats);
    const known = this.#inodes.get(key);
    // The host gives a number out again: what has it now may be of another type.
    if (known !== undefined && (known.mode & S_IFMT) === (Number(stats.mode) & S_IFMT)) {
      known.refresh(stats);
      this.#inodes.delete(key);
      this.#inodes.set(key, known);
      return known;
    }
    const inode = this.#newInode(stats);
    this.#inodes.set(key, inode);
    if (this.#inodes.size > this.#pruneAt) this.#prune();
    return inode;
  }

  /**
   * Forgets files that are only names, the least recently used first, so that walking a large tree does not fill memory
   * with it. Directories stay (somebody may stand in one), and so does what has cached pages, which reclaim bounds. What
   * a call in progress has just looked up is at the other end.
   */
  #prune(): void {
    for (const inode of [...this.#inodes.values()]) {
      if (this.#inodes.size <= this.#maxUnused / 2) break;
      const isOnlyNames = inode.refs > 0 && inode.refs === inode.aliases.size;
      if (!isOnlyNames || isDir(inode) || (inode.mapping?.pages.size ?? 0) > 0) continue;
      for (const alias of [...inode.aliases]) dDelete(alias);
    }
    this.#pruneAt = Math.max(this.#maxUnused, 2 * this.#inodes.size);
  }

  #newInode(stats: BigIntStats): NodeInode {
    const [ops, fops] = kindOf(Number(stats.mode) & S_IFMT);
    const inode = new NodeInode(this, stats, this.inoOf(stats), ops, fops);
    if (ops === regularInodeOps) inode.mapping = new AddressSpace(this.#context.phys, inode, nodePageOps);
    return inode;
  }

  /** The guest's inode number. All has one st_dev there, so a second device of the host gets numbers of its own. */
  inoOf(stats: BigIntStats): number {
    if (stats.dev === this.tree.rootStats.dev) return Number(stats.ino);
    const key = hostKey(stats);
    let ino = this.#foreignInos.get(key);
    if (ino === undefined) {
      ino = 2 ** 48 + this.#foreignInos.size;
      this.#foreignInos.set(key, ino);
    }
    return ino;
  }

  forget(inode: NodeInode): void {
    if (this.#inodes.get(inode.key) === inode) this.#inodes.delete(inode.key);
    if (this.#justCreated === inode) this.#justCreated = null;
  }

  /** Leaves a new file's descriptor to the open that follows; if none does, it is closed by the next one. */
  keepForOpen(inode: NodeInode, fd: number): void {
    if (this.#justCreated?.openFiles === 0) closeFd(this.#justCreated);
    holdFd(inode, fd, /* isWritable */ true);
    this.#justCreated = inode;
  }

  /** Gives a directory just made the mode that the host's umask took from it. */
  fixMode(inode: NodeInode, path: HostPath, mode: number): void {
    const { O_DIRECTORY = 0, O_NOFOLLOW = 0, O_RDONLY } = fs.constants;
    hostDo(() => {
      const fd = fs.openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      try {
        fs.fchmodSync(fd, mode & 0o7777);
        inode.refresh(fs.fstatSync(fd, { bigint: true }));
      } finally {
        fs.closeSync(fd);
      }
    });
  }

  sync(): number {
    let result = 0;
    for (const inode of this.#inodes.values()) {
      if (!isOpenRegular(inode)) continue;
      const failed = writeBack(inode) || hostDo(() => fs.fsyncSync(inode.fd));
      if (result === 0) result = failed;
    }
    return result;
  }

  writeInode(inode: Inode): number {
    if (!(inode instanceof GuestNode)) writeInode(nodeInode(inode));
    return 0;
  }

  /** Keeps a write-back error (negative errno, 0 for none) for takeUntoldError: its file has just been closed. */
  noteUntoldError(error: number): void {
    if (this.#untoldError === 0) this.#untoldError = error;
  }

  takeUntoldError(): number {
    const error = this.#untoldError;
    this.#untoldError = 0;
    return error;
  }

  statfs(): StatFs {
    const sizes = fs.statfsSync(hostPath(String(this.tree.directory(this.root))));
    return {
      blockSize: sizes.bsize,
      blocks: sizes.blocks,
      blocksFree: sizes.bfree,
      blocksAvailable: sizes.bavail,
      files: sizes.files,
      filesFree: sizes.ffree,
    };
  }

  umount(): void {
    for (const inode of this.#inodes.values()) {
      if (isOpenRegular(inode)) writeBack(inode);
      closeFd(inode);
    }
    this.tree.close();
  }
}

function kindOf(type: number): readonly [InodeOperations, FileOperations] {
  switch (type) {
    case S_IFREG:
      return [regularInodeOps, regularFileOps];
    case S_IFDIR:
      return [directoryInodeOps, directoryFileOps];
    case S_IFLNK:
      return [symlinkInodeOps, {}];
    default:
      return [specialInodeOps, { read: () => -EINVAL }];
  }
}
