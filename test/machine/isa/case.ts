/**
 * One instruction (or a short sequence of them) with all the state that it starts from, and what came of it; and both as a
 * line of vectors.txt:
 *
 * ```
 *   name code | what differs from the usual beginning | what it changed
 *   addi 0297b513 | x15=ffffffffffffffff | x10=1 pc=4
 *   amoadd.d 00f5352f | x10=30000fe8 x15=1 | x10=… m8=…,…
 * ```
 */

/** Where the code starts; around it is nothing but c.ebreak. As in runner.c. */
export const START = 0x2020_0000;
/** The bytes that loads and stores go to lie around the border of two pages. */
export const WINDOW: number = 0x3000_1000 - 32;
export const WINDOW_BYTES = 64;

export const SIGILL = 4;
export const SIGTRAP = 5;
export const SIGBUS = 7;
export const SIGSEGV = 11;

export interface Case {
  readonly name: string;
  /** Half-words. */
  readonly code: readonly number[];
  readonly x: readonly bigint[];
  readonly f: readonly bigint[];
  readonly fcsr: number;
  /** What the window holds (patternByte). */
  readonly pattern: number;
}

export interface Outcome {
  /** From START on. */
  readonly pc: number;
  readonly signal: number;
  readonly x: readonly bigint[];
  readonly f: readonly bigint[];
  readonly fcsr: number;
  readonly window: Uint8Array;
}

export const PATTERNS = 4;

export function patternByte(pattern: number, i: number): number {
  if (pattern === 0) return (i * 37 + 11) & 255;
  if (pattern === 1) return 255;
  if (pattern === 2) return i % 4 === 3 ? 128 : 0;
  return i % 8 === 7 ? 127 : 255;
}

/** What registers hold where a case says nothing. */
export const usualX = (i: number): bigint => (i === 0 ? 0n : 0x0123_4567_89ab_cd00n + BigInt(i));
export const usualF = (i: number): bigint => 0x3ff0_0000_0000_0000n + BigInt(i);

const hex = (value: bigint | number): string => value.toString(16);

/** "x5=…" for each register that is not as `before` has it. */
function differences(prefix: string, values: readonly bigint[], before: (i: number) => bigint): string[] {
  return values.flatMap((value, i) => (value === before(i) ? [] : [`${prefix}${i}=${hex(value)}`]));
}

/** What the case did. */
export function outcomeText(one: Case, outcome: Outcome): string {
  const words: string[] = [
    ...differences("x", outcome.x, (i) => one.x[i]),
    ...differences("f", outcome.f, (i) => one.f[i]),
  ];
  if (outcome.fcsr !== one.fcsr) words.push(`fcsr=${hex(outcome.fcsr)}`);
  for (let i = 0; i < WINDOW_BYTES; i += 8) {
    const bytes = outcome.window.subarray(i, i + 8);
    if (bytes.some((byte, k) => byte !== patternByte(one.pattern, i + k))) {
      words.push(`m${i}=${Buffer.from(bytes).toString("hex")}`);
    }
  }
  words.push(`pc=${hex(outcome.pc)}`);
  if (outcome.signal !== SIGTRAP) words.push(`signal=${outcome.signal}`);
  return words.join(" ");
}

export function caseText(one: Case): string {
  const code = one.code.map((half) => half.toString(16).padStart(4, "0")).join(".");
  const words = [...differences("x", one.x, usualX), ...differences("f", one.f, usualF)];
  if (one.fcsr !== 0) words.push(`fcsr=${hex(one.fcsr)}`);
  if (one.pattern !== 0) words.push(`pattern=${one.pattern}`);
  return `${one.name} ${code} | ${words.join(" ")}`;
}

/** The case of a line, and the rest of the line: what came of it. */
export function parseLine(line: string): { readonly one: Case; readonly expected: string } {
  const [head, given, expected] = line.split(" | ");
  const [name, code] = head.split(" ");
  const x = Array.from({ length: 32 }, (_, i) => usualX(i));
  const f = Array.from({ length: 32 }, (_, i) => usualF(i));
  let [fcsr, pattern] = [0, 0];
  for (const word of given.split(" ").filter((text) => text !== "")) {
    const [key, value] = word.split("=");
    if (key === "fcsr") fcsr = Number.parseInt(value, 16);
    else if (key === "pattern") pattern = Number(value);
    else (key[0] === "x" ? x : f)[Number(key.slice(1))] = BigInt(`0x${value}`);
  }
  const halves = code.split(".").map((half) => Number.parseInt(half, 16));
  return { one: { name, code: halves, x, f, fcsr, pattern }, expected };
}
