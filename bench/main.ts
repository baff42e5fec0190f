/**
 * `npm run bench`: Faultline beside the host's own kernel and CPU, in one run.
 *
 *   npm run bench -- [--quick] [--json FILE] [--program NAME=GUEST,NATIVE[,ARGUMENT…]]…
 *
 * Everything of ours runs bundled, in a node process of its own for each suite: so it is what users run (a bundle has
 * constants inlined), and no suite spoils the next one's compiled code. The two sides take turns, so that whatever else
 * the machine does hits both.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, tmpdir, type } from "node:os";
import { join } from "node:path";
import { parseOrExplain } from "../scripts/arguments.ts";
import { type ComputeProgram, hostQemu, measureCompute, parseProgram } from "./compute.ts";
import { type Figure, figureOf, figureOfRounds, nowNs } from "./figure.ts";
import { printResults } from "./print.ts";
import { hostReclaim, whyNoReclaim } from "./reclaim-host.ts";
import type { BenchResults, Comparison, HeapResult, MappingOperation, MappingResult } from "./results.ts";
import { bundleSize, bundleSuite, compileForHost, hostCompiler, ROOT, runJson } from "./tools.ts";

const MAPPING_COUNTS = [1e3, 1e4, 1e5, 1e6];
/** Mappings that a process has besides. */
const SPARE_MAPPINGS = 200;
const MAX_MAP_COUNT = "/proc/sys/vm/max_map_count";
const ENTRIES = {
  faultline: "src/mm/index.ts",
  "faultline/node": "src/storage/node/index.ts",
  "faultline/machine": "src/machine/index.ts",
};
/** The heap suite counts what faults allocate, so nothing may be collected meanwhile. MiB. */
const HEAP_OPTIONS = ["--expose-gc", "--min-semi-space-size=256", "--max-semi-space-size=256"];

interface Effort {
  readonly memoryRounds: number;
  readonly computeRepeats: number;
  readonly startUps: number;
}

const FULL: Effort = { memoryRounds: 5, computeRepeats: 3, startUps: 15 };
const QUICK: Effort = { memoryRounds: 1, computeRepeats: 1, startUps: 3 };

const RECLAIM_REPEATS = 15;
/** Pages that are swapped in a round: 16 MiB. */
const RECLAIM_PAGES = 4096;
const RECLAIM_WORDS: Readonly<Record<string, string>> = {
  swapOutPage: "MADV_PAGEOUT to a swap area in memory, per page swapped out",
  swapInPage: "first read after that, per page swapped in",
  touchAtLimit:
    "a loop over twice what a memory cgroup may hold, per page written: one goes out, one comes in",
  scannedPage: "the same, per page that reclaim scanned",
};

interface FaultFigures {
  readonly figures: Readonly<Record<string, Figure & { readonly what?: string }>>;
}

/** What is said of figures where host-faults, which says it otherwise, could not run. */
const NOT_DESCRIBED = "";

async function measureMemory(
  folder: string,
  compiler: string | undefined,
  rounds: number,
): Promise<Comparison[]> {
  const suite = await bundleSuite("faults", folder);
  const host = compiler === undefined ? undefined : compileForHost(compiler, "host-faults.c", folder);
  const ours: FaultFigures[] = [];
  const theirs: FaultFigures[] = [];
  for (let round = 0; round < rounds; round++) {
    if (host !== undefined) theirs.push(runJson(host, [folder]));
    ours.push(runJson(process.execPath, [suite, folder]));
  }
  return Object.keys(theirs[0]?.figures ?? ours[0].figures).map((name) => ({
    name,
    what: theirs[0]?.figures[name].what ?? NOT_DESCRIBED,
    faultline: figureOfRounds(ours.map(({ figures }) => figures[name])),
    ...(theirs.length > 0 && { host: figureOfRounds(theirs.map(({ figures }) => figures[name])) }),
  }));
}

/** The host's side needs root: `skipped` tells where it is missing. */
async function measureReclaim(
  folder: string,
  compiler: string | undefined,
  rounds: number,
  skipped: string[],
): Promise<Comparison[]> {
  const suite = await bundleSuite("reclaim", folder);
  const why = compiler === undefined ? "there is no cc" : whyNoReclaim();
  if (why !== undefined) skipped.push(`the host's side of reclaim: ${why}`);
  const host =
    compiler === undefined || why !== undefined
      ? undefined
      : compileForHost(compiler, "host-reclaim.c", folder);
  const ours: FaultFigures[] = [];
  const theirs: FaultFigures[] = [];
  for (let round = 0; round < rounds; round++) {
    if (host !== undefined) theirs.push(hostReclaim(host, RECLAIM_PAGES, RECLAIM_REPEATS) as FaultFigures);
    ours.push(runJson(process.execPath, [suite, `${RECLAIM_PAGES}`, `${RECLAIM_REPEATS}`]));
  }
  return Object.entries(RECLAIM_WORDS).map(([name, what]) => ({
    name,
    what,
    faultline: figureOfRounds(ours.map(({ figures }) => figures[name])),
    ...(theirs.length > 0 && { host: figureOfRounds(theirs.map(({ figures }) => figures[name])) }),
  }));
}

type MappingFigures = Record<string, Record<MappingOperation, Figure> & { readonly perMapping: number }>;

async function measureMappings(
  folder: string,
  compiler: string | undefined,
  skipped: string[],
): Promise<MappingResult[]> {
  const counts = MAPPING_COUNTS.map(String);
  const ours: MappingFigures = runJson(process.execPath, [
    "--expose-gc",
    await bundleSuite("mappings", folder),
    ...counts,
  ]);
  let theirs: MappingFigures = {};
  if (compiler !== undefined) {
    const host = compileForHost(compiler, "host-mappings.c", folder);
    const most = withMaxMapCount(Math.max(...MAPPING_COUNTS) + SPARE_MAPPINGS, (limit) => {
      const possible = MAPPING_COUNTS.filter((count) => count + SPARE_MAPPINGS <= limit);
      theirs = runJson(host, possible.map(String));
      return limit;
    });
    if (MAPPING_COUNTS.some((count) => count + SPARE_MAPPINGS > most))
      skipped.push(`the host's side of more than ${most} mappings: vm.max_map_count can't be raised`);
  }
  return MAPPING_COUNTS.map((count) => {
    const { perMapping, ...faultline } = ours[count];
    return { count, faultline, ...(theirs[count] !== undefined && { host: theirs[count] }), perMapping };
  });
}

/** Runs with vm.max_map_count raised to `wanted` where we may, and as it was afterwards. `run` is told what it is. */
function withMaxMapCount<T>(wanted: number, run: (limit: number) => T): T {
  const before = readFileSync(MAX_MAP_COUNT, "latin1");
  if (Number(before) >= wanted) return run(Number(before));
  try {
    writeFileSync(MAX_MAP_COUNT, `${wanted}`);
  } catch {
    return run(Number(before));
  }
  try {
    return run(wanted);
  } finally {
    writeFileSync(MAX_MAP_COUNT, before);
  }
}

/** Hello world through the command, beside a node that does nothing: what is left is ours. */
function measureStartUp(times: number): Comparison[] {
  const command = [join(ROOT, "bin/faultline.js"), "run", "--quiet", join(ROOT, "test/programs/bin/hello")];
  const ours: number[] = [];
  const bare: number[] = [];
  for (let i = 0; i <= times; i++) {
    const nothing = timeOf(["-e", "0"]);
    const hello = timeOf(command);
    if (i === 0) continue; // the files come from the disk
    bare.push(nothing);
    ours.push(hello);
  }
  return [
    {
      name: "hello",
      what: "faultline run, from start to exit",
      faultline: figureOf(ours),
      host: figureOf(bare),
    },
  ];
}

function timeOf(args: readonly string[]): number {
  const start = nowNs();
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  const ns = nowNs() - start;
  if (status !== 0) throw new Error(`node ${args.join(" ")}: ${status}\n${stderr}`);
  return ns;
}

async function measure(
  effort: Effort,
  isQuick: boolean,
  programs: readonly ComputeProgram[],
  folder: string,
): Promise<BenchResults> {
  const [load] = loadavg();
  const skipped: string[] = [];
  const compiler = hostCompiler();
  if (compiler === undefined) skipped.push("the host's side of everything: no cc");
  if (hostQemu() === undefined) skipped.push("qemu's side of compute: no qemu-riscv64 (Debian: qemu-user)");
  const isBuilt = existsSync(join(ROOT, "dist/cli.cjs"));
  if (!isBuilt) skipped.push("start-up: not built (npm run build)");

  progress("faults and mappings");
  const memory = await measureMemory(folder, compiler, effort.memoryRounds);
  progress("reclaim");
  const reclaim = await measureReclaim(folder, compiler, effort.memoryRounds, skipped);
  progress("many mappings");
  const mappings = await measureMappings(folder, compiler, skipped);
  progress("loads and stores");
  const access: FaultFigures = runJson(process.execPath, [await bundleSuite("access", folder)]);
  progress("heap");
  const heap: HeapResult = runJson(process.execPath, [
    ...HEAP_OPTIONS,
    await bundleSuite("heap", folder),
    folder,
  ]);
  progress("compute");
  const compute = await measureCompute(folder, compiler, effort.computeRepeats, programs);
  progress("start-up and sizes");
  const startUp = isBuilt ? measureStartUp(effort.startUps) : [];
  const bundles: Record<string, BenchResults["bundles"][string]> = {};
  for (const [name, entry] of Object.entries(ENTRIES)) bundles[name] = await bundleSize(entry);
  progress("");
  return {
    version: 1,
    quick: isQuick,
    machine: {
      cpu: cpus()[0]?.model ?? "unknown CPU",
      cores: cpus().length,
      kernel: `${type()} ${release()}`,
      node: process.versions.node,
      compiler: compiler === undefined ? "" : versionOf(compiler),
      load,
    },
    memory,
    reclaim,
    mappings,
    access: access.figures,
    heap,
    compute,
    startUp,
    bundles,
    skipped,
  };
}

function versionOf(compiler: string): string {
  return spawnSync(compiler, ["--version"], { encoding: "utf8" }).stdout.split("\n")[0];
}

/** One line that is written over, for a person who waits. */
function progress(what: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${what === "" ? "" : `measuring: ${what} …`}`);
}

const USAGE = `usage: npm run bench -- [OPTION...]

  --quick          one round of each
  --json FILE      write the figures there, too
  --program NAME=GUEST,NATIVE[,ARGUMENT...]
                   one more program to compare, built for riscv64 and for this machine; may be given several times`;

const { values } = parseOrExplain(USAGE, {
  options: {
    quick: { type: "boolean" },
    json: { type: "string" },
    program: { type: "string", multiple: true },
  },
});
const isQuick = values.quick === true;
const programs = (values.program ?? []).map(parseProgram);
const folder = mkdtempSync(join(tmpdir(), "faultline-bench-"));
try {
  const results = await measure(isQuick ? QUICK : FULL, isQuick, programs, folder);
  printResults(results);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, undefined, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true });
}
