/**
 * read, write and their relatives: bytes between a file and the caller's memory.
 *
 * A file that can't go on (an empty pipe, a terminal without input) answers ERESTART_WOULD_BLOCK; here that becomes
 * waiting. A write that has to wait in the middle remembers how far it came: a blocking write is done when all of it
 * is, and a signal ends it with what was written so far.
 */
import type { UserSegment } from "../../mm/fault/user-iter.ts";
import { fdGet } from "../../mm/syscalls/fd.ts";
import { AT_POSITION, mayTransfer, sysLseek, sysPreadv2, sysPwritev2 } from "../../mm/syscalls/read-write.ts";
import { EAGAIN, EFBIG, EINVAL, EPIPE } from "../../mm/uapi/errno.ts";
import { O_NONBLOCK } from "../../mm/uapi/fcntl.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, RWF_NOSIGNAL, RWF_NOWAIT } from "../../mm/uapi/fs.ts";
import { RLIM_INFINITY, RLIMIT_FSIZE } from "../../mm/uapi/mman.ts";
import type { File } from "../../mm/vfs/file.ts";
import { ERESTART_WOULD_BLOCK } from "../../mm/vfs/would-block.ts";
import { MSG_DONTWAIT, MSG_EOR, MSG_NOSIGNAL, SOCK_SEQPACKET } from "../net/constants.ts";
import { socketOf } from "../net/socket.ts";
import { SIGPIPE, SIGXFSZ } from "../signals/signal-numbers.ts";
import { ttyFileOf } from "../tty/terminals.ts";
import type { Call, SyscallGroup } from "./call.ts";
import { comesFromOutside } from "./from-outside.ts";
import { ERESTARTSYS } from "./restart.ts";
import { NOTHING_ENCLOSED, receiveOn, sendOn } from "./socket-transfer.ts";
import { holdWrite, readTerminal } from "./terminal-read.ts";
import { cut, sendToCaller } from "./transfer-pieces.ts";

/** A pipe or stream is given this much at a time, so that a huge write waits for its reader. */
const STREAM_CHUNK = 65536;

export const transferCalls: SyscallGroup = [
  [62, "lseek", 3, (call) => sysLseek(call.process, call.s32(0), call.s64(1), call.u32(2))],
  [63, "read", 3, (call) => read(call, call.buffer(1, call.u64(2)), AT_POSITION, 0)],
  [64, "write", 3, (call) => write(call, call.buffer(1, call.u64(2)), AT_POSITION, 0)],
  [65, "readv", 3, (call) => withVector(call, "read", AT_POSITION, 0)],
  [66, "writev", 3, (call) => withVector(call, "write", AT_POSITION, 0)],
  [67, "pread64", 4, (call) => atOffset(call, (pos) => read(call, call.buffer(1, call.u64(2)), pos, 0))],
  [68, "pwrite64", 4, (call) => atOffset(call, (pos) => write(call, call.buffer(1, call.u64(2)), pos, 0))],
  [69, "preadv", 4, (call) => atOffset(call, (pos) => withVector(call, "read", pos, 0))],
  [70, "pwritev", 4, (call) => atOffset(call, (pos) => withVector(call, "write", pos, 0))],
  [286, "preadv2", 6, (call) => withFlags(call, "read")],
  [287, "pwritev2", 6, (call) => withFlags(call, "write")],
];

type Direction = "read" | "write";

function atOffset(call: Call, transfer: (pos: number) => number): number {
  const pos = call.s64(3);
  return pos < 0 ? -EINVAL : transfer(pos);
}

/** Argument 4 would be the offset's high half, which 64 bits don't need; 5 are the flags. */
function withFlags(call: Call, direction: Direction): number {
  const pos = call.s64(3);
  return pos < AT_POSITION ? -EINVAL : withVector(call, direction, pos, call.u32(5));
}

/** The file comes first, then the segments, and flags only where there is something to move. */
function withVector(call: Call, direction: Direction, pos: number, flags: number): number {
  const refused = mayTransfer(call.process, call.s32(0), pos, direction);
  if (refused !== 0) return refused;
  const segments = call.importVector(1);
  if (typeof segments === "number") return segments;
  if (segments.every(({ len }) => len === 0)) return 0;
  return direction === "read" ? read(call, segments, pos, flags) : write(call, segments, pos, flags);
}

function read(call: Call, segments: readonly UserSegment[], pos: number, flags: number): number {
  const fd = call.s32(0);
  const opened = fdGet(call.process, fd);
  const socket = opened === undefined || pos !== AT_POSITION ? undefined : socketOf(opened);
  if (opened !== undefined && socket !== undefined) {
    if (segments.every(({ len }) => len === 0)) return 0;
    return receiveOn(call, opened, socket, segments, (flags & RWF_NOWAIT) === 0 ? 0 : MSG_DONTWAIT);
  }
  const terminal = opened === undefined || pos !== AT_POSITION ? undefined : ttyFileOf(opened);
  if (opened !== undefined && terminal !== undefined) return readTerminal(call, opened, terminal, segments);
  const bytes = sysPreadv2(call.process, fd, call.iter(segments), pos, flags);
  if (bytes !== -ERESTART_WOULD_BLOCK) return bytes;
  const file = call.process.files.get(fd);
  if (file === undefined || (file.flags & O_NONBLOCK) !== 0) return -EAGAIN;
  return waitFor(call, file, POLLIN | POLLHUP | POLLERR, -ERESTARTSYS, undefined);
}

function write(call: Call, segments: readonly UserSegment[], pos: number, flags: number): number {
  const fd = call.s32(0);
  const file = fdGet(call.process, fd);
  const socket = file === undefined || pos !== AT_POSITION ? undefined : socketOf(file);
  if (file !== undefined && socket !== undefined) {
    const ends = socket.type === SOCK_SEQPACKET ? MSG_EOR : 0;
    const silent = (flags & RWF_NOSIGNAL) === 0 ? 0 : MSG_NOSIGNAL;
    return sendOn(call, file, socket, segments, ends | silent, NOTHING_ENCLOSED);
  }
  if (file?.ops.isStream === true && pos === AT_POSITION) return writeStream(call, fd, file, segments, flags);
  return signalTooLarge(call, sysPwritev2(call.process, fd, call.iter(segments), pos, flags));
}

function writeStream(
  call: Call,
  fd: number,
  file: File,
  segments: readonly UserSegment[],
  flags: number,
): number {
  const terminal = ttyFileOf(file);
  let done = typeof call.thread.callState === "number" ? call.thread.callState : 0;
  const held = terminal === undefined ? undefined : holdWrite(call, terminal, done);
  if (held !== undefined) return held;
  const total = segments.reduce((sum, segment) => sum + segment.len, 0);
  do {
    const piece = cut(segments, done, STREAM_CHUNK);
    const bytes = sysPwritev2(call.process, fd, call.iter(piece), AT_POSITION, flags);
    if (bytes === -ERESTART_WOULD_BLOCK && (file.flags & O_NONBLOCK) === 0) {
      return waitFor(call, file, POLLOUT | POLLERR, done > 0 ? done : -ERESTARTSYS, done);
    }
    if (bytes === -EPIPE && (flags & RWF_NOSIGNAL) === 0) sendToCaller(call, SIGPIPE);
    if (bytes < 0) return done > 0 ? done : bytes === -ERESTART_WOULD_BLOCK ? -EAGAIN : bytes;
    done += bytes;
    if (bytes === 0) break;
  } while (done < total);
  return done;
}

/** Puts the caller to wait until the file is ready in one of the ways `events`. */
export function waitFor(call: Call, file: File, events: number, interrupted: number, state: unknown): number {
  const before = file.ops.changes?.(file);
  const isReady = (): boolean =>
    ((file.ops.poll?.(file) ?? events) & events) !== 0 &&
    (before === undefined || file.ops.changes?.(file) !== before);
  const isForInput = comesFromOutside(call.system, file);
  return call.block({ isReady, deadlineNs: Number.POSITIVE_INFINITY, interrupted, isForInput }, state);
}

/** What RLIMIT_FSIZE forbids also sends SIGXFSZ, to a call that has moved something before, too. */
export function signalTooLarge(call: Call, result: number): number {
  const { process } = call;
  const isTooLarge = result === -EFBIG && process.rlimits[RLIMIT_FSIZE].soft !== RLIM_INFINITY;
  if (isTooLarge || process.metFileSizeLimit) sendToCaller(call, SIGXFSZ);
  process.metFileSizeLimit = false;
  return result;
}
