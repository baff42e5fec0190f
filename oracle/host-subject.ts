/** The host kernel as a subject: real processes, real files in a directory of their own. */
import { statSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "./availability.ts";
import { ExecutorFamily, NR, SCRATCH_FD } from "./executor.ts";
import { ARGUMENT_ADDRESS } from "./executor-image.ts";
import { type Mapping, parseMaps } from "./maps.ts";
import type { CallName, Operation } from "./operation.ts";
import {
  FIGURES,
  MAX_ACCESS,
  MEMFD_NAMES,
  type Outcome,
  SKIPPED,
  SLOTS,
  STACK_LIMIT,
  type Subject,
  storedBytes,
} from "./subject.ts";
import { FILE_NAMES, makeTestFiles, takeTestFiles } from "./test-files.ts";

/** Bytes of a word in a struct iovec. */
const WORD = 8;
/** Where frame numbers, or places in swap, stand in an entry of /proc/PID/pagemap. */
const FRAME_MASK: bigint = 2n ** 55n - 1n;

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
};

export class HostSubject implements Subject {
  private readonly family: ExecutorFamily;
  private readonly directory: string;

  constructor({ libc, directory }: Host) {
    this.directory = makeTestFiles(directory);
    this.family = new ExecutorFamily(libc, SLOTS, STACK_LIMIT);
  }

  isAlive(slot: number): boolean {
    return this.family.isAlive(slot);
  }

  perform({ process, call, args }: Operation): Outcome {
    const { family } = this;
    if (!family.isAlive(process)) return SKIPPED;
    const number = DIRECT[call];
    if (number !== undefined) return { result: family.syscall(process, number, args) };
    switch (call) {
      case "load": {
        const [addr, length] = args;
        const before = family.minorFaults(process);
        const result = family.syscall(process, NR.pwrite64, [SCRATCH_FD, addr, length, 0]);
        const faults = family.countedFaults(process) - before;
        return { result, bytes: family.takeScratch(Math.max(0, result)), faults };
      }
      case "store": {
        const [addr, length, first] = args;
        if (length > MAX_ACCESS) throw new Error(`store of ${length} bytes`);
        family.putScratch(storedBytes(length, first));
        const before = family.minorFaults(process);
        const result = family.syscall(process, NR.pread64, [SCRATCH_FD, addr, length, 0]);
        return { result, faults: family.countedFaults(process) - before };
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
      case "open":
        return { result: this.withPath(process, NR.open, this.pathOf(args[0]), [args[1], 0]) };
      case "memfd_create":
        return { result: this.withPath(process, NR.memfd_create, MEMFD_NAMES[args[0]], [args[1]]) };
      case "fork":
        return family.isAlive(args[0]) ? SKIPPED : { result: family.fork(process, args[0]) };
      case "exit":
        if (process === 0) return SKIPPED;
        family.exit(process);
        return { result: 0 };
      default:
        throw new Error(`the host can't ${call}`);
    }
  }

  private transfer(slot: number, number: number, args: readonly number[]): Outcome {
    const { family } = this;
    const [other, ...ranges] = args;
    if (!family.isAlive(other)) return SKIPPED;
    const local = family.putWords(slot, ranges);
    const remote = local + 2 * WORD;
    return { result: family.syscall(slot, number, [family.pid(other), local, 1, remote, 1, 0]) };
  }

  private adviseOther(slot: number, [other, addr, length, advice]: readonly number[]): Outcome {
    const { family } = this;
    if (!family.isAlive(other)) return SKIPPED;
    const pidfd = family.expect(NR.pidfd_open, [family.pid(other), 0], slot);
    const range = family.putWords(slot, [addr, length]);
    const result = family.syscall(slot, NR.process_madvise, [pidfd, range, 1, advice, 0]);
    family.expect(NR.close, [pidfd], slot);
    return { result };
  }

  maps(slot: number): readonly Mapping[] {
    return parseMaps(this.family.maps(slot), this.directory);
  }

  figures(slot: number): readonly number[] {
    const status = this.family.status(slot);
    return FIGURES.map((name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]));
  }

  pagemap(slot: number, { start, end }: Mapping): Uint8Array {
    const entries = this.family.pagemap(slot, start, (end - start) / 4096);
    // Frame numbers are for the privileged, as we are.
    const words = new BigUint64Array(entries.buffer);
    for (const [at, word] of words.entries()) words[at] = word & ~FRAME_MASK;
    return entries;
  }

  fileName(slot: number, fd: number): string | undefined {
    const name = this.family.fileName(slot, fd);
    return name?.startsWith(this.directory) ? name.slice(this.directory.length) : name;
  }

  fileSize(name: string): number | undefined {
    return FILE_NAMES.includes(name.slice(1)) ? statSync(this.directory + name).size : undefined;
  }

  finish(): readonly Uint8Array[] {
    this.family.close();
    return takeTestFiles(this.directory);
  }

  private pathOf(index: number): string {
    return join(this.directory, FILE_NAMES[index]);
  }

  private withPath(slot: number, number: number, text: string, rest: readonly number[]): number {
    const address = this.family.putArgument(slot, Buffer.from(`${text}\0`));
    return this.family.syscall(slot, number, [address, ...rest]);
  }
}
