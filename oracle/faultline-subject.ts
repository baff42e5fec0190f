/** Faultline as a subject: a kernel of its own for each sequence, over real files, asked by the functions behind its system calls. */
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { encodeShmInfo, encodeShmInfo64, encodeShmidDs } from "../src/machine/abi/shm.ts";
import { copyFromUser, copyToUser } from "../src/mm/fault/uaccess.ts";
import { UserIter } from "../src/mm/fault/user-iter.ts";
import { BusError, SegmentationFault } from "../src/mm/kernel/errors.ts";
import { Kernel } from "../src/mm/kernel/kernel.ts";
import type { Process } from "../src/mm/kernel/process.ts";
import {
  becomeCurrent,
  execMm,
  exitProcess,
  forkProcess,
  reapChild,
  setBrk,
} from "../src/mm/kernel/task-lifecycle.ts";
import { validate } from "../src/mm/kernel/validate.ts";
import { PAGE_SIZE } from "../src/mm/page.ts";
import { numaMapsLine } from "../src/mm/proc/numa-maps.ts";
import { pagemapEntries } from "../src/mm/proc/pagemap.ts";
import { pagemapScan } from "../src/mm/proc/pagemap-scan.ts";
import { procFs } from "../src/mm/proc/proc-fs.ts";
import { procmapQuery } from "../src/mm/proc/procmap-query.ts";
import { smapsEntry } from "../src/mm/proc/smaps.ts";
import { devFs } from "../src/mm/shmem/dev-fs.ts";
import { tmpFs } from "../src/mm/shmem/tmpfs.ts";
import { sysBrk } from "../src/mm/syscalls/brk.ts";
import { sysGetdents, sysReadlinkat } from "../src/mm/syscalls/directory.ts";
import { sysFadvise64, sysReadahead } from "../src/mm/syscalls/fadvise.ts";
import { sysFallocate, sysFtruncate } from "../src/mm/syscalls/file-size.ts";
import { sysMadvise } from "../src/mm/syscalls/madvise.ts";
import { sysMincore } from "../src/mm/syscalls/mincore.ts";
import { sysMlock, sysMlock2, sysMunlock } from "../src/mm/syscalls/mlock.ts";
import { sysMlockall, sysMunlockall } from "../src/mm/syscalls/mlockall.ts";
import { sysMmap } from "../src/mm/syscalls/mmap.ts";
import { sysMprotect } from "../src/mm/syscalls/mprotect.ts";
import { sysMremap } from "../src/mm/syscalls/mremap.ts";
import { sysMseal } from "../src/mm/syscalls/mseal.ts";
import { sysMsync } from "../src/mm/syscalls/msync.ts";
import { sysMunmap } from "../src/mm/syscalls/munmap.ts";
import {
  sysClose,
  sysDup,
  sysDup2,
  sysFcntl,
  sysMemfdCreate,
  sysOpenat,
  sysPipe2,
} from "../src/mm/syscalls/open.ts";
import { pidfdGetTask, sysPidfdOpen } from "../src/mm/syscalls/pidfd.ts";
import { sysProcessMadvise } from "../src/mm/syscalls/process-madvise.ts";
import { sysProcessVmReadv, sysProcessVmWritev } from "../src/mm/syscalls/process-vm.ts";
import { sysLseek, sysPread64, sysPwrite64, sysRead, sysWrite } from "../src/mm/syscalls/read-write.ts";
import { sysRemapFilePages } from "../src/mm/syscalls/remap-file-pages.ts";
import { sysSetrlimit } from "../src/mm/syscalls/rlimit.ts";
import { sysShmat, sysShmdt, sysShmget } from "../src/mm/syscalls/shm.ts";
import {
  sysShmctlIpcInfo,
  sysShmctlLock,
  sysShmctlRmid,
  sysShmctlSet,
  sysShmctlShmInfo,
  sysShmctlStat,
  sysShmctlStatSlot,
  sysShmctlUnlock,
} from "../src/mm/syscalls/shmctl.ts";
import { sysFsync } from "../src/mm/syscalls/sync.ts";
import { EFAULT, EINVAL } from "../src/mm/uapi/errno.ts";
import {
  AT_FDCWD,
  O_CREAT,
  O_DIRECT,
  O_DIRECTORY,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
} from "../src/mm/uapi/fcntl.ts";
import { F_ADD_SEALS, F_GET_SEALS } from "../src/mm/uapi/fs.ts";
import {
  IPC_INFO,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  SHM_INFO,
  SHM_LOCK,
  SHM_STAT_ANY,
  SHM_UNLOCK,
} from "../src/mm/uapi/ipc.ts";
import * as mman from "../src/mm/uapi/mman.ts";
import { ADDR_NO_RANDOMIZE, READ_IMPLIES_EXEC } from "../src/mm/uapi/personality.ts";
import { FMODE_READ } from "../src/mm/vfs/file.ts";
import { pipeOf } from "../src/mm/vfs/pipe.ts";
import { X86_64 } from "../src/mm/vma/arch.ts";
import { nodeFs } from "../src/storage/node/index.ts";
import { CROWD_MAPPING, crowdRanges } from "./crowd.ts";
import {
  ARGUMENT_ADDRESS,
  ARGUMENT_LENGTH,
  CODE_ADDRESS,
  DATA_ADDRESS,
  executorImage,
  START_BREAK,
} from "./executor-image.ts";
import { importedSegments, isFileTransfer, transferOnFaultline } from "./file-transfers.ts";
import { hostArch, hostMinAddr } from "./host-arch.ts";
import { formatMapFiles, type MapFile, type Mapping, parseMaps } from "./maps.ts";
import type { Operation } from "./operation.ts";
import { COMMIT_KBYTES } from "./overcommit.ts";
import { pagemapScanAnswer, pagemapScanWords } from "./pagemap-scan-words.ts";
import { comparableStat, isStat } from "./segments.ts";
import {
  INITIAL_LIMITS,
  MEMFD_NAMES,
  NOBODY,
  NOEXEC_FD,
  NOEXEC_NAME,
  type Outcome,
  PROCMAP_QUERY_WORDS,
  SKIPPED,
  SLOTS,
  type Subject,
  storedBytes,
  withoutDevice,
} from "./subject.ts";
import {
  DISK_NAMES,
  FILE_NAMES,
  fileEnd,
  initialContent,
  MAX_FILE,
  makeTestFiles,
  modeOf,
  removeTestFiles,
  SHM_NAMES,
  takeTestFiles,
} from "./test-files.ts";

const MOUNT_POINT = "/files";
const NOEXEC_POINT = "/noexec";
/** Ample for what a sequence maps: no step shall fail for want of a frame. */
const RAM_BYTES: number = 64 * 2 ** 20;
/** As many mappings as all processes together can have at vm.max_map_count: that much RAM is behind the host's. */
const MAX_VMAS: number = SLOTS * 2 ** 17;
/** Accesses up to here are made byte by byte as a CPU makes them, through the TLB; longer ones as the kernel copies. */
const MAX_CPU_ACCESS = 16;

/** More than statm and smaps_rollup have. */
const PROC_TEXT_BYTES = 4096;

/** Steps between two runs of the validator, which costs far more than a step. */
const VALIDATE_EVERY = 25;

export class FaultlineSubject implements Subject {
  private readonly kernel: Kernel;
  private readonly directory: string;
  private readonly validateEvery: number;
  private steps = 0;
  /** The parents that wait, by the child they wait for. */
  private readonly vforkParents = new Map<Process, Process>();
  private readonly processes: (Process | undefined)[];
  /** Reads as root what /proc says of the others. */
  private readonly observer: Process;
  private readonly text = new Uint8Array(PROC_TEXT_BYTES);

  /**
   * @param isThorough run the validator after every step, and check that nobody writes to free frames
   * @param overcommit vm.overcommit_memory, if the host's was set, too
   */
  constructor(directory: string, isThorough: boolean, overcommit?: number) {
    this.validateEvery = isThorough ? 1 : VALIDATE_EVERY;
    this.directory = makeTestFiles(directory);
    this.kernel = new Kernel({
      ram: RAM_BYTES,
      arch: hostArch(),
      ...hostMinAddr(),
      poison: isThorough,
      thpSize: existsSync("/sys/kernel/mm/transparent_hugepage") ? 2 ** 21 : 0,
    });
    this.kernel.phys.maxVmas = MAX_VMAS;
    if (overcommit !== undefined) {
      this.kernel.phys.commit.kbytes = COMMIT_KBYTES;
      this.kernel.phys.commit.mode = overcommit;
    }
    this.kernel.sysctl.legacyVaLayout = Number(readFileSync("/proc/sys/vm/legacy_va_layout", "utf8"));
    this.kernel.mount(MOUNT_POINT, nodeFs(this.directory));
    this.kernel.mount("/dev", devFs({ random: (bytes) => this.kernel.random.fill(bytes) }));
    this.kernel.mount("/proc", procFs(this.kernel));
    this.makeShmFiles();
    const first = this.kernel.spawn({ comm: "oracle", uid: NOBODY, gid: NOBODY });
    this.processes = [first];
    first.personality(ADDR_NO_RANDOMIZE);
    if (process.getuid?.() === 0) this.openNoexec(first);
    for (const [resource, bytes] of INITIAL_LIMITS)
      sysSetrlimit(first, resource, { soft: bytes, hard: bytes });
    this.occupyExecutorAreas(first);
    this.observer = this.kernel.spawn({ comm: "observer" });
  }

  private openNoexec(first: Process): void {
    this.kernel.mount(NOEXEC_POINT, tmpFs(), { noExec: true });
    const root = this.kernel.spawn({ comm: "root" });
    root.fs.umask = 0;
    root.close(root.open(`${NOEXEC_POINT}/${NOEXEC_NAME}`, O_RDWR | O_CREAT, 0o666));
    exitProcess(root, 0);
    const fd = first.open(`${NOEXEC_POINT}/${NOEXEC_NAME}`, O_RDWR);
    sysDup2(first, fd, NOEXEC_FD);
    first.close(fd);
  }

  /** The files on tmpfs lie in the root. */
  private makeShmFiles(): void {
    const root = this.kernel.spawn({ comm: "root" });
    root.fs.umask = 0;
    for (const name of SHM_NAMES) {
      const fd = root.open(`/${name}`, O_RDWR | O_CREAT, modeOf(name));
      root.write(fd, initialContent(name));
    }
    exitProcess(root, 0);
  }

  /** What the host's executor has mapped for itself is in the way here, too, and the heap begins behind it. */
  private occupyExecutorAreas(task: Process): void {
    const flags = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS | mman.MAP_FIXED;
    const readWrite = mman.PROT_READ | mman.PROT_WRITE;
    const dataLength = ARGUMENT_ADDRESS + ARGUMENT_LENGTH - DATA_ADDRESS;
    task.mmap(DATA_ADDRESS, dataLength, readWrite, flags);
    copyToUser(this.kernel.mmu, task, ARGUMENT_ADDRESS, new Uint8Array(ARGUMENT_LENGTH));
    // Shared, because a page of a file never merges with the heap behind it either.
    const codeFlags = mman.MAP_SHARED | mman.MAP_ANONYMOUS | mman.MAP_FIXED;
    task.mmap(CODE_ADDRESS, START_BREAK - CODE_ADDRESS, mman.PROT_READ | mman.PROT_EXEC, codeFlags);
    // RLIMIT_DATA counts what lies between the ends of a program's data: of the executor, its only segment.
    task.mm.startData = CODE_ADDRESS;
    task.mm.endData = CODE_ADDRESS + executorImage().length;
    setBrk(task, START_BREAK);
  }

  isAlive(slot: number): boolean {
    const process = this.processes[slot];
    return process !== undefined && !this.waitsForVfork(process);
  }

  isFree(slot: number): boolean {
    return this.processes[slot] === undefined;
  }

  private waitsForVfork(process: Process): boolean {
    return [...this.vforkParents.values()].some((parent) => parent === process);
  }

  perform(operation: Operation): Outcome {
    const task = this.processes[operation.process];
    const before = task?.minFlt ?? 0;
    if (task !== undefined) becomeCurrent(task);
    const outcome = this.performUnchecked(operation);
    if (task !== undefined) outcome.faults = task.minFlt - before;
    if (++this.steps % this.validateEvery === 0) this.validate();
    return outcome;
  }

  private validate(): void {
    const wrong = validate(this.kernel);
    if (wrong.length > 0) throw new Error(`the validator found:\n${wrong.join("\n")}`);
  }

  private performUnchecked(operation: Operation): { -readonly [key in keyof Outcome]: Outcome[key] } {
    const task = this.processes[operation.process];
    if (task === undefined) return { ...SKIPPED };
    const { call, args } = operation;
    switch (call) {
      case "load":
        return this.load(task, args[0], args[1]);
      case "store":
        return { result: this.store(task, args[0], storedBytes(args[1], args[2])) };
      case "peek": {
        const result = sysPread64(task, args[0], this.buffer(task, ARGUMENT_ADDRESS, args[1]), args[2]);
        return { result, bytes: task.readBytes(ARGUMENT_ADDRESS, Math.max(0, result)) };
      }
      case "mincore":
        return this.mincore(task, args[0], args[1], args[2]);
      case "process_vm_readv":
      case "process_vm_writev":
        return this.transfer(task, call, args);
      case "process_madvise":
        return this.adviseOther(task, args);
      case "pidfd_open": {
        const target = this.processes[args[0]];
        if (target === undefined) return SKIPPED;
        return { result: sysPidfdOpen(this.kernel.processes, task, target.pid, args[1]) };
      }
      case "pidfd_madvise":
        return { result: this.adviseByPidfd(task, args) };
      case "pipe2":
        return this.pipe(task, args[0]);
      case "shmctl":
        return this.segmentControl(task, args);
      case "procmap_query":
        return this.queryMap(task, args[0], args[1]);
      case "pagemap_scan":
        return this.scanPagemap(task, args);
      case "dumpable":
        if (args[0] > 1) return { result: -EINVAL };
        task.mm.dumpable = args[0];
        return { result: 0 };
      case "mem_read":
      case "mem_write":
        return this.throughMem(task, call, args);
      case "clear_refs":
        return { result: this.clearRefs(task, args[0]) };
      case "personality":
        return { result: task.personality(args[0]) };
      case "crowd":
        return { result: this.crowd(task, args[0], args[1]) };
      case "fork":
      case "vfork":
      case "clone":
        return this.fork(call, task, args[0]);
      case "exec":
        return this.exec(task);
      case "exit":
        return this.exit(operation.process, task);
      default:
        if (isFileTransfer(call)) return transferOnFaultline(task, call, args);
        return { result: this.systemCall(task, operation) };
    }
  }

  private systemCall(task: Process, { call, args }: Operation): number {
    const { mmu } = this.kernel;
    switch (call) {
      case "mmap":
        return sysMmap(mmu, task, args[0], args[1], args[2], args[3], args[4], args[5]);
      case "munmap":
        return sysMunmap(task, args[0], args[1]);
      case "mprotect":
        return sysMprotect(mmu, task, args[0], args[1], args[2]);
      case "mremap":
        return sysMremap(mmu, task, args[0], args[1], args[2], args[3], args[4]);
      case "brk":
        return sysBrk(mmu, task, args[0]);
      case "msync":
        return sysMsync(task, args[0], args[1], args[2]);
      case "madvise":
        return sysMadvise(mmu, task, args[0], args[1], args[2]);
      case "mlock":
        return sysMlock(mmu, task, args[0], args[1]);
      case "mlock2":
        return sysMlock2(mmu, task, args[0], args[1], args[2]);
      case "munlock":
        return sysMunlock(task, args[0], args[1]);
      case "mlockall":
        return sysMlockall(mmu, task, args[0]);
      case "munlockall":
        return sysMunlockall(task);
      case "mseal":
        return sysMseal(task, args[0], args[1], args[2]);
      case "remap_file_pages":
        return sysRemapFilePages(mmu, task, args[0], args[1], args[2], args[3], args[4]);
      case "setrlimit":
        return sysSetrlimit(task, args[0], { soft: limitOf(args[1]), hard: limitOf(args[2]) });
      case "shmget":
        return sysShmget(task, args[0], args[1], args[2]);
      case "shmat":
        return sysShmat(mmu, task, args[0], args[1], args[2]);
      case "shmdt":
        return sysShmdt(task, args[0]);
      case "memfd_create":
        return sysMemfdCreate(task, MEMFD_NAMES[args[0]], args[1]);
      case "open":
        return sysOpenat(task, AT_FDCWD, pathOf(args[0]), args[1], 0);
      case "close":
        return sysClose(task, args[0]);
      case "read":
        return sysRead(task, args[0], this.buffer(task, args[1], args[2]));
      case "write":
        return sysWrite(task, args[0], this.buffer(task, args[1], args[2]));
      case "pread64":
        return sysPread64(task, args[0], this.buffer(task, args[1], args[2]), args[3]);
      case "pwrite64":
        return sysPwrite64(task, args[0], this.buffer(task, args[1], args[2]), args[3]);
      case "ftruncate":
        return sysFtruncate(task, args[0], args[1]);
      case "fsync":
        return sysFsync(task, args[0]);
      case "fallocate":
        return sysFallocate(task, args[0], args[1], args[2], args[3]);
      case "dup":
        return sysDup(task, args[0]);
      case "dup2":
        return sysDup2(task, args[0], args[1]);
      case "lseek":
        return sysLseek(task, args[0], args[1], args[2]);
      case "seals":
        return sysFcntl(task, args[0], args[1] === 0 ? F_GET_SEALS : F_ADD_SEALS, args[1]);
      case "fadvise64":
        return sysFadvise64(task, args[0], args[1], args[2], args[3]);
      case "readahead":
        return sysReadahead(task, args[0], args[1], args[2]);
      default:
        throw new Error(`Faultline can't ${call}`);
    }
  }

  private buffer(task: Process, base: number, len: number): UserIter {
    return new UserIter(this.kernel.mmu, task, [{ base, len }]);
  }

  private load(task: Process, addr: number, length: number): Outcome {
    if (addr + length > X86_64.taskSize) return { result: -EFAULT };
    const bytes = new Uint8Array(length);
    const done =
      length > MAX_CPU_ACCESS
        ? copyFromUser(this.kernel.mmu, task, addr, bytes)
        : countGood(length, (at) => {
            bytes[at] = task.loadU8(addr + at);
          });
    return done === 0 && length > 0
      ? { result: -EFAULT, bytes: new Uint8Array() }
      : { result: done, bytes: bytes.slice(0, done) };
  }

  private store(task: Process, addr: number, bytes: Uint8Array): number {
    const { length } = bytes;
    if (addr + length > X86_64.taskSize) return -EFAULT;
    const done =
      length > MAX_CPU_ACCESS
        ? copyToUser(this.kernel.mmu, task, addr, bytes)
        : countGood(length, (at) => task.storeU8(addr + at, bytes[at]));
    return done === 0 && length > 0 ? -EFAULT : done;
  }

  private mincore(task: Process, addr: number, length: number, vector: number): Outcome {
    const result = sysMincore(this.kernel.mmu, task, addr, length, vector || ARGUMENT_ADDRESS);
    if (result !== 0 || vector !== 0) return { result };
    return {
      result,
      bytes: task.readBytes(ARGUMENT_ADDRESS, Math.ceil(length / 4096)).map((byte) => byte & 1),
    };
  }

  private transfer(
    task: Process,
    call: "process_vm_readv" | "process_vm_writev",
    [slot, ...words]: readonly number[],
  ): Outcome {
    const target = this.processes[slot];
    if (target === undefined) return SKIPPED;
    const [local, remote] = [0, 2].map((side) =>
      Array.from({ length: words.length / 4 }, (_, at) => ({
        base: words[4 * at + side],
        len: words[4 * at + side + 1],
      })),
    );
    if ([...local, ...remote].some(({ len }) => len >= 2 ** 63)) return { result: -EINVAL };
    const own = importedSegments(local);
    if (typeof own === "number") return { result: own };
    const sides = { target, local: own, remote };
    const { mmu } = this.kernel;
    return {
      result:
        call === "process_vm_readv"
          ? sysProcessVmReadv(mmu, task, sides)
          : sysProcessVmWritev(mmu, task, sides),
    };
  }

  private adviseOther(task: Process, [slot, base, len, advice, ...more]: readonly number[]): Outcome {
    const target = this.processes[slot];
    if (target === undefined) return SKIPPED;
    const ranges = [{ base, len }];
    for (let at = 0; at < more.length; at += 2) ranges.push({ base: more[at], len: more[at + 1] });
    if (ranges.some((range) => range.len >= 2 ** 63)) return { result: -EINVAL };
    const own = importedSegments(ranges);
    if (typeof own === "number") return { result: own };
    return { result: sysProcessMadvise(this.kernel.mmu, task, target, own, advice) };
  }

  private adviseByPidfd(task: Process, [fd, base, len, advice, flags]: readonly number[]): number {
    if (flags !== 0) return -EINVAL;
    if (len >= 2 ** 63) return -EINVAL;
    const ranges = importedSegments([{ base, len }]);
    if (typeof ranges === "number") return ranges;
    const target = pidfdGetTask(this.kernel.processes, task, fd);
    if (typeof target === "number") return target;
    return sysProcessMadvise(this.kernel.mmu, task, target, ranges, advice);
  }

  private pipe(task: Process, flags: number): Outcome {
    const ends = sysPipe2(task, flags);
    if (typeof ends === "number") return { result: ends };
    const bytes = new Uint8Array(new Int32Array(ends).buffer);
    return { result: 0, bytes };
  }

  private queryMap(task: Process, addr: number, flags: number): Outcome {
    const query = new BigUint64Array(PROCMAP_QUERY_WORDS);
    query.set([BigInt(query.byteLength), BigInt(flags), BigInt(addr)]);
    copyToUser(this.kernel.mmu, task, ARGUMENT_ADDRESS, new Uint8Array(query.buffer));
    const result = procmapQuery(this.kernel.mmu, task, task.mm, ARGUMENT_ADDRESS);
    return { result, bytes: withoutDevice(task.readBytes(ARGUMENT_ADDRESS, query.byteLength)) };
  }

  private scanPagemap(task: Process, args: readonly number[]): Outcome {
    // Its own pagemap is root's then, and not for others to open.
    if (!task.isDumpable) return SKIPPED;
    const words = new BigUint64Array(pagemapScanWords(args).map(BigInt));
    copyToUser(this.kernel.mmu, task, ARGUMENT_ADDRESS, new Uint8Array(words.buffer));
    const result = pagemapScan(this.kernel.mmu, task, task.mm, ARGUMENT_ADDRESS);
    return { result, bytes: task.readBytes(ARGUMENT_ADDRESS, pagemapScanAnswer(args, result)) };
  }

  private throughMem(
    task: Process,
    call: "mem_read" | "mem_write",
    [slot, addr, length, first]: readonly number[],
  ): Outcome {
    const other = this.processes[slot];
    if (other === undefined) return SKIPPED;
    const fd = sysOpenat(task, AT_FDCWD, `/proc/${other.pid}/mem`, O_RDWR, 0);
    if (fd < 0) return { result: fd };
    if (call === "mem_write") copyToUser(this.kernel.mmu, task, ARGUMENT_ADDRESS, storedBytes(length, first));
    const buffer = this.buffer(task, ARGUMENT_ADDRESS, length);
    // An offset has a sign.
    const offset = addr < 2 ** 63 ? addr : addr - 2 ** 64;
    const result =
      call === "mem_read" ? sysPread64(task, fd, buffer, offset) : sysPwrite64(task, fd, buffer, offset);
    sysClose(task, fd);
    return {
      result,
      bytes: task.readBytes(ARGUMENT_ADDRESS, call === "mem_read" ? Math.max(0, result) : 0),
    };
  }

  private clearRefs(task: Process, kind: number): number {
    const fd = sysOpenat(task, AT_FDCWD, "/proc/self/clear_refs", O_WRONLY, 0);
    if (fd < 0) return fd;
    copyToUser(this.kernel.mmu, task, ARGUMENT_ADDRESS, new TextEncoder().encode(String(kind)));
    const result = sysWrite(task, fd, this.buffer(task, ARGUMENT_ADDRESS, 1));
    sysClose(task, fd);
    return result;
  }

  private crowd(task: Process, start: number, pages: number): number {
    const { mmu } = this.kernel;
    const made = sysMmap(mmu, task, start, pages * PAGE_SIZE, ...CROWD_MAPPING);
    if (made < 0) return made;
    let result = 0;
    for (const ranges of crowdRanges(start, pages)) {
      const segments = ranges.map(([base, len]) => ({ base, len }));
      result = sysProcessMadvise(mmu, task, task, segments, mman.MADV_DONTDUMP);
      if (result < 0) break;
    }
    return result;
  }

  private segmentControl(task: Process, [id, command, mode]: readonly number[]): Outcome {
    if (id < 0) return { result: -EINVAL };
    switch (command) {
      case IPC_RMID:
        return { result: sysShmctlRmid(task, id) };
      case IPC_SET:
        return { result: sysShmctlSet(task, id, { uid: NOBODY, gid: NOBODY, mode }) };
      case IPC_INFO: {
        const info = sysShmctlIpcInfo(task);
        return { result: info.maxSlot, bytes: encodeShmInfo64(info) };
      }
      case SHM_LOCK:
        return { result: sysShmctlLock(task, id) };
      case SHM_UNLOCK:
        return { result: sysShmctlUnlock(task, id) };
      case SHM_INFO: {
        const info = sysShmctlShmInfo(task);
        return { result: info.maxSlot, bytes: encodeShmInfo(info) };
      }
    }
    if (!isStat(command)) return { result: -EINVAL };
    const segment =
      command === IPC_STAT ? sysShmctlStat(task, id) : sysShmctlStatSlot(task, id, command === SHM_STAT_ANY);
    if (typeof segment === "number") return { result: segment };
    const slotOf = (pid: number): number => this.processes.findIndex((process) => process?.pid === pid);
    return {
      result: command === IPC_STAT ? 0 : segment.id,
      bytes: comparableStat(encodeShmidDs(segment), slotOf),
    };
  }

  private fork(call: "fork" | "vfork" | "clone", task: Process, slot: number): Outcome {
    if (!this.isFree(slot)) return SKIPPED;
    const child = forkProcess(task, { vm: call !== "fork" });
    if (typeof child === "number") return { result: child };
    this.processes[slot] = child;
    if (call === "vfork") this.vforkParents.set(child, task);
    return { result: 0 };
  }

  private exec(task: Process): Outcome {
    // x86-64 makes readable memory executable only for programs that ask for it themselves (set_personality_64bit).
    task.personality(task.personality() & ~READ_IMPLIES_EXEC);
    const result = execMm(task);
    if (result !== 0) return { result };
    task.files.closeOnExec();
    this.vforkParents.delete(task);
    this.occupyExecutorAreas(task);
    return { result };
  }

  private exit(slot: number, task: Process): Outcome {
    if (slot === 0) return SKIPPED;
    const { parent } = task;
    exitProcess(task, 0);
    this.vforkParents.delete(task);
    if (parent !== null) reapChild(parent, task.pid);
    this.processes[slot] = undefined;
    return { result: 0 };
  }

  maps(slot: number): readonly Mapping[] {
    return parseMaps(this.process(slot).maps(), [MOUNT_POINT, NOEXEC_POINT]);
  }

  figures(slot: number): readonly number[] {
    const { totalVm, lockedVm, dataVm, stackVm, pageTable } = this.process(slot).mm;
    // The top table is not counted.
    return [totalVm, lockedVm, dataVm, stackVm, pageTable.tables - 1].map((pages) => pages * 4);
  }

  smaps(slot: number): string {
    let text = "";
    for (const vma of this.process(slot).mm.vmas) text += smapsEntry(vma);
    return text;
  }

  smapsRollup(slot: number): string {
    return this.readProc(`${this.process(slot).pid}/smaps_rollup`);
  }

  statm(slot: number): string {
    return this.readProc(`${this.process(slot).pid}/statm`);
  }

  mapFiles(slot: number): readonly string[] {
    if (process.getuid?.() !== 0) return [];
    const directory = `/proc/${this.process(slot).pid}/map_files`;
    const { observer } = this;
    const fd = observer.open(directory, O_RDONLY | O_DIRECTORY);
    const files: MapFile[] = [];
    sysGetdents(observer, fd, ({ name }) => {
      if (name.startsWith(".")) return true;
      const path = `${directory}/${name}`;
      const target = sysReadlinkat(observer, AT_FDCWD, path);
      if (typeof target === "number") throw new Error(`readlink of ${path}: errno ${-target}`);
      files.push({ name, target, found: observer.stat(path) });
      return true;
    });
    observer.close(fd);
    return formatMapFiles(files, [MOUNT_POINT, NOEXEC_POINT]);
  }

  private readProc(name: string): string {
    const fd = this.observer.open(`/proc/${name}`, O_RDONLY);
    const count = this.observer.read(fd, this.text);
    this.observer.close(fd);
    return new TextDecoder().decode(this.text.subarray(0, count));
  }

  numaMaps(slot: number): string {
    let text = "";
    for (const vma of this.process(slot).mm.vmas) text += numaMapsLine(vma);
    return text;
  }

  pagemap(slot: number, addr: number, pages: number): Uint8Array {
    return pagemapEntries(this.process(slot).mm, addr, addr + pages * PAGE_SIZE, /* showPfn */ false);
  }

  fileName(slot: number, fd: number): string | undefined {
    const path = this.process(slot).files.get(fd)?.path;
    const point = [MOUNT_POINT, NOEXEC_POINT].find((directory) => path?.startsWith(directory));
    return point === undefined ? path : path?.slice(point.length);
  }

  fileSize(name: string): number | undefined {
    return DISK_NAMES.includes(name.slice(1)) ? this.process(0).stat(MOUNT_POINT + name).size : undefined;
  }

  directPosition(slot: number, fd: number): number | undefined {
    const file = this.process(slot).files.get(fd);
    const isDirect = file?.path.startsWith(MOUNT_POINT) === true && (file.flags & O_DIRECT) !== 0;
    return isDirect ? file.pos : undefined;
  }

  unread(slot: number, fd: number): number | undefined {
    const file = this.process(slot).files.get(fd);
    return file !== undefined && (file.mode & FMODE_READ) !== 0 ? pipeOf(file)?.unread : undefined;
  }

  /** Nothing is a hole here (docs/deviations.md). */
  hasHoles(): boolean {
    return false;
  }

  finish(): readonly Uint8Array[] {
    try {
      for (const process of [...this.processes, this.observer])
        if (process !== undefined) exitProcess(process, 0);
      this.kernel.sync();
      this.validate();
      const reader = this.kernel.spawn();
      const shmFiles = SHM_NAMES.map((name) => {
        const fd = reader.open(`/${name}`, 0);
        const { size } = reader.stat(`/${name}`);
        const bytes = new Uint8Array(Math.min(size, MAX_FILE));
        reader.read(fd, bytes);
        return fileEnd(bytes, size);
      });
      return [...takeTestFiles(this.directory, DISK_NAMES), ...shmFiles];
    } finally {
      // Else every sequence would leave descriptors of the host open behind it.
      this.kernel.shutdown();
      removeTestFiles(this.directory);
    }
  }

  private process(slot: number): Process {
    const process = this.processes[slot];
    if (process === undefined) throw new Error(`no process in slot ${slot}`);
    return process;
  }
}

function pathOf(index: number): string {
  const name = FILE_NAMES[index];
  return SHM_NAMES.includes(name) ? `/${name}` : resolve(MOUNT_POINT, name);
}

/** A limit as the kernel holds it. */
function limitOf(value: number): number {
  return value < 0 ? mman.RLIM_INFINITY : value;
}

/** How many of `length` accesses succeed before one hits a bad page. */
function countGood(length: number, access: (at: number) => void): number {
  for (let at = 0; at < length; at++) {
    try {
      access(at);
    } catch (error) {
      if (error instanceof SegmentationFault || error instanceof BusError) return at;
      throw error;
    }
  }
  return length;
}
