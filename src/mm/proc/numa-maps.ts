/** /proc/PID/numa_maps: the memory policy of each mapping, and how many of its pages lie on which node (show_numa_map). There is one, node 0. */
import {
  PG_ACTIVE,
  PG_ANON,
  PG_DIRTY,
  PG_SWAPCACHE,
  PG_UNEVICTABLE,
  PG_WRITEBACK,
} from "../frames/page-flags.ts";
import { PAGE_SIZE } from "../page.ts";
import { PTE_DIRTY, PTE_PRESENT, PTE_SPECIAL } from "../pagetable/pte.ts";
import { type Mempolicy, mpolToStr } from "../vma/mempolicy.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_HUGETLB } from "../vma/vm-flags.ts";
import { vmaName } from "../vma/vma-name.ts";
import { escapeChars, hex } from "./text.ts";
import { walkPtes } from "./walk-ptes.ts";

/** One mapping's line, with its line end. @param ofTask the policy that holds where the mapping has none */
export function numaMapsLine(vma: VmArea, ofTask: Mempolicy | null): string {
  const policy = vma.policyAt(vma.start) ?? ofTask;
  const head = `${hex(vma.start, 8)} ${mpolToStr(policy)}${origin(vma)}`;
  const pages = gather(vma);
  if (pages.all === 0) return `${head}\n`;
  const counts: readonly (readonly [string, number, boolean])[] = [
    ["anon", pages.anon, pages.anon > 0],
    ["dirty", pages.dirty, pages.dirty > 0],
    ["mapped", pages.all, pages.all !== pages.anon && pages.all !== pages.dirty],
    ["mapmax", pages.mapMax, pages.mapMax > 1],
    ["swapcache", pages.swapCache, pages.swapCache > 0],
    ["active", pages.active, pages.active < pages.all],
    ["writeback", pages.writeback, pages.writeback > 0],
    ["N0", pages.all, true],
    ["kernelpagesize_kB", PAGE_SIZE / 1024, true],
  ];
  const shown = counts.filter(([, , isShown]) => isShown).map(([name, count]) => ` ${name}=${count}`);
  return `${head}${shown.join("")}\n`;
}

function origin(vma: VmArea): string {
  if (vma.file !== null) {
    const huge = (vma.flags & VM_HUGETLB) !== 0 ? " huge" : "";
    return ` file=${escapeChars(vma.file.path, "\n\t= ")}${huge}`;
  }
  const name = vmaName(vma);
  return name === "[heap]" ? " heap" : name === "[stack]" ? " stack" : "";
}

/** Counts of pages (numa_maps, gather_stats). */
class NodePages {
  all = 0;
  anon = 0;
  dirty = 0;
  active = 0;
  writeback = 0;
  swapCache = 0;
  mapMax = 0;
}

function gather(vma: VmArea): NodePages {
  const { frames, ram } = vma.mm.phys;
  const { u32 } = ram;
  const pages = new NodePages();
  walkPtes(vma.mm, vma.start, vma.end, (_addr, pte) => {
    const word = u32[pte];
    if ((word & (PTE_PRESENT | PTE_SPECIAL)) !== PTE_PRESENT) return;
    const pfn = u32[pte + 1];
    const flags = frames.flags[pfn];
    pages.all++;
    if ((flags & PG_ANON) !== 0) pages.anon++;
    if ((word & PTE_DIRTY) !== 0 || (flags & PG_DIRTY) !== 0) pages.dirty++;
    if ((flags & (PG_ACTIVE | PG_UNEVICTABLE)) !== 0) pages.active++;
    if ((flags & PG_WRITEBACK) !== 0) pages.writeback++;
    if ((flags & PG_SWAPCACHE) !== 0) pages.swapCache++;
    pages.mapMax = Math.max(pages.mapMax, frames.mapCount[pfn]);
  });
  return pages;
}
