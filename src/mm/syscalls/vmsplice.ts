/**
 * vmsplice(2): pages of the program's memory into a pipe, without copying them (fs/splice.c), or what is in a pipe to the
 * program's memory, which copies.
 */
import type { Mmu } from "../fault/mmu.ts";
import { getUserPagesFast } from "../fault/pin-user-pages.ts";
import { UserIter, type UserSegment } from "../fault/user-iter.ts";
import { PAGE_OFFSET_MASK, PAGE_SIZE, pageAlignDown } from "../page.ts";
import { EBADF, EFAULT, EPIPE } from "../uapi/errno.ts";
import { SPLICE_F_NONBLOCK } from "../uapi/fs.ts";
import { FMODE_READ, FMODE_WRITE } from "../vfs/file.ts";
import type { Pipe } from "../vfs/pipe.ts";
import { pipeClearNowait, pipeOf } from "../vfs/pipe-file.ts";
import { tellOfInput, tellOfRoom, waitForBytes, waitForSpace } from "../vfs/splice.ts";
import { fdGet } from "./fd.ts";
import type { Task } from "./task.ts";

/** 0, or -EBADF where the descriptor is for neither direction: what is checked before the segments are. */
export function mayVmsplice(task: Task, fd: number): number {
  const file = fdGet(task, fd);
  return file === undefined || (file.mode & (FMODE_READ | FMODE_WRITE)) === 0 ? -EBADF : 0;
}

/** Bytes moved, or negative errno. Precondition: the segments have bytes, and lie in user space. */
export function sysVmsplice(
  mmu: Mmu,
  task: Task,
  fd: number,
  segments: readonly UserSegment[],
  flags: number,
): number {
  const file = fdGet(task, fd);
  const pipe = file === undefined ? undefined : pipeOf(file);
  if (file === undefined || pipe === undefined) return -EBADF;
  pipeClearNowait(file);
  const nonblock = (flags & SPLICE_F_NONBLOCK) !== 0;
  if ((file.mode & FMODE_WRITE) === 0) {
    const failed = waitForBytes(pipe, nonblock);
    if (failed !== 0) return failed;
    const taken = pipe.read(new UserIter(mmu, task, segments));
    tellOfRoom(pipe, taken);
    return taken;
  }
  const failed = waitForSpace(pipe, nonblock);
  if (failed !== 0) return failed;
  const added = vmspliceToPipe(mmu, task, pipe, segments);
  tellOfInput(pipe, added);
  return added;
}

/** Each page of the segments takes one buffer; so many of them are looked up at a time, whether there is room or not (iter_to_pipe). */
const BATCH_PAGES = 16;

function vmspliceToPipe(mmu: Mmu, task: Task, pipe: Pipe, segments: readonly UserSegment[]): number {
  if (pipe.readers === 0) return -EPIPE;
  let done = 0;
  for (const { base, len } of segments) {
    for (let at: number = base; at < base + len; ) {
      const first = pageAlignDown(at);
      const pages = Math.min(BATCH_PAGES, Math.ceil((base + len - first) / PAGE_SIZE));
      const pfns = getUserPagesFast(mmu, task, first, pages);
      let isFull = false;
      for (const pfn of pfns) {
        isFull ||= pipe.isFull;
        if (!isFull) {
          const offset = at & PAGE_OFFSET_MASK;
          const bytes = Math.min(PAGE_SIZE - offset, base + len - at);
          pipe.pushPage(pfn, offset, offset + bytes);
          at += bytes;
          done += bytes;
        }
        mmu.phys.putPage(pfn);
      }
      if (isFull || pfns.length === 0) return done > 0 ? done : -EFAULT;
    }
  }
  return done;
}
