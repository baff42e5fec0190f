/**
 * O_DIRECT: bytes between storage and the program that leave nothing in the page cache (generic_file_direct_write and
 * the direct half of generic_file_read_iter in mm/filemap.c).
 *
 * What others see stays one file all the same. Before a read, changes in the cache are written, so that storage has them;
 * before a write they are written and the pages dropped, out of page tables too, so that nothing old comes back; and
 * after it once more, for its source may be a mapping of the very file.
 */
import { PAGE_SIZE, type Pfn, type PgOff, pageAlign } from "../page.ts";
import { EFAULT, EINVAL, ENOMEM } from "../uapi/errno.ts";
import type { AddressSpace } from "../vfs/address-space.ts";
import type { File } from "../vfs/file.ts";
import type { IovIter } from "../vfs/iov-iter.ts";
import { fileAccessed, fileUpdateTime } from "./file-times.ts";
import { invalidateRange, isizeExtended } from "./truncate.ts";
import { filemapWriteAndWaitRange } from "./writeback.ts";

/** Frames that pass between storage and the program at a time. */
const BATCH_PAGES = 32;

/**
 * Whether a transfer of `length` bytes begins, ends and is cut into segments at multiples of `blockSize`, as storage wants
 * it.
 */
function isAligned(iter: IovIter, pos: number, length: number, blockSize: number): boolean {
  if (pos % blockSize !== 0 || length % blockSize !== 0) return false;
  return iter.segmentsAlign?.(blockSize, length) ?? true;
}

/** Bytes read, 0 at the end of the file, or a negative errno. @param blockSize bytes in the smallest unit of storage */
export function filemapDirectRead(file: File, iter: IovIter, pos: number, blockSize: number): number {
  const { inode, mapping } = file;
  if (iter.count === 0 || pos >= inode.size) return 0;
  // What storage is asked for ends with the file's last block: whoever wants more may want any number of bytes.
  const stored = pageAlign(inode.size) - pos;
  if (!isAligned(iter, pos, Math.min(iter.count, stored), blockSize)) return -EINVAL;
  const end = Math.min(pos + iter.count, inode.size);
  const failed = filemapWriteAndWaitRange(mapping, pos, end);
  if (failed !== 0) return failed;
  let at = pos;
  let error = 0;
  while (at < end && error === 0) {
    const index = Math.floor(at / PAGE_SIZE);
    const count = Math.min(BATCH_PAGES, Math.ceil(end / PAGE_SIZE) - index);
    const pfns = allocFrames(mapping, count);
    error = pfns.length < count ? -ENOMEM : mapping.ops.readPages(mapping, index, pfns, count);
    for (let i = 0; i < count && error === 0; i++) {
      const offset = at % PAGE_SIZE;
      const bytes = Math.min(PAGE_SIZE - offset, end - at);
      const copied = iter.copyToIter(pfns[i] * PAGE_SIZE + offset, bytes);
      at += copied;
      if (copied < bytes) error = -EFAULT;
    }
    putFrames(mapping, pfns);
  }
  fileAccessed(file);
  return at > pos ? at - pos : error;
}

/**
 * Bytes written, or a negative errno; undefined where a page of the cache can't be dropped, and the write has to go through
 * the cache.
 */
export function filemapDirectWrite(
  file: File,
  iter: IovIter,
  pos: number,
  blockSize: number,
): number | undefined {
  const { inode, mapping } = file;
  if (iter.count === 0) return 0;
  if (!isAligned(iter, pos, iter.count, blockSize)) return -EINVAL;
  const end = pos + iter.count;
  const first = Math.floor(pos / PAGE_SIZE);
  const last = Math.ceil(end / PAGE_SIZE) - 1;
  const failed = filemapWriteAndWaitRange(mapping, pos, end);
  if (failed !== 0) return failed;
  if (invalidateRange(mapping, first, last) !== 0) return undefined;
  fileUpdateTime(inode);
  const oldSize = inode.size;
  let at = pos;
  let error = 0;
  while (at < end && error === 0) {
    const begin = at;
    const index = Math.floor(at / PAGE_SIZE);
    const count = Math.min(BATCH_PAGES, last + 1 - index);
    const pfns = allocFrames(mapping, count);
    error = pfns.length < count ? -ENOMEM : readEdges(mapping, index, pfns, at, end, oldSize);
    for (let i = 0; i < count && error === 0; i++) {
      const offset = at % PAGE_SIZE;
      const bytes = Math.min(PAGE_SIZE - offset, end - at);
      const copied = iter.copyFromIter(pfns[i] * PAGE_SIZE + offset, bytes);
      at += copied;
      if (copied < bytes) error = -EFAULT;
    }
    if (at > begin) {
      if (at > inode.size) {
        const before = inode.size;
        inode.size = at;
        if (begin > before) isizeExtended(inode, before, begin);
      }
      const used = Math.ceil(at / PAGE_SIZE) - index;
      const refused = mapping.ops.writePages(mapping, index, pfns, used);
      if (refused !== 0) {
        error = refused;
        at = begin;
      }
    }
    putFrames(mapping, pfns);
  }
  // A page that came back meanwhile shows what was there before.
  invalidateRange(mapping, first, last);
  return at > pos ? at - pos : error;
}

/** Of pages that are written in part, what stays: read, or zeros where the file had nothing. */
function readEdges(
  mapping: AddressSpace,
  index: PgOff,
  pfns: readonly Pfn[],
  at: number,
  end: number,
  oldSize: number,
): number {
  for (const [i, pfn] of pfns.entries()) {
    const start = (index + i) * PAGE_SIZE;
    if (at <= start && end >= start + PAGE_SIZE) continue;
    if (start >= oldSize) {
      mapping.phys.clearPage(pfn);
      continue;
    }
    const error = mapping.ops.readPages(mapping, index + i, [pfn], 1);
    if (error < 0) return error;
  }
  return 0;
}

function allocFrames(mapping: AddressSpace, count: number): Pfn[] {
  const pfns: Pfn[] = [];
  while (pfns.length < count) {
    const pfn = mapping.phys.allocPage();
    if (pfn === 0) break;
    pfns.push(pfn);
  }
  return pfns;
}

function putFrames(mapping: AddressSpace, pfns: readonly Pfn[]): void {
  for (const pfn of pfns) mapping.phys.putPage(pfn);
}
