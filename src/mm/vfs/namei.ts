/**
 * The path walk (fs/namei.c): from a string to a dentry.
 *
 * A walk stands on a directory and has strings still to go: the rest of the path, and on top of it the rest of each
 * symbolic link that it has entered. One step takes one name off the top string, so that a link's target is walked
 * exactly as if it had been written into the path. The last name is left to the caller, who may look it up, create
 * it, or remove it.
 *
 * Never above `root`: ".." stays there, and absolute links start there. That is the whole confinement of a guest;
 * storage below never follows a link itself.
 */
import {
  EACCES,
  EAGAIN,
  EILSEQ,
  EINVAL,
  ELOOP,
  ENAMETOOLONG,
  ENOENT,
  ENOTDIR,
  EXDEV,
} from "../uapi/errno.ts";
import { NAME_MAX, PATH_MAX } from "../uapi/fcntl.ts";
import { type Dentry, dAdd, dDelete, dMove, isSubdir } from "./dentry.ts";
import { type Actor, type Credentials, isDir, isLnk } from "./inode.ts";
import { byteLength, isName } from "./name-bytes.ts";
import { inodePermission, MAY_EXEC } from "./permission.ts";

/** Follow a symbolic link in the last place too; the result must be a directory. */
export const LOOKUP_FOLLOW = 1;
export const LOOKUP_DIRECTORY = 2;

/** Links entered by one walk before it gives up. */
const MAXSYMLINKS = 40;

/** Who walks, and where its root and its working directory are. */
export interface WalkContext extends Actor {
  readonly root: Dentry;
  readonly cwd: Dentry;
  readonly umask: number;
  /** RESOLVE_… of openat2: where it does not want to be led. Absent: nowhere. */
  readonly resolve?: number;
}

/** No change of mount; no link of /proc that leads to an object; no symbolic link at all. */
export const RESOLVE_NO_XDEV = 1;
export const RESOLVE_NO_MAGICLINKS = 2;
export const RESOLVE_NO_SYMLINKS = 4;
/** Not out of the start; or the start is the root. */
export const RESOLVE_BENEATH = 8;
export const RESOLVE_IN_ROOT = 0x10;
/** Only by names that are known already. */
export const RESOLVE_CACHED = 0x20;

/** What stands in the last place of a path. */
export type LastType = "name" | "dot" | "dotdot" | "root";

/** The top of whatever is mounted over `dentry`. */
export function crossMounts(dentry: Dentry): Dentry {
  let at = dentry;
  while (at.mounted !== null) at = at.mounted;
  return at;
}

export class PathWalk {
  /** The directory in which `last` is to be looked up. */
  at: Dentry;
  lastType: LastType = "root";
  last = "";
  /** A slash followed the last name: it must be a directory, and a link there is followed. */
  trailingSlash = false;
  readonly #ctx: WalkContext;
  /** Strings to walk, innermost link last; none is empty or starts with a slash. */
  readonly #rest: string[] = [];
  #links = 0;
  readonly #error: number;
  readonly #resolve: number;
  /** Where it began, which RESOLVE_BENEATH does not leave. */
  readonly #start: Dentry;
  /** Linux knows the root only once it was needed; before, with RESOLVE_NO_XDEV, it takes it for another mount. */
  #knowsRoot: boolean;

  constructor(ctx: WalkContext, start: Dentry, path: string) {
    this.#ctx = ctx;
    this.#resolve = ctx.resolve ?? 0;
    this.at = start;
    this.#start = start;
    this.#knowsRoot = this.#must(RESOLVE_BENEATH | RESOLVE_IN_ROOT);
    this.#error = checkPath(path) || this.#enter(path, /* isLink */ false);
  }

  #must(bits: number): boolean {
    return (this.#resolve & bits) !== 0;
  }

  /** Walks up to the last name, which it leaves in `last` with `at` as its directory. 0 or negative errno. */
  toLast(): number {
    if (this.#error !== 0) return this.#error;
    for (;;) {
      const text = this.#rest.pop();
      if (text === undefined) {
        this.lastType = "root";
        return 0;
      }
      const denied = this.#maySearch();
      if (denied !== 0) return denied;
      const end = text.indexOf("/");
      this.last = end < 0 ? text : text.slice(0, end);
      const next = end < 0 ? "" : text.slice(end).replace(/^\/+/, "");
      if (next !== "") this.#rest.push(next);
      this.lastType = this.last === "." ? "dot" : this.last === ".." ? "dotdot" : "name";
      if (this.#rest.length === 0) {
        if (end >= 0) this.trailingSlash = true;
        return 0;
      }
      const dentry = this.lookupLast();
      if (typeof dentry === "number") return dentry;
      if (isLnk(dentry.inode)) {
        const failed = this.follow(dentry);
        if (failed !== 0) return failed;
      } else {
        if (!isDir(dentry.inode)) return this.#must(RESOLVE_CACHED) ? -EAGAIN : -ENOTDIR;
        this.at = dentry;
      }
    }
  }

  /** The dentry of the last name, mounts crossed, or negative errno. */
  lookupLast(): Dentry | number {
    switch (this.lastType) {
      case "root":
      case "dot":
        return this.at;
      case "dotdot":
        return this.#up();
      case "name": {
        // Names that are not there are never known.
        if (this.#must(RESOLVE_CACHED) && !this.at.children.has(this.last)) return -EAGAIN;
        const dentry = lookupOne(this.at, this.last);
        if (typeof dentry === "number" || dentry.mounted === null) return dentry;
        return this.#resolve === 0 ? crossMounts(dentry) : this.#crossed(crossMounts(dentry));
      }
    }
  }

  /** Enters the link `dentry`: what follows is as if its target stood in the path in its place. */
  follow(dentry: Dentry): number {
    if (this.#links++ >= MAXSYMLINKS || this.#must(RESOLVE_NO_SYMLINKS)) return -ELOOP;
    const { inode } = dentry;
    if (inode.ops.jump !== undefined) {
      if (this.#must(RESOLVE_NO_MAGICLINKS)) return -ELOOP;
      if (this.#must(RESOLVE_CACHED)) return -EAGAIN;
      const target = inode.ops.jump(inode, this.#ctx);
      if (typeof target === "number") return target;
      if (this.#must(RESOLVE_BENEATH | RESOLVE_IN_ROOT)) return -EXDEV;
      if (this.#must(RESOLVE_NO_XDEV) && target.inode.sb !== this.at.inode.sb) return -EXDEV;
      this.at = target;
      return 0;
    }
    const target = inode.ops.readlink?.(inode, this.#ctx) ?? -EINVAL;
    if (typeof target === "number") return target;
    if (target === "") return -ENOENT;
    return this.#enter(target, /* isLink */ true);
  }

  #enter(path: string, isLink: boolean): number {
    if (path.startsWith("/")) {
      if (this.#must(RESOLVE_BENEATH)) return -EXDEV;
      const root = crossMounts(this.#ctx.root);
      const isElsewhere = !this.#knowsRoot || root.inode.sb !== this.at.inode.sb;
      if (isLink && isElsewhere && this.#must(RESOLVE_NO_XDEV)) return -EXDEV;
      this.#knowsRoot = true;
      this.at = root;
    }
    const rest = path.replace(/^\/+/, "");
    if (rest !== "") this.#rest.push(rest);
    return 0;
  }

  /** A step to another mount, where that is wanted. */
  #crossed(to: Dentry): Dentry | number {
    if (!this.#must(RESOLVE_NO_XDEV)) return to;
    return this.#must(RESOLVE_CACHED) ? -EAGAIN : -EXDEV;
  }

  #maySearch(): number {
    if (!isDir(this.at.inode)) return -ENOTDIR;
    return inodePermission(this.#ctx, this.at.inode, MAY_EXEC);
  }

  #up(): Dentry | number {
    let at = this.at;
    this.#knowsRoot = true;
    if (this.#must(RESOLVE_BENEATH) && at === crossMounts(this.#start))
      return this.#must(RESOLVE_CACHED) ? -EAGAIN : -EXDEV;
    const root = crossMounts(this.#ctx.root);
    // From the root of a mount, ".." is the parent of the directory that it covers.
    while (at !== root && at.covers !== null) at = at.covers;
    if (at === root || at.parent === null) return at;
    const above = crossMounts(at.parent);
    return at === this.at && above === at.parent ? above : this.#crossed(above);
  }
}

function checkPath(path: string): number {
  if (path === "") return -ENOENT;
  if (path.includes("\0")) return -EINVAL;
  // No path of a program's: those are decoded from bytes.
  if (!isName(path)) return -EILSEQ;
  if (path.length * 3 >= PATH_MAX && byteLength(path) >= PATH_MAX) return -ENAMETOOLONG;
  return 0;
}

/** The dentry that `path` leads to, walked from `start` (the working directory, or an *at call's descriptor). */
export function pathLookup(ctx: WalkContext, start: Dentry, path: string, flags: number): Dentry | number {
  const walk = new PathWalk(ctx, start, path);
  for (;;) {
    const failed = walk.toLast();
    if (failed !== 0) return failed;
    const dentry = walk.lookupLast();
    if (typeof dentry === "number") return dentry;
    if (isLnk(dentry.inode) && ((flags & LOOKUP_FOLLOW) !== 0 || walk.trailingSlash)) {
      const stuck = walk.follow(dentry);
      if (stuck !== 0) return stuck;
      continue;
    }
    if (((flags & LOOKUP_DIRECTORY) !== 0 || walk.trailingSlash) && !isDir(dentry.inode)) return -ENOTDIR;
    return dentry;
  }
}

/**
 * The dentry of `name` in `dir`, mounts not crossed, or negative errno. Where others may change the directory, storage
 * is asked even for a name that is known: it may have gone, or lead to another file now.
 */
export function lookupOne(dir: Dentry, name: string): Dentry | number {
  if (name.length * 3 > NAME_MAX && byteLength(name) > NAME_MAX) return -ENAMETOOLONG;
  const known = dir.children.get(name);
  if (known !== undefined && (known.mounted !== null || known.inode.sb.revalidates !== true)) return known;
  const inode = dir.inode.ops.lookup?.(dir.inode, name) ?? -ENOTDIR;
  if (typeof inode !== "number" && known?.inode === inode) return known;
  if (known !== undefined) dDelete(known);
  if (typeof inode === "number") return inode;
  if (isDir(inode)) {
    // A directory has one name: storage moved it, and what is known below it moves along (d_splice_alias).
    for (const alias of inode.aliases) {
      if (isSubdir(dir, alias)) return -ELOOP;
      dMove(alias, dir, name);
      return alias;
    }
  }
  return dAdd(dir, name, inode);
}

/** Whether `cred` may walk through the directory: chdir and its like ask before they go there. */
export function maySearch(cred: Credentials, dentry: Dentry): number {
  if (!isDir(dentry.inode)) return -ENOTDIR;
  return inodePermission(cred, dentry.inode, MAY_EXEC) === 0 ? 0 : -EACCES;
}
