/**
 * The strings of a new program on their way to its stack (count, bprm_stack_limits and copy_strings in fs/exec.c): how
 * many there may be, and in which order they are looked at.
 *
 * ```
 *   top ─▶ 8 bytes │ path │ last of envp … first │ last of argv … first │      further down: one page after the other
 * ```
 *
 * They are copied before anything is known of the program, into the first pages of the memory that it will have; these
 * faults are the caller's, also where there is no program in the end.
 */
import { getUserU64, readUserBytesZ } from "../../mm/fault/uaccess.ts";
import type { Process } from "../../mm/kernel/process.ts";
import { PAGE_SIZE, pageAlign, pageAlignDown } from "../../mm/page.ts";
import { E2BIG, EFAULT } from "../../mm/uapi/errno.ts";
import { RLIMIT_AS, RLIMIT_STACK } from "../../mm/uapi/mman.ts";
import { encodeName } from "../../mm/vfs/name-bytes.ts";
import type { ProgramString } from "../elf/stack-image.ts";

/** The longest single argument or environment string, NUL included (MAX_ARG_STRLEN). */
const MAX_ARG_STRLEN = 131072;
/** Strings may always take this much (ARG_MAX), and never more than three quarters of the default stack. */
const ARG_MAX = 131072;
const MOST = (8 * 2 ** 20 * 3) / 4;
const POINTER = 8;

export interface ProgramStrings {
  readonly argv: readonly ProgramString[];
  readonly env: readonly ProgramString[];
}

/** Copies what a program is started with behind its path; or negative errno. */
export type StringSource = (stack: StringStack, path: ProgramString) => ProgramStrings | number;

/** What of the new stack the strings take. */
export class StringStack {
  private readonly most: number;
  private readonly mostPages: number;
  private limit = 0;
  private used = POINTER;
  /** Pages that were touched so far. */
  pages = 0;

  constructor({ rlimits }: Process) {
    const stack = rlimits[RLIMIT_STACK].soft;
    this.most = Math.max(Math.min(MOST, Math.floor(stack / 4)), ARG_MAX);
    // The first page is there without being asked for (acct_stack_growth).
    this.mostPages = Math.max(1, pageAlignDown(Math.min(stack, rlimits[RLIMIT_AS].soft)) / PAGE_SIZE);
  }

  /** Says how many strings there will be: their pointers count, too. 0 or -E2BIG. */
  begin(argc: number, envc: number): number {
    this.limit = this.most - (Math.max(argc, 1) + envc) * POINTER;
    return this.limit <= 0 ? -E2BIG : 0;
  }

  /** Puts a string of so many bytes below the others. 0 or -E2BIG. */
  push(text: ProgramString): number {
    const length = byteLength(text) + 1;
    if (length > MAX_ARG_STRLEN) return -E2BIG;
    this.used += length;
    if (this.used - POINTER > this.limit) return -E2BIG;
    const needed = pageAlign(this.used) / PAGE_SIZE;
    this.pages = Math.max(this.pages, Math.min(needed, this.mostPages));
    return needed > this.mostPages ? -E2BIG : 0;
  }

  /** Takes the last one away again. */
  pop(text: ProgramString): void {
    this.used -= byteLength(text) + 1;
  }
}

/** Strings that nobody has to read from memory. A program has one argument at least (since Linux 5.18). */
export function givenStrings(argv: readonly ProgramString[], env: readonly ProgramString[]): StringSource {
  return (stack, path) => {
    const texts = [path, ...env.toReversed(), ...argv.toReversed()];
    if (argv.length === 0) texts.push("");
    const failed =
      stack.begin(argv.length, env.length) || texts.reduce((error, text) => error || stack.push(text), 0);
    return failed !== 0 ? failed : { argv: argv.length === 0 ? [""] : argv, env };
  };
}

/** The strings that two lists of pointers in the caller's memory lead to; a null pointer is an empty list. */
export function userStrings(process: Process, argvAt: number, envAt: number): StringSource {
  return (stack, path) => {
    const argc = countPointers(process, argvAt);
    if (argc < 0) return argc;
    const envc = countPointers(process, envAt);
    if (envc < 0) return envc;
    const tooMany = stack.begin(argc, envc) || stack.push(path);
    if (tooMany !== 0) return tooMany;
    const env = copyStrings(process, stack, envAt, envc);
    if (typeof env === "number") return env;
    if (argc === 0) return stack.push("") || { argv: [""], env };
    const argv = copyStrings(process, stack, argvAt, argc);
    return typeof argv === "number" ? argv : { argv, env };
  };
}

function countPointers(process: Process, at: number): number {
  if (at === 0) return 0;
  for (let count = 0; count * POINTER <= MOST; count++) {
    const pointer = getUserU64(process.kernel.mmu, process, at + count * POINTER);
    if (pointer <= 0) return pointer < 0 ? pointer : count;
  }
  return -E2BIG;
}

/** From the last to the first. */
function copyStrings(process: Process, stack: StringStack, at: number, count: number): Uint8Array[] | number {
  const { mmu } = process.kernel;
  const found: Uint8Array[] = [];
  for (let index = count - 1; index >= 0; index--) {
    const pointer = getUserU64(mmu, process, at + index * POINTER);
    const bytes = pointer < 0 ? pointer : readUserBytesZ(mmu, process, pointer, MAX_ARG_STRLEN);
    if (typeof bytes === "number") return bytes === -EFAULT ? -EFAULT : -E2BIG;
    const tooLong = stack.push(bytes);
    if (tooLong !== 0) return tooLong;
    found.push(bytes);
  }
  return found.reverse();
}

function byteLength(text: ProgramString): number {
  return (typeof text === "string" ? encodeName(text) : text).length;
}
