/**
 * signalfd (fs/signalfd.c): signals that are read from a descriptor instead of being delivered. The file has a set of
 * signals and nothing else: each reader takes its own, and those of its process.
 *
 * ```
 *   struct signalfd_siginfo, 128 bytes:
 *     0 signo   4 errno   8 code   12 pid   16 uid   20 fd   24 tid   28 band   32 overrun   36 trapno   40 status
 *    44 int    48 ptr    56 utime  64 stime 72 addr  80 addr_lsb      … zero
 * ```
 */
import { EAGAIN, EFAULT, EINVAL } from "../../mm/uapi/errno.ts";
import { O_NONBLOCK } from "../../mm/uapi/fcntl.ts";
import { POLLIN } from "../../mm/uapi/fs.ts";
import type { File, FileOperations } from "../../mm/vfs/file.ts";
import type { IovIter } from "../../mm/vfs/iov-iter.ts";
import type { MountNamespace } from "../../mm/vfs/mount.ts";
import { PollQueue } from "../../mm/vfs/poll-queue.ts";
import { noopLlseek } from "../../mm/vfs/read-write.ts";
import { ERESTART_WOULD_BLOCK } from "../../mm/vfs/would-block.ts";
import { StructView } from "../abi/bytes.ts";
import { dequeueSignal, hasSignal } from "../signals/dequeue-signal.ts";
import type { SigInfo } from "../signals/siginfo.ts";
import {
  SI_TIMER,
  SI_USER,
  SIGBUS,
  SIGCHLD,
  SIGFPE,
  SIGILL,
  SIGSEGV,
  SIGTRAP,
} from "../signals/signal-numbers.ts";
import type { SigSet } from "../signals/sigset.ts";
import type { System } from "../system.ts";
import type { Thread } from "../thread.ts";
import { newAnonymousFile } from "./anonymous-file.ts";

const SIGINFO_BYTES = 128;
/** From here on si_code says that the kernel sent it, and what it tells depends on the signal. */
const FAULTS: ReadonlySet<number> = new Set([SIGILL, SIGBUS, SIGFPE, SIGSEGV, SIGTRAP]);

class SignalMask {
  readonly system: System;
  set: SigSet;

  constructor(system: System, set: SigSet) {
    this.system = system;
    this.set = set;
  }

  /** Who reads or asks. */
  get reader(): Thread | undefined {
    return this.system.current ?? this.system.asked;
  }
}

function maskOf(file: File): SignalMask {
  if (!(file.data instanceof SignalMask)) throw new TypeError("maskOf: not a signalfd");
  return file.data;
}

/** Gives a signalfd another set; false where the file is none. */
export function setSignalMask(file: File, set: SigSet): boolean {
  if (!(file.data instanceof SignalMask)) return false;
  file.data.set = set;
  return true;
}

function read(file: File, to: IovIter): number {
  const mask = maskOf(file);
  const { reader } = mask;
  if (to.count < SIGINFO_BYTES || reader === undefined) return -EINVAL;
  let done = 0;
  while (to.count >= SIGINFO_BYTES) {
    const info = dequeueSignal(mask.system, reader, mask.set);
    if (info === undefined) break;
    if (to.copyBytesToIter(encode(info)) < SIGINFO_BYTES) return done > 0 ? done : -EFAULT;
    done += SIGINFO_BYTES;
  }
  if (done > 0) return done;
  return (file.flags & O_NONBLOCK) !== 0 ? -EAGAIN : -ERESTART_WOULD_BLOCK;
}

/** signalfd_copyinfo */
function encode({ bytes, signal, code }: SigInfo): Uint8Array {
  const from = new StructView(bytes);
  const out = new StructView(SIGINFO_BYTES).put32(0, signal).put32(4, from.s32(4)).put32(8, code);
  if (code > SI_USER && FAULTS.has(signal)) return out.putHalves(72, from.u32(16), from.u32(20)).bytes;
  if (code === SI_TIMER) {
    out.put32(24, from.s32(16)).put32(32, from.s32(20));
    return out.put32(44, from.s32(24)).putHalves(48, from.u32(24), from.u32(28)).bytes;
  }
  out.put32(12, from.s32(16)).put32(16, from.s32(20));
  if (code > SI_USER && signal === SIGCHLD) {
    return out.put32(40, from.s32(24)).put64(56, from.u64(32)).put64(64, from.u64(40)).bytes;
  }
  if (code < SI_USER) out.put32(44, from.s32(24)).putHalves(48, from.u32(24), from.u32(28));
  return out.bytes;
}

const signalOps: FileOperations = {
  read,
  isStream: true,
  llseek: noopLlseek,
  poll: (file) => {
    const { reader, set } = maskOf(file);
    return reader !== undefined && hasSignal(reader, set) ? POLLIN : 0;
  },
  // Signals of whoever asks to be told, even if somebody else reads in the end (signalfd_poll).
  pollQueue: (file) => maskOf(file).reader?.group.handlers.signalQueue ?? new PollQueue(),
  showFdinfo: (file) => {
    const { low, high } = maskOf(file).set;
    const digits = (word: number): string => (word >>> 0).toString(16).padStart(8, "0");
    return `sigmask:\t${digits(high)}${digits(low)}\n`;
  },
};

/** A new signalfd. @param flags O_NONBLOCK, or nothing */
export function newSignalFile(system: System, mounts: MountNamespace, set: SigSet, flags: number): File {
  return newAnonymousFile(mounts, "signalfd", signalOps, flags, new SignalMask(system, set));
}
