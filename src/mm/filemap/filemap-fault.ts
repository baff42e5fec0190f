/**
 * Faults of file mappings (filemap_fault and filemap_map_pages in mm/filemap.c): the page cache as the fault path sees
 * it.
 *
 * A page that is cached costs a minor fault. One that is not is read, with readahead, while the program waits: a major
 * fault. A page that lies wholly past the end of the file is no page: SIGBUS, as for one that storage can't read.
 */
import { PG_DROPBEHIND, PG_LOCKED, PG_READAHEAD, PG_UPTODATE } from "../frames/page-flags.ts";
import { PAGE_SIZE, type Pfn, type PgOff } from "../page.ts";
import { setPageDirty } from "../rmap/page-dirty.ts";
import { PGMAJFAULT } from "../trace/vmstat.ts";
import { ENOMEM } from "../uapi/errno.ts";
import type { AddressSpace } from "../vfs/address-space.ts";
import { type File, fileOf } from "../vfs/file.ts";
import type { VmArea } from "../vma/vm-area.ts";
import {
  FAULT_FLAG_USER,
  VM_FAULT_LOCKED,
  VM_FAULT_MAJOR,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  type VmFault,
  type VmOperations,
} from "../vma/vm-operations.ts";
import { balanceDirtyPagesRatelimited } from "./balance-dirty.ts";
import { fileAccessed, fileUpdateTime } from "./file-times.ts";
import { filemapReadPage } from "./filemap.ts";
import { mmapAsyncReadahead, mmapSyncReadahead } from "./mmap-readahead.ts";
import { findGetPage } from "./page-cache.ts";

/** Finds or reads the page at vmf.pgoff and leaves it, with a reference, in vmf.page. Counts the major fault. */
export function filemapFault(vmf: VmFault): number {
  const file = fileOf(vmf.vma);
  const { mapping } = file;
  if (vmf.pgoff >= filePages(mapping)) return VM_FAULT_SIGBUS;
  const cached = findGetPage(mapping, vmf.pgoff);
  if (cached !== 0) {
    mapping.phys.frames.flags[cached] &= ~PG_DROPBEHIND;
    const startsReading = mmapAsyncReadahead(file, vmf, cached);
    vmf.page = cached;
    // Linux lets go of the lock on the address space to read ahead, and handles the fault anew: as a major one, but where
    // the first attempt held no more than the mapping's lock, as user mode's does (FAULT_FLAG_VMA_LOCK).
    return startsReading && (vmf.flags & FAULT_FLAG_USER) === 0
      ? VM_FAULT_LOCKED | VM_FAULT_MAJOR
      : VM_FAULT_LOCKED;
  }
  mapping.phys.stat[PGMAJFAULT]++;
  mmapSyncReadahead(file, vmf);
  const pfn = filemapReadPage(mapping, vmf.pgoff);
  if (pfn < 0) return (pfn === -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS) | VM_FAULT_MAJOR;
  vmf.page = pfn;
  return VM_FAULT_LOCKED | VM_FAULT_MAJOR;
}

/** A page of a shared mapping is about to become writable: from now on it is dirty, and the file changed. */
export function filemapPageMkwrite(vmf: VmFault): number {
  const { mapping, inode } = fileOf(vmf.vma);
  const { phys } = mapping;
  // Before it is dirty: what write-back cleaned right behind would have to fault once more. Held, as storage may allocate.
  phys.getPage(vmf.page);
  balanceDirtyPagesRatelimited(mapping);
  phys.putPage(vmf.page);
  fileUpdateTime(inode);
  const isTruncated = phys.frames.mapping[vmf.page] !== mapping.id || vmf.pgoff >= filePages(mapping);
  if (isTruncated) return VM_FAULT_SIGBUS;
  setPageDirty(phys, vmf.page);
  return 0;
}

/** What mappings of files with a page cache and storage do (generic_file_vm_ops). */
export const genericFileVmOps: VmOperations = {
  fault: filemapFault,
  mapsAround: true,
  pageMkwrite: filemapPageMkwrite,
};

/** file_operations.mmap of such files. */
export function genericFileMmap(file: File, vma: VmArea): number {
  fileAccessed(file);
  vma.ops = genericFileVmOps;
  return 0;
}

/**
 * The next page at `index` … `last` that a fault nearby may map as well (next_uptodate_folio), 0 when there is none. No
 * reference is taken; its index is in the frame table. A page with the readahead mark is left out: the fault on it is
 * what starts the next window.
 */
export function nextMapPage(mapping: AddressSpace, index: PgOff, last: PgOff): Pfn {
  const { pages } = mapping;
  const { flags } = mapping.phys.frames;
  const end = Math.min(last + 1, filePages(mapping));
  for (let at: number = index; at < end; at = pages.index + 1) {
    const pfn = pages.next(at);
    if (pfn === 0 || pages.index >= end) return 0;
    if ((flags[pfn] & (PG_UPTODATE | PG_LOCKED | PG_READAHEAD)) === PG_UPTODATE) return pfn;
  }
  return 0;
}

/** Fault-around mapped `count` pages that were cached: so many hits (filemap_map_pages). */
export function mmapMissHits(file: File, count: number): void {
  file.raMmapMiss = Math.max(0, file.raMmapMiss - count);
}

export function isLastPage(mapping: AddressSpace, index: PgOff): boolean {
  return index + 1 === filePages(mapping);
}

/** Pages that the file has, the last one in part. */
function filePages(mapping: AddressSpace): number {
  return Math.ceil(mapping.host.size / PAGE_SIZE);
}
