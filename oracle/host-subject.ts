/** The host kernel as a subject: real processes, real files in a directory of their own. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { PAGE_SIZE } from "../src/mm/page.ts";
import { PAGEMAP_SCAN } from "../src/mm/proc/pagemap-scan.ts";
import { PROCMAP_QUERY } from "../src/mm/proc/procmap-query.ts";
import { O_RDWR, O_WRONLY } from "../src/mm/uapi/fcntl.ts";
import { F_ADD_SEALS, F_GET_SEALS, FIONREAD } from "../src/mm/uapi/fs.ts";
import { MADV_DONTDUMP, MADV_PAGEOUT, RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK } from "../src/mm/uapi/mman.ts";
import { type Host, hasSwap } from "./availability.ts";
import { CROWD_MAPPING, crowdRanges } from "./crowd.ts";
import { EM_X86_64, makePrograms } from "./exec-programs.ts";
import { ExecutorFamily, PR_SET_DUMPABLE, SCRATCH_FD } from "./executor.ts";
import { ARGUMENT_ADDRESS } from "./executor-image.ts";
import { isFileTransfer, transferOnHost } from "./file-transfers.ts";
import type { Libc } from "./libc.ts";
import { formatMapFiles, type Mapping, parseMaps } from "./maps.ts";
import { isAboutPolicy, policyOnHost } from "./memory-policy.ts";
import type { CallName, Operation } from "./operation.ts";
import { pagemapScanAnswer, pagemapScanWords } from "./pagemap-scan-words.ts";
import { procmapCall } from "./procmap-call.ts";
import { ANSWER_BYTES, comparableStat, isStat } from "./segments.ts";
import {
  FIGURES,
  isSlot,
  MAX_ACCESS,
  MEMFD_NAMES,
  type Outcome,
  SKIPPED,
  SLOTS,
  STACK_LIMIT,
  type Subject,
  storedBytes,
  withoutDevice,
} from "./subject.ts";
import { NR } from "./system-call-numbers.ts";
import {
  DISK_NAMES,
  FILE_NAMES,
  makeShmFiles,
  makeTestFiles,
  SHM_NAMES,
  takeTestFiles,
} from "./test-files.ts";

/** Bytes of a word in a struct iovec. */
const WORD = 8;

/** Calls that the kernel gets as they are. */
const DIRECT: Partial<Record<CallName, number>> = {
  mmap: NR.mmap,
  munmap: NR.munmap,
  mprotect: NR.mprotect,
  mremap: NR.mremap,
  brk: NR.brk,
  msync: NR.msync,
  madvise: NR.madvise,
  mlock: NR.mlock,
  mlock2: NR.mlock2,
  munlock: NR.munlock,
  mlockall: NR.mlockall,
  munlockall: NR.munlockall,
  mseal: NR.mseal,
  remap_file_pages: NR.remap_file_pages,
  close: NR.close,
  read: NR.read,
  write: NR.write,
  pread64: NR.pread64,
  pwrite64: NR.pwrite64,
  ftruncate: NR.ftruncate,
  fsync: NR.fsync,
  dup: NR.dup,
  dup2: NR.dup2,
  lseek: NR.lseek,
  fadvise64: NR.fadvise64,
  readahead: NR.readahead,
  fallocate: NR.fallocate,
  personality: NR.personality,
};

/** A program that starts with less than this may be killed on the way, which no answer would tell. */
const EXEC_LIMITS: readonly (readonly [resource: number, bytes: number])[] = [
  [RLIMIT_AS, 2 ** 25],
  [RLIMIT_DATA, 2 ** 25],
  [RLIMIT_STACK, 2 ** 19],
];

/** What madvise or process_madvise is to advise. */
function adviceOf({ call, args }: Operation): number | undefined {
  if (call === "madvise") return args[2];
  return call === "process_madvise" || call === "pidfd_madvise" ? args[3] : undefined;
}

export class HostSubject implements Subject {
  private readonly libc: Libc;
  private readonly family: ExecutorFamily;
  private readonly directory: string;
  private readonly shmDirectory: string;

  constructor({ libc, directory, shmDirectory }: Host) {
    this.libc = libc;
    this.directory = makeTestFiles(directory);
    makePrograms(this.directory, EM_X86_64);
    this.shmDirectory = makeShmFiles(shmDirectory);
    this.family = new ExecutorFamily(libc, SLOTS, STACK_LIMIT, this.directory);
  }

  isAlive(slot: number): boolean {
    return this.family.isAlive(slot);
  }

  isFree(slot: number): boolean {
    return this.family.isFree(slot);
  }

  perform(operation: Operation): Outcome {
    if (!this.family.isAlive(operation.process)) return SKIPPED;
    // The subject on the other side has no swap, and nothing else would get there without pressure.
    if (adviceOf(operation) === MADV_PAGEOUT && hasSwap()) return SKIPPED;
    const outcome = this.call(operation);
    const faults = outcome.faults ?? this.family.lastFaults;
    // Pages that change their list wait for company, and what a further use makes of them depends on how much there is by then;
    // Faultline moves them at once (docs/deviations.md).
    if (this.family.isAlive(operation.process)) this.family.drain(operation.process);
    return { ...outcome, faults };
  }

  private call({ process, call, args }: Operation): Outcome {
    const { family } = this;
    const number = DIRECT[call];
    if (number !== undefined) return { result: family.syscall(process, number, args) };
    if (isFileTransfer(call)) return transferOnHost(family, process, call, args);
    if (isAboutPolicy(call)) return policyOnHost(family, process, call, args);
    switch (call) {
      case "load": {
        const [addr, length] = args;
        const result = family.writeScratch(process, addr, length);
        return { result, bytes: family.takeScratch(Math.max(0, result)) };
      }
      case "store": {
        const [addr, length, first] = args;
        if (length > MAX_ACCESS) throw new Error(`store of ${length} bytes`);
        family.putScratch(storedBytes(length, first));
        return { result: family.syscall(process, NR.pread64, [SCRATCH_FD, addr, length, 0]) };
      }
      case "peek": {
        const [fd, length, offset] = args;
        if (length > MAX_ACCESS) throw new Error(`peek of ${length} bytes`);
        const result = family.syscall(process, NR.pread64, [fd, ARGUMENT_ADDRESS, length, offset]);
        return { result, bytes: family.takeArgument(process, Math.max(0, result)) };
      }
      case "mincore": {
        const [addr, length, vector] = args;
        const result = family.syscall(process, NR.mincore, [addr, length, vector || ARGUMENT_ADDRESS]);
        if (result !== 0 || vector !== 0) return { result };
        const bytes = family.takeArgument(process, Math.ceil(length / 4096));
        return { result, bytes: bytes.map((byte) => byte & 1) };
      }
      case "setrlimit":
        return {
          result: family.syscall(process, NR.setrlimit, family.limits(process, args[0], args[1], args[2])),
        };
      case "process_vm_readv":
        return this.transfer(process, NR.process_vm_readv, args);
      case "process_vm_writev":
        return this.transfer(process, NR.process_vm_writev, args);
      case "process_madvise":
        return this.adviseOther(process, args);
      case "pidfd_open": {
        const [slot, flags] = args;
        if (isSlot(slot) && family.isFree(slot)) return SKIPPED;
        const pid = isSlot(slot) ? family.pid(slot) : slot;
        return { result: family.syscall(process, NR.pidfd_open, [pid, flags]) };
      }
      case "pidfd_madvise": {
        const [fd, addr, length, advice, flags] = args;
        const range = family.putWords(process, [addr, length]);
        return { result: family.syscall(process, NR.process_madvise, [fd, range, 1, advice, flags]) };
      }
      case "pipe2": {
        const result = family.syscall(process, NR.pipe2, [ARGUMENT_ADDRESS, args[0]]);
        return result === 0 ? { result, bytes: family.takeArgument(process, WORD) } : { result };
      }
      case "seals": {
        const [fd, seals] = args;
        const command = seals === 0 ? [fd, F_GET_SEALS] : [fd, F_ADD_SEALS, seals];
        return { result: family.syscall(process, NR.fcntl, command) };
      }
      case "shmget":
      case "shmat":
      case "shmdt":
        return family.hasOwnIpc ? { result: family.syscall(process, NR[call], args) } : SKIPPED;
      case "shmctl":
        return family.hasOwnIpc ? this.segmentControl(process, args) : SKIPPED;
      case "procmap_query":
        return this.queryMap(process, args);
      case "pagemap_scan":
        return this.scanPagemap(process, args);
      case "dumpable":
        return { result: family.syscall(process, NR.prctl, [PR_SET_DUMPABLE, args[0], 0, 0, 0]) };
      case "mem_read":
      case "mem_write":
        return this.throughMem(process, call, args);
      case "clear_refs":
        return this.clearRefs(process, args[0]);
      case "crowd":
        return this.crowd(process, args[0], args[1]);
      case "open":
        return { result: this.withPath(process, NR.open, this.pathOf(args[0]), [args[1], 0]) };
      case "memfd_create":
        return { result: this.createMemfd(process, args) };
      case "fork":
      case "vfork":
      case "clone":
        return family.isFree(args[0]) ? { result: family.fork(call, process, args) } : SKIPPED;
      case "exec":
        if (
          (args[0] ?? 0) === 0 &&
          EXEC_LIMITS.some(([resource, least]) => family.softLimit(process, resource) < least)
        )
          return SKIPPED;
        return { result: family.exec(process, args) };
      case "exit":
        if (!family.canExit(process)) return SKIPPED;
        family.exit(process);
        return { result: 0 };
      default:
        throw new Error(`the host can't ${call}`);
    }
  }

  private transfer(slot: number, number: number, args: readonly number[]): Outcome {
    const { family } = this;
    const [other, ...words] = args;
    if (isSlot(other) && family.isFree(other)) return SKIPPED;
    const count = Math.floor(words.length / 4);
    const [flags = 0] = words.slice(4 * count);
    // Two lists of struct iovec, the caller's and the other's.
    const lists = [0, 2].map((side) =>
      Array.from({ length: count }, (_, at) => words.slice(4 * at + side, 4 * at + side + 2)).flat(),
    );
    const local = family.putWords(slot, lists.flat());
    const remote = local + 2 * WORD * count;
    const pid = isSlot(other) ? family.pid(other) : other;
    return { result: family.syscall(slot, number, [pid, local, count, remote, count, flags]) };
  }

  private adviseOther(slot: number, [other, addr, length, advice, ...more]: readonly number[]): Outcome {
    const { family } = this;
    if (family.isFree(other)) return SKIPPED;
    const pidfd = family.syscall(slot, NR.pidfd_open, [family.pid(other), 0]);
    if (pidfd < 0) return { result: pidfd };
    const ranges = family.putWords(slot, [addr, length, ...more]);
    const count = 1 + more.length / 2;
    const result = family.syscall(slot, NR.process_madvise, [pidfd, ranges, count, advice, 0]);
    const faults = family.lastFaults;
    family.expect(NR.close, [pidfd], slot);
    return { result, faults };
  }

  private segmentControl(slot: number, [id, command, mode, nowhere]: readonly number[]): Outcome {
    const { family } = this;
    // Of a struct shmid64_ds for IPC_SET: owner and mode.
    const ds = new Uint8Array(112);
    new Uint32Array(ds.buffer).set([0, family.uid, family.uid, 0, 0, mode]);
    const argument = nowhere ?? family.putArgument(slot, ds);
    const result = family.syscall(slot, NR.shmctl, [id, command, argument]);
    const { lastFaults: faults } = family;
    const length = ANSWER_BYTES.get(command);
    if (result < 0 || length === undefined) return { result, faults };
    const bytes = family.takeArgument(slot, length);
    if (!isStat(command)) return { result, bytes, faults };
    return { result, bytes: comparableStat(bytes, (pid) => family.slotOf(pid), family.uid), faults };
  }

  /** PROCMAP_QUERY without device and inode in the answer. */
  private queryMap(slot: number, args: readonly number[]): Outcome {
    const { family } = this;
    const path = family.putArgument(slot, Buffer.from("/proc/self/maps\0"));
    const fd = family.syscall(slot, NR.open, [path, 0, 0]);
    if (fd < 0) return { result: fd, faults: 0 };
    const { bytes, argument } = procmapCall(args);
    family.putArgument(slot, bytes);
    const result = family.syscall(slot, NR.ioctl, [fd, PROCMAP_QUERY, argument]);
    const answer = family.takeArgument(slot, bytes.length);
    family.expect(NR.close, [fd], slot);
    return { result, bytes: withoutDevice(answer), faults: 0 };
  }

  /** PAGEMAP_SCAN; skipped where the process may not open its own pagemap. */
  private scanPagemap(slot: number, args: readonly number[]): Outcome {
    const { family } = this;
    const path = family.putArgument(slot, Buffer.from("/proc/self/pagemap\0"));
    const fd = family.syscall(slot, NR.open, [path, 0, 0]);
    if (fd < 0) return SKIPPED;
    const words = pagemapScanWords(args);
    const at = family.putWords(slot, words);
    const result = family.syscall(slot, NR.ioctl, [fd, PAGEMAP_SCAN, at]);
    const faults = family.lastFaults;
    const bytes = family.takeArgument(slot, pagemapScanAnswer(args, result));
    family.expect(NR.close, [fd], slot);
    return { result, bytes, faults };
  }

  private throughMem(
    slot: number,
    call: "mem_read" | "mem_write",
    [other, addr, length, first]: readonly number[],
  ): Outcome {
    const { family } = this;
    if (family.isFree(other)) return SKIPPED;
    const path = family.putArgument(slot, Buffer.from(`/proc/${family.pid(other)}/mem\0`));
    const fd = family.syscall(slot, NR.open, [path, O_RDWR, 0]);
    if (fd < 0) return { result: fd };
    if (call === "mem_write") family.putArgument(slot, storedBytes(length, first));
    const number = call === "mem_read" ? NR.pread64 : NR.pwrite64;
    const result = family.syscall(slot, number, [fd, ARGUMENT_ADDRESS, length, addr]);
    const bytes = family.takeArgument(slot, call === "mem_read" ? Math.max(0, result) : 0);
    family.expect(NR.close, [fd], slot);
    return { result, bytes };
  }

  private clearRefs(slot: number, kind: number): Outcome {
    const { family } = this;
    const path = family.putArgument(slot, Buffer.from("/proc/self/clear_refs\0"));
    const fd = family.syscall(slot, NR.open, [path, O_WRONLY, 0]);
    if (fd < 0) return { result: fd };
    const text = family.putArgument(slot, Buffer.from(String(kind)));
    const result = family.syscall(slot, NR.write, [fd, text, 1]);
    family.expect(NR.close, [fd], slot);
    return { result };
  }

  /** As many mappings as pages: every second page is given a flag of its own, a thousand with each call. */
  private crowd(slot: number, start: number, pages: number): Outcome {
    const { family } = this;
    const made = family.syscall(slot, NR.mmap, [start, pages * PAGE_SIZE, ...CROWD_MAPPING]);
    if (made < 0) return { result: made };
    const pidfd = family.expect(NR.pidfd_open, [family.pid(slot), 0], slot);
    let result = 0;
    for (const ranges of crowdRanges(start, pages)) {
      const at = family.putWords(slot, ranges.flat());
      result = family.syscall(slot, NR.process_madvise, [pidfd, at, ranges.length, MADV_DONTDUMP, 0]);
      if (result < 0) break;
    }
    family.expect(NR.close, [pidfd], slot);
    return { result };
  }

  maps(slot: number): readonly Mapping[] {
    const text = this.family.proc(slot).maps();
    return parseMaps(
      text,
      text.includes(this.shmDirectory) ? [this.directory, this.shmDirectory] : [this.directory],
    );
  }

  figures(slot: number): readonly number[] {
    const status = this.family.proc(slot).status();
    return FIGURES.map((name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]));
  }

  smaps(slot: number): string {
    this.family.drain(slot);
    return this.family.proc(slot).smaps();
  }

  smapsRollup(slot: number): string {
    return this.family.proc(slot).smapsRollup();
  }

  statm(slot: number): string {
    return this.family.proc(slot).statm();
  }

  mapFiles(slot: number): readonly string[] {
    if (process.getuid?.() !== 0) return [];
    return formatMapFiles(this.family.proc(slot).mapFiles(), [this.directory, this.shmDirectory]);
  }

  numaMaps(slot: number): string {
    return this.family.proc(slot).numaMaps();
  }

  pagemap(slot: number, addr: number, pages: number): Uint8Array {
    return this.family.proc(slot).pagemap(addr, pages);
  }

  fileName(slot: number, fd: number): string | undefined {
    const name = this.family.proc(slot).fileName(fd);
    const directory = [this.directory, this.shmDirectory].find((path) => name?.startsWith(path));
    return directory === undefined ? name : name?.slice(directory.length);
  }

  fileSize(name: string): number | undefined {
    return DISK_NAMES.includes(name.slice(1)) ? statSync(this.directory + name).size : undefined;
  }

  directPosition(slot: number, fd: number): number | undefined {
    const name = this.fileName(slot, fd);
    if (name === undefined || !DISK_NAMES.includes(name.slice(1))) return undefined;
    return this.family.proc(slot).directPosition(fd);
  }

  unread(slot: number, fd: number): number | undefined {
    const { family } = this;
    if (this.fileName(slot, fd)?.startsWith("pipe:") !== true || !family.proc(slot).isReadable(fd))
      return undefined;
    family.expect(NR.ioctl, [fd, FIONREAD, ARGUMENT_ADDRESS], slot);
    return new Uint32Array(family.takeArgument(slot, 4).buffer)[0];
  }

  hasHoles(name: string): boolean {
    const size = this.fileSize(name);
    return size !== undefined && size > 0 && !this.libc.isStored(this.directory + name, size);
  }

  finish(): readonly Uint8Array[] {
    this.family.close();
    return [...takeTestFiles(this.directory, DISK_NAMES), ...takeTestFiles(this.shmDirectory, SHM_NAMES)];
  }

  private pathOf(index: number): string {
    const name = FILE_NAMES[index];
    if (name.startsWith("/")) return name;
    return join(SHM_NAMES.includes(name) ? this.shmDirectory : this.directory, name);
  }

  private createMemfd(slot: number, [name, flags, nameAt = 0]: readonly number[]): number {
    return nameAt === 0
      ? this.withPath(slot, NR.memfd_create, MEMFD_NAMES[name], [flags])
      : this.family.syscall(slot, NR.memfd_create, [nameAt, flags]);
  }

  private withPath(slot: number, number: number, text: string, rest: readonly number[]): number {
    const address = this.family.putArgument(slot, Buffer.from(`${text}\0`));
    return this.family.syscall(slot, number, [address, ...rest]);
  }
}
