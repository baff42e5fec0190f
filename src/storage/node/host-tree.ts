/**
 * Confinement: how a directory of the host is named so that no operation leaves the root.
 *
 * The guest's path walk hands down single names without slashes, and resolves "..", and symbolic links itself. What
 * remains is the host: another process may swap a directory for a symbolic link between two calls. On Linux no path is
 * ever resolved through more than one name: each directory is held open (O_PATH), a name in it is
 * "/proc/self/fd/N/name", the last name is never followed (O_NOFOLLOW, lstat), and what was opened is compared with what
 * the lookup saw. That is openat(2) with the means that Node has. A directory that was moved out of the root while it
 * was held is refused. Elsewhere the path is put together from names, and must be its own real path before each
 * operation: a gap of microseconds that only a hostile process on the host could use.
 */
import fs, { type BigIntStats } from "node:fs";
import path from "node:path";
import { EACCES, EINVAL, ELOOP, ENOENT, ENOTDIR, ESTALE } from "../../mm/uapi/errno.ts";
import type { Dentry } from "../../mm/vfs/dentry.ts";
import type { Inode } from "../../mm/vfs/inode.ts";
import { hostCall, hostDo, hostErrno } from "./host-error.ts";
import { type HostPath, hostLink, hostPath, hostRealPath, nameOfPath } from "./host-path.ts";
import { hostKey, NodeInode } from "./node-inode.ts";

const { O_DIRECTORY = 0, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_RDONLY } = fs.constants;
/** Linux has it, Node has no name for it. */
const O_PATH = 0o10000000;
/** Directories held open at once. */
const MAX_DIRECTORIES = 64;

export class HostTree {
  /** The root's real path when it was mounted. */
  readonly root: string;
  readonly rootStats: BigIntStats;
  /** The root held open, −1 where paths are used instead. */
  readonly #rootFd: number;
  /** Held directories, least recently used first. */
  readonly #held: Map<NodeInode, number> = new Map();

  /** Nobody moves a held directory out of the root. */
  readonly #isStable: boolean;

  /** Throws Node's error when the directory can't be used. */
  constructor(directory: string, isStable = false) {
    this.#isStable = isStable;
    this.root = hostRealPath(directory);
    this.#rootFd = holdsDirectories() ? fs.openSync(hostPath(this.root), O_PATH | O_DIRECTORY) : -1;
    this.rootStats =
      this.#rootFd < 0
        ? fs.lstatSync(hostPath(this.root), { bigint: true })
        : fs.fstatSync(this.#rootFd, { bigint: true });
  }

  /** The path by which the host finds the directory, as a name of the kernel's, or negative errno. Valid until the next call. */
  directory(dir: NodeInode): string | number {
    if (dir === dir.sb.root) return this.#rootFd < 0 ? this.root : fdPath(this.#rootFd);
    return this.#rootFd < 0 ? this.#byPath(dir) : this.#byFd(dir);
  }

  /** The path of a name in the directory; whether anything has that name is not asked. */
  child(dir: NodeInode, name: string): HostPath | number {
    // A name that a Windows host would take for a path, a drive or a stream.
    if (path.sep === "\\" && /[\\/:*?"<>|]/.test(name)) return -EINVAL;
    const at = this.directory(dir);
    return typeof at === "number" ? at : hostPath(`${at}/${name}`);
  }

  /** A host descriptor for the inode itself, whatever has happened to its names; or negative errno. */
  open(inode: NodeInode, flags: number): number {
    if (inode.fd >= 0 && this.#rootFd >= 0) return this.#openVerified(inode, fdPath(inode.fd), flags);
    let result = -ENOENT;
    for (const alias of this.#namesOf(inode)) {
      const at = this.#locate(alias);
      // Opening must not wait, should a FIFO have come in between.
      result = typeof at === "number" ? at : this.#openVerified(inode, at, flags | O_NOFOLLOW | O_NONBLOCK);
      if (result >= 0) break;
    }
    return result;
  }

  /** Calls `use` with a path that leads to the inode and nowhere else. 0 or negative errno. */
  withNode(inode: NodeInode, use: (at: HostPath) => void): number {
    if (inode === inode.sb.root)
      return hostDo(() => use(this.#rootFd < 0 ? hostPath(this.root) : fdPath(this.#rootFd)));
    if (this.#rootFd >= 0) {
      const fd = this.open(inode, O_PATH);
      if (fd < 0) return fd;
      const failed = hostDo(() => use(fdPath(fd)));
      fs.closeSync(fd);
      return failed;
    }
    const at = this.#verifiedPath(inode);
    return typeof at === "number" ? at : hostDo(() => use(at));
  }

  /** What the host says of the inode now, or negative errno. */
  stat(inode: NodeInode): BigIntStats | number {
    if (inode.fd >= 0) return hostCall(() => fs.fstatSync(inode.fd, { bigint: true }));
    let result: BigIntStats | number = -ENOENT;
    if (inode === inode.sb.root) {
      const at = this.#rootFd < 0 ? hostPath(this.root) : fdPath(this.#rootFd);
      return hostCall(() => fs.statSync(at, { bigint: true }));
    }
    for (const alias of this.#namesOf(inode)) {
      const at = this.#locate(alias);
      if (typeof at === "number") return at;
      result = hostCall(() => fs.lstatSync(at, { bigint: true }));
      if (typeof result !== "number" && hostKey(result) === inode.key) return result;
    }
    return typeof result === "number" ? result : -ESTALE;
  }

  /** Path of one of the inode's names that still leads to it. */
  nameOf(inode: NodeInode): HostPath | number {
    return this.#verifiedPath(inode);
  }

  /** Makes what write and mkdir changed in a directory durable. */
  syncDirectory(dir: NodeInode): number {
    const at = this.directory(dir);
    if (typeof at === "number") return at;
    // Hosts without directory descriptors have nothing to sync.
    if (this.#rootFd < 0) return 0;
    return hostDo(() => {
      const fd = fs.openSync(hostPath(at), O_RDONLY | O_DIRECTORY);
      try {
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
    });
  }

  /** Lets go of a directory that was removed. */
  forget(dir: NodeInode): void {
    const fd = this.#held.get(dir);
    if (fd === undefined) return;
    this.#held.delete(dir);
    fs.closeSync(fd);
  }

  close(): void {
    for (const dir of [...this.#held.keys()]) this.forget(dir);
    if (this.#rootFd >= 0) fs.closeSync(this.#rootFd);
  }

  /** The inode's names in this tree; a union may have given it others. */
  *#namesOf(inode: NodeInode): IterableIterator<Dentry> {
    for (const alias of inode.aliases) {
      const { parent } = alias;
      if (parent === null || parent.inode.sb === inode.sb) yield alias;
    }
  }

  #locate(alias: Dentry): HostPath | number {
    return alias.parent === null ? -ENOENT : this.child(nodeInode(alias.parent.inode), alias.name);
  }

  #byFd(dir: NodeInode): string | number {
    let fd = this.#held.get(dir);
    if (fd === undefined) {
      fd = this.open(dir, O_PATH | O_DIRECTORY);
      if (fd < 0) return fd === -ENOTDIR ? -ELOOP : fd;
      for (const oldest of this.#held.keys()) {
        if (this.#held.size < MAX_DIRECTORIES) break;
        this.forget(oldest);
      }
    } else {
      this.#held.delete(dir);
    }
    this.#held.set(dir, fd);
    return this.#isInside(fd) ? fdPath(fd) : -EACCES;
  }

  /** Whether a held directory still lies below the root, wherever the root has been moved. */
  #isInside(fd: number): boolean {
    if (this.#isStable) return true;
    const at = hostLink(fdPath(fd));
    return isBelow(at, this.root) || isBelow(at, hostLink(fdPath(this.#rootFd)));
  }

  #byPath(dir: NodeInode): string | number {
    const at = this.#verifiedPath(dir);
    if (typeof at === "number") return at;
    const name = nameOfPath(at);
    return hostCall(() => (isBelow(hostRealPath(name), this.root) ? name : -EACCES));
  }

  #verifiedPath(inode: NodeInode): HostPath | number {
    for (const alias of this.#namesOf(inode)) {
      const at = this.#locate(alias);
      if (typeof at === "number") return at;
      const stats = fs.lstatSync(at, { bigint: true, throwIfNoEntry: false });
      if (stats !== undefined && hostKey(stats) === inode.key) return at;
      if (stats?.isSymbolicLink() === true) return -ELOOP;
    }
    return -ESTALE;
  }

  #openVerified(inode: NodeInode, at: HostPath, flags: number): number {
    let fd: number;
    try {
      fd = fs.openSync(at, flags);
    } catch (error) {
      return hostErrno(error);
    }
    if (hostKey(fs.fstatSync(fd, { bigint: true })) === inode.key) return fd;
    fs.closeSync(fd);
    return -ESTALE;
  }
}

/** Whether names below held directories can be reached: Linux with /proc. */
function holdsDirectories(): boolean {
  return process.platform === "linux" && fs.existsSync("/proc/self/fd");
}

function fdPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** Whether a path that withNode hands out leads to the inode itself, be it a symbolic link. */
export function isFdPath(at: HostPath): boolean {
  return typeof at === "string" && at.startsWith("/proc/self/fd/");
}

function isBelow(at: string, root: string): boolean {
  const prefix = root.endsWith(path.sep) ? root : root + path.sep;
  return at === root || at.startsWith(prefix);
}

/** The inode as one of this file system's. */
export function nodeInode(inode: Inode): NodeInode {
  if (!(inode instanceof NodeInode)) throw new TypeError(`inode ${inode.ino} belongs to ${inode.sb.fsName}`);
  return inode;
}
