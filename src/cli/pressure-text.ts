/**
 * The report's section on memory that was short. Counters are those of /proc/vmstat, by whose names the explanations call
 * them.
 */
import { drawBars, drawLayers } from "./chart.ts";
import { type Colors, NUMBER_WIDTH, numberLine } from "./number-line.ts";
import type { Report, ReportCgroup, ReportSample } from "./report.ts";
import { drawTable, printable } from "./report-tables.ts";
import { formatCount, formatSize } from "./size.ts";

export interface PressureTextOptions {
  readonly full: boolean;
  readonly columns: number;
}

const CHART_ROWS = 6;
const MOST_CHART_COLUMNS = 64;
/** Columns beside the chart: its scale. */
const SCALE = 12;
const GLYPHS = ["█", "▒", "░"];
const NS_UNITS: readonly (readonly [number, string])[] = [
  [1e9, "s"],
  [1e6, "ms"],
  [1e3, "µs"],
];

/** Whether there is anything to tell: reclaim ran, memory was limited, or storage failed. */
function isWorthTelling({ pressure }: Report): boolean {
  const { pgscan, swap_areas, cgroup, oom_kills, storage_errors: errors } = pressure;
  const isQuiet = pgscan === 0 && swap_areas.length === 0 && cgroup === null && oom_kills.length === 0;
  return !isQuiet || errors.reads + errors.writes > 0;
}

/** The section with a blank line behind it, or nothing where memory was never short. */
export function pressureLines(report: Report, options: PressureTextOptions, colors: Colors): string[] {
  if (!options.full && !isWorthTelling(report)) return [];
  return [
    ...counterLines(report, colors),
    "",
    ...areaLines(report, colors),
    ...chartLines(report, options.columns, colors),
    ...(options.full ? logLines(report, colors) : []),
  ];
}

function counterLines({ pressure, vmstat }: Report, colors: Colors): string[] {
  const { pgscan, pgsteal, cgroup, oom_kills: kills, storage_errors: errors } = pressure;
  const swap = pressure.swap_areas.length > 0;
  const line = (count: number, label: string, comment = "", level = 0): string =>
    numberLine(colors, count, label, comment, level);
  const atLimit = pgscan - vmstat.pgscan_kswapd - vmstat.pgscan_direct - vmstat.pgscan_proactive;
  const scanned = [
    part(vmstat.pgscan_kswapd, "by kswapd"),
    part(vmstat.pgscan_direct, "directly"),
    part(atLimit, "at the limit"),
    part(vmstat.pgscan_proactive, "by memory.reclaim"),
  ];
  const refaults = vmstat.workingset_refault_anon + vmstat.workingset_refault_file;
  const activated = vmstat.workingset_activate_anon + vmstat.workingset_activate_file;
  return [
    line(pgscan, "pages scanned", list(scanned)),
    line(
      pgsteal,
      "reclaimed",
      list([part(vmstat.pgsteal_anon, "anonymous"), part(vmstat.pgsteal_file, "of files")]),
      1,
    ),
    ...(swap
      ? [
          line(
            vmstat.pswpout,
            "pages swapped out",
            vmstat.swpout_zero > 0 ? `and ${formatCount(vmstat.swpout_zero)} of zeros, not written` : "",
          ),
          line(
            vmstat.pswpin,
            "pages swapped in",
            vmstat.swap_ra > 0
              ? `${formatCount(vmstat.swap_ra)} read ahead, ${formatCount(vmstat.swap_ra_hit)} used`
              : "",
          ),
        ]
      : []),
    line(
      refaults,
      "refaults",
      refaults > 0 ? `came back, ${formatCount(activated)} of them made active` : "",
    ),
    line(vmstat.pageoutrun, vmstat.pageoutrun === 1 ? "run of kswapd" : "runs of kswapd"),
    line(
      vmstat.allocstall_normal,
      "stalls",
      vmstat.allocstall_normal > 0 ? "waited for memory (allocstall)" : "",
    ),
    ...(cgroup === null ? [] : cgroupLines(cgroup, colors)),
    ...(kills.length > 0
      ? [
          line(
            kills.length,
            colors.red(kills.length === 1 ? "process killed" : "processes killed"),
            `for memory: ${kills.map(({ pid, comm }) => `${pid} (${printable(comm)})`).join(", ")}`,
          ),
        ]
      : []),
    ...(errors.reads + errors.writes + errors.swap > 0
      ? [
          line(
            errors.reads + errors.writes + errors.swap,
            colors.red("storage errors"),
            list([part(errors.reads, "reads"), part(errors.writes, "writes"), part(errors.swap, "of swap")]),
          ),
        ]
      : []),
  ];
}

function cgroupLines(
  { memory_max: most, memory_peak: peak, swap_max, swap_peak, events }: ReportCgroup,
  colors: Colors,
): string[] {
  const limits = [
    most === null ? "" : `${formatSize(peak)} of ${formatSize(most)} of memory at peak`,
    swap_max === null ? "" : `${formatSize(swap_peak)} of ${formatSize(swap_max)} of swap`,
  ];
  return [
    numberLine(
      colors,
      events.max,
      events.max === 1 ? "time at the limit" : "times at the limit",
      list(limits),
    ),
  ];
}

function areaLines({ pressure }: Report, colors: Colors): string[] {
  const areas = pressure.swap_areas;
  if (areas.length === 0) return [];
  const hasErrors = areas.some(({ errors }) => errors > 0);
  const rows = areas.map((area) => [
    printable(area.name),
    formatSize(area.size_bytes),
    String(area.priority),
    formatSize(area.peak_bytes),
    formatCount(area.pages_written),
    formatCount(area.pages_read),
    ...(hasErrors ? [formatCount(area.errors)] : []),
  ]);
  const names = [
    "swap area",
    "size",
    "priority",
    "used at peak",
    "pages out",
    "in",
    ...(hasErrors ? ["errors"] : []),
  ];
  const head = names.map((text) => colors.dim(text));
  return [
    ...drawTable(rows, { align: hasErrors ? "lrrrrrr" : "lrrrrr", indent: NUMBER_WIDTH + 2, head }),
    "",
  ];
}

/**
 * Memory and swap over time, in layers: what was used again while it was in memory, the rest that was in memory, what was in
 * swap; and below, how many pages came back.
 */
function chartLines({ pressure, machine }: Report, terminal: number, colors: Colors): string[] {
  const { timeline } = pressure;
  const span = timeline.at(-1)?.time_ns ?? 0;
  if (timeline.length < 2 || span === 0) return [];
  const width = Math.max(10, Math.min(MOST_CHART_COLUMNS, terminal - SCALE - 2));
  const { layers, refaults } = columnsOf(timeline, span, width);
  const top = Math.max(1, ...layers.map((column) => column.reduce((sum, height) => sum + height, 0)));
  const scale = (text: string): string => text.padStart(SCALE - 2);
  const rows = drawLayers(layers, GLYPHS, CHART_ROWS, top).map((row, index) => {
    const label = index === 0 ? formatSize(top * machine.page_size) : "";
    return ` ${colors.dim(`${scale(label)} ┤`)}${colors.cyan(row)}`;
  });
  const total = duration(span);
  const hasRefaults = refaults.some((count) => count > 0);
  return [
    ` ${colors.bold("Working set over time")}  ${colors.dim("█ active  ▒ inactive  ░ in swap")}`,
    ...rows,
    ` ${colors.dim(`${scale("0")} └${"─".repeat(width)}`)}`,
    ` ${colors.dim(`${scale("")}  0${total.padStart(width - 1)}`)}`,
    ...(hasRefaults ? [` ${colors.dim(`${scale("refaults")}  `)}${colors.cyan(drawBars(refaults))}`] : []),
    "",
  ];
}

/** The samples as columns: each shows how it was at its end, and the refaults within it. */
function columnsOf(
  timeline: readonly ReportSample[],
  span: number,
  width: number,
): { readonly layers: readonly (readonly number[])[]; readonly refaults: readonly number[] } {
  const layers: number[][] = [];
  const refaults: number[] = [];
  let at = 0;
  let before = timeline[0].refaults;
  for (let column = 1; column <= width; column++) {
    while (at + 1 < timeline.length && timeline[at + 1].time_ns <= (column / width) * span) at++;
    const { active, inactive, swapped, refaults: now } = timeline[at];
    layers.push([active, inactive, swapped]);
    refaults.push(now - before);
    before = now;
  }
  return { layers, refaults };
}

function logLines({ pressure }: Report, colors: Colors): string[] {
  if (pressure.dmesg.length === 0) return [];
  return [` ${colors.bold("Kernel log")}`, ...pressure.dmesg.map((line) => `  ${printable(line)}`), ""];
}

function duration(ns: number): string {
  for (const [unit, name] of NS_UNITS) if (ns >= unit) return `${Number((ns / unit).toPrecision(3))} ${name}`;
  return `${ns} ns`;
}

/** "1,234 by kswapd"; nothing for none. */
function part(count: number, what: string): string {
  return count > 0 ? `${formatCount(count)} ${what}` : "";
}

function list(parts: readonly string[]): string {
  return parts.filter((one) => one !== "").join(", ");
}
