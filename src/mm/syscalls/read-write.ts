/** read, write, pread64, pwrite64, preadv2, pwritev2 and lseek; the vector calls are the same over several segments. */
import { EBADF, EINVAL, ESPIPE } from "../uapi/errno.ts";
import type { IovIter } from "../vfs/iov-iter.ts";
import { mayRead, mayWrite, vfsLseek, vfsPread, vfsPwrite, vfsRead, vfsWrite } from "../vfs/read-write.ts";
import { fdGet } from "./fd.ts";
import type { Task } from "./task.ts";

/** The offset with which preadv2 and pwritev2 mean the file's own position. */
export const AT_POSITION = -1;

/** read(2), readv(2). */
export function sysRead(task: Task, fd: number, to: IovIter): number {
  const file = fdGet(task, fd);
  return file === undefined ? -EBADF : vfsRead(file, to);
}

/** write(2), writev(2). -EFBIG past RLIMIT_FSIZE also means SIGXFSZ, -EPIPE SIGPIPE: the caller sends them. */
export function sysWrite(task: Task, fd: number, from: IovIter): number {
  const file = fdGet(task, fd);
  return file === undefined ? -EBADF : vfsWrite(file, from, task);
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
  return file === undefined ? -EBADF : vfsPwrite(file, from, pos, task);
}

/** preadv2(2). @param pos AT_POSITION for the file's own; @param flags RWF_… */
export function sysPreadv2(task: Task, fd: number, to: IovIter, pos: number, flags: number): number {
  if (pos < AT_POSITION) return -EINVAL;
  const file = fdGet(task, fd);
  if (file === undefined) return -EBADF;
  return pos === AT_POSITION ? vfsRead(file, to, flags) : vfsPread(file, to, pos, flags);
}

/** pwritev2(2). */
export function sysPwritev2(task: Task, fd: number, from: IovIter, pos: number, flags: number): number {
  if (pos < AT_POSITION) return -EINVAL;
  const file = fdGet(task, fd);
  if (file === undefined) return -EBADF;
  return pos === AT_POSITION ? vfsWrite(file, from, task, flags) : vfsPwrite(file, from, pos, task, flags);
}

/**
 * What the vector calls check before they look at their segments (do_readv, do_preadv): 0 or negative errno. `pos` is
 * AT_POSITION for the calls without an offset.
 */
export function mayTransfer(task: Task, fd: number, pos: number, direction: "read" | "write"): number {
  const file = fdGet(task, fd);
  if (file === undefined) return -EBADF;
  const isPlaced = pos !== AT_POSITION;
  if (isPlaced && file.ops.isStream === true) return -ESPIPE;
  if (isPlaced && direction === "write" && file.ops.refusesPwrite === true) return -ESPIPE;
  return direction === "read" ? mayRead(file) : mayWrite(file);
}

/** lseek(2), SEEK_DATA and SEEK_HOLE included. */
export function sysLseek(task: Task, fd: number, offset: number, whence: number): number {
  const file = fdGet(task, fd);
  return file === undefined ? -EBADF : vfsLseek(file, offset, whence);
}
