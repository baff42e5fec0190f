/**
 * Process: one process, as TypeScript sees it: its memory, and the system calls by their Linux names.
 *
 * Every call takes Linux's arguments and constants and answers what Linux answers; where Linux would answer −1 and an
 * errno, it throws a LinuxError. Buffers are addresses in the process's memory, or byte arrays of the caller's.
 */
import { UserIter } from "../fault/user-iter.ts";
import type { Vaddr } from "../page.ts";
import { procMaps } from "../proc/maps.ts";
import { sysBrk } from "../syscalls/brk.ts";
import { sysMkdirat, sysRenameat2, sysUnlinkat } from "../syscalls/directory.ts";
import { sysFtruncate, sysTruncate } from "../syscalls/file-size.ts";
import { sysMadvise } from "../syscalls/madvise.ts";
import { sysMincore } from "../syscalls/mincore.ts";
import { sysMmap } from "../syscalls/mmap.ts";
import { sysMprotect } from "../syscalls/mprotect.ts";
import { sysMremap } from "../syscalls/mremap.ts";
import { sysMsync } from "../syscalls/msync.ts";
import { sysMunmap } from "../syscalls/munmap.ts";
import { sysClose, sysDup, sysMemfdCreate, sysOpenat } from "../syscalls/open.ts";
import { sysLseek, sysPread64, sysPwrite64, sysRead, sysWrite } from "../syscalls/read-write.ts";
import { sysFstat, sysNewfstatat } from "../syscalls/stat.ts";
import { sysFdatasync, sysFsync } from "../syscalls/sync.ts";
import { FsContext, initialRlimits, type Rlimit, type Task } from "../syscalls/task.ts";
import { ECHILD, EINVAL } from "../uapi/errno.ts";
import { AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW } from "../uapi/fcntl.ts";
import type { Stat } from "../vfs/attributes.ts";
import { FdTable } from "../vfs/fd-table.ts";
import type { IovIter } from "../vfs/iov-iter.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { BytesIter } from "./bytes-iter.ts";
import { check, checkValue, LinuxError } from "./errors.ts";
import type { Kernel } from "./kernel.ts";
import { MemoryAccess } from "./memory-access.ts";
import { exitProcess, forkProcess, newMm, reapChild, type WaitResult } from "./task-lifecycle.ts";

export interface SpawnOptions {
  /** Name in /proc/PID/comm. */
  readonly comm?: string;
  readonly uid?: number;
  readonly gid?: number;
}

export class Process extends MemoryAccess implements Task {
  readonly kernel: Kernel;
  readonly pid: number;
  comm: string;
  mm: MmStruct;
  files: FdTable;
  fs: FsContext;
  uid: number;
  gid: number;
  readonly rlimits: Rlimit[];
  minFlt = 0;
  majFlt = 0;
  /** Peak resident set so far (pages), over all its address spaces. */
  maxRss = 0;
  /** Sums over children that were waited for. */
  childMinFlt = 0;
  childMajFlt = 0;
  childMaxRss = 0;
  parent: Process | null;
  readonly children: Set<Process> = new Set();
  /** Wait status once it has ended, null while it lives. */
  exitStatus: number | null = null;

  private constructor(
    kernel: Kernel,
    parent: Process | null,
    mm: MmStruct,
    files: FdTable,
    fs: FsContext,
    rlimits: Rlimit[],
  ) {
    super(kernel.mmu);
    this.kernel = kernel;
    this.pid = kernel.allocPid();
    this.comm = parent?.comm ?? "";
    this.uid = parent?.uid ?? 0;
    this.gid = parent?.gid ?? 0;
    this.mm = mm;
    this.files = files;
    this.fs = fs;
    this.rlimits = rlimits;
    this.parent = parent;
    parent?.children.add(this);
    kernel.processes.set(this.pid, this);
  }

  /** For Kernel.spawn: a process without parent. */
  static spawn(kernel: Kernel, options: SpawnOptions): Process {
    const rlimits = initialRlimits();
    const mm = checkValue("spawn", newMm(kernel, rlimits));
    const root = kernel.mounts.root;
    const process = new Process(
      kernel,
      null,
      mm,
      new FdTable(),
      new FsContext(kernel.mounts, root, root),
      rlimits,
    );
    process.comm = options.comm ?? "";
    process.uid = options.uid ?? 0;
    process.gid = options.gid ?? 0;
    return process;
  }

  /** For fork: a child with copies of everything but the address space, which is given. */
  cloneWith(mm: MmStruct): Process {
    const rlimits = this.rlimits.map((limit) => ({ ...limit }));
    return new Process(this.kernel, this, mm, this.files.clone(), this.fs.clone(), rlimits);
  }

  // Memory

  /** mmap(2): maps `length` bytes and answers where. */
  mmap(addr: Vaddr, length: number, prot: number, flags: number, fd = -1, offset = 0): Vaddr {
    return check("mmap", sysMmap(this.kernel.mmu, this, addr, length, prot, flags, fd, offset));
  }

  munmap(addr: Vaddr, length: number): void {
    check("munmap", sysMunmap(this, addr, length));
  }

  mprotect(addr: Vaddr, length: number, prot: number): void {
    check("mprotect", sysMprotect(this.kernel.mmu, this, addr, length, prot));
  }

  /** mremap(2): resizes or moves a mapping and answers where it is. */
  mremap(addr: Vaddr, oldSize: number, newSize: number, flags = 0, newAddr: Vaddr = 0): Vaddr {
    return check("mremap", sysMremap(this.kernel.mmu, this, addr, oldSize, newSize, flags, newAddr));
  }

  /** The raw system call: moves the break where that is possible, and answers where it is. brk(0) only asks. */
  brk(addr: Vaddr = 0): Vaddr {
    return sysBrk(this.kernel.mmu, this, addr);
  }

  msync(addr: Vaddr, length: number, flags: number): void {
    check("msync", sysMsync(this, addr, length, flags));
  }

  madvise(addr: Vaddr, length: number, advice: number): void {
    check("madvise", sysMadvise(this.kernel.mmu, this, addr, length, advice));
  }

  /** mincore(2): the residency byte of each page goes to memory at `vec`. */
  mincore(addr: Vaddr, length: number, vec: Vaddr): void {
    check("mincore", sysMincore(this.kernel.mmu, this, addr, length, vec));
  }

  // Files

  /** open(2): a descriptor for `path`, relative to the working directory. */
  open(path: string, flags: number, mode = 0): number {
    return check("open", sysOpenat(this, AT_FDCWD, path, flags, mode), path);
  }

  openat(dirfd: number, path: string, flags: number, mode = 0): number {
    return check("openat", sysOpenat(this, dirfd, path, flags, mode), path);
  }

  close(fd: number): void {
    check("close", sysClose(this, fd));
  }

  dup(fd: number): number {
    return check("dup", sysDup(this, fd));
  }

  /** memfd_create(2): a descriptor for memory that looks like a file. */
  memfd_create(name: string, flags = 0): number {
    return check("memfd_create", sysMemfdCreate(this, name, flags), name);
  }

  /** read(2) into memory at an address, or into a byte array; answers how many bytes, 0 at the end. */
  read(fd: number, buffer: Vaddr | Uint8Array, count?: number): number {
    return check("read", sysRead(this, fd, this.#iter("read", buffer, count)));
  }

  /** write(2) from memory at an address, or from a byte array; answers how many bytes. */
  write(fd: number, buffer: Vaddr | Uint8Array, count?: number): number {
    return check("write", sysWrite(this, fd, this.#iter("write", buffer, count)));
  }

  pread(fd: number, buffer: Vaddr | Uint8Array, count: number | undefined, offset: number): number {
    return check("pread64", sysPread64(this, fd, this.#iter("pread64", buffer, count), offset));
  }

  pwrite(fd: number, buffer: Vaddr | Uint8Array, count: number | undefined, offset: number): number {
    return check("pwrite64", sysPwrite64(this, fd, this.#iter("pwrite64", buffer, count), offset));
  }

  lseek(fd: number, offset: number, whence: number): number {
    return check("lseek", sysLseek(this, fd, offset, whence));
  }

  ftruncate(fd: number, length: number): void {
    check("ftruncate", sysFtruncate(this, fd, length));
  }

  truncate(path: string, length: number): void {
    check("truncate", sysTruncate(this, path, length), path);
  }

  fsync(fd: number): void {
    check("fsync", sysFsync(this, fd));
  }

  fdatasync(fd: number): void {
    check("fdatasync", sysFdatasync(this, fd));
  }

  fstat(fd: number): Stat {
    return checkValue("fstat", sysFstat(this, fd));
  }

  stat(path: string): Stat {
    return checkValue("stat", sysNewfstatat(this, AT_FDCWD, path, 0), path);
  }

  lstat(path: string): Stat {
    return checkValue("lstat", sysNewfstatat(this, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW), path);
  }

  mkdir(path: string, mode = 0o777): void {
    check("mkdir", sysMkdirat(this, AT_FDCWD, path, mode), path);
  }

  unlink(path: string): void {
    check("unlink", sysUnlinkat(this, AT_FDCWD, path, 0), path);
  }

  rmdir(path: string): void {
    check("rmdir", sysUnlinkat(this, AT_FDCWD, path, AT_REMOVEDIR), path);
  }

  rename(from: string, to: string): void {
    check("rename", sysRenameat2(this, AT_FDCWD, from, AT_FDCWD, to, 0), from);
  }

  // Life

  /** fork(2): a child with a copy of this process's memory, shared until either writes. */
  fork(): Process {
    return checkValue("fork", forkProcess(this));
  }

  /** _exit(2): ends the process; its memory and descriptors are gone. */
  exit(code = 0): void {
    exitProcess(this, (code & 0xff) << 8);
  }

  /**
   * wait4(2): a child that has ended. Throws ECHILD without children; null when none has ended yet, since a caller in
   * the same thread can't wait for it.
   */
  wait(pid = -1): WaitResult | null {
    const result = reapChild(this, pid);
    if (typeof result === "number") throw new LinuxError("wait4", ECHILD);
    return result;
  }

  /** What /proc/PID/maps shows. */
  maps(): string {
    return procMaps(this.mm);
  }

  #iter(call: string, buffer: Vaddr | Uint8Array, count: number | undefined): IovIter {
    if (typeof buffer !== "number") {
      const bytes = count === undefined ? buffer : buffer.subarray(0, count);
      return new BytesIter(this.kernel.phys.ram.u8, bytes);
    }
    if (count === undefined) throw new LinuxError(call, EINVAL, "a buffer by address needs a count");
    return new UserIter(this.kernel.mmu, this, [{ base: buffer, len: count }]);
  }
}
