/**
 * Process: one process, as TypeScript sees it: its memory, and the system calls by their Linux names.
 *
 * Every call takes Linux's arguments and constants and answers what Linux answers; where Linux would answer −1 and an
 * errno, it throws a LinuxError. Buffers are addresses in the process's memory, or byte arrays of the caller's.
 */

import { SIGKILL } from "../fault/mmu.ts";
import { UserIter } from "../fault/user-iter.ts";
import { ROOT_MEM_CGROUP } from "../frames/lruvec.ts";
import type { IpcChange } from "../ipc/ipc-permission.ts";
import type { ShmNamespace } from "../ipc/shm-namespace.ts";
import { type ShmidDs, shmidDs } from "../ipc/shm-segment.ts";
import type { Vaddr } from "../page.ts";
import { procMaps } from "../proc/maps.ts";
import type { TaskActivity } from "../proc/proc-task.ts";
import { sysBrk } from "../syscalls/brk.ts";
import { sysMkdirat, sysRenameat2, sysUnlinkat } from "../syscalls/directory.ts";
import { sysFtruncate, sysTruncate } from "../syscalls/file-size.ts";
import { sysMadvise } from "../syscalls/madvise.ts";
import { sysMincore } from "../syscalls/mincore.ts";
import { sysMlock, sysMlock2, sysMunlock } from "../syscalls/mlock.ts";
import { sysMlockall, sysMunlockall } from "../syscalls/mlockall.ts";
import { sysMmap } from "../syscalls/mmap.ts";
import { sysMprotect } from "../syscalls/mprotect.ts";
import { sysMremap } from "../syscalls/mremap.ts";
import { sysMseal } from "../syscalls/mseal.ts";
import { sysMsync } from "../syscalls/msync.ts";
import { sysMunmap } from "../syscalls/munmap.ts";
import { sysClose, sysDup, sysMemfdCreate, sysOpenat } from "../syscalls/open.ts";
import { pidfdGetTask, sysPidfdGetfd, sysPidfdOpen } from "../syscalls/pidfd.ts";
import { sysProcessMadvise } from "../syscalls/process-madvise.ts";
import { sysLseek, sysPread64, sysPwrite64, sysRead, sysWrite } from "../syscalls/read-write.ts";
import { sysRemapFilePages } from "../syscalls/remap-file-pages.ts";
import { applyRlimits, sysGetrlimit, sysSetrlimit } from "../syscalls/rlimit.ts";
import { sysShmat, sysShmdt, sysShmget } from "../syscalls/shm.ts";
import {
  type ShmInfo,
  type ShmInfo64,
  sysShmctlIpcInfo,
  sysShmctlLock,
  sysShmctlRmid,
  sysShmctlSet,
  sysShmctlShmInfo,
  sysShmctlStat,
  sysShmctlStatSlot,
  sysShmctlUnlock,
} from "../syscalls/shmctl.ts";
import { sysFstat, sysNewfstatat } from "../syscalls/stat.ts";
import { sysSwapoff, sysSwapon } from "../syscalls/swapon.ts";
import { sysFdatasync, sysFsync, sysSync, sysSyncFileRange, sysSyncfs } from "../syscalls/sync.ts";
import { FsContext, initialRlimits, type Rlimit, type Task } from "../syscalls/task.ts";
import { ECHILD, EINVAL, ESRCH } from "../uapi/errno.ts";
import { AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW } from "../uapi/fcntl.ts";
import {
  IPC_INFO,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  SHM_INFO,
  SHM_LOCK,
  SHM_STAT,
  SHM_STAT_ANY,
  SHM_UNLOCK,
} from "../uapi/ipc.ts";
import type { Stat } from "../vfs/attributes.ts";
import type { Capabilities } from "../vfs/capability.ts";
import { FdTable } from "../vfs/fd-table.ts";
import type { IovIter } from "../vfs/iov-iter.ts";
import { PollQueue } from "../vfs/poll-queue.ts";
import { MmActor } from "../vma/mm-actor.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { BytesIter } from "./bytes-iter.ts";
import { check, checkValue, LinuxError, OutOfMemoryError } from "./errors.ts";
import { FileTransfers } from "./file-transfers.ts";
import type { Kernel } from "./kernel.ts";
import type { MemoryCgroup } from "./memory-cgroup.ts";
import {
  applyCapabilities,
  becomeCurrent,
  exitProcess,
  forkProcess,
  newMm,
  reapChild,
  type Sharing,
  type WaitResult,
} from "./task-lifecycle.ts";

export interface SpawnOptions {
  /** Name in /proc/PID/comm. */
  readonly comm?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** How likely it is killed when memory is out: −1000 (never) … 1000. Default 0. */
  readonly oomScoreAdj?: number;
  /** The memory cgroup that pays for it. Default: the root. */
  readonly cgroup?: MemoryCgroup;
}

/** Leaves the flags as they are. */
const PERSONALITY_QUERY = 0xffffffff;

export class Process extends FileTransfers implements Task {
  readonly kernel: Kernel;
  readonly pid: number;
  comm: string;
  mm: MmStruct;
  files: FdTable;
  fs: FsContext;
  uid: number;
  gid: number;
  groups: readonly number[];
  capabilities: Capabilities | null;
  readonly rlimits: Rlimit[];
  readonly actor: MmActor = new MmActor();
  minFlt = 0;
  majFlt = 0;
  /** Peak resident set so far (pages), over all its address spaces. */
  maxRss = 0;
  /** Sums over children that were waited for. */
  childMinFlt = 0;
  childMajFlt = 0;
  childMaxRss = 0;
  /** How much likelier than its size says it is to be killed when memory is out: −1000 … 1000, and the least for a user. */
  oomScoreAdj: number;
  oomScoreAdjMin: number;
  /** It was chosen to be killed for its memory while it was running: it ends as soon as it is back from what it does. */
  isOomVictim = false;
  /** It ended so, or will. */
  wasKilledForMemory = false;
  isOomOrigin = false;
  /** Number of the memory cgroup that it is in: 0 for the root. */
  memcg: number;
  parent: Process | null;
  readonly children: Set<Process> = new Set();
  /** Children of descendants that end become this process's (PR_SET_CHILD_SUBREAPER). */
  isChildSubreaper = false;
  /** Filled in by whoever runs it. */
  activity: TaskActivity | null = null;
  /** Wait status once it has ended, null while it lives. */
  exitStatus: number | null = null;
  /** Told when it ends: pidfds are watched through it. */
  readonly exitQueue: PollQueue = new PollQueue();

  private constructor(
    kernel: Kernel,
    parent: Process | null,
    mm: MmStruct,
    files: FdTable,
    fs: FsContext,
    rlimits: Rlimit[],
    /** Whom it copies; its parent, but for CLONE_PARENT. */
    maker: Process | null,
    pid?: number,
  ) {
    super(kernel.mmu);
    this.kernel = kernel;
    this.pid = pid ?? kernel.allocPid();
    this.comm = maker?.comm ?? "";
    this.uid = maker?.uid ?? 0;
    this.gid = maker?.gid ?? 0;
    this.groups = maker?.groups ?? [];
    this.capabilities = maker?.capabilities ?? null;
    this.oomScoreAdj = maker?.oomScoreAdj ?? 0;
    this.oomScoreAdjMin = maker?.oomScoreAdjMin ?? 0;
    this.mm = mm;
    this.memcg = mm.memcg;
    this.files = files;
    this.fs = fs;
    this.rlimits = rlimits;
    this.actor.pid = this.pid;
    applyRlimits(this.actor, rlimits);
    applyCapabilities(this);
    this.actor.personality = maker?.actor.personality ?? 0;
    this.parent = parent;
    parent?.children.add(this);
    kernel.processes.set(this.pid, this);
  }

  /** For Kernel.spawn: a process without parent. */
  static spawn(kernel: Kernel, options: SpawnOptions): Process {
    const rlimits = initialRlimits();
    const actor = new MmActor();
    applyRlimits(actor, rlimits);
    const memcg = options.cgroup?.id ?? ROOT_MEM_CGROUP;
    kernel.phys.current = null;
    kernel.phys.chargeGroup = memcg;
    const mm = checkValue("spawn", newMm(kernel, actor, memcg));
    const root = kernel.mounts.root;
    const process = new Process(
      kernel,
      null,
      mm,
      new FdTable(),
      new FsContext(kernel.mounts, root, root),
      rlimits,
      null,
    );
    process.comm = options.comm ?? "";
    process.uid = options.uid ?? 0;
    process.gid = options.gid ?? 0;
    process.oomScoreAdj = options.oomScoreAdj ?? 0;
    applyCapabilities(process);
    mm.actor = process.actor;
    return process;
  }

  get ipc(): ShmNamespace {
    return this.kernel.ipc;
  }

  /** For forkProcess: a child in the given address space, with copies of what is not shared. */
  cloneWith(mm: MmStruct, { files, fs, parent, pid }: Sharing): Process {
    const rlimits = this.rlimits.map((limit) => ({ ...limit }));
    if (files === true) this.files.users++;
    return new Process(
      this.kernel,
      parent === true ? this.parent : this,
      mm,
      files === true ? this.files : this.files.clone(),
      fs === true ? this.fs : this.fs.clone(),
      rlimits,
      this,
      pid,
    );
  }

  get isDumpable(): boolean {
    return this.exitStatus !== null || this.mm.dumpable === 1;
  }

  /** It was waited for: its number is nobody's, or another's. */
  get isReaped(): boolean {
    return this.kernel.processes.get(this.pid) !== this;
  }

  // Memory

  /** mmap(2): maps `length` bytes and answers where. */
  mmap(addr: Vaddr, length: number, prot: number, flags: number, fd = -1, offset = 0): Vaddr {
    return check(
      "mmap",
      sysMmap(
        this.kernel.mmu,
        this.#live("mmap"),
        u64("mmap", addr),
        u64("mmap", length),
        prot,
        flags,
        fd,
        u64("mmap", offset),
      ),
    );
  }

  /** munmap(2): takes a range out of the address space; holes are fine. */
  munmap(addr: Vaddr, length: number): void {
    check("munmap", sysMunmap(this.#live("munmap"), u64("munmap", addr), u64("munmap", length)));
  }

  /** mprotect(2): PROT_… for a range of mappings. ENOMEM at a hole, EACCES beyond what the file allows. */
  mprotect(addr: Vaddr, length: number, prot: number): void {
    check(
      "mprotect",
      sysMprotect(
        this.kernel.mmu,
        this.#live("mprotect"),
        u64("mprotect", addr),
        u64("mprotect", length),
        prot,
      ),
    );
  }

  /** mremap(2): resizes or moves a mapping and answers where it is. */
  mremap(addr: Vaddr, oldSize: number, newSize: number, flags = 0, newAddr: Vaddr = 0): Vaddr {
    return check(
      "mremap",
      sysMremap(
        this.kernel.mmu,
        this.#live("mremap"),
        u64("mremap", addr),
        u64("mremap", oldSize),
        u64("mremap", newSize),
        flags,
        u64("mremap", newAddr),
      ),
    );
  }

  /** The raw system call: moves the break where that is possible, and answers where it is. brk(0) only asks. */
  brk(addr: Vaddr = 0): Vaddr {
    return sysBrk(this.kernel.mmu, this.#live("brk"), u64("brk", addr));
  }

  /** msync(2): with MS_SYNC the bytes written through shared mappings are in the file when this returns. */
  msync(addr: Vaddr, length: number, flags: number): void {
    check("msync", sysMsync(this.#live("msync"), u64("msync", addr), u64("msync", length), flags));
  }

  /** madvise(2): MADV_… for a range. */
  madvise(addr: Vaddr, length: number, advice: number): void {
    check(
      "madvise",
      sysMadvise(
        this.kernel.mmu,
        this.#live("madvise"),
        u64("madvise", addr),
        u64("madvise", length),
        advice,
      ),
    );
  }

  /** mincore(2): the residency byte of each page goes to memory at `vec`. */
  mincore(addr: Vaddr, length: number, vec: Vaddr): void {
    check(
      "mincore",
      sysMincore(
        this.kernel.mmu,
        this.#live("mincore"),
        u64("mincore", addr),
        u64("mincore", length),
        u64("mincore", vec),
      ),
    );
  }

  /** mlock(2): brings the range into memory, and keeps it there. */
  mlock(addr: Vaddr, length: number): void {
    check("mlock", sysMlock(this.kernel.mmu, this.#live("mlock"), u64("mlock", addr), u64("mlock", length)));
  }

  /** mlock2(2): as mlock; with MLOCK_ONFAULT pages are kept from their first use on. */
  mlock2(addr: Vaddr, length: number, flags: number): void {
    check(
      "mlock2",
      sysMlock2(this.kernel.mmu, this.#live("mlock2"), u64("mlock2", addr), u64("mlock2", length), flags),
    );
  }

  /** munlock(2): undoes mlock. */
  munlock(addr: Vaddr, length: number): void {
    check("munlock", sysMunlock(this.#live("munlock"), u64("munlock", addr), u64("munlock", length)));
  }

  /** mlockall(2): MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT. */
  mlockall(flags: number): void {
    check("mlockall", sysMlockall(this.kernel.mmu, this.#live("mlockall"), flags));
  }

  /** munlockall(2): undoes every mlock and mlockall. */
  munlockall(): void {
    check("munlockall", sysMunlockall(this.#live("munlockall")));
  }

  /** mseal(2): from now on the range can't be unmapped, moved, or given other rights. */
  mseal(addr: Vaddr, length: number, flags = 0): void {
    check("mseal", sysMseal(this.#live("mseal"), u64("mseal", addr), u64("mseal", length), flags));
  }

  /** remap_file_pages(2): shows the file's page `pgoff` and those behind it at `addr`. */
  remap_file_pages(addr: Vaddr, size: number, prot: number, pgoff: number, flags = 0): void {
    check(
      "remap_file_pages",
      sysRemapFilePages(
        this.kernel.mmu,
        this.#live("remap_file_pages"),
        u64("remap_file_pages", addr),
        u64("remap_file_pages", size),
        prot,
        u64("remap_file_pages", pgoff),
        flags,
      ),
    );
  }

  /** shmget(2): the id of the segment called `key`, or of a new one; IPC_PRIVATE makes one without a name. */
  shmget(key: number, size: number, flags: number): number {
    const task = this.#live("shmget");
    return check("shmget", sysShmget(task, integer("shmget", key) | 0, u64("shmget", size), flags));
  }

  /** shmat(2): maps the segment, at `addr` or (0) where there is room, and answers where. */
  shmat(shmid: number, addr: Vaddr = 0, flags = 0): Vaddr {
    return check(
      "shmat",
      sysShmat(this.kernel.mmu, this.#live("shmat"), integer("shmat", shmid) | 0, u64("shmat", addr), flags),
    );
  }

  /** shmdt(2): takes the mapping of a segment at `addr` away, or what is left of it. */
  shmdt(addr: Vaddr): void {
    check("shmdt", sysShmdt(this.#live("shmdt"), u64("shmdt", addr)));
  }

  /** shmctl(2): IPC_STAT tells of a segment; SHM_STAT and SHM_STAT_ANY of the one in a slot. */
  shmctl(shmid: number, command: typeof IPC_STAT | typeof SHM_STAT | typeof SHM_STAT_ANY): ShmidDs;
  /** IPC_SET gives it another owner and other permissions. */
  shmctl(shmid: number, command: typeof IPC_SET, change: IpcChange): void;
  /** IPC_RMID ends it, with its last attachment; SHM_LOCK keeps it in memory until SHM_UNLOCK. */
  shmctl(shmid: number, command: typeof IPC_RMID | typeof SHM_LOCK | typeof SHM_UNLOCK): void;
  /** IPC_INFO tells the limits, whatever the first argument is. */
  shmctl(shmid: number, command: typeof IPC_INFO): ShmInfo64;
  /** SHM_INFO tells how much there is of all segments together. */
  shmctl(shmid: number, command: typeof SHM_INFO): ShmInfo;
  shmctl(
    shmid: number,
    command: number,
    change: IpcChange = { uid: -1, gid: -1, mode: 0 },
  ): ShmidDs | ShmInfo64 | ShmInfo | undefined {
    const task = this.#live("shmctl");
    const id = integer("shmctl", shmid) | 0;
    switch (command) {
      case IPC_STAT:
        return shmidDs(checkValue("shmctl", sysShmctlStat(task, id)));
      case SHM_STAT:
      case SHM_STAT_ANY:
        return shmidDs(checkValue("shmctl", sysShmctlStatSlot(task, id, command === SHM_STAT_ANY)));
      case IPC_INFO:
        return sysShmctlIpcInfo(task);
      case SHM_INFO:
        return sysShmctlShmInfo(task);
      case IPC_SET:
        check("shmctl", sysShmctlSet(task, id, change));
        return undefined;
      case IPC_RMID:
        check("shmctl", sysShmctlRmid(task, id));
        return undefined;
      case SHM_LOCK:
        check("shmctl", sysShmctlLock(task, id));
        return undefined;
      case SHM_UNLOCK:
        check("shmctl", sysShmctlUnlock(task, id));
        return undefined;
      default:
        throw new LinuxError("shmctl", EINVAL, `no command ${command}`);
    }
  }

  /** getrlimit(2): soft and hard limit, Infinity for none. */
  getrlimit(resource: number): Rlimit {
    return checkValue("getrlimit", sysGetrlimit(this.#live("getrlimit"), resource));
  }

  /** setrlimit(2): RLIMIT_… for this process; Infinity for no limit. */
  setrlimit(resource: number, limit: Readonly<Rlimit>): void {
    check("setrlimit", sysSetrlimit(this.#live("setrlimit"), resource, limit));
  }

  // Files

  /** open(2): a descriptor for `path`, relative to the working directory. */
  open(path: string, flags: number, mode = 0): number {
    return check("open", sysOpenat(this.#live("open"), AT_FDCWD, path, flags, mode), path);
  }

  /** openat(2): as open, relative to the directory behind `dirfd`. */
  openat(dirfd: number, path: string, flags: number, mode = 0): number {
    return check("openat", sysOpenat(this.#live("openat"), dirfd, path, flags, mode), path);
  }

  /** close(2). Memory mapped from the file stays mapped. */
  close(fd: number): void {
    check("close", sysClose(this.#live("close"), fd));
  }

  /** dup(2): a further descriptor for the same open file. */
  dup(fd: number): number {
    return check("dup", sysDup(this.#live("dup"), fd));
  }

  /** memfd_create(2): a descriptor for memory that looks like a file. */
  memfd_create(name: string, flags = 0): number {
    return check("memfd_create", sysMemfdCreate(this.#live("memfd_create"), name, flags), name);
  }

  /** read(2) into memory at an address, or into a byte array; answers how many bytes, 0 at the end. */
  read(fd: number, buffer: Vaddr | Uint8Array, count?: number): number {
    return check("read", sysRead(this.#live("read"), fd, this.#iter("read", buffer, count)));
  }

  /** write(2) from memory at an address, or from a byte array; answers how many bytes. */
  write(fd: number, buffer: Vaddr | Uint8Array, count?: number): number {
    return check("write", sysWrite(this.#live("write"), fd, this.#iter("write", buffer, count)));
  }

  /** pread(2): as read, from byte `offset`, without moving the position. */
  pread(fd: number, buffer: Vaddr | Uint8Array, count: number | undefined, offset: number): number {
    return check(
      "pread64",
      sysPread64(this.#live("pread64"), fd, this.#iter("pread64", buffer, count), integer("pread64", offset)),
    );
  }

  /** pwrite(2): as write, to byte `offset`, without moving the position. */
  pwrite(fd: number, buffer: Vaddr | Uint8Array, count: number | undefined, offset: number): number {
    return check(
      "pwrite64",
      sysPwrite64(
        this.#live("pwrite64"),
        fd,
        this.#iter("pwrite64", buffer, count),
        integer("pwrite64", offset),
      ),
    );
  }

  /** lseek(2): moves the position (SEEK_…) and answers it, in bytes. */
  lseek(fd: number, offset: number, whence: number): number {
    return check("lseek", sysLseek(this.#live("lseek"), fd, integer("lseek", offset), whence));
  }

  /** ftruncate(2): gives the file a length in bytes. Pages past a shorter end vanish from every mapping. */
  ftruncate(fd: number, length: number): void {
    check("ftruncate", sysFtruncate(this.#live("ftruncate"), fd, integer("ftruncate", length)));
  }

  /** truncate(2): ftruncate by path. */
  truncate(path: string, length: number): void {
    check("truncate", sysTruncate(this.#live("truncate"), path, integer("truncate", length)), path);
  }

  /** fsync(2): the file is in storage when this returns. Throws EIO, ENOSPC … once for an error of write-back. */
  fsync(fd: number): void {
    check("fsync", sysFsync(this.#live("fsync"), fd));
  }

  /** fdatasync(2): fsync without the times. */
  fdatasync(fd: number): void {
    check("fdatasync", sysFdatasync(this.#live("fdatasync"), fd));
  }

  /** sync(2): everything is in storage when this returns. It reports nothing. */
  sync(): void {
    check("sync", sysSync(this.#live("sync")));
  }

  /** syncfs(2): as sync, for the file system of `fd`. Throws once what failed on any of its files since `fd` was opened. */
  syncfs(fd: number): void {
    check("syncfs", sysSyncfs(this.#live("syncfs"), fd));
  }

  /** sync_file_range(2): starts or waits for write-back of bytes (SYNC_FILE_RANGE_…); neither size nor times. */
  sync_file_range(fd: number, offset: number, nbytes: number, flags: number): void {
    check(
      "sync_file_range",
      sysSyncFileRange(
        this.#live("sync_file_range"),
        fd,
        integer("sync_file_range", offset),
        integer("sync_file_range", nbytes),
        flags,
      ),
    );
  }

  /** swapon(2): makes a file with a swap header an area of swap; `flags` are SWAP_FLAG_… */
  swapon(path: string, flags = 0): void {
    check("swapon", sysSwapon(this.#live("swapon"), path, flags), path);
  }

  /** swapoff(2): brings back all that the area holds. */
  swapoff(path: string): void {
    check("swapoff", sysSwapoff(this.#live("swapoff"), path), path);
  }

  /** fstat(2): size in bytes, times in nanoseconds since the epoch. */
  fstat(fd: number): Stat {
    return checkValue("fstat", sysFstat(this.#live("fstat"), fd));
  }

  /** stat(2): follows symbolic links. */
  stat(path: string): Stat {
    return checkValue("stat", sysNewfstatat(this.#live("stat"), AT_FDCWD, path, 0), path);
  }

  /** lstat(2): does not follow a symbolic link at the end. */
  lstat(path: string): Stat {
    return checkValue("lstat", sysNewfstatat(this.#live("lstat"), AT_FDCWD, path, AT_SYMLINK_NOFOLLOW), path);
  }

  /** mkdir(2). */
  mkdir(path: string, mode = 0o777): void {
    check("mkdir", sysMkdirat(this.#live("mkdir"), AT_FDCWD, path, mode), path);
  }

  /** unlink(2): removes a name; the file lives on while it is open or mapped. */
  unlink(path: string): void {
    check("unlink", sysUnlinkat(this.#live("unlink"), AT_FDCWD, path, 0), path);
  }

  /** rmdir(2). */
  rmdir(path: string): void {
    check("rmdir", sysUnlinkat(this.#live("rmdir"), AT_FDCWD, path, AT_REMOVEDIR), path);
  }

  /** rename(2): replaces what `to` names. */
  rename(from: string, to: string): void {
    check("rename", sysRenameat2(this.#live("rename"), AT_FDCWD, from, AT_FDCWD, to, 0), from);
  }

  // Life

  /** fork(2): a child with a copy of this process's memory, shared until either writes. */
  fork(): Process {
    return checkValue("fork", forkProcess(this.#live("fork")));
  }

  /**
   * clone(2): as fork, with what `sharing` names shared for good instead of copied. With `vm` both processes use one
   * address space, until one of them ends.
   */
  clone(sharing: Sharing = {}): Process {
    return checkValue("clone", forkProcess(this.#live("clone"), sharing));
  }

  /**
   * personality(2): sets the flags (ADDR_NO_RANDOMIZE = 0x40000, ADDR_COMPAT_LAYOUT = 0x200000, READ_IMPLIES_EXEC =
   * 0x400000) and answers the old ones; 0xffffffff only asks. What lies where is decided at the next exec.
   */
  personality(flags: number = PERSONALITY_QUERY): number {
    const { actor } = this.#live("personality");
    const old = actor.personality;
    if (flags !== PERSONALITY_QUERY) actor.personality = flags >>> 0;
    return old;
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

  // Other processes

  /** pidfd_open(2): a descriptor for the process with that number, which goes on to mean it. PIDFD_… flags. */
  pidfd_open(pid: number, flags = 0): number {
    return check("pidfd_open", sysPidfdOpen(this.kernel.processes, this.#live("pidfd_open"), pid, flags));
  }

  /** pidfd_getfd(2): the other process's open file behind its descriptor `targetFd`, as a descriptor here. */
  pidfd_getfd(pidfd: number, targetFd: number, flags = 0): number {
    const task = this.#live("pidfd_getfd");
    return check("pidfd_getfd", sysPidfdGetfd(this.kernel.processes, task, pidfd, targetFd, flags));
  }

  /**
   * process_madvise(2): MADV_… for ranges of the process that a pidfd (or PIDFD_SELF_…) stands for. Bytes advised.
   *
   * @param ranges address and length each
   */
  process_madvise(pidfd: number, ranges: readonly (readonly [Vaddr, number])[], advice: number): number {
    const task = this.#live("process_madvise");
    const { kernel } = this;
    const segments = ranges.map(([addr, length]) => ({
      base: u64("process_madvise", addr),
      len: u64("process_madvise", length),
    }));
    const target = pidfdGetTask(kernel.processes, task, pidfd);
    if (typeof target === "number") return check("process_madvise", target);
    const live = target.exitStatus === null ? target : undefined;
    return check("process_madvise", sysProcessMadvise(kernel.mmu, task, live, segments, advice));
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
    return new UserIter(this.kernel.mmu, this, [{ base: u64(call, buffer), len: u64(call, count) }]);
  }

  protected override caller(call: string): Task {
    return this.#live(call);
  }

  /**
   * This process, which a call is about to use: the kernel's entry (Kernel.enter). Throws ESRCH once it has ended: nothing
   * is left to work on.
   */
  #live(call: string): this {
    if (this.exitStatus === null) this.kernel.enter(this);
    if (this.exitStatus !== null) throw new LinuxError(call, ESRCH, "the process has ended");
    becomeCurrent(this);
    return this;
  }

  protected override afterRefusal(addr: Vaddr): void {
    if (this.isOomVictim) exitProcess(this, SIGKILL);
    if (this.wasKilledForMemory) throw new OutOfMemoryError(addr);
  }
}

/** An integer as the 64-bit register that Linux would see: a negative one wraps around. Anything else is EINVAL. */
function u64(call: string, value: number): number {
  return integer(call, value) < 0 ? value + 2 ** 64 : value;
}

function integer(call: string, value: number): number {
  if (!Number.isInteger(value)) throw new LinuxError(call, EINVAL, `${value} is not an integer`);
  return value;
}
