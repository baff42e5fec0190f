/**
 * Writing to a file through the page cache (generic_perform_write in mm/filemap.c): the bytes go into cached frames,
 * which become dirty; storage gets them at write-back.
 *
 * A page that is written in part is read first, unless it lies past the end of the file, where there is nothing to
 * read. A page that is written as a whole is never read.
 *
 * Taking a byte from the source may fault, and that fault may ask for the very page that is being written (a program
 * writes a file from a mapping of it). So a page is valid in the cache before it is copied to, or it enters the cache
 * only after.
 */
import { PG_DROPBEHIND, PG_UPTODATE } from "../frames/page-flags.ts";
import { PAGE_SIZE, type Pfn, type PgOff } from "../page.ts";
import { setPageDirty } from "../rmap/page-dirty.ts";
import { EFAULT, EFBIG, EINVAL, ENOMEM } from "../uapi/errno.ts";
import { MAX_LFS_FILESIZE } from "../uapi/fcntl.ts";
import { RWF_DONTCACHE } from "../uapi/fs.ts";
import type { AddressSpace } from "../vfs/address-space.ts";
import type { File } from "../vfs/file.ts";
import type { IovIter } from "../vfs/iov-iter.ts";
import { balanceDirtyPagesRatelimited } from "./balance-dirty.ts";
import { fileUpdateTime } from "./file-times.ts";
import { filemapReadPage } from "./filemap.ts";
import { addToPageCache } from "./page-cache.ts";
import { isizeExtended } from "./truncate.ts";
import { filemapWriteAndWaitRange } from "./writeback.ts";

/**
 * Copies `iter` into the file at byte `pos`. Bytes copied: fewer than there are when the
 * source, memory or storage failed after some; else a negative errno. With RWF_DONTCACHE storage has them at once.
 */
export function genericFileWrite(file: File, iter: IovIter, pos: number, rwf = 0): number {
  const dropsBehind = (rwf & RWF_DONTCACHE) !== 0;
  const bytes = performWrite(file, iter, pos, dropsBehind);
  // Write-back begins at once, and what it meets is told to who asks by fsync (filemap_fdatawrite_range_kick).
  if (dropsBehind && bytes > 0) filemapWriteAndWaitRange(file.mapping, pos, pos + bytes);
  return bytes;
}

function performWrite(file: File, iter: IovIter, pos: number, dropsBehind: boolean): number {
  const { inode, mapping } = file;
  if (iter.count === 0) return 0;
  if (pos < 0) return -EINVAL;
  if (pos >= MAX_LFS_FILESIZE) return -EFBIG;
  fileUpdateTime(inode);
  const end = Math.min(pos + iter.count, MAX_LFS_FILESIZE);
  let at = pos;
  // Linux tries a copy that takes no fault first, and lets the file reach up to where the write begins even when that
  // copied nothing. Only then it faults the source in, which may lie in the very part that the file has just got.
  const oldSize = inode.size;
  if (pos > oldSize) {
    inode.size = pos;
    isizeExtended(inode, oldSize, pos);
  }
  while (at < end) {
    const bytes = Math.min(PAGE_SIZE - (at % PAGE_SIZE), end - at);
    const copied = writeToPage(mapping, iter, at, bytes, oldSize, dropsBehind);
    // What came up short is tried again from there: its source may lie in what the file has just become longer by.
    if (copied <= 0) return at > pos ? at - pos : copied === 0 ? -EFAULT : copied;
    at += copied;
    balanceDirtyPagesRatelimited(mapping);
  }
  return at - pos;
}

/**
 * Writes up to `bytes` bytes, which lie in one page. `oldSize` is the file's size before the write: behind it there is
 * nothing to read. Bytes copied, 0 when the source faults at once, or a negative errno.
 */
function writeToPage(
  mapping: AddressSpace,
  iter: IovIter,
  pos: number,
  bytes: number,
  oldSize: number,
  dropsBehind: boolean,
): number {
  const index = Math.floor(pos / PAGE_SIZE);
  if (mapping.pages.load(index) === 0) {
    if (index * PAGE_SIZE >= oldSize) return writeNewPage(mapping, iter, pos, bytes, dropsBehind);
    if (bytes === PAGE_SIZE) return overwritePage(mapping, iter, index, dropsBehind);
  }
  return writeCachedPage(mapping, iter, pos, bytes, dropsBehind);
}

/** The page holds something that stays: it is copied to in place. */
function writeCachedPage(
  mapping: AddressSpace,
  iter: IovIter,
  pos: number,
  bytes: number,
  dropsBehind: boolean,
): number {
  mapping.dropsBehind = dropsBehind;
  const pfn = filemapReadPage(mapping, Math.floor(pos / PAGE_SIZE));
  mapping.dropsBehind = false;
  if (pfn < 0) return pfn;
  if (!dropsBehind) mapping.phys.frames.flags[pfn] &= ~PG_DROPBEHIND;
  const copied = iter.copyFromIter(pfn * PAGE_SIZE + (pos % PAGE_SIZE), bytes);
  if (copied > 0) commitWrite(mapping, pfn, pos, copied);
  mapping.phys.putPage(pfn);
  return copied;
}

/** The page lies past the end of the file: around what is written there are zeros. */
function writeNewPage(
  mapping: AddressSpace,
  iter: IovIter,
  pos: number,
  bytes: number,
  dropsBehind: boolean,
): number {
  const { phys } = mapping;
  const pfn = phys.allocZeroedPage();
  if (pfn === 0) return -ENOMEM;
  const copied = iter.copyFromIter(pfn * PAGE_SIZE + (pos % PAGE_SIZE), bytes);
  if (copied > 0 && addWritten(mapping, pfn, pos, copied, dropsBehind)) return copied;
  return copyAgain(mapping, iter, pfn, pos, copied, dropsBehind);
}

/** All of the page is to be replaced: no need to know what it held, unless the source ends early. */
function overwritePage(mapping: AddressSpace, iter: IovIter, index: PgOff, dropsBehind: boolean): number {
  const { phys } = mapping;
  const pfn = phys.allocPage();
  if (pfn === 0) return -ENOMEM;
  const copied = iter.copyFromIter(pfn * PAGE_SIZE, PAGE_SIZE);
  const pos = index * PAGE_SIZE;
  if (copied === PAGE_SIZE && addWritten(mapping, pfn, pos, copied, dropsBehind)) return copied;
  return copyAgain(mapping, iter, pfn, pos, copied, dropsBehind);
}

/** Brings a frame that was just written into the cache. False where a fault of the source has put the page there meanwhile. */
function addWritten(
  mapping: AddressSpace,
  pfn: Pfn,
  pos: number,
  bytes: number,
  dropsBehind: boolean,
): boolean {
  const index = Math.floor(pos / PAGE_SIZE);
  if (mapping.pages.load(index) !== 0) return false;
  mapping.phys.frames.flags[pfn] |= PG_UPTODATE;
  mapping.dropsBehind = dropsBehind;
  addToPageCache(mapping, index, pfn, /* overwritten */ true);
  mapping.dropsBehind = false;
  commitWrite(mapping, pfn, pos, bytes);
  return true;
}

/**
 * The new frame is of no use, and the copy is made once more to the page of the cache: a source that lies in that very page
 * then reads there what was just written, as it does in Linux.
 */
function copyAgain(
  mapping: AddressSpace,
  iter: IovIter,
  pfn: Pfn,
  pos: number,
  copied: number,
  dropsBehind: boolean,
): number {
  mapping.phys.putPage(pfn);
  iter.revert(copied);
  return copied === 0 ? 0 : writeCachedPage(mapping, iter, pos, copied, dropsBehind);
}

/** Bytes were written to a cached page: it is dirty, and the file may have become longer (write_end). */
function commitWrite(mapping: AddressSpace, pfn: Pfn, pos: number, bytes: number): void {
  const { host, phys } = mapping;
  phys.flushIcache(pfn);
  const oldSize = host.size;
  if (pos + bytes > oldSize) {
    host.size = pos + bytes;
    if (pos > oldSize) isizeExtended(host, oldSize, pos);
  }
  setPageDirty(phys, pfn);
}
