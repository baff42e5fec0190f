/**
 * dentry: a name in a directory and the inode that it leads to; together they are the tree that paths walk.
 *
 * Owner: its parent's `children`. A negative dentry is not kept: storage is asked again. `unhashed` marks a name that
 * was removed while files still hold it ("(deleted)" in maps). Invariant: a hashed dentry stands in its parent's
 * `children` under its name and in its inode's `aliases`, and holds one reference to the inode; an unhashed one does
 * neither. What has no name in any directory (memfd, pipe) has a dentry that was never hashed.
 */
import { type Inode, igrab, iput } from "./inode.ts";

export class Dentry {
  name: string;
  parent: Dentry | null;
  readonly inode: Inode;
  /** Names already looked up below this directory. */
  readonly children: Map<string, Dentry> = new Map();
  /** Root of the file system mounted over this directory, if any. */
  mounted: Dentry | null = null;
  /** For the root of a mount: the directory that it covers. */
  covers: Dentry | null = null;
  unhashed = false;
  /** The whole of what maps and readlink show, where there is no path (d_dname): "pipe:[7]". */
  pseudoName: string | null = null;

  constructor(name: string, parent: Dentry | null, inode: Inode) {
    this.name = name;
    this.parent = parent;
    this.inode = inode;
  }
}

/** Makes `name` in `parent` lead to `inode`. Precondition: the name has no dentry. */
export function dAdd(parent: Dentry, name: string, inode: Inode): Dentry {
  const dentry = new Dentry(name, parent, inode);
  parent.children.set(name, dentry);
  inode.aliases.add(dentry);
  igrab(inode);
  return dentry;
}

/** The name is gone, and every name below it: what files still hold reads "(deleted)". May evict the inode. */
export function dDelete(dentry: Dentry): void {
  if (dentry.unhashed) return;
  for (const child of [...dentry.children.values()]) dDelete(child);
  dentry.parent?.children.delete(dentry.name);
  dentry.unhashed = true;
  dentry.inode.aliases.delete(dentry);
  iput(dentry.inode);
}

/** The name moves; what it leads to, and what lies below, stays. Precondition: the new name has no dentry. */
export function dMove(dentry: Dentry, parent: Dentry, name: string): void {
  dentry.parent?.children.delete(dentry.name);
  dentry.parent = parent;
  dentry.name = name;
  parent.children.set(name, dentry);
}

/** Two names trade their places (RENAME_EXCHANGE). */
export function dExchange(one: Dentry, other: Dentry): void {
  const { parent, name } = one;
  one.parent = other.parent;
  one.name = other.name;
  other.parent = parent;
  other.name = name;
  one.parent?.children.set(one.name, one);
  other.parent?.children.set(other.name, other);
}

/** A dentry for an inode without a name in any directory. */
export function newPseudoDentry(name: string, inode: Inode, pseudoName: string | null = null): Dentry {
  const dentry = new Dentry(name, null, inode);
  dentry.unhashed = true;
  dentry.pseudoName = pseudoName;
  return dentry;
}

/** Whether `ancestor` is `dentry` or lies above it in the same file system. */
export function isSubdir(dentry: Dentry, ancestor: Dentry): boolean {
  for (let at: Dentry | null = dentry; at !== null; at = at.parent) if (at === ancestor) return true;
  return false;
}
