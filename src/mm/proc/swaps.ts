/** /proc/swaps: the swap areas, one a line (swap_show, mm/swapfile.c). */
import { PAGE_SIZE } from "../page.ts";
import { swapOf } from "../swap/swap-space.ts";
import { byteLength } from "../vfs/name-bytes.ts";
import type { ProcHost } from "./proc-task.ts";
import { escapeChars } from "./text.ts";

/** Columns that a path is padded to, and sizes from which on one tab is enough. */
const NAME_WIDTH = 40;
const WIDE_KB = 10_000_000;

export function procSwaps({ phys }: ProcHost): string {
  const kb = (pages: number): string => {
    const size = (pages * PAGE_SIZE) / 1024;
    return `${size}\t${size < WIDE_KB ? "\t" : ""}`;
  };
  const lines = (swapOf(phys)?.list() ?? []).map((info) => {
    const name = escapeChars(info.name, " \t\n\\");
    const type = info.device.kind === "partition" ? "partition" : "file\t";
    const padding = " ".repeat(Math.max(NAME_WIDTH - byteLength(name), 1));
    return `${name}${padding}${type}\t${kb(info.pages)}${kb(info.inuse)}${info.prio}\n`;
  });
  return `Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n${lines.join("")}`;
}
