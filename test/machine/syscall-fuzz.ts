/**
 * Raw system calls with any registers: a program that does nothing but ecall, and a test that sets the registers of each
 * of its processes before every instruction. Numbers and arguments are random, many of them such as mean something:
 * addresses in and around mappings, descriptors, lengths near every limit, addresses of the kernel's.
 *
 * Whatever comes of it, neither the host's process nor an invariant may break: the validator runs every few calls, and a
 * call that was refused must have left the caller's mappings as they were, but for those of which Linux says otherwise.
 */

import { Prng } from "../../src/lib/prng.ts";
import { MACHINE_BYTES, VirtualClock } from "../../src/machine/index.ts";
import { MachineActivity, ProcessActivity } from "../../src/machine/life/activity.ts";
import { commitExec, prepareExec } from "../../src/machine/life/exec.ts";
import { LoadAverage } from "../../src/machine/load-average.ts";
import { makeHart, Scheduler } from "../../src/machine/scheduler.ts";
import { sendSignal } from "../../src/machine/signals/send-signal.ts";
import { kernelInfo } from "../../src/machine/signals/siginfo.ts";
import { SI_KERNEL, SIGKILL } from "../../src/machine/signals/signal-numbers.ts";
import { SignalHandlers } from "../../src/machine/signals/signal-state.ts";
import { SYSCALLS } from "../../src/machine/syscalls/table.ts";
import { System } from "../../src/machine/system.ts";
import { type Thread, ThreadGroup } from "../../src/machine/thread.ts";
import { Kernel } from "../../src/mm/kernel/kernel.ts";
import { validate } from "../../src/mm/kernel/validate.ts";
import { PAGE_SIZE } from "../../src/mm/page.ts";
import { procFs } from "../../src/mm/proc/proc-fs.ts";
import { devFs } from "../../src/mm/shmem/dev-fs.ts";
import { O_CREAT, O_RDWR } from "../../src/mm/uapi/fcntl.ts";
import { MAP_FIXED } from "../../src/mm/uapi/mman.ts";
import { VM_GROWSDOWN } from "../../src/mm/vma/vm-flags.ts";
import { assemble } from "./assemble.ts";

const RAM_BYTES = 8 * 2 ** 20;
/** Living processes, and with those that nobody has waited for. */
const MAX_THREADS = 6;
const MAX_GROUPS = 24;
const CALLS_OF_A_KERNEL = 20_000;
const VALIDATE_EVERY = 50;

const ECALL = 0x73;
const JUMP_BACK = 0xffdff06f; // jal x0, -4
const ENTRY = 0x10100;
const STATE_PC = 0;
const A0 = 10;
const A7 = 17;
/** Paths for calls that want one, in the program's page. */
const PATHS = ["/tmp/a", "/tmp/b", "/tmp", "/proc/self/maps", "/proc/self/mem", "/dev/zero", "/fuzz", ""];
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
  /** How often each number was called that is in the table. */
  readonly reached: ReadonlyMap<string, number>;
}

/** Makes `calls` calls; throws where something breaks. */
export function fuzzSyscalls(seed: number, calls: number): FuzzResult {
  const reached = new Map<string, number>();
  let refused = 0;
  for (let made = 0; made < calls; ) {
    const part = Math.min(CALLS_OF_A_KERNEL, calls - made);
    const fuzz = new Fuzz(seed + made, reached);
    refused += fuzz.run(part);
    made += part;
  }
  return { calls, refused, reached };
}

class Fuzz {
  readonly #random: Prng;
  readonly #clock = new VirtualClock();
  readonly #kernel: Kernel;
  readonly #system: System;
  readonly #scheduler: Scheduler;
  readonly #reached: Map<string, number>;
  readonly #load = new LoadAverage();

  constructor(seed: number, reached: Map<string, number>) {
    this.#random = new Prng(seed);
    this.#reached = reached;
    this.#kernel = new Kernel({
      ram: RAM_BYTES,
      machineBytes: MACHINE_BYTES,
      now: () => this.#clock.realtimeNs(),
      poison: true,
    });
    const kernel = this.#kernel;
    kernel.mount("/proc", procFs(kernel));
    kernel.mount("/dev", devFs({ random: (bytes) => kernel.random.fill(bytes) }));
    const { ram } = kernel.phys;
    const hart = makeHart(() => this.#system, ram.memory, ram.machineBase, undefined);
    this.#system = new System(kernel, hart, this.#clock, (bytes) => kernel.random.fill(bytes));
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
    const shell = this.#kernel.spawn();
    shell.mkdir("/tmp", 0o777);
    shell.fs.umask = 0;
    for (const path of ["/tmp/a", "/tmp/b"]) {
      shell.write(shell.open(path, O_RDWR | O_CREAT, 0o666), new Uint8Array(10_000).fill(7));
    }
    shell.write(shell.open("/fuzz", O_RDWR | O_CREAT, 0o755), image);
    shell.exit();
  }

  /** How many calls were refused. */
  run(calls: number): number {
    let refused = 0;
    for (let call = 0; call < calls; call++) {
      if (this.#system.threads.length === 0) this.#spawn();
      this.#bound();
      const next = this.#system.threads.find(
        ({ wait, group }) => wait === undefined && group.stopSignal === 0,
      );
      for (const thread of this.#system.threads) if (thread.wait === undefined) this.#setRegisters(thread);
      const ran = this.#system.threads.at(-1);
      // The hart may hold its registers still.
      if (ran?.wait === undefined && ran !== undefined) this.#system.hart.loadState(ran.state);
      if (this.#turn(next)) refused++;
      if (call % VALIDATE_EVERY === 0) this.#validate();
    }
    this.#validate();
    for (const process of [...this.#kernel.processes.values()])
      if (process.exitStatus === null) process.exit();
    this.#validate();
    return refused;
  }

  /** One call; whether `next`, whose turn it should be, was refused. */
  #turn(next: Thread | undefined): boolean {
    const before = next === undefined ? "" : mappingsOf(next);
    const mm = next?.group.process.mm;
    const registers = next === undefined ? undefined : new BigInt64Array(next.state.slice().buffer, 0, 32);
    const turn = this.#scheduler.turn();
    if (turn.kind === "idle") this.#clock.sleepUntil(turn.untilNs);
    if (turn.kind === "stuck") this.#kill();
    if (turn.kind !== "ran" || next === undefined || registers === undefined) return false;
    const nr = Number(registers[A7]);
    const name = SYSCALLS[nr]?.name;
    if (name !== undefined) this.#reached.set(name, (this.#reached.get(name) ?? 0) + 1);
    if (this.#system.threads.at(-1) !== next || next.wait !== undefined || next.group.hasExited) return false;
    const answer = new BigInt64Array(next.state.slice().buffer, 0, 32)[A0];
    if (answer >= 0n || answer < -4095n) return false;
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

  #spawn(): void {
    const process = this.#kernel.spawn(this.#random.below(2) === 0 ? {} : { uid: 1000, gid: 1000 });
    const group = new ThreadGroup(process, new SignalHandlers(), 0);
    const prepared = prepareExec(process, { path: "/fuzz", argv: ["fuzz"], env: [] });
    if (typeof prepared === "number" || prepared instanceof Error)
      throw new Error(`exec: ${String(prepared)}`);
    const state = commitExec(this.#system, group.leader, prepared);
    if (typeof state === "number") throw new Error(`exec: ${state}`);
    group.leader.state.set(state);
    process.activity = new ProcessActivity(this.#system, group);
    this.#system.groups.set(group.pid, group);
    this.#system.threads.push(group.leader);
    for (const path of ["/tmp/a", "/tmp/b", "/dev/zero"]) process.open(path, O_RDWR);
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
    state[A7] = BigInt.asIntN(64, this.#number());
    for (let i = 0; i < 6; i++) state[A0 + i] = BigInt.asIntN(64, this.#argument(thread, i));
  }

  #number(): bigint {
    const kind = this.#random.below(100);
    if (kind < 45) return BigInt(MEMORY_CALLS[this.#random.below(MEMORY_CALLS.length)]);
    if (kind < 90) return BigInt(OTHER_CALLS[this.#random.below(OTHER_CALLS.length)]);
    if (kind < 97) return BigInt(this.#random.below(600));
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
        return BigInt(0x10000 + PATHS_AT + random.below(PATHS.length) * PATH_ROOM);
      case 7:
        return this.#anything();
      case 8:
        return BigInt([...this.#system.groups.keys()][random.below(this.#system.groups.size)] ?? 1);
      case 9:
        return -100n; // AT_FDCWD
      default:
        return index === 0 ? this.#address(thread) : BigInt(random.below(index === 1 ? 6 * PAGE_SIZE : 64));
    }
  }

  #address(thread: Thread): bigint {
    const random = this.#random;
    const areas = [...thread.group.process.mm.vmas];
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
const MEMORY = /^(m|brk|process_|remap|shm|clone|vfork|fork)/;
const MEMORY_CALLS = NAMED.filter(({ name }) => MEMORY.test(name)).map(({ nr }) => nr);
const OTHER_CALLS = NAMED.filter(({ name }) => !MEMORY.test(name)).map(({ nr }) => nr);

/** One line a mapping; a stack's start is left out, since any call that reads its buffer there lets it grow. */
function mappingsOf({ group }: Thread): string {
  let text = "";
  for (const { start, end, flags, pgoff } of group.process.mm.vmas) {
    const isStack = (flags & VM_GROWSDOWN) !== 0;
    text += `${isStack ? "grows" : `${start.toString(16)} ${pgoff}`}-${end.toString(16)} ${flags.toString(16)}\n`;
  }
  return text;
}
