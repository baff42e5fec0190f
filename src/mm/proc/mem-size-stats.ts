/**
 * What a mapping costs, page by page: the sums behind smaps (mem_size_stats in fs/proc/task_mmu.c).
 *
 * A page's share of Pss is its size divided by the PTEs that map it. The division happens once a page, in units of a
 * 4096th of a byte (PSS_SHIFT), rounded down; the sums are rounded down again only where they are printed.
 */
import { PG_ANON, PG_DIRTY, PG_REFERENCED, PG_SWAPBACKED } from "../frames/page-flags.ts";
import { PAGE_SIZE, type Pfn } from "../page.ts";
import { isSwapPte, PTE_ACCESSED, PTE_DIRTY, PTE_PRESENT, PTE_SPECIAL } from "../pagetable/pte.ts";
import { ShmemInode } from "../shmem/shmem-inode.ts";
import { shmemSwapUsage } from "../shmem/shmem-swap.ts";
import { pteToSwpEntry, type SwpEntry } from "../swap/swap-entry.ts";
import { swapSpace } from "../swap/swap-space.ts";
import { fileOf } from "../vfs/file.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_LOCKED, VM_SHARED, VM_WRITE } from "../vma/vm-flags.ts";
import { walkPtes } from "./walk-ptes.ts";

/** Bytes × this are the unit of the pss… sums. */
export const PSS_UNIT: number = 2 ** 12;

/** All in bytes, but for the pss… sums, which are in bytes × PSS_UNIT. */
export class MemSizeStats {
  resident = 0;
  sharedClean = 0;
  sharedDirty = 0;
  privateClean = 0;
  privateDirty = 0;
  referenced = 0;
  anonymous = 0;
  lazyfree = 0;
  pss = 0;
  pssDirty = 0;
  pssAnon = 0;
  pssFile = 0;
  pssShmem = 0;
  pssLocked = 0;
  swap = 0;
  swapPss = 0;
}

/** Adds up the pages of a mapping (smap_gather_stats). */
export function gatherStats(stats: MemSizeStats, vma: VmArea): void {
  const { u32 } = vma.mm.phys.ram;
  const locked = (vma.flags & VM_LOCKED) !== 0;
  walkPtes(vma.mm, vma.start, vma.end, (_addr, pte) => {
    const word = u32[pte];
    // The zero page is nobody's page (vm_normal_page), and counts for nothing.
    if ((word & (PTE_PRESENT | PTE_SPECIAL)) === PTE_PRESENT) account(stats, vma, u32[pte + 1], word, locked);
    else if (isSwapPte(word)) accountSwap(stats, vma, pteToSwpEntry(word, u32[pte + 1]));
  });
  stats.swap += shmemSwap(vma);
}

/** A page in swap (smaps_pte_entry): shared by as many as name its slot. */
function accountSwap(stats: MemSizeStats, vma: VmArea, entry: SwpEntry): void {
  stats.swap += PAGE_SIZE;
  const users = swapSpace(vma.mm.phys).count(entry);
  stats.swapPss += Math.floor((PAGE_SIZE * PSS_UNIT) / Math.max(users, 1));
}

/** What a file of shmem has in swap behind this mapping: of a private writable one, where it has no page of its own. */
function shmemSwap(vma: VmArea): number {
  if (vma.file === null) return 0;
  const { inode } = fileOf(vma);
  if (!(inode instanceof ShmemInode) || inode.swappedPages === 0) return 0;
  const pages = (vma.end - vma.start) / PAGE_SIZE;
  if ((vma.flags & (VM_SHARED | VM_WRITE)) !== VM_WRITE) {
    return shmemSwapUsage(inode, vma.pgoff, vma.pgoff + pages - 1);
  }
  let bytes = 0;
  const { u32 } = vma.mm.phys.ram;
  for (let page = 0; page < pages; page++) {
    const pte = vma.mm.pageTable.walk(vma.start + page * PAGE_SIZE);
    if (pte !== 0 && u32[pte] !== 0) continue;
    bytes += shmemSwapUsage(inode, vma.pgoff + page, vma.pgoff + page);
  }
  return bytes;
}

/** smaps_account */
function account(stats: MemSizeStats, vma: VmArea, pfn: Pfn, word: number, locked: boolean): void {
  const { frames } = vma.mm.phys;
  const flags = frames.flags[pfn];
  const mapCount = frames.mapCount[pfn];
  const dirty = (word & PTE_DIRTY) !== 0 || (flags & PG_DIRTY) !== 0;
  const isAnon = (flags & PG_ANON) !== 0;
  stats.resident += PAGE_SIZE;
  if ((word & PTE_ACCESSED) !== 0 || (flags & PG_REFERENCED) !== 0) stats.referenced += PAGE_SIZE;
  if (isAnon) {
    stats.anonymous += PAGE_SIZE;
    // MADV_FREE took PG_SWAPBACKED away; a later write makes the page dirty and takes it back.
    if ((flags & PG_SWAPBACKED) === 0 && !dirty) stats.lazyfree += PAGE_SIZE;
  }
  const pss = Math.floor((PAGE_SIZE * PSS_UNIT) / Math.max(mapCount, 1));
  stats.pss += pss;
  if (isAnon) stats.pssAnon += pss;
  else if ((flags & PG_SWAPBACKED) !== 0) stats.pssShmem += pss;
  else stats.pssFile += pss;
  if (locked) stats.pssLocked += pss;
  if (dirty) {
    stats.pssDirty += pss;
    if (mapCount < 2) stats.privateDirty += PAGE_SIZE;
    else stats.sharedDirty += PAGE_SIZE;
  } else if (mapCount < 2) {
    stats.privateClean += PAGE_SIZE;
  } else {
    stats.sharedClean += PAGE_SIZE;
  }
}
