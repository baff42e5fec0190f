/**
 * What a new program finds on its stack (bprm_execve's strings and create_elf_tables).
 *
 * ```
 *   stack top ─▶ 8 zero bytes
 *                path that was executed, NUL          ◀ AT_EXECFN
 *                environment strings, NUL each
 *                argument strings, NUL each           ◀ mm.argStart
 *                (down to a multiple of 16)
 *                16 random bytes                      ◀ AT_RANDOM
 *                (down to a multiple of 16)
 *                auxiliary vector: pairs type, value; ends with AT_NULL
 *                NULL
 *                envp[…]
 *                NULL
 *                argv[…]
 *          sp ─▶ argc
 * ```
 *
 * The image is computed whole, as bytes and the address that they belong at: building it needs no memory of the
 * program, writing it is one copy, and a test can look at it.
 */
import { encodeName } from "../../mm/vfs/name-bytes.ts";
import { AT_EXECFN, AT_NULL, AT_RANDOM } from "../abi/auxv.ts";
import { StructView } from "../abi/bytes.ts";

/** A string of a program: bytes without the NUL, or text, which is encoded as a name is: UTF-8, for the most part. */
export type ProgramString = string | Uint8Array;

export interface StackInput {
  /** First byte past the stack. */
  readonly top: number;
  /** Path under which the program was started. */
  readonly path: ProgramString;
  readonly argv: readonly ProgramString[];
  readonly env: readonly ProgramString[];
  /** 16 bytes. */
  readonly random: Uint8Array;
  /** Entries in order, without AT_NULL; those of AT_RANDOM and AT_EXECFN get their addresses here. */
  readonly auxv: readonly (readonly [type: number, value: number])[];
}

export interface StackImage {
  /** Lowest address, of argc: the first value of sp. A multiple of 16. */
  readonly sp: number;
  /** From sp to the stack's top. */
  readonly bytes: Uint8Array;
  readonly argStart: number;
  readonly argEnd: number;
  readonly envStart: number;
  readonly envEnd: number;
  /** The auxiliary vector in there. */
  readonly auxv: Uint8Array;
}

/** Bytes from the top of the stack down to the first string of the program, which are copied before all else. */
export function stringBytes({
  path,
  argv,
  env,
}: {
  readonly path: ProgramString;
  readonly argv: readonly ProgramString[];
  readonly env: readonly ProgramString[];
}): number {
  const texts = [path, ...(argv.length === 0 ? [""] : argv), ...env];
  return texts.reduce((sum, text) => sum + byteLength(text) + 1, 8);
}

export function buildStackImage(input: StackInput): StackImage {
  const argv = input.argv.map(bytesOf);
  const env = input.env.map(bytesOf);
  const path = bytesOf(input.path);

  // Addresses from the top down.
  const execFn = input.top - 8 - (path.length + 1);
  const envStart = execFn - totalLength(env);
  const argStart = envStart - totalLength(argv);
  const random = alignDown16(argStart) - input.random.length;
  const tables = (1 + argv.length + 1 + env.length + 1) * 8;
  const vectorBytes = (input.auxv.length + 1) * 16;
  const sp = alignDown16(alignDown16(random) - vectorBytes - tables);

  const image = new StructView(input.top - sp);
  image.put64(0, argv.length);
  let at = 8;
  const putPointers = (strings: readonly Uint8Array[], start: number): void => {
    let address = start;
    for (const bytes of strings) {
      image.put64(at, address);
      image.bytes.set(bytes, address - sp);
      address += bytes.length + 1;
      at += 8;
    }
    at += 8;
  };
  putPointers(argv, argStart);
  putPointers(env, envStart);
  const auxvAt = at;
  for (const [type, value] of [...input.auxv, [AT_NULL, 0] as const]) {
    const address = type === AT_RANDOM ? random : type === AT_EXECFN ? execFn : value;
    image.put64(at, type).put64(at + 8, address);
    at += 16;
  }
  image.bytes.set(input.random, random - sp);
  image.bytes.set(path, execFn - sp);
  const auxv = image.bytes.slice(auxvAt, at);
  return { sp, bytes: image.bytes, argStart, argEnd: envStart, envStart, envEnd: execFn, auxv };
}

function bytesOf(text: ProgramString): Uint8Array {
  return typeof text === "string" ? encodeName(text) : text;
}

function byteLength(text: ProgramString): number {
  return bytesOf(text).length;
}

function totalLength(strings: readonly Uint8Array[]): number {
  return strings.reduce((sum, bytes) => sum + bytes.length + 1, 0);
}

function alignDown16(addr: number): number {
  return addr - (addr % 16);
}
