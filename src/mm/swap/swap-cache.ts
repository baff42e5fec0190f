/**
 * The swap cache (mm/swap_state.c): pages that are in memory and have a slot in swap.
 *
 * A page passes through it on both ways. On the way out it gets a slot, then its PTEs become swap entries, then it is
 * written: who needs it in between finds it here, not on the device. On the way in it is here until all who share the
 * slot have mapped it; as long as nobody writes to it, slot and page agree, and it can leave memory again for nothing.
 *
 * Invariants: a frame has PG_SWAPCACHE iff its area's `cache` has it at the slot that its `priv` column names, the cache
 * holds one reference, and NR_SWAPCACHE and NR_FILE_PAGES count it. It stays as long as it is being written (swap-writeback.ts). An anonymous page in no cache is dirty or mapped
 * where it was last written; see freeSwap.
 */
import { BugError } from "../bug.ts";
import {
  PG_ANON,
  PG_DIRTY,
  PG_LOCKED,
  PG_SWAPBACKED,
  PG_SWAPCACHE,
  PG_UPTODATE,
  PG_WRITEBACK,
} from "../frames/page-flags.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import type { Pfn } from "../page.ts";
import { NR_FILE_PAGES, NR_SWAPCACHE } from "../trace/vmstat.ts";
import { ENOMEM } from "../uapi/errno.ts";
import { IoTime } from "./io-time.ts";
import { type SwpEntry, swpEntry, swpOffset } from "./swap-entry.ts";
import { SwapSpace, swapOf, swapSpace } from "./swap-space.ts";

/** Gives a memory its swap areas, of which there are none yet. At boot. @param sleep lets nanoseconds of the clock `now` pass */
export function initSwap(
  phys: PhysicalMemory,
  now: () => number = () => 0,
  sleep: (ns: number) => void = () => {},
): SwapSpace {
  const swap = new SwapSpace(phys, new IoTime(phys.stat, now, sleep), (type, slot) =>
    reclaimSlot(phys, type, slot),
  );
  phys.swap = swap;
  return swap;
}

/** Free slots in all areas (get_nr_swap_pages). */
export function nrSwapPages(phys: PhysicalMemory): number {
  return phys.swap?.nrSwapPages ?? 0;
}

/** Usable slots in all areas. */
export function totalSwapPages(phys: PhysicalMemory): number {
  return phys.swap?.totalSwapPages ?? 0;
}

/** Whether more than half of swap is used, so that slots which only the cache needs are given back (vm_swap_full). */
export function vmSwapFull(phys: PhysicalMemory): boolean {
  return swapOf(phys)?.isFull ?? true;
}

/**
 * Gives a page that is anonymous or of shmem, in no cache, a slot, and puts it in the swap cache, dirty. 0, or -ENOMEM
 * when no slot is free (folio_alloc_swap). Precondition: the caller holds the page (a reference, or PTEs that stay).
 */
export function addToSwap(phys: PhysicalMemory, pfn: Pfn): number {
  const swap = swapOf(phys);
  if (swap === null) return -ENOMEM;
  const { flags } = phys.frames;
  if ((flags[pfn] & (PG_SWAPBACKED | PG_SWAPCACHE)) !== PG_SWAPBACKED)
    throw new BugError("addToSwap", `frame ${pfn} has flags ${flags[pfn]}`);
  const entry = swap.allocEntry(pfn);
  if (entry === 0) return -ENOMEM;
  enterCache(phys, pfn, entry);
  // What the slot holds is not this page yet.
  flags[pfn] |= PG_DIRTY;
  return 0;
}

/** Puts a fresh frame, which is to be read from the entry's slot, into the cache. It has no content yet. */
export function addToSwapCache(phys: PhysicalMemory, pfn: Pfn, entry: SwpEntry): void {
  const info = swapSpace(phys).infoOf(entry);
  const slot = swpOffset(entry);
  if (info.cache[slot] !== 0 || info.map[slot] <= 0)
    throw new BugError(
      "addToSwapCache",
      `slot ${slot} is cached in ${info.cache[slot]}, named ${info.map[slot]} times`,
    );
  info.cache[slot] = pfn;
  info.shadow[slot] = 0;
  phys.frames.flags[pfn] |= PG_SWAPBACKED;
  enterCache(phys, pfn, entry);
}

function enterCache(phys: PhysicalMemory, pfn: Pfn, entry: SwpEntry): void {
  const { frames, stat } = phys;
  frames.flags[pfn] |= PG_SWAPCACHE;
  frames.priv[pfn] = entry;
  frames.refCount[pfn]++;
  stat[NR_SWAPCACHE]++;
  stat[NR_FILE_PAGES]++;
}

/** The cached page of an entry, without a reference for the caller; 0 when it is not in memory (swap_cache_get_folio). */
export function swapCacheLookup(phys: PhysicalMemory, entry: SwpEntry): Pfn {
  return swapSpace(phys).infoOf(entry).cache[swpOffset(entry)];
}

/** What was left in place of the page when it went (get_shadow_from_swap_cache), 0 for nothing. */
export function swapCacheShadow(phys: PhysicalMemory, entry: SwpEntry): number {
  return swapSpace(phys).infoOf(entry).shadow[swpOffset(entry)];
}

/**
 * Takes a page out of the cache, whose reference goes (__delete_from_swap_cache). @param shadow an Int32 to be found there
 * while the slot is named; 0 for nothing
 */
export function deleteFromSwapCache(phys: PhysicalMemory, pfn: Pfn, shadow = 0): void {
  const { frames, stat } = phys;
  if ((frames.flags[pfn] & PG_SWAPCACHE) === 0)
    throw new BugError("deleteFromSwapCache", `frame ${pfn} is not in the swap cache`);
  if ((frames.flags[pfn] & PG_WRITEBACK) !== 0)
    throw new BugError("deleteFromSwapCache", `frame ${pfn} is being written`);
  const entry = frames.priv[pfn];
  const swap = swapSpace(phys);
  if (swap.infoOf(entry).cache[swpOffset(entry)] !== pfn)
    throw new BugError("deleteFromSwapCache", `entry ${entry} has another frame than ${pfn}`);
  frames.flags[pfn] &= ~PG_SWAPCACHE;
  frames.priv[pfn] = 0;
  stat[NR_SWAPCACHE]--;
  stat[NR_FILE_PAGES]--;
  swap.uncache(entry, shadow);
  phys.putPage(pfn);
}

/** The page has moved to another frame, which has the old one's entry in its `priv` and the cache's reference. */
export function replaceInSwapCache(phys: PhysicalMemory, from: Pfn, to: Pfn): void {
  const entry = phys.frames.priv[from];
  const { cache } = swapSpace(phys).infoOf(entry);
  const slot = swpOffset(entry);
  if (cache[slot] !== from)
    throw new BugError("replaceInSwapCache", `entry ${entry} has frame ${cache[slot]}, not ${from}`);
  cache[slot] = to;
}

/** Whether anything but the cache names the slot of a page in the cache (folio_swapped). */
export function isPageSwapped(phys: PhysicalMemory, pfn: Pfn): boolean {
  return swapSpace(phys).count(phys.frames.priv[pfn]) > 0;
}

/**
 * Gives back the slot of a page in the swap cache, if nothing else names it: the page in memory is then all there is of
 * it, so it becomes dirty. Answers whether the page is out of the cache (folio_free_swap).
 */
export function freeSwap(phys: PhysicalMemory, pfn: Pfn): boolean {
  const { flags } = phys.frames;
  if ((flags[pfn] & (PG_SWAPCACHE | PG_WRITEBACK)) !== PG_SWAPCACHE || isPageSwapped(phys, pfn)) return false;
  flags[pfn] |= PG_DIRTY;
  deleteFromSwapCache(phys, pfn);
  return true;
}

/** One more PTE or file names the slot (swap_duplicate). */
export function swapDuplicate(phys: PhysicalMemory, entry: SwpEntry): void {
  swapSpace(phys).duplicate(entry);
}

/** One less does (swap_free). The cached page, if any, stays. */
export function swapFree(phys: PhysicalMemory, entry: SwpEntry): void {
  swapSpace(phys).free(entry);
}

/**
 * As swapFree, for an entry that is dropped rather than read: a cached page that nothing else needs goes, too
 * (free_swap_and_cache).
 */
export function freeSwapAndCache(phys: PhysicalMemory, entry: SwpEntry): void {
  const swap = swapSpace(phys);
  if (swap.free(entry) > 0) return;
  const cached = swap.infoOf(entry).cache[swpOffset(entry)];
  if (cached === 0) return;
  if (phys.frames.mapCount[cached] === 0 || swap.isFullFor(cached)) freeSwap(phys, cached);
}

/** Frees a slot that only the cache needs, for another page (__try_to_reclaim_swap). Answers whether it did. */
function reclaimSlot(phys: PhysicalMemory, type: number, slot: number): boolean {
  const pfn = swapCacheLookup(phys, swpEntry(type, slot));
  if (pfn === 0 || (phys.frames.flags[pfn] & PG_LOCKED) !== 0) return false;
  return freeSwap(phys, pfn);
}

/** Whether `flags` (PG_…) are those of a page in the cache that is neither anonymous yet nor valid: its read failed. */
export function isReadError(flags: number): boolean {
  return (flags & (PG_SWAPCACHE | PG_UPTODATE | PG_ANON)) === PG_SWAPCACHE;
}
