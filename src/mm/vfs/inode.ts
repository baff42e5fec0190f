/**
 * inode: one file, directory, link or device, whatever its names. Owner: its superblock.
 *
 * Times are nanoseconds since the epoch from the kernel's clock. `size` is the file's length as every process sees it
 * (i_size); a file system's storage may lag behind until write-back.
 */

import { BugError } from "../bug.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../uapi/fcntl.ts";
import type { AddressSpace } from "./address-space.ts";
import { type DirtyInode, forgetDirtyInode } from "./backing-dev.ts";
import type { Capabilities } from "./capability.ts";
import type { Dentry } from "./dentry.ts";
import type { File, FileOperations } from "./file.ts";
import type { SuperBlock } from "./super-block.ts";

/** What a file system does with names and attributes (inode_operations). Negative errno on failure. */
export interface InodeOperations {
  /** The inode called `name` in directory `dir`, or -ENOENT. Names hold no slash and are neither "." nor "..". */
  lookup?(dir: Inode, name: string): Inode | number;
  /** `mode` comes with the umask already taken off; `owner` is who the new inode belongs to. */
  create?(dir: Inode, name: string, mode: number, owner: Credentials): Inode | number;
  mkdir?(dir: Inode, name: string, mode: number, owner: Credentials): Inode | number;
  symlink?(dir: Inode, name: string, target: string, owner: Credentials): Inode | number;
  mknod?(dir: Inode, name: string, mode: number, dev: number, owner: Credentials): Inode | number;
  /** A regular file without a name (O_TMPFILE), nlink 0. */
  tmpfile?(dir: Inode, mode: number, owner: Credentials): Inode | number;
  link?(inode: Inode, dir: Inode, name: string): number;
  unlink?(dir: Inode, name: string, inode: Inode): number;
  rmdir?(dir: Inode, name: string, inode: Inode): number;
  /** `flags`: RENAME_…, of which NOREPLACE was looked after; `owner` is whose the whiteout is that RENAME_WHITEOUT leaves. */
  rename?(
    oldDir: Inode,
    oldName: string,
    inode: Inode,
    newDir: Inode,
    newName: string,
    replaced: Inode | null,
    flags: number,
    owner: Credentials,
  ): number;
  /** Whether `actor` may do what the bits of the mode deny it. Absent: nobody, but for who has the capability. */
  permits?(inode: Inode, actor: Actor): boolean;
  /** `actor` is who asks: /proc/self leads each to itself. */
  readlink?(inode: Inode, actor: Actor): string | number;
  /** For links that lead to an object rather than a path (/proc/PID/fd/N): where the walk goes on (nd_jump_link). */
  jump?(inode: Inode, actor: Actor): Dentry | number;
  /** All entries but "." and "..", in a stable order. */
  readdir?(dir: Inode): readonly DirEntry[] | number;
  /** Changes mode, owner, size or times; a size change also truncates the page cache. */
  setattr?(inode: Inode, change: AttributeChange): number;
  /** Extended attributes: the value, or -ENODATA; sets or, with null, removes one (XATTR_… flags); their names. Absent: it has none. */
  getxattr?(inode: Inode, name: string): Uint8Array | number;
  setxattr?(inode: Inode, name: string, value: Uint8Array | null, flags: number): number;
  listxattr?(inode: Inode): readonly Uint8Array[];
  /** Brings attributes up to date with storage, before stat and open. */
  getattr?(inode: Inode): number;
  /** Something is opening the inode: the file system may refuse, or prepare. `flags`: O_…, also those for opening alone. */
  open?(inode: Inode, file: File, flags: number): number;
  /** The last name, open file and mapping are gone: drop its pages and its storage. */
  evict?(inode: Inode): void;
}

/** Who acts: decides permission, and owns what is created. */
export interface Credentials {
  readonly uid: number;
  readonly gid: number;
  /** Other groups that it is in, in order; absent: none. */
  readonly groups?: readonly number[];
  /** Absent or null: those that follow from the user. */
  readonly capabilities?: Capabilities | null;
}

/** in_group_p */
export function isInGroup(cred: Credentials, gid: number): boolean {
  return cred.gid === gid || cred.groups?.includes(gid) === true;
}

/** Who acts, and in which process. */
export interface Actor extends Credentials {
  /** Absent: the kernel itself. */
  readonly pid?: number;
}

/** The kernel, acting for nobody. */
export const KERNEL_ACTOR: Actor = { uid: 0, gid: 0 };

export interface DirEntry {
  readonly name: string;
  readonly ino: number;
  /** DT_… */
  readonly type: number;
}

export interface AttributeChange {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  readonly atimeNs?: number;
  readonly mtimeNs?: number;
}

export class Inode implements DirtyInode {
  readonly sb: SuperBlock;
  /** Fixed, but for SysV shared memory: a segment's id is known only once there is a file for it. */
  ino: number;
  /** S_IF… and permission bits. */
  mode: number;
  uid = 0;
  gid = 0;
  nlink = 1;
  /** Bytes. */
  size = 0;
  rdev = 0;
  atimeNs = 0;
  mtimeNs = 0;
  ctimeNs = 0;
  /** 512-byte blocks, as stat reports them. */
  blocks = 0;
  readonly ops: InodeOperations;
  readonly fops: FileOperations;
  /** Page cache; null for what has no pages (directories, links, devices). */
  mapping: AddressSpace | null = null;
  /** memfd seals (F_SEAL_…). */
  seals = 0;
  /** In use as a swap area: nobody may write to it, shorten it or take its name away (IS_SWAPFILE). */
  isSwapFile = false;
  /** Nobody writes it or changes its attributes, whatever its mode says (S_IMMUTABLE). */
  isImmutable = false;
  /** No file at all, whatever its mode says: stat shows no type (S_ANON_INODE). */
  isAnon = false;
  /** Open files and dentries that hold it. */
  refs = 0;
  /** Of the files that were opened by a path, those that may write (i_writecount): a memfd is none. */
  writers = 0;
  /** Address spaces that execute it, while which nobody may open it for writing (a negative i_writecount). */
  executions = 0;
  /** Made by O_TMPFILE without O_EXCL: linkat may give it its first name (I_LINKABLE). */
  linkable = false;
  dirtyState = 0;
  dirtiedWhenNs = 0;
  ioList: Set<DirtyInode> | null = null;
  /** Dentries that name it, for its path. */
  readonly aliases: Set<Dentry> = new Set();

  constructor(sb: SuperBlock, ino: number, mode: number, ops: InodeOperations, fops: FileOperations) {
    this.sb = sb;
    this.ino = ino;
    this.mode = mode;
    this.ops = ops;
    this.fops = fops;
  }
}

/** Takes a reference. */
export function igrab(inode: Inode): void {
  inode.refs++;
}

/** Drops a reference. The last one of an inode that has no name left ends it (iput_final). */
export function iput(inode: Inode): void {
  inode.refs--;
  if (inode.refs < 0)
    throw new BugError("iput", `inode ${inode.ino} of ${inode.sb.fsName} has ${inode.refs} references`);
  if (inode.refs > 0 || (inode.nlink > 0 && inode.sb.evictsUnused !== true)) return;
  if (inode.ioList !== null) forgetDirtyInode(inode);
  inode.ops.evict?.(inode);
}

/** The type bits of a mode. */
export function isDir(inode: Inode): boolean {
  return (inode.mode & S_IFMT) === S_IFDIR;
}

export function isReg(inode: Inode): boolean {
  return (inode.mode & S_IFMT) === S_IFREG;
}

export function isLnk(inode: Inode): boolean {
  return (inode.mode & S_IFMT) === S_IFLNK;
}

/** The DT_… type of a directory entry: the type bits of the mode, moved down. */
export function dirEntryType(mode: number): number {
  return (mode & S_IFMT) >> 12;
}
