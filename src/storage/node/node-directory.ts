/** Directories and links of the host: lookup, listing, and making, removing and moving names. */
import fs from "node:fs";
import { EACCES, EINVAL, ENOENT, ENOTEMPTY, ENXIO, ESTALE } from "../../mm/uapi/errno.ts";
import { S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT } from "../../mm/uapi/fcntl.ts";
import { RENAME_EXCHANGE, RENAME_WHITEOUT } from "../../mm/uapi/fs.ts";
import type { FileOperations } from "../../mm/vfs/file.ts";
import {
  type Credentials,
  type DirEntry,
  dirEntryType,
  type Inode,
  type InodeOperations,
} from "../../mm/vfs/inode.ts";
import { GuestNode } from "./guest-nodes.ts";
import { hostCall, hostDo, hostErrno } from "./host-error.ts";
import { hostLink, hostNames, hostPath } from "./host-path.ts";
import { nodeInode } from "./host-tree.ts";
import { nodeInodeOps } from "./node-file.ts";
import { hostKey, NodeInode } from "./node-inode.ts";

const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = fs.constants;

/** Missing names that are remembered for a directory. */
const MAX_MISSING = 1024;

function lookup(dir: Inode, name: string): Inode | number {
  const parent = nodeInode(dir);
  const own = parent.sb.guestNodes.in(parent).get(name);
  if (own !== undefined) return own;
  if (parent.missing?.has(name) === true) return -ENOENT;
  const at = parent.sb.tree.child(parent, name);
  if (typeof at === "number") return at;
  const stats = hostCall(() => fs.lstatSync(at, { bigint: true, throwIfNoEntry: false }));
  if (stats === undefined) {
    noteMissing(parent, name);
    return -ENOENT;
  }
  return typeof stats === "number" ? stats : parent.sb.inodeOf(stats);
}

/** Remembers that there is no such name, where nobody else can make one and the guest can't either. */
function noteMissing(dir: NodeInode, name: string): void {
  if (dir.sb.revalidates || !dir.sb.readOnly) return;
  dir.missing ??= new Set();
  // A bound: a program may ask for any number of names.
  if (dir.missing.size >= MAX_MISSING) dir.missing.clear();
  dir.missing.add(name);
}

/** By name, so that the order does not depend on the host. What vanishes meanwhile is left out. */
function readdir(at: Inode): readonly DirEntry[] | number {
  const dir = nodeInode(at);
  const { sb } = dir;
  const path = sb.tree.directory(dir);
  if (typeof path === "number") return path;
  const names = hostCall(() => hostNames(path).sort());
  if (typeof names === "number") return names;
  const list: DirEntry[] = [];
  const own = sb.guestNodes.in(dir);
  for (const name of own.size === 0 ? names : [...new Set([...names, ...own.keys()])].sort()) {
    const node = own.get(name);
    if (node !== undefined) {
      list.push({ name, ino: node.ino, type: dirEntryType(node.mode) });
      continue;
    }
    const stats = fs.lstatSync(hostPath(`${path}/${name}`), { bigint: true, throwIfNoEntry: false });
    if (stats !== undefined)
      list.push({ name, ino: sb.inoOf(stats), type: dirEntryType(Number(stats.mode)) });
  }
  return list;
}

function create(at: Inode, name: string, mode: number, owner: Credentials): Inode | number {
  const dir = nodeInode(at);
  const path = dir.sb.tree.child(dir, name);
  if (typeof path === "number") return path;
  let fd: number;
  try {
    fd = fs.openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode & 0o7777);
  } catch (error) {
    return hostErrno(error);
  }
  // The guest's umask is in `mode` already; the host's came on top.
  hostDo(() => fs.fchmodSync(fd, mode & 0o7777));
  giveTo(owner, (uid, gid) => fs.fchownSync(fd, uid, gid));
  const inode = dir.sb.inodeOf(fs.fstatSync(fd, { bigint: true }));
  // The file may be one that its maker may not open again (mode 0444): the maker's open takes this descriptor.
  dir.sb.keepForOpen(inode, fd);
  return inode;
}

/** Where this process may give files away, what the guest's user makes belongs to that user. */
function giveTo(owner: Credentials, chown: (uid: number, gid: number) => void): void {
  if (process.getuid?.() === 0 && (owner.uid !== 0 || owner.gid !== 0))
    hostDo(() => chown(owner.uid, owner.gid));
}

function mkdir(at: Inode, name: string, mode: number, owner: Credentials): Inode | number {
  const dir = nodeInode(at);
  const path = dir.sb.tree.child(dir, name);
  if (typeof path === "number") return path;
  const failed = hostDo(() => fs.mkdirSync(path, mode));
  if (failed !== 0) return failed;
  giveTo(owner, (uid, gid) => fs.lchownSync(path, uid, gid));
  // The host's umask may have taken bits that the guest's left: nothing here follows a link, so that is safe to repair.
  const made = lookup(dir, name);
  if (typeof made !== "number" && (made.mode & 0o1777) !== (mode & 0o1777))
    dir.sb.fixMode(nodeInode(made), path, mode);
  return made;
}

function symlink(at: Inode, name: string, target: string, owner: Credentials): Inode | number {
  const dir = nodeInode(at);
  const path = dir.sb.tree.child(dir, name);
  if (typeof path === "number") return path;
  const failed = hostDo(() => fs.symlinkSync(hostPath(target), path));
  if (failed !== 0) return failed;
  giveTo(owner, (uid, gid) => fs.lchownSync(path, uid, gid));
  return lookup(dir, name);
}

function mknod(at: Inode, name: string, mode: number, _dev: number, owner: Credentials): GuestNode | number {
  const dir = nodeInode(at);
  return dir.sb.guestNodes.make(dir, name, mode, owner);
}

function link(source: Inode, at: Inode, name: string): number {
  const dir = nodeInode(at);
  if (source instanceof GuestNode) return dir.sb.guestNodes.link(source, dir, name);
  const inode = nodeInode(source);
  const from = inode.sb.tree.nameOf(inode);
  if (typeof from === "number") return from;
  const to = dir.sb.tree.child(dir, name);
  if (typeof to === "number") return to;
  const failed = hostDo(() => fs.linkSync(from, to));
  if (failed !== 0) return failed;
  const stats = fs.lstatSync(to, { bigint: true, throwIfNoEntry: false });
  if (stats !== undefined && hostKey(stats) === inode.key) {
    inode.refresh(stats);
    return 0;
  }
  // The name led elsewhere by then: that link must not stay.
  hostDo(() => fs.unlinkSync(to));
  return -ESTALE;
}

/** A name of the inode is gone on the host: how many are left. */
function recount(inode: NodeInode): void {
  const left = inode.nlink - 1;
  const stats = inode.fd >= 0 ? inode.sb.tree.stat(inode) : -ENOENT;
  inode.nlink = Math.max(typeof stats === "number" ? left : Number(stats.nlink), 0);
}

function unlink(at: Inode, name: string, victim: Inode): number {
  const dir = nodeInode(at);
  if (victim instanceof GuestNode) {
    dir.sb.guestNodes.unlink(victim, dir, name);
    return 0;
  }
  const inode = nodeInode(victim);
  const path = dir.sb.tree.child(dir, name);
  if (typeof path === "number") return path;
  const failed = hostDo(() => fs.unlinkSync(path));
  if (failed === 0) recount(inode);
  return failed;
}

function rmdir(at: Inode, name: string, victim: Inode): number {
  const dir = nodeInode(at);
  const inode = nodeInode(victim);
  if (inode.sb.guestNodes.in(inode).size > 0) return -ENOTEMPTY;
  const path = dir.sb.tree.child(dir, name);
  if (typeof path === "number") return path;
  const failed = hostDo(() => fs.rmdirSync(path));
  if (failed !== 0) return failed;
  inode.nlink = 0;
  inode.sb.tree.forget(inode);
  return 0;
}

const rename: NonNullable<InodeOperations["rename"]> = (
  oldAt,
  oldName,
  moved,
  newAt,
  newName,
  other,
  flags,
) => {
  // Node has no renameat2; NOREPLACE the VFS has checked already.
  if ((flags & (RENAME_EXCHANGE | RENAME_WHITEOUT)) !== 0) return -EINVAL;
  const oldDir = nodeInode(oldAt);
  const newDir = nodeInode(newAt);
  const { guestNodes } = newDir.sb;
  if (moved instanceof GuestNode) return renameGuestNode(moved, oldDir, oldName, newDir, newName, other);
  if (other instanceof NodeInode && guestNodes.in(other).size > 0) return -ENOTEMPTY;
  const from = oldDir.sb.tree.child(oldDir, oldName);
  if (typeof from === "number") return from;
  const to = newDir.sb.tree.child(newDir, newName);
  if (typeof to === "number") return to;
  const failed = hostDo(() => fs.renameSync(from, to));
  if (failed !== 0) return failed;
  if (other instanceof GuestNode) guestNodes.unlink(other, newDir, newName);
  else if (other !== null) recount(nodeInode(other));
  return 0;
};

function renameGuestNode(
  node: GuestNode,
  oldDir: NodeInode,
  oldName: string,
  newDir: NodeInode,
  newName: string,
  other: Inode | null,
): number {
  const { guestNodes } = newDir.sb;
  const failed = other === null ? 0 : unlink(newDir, newName, other);
  if (failed !== 0) return failed;
  guestNodes.unlink(node, oldDir, oldName);
  return guestNodes.link(node, newDir, newName);
}

function readlink(at: Inode): string | number {
  const inode = nodeInode(at);
  const path = inode.sb.tree.nameOf(inode);
  return typeof path === "number" ? path : hostCall(() => hostLink(path));
}

export const directoryInodeOps: InodeOperations = {
  ...nodeInodeOps,
  lookup,
  readdir,
  create,
  mkdir,
  symlink,
  mknod,
  link,
  unlink,
  rmdir,
  rename,
};

export const directoryFileOps: FileOperations = {
  fsync: (file) => nodeInode(file.inode).sb.tree.syncDirectory(nodeInode(file.inode)),
};

export const symlinkInodeOps: InodeOperations = { ...nodeInodeOps, readlink };

/** FIFOs, devices and sockets of the host are seen, and never opened: they lead out of the root. */
export const specialInodeOps: InodeOperations = {
  ...nodeInodeOps,
  open: (inode) => {
    const type = inode.mode & S_IFMT;
    if (type === S_IFCHR || type === S_IFBLK) return -EACCES;
    return type === S_IFIFO ? -ENXIO : -EINVAL;
  },
};
