/**
 * Raw system calls with any registers: a program that does nothing but ecall, and a test that sets the registers of each
 * of its processes before every instruction. Numbers and arguments are random, many of them such as mean something:
 * addresses in and around mappings, descriptors, lengths near every limit, addresses of the kernel's.
 *
 * Whatever comes of it, neither the host's process nor an invariant may break: the validator runs every few calls, and a
 * call that was refused must have left the caller's mappings as they were, but for those of which Linux says otherwise.
 */

import { Prng } from "../../src/lib/prng.ts";
import { devPtsFs, MACHINE_BYTES, Terminals, terminalNodes, VirtualClock } from "../../src/machine/index.ts";
import { MachineActivity, ProcessActivity } from "../../src/machine/life/activity.ts";
import { commitExec } from "../../src/machine/life/exec.ts";
import { givenStrings } from "../../src/machine/life/exec-strings.ts";
import { prepareExec } from "../../src/machine/life/prepare-exec.ts";
import { LoadAverage } from "../../src/machine/load-average.ts";
import { makeHart, Scheduler } from "../../src/machine/scheduler.ts";
import { sendSignal } from "../../src/machine/signals/send-signal.ts";
import { kernelInfo } from "../../src/machine/signals/siginfo.ts";
import { SI_KERNEL, SIGKILL } from "../../src/machine/signals/signal-numbers.ts";
import { SignalHandlers } from "../../src/machine/signals/signal-state.ts";
import { SYSCALLS } from "../../src/machine/syscalls/table.ts";
import { System } from "../../src/machine/system.ts";
import { type Thread, ThreadGroup } from "../../src/machine/thread.ts";
import { LinuxError } from "../../src/mm/kernel/errors.ts";
import { Kernel } from "../../src/mm/kernel/kernel.ts";
import { applyCapabilities } from "../../src/mm/kernel/task-lifecycle.ts";
import { validate } from "../../src/mm/kernel/validate.ts";
import { PAGE_SIZE } from "../../src/mm/page.ts";
import { procFs } from "../../src/mm/proc/proc-fs.ts";
import { devFs } from "../../src/mm/shmem/dev-fs.ts";
import { sysOpenat } from "../../src/mm/syscalls/open.ts";
import { ENOMEM } from "../../src/mm/uapi/errno.ts";
import { AT_FDCWD, O_CREAT, O_RDWR } from "../../src/mm/uapi/fcntl.ts";
import { MAP_ANONYMOUS, MAP_FIXED } from "../../src/mm/uapi/mman.ts";
import { VM_GROWSDOWN } from "../../src/mm/vma/vm-flags.ts";
import { assemble } from "./assemble.ts";
import { FIRST_CALLS, putStructs, sensibleArgument, structAddress } from "./syscall-fuzz-arguments.ts";

const RAM_BYTES = 8 * 2 ** 20;
/** Living processes, and with those that nobody has waited for. */
const MAX_THREADS = 6;
const MAX_GROUPS = 24;
const CALLS_OF_A_KERNEL = 20_000;
const VALIDATE_EVERY = 50;

const ECALL = 0x73;
const JUMP_BACK = 0xffdff06f; // jal x0, -4
const PROGRAM = 0x10000;
const ENTRY = 0x10100;
const STATE_PC = 0;
const A0 = 10;
const NR_CLONE = 220;
const NR_MMAP = 222;
const NR_MPROTECT = 226;
const NR_MADVISE = 233;
const A7 = 17;
/** Paths for calls that want one, in the program's page. */
const PATHS = ["/tmp/a", "/tmp/b", "/tmp", "/proc/self/maps", "/proc/self/mem", "/dev/zero", "/program0", ""];
const PATHS_AT = 0x300;
const PATH_ROOM = 32;

/** What may have done part of its work before it refuses the rest, and whom others than the caller may suffer. */
const PARTIAL: ReadonlySet<string> = new Set([
  "mprotect",
  "mremap",
  "mlock",
  "mlock2",
  "mlockall",
  "munlock",
  "madvise",
  "process_madvise",
  "remap_file_pages",
  "shmat",
  "execve",
  "execveat",
]);

export interface FuzzResult {
  readonly calls: number;
  readonly refused: number;
  /** How often each call of the table was made, and how often it succeeded. */
  readonly reached: ReadonlyMap<string, number>;
  readonly succeeded: ReadonlyMap<string, number>;
}

/** Makes `calls` calls; throws where something breaks. */
export function fuzzSyscalls(seed: number, calls: number): FuzzResult {
  const reached = new Map<string, number>();
  const succeeded = new Map<string, number>();
  let refused = 0;
  for (let made = 0; made < calls; ) {
    const part = Math.min(CALLS_OF_A_KERNEL, calls - made);
    const fuzz = new Fuzz(seed + made, reached, succeeded);
    fuzz.run(part);
    refused += fuzz.refused;
    made += fuzz.made;
  }
  return { calls, refused, reached, succeeded };
}

class Fuzz {
  /** Calls made, and those of them that were refused. */
  made = 0;
  refused = 0;
  #programs = 0;
  #image: Uint8Array = new Uint8Array(0);
  readonly #random: Prng;
  readonly #clock = new VirtualClock();
  readonly #kernel: Kernel;
  readonly #system: System;
  readonly #scheduler: Scheduler;
  readonly #reached: Map<string, number>;
  readonly #succeeded: Map<string, number>;
  readonly #load = new LoadAverage();
  /** How many of FIRST_CALLS each program has made. */
  readonly #begun = new WeakMap<ThreadGroup, number>();

  constructor(seed: number, reached: Map<string, number>, succeeded: Map<string, number>) {
    this.#random = new Prng(seed);
    this.#reached = reached;
    this.#succeeded = succeeded;
    this.#kernel = new Kernel({
      ram: RAM_BYTES,
      machineBytes: MACHINE_BYTES,
      now: () => this.#clock.realtimeNs(),
      poison: true,
    });
    const kernel = this.#kernel;
    kernel.mount("/proc", procFs(kernel));
    const terminals = new Terminals();
    const nodes = terminalNodes(terminals);
    kernel.mount("/dev", devFs({ random: (bytes) => kernel.random.fill(bytes), nodes }));
    kernel.mount("/dev/pts", devPtsFs(terminals));
    const { ram } = kernel.phys;
    const hart = makeHart(() => this.#system, ram.memory, ram.machineBase, undefined);
    this.#system = new System(kernel, hart, this.#clock, (bytes) => kernel.random.fill(bytes), terminals);
    kernel.activity = new MachineActivity(this.#system, this.#load);
    kernel.phys.icache = { flushIcachePage: (pfn) => hart.invalidateFrame(pfn * PAGE_SIZE) };
    // One instruction a turn: a call.
    this.#scheduler = new Scheduler(this.#system, 1);
    this.#install();
  }

  #install(): void {
    const image = assemble([ECALL, JUMP_BACK]);
    for (const [index, path] of PATHS.entries()) {
      image.set(new TextEncoder().encode(path), PATHS_AT + index * PATH_ROOM);
    }
    putStructs(image);
    this.#image = image;
    const shell = this.#kernel.spawn();
    shell.mkdir("/tmp", 0o777);
    shell.fs.umask = 0;
    for (const path of ["/tmp/a", "/tmp/b"]) {
      shell.write(shell.open(path, O_RDWR | O_CREAT, 0o666), new Uint8Array(10_000).fill(7));
    }
    shell.exit();
  }

  /** Makes so many calls, or as many as memory lasts for: files take all of it sooner or later. */
  run(calls: number): void {
    while (this.made < calls) {
      if (this.#system.threads.length === 0 && !this.#spawn()) break;
      this.made++;
      this.#bound();
      const next = this.#system.threads.find(
        ({ wait, group }) => wait === undefined && group.stopSignal === 0,
      );
      for (const thread of this.#system.threads) if (thread.wait === undefined) this.#setRegisters(thread);
      // The hart may hold its registers still, and would go on with those.
      if (next !== undefined) this.#system.hart.loadState(next.state);
      if (this.#turn(next)) this.refused++;
      if (this.made % VALIDATE_EVERY === 0) this.#validate();
    }
    this.#validate();
    for (const process of [...this.#kernel.processes.values()])
      if (process.exitStatus === null) process.exit();
    this.#validate();
  }

  /** One call; whether `next`, whose turn it should be, was refused. */
  #turn(next: Thread | undefined): boolean {
    const before = next === undefined ? "" : mappingsOf(next);
    const mm = next?.group.process.mm;
    const callsBefore = next?.group.syscalls ?? 0;
    const registers = next === undefined ? undefined : new BigInt64Array(next.state.slice().buffer, 0, 32);
    const turn = this.#scheduler.turn();
    if (turn.kind === "idle") this.#clock.sleepUntil(turn.untilNs);
    if (turn.kind === "stuck") this.#kill();
    if (turn.kind !== "ran" || next === undefined || registers === undefined) return false;
    const nr = Number(registers[A7]);
    const name = SYSCALLS[nr]?.name;
    if (name !== undefined) this.#reached.set(name, (this.#reached.get(name) ?? 0) + 1);
    // Somebody else had the turn, or it is not over.
    const hasCalled = next.group.syscalls > callsBefore;
    if (!hasCalled || next.wait !== undefined || next.group.hasExited) return false;
    const answer = new BigInt64Array(next.state.slice().buffer, 0, 32)[A0];
    if (answer >= 0n || answer < -4095n) {
      if (name !== undefined) this.#succeeded.set(name, (this.#succeeded.get(name) ?? 0) + 1);
      return false;
    }
    const mayBePartial =
      PARTIAL.has(name ?? "") ||
      (name === "mmap" && (Number(registers[A0 + 3] & 0xffffffffn) & MAP_FIXED) !== 0);
    if (!mayBePartial && next.group.process.mm === mm && mappingsOf(next) !== before) {
      throw new Error(
        `${name ?? nr}(${[...registers.slice(A0, A0 + 6)].map((arg) => `0x${BigInt.asUintN(64, arg).toString(16)}`).join(", ")})` +
          ` = ${answer} changed the mappings from\n${before}to\n${mappingsOf(next)}`,
      );
    }
    return true;
  }

  #validate(): void {
    const wrong = validate(this.#kernel);
    if (wrong.length > 0) throw new Error(`the validator found:\n${wrong.join("\n")}`);
  }

  /** Starts a program, from a file that no call knows yet. False where memory is out. */
  #spawn(): boolean {
    const path = `/program${this.#programs++}`;
    const shell = this.#kernel.spawn();
    shell.fs.umask = 0;
    try {
      shell.write(shell.open(path, O_RDWR | O_CREAT, 0o755), this.#image);
    } catch (error) {
      if (!(error instanceof LinuxError)) throw error;
      return false;
    } finally {
      shell.exit();
    }
    const process = this.#kernel.spawn();
    const group = new ThreadGroup(process, new SignalHandlers(), 0);
    const prepared = prepareExec(process, { path, strings: givenStrings(["fuzz"], []) });
    if (prepared === -ENOMEM) {
      process.exit();
      return false;
    }
    if (typeof prepared === "number" || prepared instanceof Error)
      throw new Error(`exec: ${String(prepared)}`);
    const state = commitExec(this.#system, group.leader, prepared);
    if (state === -ENOMEM) {
      process.exit();
      return false;
    }
    if (typeof state === "number") throw new Error(`exec: ${state}`);
    // Only now, since calls of others may have closed every directory to it.
    if (this.#random.below(2) === 0) {
      process.uid = 1000;
      process.gid = 1000;
      applyCapabilities(process);
    }
    group.leader.state.set(state);
    process.activity = new ProcessActivity(this.#system, group);
    this.#system.groups.set(group.pid, group);
    this.#begun.set(group, 0);
    this.#system.threads.push(group.leader);
    for (const path of ["/tmp/a", "/tmp/b", "/dev/zero"]) {
      // What calls have done to the files may stand against it.
      sysOpenat(process, AT_FDCWD, path, O_RDWR, 0);
    }
    return true;
  }

  #bound(): void {
    const { threads, groups } = this.#system;
    if (threads.length > MAX_THREADS || groups.size > MAX_GROUPS) this.#kill();
  }

  #kill(): void {
    const { threads } = this.#system;
    const { group } = threads[this.#random.below(threads.length)];
    sendSignal(group, kernelInfo(SIGKILL, SI_KERNEL));
  }

  #setRegisters(thread: Thread): void {
    const state = new BigInt64Array(thread.state.buffer, thread.state.byteOffset, 32);
    state[STATE_PC] = BigInt(ENTRY);
    const begun = this.#begun.get(thread.group) ?? FIRST_CALLS.length;
    if (begun < FIRST_CALLS.length) {
      this.#begun.set(thread.group, begun + 1);
      const [nr, ...args] = FIRST_CALLS[begun];
      state[A7] = BigInt(nr);
      for (let i = 0; i < 6; i++) state[A0 + i] = BigInt(args[i] ?? 0);
      return;
    }
    state[A7] = BigInt.asIntN(64, this.#number());
    const isSensible = this.#random.below(2) === 0;
    for (let i = 0; i < 6; i++) {
      const argument = isSensible ? this.#sensible(thread, i, Number(state[A7])) : this.#argument(thread, i);
      state[A0 + i] = BigInt.asIntN(64, argument);
    }
  }

  /** What a call about memory might be given: a place that is mapped or free, some pages, protection, flags, a file. */
  #sensible(thread: Thread, index: number, nr: number): bigint {
    const random = this.#random;
    const pages = BigInt((1 + random.below(4)) * PAGE_SIZE);
    const place = this.#address(thread) & ~BigInt(PAGE_SIZE - 1);
    if (nr === NR_MMAP) {
      const flags = 1 + random.below(2) + (random.below(3) === 0 ? 0 : MAP_ANONYMOUS);
      const rest = random.below(3) === 0 ? Number(this.#flags() & 0x1ffff0n) : 0;
      return [
        random.below(2) === 0 ? 0n : place,
        pages,
        BigInt(random.below(8)),
        BigInt(flags | rest),
        BigInt(random.below(4)),
        BigInt(random.below(3) * PAGE_SIZE),
      ][index];
    }
    if (nr === NR_MADVISE && index === 2) return BigInt(random.below(26));
    if (nr === NR_MPROTECT && index === 2) return BigInt(random.below(8));
    // SIGCHLD; with CLONE_VM; and with CLONE_VFORK, too.
    if (nr === NR_CLONE) return index === 0 ? [0x11n, 0x11n, 0x111n, 0x4111n][random.below(4)] : 0n;
    if (!MEMORY_CALLS.includes(nr)) {
      const name = SYSCALLS[nr]?.name ?? "";
      return sensibleArgument(random, name, index) ?? this.#argument(thread, index);
    }
    const third = random.below(2) === 0 ? pages : BigInt(random.below(4));
    return [place, pages, third, BigInt(random.below(8)), place, 0n][index];
  }

  #number(): bigint {
    const kind = this.#random.below(100);
    if (kind < 45) return BigInt(MEMORY_CALLS[this.#random.below(MEMORY_CALLS.length)]);
    if (kind < 90) return BigInt(OTHER_CALLS[this.#random.below(OTHER_CALLS.length)]);
    if (kind < 95) return BigInt(DEADLY_CALLS[this.#random.below(DEADLY_CALLS.length)]);
    if (kind < 98) return BigInt(this.#random.below(600));
    return this.#anything();
  }

  #argument(thread: Thread, index: number): bigint {
    const random = this.#random;
    switch (random.below(12)) {
      case 0:
        return BigInt(random.below(16) - 2);
      case 1:
      case 2:
        return index === 0 || random.below(2) === 0 ? this.#address(thread) : BigInt(random.below(8));
      case 3:
        return BigInt(random.below(12) * PAGE_SIZE);
      case 4:
        return BigInt(random.below(5 * PAGE_SIZE));
      case 5:
        return this.#flags();
      case 6:
        return BigInt(PROGRAM + PATHS_AT + random.below(PATHS.length) * PATH_ROOM);
      case 7:
        return this.#anything();
      case 8:
        return BigInt([...this.#system.groups.keys()][random.below(this.#system.groups.size)] ?? 1);
      case 9:
        return random.below(2) === 0 ? -100n : structAddress(random); // AT_FDCWD
      default:
        return index === 0 ? this.#address(thread) : BigInt(random.below(index === 1 ? 6 * PAGE_SIZE : 64));
    }
  }

  #address(thread: Thread): bigint {
    const random = this.#random;
    // Without its program's page a process is lost.
    const all = [...thread.group.process.mm.vmas];
    const areas = random.below(50) === 0 ? all : all.filter(({ start }) => start !== PROGRAM);
    const area = areas[random.below(areas.length)];
    if (area === undefined || random.below(4) === 0)
      return BigInt(0x4000_0000 + random.below(64) * PAGE_SIZE);
    const place = random.below(2) === 0 ? area.start : area.end;
    const skew = random.below(4) === 0 ? random.below(64) - 32 : (random.below(5) - 2) * PAGE_SIZE;
    return BigInt(Math.max(0, place + skew));
  }

  #flags(): bigint {
    let bits = 0;
    for (let count = this.#random.below(4); count >= 0; count--) bits |= 1 << this.#random.below(22);
    return BigInt(bits);
  }

  /** Any 64 bits: near a power of two, of either sign, or all random. */
  #anything(): bigint {
    const random = this.#random;
    if (random.below(3) === 0) return (BigInt(random.below(2 ** 32)) << 32n) | BigInt(random.below(2 ** 32));
    const power = 1n << BigInt(random.below(64));
    const near = power + BigInt(random.below(3) - 1) * (random.below(2) === 0 ? 1n : BigInt(PAGE_SIZE));
    return random.below(2) === 0 ? near : -near;
  }
}

const NAMED = SYSCALLS.flatMap((entry, nr) => (entry === undefined ? [] : [{ name: entry.name, nr }]));
const MEMORY = /^(m(?!k)|brk|process_|remap|shm|clone)/;
/** After these a process is seldom there, or able to go on. */
const DEADLY =
  /^(exit|kill|tkill|tgkill|execve|rt_sigreturn|rt_sigsuspend|rt_sig.*queueinfo|setitimer|.*rlimit)/;
const MEMORY_CALLS = numbersOf((name) => MEMORY.test(name));
const DEADLY_CALLS = numbersOf((name) => DEADLY.test(name));
const OTHER_CALLS = numbersOf((name) => !MEMORY.test(name) && !DEADLY.test(name));

function numbersOf(isWanted: (name: string) => boolean): number[] {
  return NAMED.filter(({ name }) => isWanted(name)).map(({ nr }) => nr);
}

/**
 * One line a mapping, with what could be one in one: a call may split a mapping before it is refused. Stacks are left out,
 * since any call that reads its buffer there lets them grow.
 */
function mappingsOf({ group }: Thread): string {
  const lines: string[] = [];
  let last: { readonly end: number; readonly flags: number; readonly origin: number } | undefined;
  let start = 0;
  for (const vma of group.process.mm.vmas) {
    const { end, flags } = vma;
    if ((flags & VM_GROWSDOWN) !== 0) continue;
    const origin = vma.pgoff - vma.start / PAGE_SIZE;
    if (last?.end === vma.start && last.flags === flags && last.origin === origin) lines.pop();
    else start = vma.start;
    last = { end, flags, origin };
    lines.push(`${start.toString(16)}-${end.toString(16)} ${flags.toString(16)} ${origin}`);
  }
  return `${lines.join("\n")}\n`;
}
