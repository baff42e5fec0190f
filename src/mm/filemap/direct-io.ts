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
import { notifyChange } from "../vfs/attributes.ts";
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

/**
 * Bytes read, 0 at the end of the file, or a negative errno. Whoever asks for more than there is gets zeros for the rest; one
 * bad page of memory, be it for these zeros, fails the whole call (iomap_dio_rw).
 * @param blockSize bytes in the smallest unit of storage
 */
export function filemapDirectRead(file: File, iter: IovIter, pos: number, blockSize: number): number {
  const { inode, mapping } = file;
  if (iter.count === 0 || pos >= inode.size) return 0;
  const failed = filemapWriteAndWaitRange(mapping, pos, Math.min(pos + iter.count, inode.size));
  if (failed !== 0) return failed;
  // What storage is asked for ends with the file's last block: whoever wants more may want any number of bytes.
  const stored = Math.min(pos + iter.count, pageAlign(inode.size));
  if (!isAligned(iter, pos, stored - pos, blockSize)) return -EINVAL;
  const end = pinnedEnd(iter, pos, stored, /* write */ true, blockSize);
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
  if (end < stored) error ||= -EFAULT;
  if (error === 0) {
    at += iter.zeroIter(iter.count);
    if (iter.count > 0) error = -EFAULT;
  }
  fileAccessed(file);
  if (error !== 0) return error;
  const read = Math.min(at, inode.size) - pos;
  iter.revert(at - pos - read);
  return read;
}

/**
 * Bytes written, or a negative errno; undefined where a page of the cache can't be dropped, and the write has to go through
 * the cache. A bad page of memory fails the whole call: what came before it is written, mostly as far as the
 * file reached.
 */
export function filemapDirectWrite(
  file: File,
  iter: IovIter,
  pos: number,
  blockSize: number,
): number | undefined {
  const { inode, mapping } = file;
  if (iter.count === 0) return 0;
  const wanted = pos + iter.count;
  const first = Math.floor(pos / PAGE_SIZE);
  const last = Math.ceil(wanted / PAGE_SIZE) - 1;
  const failed = filemapWriteAndWaitRange(mapping, pos, wanted);
  if (failed !== 0) return failed;
  if (invalidateRange(mapping, first, last) !== 0) return undefined;
  if (!isAligned(iter, pos, iter.count, blockSize)) return -EINVAL;
  fileUpdateTime(inode);
  const oldSize = inode.size;
  const pinned = pinnedEnd(iter, pos, wanted, /* write */ false, blockSize);
  // Behind the end of the file Linux fills up the block in which memory gave out, and takes that for success
  // (iomap_dio_bio_iter, zero_tail): the file has become longer, be it by nothing but the gap before the write, when the
  // rest fails in the cache.
  const grows = pinned % PAGE_SIZE !== 0 && pinned >= oldSize;
  if (pinned < wanted && pinned === pos && grows) notifyChange(inode, { size: pos });
  const end = pinned === wanted || grows ? pinned : Math.max(pos, Math.min(pinned, oldSize));
  let at = pos;
  let error = 0;
  while (at < end && error === 0) {
    const begin = at;
    const index = Math.floor(at / PAGE_SIZE);
    const count = Math.min(BATCH_PAGES, Math.ceil(end / PAGE_SIZE) - index);
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
  if (error !== 0) return error;
  return pinned === wanted ? at - pos : -EFAULT;
}

/**
 * Where a transfer that is to reach `end` has to stop for a bad page of memory, at a multiple of a block. All pages are had
 * before the first byte moves (bio_iov_iter_get_pages), since neither a write nor a longer file can be undone.
 */
function pinnedEnd(iter: IovIter, pos: number, end: number, write: boolean, blockSize: number): number {
  const good = iter.pin?.(end - pos, write) ?? end - pos;
  return pos + good < end ? pos + good - (good % blockSize) : end;
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
