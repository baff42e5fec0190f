/** `faultline run`: one program from its start to its report. */
import { writeFileSync } from "node:fs";
import { type ExitStatus, HostClock, MACHINE_BYTES, Machine, VirtualClock } from "../machine/index.ts";
import { type Kernel, LinuxError } from "../mm/index.ts";
import { builtInterpreter } from "./built-interpreter.ts";
import type { RunOptions } from "./command-line.ts";
import { guestEnvironment } from "./environment.ts";
import { bootOn, type GuestFiles } from "./guest-files.ts";
import { hostStreams, writeAll } from "./host-streams.ts";
import { Interruption } from "./interruption.ts";
import { NOT_EXECUTABLE, ProgramError, programError } from "./program-error.ts";
import { ReportCollector } from "./report-collector.ts";
import { TraceFile } from "./trace-file.ts";

/** Exit status when Faultline itself fails. */
const FAILED = 125;
const SIGNAL_BASE = 128;
const STDERR = 2;
/** Longest sleep without a look at input, signals and timeout (milliseconds), and turns of computing without one. */
const LOOK_MS = 5;
const LOOK_TURNS = 4;

type Clock = HostClock | VirtualClock;

/** Runs the program and answers the exit status of the command. What goes wrong is told on standard error. */
export async function run(options: RunOptions, version: string): Promise<number> {
  try {
    return await runProgram(options, version);
  } catch (error) {
    if (error instanceof ProgramError) {
      complain(`${error.program}: ${error.message}`);
      return error.exitStatus;
    }
    complain(`${options.program}: ${describe(error)}`);
    return FAILED;
  }
}

async function runProgram(options: RunOptions, version: string): Promise<number> {
  const started = nowMs();
  const clock: Clock = options.clock === "host" ? hostClock() : new VirtualClock();
  const { kernel, path, cwd } = boot(options, clock);
  const wantsReport = options.report !== "none" || options.jsonFile !== undefined;
  // Before the program is there, so that its first mapping is seen.
  const collector = wantsReport ? new ReportCollector(kernel) : undefined;
  const trace =
    options.traceFile === undefined ? undefined : new TraceFile(options.traceFile, kernel.tracer, version);
  const interruption = new Interruption();
  const [stdin, stdout, stderr] = hostStreams();
  const onSlice = (): "stop" | undefined => (interruption.exitStatus === undefined ? undefined : "stop");
  const machine = new Machine(kernel, {
    stdin,
    stdout,
    stderr,
    clock,
    onSlice,
    module: builtInterpreter(kernel),
    ...(options.seed !== undefined && { scheduleSeed: options.seed }),
  });
  let end: ExitStatus;
  let lost: string | undefined;
  try {
    spawn(machine, options, path, cwd);
    interruption.watch(machine, options.timeoutSeconds);
    end = await machine.runAsync({ pause, turns: LOOK_TURNS });
  } finally {
    interruption.close();
    // Whatever ended the run: what the program wrote is in the page cache, and belongs into its files.
    lost = writeBack(kernel);
    collector?.close();
    trace?.close();
    if (lost !== undefined) complain(`${options.program}: not all of its files could be written: ${lost}`);
  }
  let exitStatus =
    interruption.exitStatus ?? (end.signal === null ? (end.code ?? 0) : SIGNAL_BASE + end.signal);
  if (lost !== undefined && exitStatus === 0) exitStatus = FAILED;
  if (collector !== undefined) {
    await report(options, collector, {
      faultlineVersion: version,
      path: options.program,
      argv: [options.program, ...options.args],
      exitStatus,
      waitStatus: end.signal ?? (end.code ?? 0) * 256,
      timedOut: interruption.isTimeout,
      ramBytes: options.ramBytes,
      seed: options.seed,
      wallSeconds: (nowMs() - started) / 1000,
      instructions: machine.instructions,
      syscalls: total(machine.syscallCounts.values()) + total(machine.unknownSyscalls.values()),
      unknownSyscalls: machine.unknownSyscalls,
    });
  }
  return exitStatus;
}

function boot(options: RunOptions, clock: Clock): GuestFiles {
  const { ramBytes, seed, program, root, sysroot, env } = options;
  const kernelOptions = {
    ram: ramBytes,
    machineBytes: MACHINE_BYTES,
    // 32 bits of the host's; node:crypto has no better ones to offer and takes its time to load.
    seed: seed ?? (options.clock === "virtual" ? 0 : Math.floor(Math.random() * 2 ** 32)),
    randomize: seed !== undefined,
    now: () => clock.realtimeNs(),
    // Of the host's time nothing is spent: there it is the host's storage that takes it.
    sleep: (ns: number) => void (clock instanceof VirtualClock && clock.sleepUntil(clock.monotonicNs() + ns)),
  };
  return bootOn({ program, root, sysroot, env: guestEnvironment(env, process.env) }, kernelOptions);
}

function spawn(machine: Machine, options: RunOptions, path: string, cwd: string): void {
  const { program, args, env } = options;
  try {
    machine.spawn(path, [program, ...args], guestEnvironment(env, process.env), cwd);
  } catch (error) {
    if (error instanceof LinuxError && error.code === "EACCES") {
      throw new ProgramError(
        program,
        "permission denied: nobody may execute it (chmod +x makes it a program)",
        NOT_EXECUTABLE,
      );
    }
    throw programError(program, error);
  }
}

/** Writes all dirty pages to their files; what went wrong, in words. */
function writeBack(kernel: Kernel): string | undefined {
  try {
    kernel.sync();
    return undefined;
  } catch (error) {
    if (error instanceof LinuxError) return error.message;
    throw error;
  }
}

/** Loaded only now: a run without a report needs none of it, and one with a report starts sooner. */
async function report(
  options: RunOptions,
  collector: ReportCollector,
  facts: Parameters<typeof import("./report-builder.ts").buildReport>[1],
): Promise<void> {
  const [{ buildReport }, { reportText }] = await Promise.all([
    import("./report-builder.ts"),
    import("./report-text.ts"),
  ]);
  const data = buildReport(collector, facts);
  if (options.jsonFile !== undefined)
    writeFileSync(options.jsonFile, `${JSON.stringify(data, undefined, 2)}\n`);
  if (options.report === "none") return;
  const toFile = options.reportFile !== undefined;
  const text = reportText(data, { full: options.report === "full", colors: !toFile && wantsColors() });
  if (options.reportFile !== undefined) writeFileSync(options.reportFile, text);
  else writeAll(STDERR, text);
}

/** https://no-color.org, and only where a person looks. */
function wantsColors(): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR !== undefined && NO_COLOR !== "") return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== "" && FORCE_COLOR !== "0") return true;
  return process.stderr.isTTY === true && TERM !== "dumb";
}

/** As performance.now, without what it loads. */
function nowMs(): number {
  const [seconds, ns] = process.hrtime();
  return seconds * 1000 + ns / 1e6;
}

function hostClock(): HostClock {
  return new HostClock({
    nowMs,
    epochMs: () => Date.now(),
    // Short sleeps only: the machine asks again, and between two of them input and signals get their turn.
    sleepAsync: (ms) => pause(Math.min(ms, LOOK_MS)),
  });
}

/** Lets the host do what it has to do: signals, timers. */
function pause(ms: number): Promise<void> {
  return new Promise((done) => {
    if (ms > 0) setTimeout(done, ms);
    else setImmediate(done);
  });
}

/** One line on standard error, as a shell complains. */
function complain(text: string): void {
  writeAll(STDERR, `faultline: ${text}\n`);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // What is expected to happen has a code or is a deadlock; anything else is a bug of ours, to be reported whole.
  const isExpected = "code" in error || error.name === "DeadlockError";
  return isExpected ? error.message : `internal error: ${error.stack ?? error.message}`;
}

function total(counts: Iterable<number>): number {
  let sum = 0;
  for (const count of counts) sum += count;
  return sum;
}
