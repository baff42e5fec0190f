/**
 * Files that become shorter, longer or lose their middle (mm/truncate.c).
 *
 * A page past the end of its file can't stay in any page table: whoever touches it again must get SIGBUS. That holds for
 * a private mapping's copy of it, too. So pages are unmapped first, then taken out of the cache, changes and all. Of the
 * page that the new end falls into, the rest becomes zero, so that nothing reappears when the file grows again.
 */
import { XA_MAX } from "../../lib/xarray.ts";
import { PG_DIRTY, PG_LOCKED, PG_WRITEBACK } from "../frames/page-flags.ts";
import { PAGE_SIZE, type Pfn, type PgOff } from "../page.ts";
import { unmapMappingRange } from "../rmap/rmap-walk.ts";
import { EBUSY } from "../uapi/errno.ts";
import type { AddressSpace } from "../vfs/address-space.ts";
import type { Inode } from "../vfs/inode.ts";
import { deleteFromPageCache } from "./page-cache.ts";

/**
 * Gives the file another size, in memory: storage is the file system's business (truncate_setsize). Of a file that grows,
 * what mappings left behind the old end becomes zero up to `zeroTo`: by truncation all of the last page's rest
 * (ext4_block_truncate_page), by fallocate no more than what is part of the file then.
 */
export function truncateSetsize(
  inode: Inode,
  newSize: number,
  zeroTo: number = Number.POSITIVE_INFINITY,
): void {
  const { mapping } = inode;
  const oldSize = inode.size;
  inode.size = newSize;
  if (mapping === null) return;
  if (newSize > oldSize) {
    isizeExtended(inode, oldSize, zeroTo);
    return;
  }
  unmapMappingRange(mapping, Math.ceil(newSize / PAGE_SIZE), XA_MAX, /* evenCows */ true);
  truncateInodePages(mapping, newSize);
}

/** Drops the cached pages that begin at byte `from` or later, and zeroes the rest of the page that `from` lies in. */
export function truncateInodePages(mapping: AddressSpace, from: number): void {
  zeroInPage(mapping, from, (Math.floor(from / PAGE_SIZE) + 1) * PAGE_SIZE);
  dropPages(mapping, Math.ceil(from / PAGE_SIZE), XA_MAX);
}

/**
 * Empties bytes `start` … `end` in memory: pages that lie wholly inside leave the cache, of the others that part becomes
 * zero (truncate_pagecache_range). Private copies stay. Precondition: storage reads as zeros there already.
 */
export function truncatePunchHole(mapping: AddressSpace, start: number, end: number): void {
  const first = Math.ceil(start / PAGE_SIZE);
  const last = Math.floor(end / PAGE_SIZE) - 1;
  if (first > last + 1) {
    // Both ends lie in one page.
    zeroInPage(mapping, start, end);
    return;
  }
  zeroInPage(mapping, start, first * PAGE_SIZE);
  zeroInPage(mapping, (last + 1) * PAGE_SIZE, end);
  if (last < first) return;
  unmapMappingRange(mapping, first, last, /* evenCows */ false);
  dropPages(mapping, first, last);
}

/**
 * The file grew from `from` to `to` bytes, or is written at `to` past its end: what mappings left behind the old end in
 * its last page is not part of the file and must not become so.
 */
export function isizeExtended(inode: Inode, from: number, to: number): void {
  const { mapping } = inode;
  if (mapping === null || from % PAGE_SIZE === 0) return;
  zeroInPage(mapping, from, Math.min(to, Math.ceil(from / PAGE_SIZE) * PAGE_SIZE));
}

/**
 * Drops every clean page, mapped or not, because storage has changed behind the cache (invalidate_inode_pages2). 0, or
 * -EBUSY when pages stayed: dirty ones, and those in somebody's hands.
 */
export function invalidateMapping(mapping: AddressSpace): number {
  return invalidateRange(mapping, 0, XA_MAX);
}

/** invalidateMapping for pages `first` … `last` (invalidate_inode_pages2_range). */
export function invalidateRange(mapping: AddressSpace, first: PgOff, last: PgOff): number {
  const { pages, phys } = mapping;
  const { frames } = phys;
  let result = 0;
  for (let pfn = pages.next(first); pfn !== 0 && pages.index <= last; pfn = pages.next(pages.index + 1)) {
    const { index } = pages;
    if (frames.mapCount[pfn] !== 0) unmapMappingRange(mapping, index, index, /* evenCows */ false);
    if (isDroppable(mapping, pfn)) deleteFromPageCache(mapping, pfn);
    else result = -EBUSY;
  }
  return result;
}

/** Drops the clean pages of `first` … `last` that nobody maps (invalidate_mapping_pages). Answers how many. */
export function invalidateUnmapped(mapping: AddressSpace, first: PgOff, last: PgOff): number {
  const { pages, phys } = mapping;
  let dropped = 0;
  for (let pfn = pages.next(first); pfn !== 0 && pages.index <= last; pfn = pages.next(pages.index + 1)) {
    if (phys.frames.mapCount[pfn] !== 0 || !isDroppable(mapping, pfn)) continue;
    deleteFromPageCache(mapping, pfn);
    dropped++;
  }
  return dropped;
}

/** Whether the cache is the only one that knows the page, and storage has its content. */
function isDroppable(mapping: AddressSpace, pfn: Pfn): boolean {
  const { flags, refCount } = mapping.phys.frames;
  return (flags[pfn] & (PG_DIRTY | PG_LOCKED | PG_WRITEBACK)) === 0 && refCount[pfn] === 1;
}

/** Takes pages `first` … `last` out of the cache, out of page tables too where they are still mapped. */
function dropPages(mapping: AddressSpace, first: PgOff, last: PgOff): void {
  const { pages, phys } = mapping;
  for (let pfn = pages.next(first); pfn !== 0 && pages.index <= last; pfn = pages.next(pages.index + 1)) {
    const { index } = pages;
    if (phys.frames.mapCount[pfn] !== 0) unmapMappingRange(mapping, index, index, /* evenCows */ false);
    deleteFromPageCache(mapping, pfn);
  }
  mapping.shadows.forget(first, last);
}

/** Zeroes bytes `start` … `end` of the file, which lie in one page, if that is cached. */
function zeroInPage(mapping: AddressSpace, start: number, end: number): void {
  const { phys } = mapping;
  if (start >= end || (start % PAGE_SIZE === 0 && end % PAGE_SIZE === 0)) return;
  const index = Math.floor(start / PAGE_SIZE);
  const pfn = mapping.pages.load(index);
  if (pfn === 0) return;
  const base = pfn * PAGE_SIZE - index * PAGE_SIZE;
  phys.ram.u8.fill(0, base + start, base + end);
  phys.flushIcache(pfn);
}
