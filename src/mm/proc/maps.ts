/** /proc/PID/maps: one line a mapping (fs/proc/task_mmu.c show_map_vma). Text made from the state, at each call anew. */
import { PAGE_SIZE } from "../page.ts";
import { majorOf, minorOf } from "../uapi/fs.ts";
import { fileOf } from "../vfs/file.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_EXEC, VM_MAYSHARE, VM_READ, VM_WRITE } from "../vma/vm-flags.ts";
import { vmaName } from "../vma/vma-name.ts";

/** The column at which names start. */
const NAME_COLUMN = 73;

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
  const line =
    `${hex(vma.start, 8)}-${hex(vma.end, 8)} ${permissions(vma.flags)} ${hex(offset, 8)} ` +
    `${hex(majorOf(dev), 2)}:${hex(minorOf(dev), 2)} ${inode?.ino ?? 0} `;
  const name = vmaName(vma);
  return name === "" ? line : line.padEnd(NAME_COLUMN) + escapeName(name);
}

function permissions(flags: number): string {
  return (
    ((flags & VM_READ) !== 0 ? "r" : "-") +
    ((flags & VM_WRITE) !== 0 ? "w" : "-") +
    ((flags & VM_EXEC) !== 0 ? "x" : "-") +
    ((flags & VM_MAYSHARE) !== 0 ? "s" : "p")
  );
}

function hex(value: number, width: number): string {
  return value.toString(16).padStart(width, "0");
}

/** A line end in a name would start a line of its own: it is written as an octal escape. */
function escapeName(name: string): string {
  return name.replaceAll("\n", "\\012");
}
