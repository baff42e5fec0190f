/**
 * One file or directory of the host as an inode, and what was last seen of it there.
 *
 * The host's (dev, ino) is its identity: two names of a file are one inode with one page cache. While the guest has
 * changes that the host has not (dirty pages, a size, a time), the guest's attributes are the truth; otherwise the
 * host's are, and a size or mtime there that is not the one last seen means that somebody else changed the file: the
 * cache is then stale, and dropped (close-to-open consistency, as NFS has it).
 */
import type { BigIntStats } from "node:fs";
import { XA_DIRTY } from "../../lib/xarray.ts";
import { invalidateMapping, truncateSetsize } from "../../mm/filemap/truncate.ts";
import type { FileOperations } from "../../mm/vfs/file.ts";
import { Inode, type InodeOperations } from "../../mm/vfs/inode.ts";
import type { NodeSuperBlock } from "./node-fs.ts";

/** The host's name of a file: what stays when its names change. */
export function hostKey(stats: BigIntStats): string {
  return `${stats.dev}:${stats.ino}`;
}

export class NodeInode extends Inode {
  declare readonly sb: NodeSuperBlock;
  readonly key: string;
  /** Host descriptor, open while `openFiles` is not 0; −1 for none. */
  fd = -1;
  fdWritable = false;
  /** Open files of the guest. */
  openFiles = 0;
  /** Of a directory that only the guest changes: names that were looked up and are not there. */
  missing: Set<string> | undefined;
  /** Size and mtime that the host had when it was last looked at. */
  hostSize = 0;
  hostMtimeNs = 0;
  /** The mtime that the guest and the host agreed on last. */
  #agreedMtimeNs = 0;
  /** The host's mtime moved because write-back wrote, not because anybody changed the file. */
  hostTimesStale = false;

  constructor(
    sb: NodeSuperBlock,
    stats: BigIntStats,
    ino: number,
    ops: InodeOperations,
    fops: FileOperations,
  ) {
    super(sb, ino, Number(stats.mode), ops, fops);
    this.key = hostKey(stats);
    this.#copyAttributes(stats);
    this.#copyContentState(stats);
  }

  /** Whether the guest's size, bytes or times are newer than the host's. */
  get isNewerThanHost(): boolean {
    if (this.hostTimesStale || this.size !== this.hostSize) return true;
    return this.mtimeNs !== this.#agreedMtimeNs || (this.mapping?.pages.isTagged(XA_DIRTY) ?? false);
  }

  /** Takes over what the host says now, and drops cached pages that it makes stale. */
  refresh(stats: BigIntStats): void {
    this.#copyAttributes(stats);
    if (this.isNewerThanHost) return;
    const changed = Number(stats.size) !== this.hostSize || Number(stats.mtimeNs) !== this.hostMtimeNs;
    if (changed && this.mapping !== null) {
      truncateSetsize(this, Number(stats.size));
      invalidateMapping(this.mapping);
    }
    this.#copyContentState(stats);
  }

  /** Remembers the host's state after a change that the guest itself made there: nobody else's, nothing is stale. */
  agree(stats: BigIntStats): void {
    this.#copyAttributes(stats);
    this.hostSize = Number(stats.size);
    this.hostMtimeNs = Number(stats.mtimeNs);
    this.#agreedMtimeNs = this.mtimeNs;
    this.hostTimesStale = false;
  }

  #copyAttributes(stats: BigIntStats): void {
    this.mode = Number(stats.mode);
    this.uid = Number(stats.uid);
    this.gid = Number(stats.gid);
    this.nlink = Number(stats.nlink);
    this.rdev = Number(stats.rdev);
    // Windows has no count of blocks.
    this.blocks = stats.blocks === undefined ? Math.ceil(Number(stats.size) / 512) : Number(stats.blocks);
  }

  #copyContentState(stats: BigIntStats): void {
    this.size = Number(stats.size);
    this.hostSize = this.size;
    this.hostMtimeNs = Number(stats.mtimeNs);
    this.mtimeNs = this.hostMtimeNs;
    this.#agreedMtimeNs = this.hostMtimeNs;
    this.ctimeNs = Number(stats.ctimeNs);
    this.atimeNs = Math.max(this.atimeNs, Number(stats.atimeNs));
  }
}
