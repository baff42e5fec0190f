/**
 * sendfile, splice and tee (fs/read_write.c do_sendfile, fs/splice.c do_splice): which of two files is a pipe decides what
 * is done.
 *
 * A call that has to wait answers -ERESTART_WOULD_BLOCK; -EPIPE also means SIGPIPE and -EFBIG past RLIMIT_FSIZE SIGXFSZ,
 * which whoever runs the caller sends.
 */
import { EBADF, EINVAL, EOVERFLOW, ESPIPE } from "../uapi/errno.ts";
import { MAX_RW_COUNT, O_APPEND, O_NONBLOCK } from "../uapi/fcntl.ts";
import { SPLICE_F_GIFT, SPLICE_F_MORE, SPLICE_F_MOVE, SPLICE_F_NONBLOCK } from "../uapi/fs.ts";
import { type File, FMODE_READ, FMODE_WRITE } from "../vfs/file.ts";
import type { Pipe } from "../vfs/pipe.ts";
import { pipeClearNowait, pipeOf } from "../vfs/pipe-file.ts";
import { maxBytesOf, movesPosition } from "../vfs/read-write.ts";
import {
  linkPipe,
  spliceDirect,
  spliceFileToPipe,
  splicePipeToFile,
  splicePipeToPipe,
} from "../vfs/splice.ts";
import { fdGet } from "./fd.ts";
import type { Task } from "./task.ts";

/** A place in a file that the caller keeps in its own memory: where to start, and then where the call came to. */
export interface FileOffset {
  value: number;
}

export const SPLICE_F_ALL: number = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT;
/** Lengths from here on are negative to Linux. */
const NEGATIVE = 2 ** 63;

/** sendfile(2). @param offset where in the file of `inFd`; null for its position */
export function sysSendfile(
  task: Task,
  outFd: number,
  inFd: number,
  offset: FileOffset | null,
  count: number,
): number {
  const source = fdGet(task, inFd);
  if (source === undefined || (source.mode & FMODE_READ) === 0) return -EBADF;
  if (offset !== null && source.ops.isStream === true) return -ESPIPE;
  const pos = offset === null ? source.pos : offset.value;
  if (pos < 0 || count >= NEGATIVE) return -EINVAL;
  const target = fdGet(task, outFd);
  if (target === undefined || (target.mode & FMODE_WRITE) === 0) return -EBADF;
  const wanted = Math.min(count, MAX_RW_COUNT);
  const max = Math.min(maxBytesOf(source), maxBytesOf(target));
  if (pos + wanted > max && pos >= max) return -EOVERFLOW;
  const len = Math.min(wanted, max - pos);
  const pipe = pipeOf(target);
  const moved =
    pipe === undefined
      ? sendToFile(task, source, pos, target, len)
      : spliceFileToPipe(source, pos, pipe, len, isNonblock(target));
  if (moved > 0) setOffset(source, offset, pos + moved);
  return moved;
}

function sendToFile(task: Task, source: File, pos: number, target: File, len: number): number {
  if ((target.flags & O_APPEND) !== 0) return -EINVAL;
  const moved = spliceDirect(source, pos, target, target.pos, len, task, task.fs.mounts.phys);
  if (moved > 0 && movesPosition(target)) target.pos += moved;
  return moved;
}

function isNonblock(file: File): boolean {
  return (file.flags & O_NONBLOCK) !== 0;
}

function setOffset(file: File, offset: FileOffset | null, pos: number): void {
  if (!movesPosition(file)) return;
  if (offset !== null) offset.value = pos;
  else file.pos = pos;
}

/** splice(2). @param inOffset where in the file that is no pipe; null for its position; @param outOffset likewise */
export function sysSplice(
  task: Task,
  inFd: number,
  inOffset: FileOffset | null,
  outFd: number,
  outOffset: FileOffset | null,
  len: number,
  flags: number,
): number {
  const source = fdGet(task, inFd);
  const target = fdGet(task, outFd);
  if (source === undefined || target === undefined) return -EBADF;
  if ((source.mode & FMODE_READ) === 0 || (target.mode & FMODE_WRITE) === 0) return -EBADF;
  const from = pipeOf(source);
  const to = pipeOf(target);
  const asked = (flags & SPLICE_F_NONBLOCK) !== 0;
  if (from !== undefined && to !== undefined) {
    if (from === to) return -EINVAL;
    return splicePipeToPipe(from, to, len, asked || isNonblock(source) || isNonblock(target));
  }
  if (from !== undefined) {
    if (outOffset !== null && target.ops.isStream === true) return -EINVAL;
    const pos = outOffset === null ? target.pos : outOffset.value;
    if ((target.flags & O_APPEND) !== 0 || pos < 0 || len >= NEGATIVE) return -EINVAL;
    const moved = splicePipeToFile(from, target, pos, len, task, asked || isNonblock(source));
    if (moved > 0) setOffset(target, outOffset, pos + moved);
    return moved;
  }
  if (to === undefined) return -EINVAL;
  if (inOffset !== null && source.ops.isStream === true) return -EINVAL;
  const pos = inOffset === null ? source.pos : inOffset.value;
  if (pos < 0 || len >= NEGATIVE) return -EINVAL;
  const moved = spliceFileToPipe(source, pos, to, len, asked || isNonblock(target));
  if (moved > 0) setOffset(source, inOffset, pos + moved);
  return moved;
}

/**
 * What splice checks before it looks at the offsets in the caller's memory: 0, or negative errno. ESPIPE an offset for a
 * pipe. Whatever comes of the call, its pipes no longer take transfers that may not wait.
 */
export function spliceMayHaveOffsets(
  task: Task,
  inFd: number,
  hasInOffset: boolean,
  outFd: number,
  hasOutOffset: boolean,
): number {
  const source = fdGet(task, inFd);
  const target = fdGet(task, outFd);
  if (source === undefined || target === undefined) return -EBADF;
  if (pipeOf(source) !== undefined) {
    if (hasInOffset) return -ESPIPE;
    pipeClearNowait(source);
  }
  if (pipeOf(target) !== undefined) {
    if (hasOutOffset) return -ESPIPE;
    pipeClearNowait(target);
  }
  return 0;
}

/** tee(2): what is in one pipe goes to the other, too. */
export function sysTee(task: Task, inFd: number, outFd: number, len: number, flags: number): number {
  if ((flags & ~SPLICE_F_ALL) !== 0) return -EINVAL;
  if (len === 0) return 0;
  const source = fdGet(task, inFd);
  const target = fdGet(task, outFd);
  if (source === undefined || target === undefined) return -EBADF;
  if ((source.mode & FMODE_READ) === 0 || (target.mode & FMODE_WRITE) === 0) return -EBADF;
  const from: Pipe | undefined = pipeOf(source);
  const to = pipeOf(target);
  if (from === undefined || to === undefined || from === to) return -EINVAL;
  const nonblock = (flags & SPLICE_F_NONBLOCK) !== 0 || isNonblock(source) || isNonblock(target);
  return linkPipe(from, to, len, nonblock);
}
