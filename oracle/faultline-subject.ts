/** Faultline as a subject: a kernel of its own for each sequence, over real files, asked by the functions behind its system calls. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { copyFromUser, copyToUser } from "../src/mm/fault/uaccess.ts";
import { UserIter, type UserSegment } from "../src/mm/fault/user-iter.ts";
import { BusError, SegmentationFault } from "../src/mm/kernel/errors.ts";
import { Kernel } from "../src/mm/kernel/kernel.ts";
import type { Process } from "../src/mm/kernel/process.ts";
import { exitProcess, forkProcess, reapChild, setBrk } from "../src/mm/kernel/task-lifecycle.ts";
import { validate } from "../src/mm/kernel/validate.ts";
import { pagemapEntries } from "../src/mm/proc/pagemap.ts";
import { sysBrk } from "../src/mm/syscalls/brk.ts";
import { sysFtruncate } from "../src/mm/syscalls/file-size.ts";
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
import { sysClose, sysMemfdCreate, sysOpenat } from "../src/mm/syscalls/open.ts";
import { sysProcessMadvise } from "../src/mm/syscalls/process-madvise.ts";
import { sysProcessVmReadv, sysProcessVmWritev } from "../src/mm/syscalls/process-vm.ts";
import { sysPread64, sysPwrite64, sysRead, sysWrite } from "../src/mm/syscalls/read-write.ts";
import { sysRemapFilePages } from "../src/mm/syscalls/remap-file-pages.ts";
import { sysSetrlimit } from "../src/mm/syscalls/rlimit.ts";
import { sysFsync } from "../src/mm/syscalls/sync.ts";
import { EFAULT, EINVAL } from "../src/mm/uapi/errno.ts";
import { AT_FDCWD, MAX_RW_COUNT } from "../src/mm/uapi/fcntl.ts";
import * as mman from "../src/mm/uapi/mman.ts";
import { X86_64 } from "../src/mm/vma/arch.ts";
import { nodeFs } from "../src/storage/node/index.ts";
import {
  ARGUMENT_ADDRESS,
  ARGUMENT_LENGTH,
  CODE_ADDRESS,
  DATA_ADDRESS,
  START_BREAK,
} from "./executor-image.ts";
import { type Mapping, parseMaps } from "./maps.ts";
import type { Operation } from "./operation.ts";
import {
  INITIAL_LIMITS,
  MEMFD_NAMES,
  NOBODY,
  type Outcome,
  SKIPPED,
  type Subject,
  storedBytes,
} from "./subject.ts";
import { FILE_NAMES, makeTestFiles, removeTestFiles, takeTestFiles } from "./test-files.ts";

const MOUNT_POINT = "/files";
/** Ample for what a sequence maps: no step shall fail for want of a frame. */
const RAM_BYTES: number = 128 * 2 ** 20;
/** Accesses up to here are made byte by byte as a CPU makes them, through the TLB; longer ones as the kernel copies. */
const MAX_CPU_ACCESS = 16;

/** Steps between two runs of the validator, which costs far more than a step. */
const VALIDATE_EVERY = 25;

export class FaultlineSubject implements Subject {
  private readonly kernel: Kernel;
  private readonly directory: string;
  private readonly validateEvery: number;
  private steps = 0;
  private readonly processes: (Process | undefined)[];

  /** @param isThorough run the validator after every step */
  constructor(directory: string, isThorough: boolean) {
    this.validateEvery = isThorough ? 1 : VALIDATE_EVERY;
    this.directory = makeTestFiles(directory);
    this.kernel = new Kernel({
      ram: RAM_BYTES,
      arch: X86_64,
      poison: true,
      thpSize: existsSync("/sys/kernel/mm/transparent_hugepage") ? 2 ** 21 : 0,
    });
    this.kernel.mount(MOUNT_POINT, nodeFs(this.directory));
    const first = this.kernel.spawn({ comm: "oracle", uid: NOBODY, gid: NOBODY });
    this.processes = [first];
    for (const [resource, bytes] of INITIAL_LIMITS)
      sysSetrlimit(first, resource, { soft: bytes, hard: bytes });
    this.occupyExecutorAreas(first);
  }

  /** What the host's executor has mapped for itself is in the way here, too, and the heap begins behind it. */
  private occupyExecutorAreas(process: Process): void {
    const flags = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS | mman.MAP_FIXED;
    const readWrite = mman.PROT_READ | mman.PROT_WRITE;
    const dataLength = ARGUMENT_ADDRESS + ARGUMENT_LENGTH - DATA_ADDRESS;
    process.mmap(DATA_ADDRESS, dataLength, readWrite, flags);
    // Shared, because a page of a file never merges with the heap behind it either.
    const codeFlags = mman.MAP_SHARED | mman.MAP_ANONYMOUS | mman.MAP_FIXED;
    process.mmap(CODE_ADDRESS, START_BREAK - CODE_ADDRESS, mman.PROT_READ | mman.PROT_EXEC, codeFlags);
    setBrk(process, START_BREAK);
  }

  isAlive(slot: number): boolean {
    return this.processes[slot] !== undefined;
  }

  perform(operation: Operation): Outcome {
    const outcome = this.performUnchecked(operation);
    if (++this.steps % this.validateEvery === 0) this.validate();
    return outcome;
  }

  private validate(): void {
    const wrong = validate(this.kernel);
    if (wrong.length > 0) throw new Error(`the validator found:\n${wrong.join("\n")}`);
  }

  private performUnchecked(operation: Operation): Outcome {
    const task = this.processes[operation.process];
    if (task === undefined) return SKIPPED;
    const { call, args } = operation;
    switch (call) {
      case "load":
        return withFaults(task, () => this.load(task, args[0], args[1]));
      case "store":
        return withFaults(task, () => ({
          result: this.store(task, args[0], storedBytes(args[1], args[2])),
        }));
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
      case "fork":
        return this.fork(task, args[0]);
      case "exit":
        return this.exit(operation.process, task);
      default:
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
      case "memfd_create":
        return sysMemfdCreate(task, MEMFD_NAMES[args[0]], args[1]);
      case "open":
        return sysOpenat(task, AT_FDCWD, join(MOUNT_POINT, FILE_NAMES[args[0]]), args[1], 0);
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
    [slot, base, len, remoteBase, remoteLen]: readonly number[],
  ): Outcome {
    const target = this.processes[slot];
    if (target === undefined) return SKIPPED;
    if (len >= 2 ** 63 || remoteLen >= 2 ** 63) return { result: -EINVAL };
    const sides = { target, local: [imported(base, len)], remote: [{ base: remoteBase, len: remoteLen }] };
    const { mmu } = this.kernel;
    return {
      result:
        call === "process_vm_readv"
          ? sysProcessVmReadv(mmu, task, sides)
          : sysProcessVmWritev(mmu, task, sides),
    };
  }

  private adviseOther(task: Process, [slot, base, len, advice]: readonly number[]): Outcome {
    const target = this.processes[slot];
    if (target === undefined) return SKIPPED;
    if (len >= 2 ** 63) return { result: -EINVAL };
    return { result: sysProcessMadvise(this.kernel.mmu, task, target, [imported(base, len)], advice) };
  }

  private fork(task: Process, slot: number): Outcome {
    if (this.isAlive(slot)) return SKIPPED;
    const child = forkProcess(task);
    if (typeof child === "number") return { result: child };
    this.processes[slot] = child;
    return { result: 0 };
  }

  private exit(slot: number, task: Process): Outcome {
    if (slot === 0) return SKIPPED;
    const { parent } = task;
    exitProcess(task, 0);
    if (parent !== null) reapChild(parent, task.pid);
    this.processes[slot] = undefined;
    return { result: 0 };
  }

  maps(slot: number): readonly Mapping[] {
    return parseMaps(this.process(slot).maps(), MOUNT_POINT);
  }

  figures(slot: number): readonly number[] {
    const { totalVm, lockedVm, dataVm, stackVm } = this.process(slot).mm;
    return [totalVm, lockedVm, dataVm, stackVm].map((pages) => pages * 4);
  }

  pagemap(slot: number, { start, end }: Mapping): Uint8Array {
    return pagemapEntries(this.process(slot).mm, start, end, /* showPfn */ false);
  }

  fileName(slot: number, fd: number): string | undefined {
    const path = this.process(slot).files.get(fd)?.path;
    return path?.startsWith(MOUNT_POINT) ? path.slice(MOUNT_POINT.length) : path;
  }

  fileSize(name: string): number | undefined {
    return FILE_NAMES.includes(name.slice(1)) ? this.process(0).stat(MOUNT_POINT + name).size : undefined;
  }

  finish(): readonly Uint8Array[] {
    try {
      for (const process of this.processes) if (process !== undefined) exitProcess(process, 0);
      this.kernel.sync();
      this.validate();
      return takeTestFiles(this.directory);
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

/** A single segment as it comes out of the kernel's import of a program's iovec (__import_iovec_ubuf). */
function imported(base: number, len: number): UserSegment {
  return { base, len: Math.min(len, MAX_RW_COUNT) };
}

function withFaults(task: Process, access: () => Outcome): Outcome {
  const before = task.minFlt;
  const outcome = access();
  return { ...outcome, faults: task.minFlt - before };
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
