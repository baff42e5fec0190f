/** The results as tables for a terminal. */
import Table from "cli-table3";
import colors from "picocolors";
import { NO_LINES } from "../src/cli/report-tables.ts";
import { geometricMean } from "./figure.ts";
import { AIMS, type BenchResults, type Comparison, type MappingOperation } from "./results.ts";

type Cell = string | { content: string; hAlign: "right" };

export function printResults(results: BenchResults): void {
  const { machine } = results;
  console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, Node ${machine.node}`);
  console.log(colors.dim(`load ${machine.load.toFixed(2)} at the start; medians, the best in brackets`));
  printMemory("Memory, ns", results.memory);
  printMemory("Reclaim, ns", results.reclaim);
  printMappings(results);
  printAccess(results);
  printHeap(results);
  printCompute(results);
  printStartUp(results.startUp);
  printBundles(results);
  for (const one of results.skipped) console.log(colors.yellow(`\nskipped: ${one}`));
}

function printMemory(title: string, memory: readonly Comparison[]): void {
  const table = newTable(title, "Faultline", "", "host", "", "Faultline / host");
  for (const { name, what, faultline, host } of memory) {
    table.push([
      `${name}  ${colors.dim(what)}`,
      ...pair(faultline.median, faultline.min, nanoseconds),
      ...(host === undefined ? ["", ""] : pair(host.median, host.min, nanoseconds)),
      host === undefined ? "" : judged(faultline.median / host.median, 1),
    ]);
  }
  console.log(table.toString());
}

const OPERATIONS: readonly (readonly [MappingOperation, string])[] = [
  ["map", "mmap of one page more"],
  ["fault", "first write to a page of any mapping"],
  ["replace", "munmap of any mapping and mmap in its place"],
  ["search", "mmap where there is room, and munmap"],
];

/** A curve in numbers: tenfold mappings from column to column. */
function printMappings({ mappings }: BenchResults): void {
  const counts = mappings.map(({ count }) => count.toLocaleString("en"));
  const table = newTable("In a process of so many mappings, ns", ...counts);
  for (const [operation, what] of OPERATIONS) {
    table.push([
      `${operation}  ${colors.dim(what)}`,
      ...mappings.map(({ faultline }) => right(nanoseconds(faultline[operation].median))),
    ]);
    if (mappings.every(({ host }) => host === undefined)) continue;
    table.push([
      colors.dim("  host"),
      ...mappings.map(({ host }) => right(host === undefined ? "" : nanoseconds(host[operation].median))),
    ]);
  }
  table.push([
    `heap  ${colors.dim("bytes of each mapping")}`,
    ...mappings.map(({ perMapping }) => right(perMapping.toFixed(0))),
  ]);
  console.log(table.toString());
}

function printAccess({ access }: BenchResults): void {
  const table = newTable(`Access that hits the TLB, ns (aim: under ${AIMS.accessNs})`, "", "");
  for (const [name, { median, min }] of Object.entries(access)) {
    const [middle, best] = pair(median, min, (ns) => ns.toFixed(1));
    table.push([name, mark(middle, median < AIMS.accessNs), best]);
  }
  console.log(table.toString());
}

function printHeap({ heap }: BenchResults): void {
  const table = newTable(`Memory of bookkeeping, bytes`, "");
  const frames = mark(
    right(`${heap.bookkeepingPerFrame}`),
    heap.bookkeepingPerFrame <= AIMS.bookkeepingPerFrame,
  );
  table.push([`per frame  ${colors.dim(`columns; aim: ${AIMS.bookkeepingPerFrame} at most`)}`, frames]);
  table.push([`per mapping  ${colors.dim("heap, of 60,000")}`, right(heap.perMapping.toFixed(0))]);
  table.push([`a kernel after boot  ${colors.dim("heap, besides columns")}`, right(`${heap.bootedHeap}`)]);
  for (const [name, bytes] of Object.entries(heap.perFault)) {
    table.push([`${name}  ${colors.dim("heap allocated by one, garbage at once")}`, right(bytes.toFixed(0))]);
  }
  console.log(table.toString());
}

function printCompute({ compute }: BenchResults): void {
  const table = newTable(
    "Compute, ms",
    "machine",
    "",
    "native",
    "",
    "machine / native",
    "qemu / native",
    "MIPS",
  );
  const ratios: number[] = [];
  const qemuRatios: number[] = [];
  for (const { name, isKernel, faultline, host, qemu, instructions } of compute) {
    const ratio = host === undefined ? undefined : faultline.median / host.median;
    const qemuRatio = host === undefined || qemu === undefined ? undefined : qemu.median / host.median;
    if (isKernel && ratio !== undefined) ratios.push(ratio);
    if (isKernel && qemuRatio !== undefined) qemuRatios.push(qemuRatio);
    table.push([
      name,
      ...pair(faultline.median, faultline.min, milliseconds),
      ...(host === undefined ? ["", ""] : pair(host.median, host.min, milliseconds)),
      times(ratio),
      times(qemuRatio),
      right(((instructions / faultline.median) * 1000).toFixed(0)),
    ]);
  }
  if (ratios.length > 0) {
    table.push([
      `geometric mean  ${colors.dim(`of the kernels; aim: ${AIMS.kernelRatio}× at most`)}`,
      ...["", "", "", ""],
      judged(geometricMean(ratios), AIMS.kernelRatio),
      times(qemuRatios.length > 0 ? geometricMean(qemuRatios) : undefined),
      "",
    ]);
  }
  console.log(table.toString());
}

/** A ratio that has no aim. */
function times(ratio: number | undefined): Cell {
  return ratio === undefined ? "" : right(`${ratio.toFixed(1)}×`);
}

function printStartUp(startUp: readonly Comparison[]): void {
  if (startUp.length === 0) return;
  const table = newTable("Start-up, ms", "Faultline", "", "node -e 0", "");
  for (const { name, what, faultline, host } of startUp) {
    table.push([
      `${name}  ${colors.dim(what)}`,
      ...pair(faultline.median, faultline.min, milliseconds),
      ...(host === undefined ? ["", ""] : pair(host.median, host.min, milliseconds)),
    ]);
  }
  console.log(table.toString());
}

function printBundles({ bundles }: BenchResults): void {
  const table = newTable("Size of the library, KiB", "minified", "gzipped");
  for (const [name, { minified, gzipped }] of Object.entries(bundles)) {
    table.push([name, right((minified / 1024).toFixed(0)), right((gzipped / 1024).toFixed(0))]);
  }
  console.log(table.toString());
}

function newTable(...head: string[]): Table.Table {
  const [title, ...columns] = head;
  return new Table({
    head: [colors.bold(title), ...columns],
    chars: NO_LINES,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
    colAligns: ["left", ...columns.map(() => "right" as const)],
  });
}

/** A middle value and, dimmed, the best one. */
function pair(median: number, min: number, format: (value: number) => string): [Cell, Cell] {
  return [right(format(median)), right(colors.dim(`(${format(min)})`))];
}

/** A ratio, green where it reaches its aim. */
function judged(ratio: number, aim: number): Cell {
  const text = ratio < 10 ? ratio.toFixed(2) : ratio.toFixed(1);
  return mark(right(`${text}×`), ratio <= aim);
}

function mark(cell: Cell, isGood: boolean): Cell {
  const text = typeof cell === "string" ? cell : cell.content;
  return right(isGood ? colors.green(text) : colors.red(`${text} !`));
}

function right(content: string): Cell {
  return { content, hAlign: "right" };
}

function nanoseconds(ns: number): string {
  return ns < 100 ? ns.toFixed(1) : ns.toFixed(0);
}

function milliseconds(ns: number): string {
  return (ns / 1e6).toFixed(ns < 1e8 ? 1 : 0);
}
