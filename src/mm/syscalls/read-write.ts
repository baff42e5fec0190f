/** read, write, pread64, pwrite64 and lseek; the vector calls are the same over an iterator of several segments. */
import { EBADF, EINVAL } from "../uapi/errno.ts";
import { RLIMIT_FSIZE } from "../uapi/mman.ts";
import type { IovIter } from "../vfs/iov-iter.ts";
import { vfsLseek, vfsPread, vfsPwrite, vfsRead, vfsWrite } from "../vfs/read-write.ts";
import { fdGet } from "./fd.ts";
import type { Task } from "./task.ts";

/** read(2), readv(2). */
export function sysRead(task: Task, fd: number, to: IovIter): number {
  const file = fdGet(task, fd);
  return file === undefined ? -EBADF : vfsRead(file, to);
}

/** write(2), writev(2). -EFBIG past RLIMIT_FSIZE also means SIGXFSZ, -EPIPE SIGPIPE: the caller sends them. */
export function sysWrite(task: Task, fd: number, from: IovIter): number {
  const file = fdGet(task, fd);
  return file === undefined ? -EBADF : vfsWrite(file, from, task.rlimits[RLIMIT_FSIZE].soft);
}

/** pread64(2), preadv(2). */
export function sysPread64(task: Task, fd: number, to: IovIter, pos: number): number {
  if (pos < 0) return -EINVAL;
  const file = fdGet(task, fd);
  return file === undefined ? -EBADF : vfsPread(file, to, pos);
}

/** pwrite64(2), pwritev(2). */
export function sysPwrite64(task: Task, fd: number, from: IovIter, pos: number): number {
  if (pos < 0) return -EINVAL;
  const file = fdGet(task, fd);
  return file === undefined ? -EBADF : vfsPwrite(file, from, pos, task.rlimits[RLIMIT_FSIZE].soft);
}

/** lseek(2), SEEK_DATA and SEEK_HOLE included. */
export function sysLseek(task: Task, fd: number, offset: number, whence: number): number {
  const file = fdGet(task, fd);
  return file === undefined ? -EBADF : vfsLseek(file, offset, whence);
}
