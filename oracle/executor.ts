/**
 * A family of executor processes on the host: node's end of the pipes of executor-image.ts.
 *
 * Slot 0 is the process that was started; others come by `fork`, `vfork` and `clone` from any living one. Each has a
 * channel of its own, made before the start and inherited by all. Calls are synchronous: an answer is there before
 * `syscall` returns. Only a parent that waits for its vfork child gives its answer later, when the child has ended or
 * started another program: until then it is suspended, and no call of it can be made.
 */
import { closeSync, fchmodSync, openSync, readSync, writeSync } from "node:fs";
import { CLONE_VM } from "../src/machine/life/fork.ts";
import { O_CREAT, O_RDWR, POSIX_FADV_DONTNEED } from "../src/mm/uapi/fcntl.ts";
import { RLIMIT_FSIZE } from "../src/mm/uapi/mman.ts";
import { execCall } from "./exec-programs.ts";
import {
  ANSWER_LENGTH,
  ARGUMENT_ADDRESS,
  ARGUMENT_LENGTH,
  executorImage,
  FIRST_CHANNEL,
  IMAGE_FD,
  LIMITS_ADDRESS,
  RU_MINFLT,
  USAGE_AFTER,
  USAGE_BEFORE,
} from "./executor-image.ts";
import type { Libc } from "./libc.ts";
import { ProcReader } from "./proc-reader.ts";
import { INITIAL_LIMITS, NOEXEC_FD, NOEXEC_NAME } from "./subject.ts";
import { NR } from "./system-call-numbers.ts";

/** A file that all processes hold under SCRATCH_FD: bytes travel between their memory and us through it. */
export const SCRATCH_FD = 600;
export const SCRATCH_LENGTH: number = 2 ** 20;
/** Something on a disk, which has a cache that can be asked to drop its pages. */
const DISK_FD = 602;

const CLONE_NEWIPC = 0x08000000;
const CLONE_NEWNS = 0x00020000;
const MS_NOEXEC = 8;
const MS_REC_PRIVATE = 0x44000;
const MNT_DETACH = 2;
/** Room for a path in what a call is handed. */
const PATH_BYTES = 0x1000;
const PR_SET_CHILD_SUBREAPER = 36;
const PR_SET_THP_DISABLE = 41;
export const PR_SET_DUMPABLE = 4;
const SIGCHLD = 17;
const SIGXFSZ = 25;
const SIG_IGN = 1;
const WORD = 8;
/** struct rlimit64 without a limit. */
const NO_LIMIT: Uint8Array = new Uint8Array(2 * WORD).fill(0xff);
const REQUEST_WORDS = 8;

/** Numbers that no user has, mostly: of each run, and of each family in it. */
const UIDS_OF_RUN = 200;
const FIRST_UID: number = 20_000 + (process.pid % UIDS_OF_RUN) * UIDS_OF_RUN;
let families = 0;

function nextUid(): number {
  return FIRST_UID + (families++ % UIDS_OF_RUN);
}

interface Channel {
  readonly request: { readonly read: number; readonly write: number };
  readonly answer: { readonly read: number; readonly write: number };
}

interface Member {
  readonly pid: number;
  /** Slot of the process that reaps it; -1 for the first, which we reap ourselves. */
  parent: number;
  /** Whether its parent is suspended for as long as it uses the same memory. */
  holdsParent: boolean;
  /** Whether it waits for a vfork child. */
  isSuspended: boolean;
  proc: ProcReader;
}

/** An argument: a number, a negative one and one past 2^63 as the register would hold it. */
export type Argument = number | bigint;
/** How a child is made: with a copy of the memory, with the same memory while the parent waits, or with the same. */
export type ForkCall = "fork" | "vfork" | "clone";

export class ExecutorFamily {
  /** Minor faults that the last call took. */
  lastFaults = 0;
  private readonly libc: Libc;
  private readonly unpin: () => void;
  private readonly channels: Channel[] = [];
  private readonly members: (Member | undefined)[];
  private readonly request = new BigUint64Array(REQUEST_WORDS);
  private readonly requestBytes = new Uint8Array(this.request.buffer);
  private readonly answer = new BigInt64Array(ANSWER_LENGTH / WORD);
  private readonly answerBytes = new Uint8Array(this.answer.buffer);
  /** User and group of its own, where it can choose: what the kernel counts for each user is then this family's alone. */
  readonly uid: number = nextUid();
  private readonly scratch: number;
  /** Whether a step has limited how long files may be: the scratch file is one. */
  private mayLimitFiles = false;

  /** @param directory on a disk; nothing in it is touched */
  constructor(libc: Libc, slots: number, stackLimit: number, directory: string) {
    this.libc = libc;
    this.unpin = libc.pin();
    const image = libc.memoryFile("executor");
    writeSync(image, executorImage());
    fchmodSync(image, 0o555);
    this.scratch = libc.memoryFile("scratch");
    writeSync(this.scratch, new Uint8Array(SCRATCH_LENGTH));
    const disk = openSync(directory, "r");
    const descriptors: [number, number][] = [
      [disk, DISK_FD],
      [this.scratch, SCRATCH_FD],
      [image, IMAGE_FD],
    ];
    for (let slot = 0; slot < slots; slot++) {
      const channel: Channel = { request: libc.pipe(), answer: libc.pipe() };
      this.channels.push(channel);
      descriptors.push([channel.request.read, channelOf(slot)], [channel.answer.write, channelOf(slot) + 1]);
    }
    const pid = libc.spawn(`/proc/self/fd/${image}`, descriptors, stackLimit);
    this.members = [{ pid, parent: -1, holdsParent: false, isSuspended: false, proc: new ProcReader(pid) }];
    closeSync(image);
    closeSync(disk);
    for (const { request, answer } of this.channels) {
      closeSync(request.read);
      closeSync(answer.write);
    }
    this.receive(0);
    // What was opened while the program was being started would show the memory before it.
    this.reopen(0);
    this.prepare(directory);
  }

  /** Leaves the first process with its code and its data alone, no descriptor below the channels, no privilege. */
  private prepare(directory: string): void {
    this.expect(NR.close_range, [0, FIRST_CHANNEL - 1, 0]);
    this.expect(NR.prctl, [PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0]);
    this.expect(NR.prctl, [PR_SET_THP_DISABLE, 1, 0, 0, 0]);
    this.clearMemory(0);
    // A file that may not be so large is an error, and not the end.
    this.expect(NR.rt_sigaction, [SIGXFSZ, this.putWords(0, [SIG_IGN, 0, 0, 0]), 0, WORD]);
    for (const [resource, limit] of INITIAL_LIMITS)
      this.expect(NR.setrlimit, this.limits(0, resource, limit, limit));
    if (process.getuid?.() === 0) {
      this.expect(NR.unshare, [CLONE_NEWIPC]);
      this.openNoexec(directory);
      this.expect(NR.setresgid, [this.uid, this.uid, this.uid]);
      this.expect(NR.setresuid, [this.uid, this.uid, this.uid]);
      // Whoever changes its user is closed to others of the same user, too, until it says otherwise.
      this.expect(NR.prctl, [PR_SET_DUMPABLE, 1, 0, 0, 0]);
    }
    // What exec starts is found from there.
    this.expect(NR.chdir, [this.putArgument(0, Buffer.from(`${directory}\0`))]);
  }

  /** A file of a file system that is mounted noexec over `directory`, in no other process's sight, and at once unmounted. */
  private openNoexec(directory: string): void {
    const texts = ["/", "tmpfs", directory, `${directory}/${NOEXEC_NAME}`];
    const bytes = Buffer.alloc(texts.length * PATH_BYTES);
    for (const [at, text] of texts.entries()) bytes.write(text, at * PATH_BYTES);
    const [root, tmpfs, place, path] = texts.map((_, at) => ARGUMENT_ADDRESS + at * PATH_BYTES);
    this.expect(NR.unshare, [CLONE_NEWNS]);
    this.putArgument(0, bytes);
    this.expect(NR.mount, [0, root, 0, MS_REC_PRIVATE, 0]);
    this.expect(NR.mount, [tmpfs, place, tmpfs, MS_NOEXEC, 0]);
    const fd = this.expect(NR.open, [path, O_RDWR | O_CREAT, 0o666]);
    this.expect(NR.fchmod, [fd, 0o666]);
    this.expect(NR.umount2, [place, MNT_DETACH]);
    this.expect(NR.dup2, [fd, NOEXEC_FD]);
    this.expect(NR.close, [fd]);
  }

  /** Takes away what the kernel maps for every program, and touches all of the executor's own data. */
  private clearMemory(slot: number): void {
    for (const line of this.proc(slot).maps().split("\n")) {
      const area = /^([0-9a-f]+)-([0-9a-f]+) .*\[(stack|vdso|vvar\w*)\]$/.exec(line);
      if (area === null) continue;
      const start = Number.parseInt(area[1], 16);
      this.expect(NR.munmap, [start, Number.parseInt(area[2], 16) - start], slot);
    }
    this.expect(NR.pread64, [SCRATCH_FD, ARGUMENT_ADDRESS, ARGUMENT_LENGTH, 0], slot);
  }

  /** Whether its segments of shared memory are its own and have the numbers that a fresh kernel gives: not as a mere user. */
  get hasOwnIpc(): boolean {
    return process.getuid?.() === 0;
  }

  /** The slot of a process that lives, -1 for any other. */
  slotOf(pid: number): number {
    return this.members.findIndex((member) => member?.pid === pid);
  }

  /** Whether a process lives there that can make a call. */
  isAlive(slot: number): boolean {
    return this.members[slot]?.isSuspended === false;
  }

  isFree(slot: number): boolean {
    return this.members[slot] === undefined;
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

  /** Makes a child of `slot`; `args` are those of the step. 0 or a negative errno. */
  fork(call: ForkCall, slot: number, [child, flags = CLONE_VM, pidfdAt = 0]: readonly number[]): number {
    const args = call === "clone" ? [flags + SIGCHLD, 0, pidfdAt, 0, 0] : [];
    this.send(slot, NR[call], args, channelOf(child));
    // The parent of a vfork waits: its child tells its number itself.
    const holdsParent = call === "vfork";
    const pid = holdsParent ? this.syscall(child, NR.getpid, []) : this.receive(slot);
    if (pid < 0) return pid;
    this.member(slot).isSuspended = holdsParent;
    this.members[child] = { pid, parent: slot, holdsParent, isSuspended: false, proc: new ProcReader(pid) };
    return 0;
  }

  /**
   * execve with the arguments of a step `exec`. Where it succeeds it has started the executor's program again: nothing of the
   * process's memory is left. 0 or a negative errno.
   */
  exec(slot: number, args: readonly number[]): number {
    const { bytes, path, argv, env } = execCall(slot, args);
    this.putArgument(slot, bytes);
    const result = this.syscall(slot, NR.execve, [path, argv, env]);
    if (result < 0) return result;
    this.resumeParent(slot);
    this.reopen(slot);
    this.clearMemory(slot);
    return 0;
  }

  /** Ends a process other than the first and waits until its memory is gone. Its children go to the first one. */
  exit(slot: number): void {
    const member = this.member(slot);
    this.send(slot, NR.exit_group, [0], 0);
    this.resumeParent(slot);
    // Its parent may share its memory, and with that the place of the request, which it must have taken before the next one comes.
    member.proc.waitForZombie();
    this.expect(NR.wait4, [member.pid, 0, 0, 0], member.parent);
    member.proc.close();
    this.members[slot] = undefined;
    for (const other of this.members) if (other?.parent === slot) other.parent = 0;
  }

  /** Whether the process can end now: its parent must be able to wait for it. */
  canExit(slot: number): boolean {
    const { parent, holdsParent } = this.member(slot);
    return slot !== 0 && (holdsParent || this.isAlive(parent));
  }

  private resumeParent(slot: number): void {
    const member = this.member(slot);
    if (!member.holdsParent) return;
    member.holdsParent = false;
    this.receive(member.parent);
    this.member(member.parent).isSuspended = false;
  }

  private reopen(slot: number): void {
    const member = this.member(slot);
    member.proc.close();
    member.proc = new ProcReader(member.pid);
  }

  /** The arguments of setrlimit. */
  limits(slot: number, resource: number, soft: number, hard: number): number[] {
    if (resource === RLIMIT_FSIZE) this.mayLimitFiles = true;
    return [resource, this.putWords(slot, [soft, hard])];
  }

  /** The soft limit of a resource, 2^64 for none. */
  softLimit(slot: number, resource: number): number {
    this.expect(NR.getrlimit, [resource, ARGUMENT_ADDRESS], slot);
    return Number(new BigUint64Array(this.takeArgument(slot, WORD).buffer)[0]);
  }

  /** Puts words where the process can hand them to a system call; returns their address there. */
  putWords(slot: number, words: readonly number[]): number {
    const bytes = new BigUint64Array(words.map((word) => BigInt.asUintN(64, BigInt(word))));
    return this.putArgument(slot, new Uint8Array(bytes.buffer));
  }

  pid(slot: number): number {
    return this.member(slot).pid;
  }

  proc(slot: number): ProcReader {
    return this.member(slot).proc;
  }

  /**
   * Pages that wait in the processor's lists go where they belong, so that the figures are those of all pages
   * (lru_add_drain, which POSIX_FADV_DONTNEED begins with).
   */
  drain(slot: number): void {
    this.expect(NR.fadvise64, [DISK_FD, 0, 1 << 12, POSIX_FADV_DONTNEED], slot);
  }

  /** Puts bytes where the process can hand them to a system call; returns their address there. */
  putArgument(slot: number, bytes: Uint8Array): number {
    if (bytes.length > ARGUMENT_LENGTH) throw new Error(`argument of ${bytes.length} bytes`);
    this.putScratch(bytes);
    this.expect(NR.pread64, [SCRATCH_FD, ARGUMENT_ADDRESS, bytes.length, 0], slot);
    return ARGUMENT_ADDRESS;
  }

  takeArgument(slot: number, length: number): Uint8Array {
    const result = this.writeScratch(slot, ARGUMENT_ADDRESS, length);
    if (result < 0) throw new Error(`the oracle can't read its own memory: errno ${-result}`);
    return this.takeScratch(length);
  }

  /** Writes a range of the process's memory into the scratch file, however long it may make files: the result of that call. */
  writeScratch(slot: number, addr: number, length: number): number {
    if (this.mayLimitFiles) {
      this.putScratch(NO_LIMIT);
      this.expect(NR.pread64, [SCRATCH_FD, LIMITS_ADDRESS, NO_LIMIT.length, 0], slot);
      this.syscall(slot, NR.prlimit64, [0, RLIMIT_FSIZE, LIMITS_ADDRESS, LIMITS_ADDRESS + NO_LIMIT.length]);
    }
    const result = this.syscall(slot, NR.pwrite64, [SCRATCH_FD, addr, length, 0]);
    const faults = this.lastFaults;
    if (this.mayLimitFiles)
      this.syscall(slot, NR.prlimit64, [0, RLIMIT_FSIZE, LIMITS_ADDRESS + NO_LIMIT.length, 0]);
    this.lastFaults = faults;
    return result;
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
    const others = [...this.members.keys()].filter((slot) => slot > 0 && !this.isFree(slot));
    for (let left = others; left.length > 0; left = left.filter((slot) => !this.isFree(slot))) {
      for (const slot of left) if (this.isAlive(slot) && this.canExit(slot)) this.exit(slot);
    }
    for (const { request, answer } of this.channels) {
      closeSync(request.write);
      closeSync(answer.read);
    }
    closeSync(this.scratch);
    this.proc(0).close();
    this.libc.reap(this.pid(0));
    this.unpin();
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
    if (count !== ANSWER_LENGTH) throw new Error(`the oracle's executor in slot ${slot} died`);
    const faults = (usage: number): bigint => this.answer[(usage + RU_MINFLT) / WORD];
    this.lastFaults = Number(faults(USAGE_AFTER) - faults(USAGE_BEFORE));
    return Number(this.answer[0]);
  }
}

function channelOf(slot: number): number {
  return FIRST_CHANNEL + 2 * slot;
}
