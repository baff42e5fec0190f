/**
 * The report as a person reads it: numbers right-aligned, what they count behind them, an explanation behind a `#`,
 * as `perf stat` does.
 *
 * Drawn from the Report alone, so that the JSON of a run holds all that its text says.
 */
import pc from "picocolors";
import { FAULT_CAUSES, type FaultCause } from "../mm/trace/events.ts";
import { type Colors, NUMBER_WIDTH, numberLine, plural } from "./number-line.ts";
import { pressureLines } from "./pressure-text.ts";
import type { Report, ReportProcess } from "./report.ts";
import { drawTable, mappingRows, printable, type TableRow } from "./report-tables.ts";
import { formatCount, formatSize } from "./size.ts";

export interface ReportTextOptions {
  /** All mappings of all processes, and the page cache file by file. */
  readonly full: boolean;
  readonly colors: boolean;
  /** Columns of the terminal. */
  readonly columns: number;
}

/** What a fault of each cause is called, and what its handling did. */
const CAUSE_WORDS: Readonly<Record<FaultCause, readonly [name: string, what: string]>> = {
  "anon-zero": ["anonymous read", "the shared zero page was mapped"],
  "anon-read": ["anonymous read", "a zeroed frame was mapped"],
  "anon-write": ["anonymous write", "a zeroed frame was mapped"],
  "file-read": ["file read", "a page of the page cache was mapped"],
  "file-cow": ["private file write", "a page of the page cache was copied"],
  "file-shared": ["shared file write", "a page of the page cache was mapped, dirty"],
  "wp-copy": ["copy on write", "a page mapped for reading was copied"],
  "wp-reuse": ["write after sharing", "nobody else uses the page any more: made writable"],
  "wp-zero": ["write after read", "a zeroed frame replaced the zero page"],
  "wp-shared": ["write to a clean page", "of a shared mapping: made dirty"],
  swap: ["swapped in", "the page was read from swap"],
  spurious: ["spurious", "the page was there already"],
  segv: ["invalid address", "no mapping allows the access: SIGSEGV or EFAULT"],
  sigbus: ["behind the end of a file", "SIGBUS or EFAULT"],
  oom: ["out of memory", "no frame was left"],
};

/** Causes of accesses that failed: not among the faults that the kernel counts. */
const FAILURES: ReadonlySet<FaultCause> = new Set(["segv", "sigbus", "oom"]);

/** Mappings that the short report lists one by one; of more it tells the number per type. */
const SHORT_LIST = 16;

/** The lines of the report, with a line end behind each. */
export function reportText(report: Report, options: ReportTextOptions): string {
  const colors = pc.createColors(options.colors);
  const lines = [
    "",
    ...headLines(report, colors),
    "",
    ...faultLines(report, colors),
    "",
    ...memoryLines(report, colors),
    "",
    ...pressureLines(report, options, colors),
    ...(options.full ? fullLines(report, colors) : shortMappingLines(report, colors)),
    "",
  ];
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

function headLines(report: Report, colors: Colors): string[] {
  const { program, time, syscalls } = report;
  const words = [program.path, ...program.argv.slice(1)].map(quoted).join(" ");
  const lines = [
    ` ${colors.bold(words)}: ${endWords(report, colors)}`,
    "",
    numberLine(colors, time.instructions, "instructions", `${time.wall_seconds.toFixed(2)} s`),
    numberLine(colors, syscalls.total, "system calls"),
  ];
  for (const { number, count } of syscalls.unknown) {
    lines.push(numberLine(colors, count, colors.yellow(`unknown call ${number}`), "answered ENOSYS", 1));
  }
  return lines;
}

function endWords({ program }: Report, colors: Colors): string {
  if (program.crashed) return colors.red("ended by a crash of its storage, on purpose");
  if (program.panicked) return colors.red("ended by a panic of its kernel");
  if (program.timed_out) return colors.red("ended by the timeout");
  if (program.signal !== null) return colors.red(`ended by ${program.signal}`);
  const text = `exit status ${program.exit_status}`;
  return program.exit_status === 0 ? text : colors.red(text);
}

function faultLines({ faults }: Report, colors: Colors): string[] {
  const total = faults.minor + faults.major;
  const lines = [
    numberLine(
      colors,
      total,
      "page faults",
      `${formatCount(faults.minor)} minor, ${formatCount(faults.major)} major`,
    ),
  ];
  for (const cause of FAULT_CAUSES) {
    const count = faults.by_cause[cause];
    if (count === 0) continue;
    const [name, what] = CAUSE_WORDS[cause];
    let more = "";
    if (cause === "file-read" && faults.around_ptes > 0)
      more = `, ${formatCount(faults.around_ptes)} more around them`;
    if (cause === "wp-copy" && faults.fork_copies > 0)
      more = `, ${formatCount(faults.fork_copies)} of them shared by fork`;
    lines.push(numberLine(colors, count, FAILURES.has(cause) ? colors.red(name) : name, what + more, 1));
  }
  return lines;
}

function memoryLines(report: Report, colors: Colors): string[] {
  const { faults, page_cache: cache, machine } = report;
  const peak = formatSize(machine.peak_frames * machine.page_size);
  const requests = cache.files.reduce((total, file) => total + file.read_requests, 0);
  return [
    numberLine(colors, faults.cow_copies, "pages copied on write"),
    numberLine(
      colors,
      cache.pages_read,
      "pages read from files",
      requests > 0 ? `in ${plural(requests, "read")}` : "",
    ),
    numberLine(colors, cache.pages_written, "pages written back"),
    ...(cache.pages_dropped > 0
      ? [numberLine(colors, cache.pages_dropped, "clean pages dropped", "RAM ran short")]
      : []),
    numberLine(
      colors,
      machine.peak_frames,
      "frames in use at peak",
      `${peak} of ${formatSize(machine.ram_bytes)}, page tables and page cache included`,
    ),
  ];
}

function shortMappingLines(report: Report, colors: Colors): string[] {
  const [first, ...others] = report.processes;
  if (first === undefined) return [];
  const count = first.mappings.reduce((total, mapping) => total + mapping.count, 0);
  const lines = [
    numberLine(
      colors,
      count,
      count === 1 ? "mapping" : "mappings",
      others.length > 0 ? `of process ${first.pid}` : "",
    ),
  ];
  if (count <= SHORT_LIST) {
    const hasSwap = first.mappings.some((mapping) => mapping.swap_pages > 0);
    const rows: TableRow[] = mappingRows(first).map(({ perms, type, size, faults, swap, path }) => [
      perms,
      type,
      size,
      plural(faults, "fault"),
      ...(hasSwap ? [swap] : []),
      path,
    ]);
    lines.push(...drawTable(rows, { align: hasSwap ? "llrrrl" : "llrrl", indent: NUMBER_WIDTH + 4 }));
  } else {
    for (const [type, number] of countsByType(first)) lines.push(numberLine(colors, number, type, "", 1));
    lines.push(`${" ".repeat(NUMBER_WIDTH + 4)}${colors.dim("--report lists them")}`);
  }
  if (others.length > 0) {
    const number = others.reduce((total, process) => total + process.count, 0);
    lines.push(
      numberLine(colors, number, number === 1 ? "more process" : "more processes", "--report tells of each"),
    );
  }
  return lines;
}

function countsByType(process: ReportProcess): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { type, count } of process.mappings) counts.set(type, (counts.get(type) ?? 0) + count);
  return counts;
}

function fullLines(report: Report, colors: Colors): string[] {
  const lines: string[] = [];
  const names = new Map(report.processes.map(({ pid, comm }) => [pid, comm]));
  for (const process of report.processes) lines.push(...processLines(process, names, colors), "");
  const files = report.page_cache.files;
  if (files.length === 0) return lines.slice(0, -1);
  lines.push(` ${colors.bold("Page cache")} ${colors.dim("(pages)")}`, "");
  const rows = files.map((file) => [
    formatCount(file.pages_read),
    formatCount(file.read_requests),
    formatCount(file.pages_written),
    formatCount(file.pages_dropped),
    file.path === "" ? "(a file without a name)" : printable(file.path),
  ]);
  const head = ["read", "reads", "written", "dropped", "file"];
  lines.push(...drawTable(rows, { align: "rrrrl", indent: 2, head: head.map((text) => colors.dim(text)) }));
  return lines;
}

function processLines(process: ReportProcess, names: ReadonlyMap<number, string>, colors: Colors): string[] {
  const end =
    process.signal !== null
      ? `ended by ${process.signal}`
      : process.exit_status === null
        ? "still running"
        : `exit status ${process.exit_status}`;
  const parent = process.ppid === 0 ? "" : `, child of ${process.ppid}`;
  const title =
    process.count === 1 ? `Process ${process.pid}` : plural(process.count, "process", "processes");
  const who = process.count === 1 ? parent : `, the first is ${process.pid}`;
  const lines = [
    ` ${colors.bold(title)} ${printable(process.comm)}${who}: ${end}`,
    ` ${plural(process.minflt, "minor fault")}, ${plural(process.majflt, "major fault")}, peak resident set ` +
      `${formatSize(process.maxrss * 1024)}${process.kernel_faults > 0 ? `; ${plural(process.kernel_faults, "fault")} inside system calls` : ""}`,
    ...process.fork_copies.map(
      ({ pid, pages }) =>
        ` ${plural(pages, "page")} copied on write that fork shared with ${pid === 0 ? "others" : `process ${pid} ${printable(names.get(pid) ?? "")}`}`,
    ),
    "",
  ];
  const hasSwap = process.mappings.some((mapping) => mapping.swap_pages > 0);
  const rows = mappingRows(process).map((row) => [
    row.range,
    row.perms,
    row.type,
    row.size,
    ...(hasSwap ? [row.swap.replace(" in swap", "")] : []),
    row.causes,
    row.gone ? `${row.path} ${colors.dim("(unmapped)")}`.trimStart() : row.path,
  ]);
  const columns = ["address", "perm", "type", "size", ...(hasSwap ? ["in swap"] : []), "faults", "name"];
  const head = columns.map((text) => colors.dim(text));
  lines.push(...drawTable(rows, { align: hasSwap ? "rllrrll" : "rllrll", indent: 2, head }));
  for (const [cause, count] of Object.entries(process.unmapped_faults)) {
    lines.push(
      `  ${colors.red(`${plural(count, "access", "accesses")} outside of all mappings (${cause})`)}`,
    );
  }
  return lines;
}

/** A word of a command line as one would type it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : printable(JSON.stringify(word));
}
