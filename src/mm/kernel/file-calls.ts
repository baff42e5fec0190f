/** The part of a process's system calls that is about files: opening and closing, bytes, names, and bringing them to storage. */

import { UserIter } from "../fault/user-iter.ts";
import type { Vaddr } from "../page.ts";
import { sysMkdirat, sysRenameat2, sysUnlinkat } from "../syscalls/directory.ts";
import { sysFtruncate, sysTruncate } from "../syscalls/file-size.ts";
import { sysClose, sysDup, sysMemfdCreate, sysOpenat } from "../syscalls/open.ts";
import { sysLseek, sysPread64, sysPwrite64, sysRead, sysWrite } from "../syscalls/read-write.ts";
import { sysFstat, sysNewfstatat } from "../syscalls/stat.ts";
import { sysSwapoff, sysSwapon } from "../syscalls/swapon.ts";
import { sysFdatasync, sysFsync, sysSync, sysSyncFileRange, sysSyncfs } from "../syscalls/sync.ts";
import type { Task } from "../syscalls/task.ts";
import { EINVAL } from "../uapi/errno.ts";
import { AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW } from "../uapi/fcntl.ts";
import type { Stat } from "../vfs/attributes.ts";
import type { IovIter } from "../vfs/iov-iter.ts";
import { BytesIter } from "./bytes-iter.ts";
import { integer, u64 } from "./call-arguments.ts";
import { check, checkValue, LinuxError } from "./errors.ts";
import { FileTransfers } from "./file-transfers.ts";

export abstract class FileCalls extends FileTransfers {
  /** open(2): a descriptor for `path`, relative to the working directory. A path that is not UTF-8: see decodeName. */
  open(path: string, flags: number, mode = 0): number {
    return check("open", sysOpenat(this.caller("open"), AT_FDCWD, path, flags, mode), path);
  }

  /** openat(2): as open, relative to the directory behind `dirfd`. */
  openat(dirfd: number, path: string, flags: number, mode = 0): number {
    return check("openat", sysOpenat(this.caller("openat"), dirfd, path, flags, mode), path);
  }

  /** close(2). Memory mapped from the file stays mapped. */
  close(fd: number): void {
    check("close", sysClose(this.caller("close"), fd));
  }

  /** dup(2): a further descriptor for the same open file. */
  dup(fd: number): number {
    return check("dup", sysDup(this.caller("dup"), fd));
  }

  /** memfd_create(2): a descriptor for memory that looks like a file. */
  memfd_create(name: string, flags = 0): number {
    return check("memfd_create", sysMemfdCreate(this.caller("memfd_create"), name, flags), name);
  }

  /** read(2) into memory at an address, or into a byte array; answers how many bytes, 0 at the end. */
  read(fd: number, buffer: Vaddr | Uint8Array, count?: number): number {
    const task = this.caller("read");
    return check("read", sysRead(task, fd, this.#iter("read", task, buffer, count)));
  }

  /** write(2) from memory at an address, or from a byte array; answers how many bytes. */
  write(fd: number, buffer: Vaddr | Uint8Array, count?: number): number {
    const task = this.caller("write");
    return check("write", sysWrite(task, fd, this.#iter("write", task, buffer, count)));
  }

  /** pread(2): as read, from byte `offset`, without moving the position. */
  pread(fd: number, buffer: Vaddr | Uint8Array, count: number | undefined, offset: number): number {
    const task = this.caller("pread64");
    const at = integer("pread64", offset);
    return check("pread64", sysPread64(task, fd, this.#iter("pread64", task, buffer, count), at));
  }

  /** pwrite(2): as write, to byte `offset`, without moving the position. */
  pwrite(fd: number, buffer: Vaddr | Uint8Array, count: number | undefined, offset: number): number {
    const task = this.caller("pwrite64");
    const at = integer("pwrite64", offset);
    return check("pwrite64", sysPwrite64(task, fd, this.#iter("pwrite64", task, buffer, count), at));
  }

  /** lseek(2): moves the position (SEEK_…) and answers it, in bytes. */
  lseek(fd: number, offset: number, whence: number): number {
    return check("lseek", sysLseek(this.caller("lseek"), fd, integer("lseek", offset), whence));
  }

  /** ftruncate(2): gives the file a length in bytes. Pages past a shorter end vanish from every mapping. */
  ftruncate(fd: number, length: number): void {
    check("ftruncate", sysFtruncate(this.caller("ftruncate"), fd, integer("ftruncate", length)));
  }

  /** truncate(2): ftruncate by path. */
  truncate(path: string, length: number): void {
    check("truncate", sysTruncate(this.caller("truncate"), path, integer("truncate", length)), path);
  }

  /** fsync(2): the file is in storage when this returns. Throws EIO, ENOSPC … once for an error of write-back. */
  fsync(fd: number): void {
    check("fsync", sysFsync(this.caller("fsync"), fd));
  }

  /** fdatasync(2): fsync without the times. */
  fdatasync(fd: number): void {
    check("fdatasync", sysFdatasync(this.caller("fdatasync"), fd));
  }

  /** sync(2): everything is in storage when this returns. It reports nothing. */
  sync(): void {
    check("sync", sysSync(this.caller("sync")));
  }

  /** syncfs(2): as sync, for the file system of `fd`. Throws once what failed on any of its files since `fd` was opened. */
  syncfs(fd: number): void {
    check("syncfs", sysSyncfs(this.caller("syncfs"), fd));
  }

  /** sync_file_range(2): starts or waits for write-back of bytes (SYNC_FILE_RANGE_…); neither size nor times. */
  sync_file_range(fd: number, offset: number, nbytes: number, flags: number): void {
    check(
      "sync_file_range",
      sysSyncFileRange(
        this.caller("sync_file_range"),
        fd,
        integer("sync_file_range", offset),
        integer("sync_file_range", nbytes),
        flags,
      ),
    );
  }

  /** swapon(2): makes a file with a swap header an area of swap; `flags` are SWAP_FLAG_… */
  swapon(path: string, flags = 0): void {
    check("swapon", sysSwapon(this.caller("swapon"), path, flags), path);
  }

  /** swapoff(2): brings back all that the area holds. */
  swapoff(path: string): void {
    check("swapoff", sysSwapoff(this.caller("swapoff"), path), path);
  }

  /** fstat(2): size in bytes, times in nanoseconds since the epoch. */
  fstat(fd: number): Stat {
    return checkValue("fstat", sysFstat(this.caller("fstat"), fd));
  }

  /** stat(2): follows symbolic links. */
  stat(path: string): Stat {
    return checkValue("stat", sysNewfstatat(this.caller("stat"), AT_FDCWD, path, 0), path);
  }

  /** lstat(2): does not follow a symbolic link at the end. */
  lstat(path: string): Stat {
    return checkValue(
      "lstat",
      sysNewfstatat(this.caller("lstat"), AT_FDCWD, path, AT_SYMLINK_NOFOLLOW),
      path,
    );
  }

  /** mkdir(2). */
  mkdir(path: string, mode = 0o777): void {
    check("mkdir", sysMkdirat(this.caller("mkdir"), AT_FDCWD, path, mode), path);
  }

  /** unlink(2): removes a name; the file lives on while it is open or mapped. */
  unlink(path: string): void {
    check("unlink", sysUnlinkat(this.caller("unlink"), AT_FDCWD, path, 0), path);
  }

  /** rmdir(2). */
  rmdir(path: string): void {
    check("rmdir", sysUnlinkat(this.caller("rmdir"), AT_FDCWD, path, AT_REMOVEDIR), path);
  }

  /** rename(2): replaces what `to` names. */
  rename(from: string, to: string): void {
    check("rename", sysRenameat2(this.caller("rename"), AT_FDCWD, from, AT_FDCWD, to, 0), from);
  }

  #iter(call: string, task: Task, buffer: Vaddr | Uint8Array, count: number | undefined): IovIter {
    if (typeof buffer !== "number") {
      const bytes = count === undefined ? buffer : buffer.subarray(0, count);
      return new BytesIter(this.mmu.phys.ram.u8, bytes);
    }
    if (count === undefined) throw new LinuxError(call, EINVAL, "a buffer by address needs a count");
    return new UserIter(this.mmu, task, [{ base: u64(call, buffer), len: u64(call, count) }]);
  }
}
