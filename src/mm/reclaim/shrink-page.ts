/**
 * What reclaim does with one page (shrink_folio_list in mm/vmscan.c).
 *
 * ```
 *                     of a file that stays? ──yes──▶ unevictable
 *                          │ no
 *                     in use by a fault or I/O? ──yes──▶ another round
 *                          │ no
 *                     used since? ──yes──▶ active, or another round
 *                          │ no
 *         anonymous, in no cache? ──yes──▶ a slot in swap, or active where none is free
 *                          │
 *                     unmap ─▶ dirty? write to swap ─▶ out of the cache ─▶ free
 *                          ├─▶ dirty, and of a file: active, until the flusher has written it
 *                          └─▶ given up by MADV_FREE, and not written since ─▶ free
 * ```
 */
import { BugError } from "../bug.ts";
import { deleteFromPageCache, evictFromPageCache, mappingPath } from "../filemap/page-cache.ts";
import { activatePage, lruRotate } from "../frames/lru.ts";
import { cullUnevictable } from "../frames/mlock.ts";
import {
  PG_ANON,
  PG_DIRTY,
  PG_LOCKED,
  PG_RECLAIM,
  PG_REFERENCED,
  PG_SWAPBACKED,
  PG_SWAPCACHE,
  PG_WRITEBACK,
} from "../frames/page-flags.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { workingsetEviction } from "../frames/workingset.ts";
import type { Pfn } from "../page.ts";
import { isLazyFree, keepLazyFree } from "../rmap/lazy-free.ts";
import { shmemWriteout } from "../shmem/shmem-swap.ts";
import { swapWritepage } from "../swap/page-io.ts";
import { addToSwap, deleteFromSwapCache, freeSwap } from "../swap/swap-cache.ts";
import { swapSpace } from "../swap/swap-space.ts";
import { waitOnSwapWriteback } from "../swap/swap-writeback.ts";
import { NR_VMSCAN_IMMEDIATE, NR_VMSCAN_WRITE, PGACTIVATE, PGLAZYFREED } from "../trace/vmstat.ts";
import { AddressSpace } from "../vfs/address-space.ts";
import { PAGEREF_ACTIVATE, PAGEREF_KEEP, type ReferenceCollector } from "./page-referenced.ts";
import type { ScanControl } from "./scan-control.ts";
import { tryToUnmap } from "./try-to-unmap.ts";

/** Frees one page of an inactive list, or moves it to where it belongs. Answers whether it is free. */
export function shrinkPage(
  phys: PhysicalMemory,
  pfn: Pfn,
  collector: ReferenceCollector,
  sc: ScanControl,
): boolean {
  const { flags } = phys.frames;
  if (mustStay(phys, pfn)) return false;
  if (isInUse(phys, pfn)) return keep(phys, pfn);
  if ((flags[pfn] & PG_WRITEBACK) !== 0 && !waitsForWriteback(phys, pfn, sc)) return activate(phys, pfn);
  if ((flags[pfn] & (PG_DIRTY | PG_SWAPBACKED | PG_ANON)) === PG_DIRTY) sc.nrUnqueuedDirty++;
  const references = collector.check(phys, pfn);
  if (references === PAGEREF_ACTIVATE) return activate(phys, pfn);
  if (references === PAGEREF_KEEP) return keep(phys, pfn);
  return takePage(phys, pfn, sc);
}

/**
 * A page that is being written can't go before that is over. It leaves the way, to the active list, and comes back at the
 * end (PG_reclaim). Only who enforces the limit of a cgroup of version 1 has nothing else that slows it down, and waits
 * where the page went round once already. Answers whether it has.
 */
function waitsForWriteback(phys: PhysicalMemory, pfn: Pfn, sc: ScanControl): boolean {
  const { flags } = phys.frames;
  const wasMet = (flags[pfn] & PG_RECLAIM) !== 0;
  if (sc.kind === "kswapd" && wasMet && sc.isNodeUnderWriteback) {
    sc.nrImmediate++;
    return false;
  }
  if (!sc.isThrottlingSane && wasMet) {
    waitOnSwapWriteback(phys, pfn);
    // A page of a file is written by whoever this reclaim works for: that can't be waited for.
    return (flags[pfn] & PG_WRITEBACK) === 0;
  }
  flags[pfn] |= PG_RECLAIM;
  sc.nrWriteback++;
  return false;
}

/**
 * MADV_PAGEOUT of a page that is on a list: takes it, whether it was used or not. A dirty one is only unmapped: writing
 * is left to write-back. One that somebody else holds, a pipe say, is unmapped and stays. Answers whether it is free.
 */
export function pageOut(phys: PhysicalMemory, pfn: Pfn): boolean {
  const { flags } = phys.frames;
  if ((flags[pfn] & PG_LOCKED) !== 0) return keep(phys, pfn);
  if (mustStay(phys, pfn)) return false;
  if ((flags[pfn] & PG_WRITEBACK) !== 0) {
    flags[pfn] |= PG_RECLAIM;
    return activate(phys, pfn);
  }
  flags[pfn] &= ~PG_REFERENCED;
  return takePage(phys, pfn, null);
}

/** A page of a file that stays leaves the lists that reclaim looks at, which counts as activated. */
function mustStay(phys: PhysicalMemory, pfn: Pfn): boolean {
  if (!cullUnevictable(phys, pfn)) return false;
  phys.stat[PGACTIVATE]++;
  return true;
}

/** Whether somebody works on it: it has a reference beside those of its PTEs and its cache. */
function isInUse(phys: PhysicalMemory, pfn: Pfn): boolean {
  const { flags, refCount, mapCount } = phys.frames;
  const cache = (flags[pfn] & (PG_ANON | PG_SWAPCACHE)) === PG_ANON ? 0 : 1;
  return (flags[pfn] & PG_LOCKED) !== 0 || refCount[pfn] !== cache + mapCount[pfn];
}

/** @param sc null: on advice, which leaves dirty pages of files to write-back */
function takePage(phys: PhysicalMemory, pfn: Pfn, sc: ScanControl | null): boolean {
  const { flags, mapCount, mapping: owners, index } = phys.frames;
  if (isLazyFree(flags[pfn])) return isInUse(phys, pfn) ? keep(phys, pfn) : dropLazyFree(phys, pfn);
  if ((flags[pfn] & (PG_ANON | PG_SWAPCACHE)) !== 0) return swapOut(phys, pfn, sc);
  if (mapCount[pfn] !== 0 && !tryToUnmap(phys, pfn)) return activate(phys, pfn);
  if (isInUse(phys, pfn)) return keep(phys, pfn);
  // A page of tmpfs can only go to swap, unless it was never written: then it is zeroes, which a hole reads as, too.
  if ((flags[pfn] & PG_SWAPBACKED) !== 0 && (flags[pfn] & PG_DIRTY) !== 0) {
    return shmemWriteout(phys, pfn) === 0 ? freeSwapCachePage(phys, pfn, sc) : activate(phys, pfn);
  }
  const mapping = phys.owners.get(owners[pfn]);
  if (!(mapping instanceof AddressSpace)) throw new BugError("shrinkPage", `frame ${pfn} belongs to no file`);
  if ((flags[pfn] & PG_DIRTY) !== 0) {
    // Write-back knows better than reclaim in which order to write; the page comes back when that has been by.
    if (sc !== null) flags[pfn] |= PG_RECLAIM;
    if (sc !== null) phys.stat[NR_VMSCAN_IMMEDIATE]++;
    return activate(phys, pfn);
  }
  if (phys.tracer.enabled) {
    phys.tracer.emit({ type: "drop", path: mappingPath(mapping), index: index[pfn], pages: 1 });
  }
  // What never was anything but zeros leaves no shadow behind.
  if ((flags[pfn] & PG_SWAPBACKED) !== 0) deleteFromPageCache(mapping, pfn);
  else evictFromPageCache(mapping, pfn);
  return true;
}

/**
 * An anonymous page, or one that is in the swap cache already: to swap with it. What can't go there, for want of a free
 * slot or because a locked mapping shows it, is active from now on.
 */
function swapOut(phys: PhysicalMemory, pfn: Pfn, sc: ScanControl | null): boolean {
  const { flags, mapCount } = phys.frames;
  if ((flags[pfn] & PG_SWAPCACHE) === 0 && addToSwap(phys, pfn) !== 0) return activate(phys, pfn);
  if (mapCount[pfn] !== 0 && !tryToUnmap(phys, pfn)) {
    // No candidate for swap: its slot is better used for another page.
    if (swapSpace(phys).isFullFor(pfn)) freeSwap(phys, pfn);
    return activate(phys, pfn);
  }
  return freeSwapCachePage(phys, pfn, sc);
}

/** Frees a page of the swap cache that no PTE maps, after writing it if it is dirty (pageout, __remove_mapping). */
function freeSwapCachePage(phys: PhysicalMemory, pfn: Pfn, sc: ScanControl | null): boolean {
  const { flags, refCount } = phys.frames;
  // Held, since a page whose slot nobody needs any more leaves the cache instead of being written.
  phys.getPage(pfn);
  let isWritten = true;
  if ((flags[pfn] & PG_DIRTY) !== 0) {
    // Whoever holds it keeps it in memory: to write it would free nothing (is_page_cache_freeable).
    if (refCount[pfn] !== 2) {
      phys.putPage(pfn);
      return keep(phys, pfn);
    }
    try {
      isWritten = swapWritepage(phys, pfn) === 0;
    } catch (error) {
      phys.putPage(pfn);
      throw error;
    }
    // It may have left the cache instead; and it may be there before anybody looks again (pageout).
    if ((flags[pfn] & PG_SWAPCACHE) !== 0) {
      phys.stat[NR_VMSCAN_WRITE]++;
      if (sc !== null) sc.nrPageout++;
    }
    if ((flags[pfn] & PG_WRITEBACK) !== 0) {
      flags[pfn] |= PG_RECLAIM;
      isWritten = false;
    }
  }
  const isLeft = (flags[pfn] & PG_SWAPCACHE) === 0;
  if (isWritten && !isLeft && refCount[pfn] === 2) {
    deleteFromSwapCache(phys, pfn, workingsetEviction(phys, pfn));
    phys.putPage(pfn);
    return true;
  }
  // The device refused it, and what is in memory is all there is; or somebody has it in his hands.
  const isFree = refCount[pfn] === 1;
  if (!isFree) keep(phys, pfn);
  phys.putPage(pfn);
  return isFree;
}

/** A page that was given up goes, unless a PTE says that it was written since. */
function dropLazyFree(phys: PhysicalMemory, pfn: Pfn): boolean {
  const { flags } = phys.frames;
  // Held, since no cache keeps it when its last PTE goes.
  phys.getPage(pfn);
  const isUnmapped = tryToUnmap(phys, pfn);
  if (isUnmapped) phys.stat[PGLAZYFREED]++;
  else if ((flags[pfn] & PG_DIRTY) !== 0) keepLazyFree(phys, pfn);
  else activate(phys, pfn);
  phys.putPage(pfn);
  return isUnmapped;
}

function keep(phys: PhysicalMemory, pfn: Pfn): false {
  lruRotate(phys, pfn);
  return false;
}

function activate(phys: PhysicalMemory, pfn: Pfn): false {
  activatePage(phys, pfn);
  return false;
}
