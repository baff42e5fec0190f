/**
 * fallocate on files of the host. Node can't ask the host for it, so that holes are zeros which are written, and what is
 * cut out or pushed apart is copied. Room is promised, not taken: a file grows by a hole.
 *
 * Which modes there are, and which ranges they refuse, is ext4's way (fs/ext4/extents.c).
 */
import fs from "node:fs";
import { XA_MAX } from "../../lib/xarray.ts";
import { fileUpdateTime } from "../../mm/filemap/file-times.ts";
import { truncateInodePages, truncatePunchHole } from "../../mm/filemap/truncate.ts";
import { filemapWriteAndWaitRange } from "../../mm/filemap/writeback.ts";
import { PAGE_SIZE, pageAlign } from "../../mm/page.ts";
import { unmapMappingRange } from "../../mm/rmap/rmap-walk.ts";
import { EBADF, EFBIG, EINVAL, EOPNOTSUPP } from "../../mm/uapi/errno.ts";
import { MAX_LFS_FILESIZE } from "../../mm/uapi/fcntl.ts";
import {
  FALLOC_FL_ALLOCATE_RANGE,
  FALLOC_FL_COLLAPSE_RANGE,
  FALLOC_FL_INSERT_RANGE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
} from "../../mm/uapi/fs.ts";
import type { AddressSpace } from "../../mm/vfs/address-space.ts";
import { hostDo } from "./host-error.ts";
import type { NodeInode } from "./node-inode.ts";

const MODES: ReadonlySet<number> = new Set([
  FALLOC_FL_ALLOCATE_RANGE,
  FALLOC_FL_ZERO_RANGE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_COLLAPSE_RANGE,
  FALLOC_FL_INSERT_RANGE,
]);
/** Bytes that are copied or zeroed on the host in one go. */
const CHUNK = 2 ** 20;
/**
 * As much as one call writes on the host, in about a second. A range beyond that is refused: a program could name a hole of
 * terabytes, and nothing would end the call before the host's disk is full.
 */
const MAX_WRITTEN = 2 ** 30;

/** fallocate of an inode that has a descriptor for writing. 0 or negative errno. @param grow sets another size */
export function nodeFallocate(
  inode: NodeInode,
  mode: number,
  offset: number,
  len: number,
  limit: number,
  grow: (size: number) => number,
): number {
  const { mapping } = inode;
  if (mapping === null || !inode.fdWritable) return -EBADF;
  const end = offset + len;
  const keepsSize = (mode & FALLOC_FL_KEEP_SIZE) !== 0;
  // Whatever comes of it, and if that is nothing (file_modified).
  if (MODES.has(mode & ~FALLOC_FL_KEEP_SIZE)) fileUpdateTime(inode);
  switch (mode & ~FALLOC_FL_KEEP_SIZE) {
    case FALLOC_FL_ALLOCATE_RANGE:
    case FALLOC_FL_ZERO_RANGE: {
      const grows = !keepsSize && end > inode.size;
      if (grows && end > limit) return -EFBIG;
      if ((mode & FALLOC_FL_ZERO_RANGE) !== 0) {
        const failed = zeroRange(inode, mapping, offset, end);
        if (failed !== 0) return failed;
      }
      return grows ? grow(end) : 0;
    }
    case FALLOC_FL_PUNCH_HOLE:
      if (offset >= inode.size) return 0;
      // A hole that reaches past the end of the file takes the rest of its last page along.
      return zeroRange(inode, mapping, offset, end > inode.size ? pageAlign(inode.size) : end);
    case FALLOC_FL_COLLAPSE_RANGE:
      if (offset % PAGE_SIZE !== 0 || len % PAGE_SIZE !== 0 || end >= inode.size) return -EINVAL;
      return moveRest(inode, mapping, end, offset);
    case FALLOC_FL_INSERT_RANGE:
      if (offset % PAGE_SIZE !== 0 || len % PAGE_SIZE !== 0) return -EINVAL;
      if (len > MAX_LFS_FILESIZE - inode.size) return -EFBIG;
      if (offset >= inode.size) return -EINVAL;
      return moveRest(inode, mapping, offset, end);
    default:
      return -EOPNOTSUPP;
  }
}

/**
 * Bytes `start` … `end` become zero: on the host first, then in memory, where mappings may have put something behind the end
 * of the file.
 */
function zeroRange(inode: NodeInode, mapping: AddressSpace, start: number, end: number): number {
  // What the host has not got yet is in the cache alone.
  let hostEnd = 0;
  const unknown = hostDo(() => {
    hostEnd = Math.min(end, inode.size, fs.fstatSync(inode.fd).size);
  });
  if (unknown !== 0) return unknown;
  if (hostEnd - start > MAX_WRITTEN) return -EOPNOTSUPP;
  if (hostEnd > start) inode.hostTimesStale = true;
  const failed = hostDo(() => writeZeros(inode.fd, start, hostEnd));
  if (failed !== 0) return failed;
  truncatePunchHole(mapping, start, end);
  return 0;
}

function writeZeros(fd: number, start: number, end: number): void {
  if (start >= end) return;
  const zeros = new Uint8Array(Math.min(CHUNK, end - start));
  for (let at = start; at < end; ) at += fs.writeSync(fd, zeros, 0, Math.min(zeros.length, end - at), at);
}

/**
 * What lies from byte `from` on in the file lies from `to` on afterwards; what comes in between, when it moves up, is
 * zero. Nothing of it stays in memory, private copies neither: they would show other places of the file.
 */
function moveRest(inode: NodeInode, mapping: AddressSpace, from: number, to: number): number {
  if (inode.size - from + Math.max(0, to - from) > MAX_WRITTEN) return -EOPNOTSUPP;
  const failed = filemapWriteAndWaitRange(mapping, 0, Number.POSITIVE_INFINITY);
  if (failed !== 0) return failed;
  const begin = Math.min(from, to);
  unmapMappingRange(mapping, begin / PAGE_SIZE, XA_MAX, /* evenCows */ true);
  truncateInodePages(mapping, begin);
  const { size, fd } = inode;
  const newSize = size + to - from;
  inode.hostTimesStale = true;
  const refused = hostDo(() => {
    if (fs.fstatSync(fd).size < size) fs.ftruncateSync(fd, size);
    const buffer = new Uint8Array(Math.min(CHUNK, size - from));
    for (let done = 0; done < size - from; ) {
      const n = Math.min(buffer.length, size - from - done);
      // Upwards from the end, so that nothing is overwritten before it is read.
      const at = to < from ? done : size - from - done - n;
      readAll(fd, buffer, n, from + at);
      for (let put = 0; put < n; ) put += fs.writeSync(fd, buffer, put, n - put, to + at + put);
      done += n;
    }
    if (to > from) writeZeros(fd, from, Math.min(to, newSize));
    else fs.ftruncateSync(fd, newSize);
  });
  if (refused !== 0) return refused;
  inode.size = newSize;
  inode.hostSize = newSize;
  fileUpdateTime(inode);
  return 0;
}

/** Fills the first n bytes of the buffer; what the host does not have is zero. */
function readAll(fd: number, buffer: Uint8Array, n: number, position: number): void {
  let done = 0;
  while (done < n) {
    const got = fs.readSync(fd, buffer, done, n - done, position + done);
    if (got === 0) break;
    done += got;
  }
  buffer.fill(0, done, n);
}
