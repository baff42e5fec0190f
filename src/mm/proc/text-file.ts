/** Nodes of /proc that are a text or bytes, made when they are opened or read, and texts that are written to them. */
import { BugError } from "../bug.ts";
import { EACCES, EFAULT, EINVAL, ERANGE, ESRCH } from "../uapi/errno.ts";
import { S_IFREG, SEEK_CUR, SEEK_SET } from "../uapi/fcntl.ts";
import type { File, FileOperations } from "../vfs/file.ts";
import type { Actor } from "../vfs/inode.ts";
import type { IovIter } from "../vfs/iov-iter.ts";
import { decodeName } from "../vfs/name-bytes.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { mayInspect, mmOf, type ProcTask, type ThreadActivity } from "./proc-task.ts";
import type { ProcNode } from "./proc-tree.ts";
import { openSeq, openSingle, type SeqShow, seqOps, seqRead } from "./seq-file.ts";

/** Takes what is written to the file: the count, or negative errno. */
export type TakeWrite = (from: IovIter, writer: Actor) => number;

/** A file that is one text, made at the first read and at each return to its start. */
export function textNode(
  text: (reader: Actor) => string,
  permissions = 0o444,
  write?: TakeWrite,
  owner?: ProcTask,
): ProcNode {
  return {
    mode: S_IFREG | permissions,
    ...(owner === undefined ? {} : { owner }),
    ops: { open: (_inode, file) => openSingle(file, () => text(file.opener)) },
    fops: {
      ...seqOps,
      ...(owner === undefined ? {} : { read: readWhileThere(owner) }),
      ...(write === undefined ? {} : { write: writeWhileThere(owner, write) }),
    },
  };
}

/** A text that Linux makes by itself, not as a seq_file: pwrite takes it for what it writes at any place. */
export function placedNode(node: ProcNode): ProcNode {
  return { ...node, fops: { ...node.fops, refusesPwrite: false } };
}

/** Who opened a file of a process before it was waited for finds nobody in it afterwards (get_proc_task). */
function readWhileThere(owner: ProcTask): NonNullable<FileOperations["read"]> {
  return (file, to, pos) => (owner.isReaped ? -ESRCH : seqRead(file, to, pos));
}

function writeWhileThere(
  owner: ProcTask | undefined,
  write: TakeWrite,
): NonNullable<FileOperations["write"]> {
  return (file, from) => (owner?.isReaped === true ? -ESRCH : write(from, file.opener));
}

/**
 * The address space that whoever opens a file of the process's directory gets to see for as long as it is open, or why
 * not (proc_mem_open).
 */
export function openMm(task: ProcTask, thread: ThreadActivity | undefined, opener: Actor): MmStruct | number {
  if (!mayInspect(opener, task)) return -EACCES;
  return mmOf(task, thread) ?? -ESRCH;
}

/** What an ioctl of a mappings file does with the address space. */
export type MappingsIoctl = (mm: MmStruct, cmd: number, arg: number, caller: Actor) => number;

/** A file of records about the process's mappings; empty once the process has ended. */
export function mappingsNode(
  task: ProcTask,
  thread: ThreadActivity | undefined,
  records: (mm: MmStruct) => SeqShow,
  ioctl?: MappingsIoctl,
): ProcNode {
  const opened: WeakMap<File, MmStruct> = new WeakMap();
  return {
    mode: S_IFREG | 0o444,
    owner: task,
    ops: {
      open: (_inode, file) => {
        const mm = openMm(task, thread, file.opener);
        if (typeof mm === "number") return mm === -ESRCH ? openSeq(file, () => null) : mm;
        opened.set(file, mm);
        return openSeq(file, records(mm));
      },
    },
    fops:
      ioctl === undefined
        ? { ...seqOps, read: readWhileThere(task) }
        : {
            ...seqOps,
            read: readWhileThere(task),
            ioctl: (file, cmd, arg, caller) => {
              const mm = opened.get(file);
              return mm === undefined ? -ESRCH : ioctl(mm, cmd, arg, caller);
            },
          },
  };
}

/** A file whose reads and writes go by position, like memory, over the address space that was there at its opening. */
export function memoryNode(
  task: ProcTask,
  thread: ThreadActivity | undefined,
  permissions: number,
  fops: Pick<FileOperations, "read" | "write" | "ioctl">,
): ProcNode {
  return {
    mode: S_IFREG | permissions,
    owner: task,
    ops: {
      open: (_inode, file) => {
        const mm = openMm(task, thread, file.opener);
        if (typeof mm === "number") return mm;
        file.data = mm;
        return 0;
      },
    },
    fops: { ...fops, llseek: memLseek },
  };
}

/** What memoryNode keeps in an open file. */
export function mmOfFile(file: File): MmStruct {
  const mm = file.data as MmStruct | undefined;
  if (mm === undefined) throw new BugError("mmOfFile", `"${file.dentry.name}" has no address space`);
  return mm;
}

/** mem_lseek: addresses have no end to count from. */
function memLseek(file: File, offset: number, whence: number): number {
  if (whence !== SEEK_SET && whence !== SEEK_CUR) return -EINVAL;
  file.pos = whence === SEEK_CUR ? file.pos + offset : offset;
  return file.pos;
}

/** Copies bytes[pos …] as far as there are any and they fit. */
export function readBytes(bytes: Uint8Array, to: IovIter, pos: number): number {
  const part = bytes.subarray(Math.min(pos, bytes.length), pos + to.count);
  const copied = to.copyBytesToIter(part);
  return copied === 0 && part.length > 0 ? -EFAULT : copied;
}

/** The first `max` bytes of what is written, as text; -EFAULT when they can't be read. */
export function takeText(from: IovIter, max: number): string | number {
  const bytes = new Uint8Array(Math.min(from.count, max));
  return from.copyBytesFromIter(bytes) < bytes.length ? -EFAULT : decodeName(bytes);
}

const INT_MAX = 0x7fffffff;

/** kstrtoint(strstrip(text)): a whole number, in decimal or, where `anyBase`, in the base that its prefix names; "range" above `max`. */
export function parseInteger(
  text: string,
  anyBase: boolean,
  max: number = INT_MAX,
): number | "invalid" | "range" {
  const match = /^([+-]?)(0x[0-9a-f]+|[0-9]+)$/i.exec(text.trim());
  if (match === null) return "invalid";
  const [, sign, digits] = match;
  const isHex = /^0x/i.test(digits);
  const isOctal = anyBase && !isHex && digits.length > 1 && digits.startsWith("0");
  if ((isHex && !anyBase) || (isOctal && /[89]/.test(digits))) return "invalid";
  const value = isOctal ? Number.parseInt(digits, 8) : Number(digits);
  if (value > max) return "range";
  return sign === "-" ? -value : value;
}

/** Digits that a number written to a file of a process's directory may have, sign and line end included (PROC_NUMBUF). */
const NUMBER_BYTES = 12;

/** Takes a written number: the bytes it took, or what is wrong with it. @param apply 0 or negative errno */
export function takeNumber(from: IovIter, anyBase: boolean, apply: (value: number) => number): number {
  const wanted = Math.min(from.count, NUMBER_BYTES);
  const text = takeText(from, NUMBER_BYTES);
  if (typeof text === "number") return text;
  const value = parseInteger(text, anyBase);
  if (value === "invalid") return -EINVAL;
  if (value === "range") return -ERANGE;
  const failed = apply(value);
  return failed < 0 ? failed : wanted;
}
