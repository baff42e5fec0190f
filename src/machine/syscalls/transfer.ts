/**
 * read, write and their relatives: bytes between a file and the caller's memory.
 *
 * A file that can't go on (an empty pipe, a terminal without input) answers ERESTART_WOULD_BLOCK; here that becomes
 * waiting. A write that has to wait in the middle remembers how far it came: a blocking write is done when all of it
 * is, and a signal ends it with what was written so far.
 */
import type { UserSegment } from "../../mm/fault/user-iter.ts";
import { sysLseek, sysPread64, sysPwrite64, sysRead, sysWrite } from "../../mm/syscalls/read-write.ts";
import { EAGAIN, EFBIG, EINVAL, EPIPE } from "../../mm/uapi/errno.ts";
import { O_NONBLOCK } from "../../mm/uapi/fcntl.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from "../../mm/uapi/fs.ts";
import { RLIM_INFINITY, RLIMIT_FSIZE } from "../../mm/uapi/mman.ts";
import type { File } from "../../mm/vfs/file.ts";
import { ERESTART_WOULD_BLOCK } from "../../mm/vfs/would-block.ts";
import { sendSignal } from "../signals/send-signal.ts";
import { userInfo } from "../signals/siginfo.ts";
import { SI_USER, SIGPIPE, SIGXFSZ } from "../signals/signal-numbers.ts";
import type { Call, SyscallGroup } from "./call.ts";
import { ERESTARTSYS } from "./restart.ts";

/** A pipe or stream is given this much at a time, so that a huge write waits for its reader. */
const STREAM_CHUNK = 65536;

export const transferCalls: SyscallGroup = [
  [62, "lseek", 3, (call) => sysLseek(call.process, call.s32(0), call.s64(1), call.u32(2))],
  [63, "read", 3, (call) => read(call, call.buffer(1, call.u64(2)))],
  [64, "write", 3, (call) => write(call, call.buffer(1, call.u64(2)))],
  [65, "readv", 3, (call) => withVector(call, (segments) => read(call, segments))],
  [66, "writev", 3, (call) => withVector(call, (segments) => write(call, segments))],
  [67, "pread64", 4, (call) => readAt(call, call.buffer(1, call.u64(2)))],
  [68, "pwrite64", 4, (call) => writeAt(call, call.buffer(1, call.u64(2)))],
  [69, "preadv", 4, (call) => withVector(call, (segments) => readAt(call, segments))],
  [70, "pwritev", 4, (call) => withVector(call, (segments) => writeAt(call, segments))],
];

function withVector(call: Call, transfer: (segments: UserSegment[]) => number): number {
  const segments = call.vector(1);
  return typeof segments === "number" ? segments : transfer(segments);
}

function read(call: Call, segments: readonly UserSegment[]): number {
  const fd = call.s32(0);
  const bytes = sysRead(call.process, fd, call.iter(segments));
  if (bytes !== -ERESTART_WOULD_BLOCK) return bytes;
  const file = call.process.files.get(fd);
  if (file === undefined || (file.flags & O_NONBLOCK) !== 0) return -EAGAIN;
  return waitFor(call, file, POLLIN | POLLHUP | POLLERR, -ERESTARTSYS, undefined);
}

function readAt(call: Call, segments: readonly UserSegment[]): number {
  const pos = call.s64(3);
  return pos < 0 ? -EINVAL : sysPread64(call.process, call.s32(0), call.iter(segments), pos);
}

function writeAt(call: Call, segments: readonly UserSegment[]): number {
  const pos = call.s64(3);
  if (pos < 0) return -EINVAL;
  return signalTooLarge(call, sysPwrite64(call.process, call.s32(0), call.iter(segments), pos));
}

function write(call: Call, segments: readonly UserSegment[]): number {
  const fd = call.s32(0);
  const file = call.process.files.get(fd);
  if (file?.ops.isStream === true) return writeStream(call, fd, file, segments);
  return signalTooLarge(call, sysWrite(call.process, fd, call.iter(segments)));
}

function writeStream(call: Call, fd: number, file: File, segments: readonly UserSegment[]): number {
  const total = segments.reduce((sum, segment) => sum + segment.len, 0);
  let done = typeof call.thread.callState === "number" ? call.thread.callState : 0;
  do {
    const piece = cut(segments, done, STREAM_CHUNK);
    const bytes = sysWrite(call.process, fd, call.iter(piece));
    if (bytes === -ERESTART_WOULD_BLOCK && (file.flags & O_NONBLOCK) === 0) {
      return waitFor(call, file, POLLOUT | POLLERR, done > 0 ? done : -ERESTARTSYS, done);
    }
    if (bytes === -EPIPE) sendToCaller(call, SIGPIPE);
    if (bytes < 0) return done > 0 ? done : bytes === -ERESTART_WOULD_BLOCK ? -EAGAIN : bytes;
    done += bytes;
    if (bytes === 0) break;
  } while (done < total);
  return done;
}

/** Up to `length` bytes of the segments from byte `from` on. */
function cut(segments: readonly UserSegment[], from: number, length: number): UserSegment[] {
  const piece: UserSegment[] = [];
  let skip = from;
  let room = length;
  for (const { base, len } of segments) {
    const skipped = Math.min(skip, len);
    const taken = Math.min(room, len - skipped);
    if (taken > 0) piece.push({ base: base + skipped, len: taken });
    skip -= skipped;
    room -= taken;
  }
  return piece;
}

/** Puts the caller to wait until the file is ready in one of the ways `events`. */
function waitFor(call: Call, file: File, events: number, interrupted: number, state: unknown): number {
  const isReady = (): boolean => ((file.ops.poll?.(file) ?? events) & events) !== 0;
  const isForInput = call.system.streams.has(file.inode);
  return call.block({ isReady, deadlineNs: Number.POSITIVE_INFINITY, interrupted, isForInput }, state);
}

/** A write that RLIMIT_FSIZE forbids also sends SIGXFSZ. */
export function signalTooLarge(call: Call, result: number): number {
  if (result === -EFBIG && call.process.rlimits[RLIMIT_FSIZE].soft !== RLIM_INFINITY)
    sendToCaller(call, SIGXFSZ);
  return result;
}

/** send_sig(signal, current, 0). */
function sendToCaller(call: Call, signal: number): void {
  const { thread, process } = call;
  sendSignal(thread.group, userInfo(signal, SI_USER, process.pid, process.uid), thread);
}
