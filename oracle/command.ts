/** The command behind `npm run oracle -- --steps N --seed S`: random sequences on Faultline and on the host kernel, compared. */
import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { findHost } from "./availability.ts";
import { formatOutcome, type Mismatch } from "./comparison.ts";
import { FaultlineSubject } from "./faultline-subject.ts";
import { SequenceGenerator } from "./generator.ts";
import { HostSubject } from "./host-subject.ts";
import { formatOperation, parseOperations } from "./operation.ts";
import { setHostOvercommit } from "./overcommit.ts";
import { Random } from "./random.ts";
import { formatFailure, formatSteps } from "./report.ts";
import { explore, type Failure, replay, type SubjectPair } from "./sequence.ts";
import { shrink } from "./shrink.ts";
import { Statistics } from "./statistics.ts";

const USAGE = `usage: npm run oracle -- [options]
  --steps N             how many steps in all (default 20000)
  --seed S              where the random numbers start (default: from the clock)
  --sequence-length N   fresh processes and files after so many steps (default 200)
  --files DIR           where the host's files are made (default: the temporary directory)
  --replay FILE         run the sequence in FILE instead, as a mismatch leaves it
  --save FILE           write the shrunk sequence of a mismatch there (default: oracle-SEED.json in the temporary directory)
  --overcommit M        with vm.overcommit_memory set to M on both sides; for root, and put back at the end
  --self                the host against itself: shows that the oracle is deterministic
  --verbose             print each step`;

function main(): number {
  const { values } = parseArgs({
    options: {
      steps: { type: "string", default: "20000" },
      seed: { type: "string" },
      "sequence-length": { type: "string", default: "200" },
      files: { type: "string" },
      replay: { type: "string" },
      save: { type: "string" },
      overcommit: { type: "string" },
      self: { type: "boolean", default: false },
      verbose: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const host = findHost(values.files);
  if ("reason" in host) {
    console.log(`skipped: ${host.reason}`);
    return 0;
  }
  const overcommit = values.overcommit === undefined ? undefined : overcommitMode(values.overcommit);
  const pair: SubjectPair = (isThorough) => [
    new HostSubject(host),
    values.self ? new HostSubject(host) : new FaultlineSubject(host.directory, isThorough, overcommit),
  ];
  const restore = overcommit === undefined ? undefined : setHostOvercommit(overcommit);
  try {
    return run(pair, values);
  } finally {
    restore?.();
  }
}

interface Wanted {
  readonly replay?: string | undefined;
  readonly verbose: boolean;
  readonly seed?: string | undefined;
  readonly steps: string;
  readonly "sequence-length": string;
  readonly save?: string | undefined;
}

function run(pair: SubjectPair, values: Wanted): number {
  if (values.replay !== undefined) return replayFile(pair, values.replay, values.verbose);
  const seed = values.seed === undefined ? Date.now() % 2 ** 32 : wholeNumber("seed", values.seed);
  return search(pair, {
    steps: wholeNumber("steps", values.steps),
    seed,
    length: wholeNumber("sequence-length", values["sequence-length"]),
    save: values.save ?? join(tmpdir(), `oracle-${seed}.json`),
    isVerbose: values.verbose,
  });
}

interface Search {
  readonly steps: number;
  readonly seed: number;
  readonly length: number;
  readonly save: string;
  readonly isVerbose: boolean;
}

function search(pair: SubjectPair, { steps, seed, length, save, isVerbose }: Search): number {
  const statistics = new Statistics();
  const generator = new SequenceGenerator(new Random(seed));
  const started = performance.now();
  const unsteady: Mismatch[] = [];
  while (statistics.steps < steps) {
    const log = isVerbose ? (line: string): void => console.log(line) : undefined;
    const failure = explore(pair, generator, Math.min(length, steps - statistics.steps), statistics, log);
    if (process.stderr.isTTY) process.stderr.write(`\r${statistics.steps} of ${steps} steps`);
    if (failure === undefined) continue;
    const { what, expected, actual } = failure.mismatch;
    log?.(`${what} differs\n  Linux:     ${expected}\n  Faultline: ${actual}`);
    if (isSteady(pair, failure)) return reportFailure(pair, failure, seed, save);
    unsteady.push(failure.mismatch);
  }
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  const seconds = (performance.now() - started) / 1000;
  console.log(statistics.toString());
  if (statistics.missing.length > 0) console.log(`  never: ${statistics.missing.join(", ")}`);
  for (const { what, expected, actual } of unsteady)
    console.log(
      `  did not come again, so that the host was disturbed: ${what}\n    ${expected}\n    ${actual}`,
    );
  console.log(
    `oracle: ${statistics.steps} steps, seed ${seed}, no mismatch (${Math.round(statistics.steps / seconds)} steps/s)`,
  );
  return 0;
}

/** Whether the sequence fails again, twice: if not, somebody else's use of the host's memory showed. */
function isSteady(pair: SubjectPair, { operations }: Failure): boolean {
  return [1, 2].every(() => replay(pair, operations) !== undefined);
}

function reportFailure(pair: SubjectPair, failure: Failure, seed: number, save: string): number {
  const { what, expected, actual } = failure.mismatch;
  console.log(`\nmismatch with seed ${seed} after ${failure.operations.length} steps: ${what} differs`);
  console.log(`  Linux:     ${expected}\n  Faultline: ${actual}\nshrinking`);
  writeFileSync(save, `${formatSteps(failure.operations)}\n`);
  const short = shrink(pair, failure);
  console.log(formatFailure(pair, short));
  writeFileSync(save, `${formatSteps(short.operations)}\n`);
  console.log(`\nagain: npm run oracle -- --replay ${save}   (to keep it: test/oracle/regressions/)`);
  console.log(`oracle: 1 mismatch, seed ${seed}`);
  return 1;
}

function replayFile(pair: SubjectPair, path: string, isVerbose: boolean): number {
  const operations = parseOperations(JSON.parse(readFileSync(path, "utf8")));
  const failure = replay(pair, operations, (operation, outcome) => {
    if (isVerbose) console.log(`${formatOperation(operation)} = ${formatOutcome(outcome)}`);
  });
  if (failure === undefined) {
    console.log(`oracle: ${path}: ${operations.length} steps, no mismatch`);
    return 0;
  }
  console.log(formatFailure(pair, failure));
  console.log(`oracle: 1 mismatch, ${path}`);
  return 1;
}

function overcommitMode(text: string): number {
  const mode = wholeNumber("overcommit", text);
  if (mode > 2) throw new Error(`--overcommit wants 0, 1 or 2, not ${text}`);
  if (process.getuid?.() !== 0)
    throw new Error("--overcommit changes a setting of the host, which only root may");
  return mode;
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`--${name} wants a whole number, not ${text}`);
  return value;
}

try {
  process.exitCode = main();
} catch (error) {
  if (!(error instanceof Error)) throw error;
  console.error(`oracle: ${error.message}`);
  process.exitCode = 2;
}
