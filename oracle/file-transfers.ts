/**
 * Calls that move bytes from file to file, or to memory with flags, on both subjects. An offset of -1 stands for a null
 * pointer: the file's own position. What the offsets are afterwards is part of the outcome.
 */
import { UserIter, type UserSegment } from "../src/mm/fault/user-iter.ts";
import type { Process } from "../src/mm/kernel/process.ts";
import { mayCopyFileRange, sysCopyFileRange } from "../src/mm/syscalls/copy-file-range.ts";
import { mayTransfer, sysPreadv2, sysPwritev2 } from "../src/mm/syscalls/read-write.ts";
import {
  type FileOffset,
  SPLICE_F_ALL,
  spliceMayHaveOffsets,
  sysSendfile,
  sysSplice,
  sysTee,
} from "../src/mm/syscalls/splice.ts";
import { mayVmsplice, sysVmsplice } from "../src/mm/syscalls/vmsplice.ts";
import { EFAULT, EINVAL } from "../src/mm/uapi/errno.ts";
import { MAX_RW_COUNT } from "../src/mm/uapi/fcntl.ts";
import { X86_64 } from "../src/mm/vma/arch.ts";
import type { ExecutorFamily } from "./executor.ts";
import type { Outcome } from "./subject.ts";
import { NR } from "./system-call-numbers.ts";

/** Bytes of an offset. */
const WORD = 8;

const FILE_TRANSFERS = [
  "sendfile",
  "splice",
  "tee",
  "vmsplice",
  "copy_file_range",
  "preadv2",
  "pwritev2",
] as const;

export type FileTransfer = (typeof FILE_TRANSFERS)[number];

export function isFileTransfer(call: string): call is FileTransfer {
  return FILE_TRANSFERS.some((name) => name === call);
}

/** The call on the host. */
export function transferOnHost(
  family: ExecutorFamily,
  slot: number,
  call: FileTransfer,
  args: readonly number[],
): Outcome {
  switch (call) {
    case "tee":
      return { result: family.syscall(slot, NR.tee, args) };
    case "vmsplice": {
      const [fd, addr, length, flags, ...more] = args;
      const segments = family.putWords(slot, [addr, length, ...more]);
      return { result: family.syscall(slot, NR.vmsplice, [fd, segments, 1 + more.length / 2, flags]) };
    }
    case "preadv2":
    case "pwritev2": {
      const [fd, addr, length, offset, flags, ...more] = args;
      const segments = family.putWords(slot, [addr, length, ...more]);
      return {
        result: family.syscall(slot, NR[call], [fd, segments, 1 + more.length / 2, offset, 0, flags]),
      };
    }
    case "sendfile": {
      const [out, source, offset, count] = args;
      const at = family.putWords(slot, [offset, 0]);
      const result = family.syscall(slot, NR.sendfile, [out, source, offset === -1 ? 0 : at, count]);
      return { result, bytes: family.takeArgument(slot, 2 * WORD) };
    }
    default: {
      const [source, sourceOffset, out, outOffset, length, flags] = args;
      const at = family.putWords(slot, [sourceOffset, outOffset]);
      const from = sourceOffset === -1 ? 0 : at;
      const to = outOffset === -1 ? 0 : at + WORD;
      const result = family.syscall(slot, NR[call], [source, from, out, to, length, flags]);
      return { result, bytes: family.takeArgument(slot, 2 * WORD) };
    }
  }
}

/** The call on Faultline, with what the machine checks on the way to it. */
export function transferOnFaultline(task: Process, call: FileTransfer, args: readonly number[]): Outcome {
  switch (call) {
    case "tee":
      return { result: sysTee(task, args[0], args[1], args[2], args[3]) };
    case "vmsplice":
      return { result: fromMemory(task, args) };
    case "preadv2":
    case "pwritev2":
      return { result: vector(task, call, args) };
    case "sendfile": {
      const offset = offsetOf(args[2]);
      const result = sysSendfile(task, args[0], args[1], offset, args[3]);
      return { result, bytes: words(offset?.value ?? args[2], 0) };
    }
    default: {
      const [, sourceOffset, , outOffset] = args;
      const [from, to] = [offsetOf(sourceOffset), offsetOf(outOffset)];
      const result = call === "splice" ? splice(task, args, from, to) : copy(task, args, from, to);
      return { result, bytes: words(from?.value ?? sourceOffset, to?.value ?? outOffset) };
    }
  }
}

function vector(task: Process, call: "preadv2" | "pwritev2", args: readonly number[]): number {
  const [fd, addr, length, offset, flags, ...more] = args;
  if (offset < -1) return -EINVAL;
  const refused = mayTransfer(task, fd, offset, call === "preadv2" ? "read" : "write");
  if (refused !== 0) return refused;
  const segments = importedSegments(rangesOf([addr, length, ...more]));
  if (typeof segments === "number") return segments;
  if (segments.every(({ len }) => len === 0)) return 0;
  const iter = new UserIter(task.kernel.mmu, task, segments);
  return call === "preadv2"
    ? sysPreadv2(task, fd, iter, offset, flags)
    : sysPwritev2(task, fd, iter, offset, flags);
}

function fromMemory(task: Process, [fd, addr, length, flags, ...more]: readonly number[]): number {
  if ((flags & ~SPLICE_F_ALL) !== 0) return -EINVAL;
  const refused = mayVmsplice(task, fd);
  if (refused !== 0) return refused;
  const segments = importedSegments(rangesOf([addr, length, ...more]));
  if (typeof segments === "number") return segments;
  if (segments.every(({ len }) => len === 0)) return 0;
  return sysVmsplice(task.kernel.mmu, task, fd, segments, flags);
}

/** Pairs of address and length as segments. */
function rangesOf(words: readonly number[]): UserSegment[] {
  const ranges: UserSegment[] = [];
  for (let at = 0; at < words.length; at += 2) ranges.push({ base: words[at], len: words[at + 1] });
  return ranges;
}

function splice(
  task: Process,
  [source, , out, , length, flags]: readonly number[],
  from: FileOffset | null,
  to: FileOffset | null,
): number {
  if (length === 0) return 0;
  if ((flags & ~SPLICE_F_ALL) !== 0) return -EINVAL;
  const refused = spliceMayHaveOffsets(task, source, from !== null, out, to !== null);
  return refused !== 0 ? refused : sysSplice(task, source, from, out, to, length, flags);
}

function copy(
  task: Process,
  [source, , out, , length, flags]: readonly number[],
  from: FileOffset | null,
  to: FileOffset | null,
): number {
  const refused = mayCopyFileRange(task, source, out);
  return refused !== 0 ? refused : sysCopyFileRange(task, source, from, out, to, length, flags);
}

/**
 * Segments as they come out of the kernel's import of a program's iovec: no more than MAX_RW_COUNT in all; the length of
 * one alone is cut before its place is looked at, that of one of several after. Or -EFAULT, or -EINVAL for one of 2^63 bytes.
 */
export function importedSegments(segments: readonly UserSegment[]): UserSegment[] | number {
  if (segments.some(({ len }) => len >= 2 ** 63)) return -EINVAL;
  let left = MAX_RW_COUNT;
  const taken: UserSegment[] = [];
  for (const { base, len } of segments) {
    const cut = Math.min(len, left);
    if (base + (segments.length > 1 ? len : cut) > X86_64.taskSize) return -EFAULT;
    taken.push({ base, len: cut });
    left -= cut;
  }
  return taken;
}

function offsetOf(offset: number): FileOffset | null {
  return offset === -1 ? null : { value: offset };
}

function words(...values: readonly number[]): Uint8Array {
  return new Uint8Array(new BigInt64Array(values.map((value) => BigInt(value))).buffer);
}
