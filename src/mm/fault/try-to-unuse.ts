/**
 * The work of swapoff: bringing back every page that an area holds (try_to_unuse in mm/swapfile.c).
 *
 * First the files of shmem, then every address space: each PTE that names a slot of the area gets its page, read-only
 * where it is shared, as a fault would. What the device can't read becomes a marker, and a SIGBUS for whoever touches
 * it. What then is left are pages of the cache that nobody else names.
 */
import { PG_SWAPCACHE, PG_UPTODATE } from "../frames/page-flags.ts";
import { PAGE_SIZE, type Pfn, type Vaddr } from "../page.ts";
import { isSwapPte, PTE_ACCESSED, PTE_POISONED, PTE_SWP_EXCLUSIVE } from "../pagetable/pte.ts";
import { pageAddSwappedRmap } from "../rmap/page-mapping.ts";
import { shmemUnuse } from "../shmem/shmem-swap.ts";
import { freeSwap, swapCacheLookup, swapFree } from "../swap/swap-cache.ts";
import { pteToSwpEntry, type SwpEntry, swpEntry, swpType } from "../swap/swap-entry.ts";
import type { SwapInfo } from "../swap/swap-info.ts";
import { readSwapCache, swapinReadahead } from "../swap/swap-readahead.ts";
import type { SwapSpace } from "../swap/swap-space.ts";
import { waitOnSwapWriteback } from "../swap/swap-writeback.ts";
import { OOM_KILL } from "../trace/vmstat.ts";
import { EINTR, ENOMEM } from "../uapi/errno.ts";
import { decMmCounter, incMmCounter, MM_ANONPAGES, MM_SWAPENTS, type MmStruct } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { readablePte } from "./fault-context.ts";

/**
 * Empties an area that gives out no more slots. 0; -ENOMEM when a page finds no frame, or -EINTR for one who is to die: what came back until then stays
 * back, the rest stays in swap.
 *
 * One pass is not always enough: looking for a frame reclaims, and may send a page which others still share back to
 * the very slot that it came from. So passes are repeated as long as slots are in use. Where that frees none any more,
 * since all that is shared does not fit into memory at once, some pages are held until every PTE that names them has
 * them; Linux would go round until a signal comes.
 *
 * @param mms all address spaces; each stays as it is while it is looked at
 */
export function tryToUnuse(swap: SwapSpace, info: SwapInfo, mms: () => Iterable<MmStruct>): number {
  const { phys } = swap;
  let held: Pfn[] = [];
  while (info.inuse > 0) {
    const before = info.inuse;
    const killed = phys.stat[OOM_KILL];
    const failed = unusePass(swap, info, mms(), held.length > 0);
    for (const pfn of held) phys.putPage(pfn);
    // Who was killed for this, in a cgroup that is full, has left his slots, but maybe only after the pass.
    if (failed !== 0 && phys.stat[OOM_KILL] === killed) return failed;
    if (failed !== 0) {
      held = [];
      continue;
    }
    const isFutile = info.inuse >= before;
    if (isFutile && held.length > 0) return -ENOMEM;
    held = isFutile ? holdPages(swap, info) : [];
    if (isFutile && held.length === 0 && info.inuse > 0) return -ENOMEM;
  }
  return 0;
}

/** Brings pages of the area into the swap cache, an eighth of RAM at most, with a reference each. */
function holdPages(swap: SwapSpace, info: SwapInfo): Pfn[] {
  const held: Pfn[] = [];
  const most = Math.max(Math.floor(swap.phys.totalFrames / 8), 1);
  for (let slot = info.nextUsed(0); slot !== 0 && held.length < most; slot = info.nextUsed(slot)) {
    const pfn = readSwapCache(swap.phys, swpEntry(info.type, slot));
    if (pfn !== 0) held.push(pfn);
  }
  return held;
}

/** One pass over files, address spaces and cache; `onlyCached`: for pages in the cache alone. 0, -ENOMEM or -EINTR. */
function unusePass(swap: SwapSpace, info: SwapInfo, mms: Iterable<MmStruct>, onlyCached: boolean): number {
  const { phys } = swap;
  const failed = shmemUnuse(phys, info.type);
  if (failed !== 0) return failed;
  for (const mm of mms) {
    if (mm.rss[MM_SWAPENTS] === 0) continue;
    for (const vma of mm.vmas) {
      const failed = vma.anonVma === null ? 0 : unuseVma(swap, info, vma, onlyCached);
      if (failed !== 0) return failed;
    }
  }
  for (let slot = info.nextUsed(0); slot !== 0; slot = info.nextUsed(slot)) {
    const pfn = info.cache[slot];
    if (pfn === 0) continue;
    waitOnSwapWriteback(phys, pfn);
    freeSwap(phys, pfn);
  }
  return 0;
}

/** 0, -ENOMEM or -EINTR (unuse_vma). */
function unuseVma(swap: SwapSpace, info: SwapInfo, vma: VmArea, onlyCached: boolean): number {
  const { pageTable, phys } = vma.mm;
  const { u32 } = phys.ram;
  for (let addr: number = vma.start; addr < vma.end; ) {
    const pte = pageTable.walk(addr);
    if (pte === 0) {
      addr = pageTable.holeEnd;
      continue;
    }
    const word = u32[pte];
    if (isSwapPte(word)) {
      const entry = pteToSwpEntry(word, u32[pte + 1]);
      if (phys.fatalSignalPending()) return -EINTR;
      const isWanted = swpType(entry) === info.type && (!onlyCached || swapCacheLookup(phys, entry) !== 0);
      if (isWanted && unusePte(swap, vma, addr, pte, entry) !== 0) return -ENOMEM;
    }
    addr += PAGE_SIZE;
  }
  return 0;
}

/** Puts the page of one PTE back (unuse_pte). 0 or -ENOMEM. */
function unusePte(swap: SwapSpace, vma: VmArea, addr: Vaddr, pte: number, entry: SwpEntry): number {
  const { phys } = swap;
  const { u32 } = phys.ram;
  const { flags } = phys.frames;
  const word = u32[pte];
  let pfn = swapCacheLookup(phys, entry);
  if (pfn !== 0) {
    phys.getPage(pfn);
  } else {
    pfn = swapinReadahead(phys, entry, vma, addr);
    if (pfn === 0) return -ENOMEM;
    if (u32[pte] !== word) {
      phys.putPage(pfn);
      return 0;
    }
  }
  waitOnSwapWriteback(phys, pfn);
  decMmCounter(vma.mm, MM_SWAPENTS);
  if ((flags[pfn] & PG_UPTODATE) === 0) {
    u32[pte] = PTE_POISONED;
    u32[pte + 1] = 0;
    swapFree(phys, entry);
    if ((flags[pfn] & PG_SWAPCACHE) !== 0) freeSwap(phys, pfn);
    phys.putPage(pfn);
    return 0;
  }
  incMmCounter(vma.mm, MM_ANONPAGES);
  pageAddSwappedRmap(phys, pfn, vma, addr, (word & PTE_SWP_EXCLUSIVE) !== 0);
  u32[pte + 1] = pfn;
  u32[pte] = readablePte(vma) & ~PTE_ACCESSED;
  swapFree(phys, entry);
  freeSwap(phys, pfn);
  return 0;
}
