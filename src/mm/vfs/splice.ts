/**
 * Moving bytes between a pipe and a file, or between two pipes, without a buffer of the program's (fs/splice.c).
 *
 * ```
 *   file ── spliceRead ──▶ pipe ── splicePipeToFile ──▶ file        sendfile and copy_file_range do both, through a
 *                            └──── splicePipeToPipe ──▶ pipe        pipe that nobody else sees (spliceDirect)
 * ```
 *
 * What goes into the pipe are the file's pages themselves, not copies: a write to the file shows in the pipe until it is
 * read. Whoever would have to wait gets -ERESTART_WOULD_BLOCK, or -EAGAIN where it asked not to.
 */
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SIZE, type Pfn } from "../page.ts";
import { EAGAIN, EINTR, EINVAL, ENOMEM, EPIPE } from "../uapi/errno.ts";
import { POLL_IN, POLL_OUT } from "./fasync.ts";
import type { File } from "./file.ts";
import { PartsIter } from "./parts-iter.ts";
import { Pipe } from "./pipe.ts";
import { isSeekable, vfsIterWrite, type Writer } from "./read-write.ts";
import { ERESTART_WOULD_BLOCK } from "./would-block.ts";

/** 0 once the pipe has a free buffer; -EPIPE without readers: whoever runs the caller also sends it SIGPIPE. */
export function waitForSpace(pipe: Pipe, nonblock: boolean): number {
  if (pipe.readers === 0) return -EPIPE;
  return pipe.isFull ? wouldBlock(nonblock) : 0;
}

/** 0 once there is something to read, or never will be (ipipe_prep). */
export function waitForBytes(pipe: Pipe, nonblock: boolean): number {
  return pipe.isEmpty && pipe.writers > 0 ? wouldBlock(nonblock) : 0;
}

function wouldBlock(nonblock: boolean): number {
  return nonblock ? -EAGAIN : -ERESTART_WOULD_BLOCK;
}

/** Whom signals tell of room hears of what was taken out, and who of input of what came (wakeup_pipe_writers, _readers). */
export function tellOfRoom(pipe: Pipe, taken: number): void {
  if (taken > 0) pipe.asyncWriters.kill(POLL_OUT);
}
export function tellOfInput(pipe: Pipe, added: number): void {
  if (added > 0) pipe.asyncReaders.kill(POLL_IN);
}

/** File to pipe: as much as there is room for. Bytes, 0 at the end of the file, or negative errno. */
export function spliceFileToPipe(
  file: File,
  pos: number,
  pipe: Pipe,
  len: number,
  nonblock: boolean,
): number {
  const failed = waitForSpace(pipe, nonblock);
  if (failed !== 0 || len === 0) return failed;
  const moved = file.ops.spliceRead?.(file, pos, pipe, len) ?? -EINVAL;
  tellOfInput(pipe, moved);
  return moved;
}

/** Pipe to file: until `len` bytes are moved or the pipe is empty. Bytes, or negative errno where none was. */
export function splicePipeToFile(
  pipe: Pipe,
  file: File,
  pos: number,
  len: number,
  writer: Writer,
  nonblock: boolean,
): number {
  const { spliceWrite } = file.ops;
  if (spliceWrite === undefined) return -EINVAL;
  let done = 0;
  while (done < len && !pipe.isEmpty) {
    const parts = partsOf(pipe, len - done);
    const source = new PartsIter(pipe.phys, parts);
    const moved = spliceWrite === "discard" ? source.count : vfsIterWrite(file, source, pos + done, writer);
    if (moved <= 0) {
      tellOfRoom(pipe, done);
      return done > 0 ? done : moved;
    }
    pipe.consume(moved);
    done += moved;
  }
  tellOfRoom(pipe, done);
  return done > 0 || len === 0 ? done : waitForBytes(pipe, nonblock);
}

/** What the next `len` bytes of the pipe are. */
function partsOf(pipe: Pipe, len: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let left = len;
  for (const { bytes, start, end } of pipe.buffers()) {
    if (left === 0) break;
    const part = bytes.subarray(start, Math.min(end, start + left));
    parts.push(part);
    left -= part.length;
  }
  return parts;
}

/** Pipe to pipe: whole buffers change hands, of the last one perhaps a part (splice_pipe_to_pipe). */
export function splicePipeToPipe(from: Pipe, to: Pipe, len: number, nonblock: boolean): number {
  const failed = waitForBytes(from, nonblock) || waitUnlessEnded(from, to, nonblock);
  if (failed !== 0) return failed;
  let done = 0;
  while (done < len && !to.isFull) {
    const buffer = from.oldest;
    if (buffer === undefined) break;
    const size = buffer.end - buffer.start;
    if (size <= len - done) {
      to.takeBuffer(from);
      done += size;
    } else {
      const part = len - done;
      to.pushShared(buffer, part);
      from.consume(part);
      done = len;
    }
  }
  tellOfInput(to, done);
  tellOfRoom(from, done);
  return done;
}

/** tee(2): the pipe's bytes go to the other pipe as well, and stay (link_pipe). */
export function linkPipe(from: Pipe, to: Pipe, len: number, nonblock: boolean): number {
  const failed = waitForBytes(from, nonblock) || waitForSpace(to, nonblock);
  if (failed !== 0) return failed;
  let done = 0;
  for (const buffer of from.buffers()) {
    if (done === len || to.isFull) break;
    const part = Math.min(buffer.end - buffer.start, len - done);
    to.pushShared(buffer, part);
    done += part;
  }
  tellOfInput(to, done);
  return done;
}

function waitUnlessEnded(from: Pipe, to: Pipe, nonblock: boolean): number {
  if (to.readers === 0) return -EPIPE;
  // Nothing will come: there is nothing to wait for room for.
  return from.isEmpty ? 0 : waitForSpace(to, nonblock);
}

/**
 * File to file through a pipe of its own (splice_direct_to_actor): up to `len` bytes. Bytes written, or negative errno
 * where none was; neither file's position is looked at or moved.
 */
export function spliceDirect(
  source: File,
  sourcePos: number,
  target: File,
  targetPos: number,
  len: number,
  writer: Writer,
  phys: PhysicalMemory,
): number {
  if (!isSeekable(source)) return -EINVAL;
  const pipe = new Pipe(phys);
  pipe.readers = 1;
  let done = 0;
  let error = 0;
  while (done < len) {
    if (phys.fatalSignalPending()) {
      error = -EINTR;
      break;
    }
    const read =
      source.ops.spliceRead?.(source, sourcePos + done, pipe, Math.min(len - done, pipe.size)) ?? -EINVAL;
    if (read <= 0) {
      error = read;
      break;
    }
    const written = splicePipeToFile(pipe, target, targetPos + done, read, writer, /* nonblock */ true);
    if (written < 0) error = written;
    else done += written;
    if (written < read) break;
  }
  pipe.free();
  return done > 0 ? done : error;
}

/** For a file without pages of its own to show: reads into fresh frames (copy_splice_read). */
export function copySpliceRead(file: File, pos: number, pipe: Pipe, len: number): number {
  const { read } = file.ops;
  if (read === undefined) return -EINVAL;
  const { phys } = pipe;
  const wanted = Math.min(len, pipe.freeBuffers * PAGE_SIZE);
  const frames: Pfn[] = [];
  const parts: Uint8Array[] = [];
  for (let left = wanted; left > 0; left -= PAGE_SIZE) {
    const pfn = phys.allocPage();
    if (pfn === 0) break;
    const from = pfn * PAGE_SIZE;
    parts.push(phys.ram.u8.subarray(from, from + Math.min(left, PAGE_SIZE)));
    frames.push(pfn);
  }
  const got = wanted > 0 && frames.length === 0 ? -ENOMEM : read(file, new PartsIter(phys, parts), pos);
  for (const [i, pfn] of frames.entries()) {
    const end = Math.min(PAGE_SIZE, got - i * PAGE_SIZE);
    if (end > 0) pipe.pushPage(pfn, 0, end);
    phys.putPage(pfn);
  }
  return got;
}
