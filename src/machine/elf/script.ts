/**
 * A script: a file whose first line names the program that reads it (fs/binfmt_script.c).
 *
 * ```
 *   #! /usr/bin/awk  -f\n          argv:  NAME         x y      of the caller
 *      └ interpreter └ argument    becomes  awk -f PATH x y
 * ```
 *
 * The line counts as far as the first 256 bytes of the file go. What follows the interpreter is one argument, blanks in it
 * and all.
 */

import { decodeName } from "../../mm/vfs/name-bytes.ts";

/** Bytes of a file that decide what kind of program it is (BINPRM_BUF_SIZE). */
export const BINPRM_BUF_SIZE = 256;

export interface ScriptLine {
  readonly interpreter: string;
  readonly argument: Uint8Array | undefined;
}

const HASH = 0x23;
const BANG = 0x21;
const NEWLINE = 0x0a;
const NUL = 0;

/**
 * What the first line says; undefined where there is none, or where the interpreter's path may go on behind what is read.
 * @param start the file's first bytes, at most BINPRM_BUF_SIZE
 */
export function parseScriptLine(start: Uint8Array): ScriptLine | undefined {
  if (start[0] !== HASH || start[1] !== BANG) return undefined;
  // As the kernel's buffer: zeroes behind the end of a short file.
  const buf = new Uint8Array(BINPRM_BUF_SIZE);
  buf.set(start.subarray(0, BINPRM_BUF_SIZE));
  let end = newlineBeforeNul(buf);
  if (end < 0) {
    end = BINPRM_BUF_SIZE - 1;
    const first = nextNonBlank(buf, 2, end);
    if (first < 0 || nextTerminator(buf, first, end) < 0) return undefined;
  }
  while (isBlank(buf[end - 1])) end--;
  const nameStart = nextNonBlank(buf, 2, end);
  if (nameStart < 0 || nameStart === end) return undefined;
  const separator = nextTerminator(buf, nameStart, end);
  let argument: Uint8Array | undefined;
  if (separator >= 0 && buf[separator] !== NUL) {
    const argumentStart = nextNonBlank(buf, separator, end);
    if (argumentStart >= 0) argument = untilNul(buf.slice(argumentStart, end));
  }
  const nameEnd = argument === undefined || separator < 0 ? end : separator;
  const interpreter = decodeName(untilNul(buf.subarray(nameStart, nameEnd)));
  return { interpreter, argument };
}

/** A NUL ends the search for the line's end, as it ends strings (strnchr). */
function newlineBeforeNul(buf: Uint8Array): number {
  for (let i = 0; i < buf.length && buf[i] !== NUL; i++) if (buf[i] === NEWLINE) return i;
  return -1;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09;
}

/** First byte of from … last that is no blank; −1 for none. */
function nextNonBlank(buf: Uint8Array, from: number, last: number): number {
  for (let i = from; i <= last; i++) if (!isBlank(buf[i])) return i;
  return -1;
}

/** First blank or NUL of from … last; −1 for none. */
function nextTerminator(buf: Uint8Array, from: number, last: number): number {
  for (let i = from; i <= last; i++) if (isBlank(buf[i]) || buf[i] === NUL) return i;
  return -1;
}

function untilNul(bytes: Uint8Array): Uint8Array {
  const nul = bytes.indexOf(NUL);
  return nul < 0 ? bytes : bytes.subarray(0, nul);
}
