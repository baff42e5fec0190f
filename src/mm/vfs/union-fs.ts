/**
 * Two file systems in one tree: names of the first, which nothing changes, before names of the second, where all that is
 * new goes (as a union of Plan 9, `bind -b` with creation below).
 *
 * ```
 *   /            first (read-only)        second              what is seen
 *   ├ lib        libc.so.6                mine.so             both: the directories are one
 *   ├ etc/motd   a file                   another file        the first's
 *   └ home       –                        a directory         the second's
 * ```
 *
 * A name of the first can be read and executed, not written, removed or replaced: EROFS, as on a read-only mount. Making a name in
 * a directory of the first makes that directory in the second too. Nothing is copied and nothing hidden is recorded, so
 * that the second file system alone holds what was written, under the same names.
 *
 * Files are the inodes of their own file system; only directories are the union's. Each layer keeps dentries of its own
 * (no path reaches them), by which its file system finds its storage.
 */
import { BugError } from "../bug.ts";
import { EEXIST, EINVAL, ENOENT, ENOTDIR, EOPNOTSUPP, EPERM, EROFS, EXDEV } from "../uapi/errno.ts";
import { O_DIRECTORY, O_RDONLY, S_IFDIR } from "../uapi/fcntl.ts";
import { OVERLAYFS_SUPER_MAGIC, RENAME_EXCHANGE, RENAME_WHITEOUT } from "../uapi/fs.ts";
import { notifyChange } from "./attributes.ts";
import { Dentry, dAdd, dDelete, dExchange, dMove } from "./dentry.ts";
import { File, type FileOperations, FMODE_READ } from "./file.ts";
import { type Credentials, type DirEntry, Inode, type InodeOperations, igrab, isDir } from "./inode.ts";
import { lookupOne } from "./namei.ts";
import type { FileSystem, MountContext, StatFs, SuperBlock } from "./super-block.ts";

/** Inode numbers of directories that only the second has start here: the first's keep theirs. */
const SECOND_INO = 2 ** 50;
const DT_DIR = S_IFDIR >> 12;

/** A file system of both: `first` is looked into first and never changed, `second` takes what is new. */
export function unionFs(first: FileSystem, second: FileSystem): FileSystem {
  return {
    name: "union",
    mount: (context) =>
      new UnionSuperBlock(context, layer(context, "first", first), layer(context, "second", second)),
  };
}

/** The root of a layer, which is mounted where no path leads. */
function layer(context: MountContext, which: string, fs: FileSystem): Dentry {
  const sb = context.kernMounts.kernMount({
    ...fs,
    name: `union ${context.dev} ${which}`,
    mount: (own) => fs.mount(own),
  });
  const root = new Dentry("", null, sb.root);
  sb.root.aliases.add(root);
  igrab(sb.root);
  return root;
}

class UnionSuperBlock implements SuperBlock {
  readonly fsName = "overlay";
  readonly magic: number = OVERLAYFS_SUPER_MAGIC;
  readonly revalidates = true;
  readonly dev: number;
  readonly now: () => number;
  readonly root: UnionDir;
  readonly second: SuperBlock;

  constructor(context: MountContext, first: Dentry, second: Dentry) {
    this.dev = context.dev;
    this.now = context.now;
    this.second = second.inode.sb;
    this.root = new UnionDir(this, null, "", first, second);
  }

  /** The layers are file systems that the kernel knows, and are written for themselves. */
  sync(): number {
    return 0;
  }

  includes(inode: Inode): boolean {
    return inode.sb === this.second;
  }

  statfs(): StatFs {
    const none = { blockSize: 4096, blocks: 0, blocksFree: 0, blocksAvailable: 0, files: 0, filesFree: 0 };
    return this.second.statfs?.() ?? none;
  }
}

/** A directory of one or both layers. Invariant: at least one of `first` and `second` is there. */
class UnionDir extends Inode {
  declare readonly sb: UnionSuperBlock;
  /** Where a directory of the second would have to be made; null for the root. */
  parent: UnionDir | null;
  name: string;
  readonly first: Dentry | null;
  second: Dentry | null;
  /** Directories below that were looked up, by name: a directory is one inode. */
  readonly dirs: Map<string, UnionDir> = new Map();

  constructor(
    sb: UnionSuperBlock,
    parent: UnionDir | null,
    name: string,
    first: Dentry | null,
    second: Dentry | null,
  ) {
    super(sb, unionIno(first, second), S_IFDIR, directoryOps, directoryFileOps);
    this.parent = parent;
    this.name = name;
    this.first = first;
    this.second = second;
    this.copyAttributes();
  }

  /** Whose attributes it shows: the second's can change. */
  get shown(): Inode {
    const dentry = this.second ?? this.first;
    if (dentry === null) throw new BugError("UnionDir", `"${this.name}" is in no layer`);
    return dentry.inode;
  }

  copyAttributes(): void {
    const { mode, uid, gid, nlink, size, blocks, atimeNs, mtimeNs, ctimeNs } = this.shown;
    Object.assign(this, { mode, uid, gid, nlink, size, blocks, atimeNs, mtimeNs, ctimeNs });
  }
}

/** Stays the same when the second gets a directory that the first had. */
function unionIno(first: Dentry | null, second: Dentry | null): number {
  return first !== null ? first.inode.ino : SECOND_INO + (second?.inode.ino ?? 0);
}

function unionDir(inode: Inode): UnionDir {
  if (!(inode instanceof UnionDir))
    throw new BugError("unionDir", `inode ${inode.ino} of ${inode.sb.fsName}`);
  return inode;
}

/** What a layer has under `name` of its directory; null for nothing, or negative errno. */
function inLayer(dir: Dentry | null, name: string): Dentry | number | null {
  if (dir === null) return null;
  const found = lookupOne(dir, name);
  return found === -ENOENT ? null : found;
}

function lookup(at: Inode, name: string): Inode | number {
  const dir = unionDir(at);
  const first = inLayer(dir.first, name);
  if (typeof first === "number") return first;
  if (first !== null && !isDir(first.inode)) return first.inode;
  const second = inLayer(dir.second, name);
  if (typeof second === "number") return second;
  if (second === null || isDir(second.inode)) return directory(dir, name, first, second);
  return first === null ? second.inode : directory(dir, name, first, null);
}

/** The one inode of a directory of the layers. */
function directory(
  parent: UnionDir,
  name: string,
  first: Dentry | null,
  second: Dentry | null,
): Inode | number {
  if (first === null && second === null) return -ENOENT;
  const known = parent.dirs.get(name);
  if (known !== undefined && known.first === first && known.second === second) {
    known.copyAttributes();
    return known;
  }
  const dir = new UnionDir(parent.sb, parent, name, first, second);
  parent.dirs.set(name, dir);
  return dir;
}

/** Directories that were made in the second layer for what is about to be done in them, the uppermost first. */
type Made = UnionDir[];

/** The directory in the second layer, made there if only the first has it, with those above it. */
function secondOf(dir: UnionDir, made: Made): Dentry | number {
  const { parent, first } = dir;
  if (dir.second !== null) return dir.second;
  if (parent === null || first === null) throw new BugError("secondOf", `"${dir.name}" is in no layer`);
  const above = secondOf(parent, made);
  if (typeof above === "number") return above;
  const there = inLayer(above, dir.name);
  // Something else has the name there, which the first hides.
  if (there !== null) return typeof there === "number" ? there : -ENOTDIR;
  const { mode, uid, gid } = first.inode;
  const inode = above.inode.ops.mkdir?.(above.inode, dir.name, mode & 0o7777, { uid, gid }) ?? -EPERM;
  if (typeof inode === "number") return inode;
  dir.second = dAdd(above, dir.name, inode);
  made.push(dir);
  return dir.second;
}

/** What `act` answers; where that is an error, the directories are gone again that were made for it. */
function orUndone<T>(act: (made: Made) => T | number): T | number {
  const made: Made = [];
  const result = act(made);
  if (typeof result !== "number" || result >= 0) return result;
  for (const dir of made.reverse()) {
    const { second, parent } = dir;
    const above = parent?.second?.inode;
    if (second === null || above === undefined || above.ops.rmdir?.(above, dir.name, second.inode) !== 0)
      break;
    dDelete(second);
    dir.second = null;
  }
  return result;
}

/** Makes `name` in the second layer by what `make` does there. */
function makeIn(
  at: Inode,
  name: string,
  make: (dir: Inode, ops: InodeOperations) => Inode | number | undefined,
): Inode | number {
  return orUndone((made) => {
    const dir = unionDir(at);
    const second = secondOf(dir, made);
    if (typeof second === "number") return second;
    // What is there is a file that a directory of the first would hide; the union knows no such name.
    if (inLayer(second, name) !== null) return -EEXIST;
    const inode = make(second.inode, second.inode.ops) ?? -EPERM;
    if (typeof inode === "number") return inode;
    const dentry = dAdd(second, name, inode);
    return isDir(inode) ? directory(dir, name, null, dentry) : inode;
  });
}

/** The dentry in the second layer of a name that may be changed: the first has none. */
function changeable(dir: UnionDir, name: string): Dentry | number {
  if (inLayer(dir.first, name) !== null) return -EROFS;
  return inLayer(dir.second, name) ?? -ENOENT;
}

/** Takes a name away by what `remove` does in the second layer. */
function removeFrom(
  at: Inode,
  name: string,
  remove: (dir: Inode, victim: Inode, ops: InodeOperations) => number | undefined,
): number {
  const dir = unionDir(at);
  const victim = changeable(dir, name);
  if (typeof victim === "number") return victim;
  if (dir.second === null) return -ENOENT;
  const failed = remove(dir.second.inode, victim.inode, dir.second.inode.ops) ?? -EPERM;
  if (failed !== 0) return failed;
  dDelete(victim);
  const removed = dir.dirs.get(name);
  if (removed !== undefined) removed.nlink = 0;
  dir.dirs.delete(name);
  return 0;
}

function link(inode: Inode, at: Inode, name: string): number {
  const dir = unionDir(at);
  if (inode.sb !== dir.sb.second) return -EXDEV;
  return orUndone((made) => {
    const second = secondOf(dir, made);
    if (typeof second === "number") return second;
    const failed = second.inode.ops.link?.(inode, second.inode, name) ?? -EPERM;
    if (failed === 0) dAdd(second, name, inode);
    return failed;
  });
}

const rename: NonNullable<InodeOperations["rename"]> = (
  oldAt,
  oldName,
  _moved,
  newAt,
  newName,
  _other,
  flags,
  owner,
) => {
  // It has no whiteouts (ovl_rename).
  if ((flags & RENAME_WHITEOUT) !== 0) return -EINVAL;
  const oldDir = unionDir(oldAt);
  const newDir = unionDir(newAt);
  const source = changeable(oldDir, oldName);
  if (typeof source === "number") return source;
  const target = changeable(newDir, newName);
  if (typeof target === "number" && target !== -ENOENT) return target;
  const replaced = typeof target === "number" ? null : target;
  return orUndone((made) => {
    const from = secondOf(oldDir, made);
    if (typeof from === "number") return from;
    const to = secondOf(newDir, made);
    if (typeof to === "number") return to;
    const other = replaced?.inode ?? null;
    const failed =
      from.inode.ops.rename?.(from.inode, oldName, source.inode, to.inode, newName, other, flags, owner) ??
      -EPERM;
    if (failed !== 0) return failed;
    const isExchange = replaced !== null && (flags & RENAME_EXCHANGE) !== 0;
    if (isExchange) {
      dExchange(source, replaced);
    } else {
      if (replaced !== null) dDelete(replaced);
      dMove(source, to, newName);
    }
    const moved = oldDir.dirs.get(oldName);
    const exchanged = newDir.dirs.get(newName);
    moveDir(oldDir, oldName, isExchange ? exchanged : undefined);
    moveDir(newDir, newName, moved);
    return 0;
  });
};

/** `dir`, if there is one, is what the name leads to from now on. */
function moveDir(parent: UnionDir, name: string, dir: UnionDir | undefined): void {
  parent.dirs.delete(name);
  if (dir === undefined) return;
  parent.dirs.set(name, dir);
  dir.parent = parent;
  dir.name = name;
}

/** The first's names, then those that only the second has. */
function readdir(at: Inode): readonly DirEntry[] | number {
  const dir = unionDir(at);
  const first = listing(dir.first);
  if (typeof first === "number") return first;
  const second = listing(dir.second);
  if (typeof second === "number") return second;
  const names = new Set(first.map(({ name }) => name));
  const list = [...first];
  for (const entry of second) {
    if (names.has(entry.name)) continue;
    list.push(entry.type === DT_DIR ? { ...entry, ino: SECOND_INO + entry.ino } : entry);
  }
  return list;
}

function listing(dir: Dentry | null): readonly DirEntry[] | number {
  return dir === null ? [] : (dir.inode.ops.readdir?.(dir.inode) ?? -ENOTDIR);
}

function getattr(at: Inode): number {
  const dir = unionDir(at);
  const { shown } = dir;
  const failed = shown.ops.getattr?.(shown) ?? 0;
  if (failed === 0) dir.copyAttributes();
  return failed;
}

const directoryOps: InodeOperations = {
  lookup,
  readdir,
  getattr,
  create: (dir, name, mode, owner: Credentials) =>
    makeIn(dir, name, (second, ops) => ops.create?.(second, name, mode, owner)),
  mkdir: (dir, name, mode, owner) =>
    makeIn(dir, name, (second, ops) => ops.mkdir?.(second, name, mode, owner)),
  symlink: (dir, name, target, owner) =>
    makeIn(dir, name, (second, ops) => ops.symlink?.(second, name, target, owner)),
  mknod: (dir, name, mode, dev, owner) =>
    makeIn(dir, name, (second, ops) => ops.mknod?.(second, name, mode, dev, owner)),
  tmpfile: (at, mode, owner) =>
    orUndone((made) => {
      const second = secondOf(unionDir(at), made);
      if (typeof second === "number") return second;
      return second.inode.ops.tmpfile?.(second.inode, mode, owner) ?? -EOPNOTSUPP;
    }),
  link,
  unlink: (dir, name) => removeFrom(dir, name, (second, victim, ops) => ops.unlink?.(second, name, victim)),
  rmdir: (dir, name) => removeFrom(dir, name, (second, victim, ops) => ops.rmdir?.(second, name, victim)),
  rename,
  setattr: (at, change) => {
    const dir = unionDir(at);
    return orUndone((made) => {
      const second = secondOf(dir, made);
      if (typeof second === "number") return second;
      const failed = notifyChange(second.inode, change);
      if (failed === 0) dir.copyAttributes();
      return failed;
    });
  },
};

const directoryFileOps: FileOperations = {
  fsync: ({ inode }, start, end, datasync) => {
    const { second } = unionDir(inode);
    if (second === null) return 0;
    const file = new File(second, second.inode, FMODE_READ, O_RDONLY | O_DIRECTORY, 0);
    const failed = file.ops.fsync?.(file, start, end, datasync) ?? 0;
    file.put();
    return failed;
  },
};
