/** flock(2) and the locks of fcntl(2): what a call asks for as a lock, checked as Linux does (fs/locks.c). */
import { EAGAIN, EBADF, EINVAL, EOVERFLOW } from "../uapi/errno.ts";
import { SEEK_CUR, SEEK_END, SEEK_SET } from "../uapi/fcntl.ts";
import { type File, FMODE_READ, FMODE_WRITE } from "../vfs/file.ts";
import { F_RDLCK, F_UNLCK, F_WRLCK, type FileLock, OFFSET_MAX } from "../vfs/file-lock.ts";
import { ERESTART_WOULD_BLOCK } from "../vfs/would-block.ts";
import { fdGet } from "./fd.ts";
import type { Task } from "./task.ts";

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;
/** Mandatory locks, which were once: taken for done. */
const LOCK_MAND = 32;

/** struct flock. */
export interface Flock {
  readonly type: number;
  readonly whence: number;
  readonly start: bigint;
  readonly len: bigint;
  readonly pid: number;
}

/** The lock that flock(2) wants: negative errno where it makes no sense, 0 where there is nothing to do. */
export function flockRequest(task: Task, fd: number, operation: number): FileLock | number {
  if ((operation & LOCK_MAND) !== 0) return 0;
  const types = new Map([
    [LOCK_SH, F_RDLCK],
    [LOCK_EX, F_WRLCK],
    [LOCK_UN, F_UNLCK],
  ]);
  const type = types.get(operation & ~LOCK_NB);
  if (type === undefined) return -EINVAL;
  const file = fdGet(task, fd);
  if (file === undefined) return -EBADF;
  return {
    kind: "flock",
    owner: file,
    file,
    pid: task.pid,
    type,
    start: 0n,
    end: OFFSET_MAX,
  };
}

/** The lock that fcntl(2) wants. @param isOfd owned by the open file description */
export function fcntlLockRequest(task: Task, fd: number, flock: Flock, isOfd: boolean): FileLock | number {
  const file = fdGet(task, fd);
  if (file === undefined) return -EBADF;
  const range = rangeOf(file, flock);
  if (typeof range === "number") return range;
  const { type } = flock;
  if (type !== F_RDLCK && type !== F_WRLCK && type !== F_UNLCK) return -EINVAL;
  if (isOfd && flock.pid !== 0) return -EINVAL;
  const owner = isOfd ? file : task.files;
  return { kind: isOfd ? "ofd" : "posix", owner, file, pid: task.pid, type, ...range };
}

/** flock64_to_posix_lock */
function rangeOf(
  file: File,
  { whence, start, len }: Flock,
): { readonly start: bigint; readonly end: bigint } | number {
  let base: bigint;
  if (whence === SEEK_SET) base = 0n;
  else if (whence === SEEK_CUR) base = BigInt(file.pos);
  else if (whence === SEEK_END) base = BigInt(file.inode.size);
  else return -EINVAL;
  if (start > OFFSET_MAX - base) return -EOVERFLOW;
  const first = base + start;
  if (first < 0n) return -EINVAL;
  if (len > 0n) {
    return len - 1n > OFFSET_MAX - first ? -EOVERFLOW : { start: first, end: first + len - 1n };
  }
  if (len < 0n) return first + len < 0n ? -EINVAL : { start: first + len, end: first - 1n };
  return { start: first, end: OFFSET_MAX };
}

/** Sets a lock of fcntl: -EBADF where the file is not open for what it protects; -EAGAIN, or what waits, if it is taken. */
export function sysSetLock(task: Task, lock: FileLock, waits: boolean): number {
  if (lock.kind !== "flock") {
    if (lock.type === F_RDLCK && (lock.file.mode & FMODE_READ) === 0) return -EBADF;
    if (lock.type === F_WRLCK && (lock.file.mode & FMODE_WRITE) === 0) return -EBADF;
  }
  const result = task.fs.mounts.locks.set(lock);
  return result === -EAGAIN && waits ? -ERESTART_WOULD_BLOCK : result;
}

/** F_GETLK: the lock in the way, or the same with F_UNLCK. */
export function sysGetLock(task: Task, lock: FileLock, flock: Flock): Flock | number {
  if (lock.type === F_UNLCK) return -EINVAL;
  const blocker = task.fs.mounts.locks.blockerOf(lock);
  if (blocker === undefined) return { ...flock, type: F_UNLCK };
  const { type, start, end, kind, pid } = blocker;
  return {
    type,
    whence: SEEK_SET,
    start,
    len: end === OFFSET_MAX ? 0n : end - start + 1n,
    pid: kind === "ofd" ? -1 : pid,
  };
}

export function flockWaits(operation: number): boolean {
  return (operation & LOCK_NB) === 0;
}
