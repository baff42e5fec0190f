/**
 * The tree under /proc: inodes that are made when somebody looks, for things that come and go (fs/proc/inode.c, base.c).
 *
 * A directory is asked for a name each time that a path leads through it, and answers what stands there now: a node,
 * with a key that says which thing it is. As long as the key is the same, so is the inode; when the thing is gone or
 * another has its name, the old name is dropped, as if it had been removed.
 */
import { BugError } from "../bug.ts";
import { EINVAL, ENOENT, EPERM } from "../uapi/errno.ts";
import { MAX_NON_LFS, S_IFDIR, S_IFLNK, S_IFMT } from "../uapi/fcntl.ts";
import { DEFAULT_POLLMASK, PROC_SUPER_MAGIC } from "../uapi/fs.ts";
import { dDelete } from "../vfs/dentry.ts";
import type { FileOperations } from "../vfs/file.ts";
import { type Credentials, type DirEntry, dirEntryType, Inode, type InodeOperations } from "../vfs/inode.ts";
import { type PidfdTarget, setProcessDirectory } from "../vfs/pidfd.ts";
import type { MountContext, SuperBlock } from "../vfs/super-block.ts";

/** Whose a node is. What belongs to a process that nobody may look into is root's (task_dump_owner). */
export interface NodeOwner extends Credentials {
  readonly isDumpable?: boolean;
}

/** What stands under a name: how its inode behaves. */
export interface ProcNode {
  /** S_IF… and permission bits. */
  readonly mode: number;
  /** Whose it is; absent: root's. Asked again at each use, for a process may change its user. */
  readonly owner?: NodeOwner;
  /** What stat tells; a function: asked again at each use. */
  readonly size?: number | (() => number);
  readonly ops?: InodeOperations;
  readonly fops?: FileOperations;
  /** For a directory. */
  readonly directory?: ProcDirectory;
  /** Nobody changes it, whatever its mode says. */
  readonly isImmutable?: boolean;
  /** The directory stands for this process or thread as a pidfd does. */
  readonly process?: PidfdTarget;
}

/** A node that can be polled, and watched by epoll: what it says then. */
export function polledNode(node: ProcNode, mask: number = DEFAULT_POLLMASK): ProcNode {
  return node.directory === undefined ? { ...node, fops: { ...node.fops, poll: () => mask } } : node;
}

/** Nodes that are always ready, and say so (proc_reg_poll, proc_sys_poll): all but those of processes. */
export function polledNodes(nodes: Record<string, ProcNode>): Record<string, ProcNode> {
  return Object.fromEntries(Object.entries(nodes).map(([name, node]) => [name, polledNode(node)]));
}

/** A node, and what it stands for. */
export interface ProcName {
  readonly key: unknown;
  readonly node: () => ProcNode;
}

export interface ProcDirectory {
  /** What `name` stands for now; undefined: nothing. */
  find(name: string): ProcName | undefined;
  /** All names, in order. */
  names(): readonly string[];
  /** How many of them are directories that are always there: each is a link to this one. */
  readonly subdirectories?: number;
}

/** A directory whose names never change. */
export function fixedDirectory(nodes: Readonly<Record<string, ProcNode>>): ProcDirectory {
  const byName = new Map(Object.entries(nodes));
  const names = [...byName.keys()];
  return {
    find: (name) => {
      const node = byName.get(name);
      return node === undefined ? undefined : { key: node, node: () => node };
    },
    names: () => names,
    subdirectories: [...byName.values()].filter(({ directory }) => directory !== undefined).length,
  };
}

/** A directory node. */
export function directoryNode(directory: ProcDirectory, permissions = 0o555, owner?: NodeOwner): ProcNode {
  return { mode: S_IFDIR | permissions, directory, ...(owner === undefined ? {} : { owner }) };
}

/** A symbolic link with a text that its reader may decide. */
export function linkNode(readlink: NonNullable<InodeOperations["readlink"]>): ProcNode {
  return { mode: S_IFLNK | 0o777, ops: { readlink } };
}

class ProcInode extends Inode {
  readonly node: ProcNode;
  /** Of a directory: the inodes of names that were asked for, with what they stood for. */
  readonly made: Map<string, { readonly key: unknown; readonly inode: ProcInode }> = new Map();
  /** Size of `made` at which it is looked through for names of things that are gone. */
  sweepAt = SWEEP_ALWAYS;

  constructor(sb: ProcSuperBlock, ino: number, node: ProcNode) {
    const isDirectory = node.directory !== undefined;
    const ops = isDirectory ? DIRECTORY_OPS : FILE_OPS;
    super(sb, ino, node.mode, node.ops === undefined ? ops : { ...ops, ...node.ops }, node.fops ?? {});
    this.node = node;
    this.isImmutable = node.isImmutable === true;
    if (node.process !== undefined) setProcessDirectory(this, node.process);
    this.nlink = isDirectory ? 2 + (node.directory?.subdirectories ?? 0) : 1;
    this.atimeNs = sb.now();
    this.mtimeNs = this.atimeNs;
    this.ctimeNs = this.atimeNs;
    refresh(this);
  }
}

export class ProcSuperBlock implements SuperBlock {
  readonly fsName: string;
  readonly magic: number;
  readonly dev: number;
  readonly now: () => number;
  readonly root: Inode;
  readonly revalidates = true;
  readonly hasFixedNames: boolean;
  readonly maxBytes: number = MAX_NON_LFS;
  #nextIno = 1;

  constructor(
    context: Pick<MountContext, "dev" | "now">,
    root: ProcDirectory,
    fsName = "proc",
    magic: number = PROC_SUPER_MAGIC,
    hasFixedNames = true,
  ) {
    this.hasFixedNames = hasFixedNames;
    this.fsName = fsName;
    this.magic = magic;
    this.dev = context.dev;
    this.now = context.now;
    this.root = new ProcInode(this, this.newIno(), directoryNode(root));
  }

  newIno(): number {
    return this.#nextIno++;
  }

  sync(): number {
    return 0;
  }
}

const FILE_OPS: InodeOperations = {
  getattr: refresh,
  // Shells truncate what they write to; there is nothing to cut off.
  setattr: (_inode, change) => (change.mode !== undefined ? -EPERM : 0),
};

const DIRECTORY_OPS: InodeOperations = {
  ...FILE_OPS,
  lookup: (dir, name) => lookup(procInode(dir), name) ?? -ENOENT,
  readdir: (dir) => list(procInode(dir)),
};

function procInode(inode: Inode): ProcInode {
  if (!(inode instanceof ProcInode)) throw new BugError("procInode", `inode ${inode.ino} is not of /proc`);
  return inode;
}

function lookup(dir: ProcInode, name: string): ProcInode | undefined {
  const directory = directoryOf(dir);
  const found = directory.find(name);
  const known = dir.made.get(name);
  if (found !== undefined && known !== undefined && known.key === found.key) {
    refresh(known.inode);
    return known.inode;
  }
  if (known !== undefined) forget(dir, name, known.inode);
  if (dir.made.size < SWEEP_ALWAYS || dir.made.size >= dir.sweepAt) sweep(dir, directory);
  if (found === undefined) return undefined;
  const { sb } = dir;
  if (!(sb instanceof ProcSuperBlock)) throw new BugError("lookup", "a directory of /proc is elsewhere");
  const inode = new ProcInode(sb, sb.newIno(), found.node());
  dir.made.set(name, { key: found.key, inode });
  return inode;
}

/**
 * Up to this many names a directory is swept whenever a new one is asked for; beyond, when it has doubled. So a listing of n
 * names takes n steps, not n², and what is remembered is never more than twice what was there at some time.
 */
const SWEEP_ALWAYS = 64;

function sweep(dir: ProcInode, directory: ProcDirectory): void {
  for (const [name, { key, inode }] of dir.made) {
    if (directory.find(name)?.key !== key) forget(dir, name, inode);
  }
  dir.sweepAt = Math.max(SWEEP_ALWAYS, 2 * dir.made.size);
}

/** What the name stood for is gone (proc_flush_pid): the memory of it goes too, unless somebody holds it open. */
function forget(dir: ProcInode, name: string, inode: ProcInode): void {
  dir.made.delete(name);
  for (const alias of [...inode.aliases]) dDelete(alias);
}

function list(dir: ProcInode): DirEntry[] {
  const entries: DirEntry[] = [];
  for (const name of directoryOf(dir).names()) {
    const inode = lookup(dir, name);
    if (inode !== undefined) entries.push({ name, ino: inode.ino, type: dirEntryType(inode.mode & S_IFMT) });
  }
  return entries;
}

function directoryOf(dir: ProcInode): ProcDirectory {
  const { directory } = dir.node;
  if (directory === undefined) throw new BugError("directoryOf", `inode ${dir.ino} is no directory`);
  return directory;
}

/** Brings the owner up to date (pid_revalidate). */
function refresh(inode: Inode): number {
  if (!(inode instanceof ProcInode)) return -EINVAL;
  const { owner, mode, size = 0 } = inode.node;
  inode.size = typeof size === "number" ? size : size();
  // A directory that everybody may read tells whose the process is in any case.
  const isShown = owner?.isDumpable !== false || mode === (S_IFDIR | 0o555);
  inode.uid = isShown ? (owner?.uid ?? 0) : 0;
  inode.gid = isShown ? (owner?.gid ?? 0) : 0;
  return 0;
}
