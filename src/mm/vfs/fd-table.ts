/**
 * The descriptors of a process (files_struct): small numbers for open files.
 *
 * Each entry holds a reference to its file; dup and fork add references to the same file, which is why a position is
 * shared between them. A new descriptor is always the lowest free one.
 */
import { EBADF, EMFILE, ENFILE } from "../uapi/errno.ts";
import { type File, FMODE_PATH } from "./file.ts";
import { removePosixLocks } from "./file-lock.ts";
import type { OpenFiles } from "./open-files.ts";

export class FdTable {
  readonly #files: (File | undefined)[] = [];
  /** A bit for each descriptor (close_on_exec). */
  #cloexec: Uint32Array = new Uint32Array(2);
  /** Open descriptors. */
  #size = 0;
  /** No descriptor below this one is free. */
  #lowest = 0;
  /** Files that a call which has waited goes on with, whatever their descriptors are by now. */
  #standIns: Map<number, File> | undefined;
  /** Tasks that share the table (CLONE_FILES). */
  users = 1;

  /**
   * Gives `file` the lowest free descriptor from `min` on, and takes over the caller's reference. -EMFILE (the
   * reference stays the caller's) when that is not below `limit`, the soft RLIMIT_NOFILE.
   */
  alloc(file: File, cloexec: boolean, limit: number, min = 0): number {
    let fd = Math.max(min, this.#lowest);
    while (this.#files[fd] !== undefined) fd++;
    if (fd >= limit) return -EMFILE;
    if (file.openFiles?.mayHave(1) === false) return -ENFILE;
    this.#install(fd, file, cloexec);
    if (min <= this.#lowest) this.#lowest = fd + 1;
    return fd;
  }

  get size(): number {
    return this.#size;
  }

  /** Whether a descriptor below `limit` is free. */
  hasRoom(limit: number): boolean {
    if (this.#size < limit && this.#files.length < limit) return true;
    while (this.#files[this.#lowest] !== undefined) this.#lowest++;
    return this.#lowest < limit;
  }

  /** Counts a file that was not until now, with this descriptor of it. */
  count(fd: number, openFiles: OpenFiles): void {
    const file = this.#files[fd];
    if (file === undefined) return;
    file.openFiles = openFiles;
    openFiles.files++;
    openFiles.descriptors++;
  }

  /** The file of a descriptor, O_PATH ones included; undefined when it is not open. */
  get(fd: number): File | undefined {
    return this.#standIns?.get(fd) ?? this.#files[fd];
  }

  /** `get` answers this file for the descriptor, until `endStandIns`. */
  standIn(fd: number, file: File): void {
    this.#standIns ??= new Map();
    this.#standIns.set(fd, file);
  }

  endStandIns(): void {
    this.#standIns = undefined;
  }

  /** 0, or what the file's flush answers; the descriptor is gone in any case. */
  close(fd: number): number {
    const file = this.#files[fd];
    if (file === undefined) return -EBADF;
    this.takeBack(fd);
    return this.#closeFile(file);
  }

  /** Takes back what `alloc` gave: the reference is the caller's again (put_unused_fd). Precondition: nobody knows of it yet. */
  takeBack(fd: number): void {
    this.#uncount(this.#files[fd]);
    this.#files[fd] = undefined;
    this.setCloexec(fd, false);
    if (fd < this.#lowest) this.#lowest = fd;
  }

  /** Makes `newFd` another descriptor of `oldFd`'s file, closing what it was. Preconditions: oldFd is open, newFd < limit. */
  dup2(oldFd: number, newFd: number, cloexec: boolean): number {
    const file = this.#files[oldFd];
    if (file === undefined) return -EBADF;
    if (file.openFiles?.mayHave(1) === false) return -ENFILE;
    file.get();
    const replaced = this.#files[newFd];
    this.#install(newFd, file, cloexec);
    // Errors of that close go unseen, as dup2(2) warns.
    if (replaced !== undefined) this.#closeFile(replaced);
    return newFd;
  }

  isCloexec(fd: number): boolean {
    return ((this.#cloexec[fd >>> 5] ?? 0) & (1 << (fd & 31))) !== 0;
  }

  setCloexec(fd: number, cloexec: boolean): void {
    const word = fd >>> 5;
    if (word >= this.#cloexec.length) {
      if (!cloexec) return;
      const larger = new Uint32Array(Math.max(word + 1, 2 * this.#cloexec.length));
      larger.set(this.#cloexec);
      this.#cloexec = larger;
    }
    if (cloexec) this.#cloexec[word] |= 1 << (fd & 31);
    else this.#cloexec[word] &= ~(1 << (fd & 31));
  }

  /** The child's table at fork: the same files, with references of its own. */
  clone(): FdTable {
    const copy = new FdTable();
    for (const [fd, file] of this.entries()) {
      file.get();
      copy.#install(fd, file, this.isCloexec(fd));
    }
    copy.#lowest = this.#lowest;
    return copy;
  }

  /** exec: what is marked close-on-exec goes. */
  closeOnExec(): void {
    for (const [fd] of [...this.entries()]) if (this.isCloexec(fd)) this.close(fd);
  }

  /** exit: everything goes. */
  closeAll(): void {
    for (const [fd] of [...this.entries()]) this.close(fd);
  }

  /** Open descriptors in order. */
  *entries(): IterableIterator<readonly [number, File]> {
    for (let fd = 0; fd < this.#files.length; fd++) {
      const file = this.#files[fd];
      if (file !== undefined) yield [fd, file];
    }
  }

  #install(fd: number, file: File, cloexec: boolean): void {
    // Holes are filled in, so that the array stays a plain list.
    while (this.#files.length < fd) this.#files.push(undefined);
    this.#uncount(this.#files[fd]);
    this.#files[fd] = file;
    this.#size++;
    if (file.openFiles !== undefined) file.openFiles.descriptors++;
    this.setCloexec(fd, cloexec);
  }

  /** One of its descriptors is gone. */
  #uncount(file: File | undefined): void {
    if (file === undefined) return;
    this.#size--;
    if (file.openFiles !== undefined) file.openFiles.descriptors--;
  }

  /** filp_close: flush, give back locks, then drop the descriptor's reference. */
  #closeFile(file: File): number {
    const flushed = file.ops.flush?.(file) ?? 0;
    if ((file.mode & FMODE_PATH) === 0) removePosixLocks(file.inode, this);
    file.put();
    return flushed;
  }
}
