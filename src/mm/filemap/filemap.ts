/**
 * Reading a file through the page cache (filemap_read in mm/filemap.c): read(2) copies out of the very frames that
 * mappings of the file show.
 */
import { markPageAccessed } from "../frames/lru.ts";
import { PG_DROPBEHIND, PG_READAHEAD } from "../frames/page-flags.ts";
import { PAGE_SIZE, type Pfn, type PgOff } from "../page.ts";
import { EAGAIN, EFAULT, EINVAL, ENOMEM } from "../uapi/errno.ts";
import { O_DIRECT } from "../uapi/fcntl.ts";
import { RWF_DONTCACHE, RWF_NOWAIT } from "../uapi/fs.ts";
import type { AddressSpace } from "../vfs/address-space.ts";
import type { File } from "../vfs/file.ts";
import type { IovIter } from "../vfs/iov-iter.ts";
import type { Pipe } from "../vfs/pipe.ts";
import { copySpliceRead } from "../vfs/splice.ts";
import { endDropBehind } from "./drop-behind.ts";
import { fileAccessed } from "./file-times.ts";
import { findGetPage, readIntoCache } from "./page-cache.ts";
import { pageCacheAsyncRa, pageCacheSyncRa } from "./readahead.ts";

const NO_MARK = -1;

/**
 * Copies from the file at byte `pos` to `iter` what both have. Bytes copied: fewer than asked for at the end of the file,
 * or when the destination or storage failed after some; else -EFAULT, or storage's error.
 */
export function genericFileRead(file: File, iter: IovIter, pos: number, rwf = 0): number {
  if (pos < 0) return -EINVAL;
  const { inode, mapping } = file;
  const { phys } = mapping;
  if (iter.count === 0) return 0;
  let at = pos;
  let last = file.raPrev;
  let error = 0;
  while (iter.count > 0 && at < inode.size) {
    const index = Math.floor(at / PAGE_SIZE);
    const isLate = (rwf & RWF_NOWAIT) !== 0 && mapping.pages.load(index) === 0;
    mapping.dropsBehind = (rwf & RWF_DONTCACHE) !== 0;
    const pfn = getPageForRead(file, index, Math.ceil((at + iter.count) / PAGE_SIZE));
    mapping.dropsBehind = false;
    // What has to be read is on its way, but not there yet.
    if (isLate && pfn > 0) {
      phys.putPage(pfn);
      error = -EAGAIN;
      break;
    }
    if (pfn < 0) {
      error = pfn;
      break;
    }
    const offset = at % PAGE_SIZE;
    const bytes = Math.min(PAGE_SIZE - offset, inode.size - at, iter.count);
    let copied: number;
    if (pfn === 0) {
      copied = iter.zeroIter(bytes);
    } else {
      // Several reads from one page in a row are one use of it.
      if (last <= 0 || Math.floor((last - 1) / PAGE_SIZE) !== Math.floor(at / PAGE_SIZE)) {
        markPageAccessed(phys, pfn);
      }
      copied = iter.copyToIter(pfn * PAGE_SIZE + offset, bytes);
      phys.putPage(pfn);
      if ((phys.frames.flags[pfn] & PG_DROPBEHIND) !== 0) endDropBehind(mapping, pfn);
    }
    at += copied;
    last = at;
    if (copied < bytes) {
      error = -EFAULT;
      break;
    }
  }
  fileAccessed(file);
  file.raPrev = last;
  return at > pos ? at - pos : error;
}

/**
 * Puts the file's pages from byte `pos` on into the pipe's free buffers, as they are (filemap_splice_read). Bytes, 0 at
 * the end of the file, or negative errno.
 */
export function genericSpliceRead(file: File, pos: number, pipe: Pipe, len: number): number {
  if ((file.flags & O_DIRECT) !== 0) return copySpliceRead(file, pos, pipe, len);
  const { inode, mapping } = file;
  const end = Math.min(pos + Math.min(len, pipe.freeBuffers * PAGE_SIZE), inode.size);
  let at = pos;
  let error = 0;
  while (at < end && !pipe.isFull) {
    const pfn = getPageForRead(file, Math.floor(at / PAGE_SIZE), Math.ceil(end / PAGE_SIZE));
    if (pfn < 0) {
      error = pfn;
      break;
    }
    const offset = at % PAGE_SIZE;
    const bytes = Math.min(PAGE_SIZE - offset, end - at);
    markPageAccessed(mapping.phys, pfn);
    pipe.pushPage(pfn, offset, offset + bytes);
    mapping.phys.putPage(pfn);
    at += bytes;
    file.raPrev = at;
  }
  fileAccessed(file);
  return at > pos ? at - pos : error;
}

/** The page with a reference, cached or read now; a negative errno when it can't be had. */
export function filemapReadPage(mapping: AddressSpace, index: PgOff): number {
  const cached = findGetPage(mapping, index);
  if (cached !== 0) return cached;
  const pfn = mapping.phys.allocPage();
  if (pfn === 0) return -ENOMEM;
  const error = readIntoCache(mapping, index, [pfn], 1, NO_MARK);
  if (error < 0) return error;
  mapping.phys.getPage(pfn);
  return pfn;
}

/**
 * Page `index` with a reference, for a read that ends before page `end`; 0 for a hole of a file that lives in memory,
 * which reads as zeros and stays a hole; or a negative errno.
 */
function getPageForRead(file: File, index: PgOff, end: PgOff): number {
  const { mapping } = file;
  let pfn: Pfn = findGetPage(mapping, index);
  if (pfn === 0) {
    if (!mapping.ops.writesBack) return 0;
    pageCacheSyncRa(file, index, end - index);
    const read = filemapReadPage(mapping, index);
    if (read < 0) return read;
    pfn = read;
  }
  if ((mapping.phys.frames.flags[pfn] & PG_READAHEAD) !== 0) pageCacheAsyncRa(file, pfn, end - index);
  return pfn;
}
