/** /proc/PID/maps: one line a mapping (fs/proc/task_mmu.c show_map_vma). Text made from the state, at each call anew. */
import { PAGE_SIZE, type Vaddr } from "../page.ts";
import { majorOf, minorOf } from "../uapi/fs.ts";
import { fileOf } from "../vfs/file.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_EXEC, VM_MAYSHARE, VM_READ, VM_WRITE } from "../vma/vm-flags.ts";
import { vmaName } from "../vma/vma-name.ts";
import { escapeChars, hex } from "./text.ts";

/** What stands before a name is at least this long, and one space follows it (seq_setwidth, seq_pad). */
const HEAD_WIDTH = 72;

/** All mappings, a line each with its line end. */
export function procMaps(mm: MmStruct): string {
  let text = "";
  for (const vma of mm.vmas) text += `${mapsLine(vma)}\n`;
  return text;
}

/** "start-end perms offset dev inode name". */
export function mapsLine(vma: VmArea): string {
  const inode = vma.file === null ? null : fileOf(vma).inode;
  const offset = vma.file === null ? 0 : vma.pgoff * PAGE_SIZE;
  const dev = inode === null ? 0 : inode.sb.dev;
  return mapsHeader(vma.start, vma.end, permissions(vma.flags), offset, dev, inode?.ino ?? 0, vmaName(vma));
}

/** The same from its parts: smaps_rollup has such a line without a mapping. */
export function mapsHeader(
  start: Vaddr,
  end: Vaddr,
  perms: string,
  offset: number,
  dev: number,
  ino: number,
  name: string,
): string {
  const head =
    `${hex(start, 8)}-${hex(end, 8)} ${perms} ${hex(offset, 8)} ` +
    `${hex(majorOf(dev), 2)}:${hex(minorOf(dev), 2)} ${ino} `;
  // A line end in a name would start a line of its own.
  return name === "" ? head : `${head.padEnd(HEAD_WIDTH)} ${escapeChars(name, "\n")}`;
}

function permissions(flags: number): string {
  return (
    ((flags & VM_READ) !== 0 ? "r" : "-") +
    ((flags & VM_WRITE) !== 0 ? "w" : "-") +
    ((flags & VM_EXEC) !== 0 ? "x" : "-") +
    ((flags & VM_MAYSHARE) !== 0 ? "s" : "p")
  );
}
