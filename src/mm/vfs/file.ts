/**
 * file: one open file description: position, mode and flags, shared by the descriptors that dup and fork made.
 *
 * Descriptors, mappings and calls in progress hold references; the last one to go releases the inode, which ends
 * there if it has no name left.
 */
import { BugError } from "../bug.ts";
import type { VmArea } from "../vma/vm-area.ts";
import type { MappedFile } from "../vma/vm-operations.ts";
import type { AddressSpace } from "./address-space.ts";
import type { Dentry } from "./dentry.ts";
import { type Errseq, errseqSample } from "./errseq.ts";
import type { FileOwner } from "./fasync.ts";
import { removeFileLocks } from "./file-lock.ts";
import { type Actor, type DirEntry, type Inode, igrab, iput, KERNEL_ACTOR } from "./inode.ts";
import type { IovIter } from "./iov-iter.ts";
import type { OpenFiles } from "./open-files.ts";
import { dPath } from "./path.ts";
import type { Pipe } from "./pipe.ts";
import type { PollQueue } from "./poll-queue.ts";

export const FMODE_READ = 1;
export const FMODE_WRITE = 2;
export const FMODE_PATH = 0x4000;

/** What a kind of file does when it is used (file_operations). Byte counts or 0 on success, else negative errno. */
export interface FileOperations {
  /** A device is opened as `file`, which has no other reference yet, with O_… `flags`. 0, or why not. */
  open?(file: File, flags: number): number;
  /** `rwf`: RWF_… of this transfer; none for a file without `takesRwf`. */
  read?(file: File, to: IovIter, pos: number, rwf?: number): number;
  write?(file: File, from: IovIter, pos: number, rwf?: number): number;
  /** There is a position, but no transfer moves it: a memory device. */
  readonly keepsPosition?: boolean;
  /** preadv2 and pwritev2 may have flags (read_iter and write_iter); without, only RWF_HIPRI passes. */
  readonly takesRwf?: boolean;
  /** RWF_NOWAIT is understood by each file of the kind (FMODE_NOWAIT). */
  readonly canNowait?: boolean;
  /** RWF_DONTCACHE is understood (FOP_DONTCACHE). */
  readonly dropsBehind?: boolean;
  /** O_DIRECT is allowed where such a file is opened (FMODE_CAN_ODIRECT). */
  readonly canDirect?: boolean;
  /**
   * Puts up to `len` bytes from `pos` on into free buffers of the pipe: pages of the file themselves where there are such
   * (filemap_splice_read), else copies. Bytes, 0 at the end. Absent: EINVAL.
   */
  spliceRead?(file: File, pos: number, pipe: Pipe, len: number): number;
  /** What splice and sendfile may move into the file: through `write`, or nowhere. Absent: EINVAL. */
  readonly spliceWrite?: "write" | "discard";
  /** The file has no position: pread, pwrite and lseek answer ESPIPE (stream_open). */
  readonly isStream?: boolean;
  /** Nothing is written at a place: pwrite answers ESPIPE (no FMODE_PWRITE, as seq_open leaves it). */
  readonly refusesPwrite?: boolean;
  /**
   * New position, or negative errno; absent: position counts bytes of inode.size. null: there is nothing to seek in, though reads
   * may say where (no FMODE_LSEEK): lseek answers ESPIPE, as for streams.
   */
  readonly llseek?: ((file: File, offset: number, whence: number) => number) | null;
  /**
   * Checks and prepares a mapping; absent: the file can't be mapped (ENODEV). Precondition: vma.file is `file`, with a
   * reference of the mapping's own. Sets vma.ops, or leaves it null for anonymous memory; may put another file in
   * vma.file's place (shared /dev/zero).
   */
  mmap?(file: File, vma: VmArea): number;
  /**
   * Has a say in where mappings go (get_unmapped_area): what that says is what mmap would do anyway, but mremap can't
   * know, and moves only one mapping at a time.
   */
  readonly placesMappings?: boolean;
  /** Writes what is dirty in start … end (bytes) to storage; `datasync` leaves out times. */
  fsync?(file: File, start: number, end: number, datasync: boolean): number;
  /** `limit`: the soft RLIMIT_FSIZE; absent: none. */
  fallocate?(file: File, mode: number, offset: number, len: number, limit?: number): number;
  readdir?(file: File): readonly DirEntry[] | number;
  /** `caller` is whose memory `arg` may point into. */
  ioctl?(file: File, cmd: number, arg: number, caller: Actor): number;
  /** POLLIN | POLLOUT … that would not block now. Absent: always ready, and not to be watched by epoll. */
  poll?(file: File): number;
  /** Who is told when that changes. Absent: it changes without telling. */
  pollQueue?(file: File): PollQueue;
  /** How often it changed: whether a transfer that waits can go on depends on its size, which `poll` does not know. */
  changes?(file: File): number;
  /** Puts the file into the lists of those who are told by signals, or takes it out (fasync.ts). Absent: nobody is told. */
  fasync?(file: File, fd: number, isOn: boolean): number;
  /** Lines of /proc/PID/fdinfo/FD beyond those that all files have, each with its line end. */
  showFdinfo?(file: File): string;
  /** A descriptor was closed (flush), and the last reference is gone (release). */
  flush?(file: File): number;
  release?(file: File): void;
}

export class File implements MappedFile {
  readonly dentry: Dentry;
  readonly inode: Inode;
  readonly ops: FileOperations;
  /** FMODE_… */
  readonly mode: number;
  /** O_… status flags; F_SETFL changes some. */
  flags: number;
  /** This opening has made what it opens (FMODE_CREATED). */
  isCreated = false;
  private isWriter = false;
  /** Byte offset of the next read or write. */
  pos = 0;
  /** Descriptors, mappings and calls in progress that hold it. */
  refs = 1;
  /** The write-back error state that this description has already reported. */
  wbErr: Errseq;
  /** The same for syncfs: errors of any file of the file system (f_sb_err). */
  sbErr: Errseq;
  /** Who opened it (f_cred): what it may show does not depend on who reads. */
  opener: Actor = KERNEL_ACTOR;
  /** Where it is counted, from its first descriptor on. */
  openFiles: OpenFiles | undefined;
  /** Whom it tells by signals, once somebody has said whom (f_owner). */
  owner: FileOwner | undefined;
  /** Private state of the kind of file. */
  data: unknown = undefined;
  /** Called when the last reference goes, before the file is released: who watches it without holding it (f_ep). */
  readonly watchers: Set<() => void> = new Set();
  /** Readahead state (file_ra_state): start, size, async part in pages; position of the last read in bytes, −1 at open. */
  raStart = 0;
  raSize = 0;
  raAsync = 0;
  raPrev = -1;
  raMmapMiss = 0;
  /** Largest readahead window of this description (pages): POSIX_FADV and file system set it. */
  raPages: number;
  /** POSIX_FADV_RANDOM: a read that is not cached gets what it asked for, and no more (FMODE_RANDOM). */
  readsRandomly = false;
  /** Transfers may ask not to wait (FMODE_NOWAIT). */
  canNowait: boolean;
  /** F_SETFL may set O_DIRECT. */
  canDirect: boolean;

  /** @param ops what the file does where that is not what its inode says (alloc_file_clone) */
  constructor(
    dentry: Dentry,
    inode: Inode,
    mode: number,
    flags: number,
    raPages: number,
    ops: FileOperations = inode.fops,
  ) {
    this.dentry = dentry;
    this.inode = inode;
    this.ops = (mode & FMODE_PATH) === 0 ? ops : PATH_OPS;
    this.mode = mode;
    this.flags = flags;
    this.raPages = raPages;
    this.canNowait = this.ops.canNowait === true;
    this.canDirect = this.ops.canDirect === true;
    this.wbErr = errseqSample(inode.mapping?.wbErr ?? 0);
    this.sbErr = errseqSample(inode.sb.bdi?.wbErr ?? 0);
    igrab(inode);
  }

  /** It was opened by a path, and may write: nobody executes it from now on until it is closed (FMODE_WRITER). */
  becomeWriter(): void {
    this.isWriter = true;
    this.inode.writers++;
  }

  get mapping(): AddressSpace {
    const mapping = this.inode.mapping;
    if (mapping === null) throw new TypeError("this kind of file has no page cache");
    return mapping;
  }

  get movesAlone(): boolean {
    return this.ops.placesMappings === true && this.inode.sb.hugePageSize === undefined;
  }

  /** The path that maps shows. */
  get path(): string {
    return dPath(this.dentry);
  }

  get(): void {
    this.refs++;
  }

  put(): void {
    this.refs--;
    if (this.refs < 0) throw new BugError("File.put", `"${this.dentry.name}" has ${this.refs} references`);
    if (this.refs > 0) return;
    if (this.isWriter) this.inode.writers--;
    if (this.openFiles !== undefined) this.openFiles.files--;
    for (const forget of [...this.watchers]) forget();
    removeFileLocks(this);
    this.ops.release?.(this);
    iput(this.inode);
  }
}

/** An O_PATH description can be named, stat'ed and walked from, and nothing else (empty_fops). */
const PATH_OPS: FileOperations = {};

/** The open file behind a mapping. Precondition: the mapping has one. */
export function fileOf(vma: VmArea): File {
  if (!(vma.file instanceof File)) throw new BugError("fileOf", "the mapping has no file");
  return vma.file;
}
