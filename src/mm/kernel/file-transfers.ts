/**
 * The part of a process's system calls that makes room in files and moves bytes between files: fallocate, the vector calls,
 * sendfile, splice and their relatives, and the pipes that they need.
 *
 * An offset is a number, or null for the file's own position, which then moves on. Where a call would have to wait (a
 * pipe without bytes, or without room), it throws EAGAIN.
 */
import { UserIter } from "../fault/user-iter.ts";
import type { Vaddr } from "../page.ts";
import { sysCopyFileRange } from "../syscalls/copy-file-range.ts";
import { sysFallocate } from "../syscalls/file-size.ts";
import { sysFcntl, sysPipe2 } from "../syscalls/open.ts";
import { AT_POSITION, sysPreadv2, sysPwritev2 } from "../syscalls/read-write.ts";
import { SPLICE_F_ALL, spliceMayHaveOffsets, sysSendfile, sysSplice, sysTee } from "../syscalls/splice.ts";
import type { Task } from "../syscalls/task.ts";
import { mayVmsplice, sysVmsplice } from "../syscalls/vmsplice.ts";
import { EINVAL } from "../uapi/errno.ts";
import type { IovIter } from "../vfs/iov-iter.ts";
import { PartsIter } from "../vfs/parts-iter.ts";
import { integer, segmentsOf, u64 } from "./call-arguments.ts";
import { check, checkValue, LinuxError } from "./errors.ts";
import { MemoryCalls } from "./memory-calls.ts";

/** What a vector call fills or takes from, in order: byte arrays of the caller's, or ranges of the process's memory. */
export type IoVector = readonly Uint8Array[] | readonly (readonly [addr: Vaddr, length: number])[];

export abstract class FileTransfers extends MemoryCalls {
  /** pipe2(2): the reading and the writing descriptor of a new pipe. O_CLOEXEC, O_NONBLOCK. */
  pipe2(flags = 0): readonly [reading: number, writing: number] {
    return checkValue("pipe2", sysPipe2(this.caller("pipe2"), flags));
  }

  /** fcntl(2): F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_ADD_SEALS, F_GET_SEALS, F_GETPIPE_SZ. */
  fcntl(fd: number, command: number, arg = 0): number {
    return check("fcntl", sysFcntl(this.caller("fcntl"), fd, command, integer("fcntl", arg)));
  }

  /** fallocate(2): room for a range of the file, or (FALLOC_FL_…) the range emptied, cut out or pushed apart. */
  fallocate(fd: number, mode: number, offset: number, length: number): void {
    const [from, len] = [integer("fallocate", offset), integer("fallocate", length)];
    check("fallocate", sysFallocate(this.caller("fallocate"), fd, mode, from, len));
  }

  /** preadv2(2): reads into several buffers, with RWF_… flags for this transfer. Bytes, 0 at the end. */
  preadv2(fd: number, buffers: IoVector, offset: number | null, flags = 0): number {
    const task = this.caller("preadv2");
    const at = offset === null ? AT_POSITION : integer("preadv2", offset);
    return check("preadv2", sysPreadv2(task, fd, this.#iter("preadv2", task, buffers), at, flags));
  }

  /** pwritev2(2): writes from several buffers, with RWF_… flags for this transfer. Bytes. */
  pwritev2(fd: number, buffers: IoVector, offset: number | null, flags = 0): number {
    const task = this.caller("pwritev2");
    const at = offset === null ? AT_POSITION : integer("pwritev2", offset);
    return check("pwritev2", sysPwritev2(task, fd, this.#iter("pwritev2", task, buffers), at, flags));
  }

  /** sendfile(2): from a file, at `offset`, to a file or pipe, at its position. Bytes, 0 at the end of the source. */
  sendfile(outFd: number, inFd: number, offset: number | null, count: number): number {
    const [at, len] = [offsetOf("sendfile", offset), u64("sendfile", count)];
    return check("sendfile", sysSendfile(this.caller("sendfile"), outFd, inFd, at, len));
  }

  /** splice(2): between a pipe and a file, or two pipes. SPLICE_F_… flags. Bytes, 0 when nothing will come any more. */
  splice(
    inFd: number,
    inOffset: number | null,
    outFd: number,
    outOffset: number | null,
    length: number,
    flags = 0,
  ): number {
    const task = this.caller("splice");
    const len = u64("splice", length);
    if (len === 0) return 0;
    if ((flags & ~SPLICE_F_ALL) !== 0) throw new LinuxError("splice", EINVAL);
    check("splice", spliceMayHaveOffsets(task, inFd, inOffset !== null, outFd, outOffset !== null));
    const [from, to] = [offsetOf("splice", inOffset), offsetOf("splice", outOffset)];
    return check("splice", sysSplice(task, inFd, from, outFd, to, len, flags));
  }

  /** tee(2): what is in one pipe goes to the other as well. Bytes. */
  tee(inFd: number, outFd: number, length: number, flags = 0): number {
    return check("tee", sysTee(this.caller("tee"), inFd, outFd, u64("tee", length), flags));
  }

  /** vmsplice(2): pages of the process's memory into a pipe without copying them, or from a pipe into memory. Bytes. */
  vmsplice(fd: number, ranges: readonly (readonly [Vaddr, number])[], flags = 0): number {
    const task = this.caller("vmsplice");
    if ((flags & ~SPLICE_F_ALL) !== 0) throw new LinuxError("vmsplice", EINVAL);
    check("vmsplice", mayVmsplice(task, fd));
    const segments = segmentsOf("vmsplice", ranges);
    if (segments.every(({ len }) => len === 0)) return 0;
    return check("vmsplice", sysVmsplice(this.mmu, task, fd, segments, flags));
  }

  /** copy_file_range(2): between regular files of one file system. Bytes, 0 at the end of the source. */
  copy_file_range(
    inFd: number,
    inOffset: number | null,
    outFd: number,
    outOffset: number | null,
    length: number,
    flags = 0,
  ): number {
    const call = "copy_file_range";
    const [from, to] = [offsetOf(call, inOffset), offsetOf(call, outOffset)];
    return check(call, sysCopyFileRange(this.caller(call), inFd, from, outFd, to, u64(call, length), flags));
  }

  #iter(call: string, task: Task, buffers: IoVector): IovIter {
    return isBytes(buffers)
      ? new PartsIter(this.mmu.phys, buffers)
      : new UserIter(this.mmu, task, segmentsOf(call, buffers));
  }
}

function isBytes(buffers: IoVector): buffers is readonly Uint8Array[] {
  return buffers.length === 0 || buffers[0] instanceof Uint8Array;
}

function offsetOf(call: string, offset: number | null): { value: number } | null {
  return offset === null ? null : { value: integer(call, offset) };
}
