/**
 * A setting under /proc/sys as a file that is read and written (proc_dointvec_minmax and its like in kernel/sysctl.c). A number
 * is read in one go: a read that does not start at 0 finds the end.
 */
import { EINVAL } from "../uapi/errno.ts";
import { S_IFREG } from "../uapi/fcntl.ts";
import { UTS_LEN, type UtsNames } from "../uapi/utsname.ts";
import type { FileOperations } from "../vfs/file.ts";
import type { IovIter } from "../vfs/iov-iter.ts";
import { decodeName, encodeName, truncateName } from "../vfs/name-bytes.ts";
import { copySpliceRead } from "../vfs/splice.ts";
import type { ProcNode } from "./proc-tree.ts";
import { parseInteger, readBytes, takeText } from "./text-file.ts";

const ENCODER = new TextEncoder();
/** Most bytes of one write that are looked at (KMALLOC_MAX_SIZE is larger; a number is not). */
const WRITE_BYTES = 4096;
const INT_MAX = 0x7fffffff;
/** Characters that a number has at most, sign and leading zeros included: longer ones are none (TMPBUFLEN). */
const NUMBER_LENGTH = 20;
const ULONG_MAX: bigint = 2n ** 64n - 1n;

/** A setting that is a number between bounds. */
export interface NumberSetting {
  readonly get: () => number;
  /** Absent: can't be changed. */
  readonly set?: (value: number) => void;
  readonly min?: number;
  readonly max?: number;
  /** Numbers between the bounds that are refused all the same. */
  readonly refuses?: (value: number) => boolean;
}

/** A setting that is several numbers in a row. */
export interface VectorSetting {
  readonly get: () => readonly number[];
  /**
   * Sets the first of them, as many as were written. `failed` is -EINVAL where something followed, or was there alone, that is no
   * number. Answers what the writer is told: -errno, or 0 for how far it got.
   */
  readonly set: (values: readonly number[], failed: number) => number;
}

/** A setting that is an unsigned number of 64 bits. */
export interface LongSetting {
  readonly get: () => bigint;
  readonly set: (value: bigint) => void;
}

/** An unsigned long that is kept as a number: exact to 2^53, which no setting here comes near. */
export function unsignedNode(get: () => number, set: (value: number) => void): ProcNode {
  const clamped = (value: bigint): bigint => (value > ULONG_MAX ? ULONG_MAX : value);
  return longNode({ get: () => clamped(BigInt(get())), set: (value) => set(Number(value)) });
}

export function stringNode(text: string): ProcNode {
  const bytes = ENCODER.encode(`${text}\n`);
  return settingNode(0o444, { read: (_file, to, pos) => readBytes(bytes, to, pos) });
}

/** Settings can be spliced, in and out (proc_sys_file_operations). */
function settingNode(permissions: number, transfers: Pick<FileOperations, "read" | "write">): ProcNode {
  const fops: FileOperations = { ...transfers, spliceRead: copySpliceRead, spliceWrite: "write" };
  return { mode: S_IFREG | permissions, fops };
}

/**
 * A number is written at the beginning of the file, and in one go; what is written behind that is taken, and has no effect
 * (proc_first_pos_non_zero_ignore).
 */
function atStart(write: (from: IovIter) => number): NonNullable<FileOperations["write"]> {
  return (_file, from, pos) => {
    if (pos === 0) return write(from);
    const wanted = from.count;
    const text = takeText(from, WRITE_BYTES);
    return typeof text === "number" ? text : wanted;
  };
}

/**
 * One of the names of the machine. A write replaces it from where it stands in the file, up to the end of a line, and has no effect
 * behind its end (proc_do_uts_string).
 */
export function nameNode(names: UtsNames, which: keyof UtsNames): ProcNode {
  return settingNode(0o644, {
    read: (_file, to, pos) => readBytes(encodeName(`${names[which]}\n`), to, pos),
    write: (_file, from, pos) => {
      const wanted = from.count;
      if (wanted === 0) return 0;
      const text = takeText(from, WRITE_BYTES);
      if (typeof text === "number") return text;
      const before = encodeName(names[which]);
      if (pos > before.length) return wanted;
      const [line] = text.split(/[\n\0]/, 1);
      names[which] = truncateName(decodeName(before.subarray(0, pos)) + line, UTS_LEN);
      return wanted;
    },
  });
}

export function longNode(setting: LongSetting): ProcNode {
  return settingNode(0o644, {
    read: (_file, to, pos) => (pos > 0 ? 0 : readBytes(ENCODER.encode(`${setting.get()}\n`), to, 0)),
    write: atStart((from) => writeLong(setting, from)),
  });
}

/** As writeNumber, for 64 bits (proc_doulongvec_minmax). */
function writeLong(setting: LongSetting, from: IovIter): number {
  const wanted = from.count;
  const text = takeText(from, WRITE_BYTES);
  if (typeof text === "number") return text;
  if (text.trim() === "") return wanted === 0 ? 0 : -EINVAL;
  const [head, digits] = /^\s*(0x[0-9a-f]+|[0-9]+)(?:\s+|$)/i.exec(text) ?? [];
  if (head === undefined || digits === undefined) return -EINVAL;
  const isOctal = /^0[0-9]/.test(digits);
  if (isOctal && /[89]/.test(digits)) return -EINVAL;
  if (digits.length > NUMBER_LENGTH) return -EINVAL;
  const value = BigInt(isOctal ? `0o${digits.slice(1)}` : digits.toLowerCase());
  if (value > ULONG_MAX) return -EINVAL;
  setting.set(value);
  return head.length;
}

export function numberNode(setting: NumberSetting, permissions = 0o644): ProcNode {
  const { set } = setting;
  const read = (to: IovIter, pos: number): number =>
    pos > 0 ? 0 : readBytes(ENCODER.encode(`${setting.get()}\n`), to, 0);
  return settingNode(set === undefined ? 0o444 : permissions, {
    read: (_file, to, pos) => read(to, pos),
    ...(set === undefined ? {} : { write: atStart((from) => writeNumber(setting, set, from)) }),
  });
}

/** A setting that can only be written: it is something to do. */
export function commandNode(
  act: (value: number) => void,
  bounds: Pick<NumberSetting, "min" | "max">,
): ProcNode {
  const setting: NumberSetting = { get: () => 0, ...bounds };
  return settingNode(0o200, { write: atStart((from) => writeNumber(setting, act, from)) });
}

/** Takes the first word and the white space behind it, as proc_dointvec does: the bytes taken, or -EINVAL. */
function writeNumber(setting: NumberSetting, set: (value: number) => void, from: IovIter): number {
  const wanted = from.count;
  const text = takeText(from, WRITE_BYTES);
  if (typeof text === "number") return text;
  if (text.trim() === "") return wanted === 0 ? 0 : -EINVAL;
  const [head, word] = /^\s*(\S+)\s*/.exec(text) ?? ["", ""];
  const value = parseInteger(word, /* anyBase */ true, Math.max(INT_MAX, setting.max ?? 0));
  if (value === "invalid" || value === "range" || isUnfit(word)) return -EINVAL;
  if (value < (setting.min ?? 0) || value > (setting.max ?? INT_MAX)) return -EINVAL;
  if (setting.refuses?.(value) === true) return -EINVAL;
  set(value);
  return head.length;
}

/** Several numbers, of which a write sets as many as it has, up to the first that is none. How far it got is answered. */
export function vectorNode(setting: VectorSetting): ProcNode {
  return settingNode(0o644, {
    read: (_file, to, pos) =>
      pos > 0 ? 0 : readBytes(ENCODER.encode(`${setting.get().join("\t")}\n`), to, 0),
    write: atStart((from) => writeVector(setting, from)),
  });
}

function writeVector(setting: VectorSetting, from: IovIter): number {
  const wanted = from.count;
  const text = takeText(from, WRITE_BYTES);
  if (typeof text === "number") return text;
  if (wanted === 0) return 0;
  let taken = /^\s*/.exec(text)?.[0].length ?? 0;
  const values: number[] = [];
  let failed = 0;
  while (values.length < setting.get().length && taken < text.length) {
    const [word] = /^\S*/.exec(text.slice(taken)) ?? [""];
    const value = parseInteger(word, /* anyBase */ true);
    const isNumber = value !== "invalid" && !isUnfit(word);
    if (isNumber) taken += word.length;
    if (!isNumber || value === "range") {
      failed = -EINVAL;
      break;
    }
    values.push(value);
    taken += /^\s*/.exec(text.slice(taken))?.[0].length ?? 0;
  }
  if (values.length === 0) failed = -EINVAL;
  return setting.set(values, failed) || (values.length === 0 ? wanted : taken);
}

/** What other files take for a number, and these do not. */
function isUnfit(word: string): boolean {
  return word.startsWith("+") || word.length > NUMBER_LENGTH;
}
