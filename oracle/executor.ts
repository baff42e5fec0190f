/**
 * A family of executor processes on the host: node's end of the pipes of executor-image.ts.
 *
 * Slot 0 is the process that was started; others come by `fork` from any living one. Each has a channel of its own,
 * made before the start and inherited by all. Calls are synchronous: an answer is there before `syscall` returns.
 */
import { closeSync, openSync, readFileSync, readlinkSync, readSync, writeSync } from "node:fs";
import { ARGUMENT_ADDRESS, ARGUMENT_LENGTH, executorImage, FIRST_CHANNEL } from "./executor-image.ts";
import type { Libc } from "./libc.ts";
import { INITIAL_LIMITS, NOBODY } from "./subject.ts";

/** Numbers of x86-64's system calls (arch/x86/entry/syscalls/syscall_64.tbl). */
export const NR = {
  read: 0,
  write: 1,
  open: 2,
  close: 3,
  mmap: 9,
  mprotect: 10,
  munmap: 11,
  brk: 12,
  pread64: 17,
  pwrite64: 18,
  mremap: 25,
  msync: 26,
  mincore: 27,
  madvise: 28,
  getppid: 110,
  mlock: 149,
  munlock: 150,
  mlockall: 151,
  munlockall: 152,
  setrlimit: 160,
  remap_file_pages: 216,
  process_vm_readv: 310,
  process_vm_writev: 311,
  mlock2: 325,
  pidfd_open: 434,
  process_madvise: 440,
  mseal: 462,
  fork: 57,
  wait4: 61,
  fsync: 74,
  ftruncate: 77,
  prctl: 157,
  setresuid: 117,
  setresgid: 119,
  exit_group: 231,
  memfd_create: 319,
  close_range: 436,
} as const;

/** A file that all processes hold under SCRATCH_FD: bytes travel between their memory and us through it. */
export const SCRATCH_FD = 600;
export const SCRATCH_LENGTH: number = 2 ** 20;

const PR_SET_CHILD_SUBREAPER = 36;
const PR_SET_THP_DISABLE = 41;
const PR_SET_DUMPABLE = 4;
const WORD = 8;
/** Numbers of fields in /proc/PID/stat (proc_pid_stat(5)). */
const STATE_FIELD = 3;
const MINFLT_FIELD = 10;
const REQUEST_WORDS = 8;

interface Channel {
  readonly request: { readonly read: number; readonly write: number };
  readonly answer: { readonly read: number; readonly write: number };
}

interface Member {
  readonly pid: number;
  /** Slot of the process that reaps it; -1 for the first, which we reap ourselves. */
  parent: number;
}

/** An argument: a number, a negative one and one past 2^63 as the register would hold it. */
export type Argument = number | bigint;

export class ExecutorFamily {
  private readonly libc: Libc;
  private readonly channels: Channel[] = [];
  private readonly members: (Member | undefined)[];
  private readonly request = new BigUint64Array(REQUEST_WORDS);
  private readonly requestBytes = new Uint8Array(this.request.buffer);
  private readonly answer = new BigInt64Array(1);
  private readonly answerBytes = new Uint8Array(this.answer.buffer);
  private readonly scratch: number;

  constructor(libc: Libc, slots: number, stackLimit: number) {
    this.libc = libc;
    const image = libc.memoryFile("executor");
    writeSync(image, executorImage());
    this.scratch = libc.memoryFile("scratch");
    writeSync(this.scratch, new Uint8Array(SCRATCH_LENGTH));
    const descriptors: [number, number][] = [[this.scratch, SCRATCH_FD]];
    for (let slot = 0; slot < slots; slot++) {
      const channel: Channel = { request: libc.pipe(), answer: libc.pipe() };
      this.channels.push(channel);
      descriptors.push([channel.request.read, channelOf(slot)], [channel.answer.write, channelOf(slot) + 1]);
    }
    const pid = libc.spawn(`/proc/self/fd/${image}`, descriptors, stackLimit);
    this.members = [{ pid, parent: -1 }];
    closeSync(image);
    for (const { request, answer } of this.channels) {
      closeSync(request.read);
      closeSync(answer.write);
    }
    this.prepare();
  }

  /** Leaves the first process with its code and its data alone, no descriptor below the channels, no privilege. */
  private prepare(): void {
    this.expect(NR.close_range, [0, FIRST_CHANNEL - 1, 0]);
    this.expect(NR.prctl, [PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0]);
    this.expect(NR.prctl, [PR_SET_THP_DISABLE, 1, 0, 0, 0]);
    for (const line of this.maps(0).split("\n")) {
      const area = /^([0-9a-f]+)-([0-9a-f]+) .*\[(stack|vdso|vvar\w*)\]$/.exec(line);
      if (area === null) continue;
      const start = Number.parseInt(area[1], 16);
      this.expect(NR.munmap, [start, Number.parseInt(area[2], 16) - start]);
    }
    for (const [resource, limit] of INITIAL_LIMITS)
      this.expect(NR.setrlimit, this.limits(0, resource, limit, limit));
    if (process.getuid?.() === 0) {
      this.expect(NR.setresgid, [NOBODY, NOBODY, NOBODY]);
      this.expect(NR.setresuid, [NOBODY, NOBODY, NOBODY]);
      // Whoever changes its user is closed to others of the same user, too, until it says otherwise.
      this.expect(NR.prctl, [PR_SET_DUMPABLE, 1, 0, 0, 0]);
    }
  }

  isAlive(slot: number): boolean {
    return this.members[slot] !== undefined;
  }

  /** What the kernel returns for the call: a value or a negative errno. */
  syscall(slot: number, number: number, args: readonly Argument[]): number {
    this.send(slot, number, args, 0);
    return this.receive(slot);
  }

  /** A call of the oracle's own, which can't fail. */
  expect(number: number, args: readonly Argument[], slot = 0): number {
    const result = this.syscall(slot, number, args);
    if (result < 0) throw new Error(`system call ${number} of the oracle itself failed: errno ${-result}`);
    return result;
  }

  /** Forks `slot` into the free slot `child`; returns 0 or a negative errno. */
  fork(slot: number, child: number): number {
    this.send(slot, NR.fork, [], channelOf(child));
    const pid = this.receive(slot);
    if (pid < 0) return pid;
    this.members[child] = { pid, parent: slot };
    return 0;
  }

  /** Ends a process other than the first and waits until its memory is gone. Its children go to the first one. */
  exit(slot: number): void {
    const member = this.member(slot);
    this.send(slot, NR.exit_group, [0], 0);
    this.expect(NR.wait4, [member.pid, 0, 0, 0], member.parent);
    this.members[slot] = undefined;
    for (const other of this.members) if (other?.parent === slot) other.parent = 0;
  }

  /** The arguments of setrlimit. */
  limits(slot: number, resource: number, soft: number, hard: number): number[] {
    return [resource, this.putWords(slot, [soft, hard])];
  }

  /** Puts words where the process can hand them to a system call; returns their address there. */
  putWords(slot: number, words: readonly number[]): number {
    const bytes = new BigUint64Array(words.map((word) => BigInt.asUintN(64, BigInt(word))));
    return this.putArgument(slot, new Uint8Array(bytes.buffer));
  }

  pid(slot: number): number {
    return this.member(slot).pid;
  }

  /** /proc/PID/maps as it stands. */
  maps(slot: number): string {
    return readFileSync(`/proc/${this.member(slot).pid}/maps`, "latin1");
  }

  /** Minor faults of the process so far, once all that its last request brings with it is over. */
  minorFaults(slot: number): number {
    this.expect(NR.getppid, [], slot);
    return this.countedFaults(slot);
  }

  /** /proc/PID/stat's minflt. */
  countedFaults(slot: number): number {
    const text = readFileSync(`/proc/${this.pid(slot)}/stat`, "latin1");
    // The name in parentheses is the second field, the state behind it the third.
    return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[MINFLT_FIELD - STATE_FIELD]);
  }

  status(slot: number): string {
    return readFileSync(`/proc/${this.pid(slot)}/status`, "latin1");
  }

  /** `pages` entries of /proc/PID/pagemap, from the page of `addr` on. */
  pagemap(slot: number, addr: number, pages: number): Uint8Array {
    const fd = openSync(`/proc/${this.pid(slot)}/pagemap`, "r");
    try {
      const entries = new Uint8Array(pages * WORD);
      readSync(fd, entries, 0, entries.length, (addr / 4096) * WORD);
      return entries;
    } finally {
      closeSync(fd);
    }
  }

  /** Where the descriptor leads to, undefined where it isn't open. */
  fileName(slot: number, fd: number): string | undefined {
    try {
      return readlinkSync(`/proc/${this.member(slot).pid}/fd/${fd}`);
    } catch {
      return undefined;
    }
  }

  /** Puts bytes where the process can hand them to a system call; returns their address there. */
  putArgument(slot: number, bytes: Uint8Array): number {
    if (bytes.length > ARGUMENT_LENGTH) throw new Error(`argument of ${bytes.length} bytes`);
    this.putScratch(bytes);
    this.expect(NR.pread64, [SCRATCH_FD, ARGUMENT_ADDRESS, bytes.length, 0], slot);
    return ARGUMENT_ADDRESS;
  }

  takeArgument(slot: number, length: number): Uint8Array {
    this.expect(NR.pwrite64, [SCRATCH_FD, ARGUMENT_ADDRESS, length, 0], slot);
    return this.takeScratch(length);
  }

  putScratch(bytes: Uint8Array): void {
    writeSync(this.scratch, bytes, 0, bytes.length, 0);
  }

  takeScratch(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    readSync(this.scratch, bytes, 0, length, 0);
    return bytes;
  }

  /** Ends all processes. */
  close(): void {
    for (let slot = this.members.length - 1; slot > 0; slot--) if (this.isAlive(slot)) this.exit(slot);
    for (const { request, answer } of this.channels) {
      closeSync(request.write);
      closeSync(answer.read);
    }
    closeSync(this.scratch);
    this.libc.reap(this.member(0).pid);
  }

  private member(slot: number): Member {
    const member = this.members[slot];
    if (member === undefined) throw new Error(`no process in slot ${slot}`);
    return member;
  }

  private send(slot: number, number: number, args: readonly Argument[], child: number): void {
    this.request.fill(0n);
    this.request[0] = BigInt(number);
    for (const [at, arg] of args.entries()) this.request[1 + at] = BigInt.asUintN(64, BigInt(arg));
    this.request[REQUEST_WORDS - 1] = BigInt(child);
    writeSync(this.channels[slot].request.write, this.requestBytes);
  }

  private receive(slot: number): number {
    const count = readSync(this.channels[slot].answer.read, this.answerBytes);
    if (count !== WORD) throw new Error(`the oracle's executor in slot ${slot} died`);
    return Number(this.answer[0]);
  }
}

function channelOf(slot: number): number {
  return FIRST_CHANNEL + 2 * slot;
}
