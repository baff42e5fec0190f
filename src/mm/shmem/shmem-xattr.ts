/**
 * Extended attributes of tmpfs (simple_xattr in fs/xattr.c, shmem_xattr_handler_set): names and values beside an inode, in memory.
 *
 * They take of what the file system may have in inodes, where that has a limit. Invariant: `xattrSpace` of the superblock is the
 * sum of `spaceOf` over all attributes of its inodes; `xattrCost` of the kernel is what all of them cost the host, to which there
 * is a bound: Linux has them in RAM, of which nothing here counts.
 */
import { EEXIST, ENODATA, ENOMEM, ENOSPC } from "../uapi/errno.ts";
import { XATTR_CREATE, XATTR_REPLACE } from "../uapi/xattr.ts";
import type { Inode } from "../vfs/inode.ts";
import { encodeName } from "../vfs/name-bytes.ts";
import type { ShmemInode } from "./shmem-inode.ts";
import { shmemOf } from "./shmem-page.ts";

/** What all of them may cost, and one beside its bytes. */
const MAX_COST = 2 ** 24;
const XATTR_COST = 256;
/** What one takes of the inodes' space beside name and value (simple_xattr_space). */
const SPACE = 40;

/** A name's bytes, a character each, so that names have the order of their bytes. */
function keyOf(name: string): string {
  let key = "";
  for (const byte of encodeName(name)) key += String.fromCharCode(byte);
  return key;
}

function spaceOf(key: string, value: Uint8Array): number {
  return SPACE + key.length + value.length;
}

function costOf(key: string, value: Uint8Array): number {
  return XATTR_COST + key.length + value.length;
}

export function shmemGetxattr(inode: Inode, name: string): Uint8Array | number {
  return shmemOf(inode).xattrs?.get(keyOf(name)) ?? -ENODATA;
}

/** Sets it, or with null takes it away. A new one takes its room before the old one's is given back. */
export function shmemSetxattr(at: Inode, name: string, value: Uint8Array | null, flags: number): number {
  const inode = shmemOf(at);
  const key = keyOf(name);
  if (value !== null && !inode.sb.hasSpace(spaceOf(key, value))) return -ENOSPC;
  const { kernMounts } = inode.sb.context;
  if (value !== null && kernMounts.xattrCost + costOf(key, value) > MAX_COST) return -ENOMEM;
  const old = inode.xattrs?.get(key);
  if (old !== undefined && (flags & XATTR_CREATE) !== 0) return -EEXIST;
  if (old === undefined && (flags & XATTR_REPLACE) !== 0) return -ENODATA;
  drop(inode, key);
  if (value !== null) {
    inode.xattrs ??= new Map();
    inode.xattrs.set(key, value);
    inode.sb.xattrSpace += spaceOf(key, value);
    kernMounts.xattrCost += costOf(key, value);
  }
  inode.ctimeNs = inode.sb.now();
  return 0;
}

function drop(inode: ShmemInode, key: string): void {
  const value = inode.xattrs?.get(key);
  if (value === undefined) return;
  inode.xattrs?.delete(key);
  inode.sb.xattrSpace -= spaceOf(key, value);
  inode.sb.context.kernMounts.xattrCost -= costOf(key, value);
}

/** The bytes of all names, from the last to the first (rb_simple_xattr_cmp sorts them so). */
export function shmemListxattr(inode: Inode): Uint8Array[] {
  const keys = [...(shmemOf(inode).xattrs?.keys() ?? [])].sort().reverse();
  return keys.map((key) => Uint8Array.from(key, (unit) => unit.charCodeAt(0)));
}

/** The end of an inode. */
export function dropXattrs(inode: ShmemInode): void {
  for (const key of [...(inode.xattrs?.keys() ?? [])]) drop(inode, key);
}
