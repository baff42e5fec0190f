/**
 * Pages of shmem files in swap (shmem_writeout, shmem_swapin_folio and shmem_unuse in mm/shmem.c).
 *
 * A page that leaves memory leaves its file's page cache for the swap cache, and the file keeps the entry of its slot
 * instead, under the same index (`swapped`). The file names the slot once, whoever maps the page. It is still charged for
 * it: to its size, and as promised memory.
 */
import { BugError } from "../bug.ts";
import { addToPageCache, deleteFromPageCache } from "../filemap/page-cache.ts";
import { lruAdd, lruDel } from "../frames/lru.ts";
import { PG_DIRTY, PG_LRU, PG_SWAPBACKED, PG_SWAPCACHE, PG_UPTODATE } from "../frames/page-flags.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { workingsetRefault } from "../frames/workingset.ts";
import { PAGE_SIZE, type Pfn, type PgOff } from "../page.ts";
import { swapReadPage } from "../swap/page-io.ts";
import {
  addToSwap,
  deleteFromSwapCache,
  freeSwapAndCache,
  swapCacheLookup,
  swapDuplicate,
  swapFree,
} from "../swap/swap-cache.ts";
import { type SwpEntry, swpOffset, swpType } from "../swap/swap-entry.ts";
import { readSwapCache, swapClusterReadahead, swapUpdateReadahead } from "../swap/swap-readahead.ts";
import { swapSpace } from "../swap/swap-space.ts";
import { waitOnSwapWriteback } from "../swap/swap-writeback.ts";
import { PGMAJFAULT } from "../trace/vmstat.ts";
import { EINTR, EIO, ENOMEM } from "../uapi/errno.ts";
import { AddressSpace } from "../vfs/address-space.ts";
import { igrab, iput } from "../vfs/inode.ts";
import { ShmemInode } from "./shmem-inode.ts";

/** In `swapped`: the page was lost, since its slot could not be read (make_poisoned_swp_entry). */
const POISONED = -1;

/** The inode of a page in the cache of a shmem file. */
function inodeOf(phys: PhysicalMemory, pfn: Pfn): ShmemInode {
  const mapping = phys.owners.get(phys.frames.mapping[pfn]);
  if (!(mapping instanceof AddressSpace) || !(mapping.host instanceof ShmemInode))
    throw new BugError("shmemWriteout", `frame ${pfn} is not of shmem`);
  return mapping.host;
}

/**
 * Moves a dirty page that no PTE maps from its file's cache to the swap cache, still to be written there. 0, or -ENOMEM
 * with the page where it was when no slot is free.
 */
export function shmemWriteout(phys: PhysicalMemory, pfn: Pfn): number {
  const inode = inodeOf(phys, pfn);
  const { mapping } = inode;
  if (mapping === null) throw new BugError("shmemWriteout", `inode ${inode.ino} has no pages`);
  if (addToSwap(phys, pfn) !== 0) return -ENOMEM;
  const { frames } = phys;
  const entry = frames.priv[pfn];
  swapDuplicate(phys, entry);
  inode.swapped.store(frames.index[pfn], entry);
  inode.swappedPages++;
  // Its reference of the page cache goes, that of the swap cache keeps it.
  deleteFromPageCache(mapping, pfn);
  frames.flags[pfn] |= PG_SWAPBACKED | PG_DIRTY;
  if ((frames.flags[pfn] & PG_LRU) === 0) lruAdd(phys, pfn);
  return 0;
}

/** Whether page `index` of the file is in swap, or was lost there. */
export function isShmemSwapped(inode: ShmemInode, index: PgOff): boolean {
  return inode.swapped.load(index) !== 0;
}

/** Whether page `index` is in the swap cache, and valid: resident, as mincore sees it. */
export function isShmemSwapCached(inode: ShmemInode, index: PgOff): boolean {
  const entry = inode.swapped.load(index);
  const { phys } = inode.sb.context;
  const pfn = entry > 0 ? swapCacheLookup(phys, entry) : 0;
  return pfn !== 0 && (phys.frames.flags[pfn] & PG_UPTODATE) !== 0;
}

/**
 * Brings page `index`, for which isShmemSwapped holds, back into the file's cache. The frame with a reference for the
 * caller; -ENOMEM; or -EIO, for ever, when the device can't read it. `wasMajor` of the inode's file system says whether the
 * device was asked.
 */
export function shmemSwapin(inode: ShmemInode, index: PgOff): Pfn | number {
  const { mapping, sb } = inode;
  const { phys } = sb.context;
  if (mapping === null) throw new BugError("shmemSwapin", `inode ${inode.ino} has no pages`);
  sb.wasMajor = false;
  const entry = inode.swapped.load(index);
  if (entry === POISONED) return -EIO;
  let pfn = swapCacheLookup(phys, entry);
  if (pfn !== 0) {
    swapUpdateReadahead(phys, pfn, null, 0);
    phys.getPage(pfn);
  } else {
    const isDirect = swapSpace(phys).infoOf(entry).device.isSynchronous === true;
    pfn = isDirect ? readDirect(phys, entry) : swapClusterReadahead(phys, entry);
    if (pfn === 0) return -ENOMEM;
    sb.wasMajor = true;
    phys.stat[PGMAJFAULT]++;
  }
  const { flags } = phys.frames;
  const isCached = (flags[pfn] & PG_SWAPCACHE) !== 0;
  if ((flags[pfn] & PG_UPTODATE) === 0) {
    inode.swapped.store(index, POISONED);
    inode.swappedPages--;
    if (isCached) deleteFromSwapCache(phys, pfn);
    swapFree(phys, entry);
    phys.putPage(pfn);
    sb.recalc(inode);
    return -EIO;
  }
  waitOnSwapWriteback(phys, pfn);
  inode.swapped.erase(index);
  inode.swappedPages--;
  swapFree(phys, entry);
  if (isCached) deleteFromSwapCache(phys, pfn);
  lruDel(phys, pfn);
  phys.getPage(pfn);
  addToPageCache(mapping, index, pfn);
  flags[pfn] |= PG_DIRTY;
  return pfn;
}

/** Reads a slot into a frame of its own; not valid if the device failed; 0 without memory. */
function readDirect(phys: PhysicalMemory, entry: SwpEntry): Pfn {
  const info = swapSpace(phys).infoOf(entry);
  const slot = swpOffset(entry);
  const pfn = phys.allocPageFor(info.memcg[slot]);
  if (pfn === 0) return 0;
  if (swapReadPage(phys, pfn, entry) !== 0) return pfn;
  phys.frames.flags[pfn] |= PG_SWAPBACKED;
  if (info.shadow[slot] !== 0) workingsetRefault(phys, pfn, info.shadow[slot]);
  return pfn;
}

/** Gives up what is in swap of pages `first` … `last`: they are holes from now on (shmem_free_swap). */
export function shmemDropSwap(inode: ShmemInode, first: PgOff, last: PgOff): void {
  const { swapped } = inode;
  for (let entry = swapped.next(first); entry !== 0 && swapped.index <= last; entry = swapped.next(first)) {
    swapped.erase(swapped.index);
    if (entry === POISONED) continue;
    inode.swappedPages--;
    freeSwapAndCache(inode.sb.context.phys, entry);
  }
}

/** Reads what is in swap of pages `first` … `last` into the swap cache (MADV_WILLNEED, shmem_swapin_range). */
export function shmemSwapinRange(inode: ShmemInode, first: PgOff, last: PgOff): void {
  const { swapped } = inode;
  const { phys } = inode.sb.context;
  for (let at = first; ; ) {
    const entry = swapped.next(at);
    if (entry === 0 || swapped.index > last) return;
    at = swapped.index + 1;
    if (entry === POISONED) continue;
    const pfn = readSwapCache(phys, entry);
    if (pfn === 0) return;
    phys.putPage(pfn);
  }
}

/** Brings back all pages that files have in area `type`: 0, -ENOMEM or -EINTR (shmem_unuse). */
export function shmemUnuse(phys: PhysicalMemory, type: number): number {
  for (const owner of [...phys.owners.values()]) {
    if (!(owner instanceof AddressSpace) || !(owner.host instanceof ShmemInode)) continue;
    const inode = owner.host;
    if (inode.swapped.next(0) === 0) continue;
    // Who has it open may be killed for the memory that this takes.
    igrab(inode);
    const failed = unuseFile(phys, inode, type);
    iput(inode);
    if (failed !== 0) return failed;
  }
  return 0;
}

/** As shmemUnuse, of one file. */
function unuseFile(phys: PhysicalMemory, inode: ShmemInode, type: number): number {
  for (let at = 0; ; ) {
    const entry = inode.swapped.next(at);
    if (entry === 0) return 0;
    const { index } = inode.swapped;
    at = index + 1;
    if (entry === POISONED || swpType(entry) !== type) continue;
    if (phys.fatalSignalPending()) return -EINTR;
    const pfn = shmemSwapin(inode, index);
    if (pfn === -ENOMEM) return -ENOMEM;
    if (pfn > 0) phys.putPage(pfn);
  }
}

/** Bytes that pages `first` … `last` of the file have in swap (shmem_partial_swap_usage). */
export function shmemSwapUsage(inode: ShmemInode, first: PgOff, last: PgOff): number {
  const { swapped } = inode;
  let pages = 0;
  for (let at = first; ; ) {
    const entry = swapped.next(at);
    if (entry === 0 || swapped.index > last) return pages * PAGE_SIZE;
    if (entry !== POISONED) pages++;
    at = swapped.index + 1;
  }
}
