/** What the command reads in the kernel's /proc, as a program on it would: texts, taken apart. */
import { pagemapEntries } from "../mm/proc/pagemap.ts";
import type { ProcHost } from "../mm/proc/proc-task.ts";
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

const ENTRY_BYTES = 8;
const PM_SWAP = 0x40;

/** /proc/PID/pagemap: how many pages of start … end are in swap. */
export function swappedPages(mm: MmStruct, start: number, end: number): number {
  let count = 0;
  const entries = pagemapEntries(mm, start, end, /* showPfn */ false);
  // The swap bit is the last but one of an entry's highest byte.
  for (let at = ENTRY_BYTES - 1; at < entries.length; at += ENTRY_BYTES)
    if ((entries[at] & PM_SWAP) !== 0) count++;
  return count;
}
