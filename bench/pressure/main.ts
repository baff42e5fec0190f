/**
 * `npm run pressure`: what memory pressure costs on Faultline and on the host's kernel, side by side.
 *
 *   npm run pressure -- [--limit MIB] [--policy lru|mglru] [--runs N] [--counters] [--json FILE] [PATTERN…]
 *
 * The same C program (patterns.c) uses memory in eleven ways against the same limit, natively in a memory cgroup with a
 * swap file, and on the machine in Faultline's memory cgroup with a swap area of the same size. What is compared are
 * totals: pages swapped out and in, and faults. The host's side needs root on Linux, and is left out where that is missing.
 *
 * A kernel that runs on two processors beside others does not do the same twice. With --runs the host runs each pattern
 * so often: its column shows the median and, where they differ, the least and the most. --counters shows what of
 * /proc/vmstat explains the totals; the host's are of its whole system, as pswpin and pswpout are.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Table from "cli-table3";
import colors from "picocolors";
import { parseOrExplain, refuse } from "../../scripts/arguments.ts";
import { BENCH, bundleSuite, compileForHost, hostCompiler } from "../tools.ts";
import { limitFile, numberedPages, PressuredHost, whyNoHost } from "./host.ts";

const PATTERNS = [
  "sequential",
  "random",
  "zipf",
  "loop",
  "stack",
  "file-scan",
  "file-loop",
  "file-random",
  "fork",
  "shared",
  "phases",
];
const FIGURES = ["pswpout", "pswpin", "majflt", "minflt"] as const;
const COUNTERS = [
  "pgscan_anon",
  "pgscan_file",
  "pgsteal_anon",
  "pgsteal_file",
  "pgrefill",
  "pgactivate",
  "pgdeactivate",
  "swap_ra",
  "swap_ra_hit",
  "workingset_refault_anon",
  "workingset_refault_file",
  "workingset_activate_anon",
  "workingset_activate_file",
] as const;
const MIB = 2 ** 20;
const PAGE_SIZE = 4096;
const DEFAULT_LIMIT_MIB = "32";
/** What a pattern may need of swap, and of its file, in limits. */
const SWAP_LIMITS = 8;
const FILE_LIMITS = 4;
/** A total that differs by less than this part is as good as the same; below so many events chance decides. */
const TOLERANCE = 0.15;
const FEW = 500;

type Figure = (typeof FIGURES)[number] | (typeof COUNTERS)[number];
type Cost = Readonly<Record<Figure, number>>;

interface Row {
  readonly pattern: string;
  readonly faultline: Cost;
  /** One for each run; none where the host can't be asked. */
  readonly host: readonly Cost[];
}

const USAGE = `usage: npm run pressure -- [OPTION...] [PATTERN...]

  --limit MIB      what the program may hold (1 to 256, default: ${DEFAULT_LIMIT_MIB})
  --policy POLICY  lru or mglru, on Faultline (default: lru)
  --runs N         runs of each pattern on the host (default: 1)
  --counters       what of /proc/vmstat explains the totals
  --json FILE      write the totals there, too

patterns: ${PATTERNS.join(", ")} (default: all)`;

const { values, positionals } = parseOrExplain(USAGE, {
  allowPositionals: true,
  options: {
    limit: { type: "string", default: DEFAULT_LIMIT_MIB },
    policy: { type: "string", default: "lru" },
    runs: { type: "string", default: "1" },
    counters: { type: "boolean", default: false },
    json: { type: "string" },
  },
});
const limit = Number(values.limit) * MIB;
if (!(limit >= MIB && limit <= 256 * MIB)) refuse("--limit is 1 to 256 (MiB)");
if (values.policy !== "lru" && values.policy !== "mglru") refuse("--policy is lru or mglru");
const runs = Number(values.runs);
if (!(Number.isInteger(runs) && runs >= 1)) refuse("--runs is a number from 1");
const unknown = positionals.filter((pattern) => !PATTERNS.includes(pattern));
if (unknown.length > 0) refuse(`no such pattern: ${unknown.join(", ")}`);

const folder = mkdtempSync(join(tmpdir(), "faultline-pressure-"));
const compiler = hostCompiler();
const why = compiler === undefined ? "there is no cc" : whyNoHost();
let host: PressuredHost | undefined;
process.on("SIGINT", () => process.exit(130));
process.on("exit", () => {
  host?.close();
  rmSync(folder, { recursive: true });
});

const pages = numberedPages((FILE_LIMITS * limit) / PAGE_SIZE);
const files = join(folder, "files");
mkdirSync(files);
writeFileSync(join(files, "pages"), pages);
const suite = await bundleSuite("pressure", folder);
const guest = join(BENCH, "pressure/bin/patterns");
const native = compiler === undefined ? "" : compileForHost(compiler, "pressure/patterns.c", folder);
if (why === undefined && compiler !== undefined) {
  const poller = compileForHost(compiler, "pressure/poll.c", folder);
  host = new PressuredHost(folder, limit, SWAP_LIMITS * limit, pages, poller);
}

/** Reclaim at a limit waits for its writes where the host's controller is that of version 1. */
const cgroups = limitFile()?.file === "memory.max" ? "v2" : "v1";

const rows: Row[] = [];
for (const pattern of positionals.length > 0 ? positionals : PATTERNS) {
  progress(pattern);
  const theirs: Cost[] = [];
  for (let run = 0; host !== undefined && run < runs; run++) {
    theirs.push(JSON.parse(host.run(native, pattern)) as Cost);
  }
  rows.push({ pattern, faultline: onFaultline(pattern), host: theirs });
}
progress("");
print(rows);
if (values.counters) printCounters(rows);
if (why !== undefined) console.log(colors.yellow(`skipped: the host's side, since ${why}`));
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(rows, undefined, 2)}\n`);

function onFaultline(pattern: string): Cost {
  const args = [suite, guest, pattern, `${limit}`, `${SWAP_LIMITS * limit}`, files, values.policy];
  args.push(cgroups);
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${pattern} on Faultline: ${stderr}`);
  return JSON.parse(stdout) as Cost;
}

function print(rows: readonly Row[]): void {
  const head = ["pattern", ...FIGURES.flatMap((name) => [name, "host", ""])];
  const table = new Table({
    head,
    style: { head: [], border: [] },
    colAligns: ["left", ...head.slice(1).map(() => "right" as const)],
  });
  for (const { pattern, faultline, host } of rows) {
    table.push([pattern, ...FIGURES.flatMap((name) => cells(faultline[name], sorted(host, name)))]);
  }
  console.log(`limit ${limit / MIB} MiB, swap ${(SWAP_LIMITS * limit) / MIB} MiB, policy ${values.policy}`);
  console.log(table.toString());
}

function printCounters(rows: readonly Row[]): void {
  const table = new Table({
    head: ["pattern", "counter", "Faultline", "host", ""],
    style: { head: [], border: [] },
    colAligns: ["left", "left", "right", "right", "right"],
  });
  for (const { pattern, faultline, host } of rows) {
    for (const name of COUNTERS) table.push([pattern, name, ...cells(faultline[name], sorted(host, name))]);
  }
  console.log(table.toString());
}

function sorted(costs: readonly Cost[], name: Figure): number[] {
  return costs.map((cost) => cost[name]).sort((a, b) => a - b);
}

/** @param theirs of each run of the host, ascending */
function cells(ours: number, theirs: readonly number[]): string[] {
  if (theirs.length === 0) return [String(ours), "", ""];
  const least = theirs[0];
  const most = theirs[theirs.length - 1];
  const median = theirs[theirs.length >> 1];
  const host = least === most ? String(median) : `${median} (${least}…${most})`;
  if (ours < FEW && median < FEW) return [String(ours), host, ""];
  const difference = ours / median - 1;
  const text = `${difference < 0 ? "" : "+"}${(difference * 100).toFixed(0)}%`;
  const isWithin = Math.abs(difference) <= TOLERANCE || (least <= ours && ours <= most);
  return [String(ours), host, isWithin ? colors.green(text) : colors.red(text)];
}

/** One line that is written over, for a person who waits. */
function progress(what: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${what === "" ? "" : `measuring: ${what} …`}`);
}
