/** Faultline as a subject: a kernel of its own for each sequence, over real files, asked by the functions behind its system calls. */
import { ElfError } from "../src/machine/elf/elf-error.ts";
import { type StringSource, userStrings } from "../src/machine/life/exec-strings.ts";
import { CLONE_VM, checkCloneFlags, copyProcess } from "../src/machine/life/fork.ts";
import { prepareExec } from "../src/machine/life/prepare-exec.ts";
import { SIGCHLD } from "../src/machine/signals/signal-numbers.ts";
import { copyFromUser, copyToUser, readUserString } from "../src/mm/fault/uaccess.ts";
import { BusError, SegmentationFault } from "../src/mm/kernel/errors.ts";
import type { Kernel } from "../src/mm/kernel/kernel.ts";
import type { Process } from "../src/mm/kernel/process.ts";
import {
  becomeCurrent,
  execMm,
  exitProcess,
  forkProcess,
  reapChild,
  unshareFiles,
} from "../src/mm/kernel/task-lifecycle.ts";
import { validate } from "../src/mm/kernel/validate.ts";
import { PAGE_SIZE } from "../src/mm/page.ts";
import { pagemapScan } from "../src/mm/proc/pagemap-scan.ts";
import { PROCMAP_QUERY } from "../src/mm/proc/procmap-query.ts";
import { sysMincore } from "../src/mm/syscalls/mincore.ts";
import { sysMmap } from "../src/mm/syscalls/mmap.ts";
import { sysClose, sysIoctl, sysOpenat, sysPipe2 } from "../src/mm/syscalls/open.ts";
import { sysPidfdOpen } from "../src/mm/syscalls/pidfd.ts";
import { sysProcessMadvise } from "../src/mm/syscalls/process-madvise.ts";
import { sysPread64, sysWrite } from "../src/mm/syscalls/read-write.ts";
import { EFAULT, EINVAL, ENOENT } from "../src/mm/uapi/errno.ts";
import { AT_FDCWD, O_RDONLY, O_WRONLY, PATH_MAX } from "../src/mm/uapi/fcntl.ts";
import * as mman from "../src/mm/uapi/mman.ts";
import { READ_IMPLIES_EXEC } from "../src/mm/uapi/personality.ts";
import { X86_64 } from "../src/mm/vma/arch.ts";
import { CROWD_MAPPING, crowdRanges } from "./crowd.ts";
import { EM_RISCV, execCall, makePrograms } from "./exec-programs.ts";
import { ARGUMENT_ADDRESS } from "./executor-image.ts";
import { systemCall, userBuffer } from "./faultline-calls.ts";
import { bootKernel, occupyExecutorAreas, spawnFirst, takeShmFiles } from "./faultline-kernel.ts";
import { adviseByPidfd, performOnOther } from "./faultline-others.ts";
import { FaultlineReader } from "./faultline-reader.ts";
import { segmentControl } from "./faultline-segments.ts";
import { isFileTransfer, transferOnFaultline } from "./file-transfers.ts";
import type { Mapping } from "./maps.ts";
import { isAboutPolicy, policyOnFaultline } from "./memory-policy.ts";
import type { Operation } from "./operation.ts";
import { type CallAboutOthers, isAboutOthers } from "./other-arguments.ts";
import { pagemapScanAnswer, pagemapScanWords } from "./pagemap-scan-words.ts";
import { procmapCall } from "./procmap-call.ts";
import { isSlot, type Outcome, SKIPPED, type Subject, storedBytes, withoutDevice } from "./subject.ts";
import { DISK_NAMES, makeTestFiles, removeTestFiles, takeTestFiles } from "./test-files.ts";

/** Accesses up to here are made byte by byte as a CPU makes them, through the TLB; longer ones as the kernel copies. */
const MAX_CPU_ACCESS = 16;

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
  private readonly reader: FaultlineReader;

  /**
   * @param isThorough run the validator after every step, and check that nobody writes to free frames
   * @param overcommit vm.overcommit_memory, if the host's was set, too
   */
  constructor(directory: string, isThorough: boolean, overcommit?: number) {
    this.validateEvery = isThorough ? 1 : VALIDATE_EVERY;
    this.directory = makeTestFiles(directory);
    makePrograms(this.directory, EM_RISCV);
    this.kernel = bootKernel(this.directory, isThorough, overcommit);
    this.processes = [spawnFirst(this.kernel)];
    this.reader = new FaultlineReader(this.kernel);
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
    if (task !== undefined) outcome.faults ??= task.minFlt - before;
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
        const result = sysPread64(task, args[0], userBuffer(task, ARGUMENT_ADDRESS, args[1]), args[2]);
        return { result, bytes: task.readBytes(ARGUMENT_ADDRESS, Math.max(0, result)) };
      }
      case "mincore":
        return this.mincore(task, args[0], args[1], args[2]);
      case "pidfd_open": {
        const [slot, flags] = args;
        const pid = isSlot(slot) ? this.processes[slot]?.pid : slot;
        if (pid === undefined) return SKIPPED;
        return { result: sysPidfdOpen(this.kernel.processes, task, pid, flags) };
      }
      case "pidfd_madvise":
        return { result: adviseByPidfd(task, args) };
      case "pipe2":
        return this.pipe(task, args[0]);
      case "shmctl":
        return segmentControl(task, args, (pid) => this.slotOf(pid));
      case "procmap_query":
        return this.queryMap(task, args);
      case "pagemap_scan":
        return this.scanPagemap(task, args);
      case "dumpable":
        if (args[0] > 1) return { result: -EINVAL };
        task.mm.dumpable = args[0];
        return { result: 0 };
      case "clear_refs":
        return { result: this.clearRefs(task, args[0]) };
      case "personality":
        return { result: task.personality(args[0]) };
      case "crowd":
        return { result: this.crowd(task, args[0], args[1]) };
      case "fork":
      case "vfork":
      case "clone":
        return this.fork(call, task, args);
      case "exec":
        return this.exec(operation.process, task, args);
      case "exit":
        return this.exit(operation.process, task);
      default:
        if (isAboutOthers(call)) return this.performOnOther(task, call, args);
        if (isFileTransfer(call)) return transferOnFaultline(task, call, args);
        if (isAboutPolicy(call)) return policyOnFaultline(task, (slot) => this.processes[slot], call, args);
        return { result: systemCall(task, operation) };
    }
  }

  private performOnOther(task: Process, call: CallAboutOthers, [slot, ...words]: readonly number[]): Outcome {
    const other = this.processes[slot];
    return other === undefined && isSlot(slot) ? SKIPPED : performOnOther(task, other, call, words);
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

  private pipe(task: Process, flags: number): Outcome {
    const ends = sysPipe2(task, flags);
    if (typeof ends === "number") return { result: ends };
    const bytes = new Uint8Array(new Int32Array(ends).buffer);
    return { result: 0, bytes };
  }

  private queryMap(task: Process, args: readonly number[]): Outcome {
    const fd = sysOpenat(task, AT_FDCWD, "/proc/self/maps", O_RDONLY, 0);
    if (fd < 0) return { result: fd };
    const { bytes, argument } = procmapCall(args);
    copyToUser(this.kernel.mmu, task, ARGUMENT_ADDRESS, bytes);
    const result = sysIoctl(task, fd, PROCMAP_QUERY, argument);
    sysClose(task, fd);
    return { result, bytes: withoutDevice(task.readBytes(ARGUMENT_ADDRESS, bytes.length)) };
  }

  private scanPagemap(task: Process, args: readonly number[]): Outcome {
    // Its own pagemap is root's then, and not for others to open.
    if (!task.isDumpable) return SKIPPED;
    const words = new BigUint64Array(pagemapScanWords(args).map(BigInt));
    copyToUser(this.kernel.mmu, task, ARGUMENT_ADDRESS, new Uint8Array(words.buffer));
    const result = pagemapScan(this.kernel.mmu, task, task.mm, ARGUMENT_ADDRESS);
    return { result, bytes: task.readBytes(ARGUMENT_ADDRESS, pagemapScanAnswer(args, result)) };
  }

  private clearRefs(task: Process, kind: number): number {
    const fd = sysOpenat(task, AT_FDCWD, "/proc/self/clear_refs", O_WRONLY, 0);
    if (fd < 0) return fd;
    copyToUser(this.kernel.mmu, task, ARGUMENT_ADDRESS, new TextEncoder().encode(String(kind)));
    const result = sysWrite(task, fd, userBuffer(task, ARGUMENT_ADDRESS, 1));
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

  private fork(call: "fork" | "vfork" | "clone", task: Process, args: readonly number[]): Outcome {
    const [slot, flags = CLONE_VM, pidfdAt = 0] = args;
    if (!this.isFree(slot)) return SKIPPED;
    const child =
      call === "clone" ? clone(task, flags, pidfdAt) : forkProcess(task, { vm: call === "vfork" });
    if (typeof child === "number") return { result: child };
    this.processes[slot] = child;
    if (call === "vfork") this.vforkParents.set(child, task);
    return { result: 0 };
  }

  /** Everything up to the point of no return is the machine's own; the program that it finds is not loaded. */
  private exec(slot: number, task: Process, args: readonly number[]): Outcome {
    const { mmu } = this.kernel;
    const { bytes, path, argv, env } = execCall(slot, args);
    copyToUser(mmu, task, ARGUMENT_ADDRESS, bytes);
    const before = task.minFlt;
    const found = this.findProgram(task, path, userStrings(task, argv, env));
    if (found !== 0) return { result: found, faults: task.minFlt - before };
    // x86-64 makes readable memory executable only for programs that ask for it themselves (set_personality_64bit).
    task.personality(task.personality() & ~READ_IMPLIES_EXEC);
    const result = unshareFiles(task) || execMm(task);
    if (result !== 0) return { result };
    task.files.closeOnExec();
    this.vforkParents.delete(task);
    occupyExecutorAreas(task);
    return { result };
  }

  private findProgram(task: Process, pathAt: number, strings: StringSource): number {
    const path = readUserString(this.kernel.mmu, task, pathAt, PATH_MAX);
    if (typeof path === "number") return path;
    if (path === "") return -ENOENT;
    const prepared = prepareExec(task, { path, strings });
    if (typeof prepared === "number") return prepared;
    if (prepared instanceof ElfError) return -prepared.errno;
    prepared.file.put();
    prepared.interpreter?.file.put();
    return 0;
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
    return this.reader.maps(this.process(slot));
  }

  figures(slot: number): readonly number[] {
    return this.reader.figures(this.process(slot));
  }

  smaps(slot: number): string {
    return this.reader.smaps(this.process(slot));
  }

  smapsRollup(slot: number): string {
    return this.reader.smapsRollup(this.process(slot));
  }

  statm(slot: number): string {
    return this.reader.statm(this.process(slot));
  }

  mapFiles(slot: number): readonly string[] {
    return this.reader.mapFiles(this.process(slot));
  }

  numaMaps(slot: number): string {
    return this.reader.numaMaps(this.process(slot));
  }

  pagemap(slot: number, addr: number, pages: number): Uint8Array {
    return this.reader.pagemap(this.process(slot), addr, pages);
  }

  fileName(slot: number, fd: number): string | undefined {
    return this.reader.fileName(this.process(slot), fd);
  }

  fileSize(name: string): number | undefined {
    return this.reader.fileSize(this.process(0), name);
  }

  directPosition(slot: number, fd: number): number | undefined {
    return this.reader.directPosition(this.process(slot), fd);
  }

  unread(slot: number, fd: number): number | undefined {
    return this.reader.unread(this.process(slot), fd);
  }

  /** Nothing is a hole here (docs/deviations.md). */
  hasHoles(): boolean {
    return false;
  }

  finish(): readonly Uint8Array[] {
    try {
      for (const process of [...this.processes, this.reader.observer])
        if (process !== undefined) exitProcess(process, 0);
      this.kernel.sync();
      this.validate();
      const shmFiles = takeShmFiles(this.kernel);
      return [...takeTestFiles(this.directory, DISK_NAMES), ...shmFiles];
    } finally {
      // Else every sequence would leave descriptors of the host open behind it.
      this.kernel.shutdown();
      removeTestFiles(this.directory);
    }
  }

  private slotOf(pid: number): number {
    return this.processes.findIndex((process) => process?.pid === pid);
  }

  private process(slot: number): Process {
    const process = this.processes[slot];
    if (process === undefined) throw new Error(`no process in slot ${slot}`);
    return process;
  }
}

/** clone(2) without a thread that would run: on x86-64 a pidfd goes where the number of the child would. */
function clone(task: Process, flags: number, pidfdAt: number): Process | number {
  const request = {
    flags,
    high: 0,
    exitSignal: SIGCHLD,
    stack: 0,
    pidfd: pidfdAt,
    parentTid: pidfdAt,
    tls: 0,
    childTid: 0,
  };
  return checkCloneFlags(request) || copyProcess(task, request);
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
