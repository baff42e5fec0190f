/** open, close, dup, fcntl and what else makes descriptors: memfd_create, pipe2. */
import { memfdAddSeals, memfdGetSeals, newMemfd } from "../shmem/memfd.ts";
import { EBADF, EINVAL, EMFILE, ENFILE, ENOTTY, EPERM } from "../uapi/errno.ts";
import {
  CLOSE_RANGE_CLOEXEC,
  CLOSE_RANGE_UNSHARE,
  F_CREATED_QUERY,
  F_DUPFD,
  F_DUPFD_CLOEXEC,
  F_DUPFD_QUERY,
  F_GETFD,
  F_GETFL,
  F_SETFD,
  F_SETFL,
  FD_CLOEXEC,
  O_APPEND,
  O_ASYNC,
  O_CLOEXEC,
  O_DIRECT,
  O_NOATIME,
  O_NONBLOCK,
} from "../uapi/fcntl.ts";
import { F_ADD_SEALS, F_GET_SEALS, F_GETPIPE_SZ, F_SETPIPE_SZ, FIOCLEX, FIONCLEX } from "../uapi/fs.ts";
import { MFD_CLOEXEC, RLIMIT_NOFILE } from "../uapi/mman.ts";
import { setAsync } from "../vfs/fasync.ts";
import type { File } from "../vfs/file.ts";
import { checkOpenFlags, openPath } from "../vfs/open.ts";
import { isOwner } from "../vfs/permission.ts";
import { mayGoOn, newPipe, pipeOf } from "../vfs/pipe-file.ts";
import { ERESTART_WOULD_BLOCK } from "../vfs/would-block.ts";
import { fdGet, fdGetRaw, fdInstall, startAt, walkContext } from "./fd.ts";
import type { Task } from "./task.ts";

/** Status flags that F_SETFL changes itself (SETFL_MASK). */
const SETFL_MASK = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;

/** openat(2). */
export function sysOpenat(task: Task, dirfd: number, path: string, flags: number, mode: number): number {
  const file = openFileAt(task, dirfd, path, flags, mode);
  if (typeof file === "number") return file;
  if (!mayGoOn(file)) {
    file.put();
    return -ERESTART_WOULD_BLOCK;
  }
  return installOpened(task, file, flags);
}

/** The first half of openat(2): a file without a descriptor, whose open may have to wait (mayGoOn). */
export function openFileAt(
  task: Task,
  dirfd: number,
  path: string,
  flags: number,
  mode: number,
): File | number {
  const wrong = checkOpenFlags(flags);
  if (wrong !== 0) return wrong;
  // Found out before a file is made or cut for nothing.
  const refused = refusesFile(task);
  if (refused !== 0) return refused;
  const start = startAt(task, dirfd, path);
  return typeof start === "number" ? start : openPath(walkContext(task), start, path, flags, mode);
}

/** 0, or why another open file can't have a descriptor: -EMFILE for the task, -ENFILE for all. */
export function refusesFile(task: Task): number {
  if (!task.files.hasRoom(task.rlimits[RLIMIT_NOFILE].soft)) return -EMFILE;
  return task.fs.mounts.openFiles.mayOpen(task) ? 0 : -ENFILE;
}

/** The second half: its descriptor. */
export function installOpened(task: Task, file: File, flags: number): number {
  return fdInstall(task, file, (flags & O_CLOEXEC) !== 0);
}

/** close(2). */
export function sysClose(task: Task, fd: number): number {
  return task.files.close(fd);
}

/**
 * close_range(2): closes descriptors first … last, or marks them close-on-exec. @param unshare gives the task a table of its own,
 * for UNSHARE: 0, or why not; without it the task has one already.
 */
export function sysCloseRange(
  task: Task,
  first: number,
  last: number,
  flags: number,
  unshare?: () => number,
): number {
  if ((flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) !== 0 || first > last) return -EINVAL;
  const failed = (flags & CLOSE_RANGE_UNSHARE) === 0 ? 0 : (unshare?.() ?? 0);
  if (failed !== 0) return failed;
  for (const [fd] of [...task.files.entries()]) {
    if (fd < first || fd > last) continue;
    if ((flags & CLOSE_RANGE_CLOEXEC) !== 0) task.files.setCloexec(fd, true);
    else task.files.close(fd);
  }
  return 0;
}

/** dup(2). */
export function sysDup(task: Task, fd: number): number {
  return duplicate(task, fd, 0, false);
}

/** dup2(2), for callers that have no dup3. */
export function sysDup2(task: Task, oldFd: number, newFd: number): number {
  if (oldFd === newFd) return fdGetRaw(task, oldFd) === undefined ? -EBADF : newFd;
  return sysDup3(task, oldFd, newFd, 0);
}

/** dup3(2). */
export function sysDup3(task: Task, oldFd: number, newFd: number, flags: number): number {
  if ((flags & ~O_CLOEXEC) !== 0 || oldFd === newFd) return -EINVAL;
  if (newFd < 0 || newFd >= task.rlimits[RLIMIT_NOFILE].soft) return -EBADF;
  return task.files.dup2(oldFd, newFd, (flags & O_CLOEXEC) !== 0);
}

function duplicate(task: Task, fd: number, min: number, cloexec: boolean): number {
  const file = fdGetRaw(task, fd);
  if (file === undefined) return -EBADF;
  file.get();
  return fdInstall(task, file, cloexec, min);
}

/** fcntl(2): descriptors, status flags, seals, the size of a pipe; locks, and whom a file tells by signals, are their own. */
export function sysFcntl(task: Task, fd: number, cmd: number, arg: number): number {
  const file = fdGetRaw(task, fd);
  if (file === undefined) return -EBADF;
  switch (cmd) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
      if (arg < 0 || arg >= task.rlimits[RLIMIT_NOFILE].soft) return -EINVAL;
      return duplicate(task, fd, arg, cmd === F_DUPFD_CLOEXEC);
    case F_GETFD:
      return task.files.isCloexec(fd) ? FD_CLOEXEC : 0;
    case F_SETFD:
      task.files.setCloexec(fd, (arg & FD_CLOEXEC) !== 0);
      return 0;
    case F_GETFL:
      return file.flags;
    case F_DUPFD_QUERY: {
      const other = fdGetRaw(task, arg);
      return other === undefined ? -EBADF : Number(other === file);
    }
    case F_CREATED_QUERY:
      return Number(file.isCreated);
  }
  // What is left needs more than a path.
  const open = fdGet(task, fd);
  if (open === undefined) return -EBADF;
  switch (cmd) {
    case F_SETFL:
      return setStatusFlags(task, fd, open, arg);
    case F_ADD_SEALS:
      return memfdAddSeals(open, arg);
    case F_GET_SEALS:
      return memfdGetSeals(open);
    case F_GETPIPE_SZ:
      return pipeOf(open)?.size ?? -EBADF;
    case F_SETPIPE_SZ:
      return pipeOf(open)?.resize(task, arg >>> 0) ?? -EBADF;
    default:
      return -EINVAL;
  }
}

/** setfl: who may not read behind its owner's back may not start to. */
function setStatusFlags(task: Task, fd: number, file: File, flags: number): number {
  if ((flags & O_NOATIME & ~file.flags) !== 0 && !isOwner(task, file.inode)) return -EPERM;
  if ((flags & O_DIRECT) !== 0 && !file.canDirect) return -EINVAL;
  const failed = setAsync(file, fd, (flags & O_ASYNC) !== 0) ?? 0;
  if (failed !== 0) return failed;
  file.flags = (file.flags & ~SETFL_MASK) | (flags & SETFL_MASK);
  return 0;
}

/** What memfd_create checks before it looks at the name: 0 or -EINVAL. */
export { checkMemfdFlags } from "../shmem/memfd.ts";

/** memfd_create(2). */
export function sysMemfdCreate(task: Task, name: string, flags: number): number {
  const { hugePageSizeLogs } = task.mm.arch;
  const file = newMemfd(task.fs.mounts, name, flags, task, hugePageSizeLogs, () => refusesFile(task));
  return typeof file === "number" ? file : fdInstall(task, file, (flags & MFD_CLOEXEC) !== 0);
}

/** pipe2(2): the reading and the writing descriptor, or negative errno. */
export function sysPipe2(task: Task, flags: number): readonly [number, number] | number {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) !== 0) return -EINVAL;
  const ends = newPipe(task.fs.mounts, flags, task);
  if (typeof ends === "number") return ends;
  const cloexec = (flags & O_CLOEXEC) !== 0;
  const reading = fdInstall(task, ends[0], cloexec);
  if (reading < 0) {
    ends[1].put();
    return reading;
  }
  const writing = fdInstall(task, ends[1], cloexec);
  if (writing >= 0) return [reading, writing];
  task.files.close(reading);
  return -EMFILE;
}

/** ioctl(2), as far as it needs no structure in user memory: those are the machine's to decode. */
export function sysIoctl(task: Task, fd: number, cmd: number, arg: number): number {
  const file = fdGet(task, fd);
  if (file === undefined) return -EBADF;
  if (cmd === FIOCLEX || cmd === FIONCLEX) {
    task.files.setCloexec(fd, cmd === FIOCLEX);
    return 0;
  }
  return file.ops.ioctl?.(file, cmd, arg, task) ?? -ENOTTY;
}
