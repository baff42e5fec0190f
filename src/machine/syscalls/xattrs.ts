/** setxattr, getxattr, listxattr, removexattr, each by a path, by a path whose last link is not followed, by a descriptor, and by all of these (…at). */

import { PAGE_SIZE } from "../../mm/page.ts";
import { fdGet, startAt, walkContext } from "../../mm/syscalls/fd.ts";
import { sysChangeXattr, sysGetxattr, sysListxattr } from "../../mm/syscalls/xattr.ts";
import { E2BIG, EBADF, EFAULT, EINVAL, ERANGE } from "../../mm/uapi/errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../../mm/uapi/fcntl.ts";
import type { Inode } from "../../mm/vfs/inode.ts";
import { LOOKUP_FOLLOW, pathLookup } from "../../mm/vfs/namei.ts";
import type { Call, Handler, SyscallGroup } from "./call.ts";

/** With its NUL (XATTR_NAME_MAX + 1). */
const NAME_ROOM = 256;
const XATTR_SIZE_MAX = 65536;
const XATTR_ARGS_BYTES = 16;
const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;

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
  [8, "getxattr", 4, named(byPath, sysGetxattr)],
  [9, "lgetxattr", 4, named(byLink, sysGetxattr)],
  [10, "fgetxattr", 4, named(byDescriptor, sysGetxattr)],
  [11, "listxattr", 3, listBy(byPath)],
  [12, "llistxattr", 3, listBy(byLink)],
  [13, "flistxattr", 3, listBy(byDescriptor)],
  [14, "removexattr", 2, named(byPath, sysChangeXattr)],
  [15, "lremovexattr", 2, named(byLink, sysChangeXattr)],
  [16, "fremovexattr", 2, named(byDescriptor, sysChangeXattr)],
  [463, "setxattrat", 6, setxattrat],
  [464, "getxattrat", 6, getxattrat],
  [465, "listxattrat", 5, atFlags(listBy(byDescriptorAndPath))],
  [466, "removexattrat", 4, atFlags(named(byDescriptorAndPath, sysChangeXattr, 3))],
];

/** The name at argument i; or -ERANGE, an empty one too, or -EFAULT (import_xattr_name). */
function nameIn(call: Call, i: number): string | number {
  const name = call.text(call.u64(i), NAME_ROOM, -ERANGE);
  return name === "" ? -ERANGE : name;
}

/** Arguments: file, and as number `nameArg` the name. */
function named(find: Find, act: typeof sysGetxattr, nameArg = 1): Handler {
  return (call) => {
    const name = nameIn(call, nameArg);
    if (typeof name === "number") return name;
    const inode = find(call);
    return typeof inode === "number" ? inode : act(call.process, inode, name);
  };
}

/** Arguments: file, name, value and its size, XATTR_…. All are looked at before the file is. */
function setBy(find: Find): Handler {
  const set = named(find, sysChangeXattr);
  return (call) => {
    const value = { at: call.u64(2), size: call.u64(3), flags: call.s32(4) };
    return checkValue(call, 1, value) || set(call);
  };
}

/** struct xattr_args: 0 value (u64), 8 size (u32), 12 XATTR_…. */
interface XattrValue {
  readonly at: number;
  readonly size: number;
  readonly flags: number;
}

/** What is wrong with a name and its value (setxattr_copy): negative errno or 0. */
function checkValue(call: Call, nameArg: number, { at, size, flags }: XattrValue): number {
  if ((flags & ~(XATTR_CREATE | XATTR_REPLACE)) !== 0) return -EINVAL;
  const name = nameIn(call, nameArg);
  if (typeof name === "number") return name;
  if (size > XATTR_SIZE_MAX) return -E2BIG;
  return size > 0 && call.get(at, size) === undefined ? -EFAULT : 0;
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
  const set = named(byDescriptorAndPath, sysChangeXattr, 3);
  return atFlags(() => checkValue(call, 3, args) || set(call))(call);
}

function getxattrat(call: Call): number {
  const args = getArgs(call);
  if (typeof args === "number") return args;
  if (args.flags !== 0) return -EINVAL;
  return atFlags(named(byDescriptorAndPath, sysGetxattr, 3))(call);
}

function listBy(find: Find): Handler {
  return (call) => {
    const inode = find(call);
    return typeof inode === "number" ? inode : sysListxattr(inode);
  };
}
