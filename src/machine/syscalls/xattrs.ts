/** setxattr, getxattr, listxattr, removexattr, each by a path, by a path whose last link is not followed, by a descriptor, and by all of these (…at). */

import { PAGE_SIZE } from "../../mm/page.ts";
import { fdGet, startAt, walkContext } from "../../mm/syscalls/fd.ts";
import { sysGetxattr, sysListxattr, sysRemovexattr, sysSetxattr } from "../../mm/syscalls/xattr.ts";
import { E2BIG, EBADF, EFAULT, EINVAL, ERANGE } from "../../mm/uapi/errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../../mm/uapi/fcntl.ts";
import {
  XATTR_CREATE,
  XATTR_LIST_MAX,
  XATTR_NAME_MAX,
  XATTR_REPLACE,
  XATTR_SIZE_MAX,
} from "../../mm/uapi/xattr.ts";
import type { Inode } from "../../mm/vfs/inode.ts";
import { LOOKUP_FOLLOW, pathLookup } from "../../mm/vfs/namei.ts";
import type { Call, Handler, SyscallGroup } from "./call.ts";

/** With its NUL. */
const NAME_ROOM: number = XATTR_NAME_MAX + 1;
const XATTR_ARGS_BYTES = 16;

/** The inode that argument 0 names, or negative errno. */
type Find = (call: Call) => Inode | number;

const byPath: Find = (call) => lookUp(call, LOOKUP_FOLLOW);
const byLink: Find = (call) => lookUp(call, 0);
const byDescriptor: Find = (call) => fdGet(call.process, call.s32(0))?.inode ?? -EBADF;

function lookUp(call: Call, flags: number): Inode | number {
  const path = call.pathNotEmpty(0);
  if (typeof path === "number") return path;
  const start = startAt(call.process, AT_FDCWD, path);
  if (typeof start === "number") return start;
  const dentry = pathLookup(walkContext(call.process), start, path, flags);
  return typeof dentry === "number" ? dentry : dentry.inode;
}

/** Where a descriptor, a path and AT_… lead (getname_maybe_null): without a path to the descriptor itself. */
const byDescriptorAndPath: Find = (call) => {
  const flags = call.s32(2);
  const mayBeEmpty = (flags & AT_EMPTY_PATH) !== 0;
  const path = mayBeEmpty && call.u64(1) === 0 ? "" : mayBeEmpty ? call.path(1) : call.pathNotEmpty(1);
  if (typeof path === "number") return path;
  const { process } = call;
  const dirfd = call.s32(0);
  if (path === "") return dirfd >= 0 ? byDescriptor(call) : cwdOr(dirfd, process.fs.cwd.inode);
  const start = startAt(process, dirfd, path);
  if (typeof start === "number") return start;
  const follow = (flags & AT_SYMLINK_NOFOLLOW) === 0 ? LOOKUP_FOLLOW : 0;
  const dentry = pathLookup(walkContext(process), start, path, follow);
  return typeof dentry === "number" ? dentry : dentry.inode;
};

function cwdOr(dirfd: number, cwd: Inode): Inode | number {
  return dirfd === AT_FDCWD ? cwd : -EBADF;
}

export const xattrCalls: SyscallGroup = [
  [5, "setxattr", 5, setBy(byPath)],
  [6, "lsetxattr", 5, setBy(byLink)],
  [7, "fsetxattr", 5, setBy(byDescriptor)],
  [8, "getxattr", 4, getBy(byPath)],
  [9, "lgetxattr", 4, getBy(byLink)],
  [10, "fgetxattr", 4, getBy(byDescriptor)],
  [11, "listxattr", 3, listBy(byPath, 1)],
  [12, "llistxattr", 3, listBy(byLink, 1)],
  [13, "flistxattr", 3, listBy(byDescriptor, 1)],
  [14, "removexattr", 2, removeBy(byPath, 1)],
  [15, "lremovexattr", 2, removeBy(byLink, 1)],
  [16, "fremovexattr", 2, removeBy(byDescriptor, 1)],
  [463, "setxattrat", 6, setxattrat],
  [464, "getxattrat", 6, getxattrat],
  [465, "listxattrat", 5, atFlags(listBy(byDescriptorAndPath, 3))],
  [466, "removexattrat", 4, atFlags(removeBy(byDescriptorAndPath, 3))],
];

/** The name at argument i; or -ERANGE, an empty one too, or -EFAULT (import_xattr_name). */
function nameIn(call: Call, i: number): string | number {
  const name = call.text(call.u64(i), NAME_ROOM, -ERANGE);
  return name === "" ? -ERANGE : name;
}

/** struct xattr_args: 0 value (u64), 8 size (u32), 12 XATTR_…. */
interface XattrValue {
  readonly at: number;
  readonly size: number;
  readonly flags: number;
}

/** Arguments: file, name, value and its size, XATTR_…. */
function setBy(find: Find): Handler {
  return (call) => set(call, find, 1, { at: call.u64(2), size: call.u64(3), flags: call.s32(4) });
}

/** Name and value are looked at before the file is (setxattr_copy). */
function set(call: Call, find: Find, nameArg: number, { at, size, flags }: XattrValue): number {
  if ((flags & ~(XATTR_CREATE | XATTR_REPLACE)) !== 0) return -EINVAL;
  const name = nameIn(call, nameArg);
  if (typeof name === "number") return name;
  if (size > XATTR_SIZE_MAX) return -E2BIG;
  const value = call.get(at, size);
  if (value === undefined) return -EFAULT;
  const inode = find(call);
  return typeof inode === "number" ? inode : sysSetxattr(call.process, inode, name, value.bytes, flags);
}

/** Arguments: file, name, room for the value and how much that is. */
function getBy(find: Find): Handler {
  return (call) => get(call, find, 1, call.u64(2), call.u64(3));
}

function get(call: Call, find: Find, nameArg: number, at: number, size: number): number {
  const name = nameIn(call, nameArg);
  if (typeof name === "number") return name;
  const inode = find(call);
  if (typeof inode === "number") return inode;
  const value = sysGetxattr(call.process, inode, name);
  return typeof value === "number" ? value : give(call, value, at, size, XATTR_SIZE_MAX);
}

/** What it is, if there is room; without any only how much it is. More than the most that is ever given is too much to ask for. */
function give(call: Call, bytes: Uint8Array, at: number, size: number, max: number): number {
  if (size === 0) return bytes.length;
  if (bytes.length > Math.min(size, max)) return size >= max ? -E2BIG : -ERANGE;
  return bytes.length > 0 && call.put(at, bytes) < 0 ? -EFAULT : bytes.length;
}

/** Arguments: file, and as number `nameArg` the name. */
function removeBy(find: Find, nameArg: number): Handler {
  return (call) => {
    const name = nameIn(call, nameArg);
    if (typeof name === "number") return name;
    const inode = find(call);
    return typeof inode === "number" ? inode : sysRemovexattr(call.process, inode, name);
  };
}

/** AT_… at argument 2, of which two are known. */
function atFlags(handler: Handler): Handler {
  return (call) => ((call.s32(2) & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0 ? -EINVAL : handler(call));
}

/** The structure at argument 4, whose size is argument 5; of a larger one what is unknown has to be zero. */
function getArgs(call: Call): XattrValue | number {
  const size = call.u64(5);
  if (size < XATTR_ARGS_BYTES) return -EINVAL;
  if (size > PAGE_SIZE) return -E2BIG;
  const raw = call.get(call.u64(4), size);
  if (raw === undefined) return -EFAULT;
  if (raw.bytes.subarray(XATTR_ARGS_BYTES).some((byte) => byte !== 0)) return -E2BIG;
  return { at: raw.u64(0), size: raw.u32(8), flags: raw.u32(12) };
}

/** Arguments: descriptor, path, AT_…, name, structure and its size. */
function setxattrat(call: Call): number {
  const args = getArgs(call);
  if (typeof args === "number") return args;
  return atFlags(() => set(call, byDescriptorAndPath, 3, args))(call);
}

function getxattrat(call: Call): number {
  const args = getArgs(call);
  if (typeof args === "number") return args;
  if (args.flags !== 0) return -EINVAL;
  return atFlags(() => get(call, byDescriptorAndPath, 3, args.at, args.size))(call);
}

/** Arguments: file, and as number `listArg` the room for the names, and how much that is. */
function listBy(find: Find, listArg: number): Handler {
  return (call) => {
    const inode = find(call);
    if (typeof inode === "number") return inode;
    const list = sysListxattr(call.process, inode);
    return give(call, list, call.u64(listArg), call.u64(listArg + 1), XATTR_LIST_MAX);
  };
}
