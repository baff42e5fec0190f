/** `faultline run`: one program from its start to its report. */
import { writeFileSync } from "node:fs";
import { type ExitStatus, Machine } from "../machine/index.ts";
import { type Kernel, KernelPanic, LinuxError, StorageCrash } from "../mm/index.ts";
import { type Booted, boot, spawn } from "./boot.ts";
import { builtInterpreter } from "./built-interpreter.ts";
import type { RunOptions } from "./command-line.ts";
import { hostStreams, writeAll } from "./host-streams.ts";
import { nowMs, pause, wakeUp } from "./host-time.ts";
import { Interruption } from "./interruption.ts";
import type { NodeLoopback } from "./node-loopback.ts";
import { oomKills, oomLines } from "./out-of-memory.ts";
import { readSwaps } from "./proc-texts.ts";
import { FAILED, ProgramError } from "./program-error.ts";
import { ReportCollector } from "./report-collector.ts";
import { TraceFile } from "./trace-file.ts";

const SIGNAL_BASE = 128;
const STDERR = 2;
/** Columns where there is no terminal. */
const COLUMNS = 80;
/** Turns of computing without a look at input, signals and timeout. */
const LOOK_TURNS = 4;

const CRASHED = "the power went off in the middle of a write, as --inject says";
const LOST = "what was not yet written to files is lost";

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
  const booted = await boot(options);
  try {
    return await runBooted(booted, options, version, started);
  } finally {
    booted.swap?.close();
  }
}

async function runBooted(
  booted: Booted,
  options: RunOptions,
  version: string,
  started: number,
): Promise<number> {
  const { kernel, clock } = booted;
  const wantsReport = options.report !== "none" || options.jsonFile !== undefined;
  // Before the program is there, so that its first mapping is seen.
  const collector = wantsReport ? new ReportCollector(kernel) : undefined;
  const trace =
    options.traceFile === undefined ? undefined : new TraceFile(options.traceFile, kernel.tracer, version);
  const endsMs = started + (options.timeoutSeconds ?? Number.POSITIVE_INFINITY) * 1000;
  const interruption = new Interruption(endsMs);
  const mayWait = options.clock === "virtual" ? () => nowMs() < endsMs : undefined;
  const [stdin, stdout, stderr] = hostStreams(mayWait);
  const onSlice = (): "stop" | undefined => (interruption.hasCome() ? "stop" : undefined);
  const loopback = options.net === "host-loopback" ? await hostLoopback() : undefined;
  const machine = new Machine(kernel, {
    stdin,
    stdout,
    stderr,
    clock,
    onSlice,
    ...(options.timeoutSeconds !== undefined && { mustEnd: () => interruption.mayHaveCome() }),
    module: builtInterpreter(kernel),
    terminals: booted.terminals,
    ...(options.seed !== undefined && { scheduleSeed: options.seed }),
    ...(loopback !== undefined && { hostLoopback: loopback }),
  });
  let end: ExitStatus | null | undefined;
  /** What could not be written to files, in words; null: the machine had stopped before. */
  let lost: string | null | undefined;
  try {
    end = await unlessItStops(() => {
      spawn(machine, options, booted);
      interruption.watch(machine);
      return machine.runAsync({ pause, turns: LOOK_TURNS });
    });
  } finally {
    interruption.close();
    await loopback?.close();
    // Whatever ended the run: what the program wrote is in the page cache, and belongs into its files.
    lost = end === null ? null : await unlessItStops(() => writeBack(kernel));
    collector?.close();
    trace?.close();
    tellProblems(kernel, options, lost);
  }
  const hasCrashed = end === null || lost === null;
  let exitStatus = interruption.exitStatus ?? (hasCrashed ? FAILED : statusOf(end));
  if (lost !== undefined && exitStatus === 0) exitStatus = FAILED;
  if (collector !== undefined) {
    await report(options, collector, {
      faultlineVersion: version,
      path: options.program,
      argv: [options.program, ...options.args],
      exitStatus,
      waitStatus: end === null ? null : (end.signal ?? (end.code ?? 0) * 256),
      timedOut: interruption.isTimeout,
      hasCrashed,
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

/** Loaded only here: most runs have nothing to do with the host's network. */
async function hostLoopback(): Promise<NodeLoopback> {
  const { NodeLoopback } = await import("./node-loopback.ts");
  return new NodeLoopback(wakeUp);
}

/** What `work` answers; null where the power went off in it, on purpose, or the kernel panicked: it is of no use then. */
async function unlessItStops<T>(work: () => T | Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StorageCrash || error instanceof KernelPanic) return null;
    throw error;
  }
}

function statusOf(end: ExitStatus | null): number {
  if (end === null) return FAILED;
  return end.signal === null ? (end.code ?? 0) : SIGNAL_BASE + end.signal;
}

/** What a person has to know whatever the report is to say. */
function tellProblems(kernel: Kernel, options: RunOptions, lost: string | null | undefined): void {
  const swapTotal = readSwaps(kernel).reduce((sum, { size }) => sum + size, 0);
  const lines = oomLines(oomKills(kernel.dmesg), options, swapTotal);
  if (lost === null) lines.push(`${kernel.panicked?.message ?? CRASHED}: ${LOST}`);
  else if (lost !== undefined) lines.push(`not all of its files could be written: ${lost}`);
  for (const line of lines) complain(`${options.program}: ${line}`);
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
  const text = reportText(data, {
    full: options.report === "full",
    colors: !toFile && wantsColors(),
    columns: toFile ? COLUMNS : (process.stderr.columns ?? COLUMNS),
  });
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
