/**
 * The time between handing a page to a swap device and its being written (PG_writeback in mm/page_io.c and mm/filemap.c).
 *
 * While it is under write-back the page stays in the swap cache, and its frame and its slot are its own: who needs it
 * finds it there, for a minor fault. Nothing may free either before the end. Who wants that waits (`waitOnSwapWriteback`),
 * or leaves the page to reclaim: a page that reclaim has written (PG_reclaim) goes at its end to the tail of the inactive
 * list, where reclaim comes by next, and finds nothing left to do but to free it.
 *
 * There are no interrupts. Ends are noticed where time has passed: before reclaim looks at pages, at the kernel's entry,
 * between turns of the machine, and by who has waited.
 */
import { lruRotateReclaimable } from "../frames/lru.ts";
import { PG_DIRTY, PG_ERROR, PG_RECLAIM, PG_SWAPCACHE, PG_WRITEBACK } from "../frames/page-flags.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import type { Pfn } from "../page.ts";
import { NR_WRITEBACK, NR_WRITTEN } from "../trace/vmstat.ts";
import { swpOffset } from "./swap-entry.ts";
import type { SwapInfo } from "./swap-info.ts";
import { type SwapSpace, swapOf, swapSpace } from "./swap-space.ts";

/** A page of the swap cache was handed to the device of its area. `error`: what that will say at the end, 0 or a negative errno. */
export function startSwapWriteback(swap: SwapSpace, info: SwapInfo, pfn: Pfn, error: number): void {
  const { phys, time } = swap;
  const { flags, priv } = phys.frames;
  flags[pfn] = (flags[pfn] & ~(PG_DIRTY | PG_ERROR)) | PG_WRITEBACK;
  phys.stat[NR_WRITEBACK]++;
  swap.nrWriteback++;
  info.queue?.write(pfn, swpOffset(priv[pfn]), error, time.nowNs);
}

/** From now on devices are not given what is written: there is more to come (blk_start_plug). */
export function startSwapPlug(swap: SwapSpace): void {
  swap.plugs++;
}

/** Nothing more comes; but reclaim for the sake of a read goes on with what that has (blk_finish_plug). */
export function finishSwapPlug(swap: SwapSpace): void {
  if (--swap.plugs === 0) flushSwapPlug(swap);
}

/** Hands over what devices were not given yet (blk_flush_plug). */
function flushSwapPlug(swap: SwapSpace): void {
  if (swap.nrWriteback === 0) return;
  const { nowNs } = swap.time;
  for (const info of swap.areas) info?.queue?.flush(nowNs);
}

/** Notices what is written by now. Cheap when nothing is under write-back. */
export function endDueSwapWriteback(swap: SwapSpace): void {
  if (swap.nrWriteback === 0) return;
  const { nowNs } = swap.time;
  for (const info of swap.areas) {
    const queue = info?.queue;
    if (queue == null) continue;
    for (let pfn = queue.takeDone(nowNs); pfn !== 0; pfn = queue.takeDone(nowNs)) {
      endSwapWriteback(swap, pfn, queue.lastError);
    }
  }
}

/** As endDueSwapWriteback, where whoever wrote is done with it: at the kernel's entry. */
export function settleSwapWriteback(phys: PhysicalMemory): void {
  const swap = swapOf(phys);
  if (swap === null || swap.nrWriteback === 0) return;
  flushSwapPlug(swap);
  endDueSwapWriteback(swap);
}

/** end_swap_bio_write, folio_end_writeback. */
function endSwapWriteback(swap: SwapSpace, pfn: Pfn, error: number): void {
  const { phys } = swap;
  const { flags } = phys.frames;
  phys.stat[NR_WRITEBACK]--;
  phys.stat[NR_WRITTEN]++;
  swap.nrWriteback--;
  flags[pfn] &= ~PG_WRITEBACK;
  if (error < 0) {
    // Its only copy is the one in memory.
    flags[pfn] = (flags[pfn] | PG_DIRTY | PG_ERROR) & ~PG_RECLAIM;
  } else if ((flags[pfn] & PG_RECLAIM) !== 0) {
    flags[pfn] &= ~PG_RECLAIM;
    lruRotateReclaimable(phys, pfn);
  }
}

/** Waits until a page of the swap cache is not under write-back (folio_wait_writeback). */
export function waitOnSwapWriteback(phys: PhysicalMemory, pfn: Pfn): void {
  const { flags, priv } = phys.frames;
  if ((flags[pfn] & (PG_WRITEBACK | PG_SWAPCACHE)) !== (PG_WRITEBACK | PG_SWAPCACHE)) return;
  const swap = swapSpace(phys);
  const { queue } = swap.infoOf(priv[pfn]);
  if (queue === null) return;
  flushSwapPlug(swap);
  swap.time.waitUntil(queue.endOf(pfn, swap.time.nowNs));
  endDueSwapWriteback(swap);
}

/** Waits until `pages` more are written, or nothing is under write-back any more, but not longer than `maxNs` (reclaim_throttle). */
export function waitForSomeWriteback(swap: SwapSpace, pages: number, maxNs: number): void {
  if (swap.nrWriteback === 0) return;
  const { nowNs } = swap.time;
  flushSwapPlug(swap);
  let endNs = nowNs + maxNs;
  for (const info of swap.areas) {
    const queue = info?.queue;
    if (queue != null && queue.size > 0) endNs = Math.min(endNs, queue.endOfNext(pages, nowNs));
  }
  swap.time.waitUntil(endNs);
  endDueSwapWriteback(swap);
}

/** Waits for what was read from the area (folio_lock after read_swap_cache_async). */
export function waitForSwapReads(swap: SwapSpace, info: SwapInfo): void {
  const { queue } = info;
  if (queue === null) return;
  swap.time.waitUntil(queue.endOfReads(swap.time.nowNs));
  endDueSwapWriteback(swap);
}

/** What is wrong with pages that are being written: for the validator. `count` is how many pages of the cache have PG_WRITEBACK. */
export function swapWritebackFindings(swap: SwapSpace, count: number): string[] {
  const { flags, priv } = swap.phys.frames;
  const found: string[] = [];
  const queued = new Set<Pfn>();
  for (const info of swap.list()) {
    info.queue?.forEach((pfn) => {
      if (queued.has(pfn)) found.push(`frame ${pfn} is being written twice`);
      queued.add(pfn);
      const isKept = (flags[pfn] & (PG_WRITEBACK | PG_SWAPCACHE)) === (PG_WRITEBACK | PG_SWAPCACHE);
      if (!isKept || swap.infoOf(priv[pfn]) !== info)
        found.push(
          `frame ${pfn}, being written to ${info.name}, has flags ${flags[pfn]}, entry ${priv[pfn]}`,
        );
    });
  }
  if (queued.size !== swap.nrWriteback || queued.size !== count)
    found.push(`${swap.nrWriteback} pages are being written to swap, ${queued.size} queued, ${count} marked`);
  return found;
}
