/**
 * A file system whose storage are byte arrays in the test's hands: a disk that keeps what write-back brought there, to be
 * compared, and to be mounted again after a crash. It has one directory.
 */
import { genericFileRead } from "../../../src/mm/filemap/filemap.ts";
import { genericFileMmap } from "../../../src/mm/filemap/filemap-fault.ts";
import { genericFileWrite } from "../../../src/mm/filemap/generic-write.ts";
import { truncateSetsize } from "../../../src/mm/filemap/truncate.ts";
import { filemapWriteAndWaitRange, fileWriteAndWaitRange } from "../../../src/mm/filemap/writeback.ts";
import { type FileSystem, type MountContext, PAGE_SIZE, type SuperBlock } from "../../../src/mm/index.ts";
import { ENOENT } from "../../../src/mm/uapi/errno.ts";
import { S_IFDIR, S_IFREG } from "../../../src/mm/uapi/fcntl.ts";
import { AddressSpace, type AddressSpaceOperations } from "../../../src/mm/vfs/address-space.ts";
import type { FileOperations } from "../../../src/mm/vfs/file.ts";
import { Inode, type InodeOperations } from "../../../src/mm/vfs/inode.ts";

/** The disk: contents by name, and what happened to it. */
export class Disk {
  readonly files: Map<string, Uint8Array> = new Map();
  /** [name, first page, pages] of each transfer. */
  writes: [string, number, number][] = [];
  reads: [string, number, number][] = [];
  /** Page caches of the files that were opened. */
  readonly mappings: Map<string, AddressSpace> = new Map();
  /** Names in the order in which their attributes were written. */
  inodesWritten: string[] = [];

  /** What the disk has of a file. */
  bytes(name: string): Uint8Array {
    return this.files.get(name) ?? new Uint8Array();
  }
}

export function diskFs(disk: Disk): FileSystem {
  return { name: "diskfs", mount: (context) => new DiskSuperBlock(disk, context) };
}

class DiskInode extends Inode {
  name = "";
}

function nameOf(inode: Inode): string {
  if (!(inode instanceof DiskInode)) throw new Error("an inode of another file system");
  return inode.name;
}

class DiskSuperBlock implements SuperBlock {
  readonly fsName = "diskfs";
  readonly magic = 0x4449534b;
  readonly dev: number;
  readonly now: () => number;
  readonly root: Inode;
  readonly disk: Disk;
  readonly #context: MountContext;
  readonly #inodes: Map<string, DiskInode> = new Map();
  readonly #pageOps: AddressSpaceOperations;

  constructor(disk: Disk, context: MountContext) {
    this.disk = disk;
    this.dev = context.dev;
    this.now = context.now;
    this.#context = context;
    this.#pageOps = pageOpsOf(disk);
    const ops: InodeOperations = {
      lookup: (_dir, name) => (disk.files.has(name) ? this.#inode(name) : -ENOENT),
      create: (_dir, name) => {
        disk.files.set(name, new Uint8Array());
        return this.#inode(name);
      },
    };
    this.root = new Inode(this, 1, S_IFDIR | 0o755, ops, {});
  }

  #inode(name: string): Inode {
    let inode = this.#inodes.get(name);
    if (inode !== undefined) return inode;
    inode = new DiskInode(this, this.#inodes.size + 2, S_IFREG | 0o755, fileInodeOps(this.disk), fileOps);
    inode.name = name;
    inode.size = this.disk.bytes(name).length;
    inode.blocks = Math.ceil(inode.size / 512);
    inode.mapping = new AddressSpace(this.#context.phys, inode, this.#pageOps);
    this.#inodes.set(name, inode);
    this.disk.mappings.set(name, inode.mapping);
    return inode;
  }

  sync(): number {
    let first = 0;
    for (const { mapping } of this.#inodes.values()) {
      if (mapping === null) continue;
      const failed = filemapWriteAndWaitRange(mapping, 0, Number.POSITIVE_INFINITY);
      if (first === 0) first = failed;
    }
    return first;
  }

  writeInode(inode: Inode): number {
    this.disk.inodesWritten.push(nameOf(inode));
    return 0;
  }
}

function fileInodeOps(disk: Disk): InodeOperations {
  return {
    setattr: (inode, change) => {
      if (change.size === undefined) return 0;
      resize(disk, nameOf(inode), change.size);
      truncateSetsize(inode, change.size);
      return 0;
    },
  };
}

function resize(disk: Disk, name: string, size: number): void {
  const bytes = new Uint8Array(size);
  bytes.set(disk.bytes(name).subarray(0, size));
  disk.files.set(name, bytes);
}

const fileOps: FileOperations = {
  read: genericFileRead,
  write: genericFileWrite,
  mmap: genericFileMmap,
  fsync: fileWriteAndWaitRange,
};

function pageOpsOf(disk: Disk): AddressSpaceOperations {
  return {
    writesBack: true,
    readPages: ({ host, phys }, index, pfns, count) => {
      const name = nameOf(host);
      disk.reads.push([name, index, count]);
      for (let i = 0; i < count; i++) {
        const page = disk.bytes(name).subarray((index + i) * PAGE_SIZE, (index + i + 1) * PAGE_SIZE);
        const at = pfns[i] * PAGE_SIZE;
        phys.ram.u8.fill(0, at, at + PAGE_SIZE).set(page, at);
      }
      return 0;
    },
    writePages: ({ host, phys }, index, pfns, count) => {
      const name = nameOf(host);
      disk.writes.push([name, index, count]);
      const end = Math.min((index + count) * PAGE_SIZE, host.size);
      if (end > disk.bytes(name).length) resize(disk, name, end);
      for (let i = 0; i < count; i++) {
        const at = (index + i) * PAGE_SIZE;
        const from = pfns[i] * PAGE_SIZE;
        disk.bytes(name).set(phys.ram.u8.subarray(from, from + Math.min(PAGE_SIZE, end - at)), at);
      }
      return 0;
    },
  };
}
