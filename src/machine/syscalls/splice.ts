/** sendfile, splice, tee, vmsplice and copy_file_range: bytes from file to file, which the caller's memory never sees. */
import { mayCopyFileRange, sysCopyFileRange } from "../../mm/syscalls/copy-file-range.ts";
import {
  type FileOffset,
  SPLICE_F_ALL,
  spliceMayHaveOffsets,
  sysSendfile,
  sysSplice,
  sysTee,
} from "../../mm/syscalls/splice.ts";
import { mayVmsplice, sysVmsplice } from "../../mm/syscalls/vmsplice.ts";
import { EFAULT, EINVAL, EPIPE } from "../../mm/uapi/errno.ts";
import { MAX_RW_COUNT, O_NONBLOCK } from "../../mm/uapi/fcntl.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from "../../mm/uapi/fs.ts";
import { type File, FMODE_WRITE } from "../../mm/vfs/file.ts";
import { pipeOf } from "../../mm/vfs/pipe-file.ts";
import { ERESTART_WOULD_BLOCK } from "../../mm/vfs/would-block.ts";
import { StructView } from "../abi/bytes.ts";
import { SIGPIPE } from "../signals/signal-numbers.ts";
import { BLOCKED, type Call, type SyscallGroup } from "./call.ts";
import { ERESTARTSYS } from "./restart.ts";
import { signalTooLarge, waitFor } from "./transfer.ts";
import { sendToCaller } from "./transfer-pieces.ts";

export const spliceCalls: SyscallGroup = [
  [71, "sendfile", 4, sendfile],
  [75, "vmsplice", 4, vmsplice],
  [76, "splice", 6, splice],
  [
    77,
    "tee",
    4,
    (call) => finish(call, 0, 1, sysTee(call.process, call.s32(0), call.s32(1), call.u64(2), call.u32(3))),
  ],
  [285, "copy_file_range", 6, copyFileRange],
];

/** The offset that argument i points to, null for a null pointer; undefined stands for EFAULT. */
function offsetAt(call: Call, i: number): FileOffset | null | undefined {
  if (call.u64(i) === 0) return null;
  const raw = call.get(call.u64(i), 8);
  return raw === undefined ? undefined : { value: raw.s64(0) };
}

/** The result, or -EFAULT where the offset can't be stored. */
function putOffset(call: Call, i: number, offset: FileOffset | null, result: number): number {
  if (offset === null) return result;
  return call.put(call.u64(i), new StructView(8).put64(0, offset.value).bytes) < 0 ? -EFAULT : result;
}

/** A pipe that broke sends SIGPIPE; a call that can't go on waits for its source (argument `from`) or its target. */
function finish(call: Call, from: number, to: number, result: number): number {
  if (result === -EPIPE) sendToCaller(call, SIGPIPE);
  if (result !== -ERESTART_WOULD_BLOCK) return signalTooLarge(call, result);
  const source = call.process.files.get(call.s32(from));
  const target = call.process.files.get(call.s32(to));
  const isEmpty = source?.ops.isStream === true && ((source.ops.poll?.(source) ?? POLLIN) & POLLIN) === 0;
  const file = isEmpty ? source : target;
  return file === undefined ? -EINVAL : waitForEnd(call, file, isEmpty);
}

/** Until there is something to read from it, or room to write. */
function waitForEnd(call: Call, file: File, isSource: boolean): number {
  const events = isSource ? POLLIN | POLLHUP : POLLOUT | POLLERR;
  return waitFor(call, file, events, -ERESTARTSYS, undefined);
}

/** To a pipe as much as there is room for; to all else that may be waited for, all of it. */
function sendfile(call: Call): number {
  const offset = offsetAt(call, 2);
  if (offset === undefined) return -EFAULT;
  const { process, thread } = call;
  const count = call.u64(3);
  const most = Math.min(count, MAX_RW_COUNT);
  let done = typeof thread.callState === "number" ? thread.callState : 0;
  if (offset !== null) offset.value += done;
  const target = process.files.get(call.s32(0));
  const goesOn = target !== undefined && (target.flags & O_NONBLOCK) === 0 && pipeOf(target) === undefined;
  for (;;) {
    const sent = sysSendfile(process, call.s32(0), call.s32(1), offset, done === 0 ? count : most - done);
    if (sent === -EPIPE) sendToCaller(call, SIGPIPE);
    if (sent > 0) done += sent;
    if (sent > 0 && goesOn && done < most) continue;
    if (done > 0 && sent === -ERESTART_WOULD_BLOCK && goesOn) {
      const blocked = waitFor(call, target, POLLOUT | POLLERR, done, done);
      if (thread.wait !== undefined) thread.wait.onInterrupt = () => void putOffset(call, 2, offset, done);
      return blocked;
    }
    if (done > 0) return putOffset(call, 2, offset, signalTooLarge(call, done));
    const result = sent === -EPIPE ? sent : finish(call, 1, 0, sent);
    return result === BLOCKED ? result : putOffset(call, 2, offset, result);
  }
}

function splice(call: Call): number {
  const { process } = call;
  const [inFd, outFd, len, flags] = [call.s32(0), call.s32(2), call.u64(4), call.u32(5)];
  if (len === 0) return 0;
  if ((flags & ~SPLICE_F_ALL) !== 0) return -EINVAL;
  const refused = spliceMayHaveOffsets(process, inFd, call.u64(1) !== 0, outFd, call.u64(3) !== 0);
  if (refused !== 0) return refused;
  const outOffset = offsetAt(call, 3);
  const inOffset = outOffset === undefined ? undefined : offsetAt(call, 1);
  if (outOffset === undefined || inOffset === undefined) return -EFAULT;
  const moved = sysSplice(process, inFd, inOffset, outFd, outOffset, len, flags);
  if (moved < 0) return finish(call, 0, 2, moved);
  return putOffset(call, 1, inOffset, putOffset(call, 3, outOffset, signalTooLarge(call, moved)));
}

function vmsplice(call: Call): number {
  const { process, system } = call;
  const [fd, flags] = [call.s32(0), call.u32(3)];
  if ((flags & ~SPLICE_F_ALL) !== 0) return -EINVAL;
  const refused = mayVmsplice(process, fd);
  if (refused !== 0) return refused;
  const segments = call.importVector(1);
  if (typeof segments === "number") return segments;
  if (segments.every(({ len }) => len === 0)) return 0;
  const moved = sysVmsplice(system.mmu, process, fd, segments, flags);
  const file = process.files.get(fd);
  if (moved !== -ERESTART_WOULD_BLOCK || file === undefined) return finish(call, 0, 0, moved);
  return waitForEnd(call, file, (file.mode & FMODE_WRITE) === 0);
}

function copyFileRange(call: Call): number {
  const { process } = call;
  const [inFd, outFd] = [call.s32(0), call.s32(2)];
  const refused = mayCopyFileRange(process, inFd, outFd);
  if (refused !== 0) return refused;
  const inOffset = offsetAt(call, 1);
  const outOffset = inOffset === undefined ? undefined : offsetAt(call, 3);
  if (inOffset === undefined || outOffset === undefined) return -EFAULT;
  const copied = sysCopyFileRange(process, inFd, inOffset, outFd, outOffset, call.u64(4), call.u32(5));
  if (copied <= 0) return signalTooLarge(call, copied);
  return putOffset(call, 3, outOffset, putOffset(call, 1, inOffset, copied));
}
