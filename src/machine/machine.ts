/**
 * The Machine: a computer with one RISC-V hart that runs Linux programs on a kernel's memory and files.
 *
 * ```ts
 *   const kernel = new Kernel({ machineBytes: MACHINE_BYTES });
 *   kernel.mount("/", tmpFs());
 *   const machine = new Machine(kernel, { stdout: streamOf({ write: (bytes) => … }) });
 *   machine.spawn("/bin/append", ["append", "notes.txt", "a line"]);
 *   const { code } = machine.run();
 * ```
 */
import { Prng } from "../lib/prng.ts";
import { LinuxError } from "../mm/kernel/errors.ts";
import type { Kernel } from "../mm/kernel/kernel.ts";
import type { MemoryCgroup } from "../mm/kernel/memory-cgroup.ts";
import type { Process } from "../mm/kernel/process.ts";
import { exitProcess } from "../mm/kernel/task-lifecycle.ts";
import { PAGE_SIZE } from "../mm/page.ts";
import { sysChdir } from "../mm/syscalls/directory.ts";
import { fdInstall } from "../mm/syscalls/fd.ts";
import { O_RDONLY, O_WRONLY } from "../mm/uapi/fcntl.ts";
import { newStreamFile } from "../mm/vfs/char-device.ts";
import { type MachineClock, VirtualClock } from "./clock.ts";
import { HART_AREA_BYTES } from "./cpu/hart.ts";
import { ElfError } from "./elf/elf-error.ts";
import type { ProgramString } from "./elf/stack-image.ts";
import { MachineActivity, ProcessActivity } from "./life/activity.ts";
import { commitExec } from "./life/exec.ts";
import { givenStrings } from "./life/exec-strings.ts";
import { exitGroup } from "./life/exit.ts";
import { prepareExec } from "./life/prepare-exec.ts";
import { LoadAverage } from "./load-average.ts";
import type { HostLoopback } from "./net/host-loopback.ts";
import { makeHart, Scheduler, type Turn } from "./scheduler.ts";
import { sendSignal } from "./signals/send-signal.ts";
import { kernelInfo } from "./signals/siginfo.ts";
import { SI_KERNEL, SIGHUP, SIGKILL } from "./signals/signal-numbers.ts";
import { SignalHandlers } from "./signals/signal-state.ts";
import { type MachineStream, nullStream } from "./stream.ts";
import { System } from "./system.ts";
import { ThreadGroup } from "./thread.ts";
import { newConsole } from "./tty/console.ts";
import { newConsoleFile } from "./tty/devpts.ts";
import { setTerminal } from "./tty/job-control.ts";
import { Terminals } from "./tty/terminals.ts";
import type { Tty } from "./tty/tty.ts";

/** RAM that a Kernel must set aside (`machineBytes`) for a Machine to run on it. */
export const MACHINE_BYTES: number = HART_AREA_BYTES;

export interface MachineOptions {
  /** Standard streams of the programs that `spawn` starts. Default: empty input, output to nowhere. */
  readonly stdin?: MachineStream;
  readonly stdout?: MachineStream;
  readonly stderr?: MachineStream;
  /** Where programs find the machine's terminals (terminalNodes, devPtsFs). Default: nowhere but in their descriptors. */
  readonly terminals?: Terminals;
  /** Default: a virtual clock, which makes runs repeat exactly. Give the same one to the kernel as `now`. */
  readonly clock?: MachineClock;
  /** Instructions of a turn. Default 100,000. */
  readonly quantum?: number;
  /** Varies the lengths of turns where threads or processes share the hart, the same way each time. Default: no variation. */
  readonly scheduleSeed?: number;
  /** Stop, killing every process, after this many instructions in all. Default: never. */
  readonly maxInstructions?: number;
  /** Called after each turn; "stop" ends the run, killing every process. */
  readonly onSlice?: (machine: Machine) => "stop" | undefined;
  /**
   * Whether the run is to end now, killing every process. Asked after each turn and each system call, and between the pages
   * of a call that works on many: of use where the run has only so much time. Default: never.
   */
  readonly mustEnd?: () => boolean;
  /** The host's loopback, for streams of programs: the machine is then run by `runAsync`. Default: none. */
  readonly hostLoopback?: HostLoopback;
  /** The compiled interpreter (`compileInterpreter`), where compiling in place isn't wanted. */
  readonly module?: WebAssembly.Module | undefined;
}

/** How a run ended. */
export interface ExitStatus {
  readonly pid: number;
  /** Exit code of the program; null when a signal ended it. */
  readonly code: number | null;
  /** Number of the signal that ended it, or null. */
  readonly signal: number | null;
  /** "exited" by itself or by a signal; or ended by the machine, all with SIGKILL. */
  readonly reason: "exited" | "instruction-limit" | "stopped";
}

/** What is known of a process that has ended. */
export interface ProcessSummary {
  readonly pid: number;
  readonly parentPid: number;
  /** Path of its program. */
  readonly path: string;
  /** Wait status: exit code << 8, or a signal's number. */
  readonly status: number;
  readonly minFlt: number;
  readonly majFlt: number;
  readonly maxRssBytes: number;
  readonly instructions: number;
  readonly syscalls: number;
}

/** Every process waits, and nothing can come that any of them waits for. */
export class DeadlockError extends Error {
  override readonly name = "DeadlockError";
}

/** How `runAsync` gives the host a chance. */
export interface AsyncRunOptions {
  /** Comes back after the host did other things, and `ms` milliseconds have passed (setTimeout). */
  readonly pause: (ms: number) => Promise<void>;
  /** Turns between two pauses. Default 10. */
  readonly turns?: number;
}

const DEFAULT_QUANTUM = 100_000;
const DEFAULT_TURNS = 10;
const MAX_FINISHED = 65_536;
/** Milliseconds between two looks for input. */
const INPUT_PAUSE_MS = 5;

export class Machine {
  readonly kernel: Kernel;
  readonly clock: MachineClock;
  /** Processes that have ended, in that order: the first 65,536 of them, for there may be no end of them. */
  readonly finished: ProcessSummary[] = [];
  readonly #options: MachineOptions;
  readonly #system: System;
  readonly #scheduler: Scheduler;
  readonly #load: LoadAverage = new LoadAverage();
  readonly #console: Tty | undefined;
  #main: { readonly pid: number; status: number | undefined } | undefined;

  constructor(kernel: Kernel, options: MachineOptions = {}) {
    const { ram } = kernel.phys;
    if (ram.machineBytes < HART_AREA_BYTES) {
      throw new TypeError(
        `a Machine needs a Kernel booted with machineBytes of at least ${HART_AREA_BYTES}, not ${ram.machineBytes}`,
      );
    }
    this.kernel = kernel;
    this.#options = options;
    this.clock = options.clock ?? new VirtualClock();
    const hart = makeHart(() => this.#system, ram.memory, ram.machineBase, options.module);
    const random = (bytes: Uint8Array): void => kernel.random.fill(bytes);
    const terminals = options.terminals ?? new Terminals();
    this.#system = new System(kernel, hart, this.clock, random, terminals, options.hostLoopback);
    this.#console = this.#makeConsole();
    this.#system.onExit = (group, status) => this.#noteExit(group, status);
    kernel.activity = new MachineActivity(this.#system, this.#load);
    this.#scheduler = new Scheduler(
      this.#system,
      options.quantum ?? DEFAULT_QUANTUM,
      options.scheduleSeed === undefined ? undefined : new Prng(options.scheduleSeed),
    );
    kernel.threadIds = this.#system.tids;
    kernel.isGroupOrSession = (pid) => this.#system.isGroupOrSession(pid);
    if (options.mustEnd !== undefined) kernel.phys.fatalSignalPending = options.mustEnd;
    kernel.killer = (process) => this.#killForMemory(process);
    kernel.phys.icache = { flushIcachePage: (pfn) => hart.invalidateFrame(pfn * PAGE_SIZE) };
  }

  /** Instructions executed so far. */
  get instructions(): number {
    return this.#system.hart.instret;
  }

  /** How often each system call was made, by name. */
  get syscallCounts(): ReadonlyMap<string, number> {
    return this.#system.syscallCounts;
  }

  /** System calls that programs made and that are not there (they got ENOSYS): number and how often. */
  get unknownSyscalls(): ReadonlyMap<number, number> {
    return this.#system.unknownSyscalls;
  }

  /**
   * Starts a program, with this machine's streams as descriptors 0, 1 and 2. The first one started is the one whose
   * exit status `run` answers.
   *
   * Throws an ElfError when the file is no program for this machine, a LinuxError when it can't be found, read or
   * executed.
   *
   * @param path from the kernel's root; a relative one starts at `cwd`
   * @param argv arguments, the program's name first
   * @param env "NAME=value" each
   * @param cgroup the memory cgroup that pays for it, from its first page on. Default: the root
   */
  spawn(
    path: string,
    argv: readonly ProgramString[] = [path],
    env: readonly ProgramString[] = [],
    cwd = "/",
    cgroup: MemoryCgroup = this.kernel.memcg,
  ): Process {
    const process = this.kernel.spawn({ cgroup });
    // What it takes to load the program is the program's own.
    this.kernel.phys.setCurrent(process);
    const group = new ThreadGroup(process, new SignalHandlers(), 0);
    try {
      this.#openStreams(process);
      const moved = sysChdir(process, cwd);
      if (moved < 0) throw new LinuxError("chdir", -moved, cwd);
      const prepared = prepareExec(process, { path, strings: givenStrings(argv, env) });
      if (prepared instanceof ElfError) throw prepared;
      if (typeof prepared === "number") throw new LinuxError("execve", -prepared, path);
      const state = commitExec(this.#system, group.leader, prepared);
      if (typeof state === "number") throw new LinuxError("execve", -state, path);
      group.leader.state.set(state);
    } catch (error) {
      process.exit(127);
      throw error;
    }
    if (this.#console?.session === 0) setTerminal(group, this.#console);
    process.activity = new ProcessActivity(this.#system, group);
    this.#system.groups.set(group.pid, group);
    this.#system.threads.push(group.leader);
    this.#main ??= { pid: group.pid, status: undefined };
    return process;
  }

  /**
   * Runs until every process has ended, and answers how the first one did. What the programs wrote may still be in the
   * page cache: `kernel.sync()` writes it to storage.
   *
   * Where all that are left wait for what can't come, they are killed, if the program that was started has ended (a service that it
   * left behind); else throws a DeadlockError.
   */
  run(): ExitStatus {
    for (;;) {
      const turn = this.#scheduler.turn();
      const end = this.#afterTurn(turn);
      if (end !== undefined) return end;
      if (turn.kind === "idle") {
        if (this.clock.sleepUntil(turn.untilNs) !== undefined) {
          throw new TypeError("run: this clock can't wait in place; use runAsync");
        }
        this.#sampleLoad();
      }
      if (turn.kind === "stuck") return this.#endStuck();
    }
  }

  /** As `run`, coming back to the host's event loop again and again: for browsers, and for input that comes by events. */
  async runAsync({ pause, turns = DEFAULT_TURNS }: AsyncRunOptions): Promise<ExitStatus> {
    for (let count = 1; ; count++) {
      const turn = this.#scheduler.turn();
      const end = this.#afterTurn(turn);
      if (end !== undefined) return end;
      if (turn.kind === "idle") {
        await this.clock.sleepUntil(turn.untilNs);
        this.#sampleLoad();
      }
      if (turn.kind === "stuck") {
        if (!this.#isWaitingForInput()) return this.#endStuck();
        await pause(INPUT_PAUSE_MS);
        this.#console?.pump();
      } else if (count % turns === 0) {
        await pause(0);
        this.#console?.pump();
      }
    }
  }

  /** Sends a signal from outside, as a terminal would: to every process, or to one. After SIGHUP there is no terminal. */
  signal(signal: number, pid?: number): void {
    if (signal === SIGHUP && pid === undefined && this.#console !== undefined)
      this.#system.terminals.hangUp(this.#console);
    for (const group of [...this.#system.groups.values()]) {
      if (pid === undefined || group.pid === pid) sendSignal(group, kernelInfo(signal, SI_KERNEL));
    }
  }

  #afterTurn(turn: Turn): ExitStatus | undefined {
    if (turn.kind === "done") return this.#exitStatus("exited");
    if (turn.kind === "ran") this.#sampleLoad();
    if (this.instructions >= (this.#options.maxInstructions ?? Number.POSITIVE_INFINITY)) {
      return this.#killAll("instruction-limit");
    }
    if (this.kernel.phys.fatalSignalPending()) return this.#killAll("stopped");
    return this.#options.onSlice?.(this) === "stop" ? this.#killAll("stopped") : undefined;
  }

  #sampleLoad(): void {
    this.#load.sample(this.clock.monotonicNs(), () => {
      const { running, blocked } = this.kernel.activity ?? { running: 0, blocked: 0 };
      return running + blocked;
    });
  }

  /** Ends a process that is not running now: a program with all its threads. */
  #killForMemory(process: Process): void {
    const group = this.#system.groups.get(process.pid);
    if (group === undefined) exitProcess(process, SIGKILL);
    else exitGroup(this.#system, group, SIGKILL);
  }

  #killAll(reason: ExitStatus["reason"]): ExitStatus {
    for (const { group } of [...this.#system.threads]) exitGroup(this.#system, group, SIGKILL);
    return this.#exitStatus(reason);
  }

  #exitStatus(reason: ExitStatus["reason"]): ExitStatus {
    const main = this.#main;
    if (main?.status === undefined) throw new TypeError("run: no program was started");
    const signal = main.status & 0x7f;
    // The next program that is started is the next run's.
    this.#main = undefined;
    if (signal !== 0) return { pid: main.pid, code: null, signal, reason };
    return { pid: main.pid, code: main.status >> 8, signal: null, reason };
  }

  #noteExit(group: ThreadGroup, status: number): void {
    const { process } = group;
    if (group.pid === this.#main?.pid) this.#main.status = status;
    if (this.finished.length >= MAX_FINISHED) return;
    this.finished.push({
      pid: group.pid,
      parentPid: process.parent?.pid ?? 0,
      path: group.exePath,
      status,
      minFlt: process.minFlt,
      majFlt: process.majFlt,
      maxRssBytes: process.maxRss * PAGE_SIZE,
      instructions: group.instructions,
      syscalls: group.syscalls,
    });
  }

  #openStreams(process: Process): void {
    const { stdin = nullStream, stdout = nullStream, stderr = nullStream } = this.#options;
    const streams = [
      { stream: stdin, name: "stdin", flags: O_RDONLY },
      { stream: stdout, name: "stdout", flags: O_WRONLY },
      { stream: stderr, name: "stderr", flags: O_WRONLY },
    ];
    for (const { stream, name, flags } of streams) {
      const file =
        this.#console !== undefined && stream.terminal !== undefined
          ? newConsoleFile(this.kernel.mounts, this.#system.terminals, this.#console)
          : newStreamFile(this.kernel.mounts, name, stream, flags);
      if (stream.terminal === undefined) this.#system.streams.set(file.inode, stream);
      fdInstall(process, file, /* cloexec */ false);
    }
  }

  /** A terminal behind any of the standard streams is the machine's console. */
  #makeConsole(): Tty | undefined {
    const { stdin, stdout, stderr } = this.#options;
    const input = stdin?.terminal === undefined ? undefined : stdin;
    const output = [stdout, stderr].find((stream) => stream?.terminal !== undefined);
    if (input === undefined && output === undefined) return undefined;
    return newConsole(this.#system.terminals, input, output);
  }

  #isWaitingForInput(): boolean {
    return this.#system.threads.some(({ wait }) => wait?.isForInput === true);
  }

  /** Nobody will ever go on. */
  #endStuck(): ExitStatus {
    if (this.#main?.status !== undefined) return this.#killAll("exited");
    throw this.#deadlock();
  }

  #deadlock(): DeadlockError {
    const waits = this.#system.threads.map(({ tid, comm, group, waitingIn }) => {
      const where =
        group.stopSignal !== 0 ? `stopped by signal ${group.stopSignal}` : `in ${waitingIn ?? "?"}`;
      return `${tid} (${comm}) ${where}`;
    });
    this.#killAll("stopped");
    return new DeadlockError(`every process waits, and nothing can wake them: ${waits.join(", ")}`);
  }
}
