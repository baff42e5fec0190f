/**
 * What the public face throws. Inside, a failed call returns a negative errno; here it becomes an Error that looks like
 * Node's own: `code` "ENOMEM", `errno` −12, `syscall` "mmap".
 */
import { BUS_ADRERR, SEGV_ACCERR, SIGBUS } from "../fault/mmu.ts";
import { EAGAIN, errnoName, errnoText } from "../uapi/errno.ts";
import { ERESTART_WOULD_BLOCK } from "../vfs/would-block.ts";

/** A system call that Linux would have failed. */
export class LinuxError extends Error {
  override readonly name: string = "LinuxError";
  /** "ENOMEM" */
  readonly code: string;
  /** The negative error number, as Node has it. */
  readonly errno: number;
  /** "mmap" */
  readonly syscall: string;

  /** @param errno positive error number */
  constructor(syscall: string, errno: number, detail?: string) {
    super(
      `${errnoName(errno)}: ${errnoText(errno)}, ${syscall}${detail === undefined ? "" : ` '${detail}'`}`,
    );
    this.code = errnoName(errno);
    this.errno = -errno;
    this.syscall = syscall;
  }
}

/** An access that would have ended a process with a signal. */
export abstract class MemoryFault extends Error {
  /** The address that was accessed (si_addr). */
  readonly address: number;
  /** si_code */
  readonly siCode: number;

  constructor(message: string, address: number, siCode: number) {
    super(message);
    this.address = address;
    this.siCode = siCode;
  }
}

/** SIGSEGV: nothing is mapped there (`code` "SEGV_MAPERR"), or not for this access ("SEGV_ACCERR"). */
export class SegmentationFault extends MemoryFault {
  override readonly name = "SegmentationFault";
  readonly signal = "SIGSEGV";
  readonly code: "SEGV_MAPERR" | "SEGV_ACCERR";

  constructor(address: number, siCode: number) {
    const denied = siCode === SEGV_ACCERR;
    const why = denied ? "the mapping does not allow this access" : "nothing is mapped there";
    super(`segmentation fault at 0x${address.toString(16)}: ${why}`, address, siCode);
    this.code = denied ? "SEGV_ACCERR" : "SEGV_MAPERR";
  }
}

/** SIGBUS: the mapping has no page there: past the end of its file, or unreadable. */
export class BusError extends MemoryFault {
  override readonly name = "BusError";
  readonly signal = "SIGBUS";
  readonly code = "BUS_ADRERR";

  constructor(address: number) {
    super(`bus error at 0x${address.toString(16)}: the mapped file has no page there`, address, BUS_ADRERR);
  }
}

/** No frame is left and none could be made free: where Linux would have killed a process. */
export class OutOfMemoryError extends MemoryFault {
  override readonly name = "OutOfMemoryError";
  readonly signal = "SIGKILL";
  readonly code = "ENOMEM";

  constructor(address: number) {
    super(`out of memory at 0x${address.toString(16)}: no page frame is left`, address, 0);
  }
}

/** The error for an access that the MMU refused. */
export function memoryFault(signal: number, siCode: number, address: number): MemoryFault {
  if (signal === SIGBUS) return new BusError(address);
  return signal === 11 ? new SegmentationFault(address, siCode) : new OutOfMemoryError(address);
}

/**
 * The kernel can't go on and has stopped, with all that ran on it (panic). Thrown out of whatever caused it, and from then on
 * by every call; what was not in storage yet is lost.
 */
export class KernelPanic extends Error {
  override readonly name = "KernelPanic";
  readonly code = "PANIC";

  /** @param reason "Out of memory: …", as the last lines of the kernel's log have it */
  constructor(reason: string) {
    super(`Kernel panic - not syncing: ${reason}`);
  }
}

/** `result`, or the LinuxError that a negative one stands for. */
export function check(syscall: string, result: number, detail?: string): number {
  if (result >= 0) return result;
  throw linuxError(syscall, result, detail);
}

/** `result`, or the LinuxError that a number stands for. */
export function checkValue<T>(syscall: string, result: T | number, detail?: string): T {
  if (typeof result === "number") throw linuxError(syscall, result, detail);
  return result;
}

function linuxError(syscall: string, result: number, detail?: string): LinuxError {
  return new LinuxError(syscall, result === -ERESTART_WOULD_BLOCK ? EAGAIN : -result, detail);
}
