/**
 * tmpfs: names over shmem (the directory half of mm/shmem.c): a tree of directories in memory, whose regular files are
 * shmem files.
 */
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SIZE, pageAlign } from "../page.ts";
import { EINVAL, ENAMETOOLONG, ENOENT, ENOSPC, ENOTEMPTY, EPERM } from "../uapi/errno.ts";
import {
  PATH_MAX,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from "../uapi/fcntl.ts";
import { RENAME_EXCHANGE, RENAME_WHITEOUT } from "../uapi/fs.ts";
import { noDevice, openDevice } from "../vfs/char-device.ts";
import type { FileOperations } from "../vfs/file.ts";
import { type Credentials, type DirEntry, dirEntryType, type InodeOperations, isDir } from "../vfs/inode.ts";
import { byteLength } from "../vfs/name-bytes.ts";
import { fifoOps, openFifo } from "../vfs/pipe-file.ts";
import { genericLlseek } from "../vfs/read-write.ts";
import type { FileSystem, MountContext } from "../vfs/super-block.ts";
import { shmemFileOps, shmemInodeOps } from "./shmem.ts";
import { type ShmemInode, type ShmemInodeKind, ShmemSuperBlock } from "./shmem-inode.ts";
import { initShmemMapping, shmemOf } from "./shmem-page.ts";

/** What a directory entry adds to its directory's size (BOGO_DIRENT_SIZE). */
const DIRENT_SIZE = 20;

export interface TmpfsOptions {
  /** Most bytes that all files together may hold; default half of RAM, as in Linux; Infinity for no limit. */
  readonly sizeBytes?: number;
  /** Most files, folders and further names; default one for every two frames of RAM, as in Linux; Infinity for no limit. */
  readonly nrInodes?: number;
  /** Permission bits of the root; default 1777. */
  readonly mode?: number;
}

/** A new, empty tmpfs for each mount. */
export function tmpFs(options: TmpfsOptions = {}): FileSystem {
  return { name: "tmpfs", mount: (context) => newTmpfs("tmpfs", context, options, new Map()) };
}

/** @param devices what a character device does, by the device number that mknod gives */
export function newTmpfs(
  fsName: string,
  context: MountContext,
  options: TmpfsOptions,
  devices: ReadonlyMap<number, FileOperations>,
): ShmemSuperBlock {
  const pages = sizeInPages(context.phys, options.sizeBytes);
  const kinds = new TmpfsKinds(devices, context.phys);
  const sb = new ShmemSuperBlock(fsName, context, pages, options.mode ?? 0o1777, kinds.directory);
  sb.root.size = 2 * DIRENT_SIZE;
  sb.maxInodes = options.nrInodes ?? Math.floor(context.phys.totalFrames / 2);
  sb.countInode(sb.root);
  return sb;
}

function sizeInPages(phys: PhysicalMemory, sizeBytes: number | undefined): number {
  if (sizeBytes === undefined) return Math.floor(phys.totalFrames / 2);
  return Number.isFinite(sizeBytes) ? pageAlign(sizeBytes) / PAGE_SIZE : sizeBytes;
}

/** The operations of each type of inode of one file system. */
class TmpfsKinds {
  readonly directory: ShmemInodeKind;
  readonly #regular: ShmemInodeKind = { ops: shmemInodeOps, fops: shmemFileOps };
  readonly #symlink: ShmemInodeKind = {
    ops: { ...shmemInodeOps, readlink: (inode) => shmemOf(inode).target },
    fops: {},
  };
  readonly #fifo: ShmemInodeKind;
  readonly #devices: ReadonlyMap<number, FileOperations>;

  constructor(devices: ReadonlyMap<number, FileOperations>, phys: PhysicalMemory) {
    this.#fifo = { ops: { ...shmemInodeOps, open: openFifo(phys) }, fops: fifoOps };
    this.#devices = devices;
    const ops: InodeOperations = {
      ...shmemInodeOps,
      lookup: (dir, name) => shmemOf(dir).entries.get(name) ?? -ENOENT,
      readdir: (dir) => listEntries(shmemOf(dir)),
      create: (dir, name, mode, owner) => {
        const inode = this.#newFile(shmemOf(dir), mode, owner);
        return typeof inode === "number" ? inode : addEntry(shmemOf(dir), name, inode);
      },
      tmpfile: (dir, mode, owner) => this.#newUnnamed(shmemOf(dir), mode, owner),
      mkdir: (dir, name, mode, owner) => this.#mkdir(shmemOf(dir), name, mode, owner),
      symlink: (dir, name, target, owner) => this.#newSymlink(shmemOf(dir), name, target, owner),
      mknod: (dir, name, mode, dev, owner) => this.#mknod(shmemOf(dir), name, mode, dev, owner),
      link: (inode, dir, name) => linkEntry(shmemOf(inode), shmemOf(dir), name),
      unlink: (dir, name, inode) => unlinkEntry(shmemOf(dir), name, shmemOf(inode)),
      rmdir: (dir, name, inode) => rmdirEntry(shmemOf(dir), name, shmemOf(inode)),
      rename: (...names) => this.#rename(...names),
    };
    this.directory = { ops, fops: { llseek: directoryLlseek, fsync: () => 0 } };
  }

  #newFile(dir: ShmemInode, mode: number, owner: Credentials): ShmemInode | number {
    if (!dir.sb.hasInode) return -ENOSPC;
    const inode = dir.sb.newInode(this.#regular, S_IFREG | (mode & ~S_IFMT), dir, owner);
    initShmemMapping(inode);
    return dir.sb.countInode(inode);
  }

  #newUnnamed(dir: ShmemInode, mode: number, owner: Credentials): ShmemInode | number {
    const inode = this.#newFile(dir, mode, owner);
    if (typeof inode !== "number") inode.nlink = 0;
    return inode;
  }

  #mkdir(dir: ShmemInode, name: string, mode: number, owner: Credentials): ShmemInode | number {
    if (!dir.sb.hasInode) return -ENOSPC;
    const inode = dir.sb.newInode(this.directory, S_IFDIR | (mode & ~S_IFMT), dir, owner);
    inode.size = 2 * DIRENT_SIZE;
    dir.nlink++;
    return addEntry(dir, name, dir.sb.countInode(inode));
  }

  #newSymlink(dir: ShmemInode, name: string, target: string, owner: Credentials): ShmemInode | number {
    const length = byteLength(target);
    if (length + 1 > Math.min(PATH_MAX, PAGE_SIZE)) return -ENAMETOOLONG;
    if (!dir.sb.hasInode) return -ENOSPC;
    const inode = dir.sb.newInode(this.#symlink, S_IFLNK | 0o777, dir, owner);
    inode.target = target;
    inode.size = length;
    return addEntry(dir, name, dir.sb.countInode(inode));
  }

  /** With RENAME_WHITEOUT a mark stays in the old place: for a union of directories, that the name is not there (shmem_whiteout). */
  #rename(...names: Parameters<NonNullable<InodeOperations["rename"]>>): number {
    const [oldDir, oldName, , , , target, flags, owner] = names;
    if ((flags & RENAME_WHITEOUT) === 0) return renameEntry(...names);
    if (target !== null && isDir(target) && shmemOf(target).entries.size > 0) return -ENOTEMPTY;
    const dir = shmemOf(oldDir);
    if (!dir.sb.hasInode) return -ENOSPC;
    const failed = renameEntry(...names);
    const whiteout = failed === 0 ? this.#mknod(dir, oldName, S_IFCHR, /* dev */ 0, owner) : failed;
    return typeof whiteout === "number" ? whiteout : 0;
  }

  #mknod(dir: ShmemInode, name: string, mode: number, dev: number, owner: Credentials): ShmemInode | number {
    const type = mode & S_IFMT;
    if (type !== S_IFIFO && type !== S_IFCHR && type !== S_IFBLK && type !== S_IFSOCK) return -EPERM;
    if (!dir.sb.hasInode) return -ENOSPC;
    if (type === S_IFIFO) {
      return addEntry(dir, name, dir.sb.countInode(dir.sb.newInode(this.#fifo, mode, dir, owner)));
    }
    const fops = type === S_IFCHR ? (this.#devices.get(dev) ?? noDevice) : noDevice;
    const kind = { ops: { ...shmemInodeOps, open: openDevice }, fops };
    const inode = dir.sb.newInode(kind, mode, dir, owner);
    inode.rdev = type === S_IFSOCK ? 0 : dev;
    return addEntry(dir, name, dir.sb.countInode(inode));
  }
}

/** A directory's position counts entries, and has no end to count from (offset_dir_llseek). */
function directoryLlseek(...[file, offset, whence]: Parameters<typeof genericLlseek>): number {
  return whence > 1 ? -EINVAL : genericLlseek(file, offset, whence);
}

/** A name comes or goes: size and times of its directory change. */
function touchDir(dir: ShmemInode, entries: number): void {
  dir.size += entries * DIRENT_SIZE;
  dir.mtimeNs = dir.sb.now();
  dir.ctimeNs = dir.mtimeNs;
}

function addEntry(dir: ShmemInode, name: string, inode: ShmemInode): ShmemInode {
  dir.entries.set(name, inode);
  touchDir(dir, 1);
  return inode;
}

/** Newest first, as Linux lists it. */
function listEntries(dir: ShmemInode): readonly DirEntry[] {
  const list: DirEntry[] = [];
  for (const [name, inode] of dir.entries)
    list.push({ name, ino: inode.ino, type: dirEntryType(inode.mode) });
  return list.reverse();
}

/** A further name takes as much as an inode (shmem_link); a file without one had its own when it was made. */
function linkEntry(inode: ShmemInode, dir: ShmemInode, name: string): number {
  if (inode.nlink > 0) {
    if (!dir.sb.hasInode) return -ENOSPC;
    dir.sb.usedInodes++;
  }
  addEntry(dir, name, inode);
  inode.nlink++;
  inode.ctimeNs = inode.sb.now();
  return 0;
}

function unlinkEntry(dir: ShmemInode, name: string, inode: ShmemInode): number {
  dir.entries.delete(name);
  if (inode.nlink > 1 && !isDir(inode)) dir.sb.usedInodes--;
  inode.nlink--;
  touchDir(dir, -1);
  inode.ctimeNs = dir.ctimeNs;
  return 0;
}

function rmdirEntry(dir: ShmemInode, name: string, inode: ShmemInode): number {
  if (inode.entries.size > 0) return -ENOTEMPTY;
  dir.nlink--;
  inode.nlink--;
  return unlinkEntry(dir, name, inode);
}

const renameEntry: NonNullable<InodeOperations["rename"]> = (
  oldDir,
  oldName,
  moved,
  newDir,
  newName,
  target,
  flags,
) => {
  const from = shmemOf(oldDir);
  const to = shmemOf(newDir);
  const inode = shmemOf(moved);
  const other = target === null ? null : shmemOf(target);
  if ((flags & RENAME_EXCHANGE) !== 0) {
    if (other === null) return -EINVAL;
    from.entries.set(oldName, other);
    moveParentLink(other, to, from);
    other.ctimeNs = other.sb.now();
  } else {
    if (other !== null) {
      const failed = isDir(other) ? rmdirEntry(to, newName, other) : unlinkEntry(to, newName, other);
      if (failed !== 0) return failed;
    }
    from.entries.delete(oldName);
    from.size -= DIRENT_SIZE;
    to.size += DIRENT_SIZE;
  }
  to.entries.set(newName, inode);
  moveParentLink(inode, from, to);
  touchDir(from, 0);
  touchDir(to, 0);
  inode.ctimeNs = to.ctimeNs;
  return 0;
};

/** A directory's ".." is a link to its parent, and moves with it. */
function moveParentLink(inode: ShmemInode, from: ShmemInode, to: ShmemInode): void {
  if (!isDir(inode)) return;
  from.nlink--;
  to.nlink++;
}
