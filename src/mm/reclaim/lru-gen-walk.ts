/**
 * Aging by page tables (walk_mm and lru_gen_look_around in mm/vmscan.c).
 *
 * To learn which pages were used, the classic policy asks the reverse map of each page that it looks at. A walk of the
 * page tables asks the other way round: it reads every PTE of an address space in order, and whatever was used since the
 * last walk moves to the youngest generation. Linux leaves out tables that a Bloom filter calls idle; here all are read.
 */
import { lruGenPromote } from "../frames/lru-gen.ts";
import { PG_LRU, PG_SWAPBACKED, PG_UNEVICTABLE } from "../frames/page-flags.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import type { Vaddr } from "../page.ts";
import { PAGE_SIZE } from "../page.ts";
import { PMD_SIZE } from "../pagetable/page-table.ts";
import { PTE_ACCESSED, PTE_PRESENT, PTE_SPECIAL, PTE_WORDS } from "../pagetable/pte.ts";
import { AddressSpace } from "../vfs/address-space.ts";
import { fileOf } from "../vfs/file.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_ACCESS_FLAGS, VM_LOCKED, VM_RAND_READ, VM_SEQ_READ } from "../vma/vm-flags.ts";

/** Pages around a used one that are looked at with it (MIN_LRU_BATCH). */
const LOOK_AROUND_PAGES = 64;
const PMD_MASK: number = PMD_SIZE - 1;

/** Promotes every page of `group` that `mm` used since the last walk. @param canSwap anonymous pages are of interest */
export function walkMm(mm: MmStruct, group: number, canSwap: boolean): void {
  for (const vma of mm.vmas) {
    if (shouldSkipVma(vma, canSwap)) continue;
    for (let addr: number = vma.start; addr < vma.end; ) {
      const pte = mm.pageTable.walk(addr);
      if (pte === 0) {
        addr = mm.pageTable.holeEnd;
        continue;
      }
      const end = Math.min(addr - (addr & PMD_MASK) + PMD_SIZE, vma.end);
      promoteUsed(vma, addr, end, pte, group, canSwap);
      addr = end;
    }
  }
}

/** The page at `addr` was found used: its neighbours most likely are, too (lru_gen_look_around). */
export function lookAround(vma: VmArea, addr: Vaddr, pte: number, group: number, canSwap: boolean): void {
  let start = Math.max(addr - (addr & PMD_MASK), vma.start);
  let end = Math.min(addr - (addr & PMD_MASK) + PMD_SIZE, vma.end);
  const span = LOOK_AROUND_PAGES * PAGE_SIZE;
  if (end - start > span) {
    if (addr - start < span / 2) end = start + span;
    else if (end - addr < span / 2) start = end - span;
    else {
      start = addr - span / 2;
      end = addr + span / 2;
    }
  }
  const first = pte - ((addr - start) / PAGE_SIZE) * PTE_WORDS;
  promoteUsed(vma, start, end, first, group, canSwap);
}

/** Clears the accessed bits of start … end, whose first PTE is `first`, and promotes the pages that had one. */
function promoteUsed(
  vma: VmArea,
  start: Vaddr,
  end: Vaddr,
  first: number,
  group: number,
  canSwap: boolean,
): void {
  const { mm } = vma;
  const { phys } = mm;
  const { u32 } = phys.ram;
  const { flags, memcg } = phys.frames;
  let pte = first;
  for (let addr: number = start; addr < end; addr += PAGE_SIZE, pte += PTE_WORDS) {
    if ((u32[pte] & (PTE_PRESENT | PTE_SPECIAL | PTE_ACCESSED)) !== (PTE_PRESENT | PTE_ACCESSED)) continue;
    const pfn = u32[pte + 1];
    const now = flags[pfn];
    if (memcg[pfn] !== group || (now & (PG_LRU | PG_UNEVICTABLE)) !== PG_LRU) continue;
    if (!canSwap && (now & PG_SWAPBACKED) !== 0) continue;
    u32[pte] &= ~PTE_ACCESSED;
    mm.tlb.flushPage(addr);
    lruGenPromote(phys, pfn);
  }
}

/** Mappings whose uses say nothing, or whose pages can't go (should_skip_vma). */
function shouldSkipVma(vma: VmArea, canSwap: boolean): boolean {
  if ((vma.flags & VM_ACCESS_FLAGS) === 0) return true;
  if ((vma.flags & (VM_SEQ_READ | VM_RAND_READ | VM_LOCKED)) !== 0) return true;
  if (vma.isAnonymous) return !canSwap;
  if (vma.file === null) return true;
  const { mapping } = fileOf(vma);
  return !(mapping instanceof AddressSpace) || (!mapping.ops.writesBack && !canSwap);
}

/** The address spaces that a group's walk has to read. */
export function* addressSpacesOf(
  phys: PhysicalMemory,
  tasks: ReadonlyMap<number, { readonly mm: MmStruct; readonly exitStatus: number | null }>,
  group: number,
): Generator<MmStruct> {
  const seen = new Set<MmStruct>();
  for (const { mm, exitStatus } of tasks.values()) {
    if (exitStatus !== null || mm.memcg !== group || mm.phys !== phys || seen.has(mm)) continue;
    seen.add(mm);
    yield mm;
  }
}
