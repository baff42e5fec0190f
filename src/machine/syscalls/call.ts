/**
 * One system call being served: its arguments, and the caller's memory.
 *
 * Its caller never changes: what a waiting call leaves behind (a Wait's functions) runs while others make calls, and
 * must go on to mean the one that waits. The arguments are no such thing: they are the hart's registers, and belong to
 * somebody else by then.
 *
 * On riscv64 the number is in a7, the arguments in a0 … a5, the answer in a0: a count or address, or a negative
 * errno. Each argument is read as what it is in C: an int is the low half of its register, sign-extended; an address
 * or size is 64 bits, see abi/bytes.ts.
 */
import { copyFromUser, copyToUser, readUserString } from "../../mm/fault/uaccess.ts";
import { UserIter, type UserSegment } from "../../mm/fault/user-iter.ts";
import type { Process } from "../../mm/kernel/process.ts";
import { EFAULT, EINVAL, ENAMETOOLONG, ENOENT } from "../../mm/uapi/errno.ts";
import { MAX_RW_COUNT, PATH_MAX } from "../../mm/uapi/fcntl.ts";
import { StructView, s64FromHalves, u64FromHalves } from "../abi/bytes.ts";
import { IOVEC_BYTES, UIO_MAXIOV } from "../abi/structs.ts";
import type { System } from "../system.ts";
import type { Thread, Wait } from "../thread.ts";

const A0 = 10;

/** What a handler answers when its thread was put to wait: nothing is written to a0, and the pc stays at the call. */
export const BLOCKED: number = Number.MIN_SAFE_INTEGER;
/** What a handler answers that has set all registers itself (rt_sigreturn, execve), the pc included. */
export const REGISTERS_SET: number = Number.MIN_SAFE_INTEGER + 1;

export class Call {
  readonly system: System;
  /** The caller. */
  readonly thread: Thread;

  constructor(system: System, thread: Thread) {
    this.system = system;
    this.thread = thread;
  }

  get process(): Process {
    return this.thread.group.process;
  }

  /** Argument i as an int, an unsigned int, a long, an unsigned long or pointer. */
  s32(i: number): number {
    return this.system.hart.getXLo(A0 + i) | 0;
  }
  u32(i: number): number {
    return this.system.hart.getXLo(A0 + i) >>> 0;
  }
  s64(i: number): number {
    return s64FromHalves(this.system.hart.getXLo(A0 + i), this.system.hart.getXHi(A0 + i));
  }
  u64(i: number): number {
    return u64FromHalves(this.system.hart.getXLo(A0 + i), this.system.hart.getXHi(A0 + i));
  }

  /** Copies a structure out; 0 or -EFAULT. */
  put(addr: number, bytes: Uint8Array): number {
    return copyToUser(this.system.mmu, this.process, addr, bytes) < bytes.length ? -EFAULT : 0;
  }

  /** Copies a structure out unless the pointer is null. */
  putIfWanted(addr: number, bytes: () => Uint8Array): number {
    return addr === 0 ? 0 : this.put(addr, bytes());
  }

  /** Copies a structure in; undefined stands for EFAULT. */
  get(addr: number, length: number): StructView | undefined {
    const bytes = new Uint8Array(length);
    if (copyFromUser(this.system.mmu, this.process, addr, bytes) < length) return undefined;
    return new StructView(bytes);
  }

  /** The path at argument i, which may be "" (getname with LOOKUP_EMPTY); or negative errno. */
  path(i: number): string | number {
    return readUserString(this.system.mmu, this.process, this.u64(i), PATH_MAX);
  }

  /** The path at argument i, which must have a character (getname). */
  pathNotEmpty(i: number): string | number {
    const path = this.path(i);
    return path === "" ? -ENOENT : path;
  }

  /** A string of at most `max` bytes with its NUL; a longer one is `tooLong`. */
  text(addr: number, max: number, tooLong: number): string | number {
    const text = readUserString(this.system.mmu, this.process, addr, max);
    return text === -ENAMETOOLONG ? tooLong : text;
  }

  /** One buffer as the segments of a transfer. */
  buffer(i: number, length: number): UserSegment[] {
    return [{ base: this.u64(i), len: length }];
  }

  /** The segments that argument i points to and i + 1 counts, as they stand there (iovec_from_user); or negative errno. */
  vector(i: number, count: number = this.u64(i + 1)): UserSegment[] | number {
    if (count > UIO_MAXIOV) return -EINVAL;
    const raw = this.get(this.u64(i), count * IOVEC_BYTES);
    if (raw === undefined) return -EFAULT;
    const segments: UserSegment[] = [];
    for (let at = 0; at < count * IOVEC_BYTES; at += IOVEC_BYTES) {
      // A length with its top bit set is negative to Linux.
      if (raw.s64(at + 8) < 0) return -EINVAL;
      segments.push({ base: raw.u64(at), len: raw.u64(at + 8) });
    }
    return segments;
  }

  /**
   * The segments of a transfer, no more in all than one transfer moves (import_iovec). -EFAULT when one does not lie in
   * user space: a single one is cut before it is looked at, several are cut as they are looked at. Of their number, which is a
   * word, Linux hands on 32 bits.
   */
  importVector(i: number): UserSegment[] | number {
    const segments = this.vector(i, this.u32(i + 1));
    if (typeof segments === "number") return segments;
    const { taskSize } = this.process.mm.arch;
    let room = MAX_RW_COUNT;
    const imported: UserSegment[] = [];
    for (const { base, len } of segments) {
      const cut = Math.min(len, room);
      if (base + (segments.length === 1 ? cut : len) > taskSize) return -EFAULT;
      imported.push({ base, len: cut });
      room -= cut;
    }
    return imported;
  }

  iter(segments: readonly UserSegment[]): UserIter {
    return new UserIter(this.system.mmu, this.process, segments);
  }

  /** What it is going to wait for is a time of day. */
  isByTimeOfDay = false;

  /** Puts the caller to wait; the call is made again when the wait is over. What it has to remember goes to `state`. */
  block(wait: Wait, state?: unknown): number {
    if (this.isByTimeOfDay) wait.isByTimeOfDay = true;
    this.thread.wait = wait;
    this.thread.callState = state;
    return BLOCKED;
  }
}

/** A system call: negative errno, answer, BLOCKED or REGISTERS_SET. */
export type Handler = (call: Call) => number;

/** Name, number of arguments (for the trace), and what it does. */
export interface SyscallEntry {
  readonly name: string;
  readonly args: number;
  readonly handler: Handler;
}

/** Entries by number. */
export type SyscallGroup = readonly (readonly [nr: number, name: string, args: number, handler: Handler])[];
