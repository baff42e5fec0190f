/** setxattr, getxattr, listxattr, removexattr, each by a path, by a path whose last link is not followed, and by a descriptor. */
import { fdGet, startAt, walkContext } from "../../mm/syscalls/fd.ts";
import { sysChangeXattr, sysGetxattr, sysListxattr } from "../../mm/syscalls/xattr.ts";
import { E2BIG, EBADF, EFAULT, EINVAL, ERANGE } from "../../mm/uapi/errno.ts";
import { AT_FDCWD } from "../../mm/uapi/fcntl.ts";
import type { Inode } from "../../mm/vfs/inode.ts";
import { LOOKUP_FOLLOW, pathLookup } from "../../mm/vfs/namei.ts";
import type { Call, Handler, SyscallGroup } from "./call.ts";

/** With its NUL (XATTR_NAME_MAX + 1). */
const NAME_ROOM = 256;
const XATTR_SIZE_MAX = 65536;
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
];

/** The name at argument 1; or -ERANGE, an empty one too, or -EFAULT (import_xattr_name). */
function nameIn(call: Call): string | number {
  const name = call.text(call.u64(1), NAME_ROOM, -ERANGE);
  return name === "" ? -ERANGE : name;
}

/** Arguments: file, name. */
function named(find: Find, act: typeof sysGetxattr): Handler {
  return (call) => {
    const name = nameIn(call);
    if (typeof name === "number") return name;
    const inode = find(call);
    return typeof inode === "number" ? inode : act(call.process, inode, name);
  };
}

/** Arguments: file, name, value and its size, XATTR_…. All are looked at before the file is. */
function setBy(find: Find): Handler {
  const set = named(find, sysChangeXattr);
  return (call) => {
    if ((call.s32(4) & ~(XATTR_CREATE | XATTR_REPLACE)) !== 0) return -EINVAL;
    const name = nameIn(call);
    if (typeof name === "number") return name;
    const size = call.u64(3);
    if (size > XATTR_SIZE_MAX) return -E2BIG;
    if (size > 0 && call.get(call.u64(2), size) === undefined) return -EFAULT;
    return set(call);
  };
}

function listBy(find: Find): Handler {
  return (call) => {
    const inode = find(call);
    return typeof inode === "number" ? inode : sysListxattr(inode);
  };
}
