/** Why a file can't be run: one error class, whose `kind` a caller may branch on and whose message a person can read. */
import { EINVAL, EIO, ELIBBAD, ENOEXEC } from "../../mm/uapi/errno.ts";

export type ElfErrorKind =
  /** no ELF file at all: a script, say, or empty */
  | "not-elf"
  /** a program, but not one for riscv64 Linux */
  | "wrong-architecture"
  /** an object file or a core dump: nothing that can be run */
  | "not-executable"
  /** the dynamic linker that it needs is not there, or is none */
  | "dynamic"
  /** the file ends before its own headers do */
  | "truncated"
  /** headers that contradict themselves or reach out of the address space */
  | "malformed";

const ERRNO: Readonly<Record<ElfErrorKind, number>> = {
  "not-elf": ENOEXEC,
  "wrong-architecture": ENOEXEC,
  "not-executable": ENOEXEC,
  dynamic: ELIBBAD,
  truncated: EIO,
  malformed: EINVAL,
};

export class ElfError extends Error {
  override readonly name = "ElfError";
  readonly kind: ElfErrorKind;
  /** The positive errno that execve answers. */
  readonly errno: number;

  constructor(kind: ElfErrorKind, message: string, errno: number = ERRNO[kind]) {
    super(message);
    this.kind = kind;
    this.errno = errno;
  }
}
