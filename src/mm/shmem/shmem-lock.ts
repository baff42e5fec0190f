/**
 * Files that stay in memory as a whole (shmem_lock, shmem_unlock_mapping in mm/shmem.c, check_move_unevictable_folios in
 * mm/vmscan.c): what SHM_LOCK does.
 *
 * Locking moves nothing: pages that come are unevictable from the start, and those that are there become so when somebody
 * looks for a page to take. Unlocking gives all of them back to reclaim's lists at once, but for what mlock holds.
 */
import { lruAdd, lruDel } from "../frames/lru.ts";
import { PG_MLOCKED, PG_SHM_LOCKED, PG_UNEVICTABLE } from "../frames/page-flags.ts";
import { UNEVICTABLE_PGRESCUED } from "../trace/vmstat.ts";
import type { AddressSpace } from "../vfs/address-space.ts";

export function shmemLock(mapping: AddressSpace): void {
  const { pages, phys } = mapping;
  mapping.isUnevictable = true;
  for (let pfn = pages.next(0); pfn !== 0; pfn = pages.next(pages.index + 1)) {
    phys.frames.flags[pfn] |= PG_SHM_LOCKED;
  }
}

export function shmemUnlock(mapping: AddressSpace): void {
  const { pages, phys } = mapping;
  const { flags } = phys.frames;
  mapping.isUnevictable = false;
  for (let pfn = pages.next(0); pfn !== 0; pfn = pages.next(pages.index + 1)) {
    flags[pfn] &= ~PG_SHM_LOCKED;
    if ((flags[pfn] & (PG_UNEVICTABLE | PG_MLOCKED)) !== PG_UNEVICTABLE) continue;
    lruDel(phys, pfn);
    flags[pfn] &= ~PG_UNEVICTABLE;
    lruAdd(phys, pfn);
    phys.stat[UNEVICTABLE_PGRESCUED]++;
  }
}
