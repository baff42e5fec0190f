/**
 * Files that are made while they are read, record by record (fs/seq_file.c).
 *
 * A read gets whole records as far as they fit one buffer of a page, however much it asked for: who reads maps with a
 * buffer of 64 KiB gets 4 KiB at most, and has to come again. Records are made when they are due; what happens to the
 * mappings between two reads is seen by the second. What was made and not yet taken stays in the buffer.
 */
import { BugError } from "../bug.ts";
import { PAGE_SIZE } from "../page.ts";
import { EFAULT, EINVAL } from "../uapi/errno.ts";
import { SEEK_CUR, SEEK_SET } from "../uapi/fcntl.ts";
import type { File, FileOperations } from "../vfs/file.ts";
import type { IovIter } from "../vfs/iov-iter.ts";
import { encodeName } from "../vfs/name-bytes.ts";

/** One record, and the position of the next. */
export interface SeqRecord {
  readonly text: string;
  readonly next: number;
}

/** The record at or behind a position; the first position is 0. null at the end. */
export type SeqShow = (position: number) => SeqRecord | null;

/** What an open file has made so far (struct seq_file). */
class SeqFile {
  readonly show: SeqShow;
  /** Position of the next record. */
  position = 0;
  /** Bytes made, of which those before `from` were taken. */
  made: Uint8Array = NOTHING;
  from = 0;
  /** File offset that follows what was taken last. */
  readPos = 0;
  /** Size of the buffer: grows for good with a record that needs it. */
  size = PAGE_SIZE;

  constructor(show: SeqShow) {
    this.show = show;
  }

  get left(): number {
    return this.made.length - this.from;
  }
}

const NOTHING = new Uint8Array(0);

/** Makes `file`, which is being opened, a sequence of records. */
export function openSeq(file: File, show: SeqShow): number {
  file.data = new SeqFile(show);
  return 0;
}

/** As openSeq, for a file that is one record (single_open). */
export function openSingle(file: File, text: () => string): number {
  return openSeq(file, (position) => (position === 0 ? { text: text(), next: 1 } : null));
}

/** The operations of such files. */
export const seqOps: FileOperations = {
  read: seqRead,
  llseek: seqLseek,
  refusesPwrite: true,
};

function seqOf(file: File): SeqFile {
  if (!(file.data instanceof SeqFile)) throw new BugError("seqOf", `"${file.dentry.name}" has no records`);
  return file.data;
}

/** seq_read_iter */
export function seqRead(file: File, to: IovIter, pos: number): number {
  const seq = seqOf(file);
  if (to.count === 0) return 0;
  if (pos === 0) restart(seq);
  if (pos !== seq.readPos) traverse(seq, pos);
  let copied = 0;
  if (seq.left > 0) {
    copied = take(seq, to);
    if (seq.left > 0) return finish(seq, copied, /* faulted */ copied === 0);
  }
  fill(seq, to.count);
  const wanted = seq.left;
  const more = take(seq, to);
  return finish(seq, copied + more, wanted > 0 && copied + more === 0);
}

/** Makes one record that is not empty, and others while they fit the buffer and the reader wants more. */
function fill(seq: SeqFile, wanted: number): void {
  const parts: Uint8Array[] = [];
  let count = 0;
  for (;;) {
    if (count > 0 && count >= wanted) break;
    const record = seq.show(seq.position);
    if (record === null) break;
    const bytes = encodeName(record.text);
    // A buffer that is filled to its last byte counts as overflowing.
    if (count + bytes.length >= seq.size) {
      if (count > 0) break;
      while (bytes.length >= seq.size) seq.size *= 2;
    }
    seq.position = record.next;
    parts.push(bytes);
    count += bytes.length;
  }
  seq.made = new Uint8Array(count);
  seq.from = 0;
  let at = 0;
  for (const part of parts) {
    seq.made.set(part, at);
    at += part.length;
  }
}

function take(seq: SeqFile, to: IovIter): number {
  const taken = to.copyBytesToIter(seq.made.subarray(seq.from, seq.from + to.count));
  seq.from += taken;
  return taken;
}

function finish(seq: SeqFile, copied: number, faulted: boolean): number {
  if (faulted) return -EFAULT;
  seq.readPos += copied;
  return copied;
}

function restart(seq: SeqFile): void {
  seq.position = 0;
  seq.made = NOTHING;
  seq.from = 0;
  seq.readPos = 0;
}

/** Goes through the records from the first to the one in which `offset` lies. */
function traverse(seq: SeqFile, offset: number): void {
  restart(seq);
  for (let pos = 0; pos < offset; ) {
    const record = seq.show(seq.position);
    if (record === null) break;
    seq.position = record.next;
    const bytes = encodeName(record.text);
    if (pos + bytes.length > offset) {
      seq.made = bytes;
      seq.from = offset - pos;
    }
    pos += bytes.length;
  }
  seq.readPos = offset;
}

/** seq_lseek: there is no end to count from. The next read finds the record. */
function seqLseek(file: File, offset: number, whence: number): number {
  if (whence !== SEEK_SET && whence !== SEEK_CUR) return -EINVAL;
  const pos = whence === SEEK_CUR ? file.pos + offset : offset;
  if (pos < 0) return -EINVAL;
  file.pos = pos;
  return pos;
}
