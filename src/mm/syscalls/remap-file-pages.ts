/**
 * remap_file_pages(2): shows another part of a mapped file at an address (mm/mmap.c). Once a mapping whose pages stood in
 * any order; today Linux makes a mapping of its own for each piece, as mmap with MAP_FIXED would.
 */
import type { Mmu } from "../fault/mmu.ts";
import { PAGE_SIZE, pageAlignDown, type Vaddr } from "../page.ts";
import { EINVAL } from "../uapi/errno.ts";
import {
  MAP_FIXED,
  MAP_LOCKED,
  MAP_NONBLOCK,
  MAP_POPULATE,
  MAP_SHARED,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "../uapi/mman.ts";
import { fileOf } from "../vfs/file.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_EXEC, VM_LOCKED, VM_READ, VM_SHARED, VM_WRITE } from "../vma/vm-flags.ts";
import { doMmap } from "./mmap.ts";
import type { Task } from "./task.ts";

/**
 * EINVAL: `prot` is not 0, an empty or wrapping range, no writable-file mapping that is shared there, or a range over
 * mappings that differ; else as mmap. `pgoff` is in pages; only MAP_NONBLOCK of `flags` counts.
 */
export function sysRemapFilePages(
  mmu: Mmu,
  task: Task,
  addr: Vaddr,
  size: number,
  prot: number,
  pgoff: number,
  flags: number,
): number {
  if (prot !== 0) return -EINVAL;
  const start = pageAlignDown(addr);
  const length = pageAlignDown(size);
  const end = start + length;
  if (length === 0 || end >= 2 ** 64) return -EINVAL;
  if (pgoff + length / PAGE_SIZE >= 2 ** 64) return -EINVAL;
  const vma = task.mm.vmas.lookup(start);
  if (vma === null || (vma.flags & VM_SHARED) === 0) return -EINVAL;
  if (!isUniform(vma, end)) return -EINVAL;
  const file = fileOf(vma);
  const wanted =
    (flags & MAP_NONBLOCK) |
    (MAP_SHARED | MAP_FIXED | MAP_POPULATE) |
    ((vma.flags & VM_LOCKED) !== 0 ? MAP_LOCKED : 0);
  // The mapping is the file's only holder, maybe, and about to be replaced.
  file.get();
  const made = doMmap(mmu, task, file, start, length, protOf(vma.flags), wanted, pgoff * PAGE_SIZE);
  file.put();
  return made < 0 ? made : 0;
}

/** Whether mappings of one file and of one kind reach from `vma` to `end` without a hole. */
function isUniform(vma: VmArea, end: Vaddr): boolean {
  let last = vma;
  while (last.end < end) {
    const { next } = last;
    if (next === null || next.start !== last.end) return false;
    if (next.file !== vma.file || next.flags !== vma.flags) return false;
    last = next;
  }
  return true;
}

function protOf(flags: number): number {
  return (
    ((flags & VM_READ) !== 0 ? PROT_READ : 0) |
    ((flags & VM_WRITE) !== 0 ? PROT_WRITE : 0) |
    ((flags & VM_EXEC) !== 0 ? PROT_EXEC : 0)
  );
}
