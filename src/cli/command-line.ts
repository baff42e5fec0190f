/**
 * The command line: what a person may type, turned into checked options.
 *
 * Options stand before PROGRAM. Everything from PROGRAM on belongs to the program, `--help` and `--` included, so
 * that a command line can be put behind `faultline run` as it is.
 */
import { Command, InvalidArgumentError } from "commander";
import {
  addPressureOptions,
  PRESSURE_HELP,
  type PressureOptions,
  pressureOptions,
  type RawPressureOptions,
} from "./pressure-options.ts";
import { parseSize } from "./size.ts";

/** What `faultline run` was asked to do. */
export interface RunOptions {
  /** RAM of the simulated machine in bytes. */
  readonly ramBytes: number;
  /** Host folder that is the program's "/"; undefined: the program sees only the current folder. */
  readonly root: string | undefined;
  /** Host folder of programs and libraries that is looked into before all else; undefined: there is none. */
  readonly sysroot: string | undefined;
  /** How much to say at the end. */
  readonly report: "short" | "full" | "none";
  /** Where the report goes: a file, or with undefined standard error. */
  readonly reportFile: string | undefined;
  readonly jsonFile: string | undefined;
  readonly traceFile: string | undefined;
  /** Where the machine's time comes from. */
  readonly clock: "virtual" | "host";
  /** Seed of addresses, random numbers and turns; undefined: no random addresses, and numbers as the clock is. */
  readonly seed: number | undefined;
  readonly timeoutSeconds: number | undefined;
  /** What is behind the program's own loopback. */
  readonly net: "none" | "host-loopback";
  /** KEY=VALUE as given, or KEY for one of the host's. */
  readonly env: readonly string[];
  readonly pressure: PressureOptions;
  readonly program: string;
  readonly args: readonly string[];
}

/** Exit status of a command line that makes no sense, as of most commands. */
export const USAGE_ERROR = 2;

const DEFAULT_RAM = 256 * 2 ** 20;
const MIN_RAM = 2 ** 18;
const MAX_RAM = 4 * 2 ** 30;

/** Commander's own view of the options of `run`, before they are checked against each other. */
interface RawOptions extends RawPressureOptions {
  readonly ram: number;
  readonly root?: string;
  readonly sysroot?: string;
  readonly report?: string;
  readonly quiet?: boolean;
  readonly json?: string;
  readonly trace?: string;
  readonly clock?: "virtual" | "host";
  readonly seed?: number;
  readonly timeout?: number;
  readonly net?: "none" | "host-loopback";
  readonly env: readonly string[];
}

const RUN_HELP = `
PROGRAM is a riscv64 Linux program. The exit status is the program's, 128+n when signal n ended
it; 126 or 127 when PROGRAM could not be run or was not found, 124 after a timeout, 125 when Faultline itself could not
go on, 2 for a wrong command line.

What the program sees of this machine:
  files        The current folder under its own path, and nothing else: the rest is an empty tree in memory, with
               /dev and a /tmp that is gone at the end. With --root, DIR is "/" and all that there is; the program
               starts in the current folder if that lies in DIR, else in "/". Symbolic links don't lead out.
               With --sysroot, what DIR holds is seen at "/" in front of all that (its /lib and /usr/bin, say), and
               nothing in it changes: its names answer EROFS, new ones go where they would without it. A PROGRAM
               without a slash that is not in the current folder is looked for along PATH.
               A PROGRAM outside of what it may see can be run all the same: it is copied to /run/faultline.
  environment  PATH, HOME=/, LANG=C.UTF-8, and TERM of this one; nothing more unless --env says so.
  network      A loopback of its own, on which programs reach each other. With --net host-loopback the TCP ports of this
               machine's 127.0.0.1 and ::1 stand behind it: a connection that no program takes goes there, and a
               program that listens is reached at the same port. No other address, and no two runs are the same.
  randomness   this machine's, and its clock. With --clock virtual an instruction takes a nanosecond and nothing is left
               to chance, so that a run repeats exactly. --seed N does the same, with other addresses, random numbers
               and turns of threads for each N; add --clock host to keep real time.

Examples:
  faultline run examples/bin/append notes.txt "a line through a mapping"
  faultline run --report examples/bin/cow            every mapping with its faults
  faultline run --ram 64M --json out.json ./sort big.txt
  faultline run --root ./sysroot /bin/busybox ls -l /
  faultline run --sysroot ./debian bash -c 'ls | wc -l'`;

/** A command line that was answered without running anything: --help, --version, or a mistake. */
export interface Answered {
  readonly exitCode: number;
}

export interface CommandLineOutput {
  out(text: string): void;
  err(text: string): void;
}

/** Parses the arguments behind "faultline". What commander has to say goes to `output`. */
export function parseCommandLine(
  argv: readonly string[],
  version: string,
  output: CommandLineOutput,
): RunOptions | Answered {
  let parsed: RunOptions | undefined;
  const program = new Command("faultline")
    .description(
      "Runs riscv64 Linux programs on a simulated Linux memory subsystem, and reports what memory did.",
    )
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .enablePositionalOptions()
    .configureOutput({ writeOut: output.out, writeErr: output.err })
    .exitOverride();
  const run = runCommand(program);
  run.action((name: string, args: string[], raw: RawOptions) => {
    parsed = checkedOptions(run, raw, name, args);
  });
  program.addHelpText(
    "after",
    '\nExample:\n  faultline run examples/bin/append notes.txt "a line through a mapping"',
  );
  try {
    program.parse(withExplicitReport(argv, run), { from: "user" });
  } catch (error) {
    if (isCommanderError(error)) return { exitCode: error.exitCode === 0 ? 0 : USAGE_ERROR };
    throw error;
  }
  return parsed ?? { exitCode: USAGE_ERROR };
}

function runCommand(program: Command): Command {
  const run = program
    .command("run")
    .summary("run a program and report its page faults")
    .description("Runs PROGRAM and reports on standard error what memory did for it.")
    .usage("[options] PROGRAM [ARG...]")
    .argument("<PROGRAM>", "riscv64 ELF file, by its path")
    .argument("[ARG...]", "arguments of the program")
    .passThroughOptions()
    .option("--ram <SIZE>", "RAM of the machine: 64M, 1G, ... (default: 256M)", ramSize, DEFAULT_RAM)
    .option("--root <DIR>", "the program's file system, instead of the current folder")
    .option("--sysroot <DIR>", "programs and libraries, looked into before all else; read-only")
    .option("--report [FILE]", "report in full, on standard error or to FILE")
    .option("-q, --quiet", "no report")
    .option("--json <FILE>", "write the report as JSON (docs/report-schema.md)")
    .option("--trace <FILE>", "write every event as a line of JSON")
    .option("--clock <KIND>", "virtual: by instructions, every run the same; or host", clockKind)
    .option("--seed <N>", "same addresses, random numbers and time in every run", seedNumber)
    .option("--timeout <SECONDS>", "end the program after this time", seconds)
    .option("--net <KIND>", "none: streams reach nobody outside (default); or host-loopback", netKind)
    .option(
      "--env <KEY[=VALUE]>",
      "set a variable, or pass one of this environment; repeatable",
      collect,
      [],
    );
  return addPressureOptions(run)
    .configureHelp({
      // The default value is in the text, in words.
      optionDescription: (option) => option.description,
      optionTerm: (option) => (option.long === "--report" ? "--report[=FILE]" : option.flags),
      argumentDescription: (argument) => argument.description,
    })
    .showHelpAfterError("faultline run --help tells more.")
    .addHelpText("after", RUN_HELP + PRESSURE_HELP);
}

/**
 * Commander would take the word behind a bare `--report` as its FILE. Here only `--report=FILE` names one, so a bare
 * one among the options of `run` is given an empty FILE.
 */
function withExplicitReport(argv: readonly string[], run: Command): string[] {
  const out = [...argv];
  if (out[0] !== "run") return out;
  const takesValue = new Set(run.options.filter((one) => one.required).map((one) => one.long));
  for (let i = 1; i < out.length && out[i].startsWith("-") && out[i] !== "--"; i++) {
    if (out[i] === "--report") out[i] = "--report=";
    else if (takesValue.has(out[i])) i++;
  }
  return out;
}

function checkedOptions(run: Command, raw: RawOptions, program: string, args: readonly string[]): RunOptions {
  const { report } = raw;
  const quiet = raw.quiet === true;
  const net = raw.net ?? "none";
  if (net === "host-loopback" && raw.clock === "virtual")
    run.error("error: --net host-loopback needs --clock host: other machines' time is not virtual");
  if (quiet && report !== undefined) run.error("error: --quiet and --report contradict each other");
  return {
    ramBytes: raw.ram,
    root: raw.root,
    sysroot: raw.sysroot,
    report: quiet ? "none" : report === undefined ? "short" : "full",
    reportFile: report === undefined || report === "" ? undefined : report,
    jsonFile: raw.json,
    traceFile: raw.trace,
    clock: raw.clock ?? (raw.seed === undefined || net === "host-loopback" ? "host" : "virtual"),
    net,
    seed: raw.seed,
    timeoutSeconds: raw.timeout,
    env: raw.env,
    pressure: checkedPressure(run, raw),
    program,
    args,
  };
}

function checkedPressure(run: Command, raw: RawOptions): PressureOptions {
  try {
    return pressureOptions(raw);
  } catch (error) {
    if (error instanceof InvalidArgumentError) return run.error(`error: ${error.message}`);
    throw error;
  }
}

function ramSize(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined)
    throw new InvalidArgumentError("A size is a number with K, M or G behind it, as in 64M.");
  if (bytes < MIN_RAM || bytes > MAX_RAM) throw new InvalidArgumentError("RAM can be 256K to 4G.");
  return bytes;
}

function seedNumber(text: string): number {
  const seed = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(seed) || seed < 0) {
    throw new InvalidArgumentError("A seed is a whole number from 0.");
  }
  return seed;
}

function clockKind(text: string): "virtual" | "host" {
  if (text !== "virtual" && text !== "host") throw new InvalidArgumentError("A clock is virtual or host.");
  return text;
}

function netKind(text: string): "none" | "host-loopback" {
  if (text !== "none" && text !== "host-loopback")
    throw new InvalidArgumentError("A net is none or host-loopback.");
  return text;
}

function seconds(text: string): number {
  const value = Number(text);
  // setTimeout counts milliseconds in 31 bits.
  if (text.trim() === "" || !(value > 0) || value > 2_000_000) {
    throw new InvalidArgumentError("A timeout is a number of seconds above 0.");
  }
  return value;
}

function collect(text: string, before: readonly string[]): readonly string[] {
  if (text === "" || text.startsWith("=")) throw new InvalidArgumentError("A variable needs a name.");
  return [...before, text];
}

function isCommanderError(error: unknown): error is Error & { readonly exitCode: number } {
  return error instanceof Error && "exitCode" in error && typeof error.exitCode === "number";
}
