/** The tables of the report: mappings as rows of text, and columns drawn without lines between them. */
import Table from "cli-table3";
import type { ReportMapping, ReportProcess } from "./report.ts";
import { formatCount, formatSize } from "./size.ts";

export type TableRow = readonly string[];

export interface TableLayout {
  /** One letter a column: l or r. */
  readonly align: string;
  /** Columns left free before the table. */
  readonly indent: number;
  readonly head?: readonly string[];
}

/** Of cli-table3: columns with two blanks between them, and nothing drawn. */
export const NO_LINES = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
};

/** The lines of a table. */
export function drawTable(rows: readonly TableRow[], layout: TableLayout): string[] {
  if (rows.length === 0) return [];
  const table = new Table({
    chars: NO_LINES,
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
    colAligns: [...layout.align].map((letter) => (letter === "r" ? "right" : "left")),
  });
  if (layout.head !== undefined) table.push([...layout.head]);
  for (const row of rows) table.push([...row]);
  const indent = " ".repeat(layout.indent);
  return table
    .toString()
    .split("\n")
    .map((line) => indent + line);
}

/** A mapping in words. */
export interface MappingRow {
  readonly range: string;
  /** As in /proc/PID/maps: "rw-p". */
  readonly perms: string;
  readonly type: string;
  readonly size: string;
  readonly faults: number;
  /** "1,234 in swap", or nothing. */
  readonly swap: string;
  /** "file-read 3, file-cow 1" */
  readonly causes: string;
  readonly path: string;
  readonly gone: boolean;
}

export function mappingRows(process: ReportProcess): MappingRow[] {
  return process.mappings.map((mapping) => {
    const causes = Object.entries(mapping.faults);
    return {
      range: `${mapping.start.slice(2)}-${mapping.end.slice(2)}`,
      perms: mapping.prot + (mapping.type.startsWith("shared") ? "s" : "p"),
      type: mapping.type,
      size: formatSize(mappingSize(mapping)),
      faults: causes.reduce((total, [, count]) => total + count, 0),
      swap: mapping.swap_pages === 0 ? "" : `${formatCount(mapping.swap_pages)} in swap`,
      causes: causes.map(([cause, count]) => causeWords(mapping, cause, count)).join(", "),
      path: (mapping.count === 1 ? "" : `${formatCount(mapping.count)} mappings `) + printable(mapping.path),
      gone: !mapping.mapped,
    };
  });
}

/** "wp-copy 12 (9 shared by fork)" */
function causeWords({ fork_copies }: ReportMapping, cause: string, count: number): string {
  const text = `${cause} ${formatCount(count)}`;
  if (cause !== "wp-copy" || fork_copies === 0) return text;
  return `${text} (${fork_copies === count ? "" : `${formatCount(fork_copies)} `}shared by fork)`;
}

/** A name that a program chose, harmless to a terminal: control characters, and bytes that are no UTF-8, as "\x1b". */
export function printable(name: string): string {
  return name.replace(
    /[\p{Cc}\udc80-\udcff]/gu,
    (char) => `\\x${(char.charCodeAt(0) & 0xff).toString(16).padStart(2, "0")}`,
  );
}

/** Bytes from its start to its end. */
export function mappingSize(mapping: ReportMapping): number {
  return Number(mapping.end) - Number(mapping.start);
}
