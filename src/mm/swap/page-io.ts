/**
 * Pages between memory and swap devices (mm/page_io.c).
 *
 * A page of zeros is not written at all: a bit of its slot says so, and reading clears a frame (zeromap). A page whose
 * slot nobody names any more is not written either: it leaves the cache and stays in memory.
 */
import { PG_DIRTY, PG_ERROR, PG_UPTODATE } from "../frames/page-flags.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SHIFT, PAGE_SIZE, type Pfn } from "../page.ts";
import { PGPGIN, PGPGOUT, PSWPIN, PSWPOUT, SWPIN_ZERO, SWPOUT_ZERO } from "../trace/vmstat.ts";
import { SWAPIN_PAGE_NS, SWAPOUT_PAGE_NS } from "./io-time.ts";
import { freeSwap } from "./swap-cache.ts";
import { type SwpEntry, swpOffset } from "./swap-entry.ts";
import { swapSpace } from "./swap-space.ts";
import { startSwapWriteback } from "./swap-writeback.ts";

const PAGE_WORDS: number = PAGE_SIZE / 4;
/** What one page counts in PGPGIN and PGPGOUT. */
const PAGE_KIB: number = PAGE_SIZE / 1024;

/**
 * Writes a page of the swap cache to its slot. 0: the page is clean, or it is out of the cache since nobody needs its
 * slot; or the device's negative errno: the page stays dirty, and its only copy is the one in memory (swap_writeout). Of a
 * device that takes its time the page is under write-back, and whether it failed shows at the end of that.
 */
export function swapWritepage(phys: PhysicalMemory, pfn: Pfn): number {
  if (freeSwap(phys, pfn)) return 0;
  const { frames, ram, stat } = phys;
  const entry = frames.priv[pfn];
  const swap = swapSpace(phys);
  const info = swap.infoOf(entry);
  const slot = swpOffset(entry);
  if (isZeroFilled(ram.u32, pfn)) {
    info.zeromap[slot] = 1;
    stat[SWPOUT_ZERO]++;
    frames.flags[pfn] &= ~(PG_DIRTY | PG_ERROR);
    return 0;
  }
  info.zeromap[slot] = 0;
  stat[PSWPOUT]++;
  stat[PGPGOUT] += PAGE_KIB;
  swap.time.work(SWAPOUT_PAGE_NS);
  const error = Math.min(info.device.writePage(slot, ram, pfn * PAGE_SIZE), 0);
  if (phys.tracer.enabled) phys.tracer.emit({ type: "swap-out", area: info.name, slot, error: -error });
  if (info.queue !== null) {
    startSwapWriteback(swap, info, pfn, error);
    return 0;
  }
  if (error < 0) {
    frames.flags[pfn] |= PG_DIRTY | PG_ERROR;
    return error;
  }
  frames.flags[pfn] &= ~(PG_DIRTY | PG_ERROR);
  return 0;
}

/** Fills a frame from the slot of `entry` and makes it valid; or the device's negative errno (swap_read_folio). */
export function swapReadPage(phys: PhysicalMemory, pfn: Pfn, entry: SwpEntry): number {
  const { frames, ram, stat } = phys;
  const swap = swapSpace(phys);
  const info = swap.infoOf(entry);
  const slot = swpOffset(entry);
  if (info.zeromap[slot] !== 0) {
    phys.clearPage(pfn);
    stat[SWPIN_ZERO]++;
  } else {
    stat[PSWPIN]++;
    stat[PGPGIN] += PAGE_KIB;
    swap.time.work(SWAPIN_PAGE_NS);
    info.queue?.read(slot, swap.time.nowNs);
    const error = info.device.readPage(slot, ram, pfn * PAGE_SIZE);
    if (phys.tracer.enabled) phys.tracer.emit({ type: "swap-in", area: info.name, slot, error: -error });
    if (error < 0) return error;
  }
  frames.flags[pfn] |= PG_UPTODATE;
  return 0;
}

function isZeroFilled(u32: Uint32Array, pfn: Pfn): boolean {
  const from = pfn << (PAGE_SHIFT - 2);
  // As Linux: most pages that are not zero show it in their last word.
  if (u32[from + PAGE_WORDS - 1] !== 0) return false;
  for (let word = from; word < from + PAGE_WORDS; word++) if (u32[word] !== 0) return false;
  return true;
}
