/** System calls on directories, names and links. */
import {
  sysChdir,
  sysChroot,
  sysFchdir,
  sysGetcwd,
  sysGetdents,
  sysLinkat,
  sysMkdirat,
  sysMknodat,
  sysReadlinkat,
  sysRenameat2,
  sysSymlinkat,
  sysUmask,
  sysUnlinkat,
} from "../../mm/syscalls/directory.ts";
import { EFAULT, EINVAL, ERANGE } from "../../mm/uapi/errno.ts";
import { encodeName } from "../../mm/vfs/name-bytes.ts";
import { encodeDirent64 } from "../abi/structs.ts";
import type { Call, SyscallGroup } from "./call.ts";
import { withPath } from "./files.ts";

export const directoryCalls: SyscallGroup = [
  [17, "getcwd", 2, getcwd],
  [
    34,
    "mkdirat",
    3,
    (call) => withPath(call, 1, (path) => sysMkdirat(call.process, call.s32(0), path, call.u32(2))),
  ],
  [
    35,
    "unlinkat",
    3,
    (call) => withPath(call, 1, (path) => sysUnlinkat(call.process, call.s32(0), path, call.s32(2))),
  ],
  [33, "mknodat", 4, mknodat],
  [36, "symlinkat", 3, symlinkat],
  [37, "linkat", 5, linkat],
  [38, "renameat", 4, (call) => renameat(call, 0)],
  [49, "chdir", 1, (call) => withPath(call, 0, (path) => sysChdir(call.process, path))],
  [50, "fchdir", 1, (call) => sysFchdir(call.process, call.s32(0))],
  [61, "getdents64", 3, getdents64],
  [51, "chroot", 1, (call) => withPath(call, 0, (path) => sysChroot(call.process, path))],
  [78, "readlinkat", 4, readlinkat],
  [166, "umask", 1, (call) => sysUmask(call.process, call.u32(0))],
  [276, "renameat2", 5, (call) => renameat(call, call.u32(4))],
];

/** The answer is the length with the NUL, unlike the C function's. */
function getcwd(call: Call): number {
  const path = sysGetcwd(call.process);
  if (typeof path === "number") return path;
  const bytes = encodeName(`${path}\0`);
  if (bytes.length > call.u64(1)) return -ERANGE;
  const failed = call.put(call.u64(0), bytes);
  return failed === 0 ? bytes.length : failed;
}

/** The device number as user space has it (new_decode_dev). */
function mknodat(call: Call): number {
  return withPath(call, 1, (path) =>
    sysMknodat(call.process, call.s32(0), path, call.u32(2) & 0xffff, call.u32(3)),
  );
}

function symlinkat(call: Call): number {
  return withPath(call, 0, (target) =>
    withPath(call, 2, (path) => sysSymlinkat(call.process, target, call.s32(1), path)),
  );
}

function linkat(call: Call): number {
  const from = call.path(1);
  if (typeof from === "number") return from;
  return withPath(call, 3, (to) => sysLinkat(call.process, call.s32(0), from, call.s32(2), to, call.s32(4)));
}

function renameat(call: Call, flags: number): number {
  return withPath(call, 1, (from) =>
    withPath(call, 3, (to) => sysRenameat2(call.process, call.s32(0), from, call.s32(2), to, flags)),
  );
}

function readlinkat(call: Call): number {
  const size = call.s32(3);
  if (size <= 0) return -EINVAL;
  const path = call.path(1);
  if (typeof path === "number") return path;
  const target = sysReadlinkat(call.process, call.s32(0), path);
  if (typeof target === "number") return target;
  const bytes = encodeName(target).subarray(0, size);
  return call.put(call.u64(2), bytes) < 0 ? -EFAULT : bytes.length;
}

/** Entries as long as they fit; EINVAL when not even one does. */
function getdents64(call: Call): number {
  const size = call.u32(2);
  const start = call.u64(1);
  let used = 0;
  let failed = 0;
  const result = sysGetdents(call.process, call.s32(0), ({ ino, off, type, name }) => {
    const bytes = encodeDirent64(ino, off, type, encodeName(name));
    if (used + bytes.length > size) {
      failed = -EINVAL;
      return false;
    }
    failed = call.put(start + used, bytes);
    if (failed < 0) return false;
    used += bytes.length;
    return true;
  });
  if (used > 0) return used;
  return failed < 0 ? failed : result;
}
