import type { VmArea } from "./vm-area.ts";

/** What the last column of /proc/PID/maps says of a mapping: path, "[heap]", "[stack]", "[vdso]", or nothing (fs/proc/task_mmu.c). */
export function vmaName(vma: VmArea): string {
  const special = vma.ops?.name?.(vma);
  if (special !== undefined && special !== "") return special;
  if (vma.file !== null) return vma.file.path;
  const { mm } = vma;
  if (vma.start === mm.vdso) return "[vdso]";
  if (vma.start < mm.brk && vma.end > mm.startBrk) return "[heap]";
  if (vma.start <= mm.startStack && vma.end >= mm.startStack) return "[stack]";
  return "";
}
