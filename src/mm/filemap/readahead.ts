/**
 * Readahead (mm/readahead.c): reading what a program will most likely ask for next, before it does.
 *
 * Each open file remembers its last window. The page where the asynchronous part begins is marked: whoever touches it
 * starts the reading of the next window while this one is still being consumed, so that a sequential reader never
 * waits. The windows grow as long as the guess proves right.
 *
 * ```
 *                       |<---- raAsync -----|
 *   |---------------- raSize ---------------|
 *   ├───────────────────┬───────────────────┤ next window: 2 or 4 times as large, up to raPages
 *   raStart             marked page
 * ```
 *
 * A read at the start of the file, one that goes on where the last one ended and a large one open such a window. One
 * elsewhere is taken as random, unless cached pages before it show the trace of a stream; it reads just what was asked.
 */
import { PG_READAHEAD, PG_WRITEBACK } from "../frames/page-flags.ts";
import { PAGE_SIZE, type Pfn, type PgOff } from "../page.ts";
import type { AddressSpace } from "../vfs/address-space.ts";
import type { File } from "../vfs/file.ts";
import { readIntoCache } from "./page-cache.ts";

/** Default window of an open file: 128 KiB (VM_READAHEAD_PAGES). */
export const DEFAULT_RA_PAGES: number = (128 * 1024) / PAGE_SIZE;
/** The largest single transfer of a disk (bdi->io_pages for max_sectors_kb = 1280): an explicit request may be this large. */
const IO_PAGES: number = (1280 * 1024) / PAGE_SIZE;
/** Frames that are filled by one call of storage and that are out of reclaim's reach until then. */
const BATCH_PAGES = 32;
const NO_MARK = -1;

/** The frames of the batch that is being read. Readahead does not nest: storage fills frames and reads no cached file. */
const batch: Pfn[] = [];

/** Page `index` is not cached; the caller wants `reqCount` pages from there on (page_cache_sync_ra). */
export function pageCacheSyncRa(file: File, index: PgOff, reqCount: number): void {
  if (file.raPages === 0) {
    forcePageCacheRa(file, index, 1);
    return;
  }
  if (file.readsRandomly) {
    forcePageCacheRa(file, index, reqCount);
    return;
  }
  const max = maxPages(file, reqCount);
  const prevIndex = Math.floor(file.raPrev / PAGE_SIZE);
  const isNext = file.raPrev >= 0 && (index === prevIndex || index === prevIndex + 1);
  if (index === 0 || reqCount > max || isNext) {
    const size = initialRaSize(reqCount, max);
    submitWindow(file, index, size, size > reqCount ? size - reqCount : size >> 1);
    return;
  }
  let trail = cachedBefore(file.mapping, index, max);
  if (trail <= reqCount) {
    readPages(file.mapping, index, reqCount, 0);
    return;
  }
  // Cached from its first page on: most likely somebody reads the whole file.
  if (trail === index) trail *= 2;
  submitWindow(file, index, Math.min(trail + reqCount, max), 1);
}

/** The marked page `pfn` was touched by a caller that wants `reqCount` pages from there on (page_cache_async_ra). */
export function pageCacheAsyncRa(file: File, pfn: Pfn, reqCount: number): void {
  const { frames } = file.mapping.phys;
  if (file.raPages === 0 || (frames.flags[pfn] & PG_WRITEBACK) !== 0) return;
  frames.flags[pfn] &= ~PG_READAHEAD;
  const max = maxPages(file, reqCount);
  const index = frames.index[pfn];
  if (index === file.raStart + file.raSize - file.raAsync) {
    const size = Math.max(file.raSize, nextRaSize(file.raSize, max));
    submitWindow(file, file.raStart + file.raSize, size, size);
    return;
  }
  // Somebody else's mark: what is cached behind it tells how large the window was.
  const ahead = cachedFrom(file.mapping, index + 1, max);
  if (ahead === max) return;
  const size = nextRaSize(ahead + 1 + reqCount, max);
  submitWindow(file, index + 1 + ahead, size, size);
}

/** Reads what is not cached of `nrPages` pages, window or not (force_page_cache_ra): WILLNEED, readahead(2). */
export function forcePageCacheRa(file: File, index: PgOff, nrPages: number): void {
  readPages(file.mapping, index, Math.min(nrPages, Math.max(IO_PAGES, file.raPages)), 0);
}

/** Makes start … start + size the window of the file and reads it. */
export function submitWindow(file: File, start: PgOff, size: number, asyncSize: number): void {
  file.raStart = start;
  file.raSize = size;
  file.raAsync = asyncSize;
  readPages(file.mapping, start, size, asyncSize);
}

/**
 * Reads what is not cached of pages index … index + count, as far as the file goes, and marks the page where the last
 * `lookahead` of them begin, unless it was cached (do_page_cache_ra). Errors are left to who needs the page: it stays
 * uncached.
 */
function readPages(mapping: AddressSpace, index: PgOff, count: number, lookahead: number): void {
  if (!mapping.ops.writesBack) return;
  const filePages = Math.ceil(mapping.host.size / PAGE_SIZE);
  const nrPages = Math.min(count, filePages - index);
  const mark = lookahead > 0 && lookahead <= nrPages ? index + nrPages - lookahead : NO_MARK;
  const { pages } = mapping;
  const end = index + nrPages;
  let at: number = index;
  while (at < end) {
    if (pages.load(at) !== 0) {
      at++;
      continue;
    }
    const first = at;
    const filled = allocBatch(mapping, first, end);
    at += filled;
    if (filled === 0 || readIntoCache(mapping, first, batch, filled, mark) < 0) return;
  }
}

/** Frames for the pages from `first` on that are not cached, into `batch`. A guess is worth nobody's life (__GFP_NORETRY). */
function allocBatch({ pages, phys }: AddressSpace, first: PgOff, end: PgOff): number {
  const before = phys.failsBeforeOom;
  phys.failsBeforeOom = true;
  let filled = 0;
  while (first + filled < end && filled < BATCH_PAGES && pages.load(first + filled) === 0) {
    const pfn = phys.allocPage();
    if (pfn === 0) break;
    batch[filled++] = pfn;
  }
  phys.failsBeforeOom = before;
  return filled;
}

/** A request larger than the window may have what one transfer of the disk can carry (ractl_max_pages). */
function maxPages(file: File, reqCount: number): number {
  return reqCount > file.raPages && IO_PAGES > file.raPages ? Math.min(reqCount, IO_PAGES) : file.raPages;
}

/** The first window: the request rounded up, and some more while that is small (get_init_ra_size). */
function initialRaSize(reqCount: number, max: number): number {
  const size = reqCount <= 1 ? 1 : 2 ** (32 - Math.clz32(reqCount - 1));
  if (size <= max / 32) return size * 4;
  if (size <= max / 4) return size * 2;
  return max;
}

/** The window after one of `size` pages (get_next_ra_size). */
function nextRaSize(size: number, max: number): number {
  if (size < Math.floor(max / 16)) return 4 * size;
  if (size <= Math.floor(max / 2)) return 2 * size;
  return max;
}

/** How many pages without a gap are cached right before `index`, counted up to `max`. */
function cachedBefore(mapping: AddressSpace, index: PgOff, max: number): number {
  let count = 0;
  while (count < max && count < index && mapping.pages.load(index - 1 - count) !== 0) count++;
  return count;
}

/** How many pages without a gap are cached from `index` on, counted up to `max`. */
function cachedFrom(mapping: AddressSpace, index: PgOff, max: number): number {
  let count = 0;
  while (count < max && mapping.pages.load(index + count) !== 0) count++;
  return count;
}
