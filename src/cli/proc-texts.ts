/** What the command reads in the kernel's /proc, as a program on it would: texts, taken apart. */
import { PAGE_SIZE } from "../mm/page.ts";
import { pagemapEntries } from "../mm/proc/pagemap.ts";
import type { ProcHost } from "../mm/proc/proc-task.ts";
import { smapsEntry } from "../mm/proc/smaps.ts";
import { procSwaps } from "../mm/proc/swaps.ts";
import { procVmstat } from "../mm/proc/vmstat.ts";
import type { MmStruct } from "../mm/vma/mm-struct.ts";

const KIB = 1024;

/** A line of /proc/swaps. */
export interface SwapLine {
  readonly name: string;
  readonly type: "partition" | "file";
  /** Bytes, without the header. */
  readonly size: number;
  readonly used: number;
  readonly priority: number;
}

/** Blanks, tabs, line ends and backslashes stand there as "\040" and so on. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** /proc/swaps: the areas in use now. */
export function readSwaps(host: ProcHost): SwapLine[] {
  const [, ...lines] = procSwaps(host).trimEnd().split("\n");
  return lines.map((line) => {
    const [name, type, size, used, priority] = line.split(/\s+/);
    return {
      name: unescaped(name),
      type: type === "partition" ? type : "file",
      size: Number(size) * KIB,
      used: Number(used) * KIB,
      priority: Number(priority),
    };
  });
}

/** /proc/vmstat. */
export function readVmstat(host: ProcHost): Record<string, number> {
  const lines = procVmstat(host).trimEnd().split("\n");
  return Object.fromEntries(
    lines.map((line) => line.split(" ")).map(([name, value]) => [name, Number(value)]),
  );
}

/** A mapping that has pages in swap. */
export interface SwappedMapping {
  readonly start: number;
  readonly end: number;
  readonly pages: number;
}

/** /proc/PID/smaps: the mappings with pages in swap, as the line Swap says. */
export function readSwapOfMappings(mm: MmStruct): SwappedMapping[] {
  const found: SwappedMapping[] = [];
  for (const vma of mm.vmas) {
    const text = smapsEntry(vma);
    const [, start, end] = /^([0-9a-f]+)-([0-9a-f]+) /.exec(text) ?? [];
    const [, kb] = /^Swap: +(\d+) kB$/m.exec(text) ?? [];
    const pages = (Number(kb) * KIB) / PAGE_SIZE;
    if (pages > 0) found.push({ start: Number.parseInt(start, 16), end: Number.parseInt(end, 16), pages });
  }
  return found;
}

const ENTRY_BYTES = 8;
const PM_SWAP = 0x40;
/** Pages whose entries are read at once. */
const CHUNK_PAGES = 512;

/** /proc/PID/pagemap: how many pages of start … end are in swap. */
export function swappedPages(mm: MmStruct, start: number, end: number): number {
  let count = 0;
  for (let from = start; from < end; from += CHUNK_PAGES * PAGE_SIZE) {
    const to = Math.min(from + CHUNK_PAGES * PAGE_SIZE, end);
    const entries = pagemapEntries(mm, from, to, /* showPfn */ false);
    // The swap bit is the last but one of an entry's highest byte.
    for (let at = ENTRY_BYTES - 1; at < entries.length; at += ENTRY_BYTES)
      if ((entries[at] & PM_SWAP) !== 0) count++;
  }
  return count;
}
