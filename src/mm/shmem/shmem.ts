/**
 * shmem (mm/shmem.c): files that live in the page cache and nowhere else.
 *
 * Everything in Linux that is memory with a name, or memory that processes share, is one of these: files of tmpfs,
 * memfd, MAP_SHARED | MAP_ANONYMOUS, a shared mapping of /dev/zero. Here are the operations of such a file; where its
 * pages come from stands in shmem-page.ts, what names it has in tmpfs.ts.
 */
import { XA_MAX } from "../../lib/xarray.ts";
import { fileAccessed, fileUpdateTime } from "../filemap/file-times.ts";
import { truncateInodePages, truncatePunchHole, truncateSetsize } from "../filemap/truncate.ts";
import { markPageAccessed } from "../frames/lru.ts";
import { PG_REFERENCED, PG_UPTODATE } from "../frames/page-flags.ts";
import { ZERO_PFN } from "../frames/ram.ts";
import { PAGE_SIZE, type Pfn, type PgOff, pageAlign } from "../page.ts";
import { setPageDirty } from "../rmap/page-dirty.ts";
import { unmapMappingRange } from "../rmap/rmap-walk.ts";
import { EFAULT, EFBIG, ENOMEM, ENOSPC, ENXIO, EOPNOTSUPP, EPERM } from "../uapi/errno.ts";
import { MAX_LFS_FILESIZE, SEEK_DATA, SEEK_HOLE } from "../uapi/fcntl.ts";
import {
  F_SEAL_EXEC,
  F_SEAL_FUTURE_WRITE,
  F_SEAL_GROW,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
} from "../uapi/fs.ts";
import { applyAttributes } from "../vfs/attributes.ts";
import type { File, FileOperations } from "../vfs/file.ts";
import type { AttributeChange, Inode, InodeOperations } from "../vfs/inode.ts";
import type { IovIter } from "../vfs/iov-iter.ts";
import type { Pipe } from "../vfs/pipe.ts";
import { genericLlseek, setPosition } from "../vfs/read-write.ts";
import type { VmArea } from "../vma/vm-area.ts";
import type { ShmemInode } from "./shmem-inode.ts";
import { cacheOf, shmemGetPage, shmemOf, shmemVmOps } from "./shmem-page.ts";
import { isShmemSwapped, shmemDropSwap, shmemSwapin } from "./shmem-swap.ts";
import { dropXattrs, shmemGetxattr, shmemListxattr, shmemSetxattr } from "./shmem-xattr.ts";

const WRITE_SEALS = F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;

function shmemRead(file: File, to: IovIter, start: number): number {
  const inode = shmemOf(file.inode);
  const mapping = cacheOf(inode);
  const { phys } = mapping;
  let pos = start;
  while (to.count > 0 && pos < inode.size) {
    const offset = pos % PAGE_SIZE;
    const wanted = Math.min(PAGE_SIZE - offset, inode.size - pos, to.count);
    const pfn = findShmemPage(inode, (pos - offset) / PAGE_SIZE);
    if (pfn < 0) {
      if (pos === start) return pfn;
      break;
    }
    let copied: number;
    if (pfn === 0) {
      copied = to.zeroIter(wanted);
    } else {
      // The destination may fault, and the fault may want memory: the page must not go meanwhile, so it is held.
      copied = to.copyToIter(pfn * PAGE_SIZE + offset, wanted);
      if (offset === 0) markPageAccessed(phys, pfn);
      phys.putPage(pfn);
    }
    pos += copied;
    if (copied < wanted) {
      if (pos === start) return -EFAULT;
      break;
    }
  }
  fileAccessed(file);
  return pos - start;
}

/**
 * The page that holds data, with a reference, from swap if it is there; 0 for a hole, be it reserved or not; or negative errno
 * (shmem_get_folio, SGP_READ).
 */
function findShmemPage(inode: ShmemInode, index: PgOff): Pfn | number {
  const mapping = cacheOf(inode);
  const { frames } = mapping.phys;
  const cached = mapping.pages.load(index);
  if (cached === 0) return isShmemSwapped(inode, index) ? shmemSwapin(inode, index) : 0;
  if ((frames.flags[cached] & PG_UPTODATE) === 0) return 0;
  mapping.phys.getPage(cached);
  return cached;
}

/** Puts the file's pages into the pipe's free buffers, zeros for holes (shmem_file_splice_read). */
function shmemSpliceRead(file: File, start: number, pipe: Pipe, len: number): number {
  const inode = shmemOf(file.inode);
  const { phys } = cacheOf(inode);
  const end = Math.min(start + Math.min(len, pipe.freeBuffers * PAGE_SIZE), inode.size);
  let pos = start;
  while (pos < end && !pipe.isFull) {
    const offset = pos % PAGE_SIZE;
    const bytes = Math.min(PAGE_SIZE - offset, end - pos);
    const pfn = findShmemPage(inode, (pos - offset) / PAGE_SIZE);
    if (pfn < 0) {
      if (pos === start) return pfn;
      break;
    }
    if (pfn === 0) pipe.pushPage(ZERO_PFN, offset, offset + bytes);
    else {
      markPageAccessed(phys, pfn);
      pipe.pushPage(pfn, offset, offset + bytes);
      phys.putPage(pfn);
    }
    pos += bytes;
  }
  fileAccessed(file);
  return Math.max(pos - start, 0);
}

/**
 * A page of which only a part is to go must be in memory for that (shmem_get_partial_folio). Answers it with a reference;
 * 0 where nothing is in swap, or it can't be read from there; -ENOMEM. Linux, which kills until it finds a frame, would
 * leave the bytes behind then, to come back when the file grows again; here the call fails instead.
 */
function bringBackEdge(inode: ShmemInode, at: number): Pfn | number {
  const index = Math.floor(at / PAGE_SIZE);
  if (at % PAGE_SIZE === 0 || !isShmemSwapped(inode, index)) return 0;
  const { phys } = inode.sb.context;
  let pfn = shmemSwapin(inode, index);
  if (pfn === -ENOMEM) {
    const before = phys.mayUseReserves;
    phys.mayUseReserves = true;
    pfn = shmemSwapin(inode, index);
    phys.mayUseReserves = before;
  }
  return pfn === -ENOMEM ? pfn : Math.max(pfn, 0);
}

function putEdge(inode: ShmemInode, pfn: Pfn): void {
  if (pfn > 0) inode.sb.context.phys.putPage(pfn);
}

/** 0, or -EPERM when a seal forbids writing bytes up to `end`. */
function checkWriteSeals(inode: ShmemInode, end: number): number {
  if ((inode.seals & WRITE_SEALS) !== 0) return -EPERM;
  return (inode.seals & F_SEAL_GROW) !== 0 && end > inode.size ? -EPERM : 0;
}

function shmemWrite(file: File, from: IovIter, start: number): number {
  if (from.count === 0) return 0;
  const inode = shmemOf(file.inode);
  fileUpdateTime(inode);
  let pos = start;
  let vain = 0;
  while (from.count > 0) {
    const wanted = Math.min(PAGE_SIZE - (pos % PAGE_SIZE), from.count);
    const copied = shmemWritePage(inode, from, pos, wanted, vain < MAX_VAIN_TRIES);
    if (copied < 0) return pos > start ? pos - start : copied;
    vain = copied > 0 ? 0 : vain + 1;
    // Only now the source is faulted in: it may lie in what the file has just become longer by.
    if (copied === 0 && (vain > MAX_VAIN_TRIES || (from.faultInReadable?.(wanted) ?? 0) === 0)) {
      return pos > start ? pos - start : -EFAULT;
    }
    pos += copied;
  }
  return pos - start;
}

/** So often reclaim may take the source away again before the copy takes the fault itself. */
const MAX_VAIN_TRIES = 4;

/**
 * Copies `wanted` bytes into the one page at `pos`, as far as the source is there (`isAtomic`). How many went, or negative
 * errno. Each try counts as a use of the page.
 */
function shmemWritePage(
  inode: ShmemInode,
  from: IovIter,
  pos: number,
  wanted: number,
  isAtomic: boolean,
): number {
  const sealed = checkWriteSeals(inode, pos + wanted);
  if (sealed !== 0) return sealed;
  const offset = pos % PAGE_SIZE;
  const { phys, pages } = cacheOf(inode);
  const index = (pos - offset) / PAGE_SIZE;
  const isNew = pages.load(index) === 0;
  const pfn = shmemGetPage(inode, index);
  if (pfn < 0) return pfn;
  if (isNew) phys.frames.flags[pfn] |= PG_REFERENCED;
  else markPageAccessed(phys, pfn);
  // As in genericFileWrite: the file reaches up to where the write begins before its source is faulted in.
  if (pos > inode.size) inode.size = pos;
  const to = pfn * PAGE_SIZE + offset;
  const copied =
    isAtomic && from.copyFromIterAtomic !== undefined
      ? from.copyFromIterAtomic(to, wanted)
      : from.copyFromIter(to, wanted);
  // Even of a write that copies nothing, the page stays, and is data (shmem_write_end).
  setPageDirty(phys, pfn);
  if (copied > 0) {
    phys.flushIcache(pfn);
    // What a mapping wrote past the old end stays: tmpfs, unlike ext4, shows it once the file covers it.
    if (pos + copied > inode.size) inode.size = pos + copied;
  }
  phys.putPage(pfn);
  return copied;
}

function shmemMmap(file: File, vma: VmArea): number {
  fileAccessed(file);
  vma.ops = shmemVmOps;
  return 0;
}

/** Data is where the cache has a page; the rest is hole (shmem_file_llseek). */
/** Whether the page holds data, in memory or in swap: one that was only reserved counts as a hole. */
function holdsData(inode: ShmemInode, index: PgOff): boolean {
  const mapping = cacheOf(inode);
  const cached = mapping.pages.load(index);
  if (cached === 0) return isShmemSwapped(inode, index);
  return (mapping.phys.frames.flags[cached] & PG_UPTODATE) !== 0;
}

/** The first page from `index` on that holds data; infinity for none. */
function nextDataPage(inode: ShmemInode, index: PgOff): PgOff {
  const { pages } = cacheOf(inode);
  const { swapped } = inode;
  for (let at = index; ; at++) {
    const inMemory = pages.next(at) === 0 ? Number.POSITIVE_INFINITY : pages.index;
    const inSwap = swapped.next(at) === 0 ? Number.POSITIVE_INFINITY : swapped.index;
    at = Math.min(inMemory, inSwap);
    if (at === Number.POSITIVE_INFINITY || holdsData(inode, at)) return at;
  }
}

function shmemLlseek(file: File, offset: number, whence: number): number {
  if (whence !== SEEK_DATA && whence !== SEEK_HOLE) return genericLlseek(file, offset, whence);
  const { size } = file.inode;
  const inode = shmemOf(file.inode);
  if (offset < 0 || offset >= size) return -ENXIO;
  let index = Math.floor(offset / PAGE_SIZE);
  if (whence === SEEK_DATA) {
    index = nextDataPage(inode, index);
    if (index * PAGE_SIZE >= size) return -ENXIO;
  } else {
    while (holdsData(inode, index)) index++;
  }
  return setPosition(file, Math.min(Math.max(offset, index * PAGE_SIZE), size));
}

function shmemFallocate(
  file: File,
  mode: number,
  offset: number,
  len: number,
  limit = Number.POSITIVE_INFINITY,
): number {
  const inode = shmemOf(file.inode);
  if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) !== 0) return -EOPNOTSUPP;
  const end = offset + len;
  if ((mode & FALLOC_FL_PUNCH_HOLE) !== 0) {
    if ((inode.seals & WRITE_SEALS) !== 0) return -EPERM;
    const first = bringBackEdge(inode, offset);
    if (first < 0) return first;
    const last = bringBackEdge(inode, end);
    if (last < 0) {
      putEdge(inode, first);
      return last;
    }
    // Of a hole that ends in the first page Linux gets the end of the pages to unmap wrong, and takes all behind it.
    if (end + 1 < PAGE_SIZE)
      unmapMappingRange(cacheOf(inode), offset === 0 ? 0 : 1, XA_MAX, /* evenCows */ false);
    truncatePunchHole(cacheOf(inode), offset, end);
    putEdge(inode, first);
    putEdge(inode, last);
    shmemDropSwap(inode, Math.ceil(offset / PAGE_SIZE), Math.floor(end / PAGE_SIZE) - 1);
    dirtyPage(inode, offset);
    dirtyPage(inode, end - 1);
    inode.sb.recalc(inode);
    fileUpdateTime(inode);
    return 0;
  }
  // inode_newsize_ok, which does not ask whether the size is to be kept.
  if (end > inode.size && (end > limit || end > MAX_LFS_FILESIZE)) return -EFBIG;
  if ((inode.seals & F_SEAL_GROW) !== 0 && end > inode.size) return -EPERM;
  const failed = shmemPreallocate(inode, Math.floor(offset / PAGE_SIZE), pageAlign(end) / PAGE_SIZE);
  if (failed !== 0) return failed;
  if ((mode & FALLOC_FL_KEEP_SIZE) === 0 && end > inode.size) inode.size = end;
  fileUpdateTime(inode);
  return 0;
}

/** A page that lost a part, and is still there, is dirty (shmem_undo_range): its zeros are nowhere else. */
function dirtyPage(inode: ShmemInode, pos: number): void {
  const mapping = cacheOf(inode);
  const pfn = mapping.pages.load(Math.floor(pos / PAGE_SIZE));
  if (pfn !== 0) setPageDirty(mapping.phys, pfn);
}

/** Fills the holes in pages first … end, or, where memory or space ends first, none of them. */
function shmemPreallocate(inode: ShmemInode, first: PgOff, end: PgOff): number {
  const mapping = cacheOf(inode);
  if (end - first > inode.sb.maxPages) return -ENOSPC;
  const made: PgOff[] = [];
  for (let index = first; index < end; index++) {
    const cached = mapping.pages.load(index);
    if (cached !== 0) {
      // Reserved a second time, it is data: only a page of this call's own can be told apart and taken back.
      mapping.phys.frames.flags[cached] |= PG_UPTODATE;
      setPageDirty(mapping.phys, cached);
      continue;
    }
    if (isShmemSwapped(inode, index)) continue;
    const pfn = shmemGetPage(inode, index);
    if (pfn >= 0) mapping.phys.frames.flags[pfn] &= ~PG_UPTODATE;
    if (pfn < 0) {
      for (const undo of made) {
        truncatePunchHole(mapping, undo * PAGE_SIZE, (undo + 1) * PAGE_SIZE);
        shmemDropSwap(inode, undo, undo);
      }
      inode.sb.recalc(inode);
      return pfn;
    }
    // So that no reclaim takes for a hole what was reserved.
    setPageDirty(mapping.phys, pfn);
    mapping.phys.putPage(pfn);
    made.push(index);
  }
  return 0;
}

export const shmemFileOps: FileOperations = {
  takesRwf: true,
  canDirect: true,
  read: shmemRead,
  write: shmemWrite,
  spliceRead: shmemSpliceRead,
  spliceWrite: "write",
  llseek: shmemLlseek,
  mmap: shmemMmap,
  fsync: () => 0,
  fallocate: shmemFallocate,
};

function shmemSetattr(inode: Inode, change: AttributeChange): number {
  const shmem = shmemOf(inode);
  const { mode, size } = change;
  const sealedExec = (inode.seals & F_SEAL_EXEC) !== 0;
  if (mode !== undefined && sealedExec && ((inode.mode ^ mode) & 0o111) !== 0) return -EPERM;
  if (size !== undefined) {
    const isSame = size === inode.size;
    const seal = size < inode.size ? F_SEAL_SHRINK : F_SEAL_GROW;
    if (!isSame && (inode.seals & seal) !== 0) return -EPERM;
    const hasPages = (inode.mapping?.pages.size ?? 0) + shmem.swappedPages > 0;
    if (isSame && !hasPages && change.mtimeNs === undefined) return 0;
    // What lies behind the end goes also where that stays in its place (shmem_truncate_range).
    if (size <= inode.size) {
      const edge = bringBackEdge(shmem, size);
      if (edge < 0) return edge;
      truncateSetsize(inode, size);
      putEdge(shmem, edge);
      shmemDropSwap(shmem, Math.ceil(size / PAGE_SIZE), XA_MAX);
      shmem.sb.recalc(shmem);
      dirtyPage(shmem, size);
    } else {
      // No zeroing of the old tail: see shmemWritePage.
      inode.size = size;
    }
    inode.mtimeNs = inode.sb.now();
  }
  applyAttributes(inode, change);
  return 0;
}

/** The last user is gone: all pages go, and with them the file. */
function shmemEvict(inode: Inode): void {
  const shmem = shmemOf(inode);
  dropXattrs(shmem);
  shmem.policy?.free();
  shmem.sb.releaseInode(shmem);
  if (inode.mapping === null) return;
  truncateInodePages(inode.mapping, 0);
  shmemDropSwap(shmem, 0, XA_MAX);
  shmem.sb.recalc(shmem);
  shmem.sb.unreserve(shmem);
  inode.mapping.destroy();
  inode.mapping = null;
}

/** What every inode of shmem can do; tmpfs adds names. */
export const shmemInodeOps: InodeOperations = {
  setattr: shmemSetattr,
  evict: shmemEvict,
  getxattr: shmemGetxattr,
  setxattr: shmemSetxattr,
  listxattr: shmemListxattr,
};
