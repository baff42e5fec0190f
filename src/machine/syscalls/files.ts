/** System calls on open files and on the files that paths name: descriptors, attributes, sizes. */

import { unshareFiles } from "../../mm/kernel/task-lifecycle.ts";
import { PAGE_SIZE } from "../../mm/page.ts";
import {
  sysFaccessat,
  sysFchmod,
  sysFchmodat,
  sysFchown,
  sysFchownat,
  sysUtimensat,
} from "../../mm/syscalls/attributes.ts";
import { sysFadvise64, sysReadahead } from "../../mm/syscalls/fadvise.ts";
import { sysFallocate, sysFtruncate, sysTruncate } from "../../mm/syscalls/file-size.ts";
import {
  checkMemfdFlags,
  installOpened,
  openFileAt,
  sysClose,
  sysCloseRange,
  sysDup,
  sysDup3,
  sysMemfdCreate,
  sysPipe2,
} from "../../mm/syscalls/open.ts";
import { openFileAt2 } from "../../mm/syscalls/openat2.ts";
import { sysFstat, sysFstatfs, sysNewfstatat, sysStatfs, sysStatx } from "../../mm/syscalls/stat.ts";
import { sysSwapoff, sysSwapon } from "../../mm/syscalls/swapon.ts";
import { sysFdatasync, sysFsync, sysSync, sysSyncFileRange, sysSyncfs } from "../../mm/syscalls/sync.ts";
import { E2BIG, EFAULT, EINVAL } from "../../mm/uapi/errno.ts";
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW } from "../../mm/uapi/fcntl.ts";
import { UTIME_NOW, UTIME_OMIT } from "../../mm/uapi/fs.ts";
import type { NewTime, Stat } from "../../mm/vfs/attributes.ts";
import { File } from "../../mm/vfs/file.ts";
import { mayGoOn } from "../../mm/vfs/pipe-file.ts";
import { StructView } from "../abi/bytes.ts";
import {
  encodeStat,
  encodeStatfs,
  encodeStatx,
  getTimespec,
  nsOf,
  STATX_RESERVED,
  TIMESPEC_BYTES,
} from "../abi/structs.ts";
import type { Call, SyscallGroup } from "./call.ts";
import { ERESTARTSYS } from "./restart.ts";
import { signalTooLarge } from "./transfer.ts";

/** The longest name of a memfd with its NUL (MFD_NAME_MAX_LEN + 1). */
const MFD_NAME_MAX = 250;
const AT_STATX_SYNC_TYPE = 0x6000;
const AT_NO_AUTOMOUNT = 0x800;

export const fileCalls: SyscallGroup = [
  [23, "dup", 1, (call) => sysDup(call.process, call.s32(0))],
  [24, "dup3", 3, (call) => sysDup3(call.process, call.s32(0), call.s32(1), call.s32(2))],
  [43, "statfs", 2, (call) => withPath(call, 0, (path) => putStatfs(call, sysStatfs(call.process, path)))],
  [44, "fstatfs", 2, (call) => putStatfs(call, sysFstatfs(call.process, call.s32(0)))],
  [224, "swapon", 2, (call) => sysSwapon(call.process, call.path(0), call.s32(1))],
  [225, "swapoff", 1, (call) => sysSwapoff(call.process, call.path(0))],
  [45, "truncate", 2, (call) => withPath(call, 0, (path) => truncate(call, path))],
  [46, "ftruncate", 2, (call) => signalTooLarge(call, sysFtruncate(call.process, call.s32(0), call.s64(1)))],
  [
    47,
    "fallocate",
    4,
    (call) =>
      signalTooLarge(call, sysFallocate(call.process, call.s32(0), call.s32(1), call.s64(2), call.s64(3))),
  ],
  [48, "faccessat", 3, (call) => faccessat(call, 0)],
  [52, "fchmod", 2, (call) => sysFchmod(call.process, call.s32(0), call.u32(1))],
  [
    53,
    "fchmodat",
    3,
    (call) => withPath(call, 1, (path) => sysFchmodat(call.process, call.s32(0), path, call.u32(2), 0)),
  ],
  [54, "fchownat", 5, fchownat],
  [55, "fchown", 3, (call) => sysFchown(call.process, call.s32(0), owner(call, 1), owner(call, 2))],
  [56, "openat", 4, openat],
  [437, "openat2", 4, openat2],
  [57, "close", 1, (call) => sysClose(call.process, call.s32(0))],
  [59, "pipe2", 2, pipe2],
  [79, "newfstatat", 4, newfstatat],
  [80, "fstat", 2, (call) => putStat(call, 1, sysFstat(call.process, call.s32(0)))],
  [81, "sync", 0, (call) => sysSync(call.process)],
  [82, "fsync", 1, (call) => sysFsync(call.process, call.s32(0))],
  [83, "fdatasync", 1, (call) => sysFdatasync(call.process, call.s32(0))],
  [
    84,
    "sync_file_range",
    4,
    (call) => sysSyncFileRange(call.process, call.s32(0), call.s64(1), call.s64(2), call.u32(3)),
  ],
  [88, "utimensat", 4, utimensat],
  [213, "readahead", 3, (call) => sysReadahead(call.process, call.s32(0), call.s64(1), call.s64(2))],
  [
    223,
    "fadvise64",
    4,
    (call) => sysFadvise64(call.process, call.s32(0), call.s64(1), call.s64(2), call.s32(3)),
  ],
  [267, "syncfs", 1, (call) => sysSyncfs(call.process, call.s32(0))],
  [279, "memfd_create", 2, memfdCreate],
  [291, "statx", 5, statx],
  [436, "close_range", 3, closeRange],
  [439, "faccessat2", 4, (call) => faccessat(call, call.s32(3))],
  [452, "fchmodat2", 4, fchmodat2],
];

/** Runs `serve` with the path at argument i, which must not be empty. */
export function withPath(call: Call, i: number, serve: (path: string) => number): number {
  const path = call.pathNotEmpty(i);
  return typeof path === "number" ? path : serve(path);
}

function truncate(call: Call, path: string): number {
  return signalTooLarge(call, sysTruncate(call.process, path, call.s64(1)));
}

/** A named pipe is opened once somebody has its other end; until then it has no descriptor. */
const OPEN_HOW_BYTES = 24;

function openat(call: Call): number {
  const flags = call.u32(2);
  return open(call, flags, (path) => openFileAt(call.process, call.s32(0), path, flags, call.u32(3)));
}

/**
 * Arguments: where relative paths start, path, struct open_how and its size. Of a larger one what is unknown has to be zero.
 *
 * ```
 *   struct open_how   0 flags   8 mode   16 resolve   (24 bytes)
 * ```
 */
function openat2(call: Call): number {
  const size = call.u64(3);
  if (size < OPEN_HOW_BYTES) return -EINVAL;
  if (size > PAGE_SIZE) return -E2BIG;
  const raw = call.get(call.u64(2), size);
  if (raw === undefined) return -EFAULT;
  if (raw.bytes.subarray(OPEN_HOW_BYTES).some((byte) => byte !== 0)) return -E2BIG;
  const how = { flags: raw.u64(0), mode: raw.u64(8), resolve: raw.u64(16) };
  return open(call, how.flags, (path) => openFileAt2(call.process, call.s32(0), path, how));
}

/** Opens what argument 1 names, which may have to wait, and gives it its descriptor. */
function open(call: Call, flags: number, openFile: (path: string) => File | number): number {
  const { callState } = call.thread;
  if (callState instanceof File) return installOpened(call.process, callState, flags);
  return withPath(call, 1, (path) => {
    const file = openFile(path);
    if (typeof file === "number") return file;
    if (mayGoOn(file)) return installOpened(call.process, file, flags);
    const wait = {
      isReady: () => mayGoOn(file),
      deadlineNs: Number.POSITIVE_INFINITY,
      interrupted: -ERESTARTSYS,
      abandon: () => file.put(),
    };
    return call.block(wait, file);
  });
}

function faccessat(call: Call, flags: number): number {
  const path = call.path(1);
  return typeof path === "number" ? path : sysFaccessat(call.process, call.s32(0), path, call.s32(2), flags);
}

/** Threads have one table of descriptors here: one of several can't part from it. */
function closeRange(call: Call): number {
  const { process, thread } = call;
  const unshare = (): number => (thread.group.threads.length > 1 ? -EINVAL : unshareFiles(process));
  return sysCloseRange(process, call.u32(0), call.u32(1), call.u32(2), unshare);
}

function fchmodat2(call: Call): number {
  const path = call.path(1);
  return typeof path === "number"
    ? path
    : sysFchmodat(call.process, call.s32(0), path, call.u32(2), call.s32(3));
}

function fchownat(call: Call): number {
  const path = call.path(1);
  if (typeof path === "number") return path;
  return sysFchownat(call.process, call.s32(0), path, owner(call, 2), owner(call, 3), call.s32(4));
}

/** A user or group: any of 32 bits but the highest, which leaves it as it is: −1. */
function owner(call: Call, i: number): number {
  const id = call.u32(i);
  return id === 0xffffffff ? -1 : id;
}

function pipe2(call: Call): number {
  const ends = sysPipe2(call.process, call.s32(1));
  if (typeof ends === "number") return ends;
  const [reading, writing] = ends;
  const failed = call.put(call.u64(0), new StructView(8).put32(0, reading).put32(4, writing).bytes);
  if (failed === 0) return 0;
  sysClose(call.process, reading);
  sysClose(call.process, writing);
  return failed;
}

function memfdCreate(call: Call): number {
  const wrong = checkMemfdFlags(call.process.fs.mounts, call.u32(1));
  if (wrong !== 0) return wrong;
  const name = call.text(call.u64(0), MFD_NAME_MAX, -EINVAL);
  return typeof name === "number" ? name : sysMemfdCreate(call.process, name, call.u32(1));
}

function newfstatat(call: Call): number {
  const flags = call.s32(3);
  // An empty path may also be a null pointer (vfs_fstatat, since 6.11).
  const path = (flags & AT_EMPTY_PATH) !== 0 && call.u64(1) === 0 ? "" : call.path(1);
  if (typeof path === "number") return path;
  return putStat(call, 2, sysNewfstatat(call.process, call.s32(0), path, flags));
}

function putStat(call: Call, i: number, stat: Stat | number): number {
  return typeof stat === "number" ? stat : call.put(call.u64(i), encodeStat(stat));
}

function statx(call: Call): number {
  const flags = call.s32(2);
  const mask = call.u32(3);
  if ((mask & STATX_RESERVED) !== 0 || (flags & AT_STATX_SYNC_TYPE) === AT_STATX_SYNC_TYPE) return -EINVAL;
  const path = (flags & AT_EMPTY_PATH) !== 0 && call.u64(1) === 0 ? "" : call.path(1);
  if (typeof path === "number") return path;
  if ((flags & ~(AT_STATX_SYNC_TYPE | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) !== 0)
    return -EINVAL;
  const found = sysStatx(call.process, call.s32(0), path, flags & (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW));
  return typeof found === "number" ? found : call.put(call.u64(4), encodeStatx(found, mask));
}

function putStatfs(call: Call, result: ReturnType<typeof sysStatfs>): number {
  return typeof result === "number" ? result : call.put(call.u64(1), encodeStatfs(result));
}

/** Argument 2 points to two timespecs, access and modification time; null means now for both. */
function utimensat(call: Call): number {
  const path = call.u64(1) === 0 ? null : call.path(1);
  if (typeof path === "number") return path;
  const times: NewTime[] = ["now", "now"];
  if (call.u64(2) !== 0) {
    const raw = call.get(call.u64(2), 2 * TIMESPEC_BYTES);
    if (raw === undefined) return -EFAULT;
    for (const i of [0, 1]) {
      const time = getTimespec(raw, i * TIMESPEC_BYTES);
      const isSpecial = time.nanoseconds === UTIME_NOW || time.nanoseconds === UTIME_OMIT;
      if (!isSpecial && (time.nanoseconds < 0 || time.nanoseconds > 999_999_999)) return -EINVAL;
      times[i] =
        time.nanoseconds === UTIME_NOW ? "now" : time.nanoseconds === UTIME_OMIT ? "omit" : nsOf(time);
    }
  }
  return sysUtimensat(call.process, call.s32(0), path, [times[0], times[1]], call.s32(3));
}
