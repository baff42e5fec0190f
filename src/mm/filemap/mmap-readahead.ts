/**
 * Readahead for mappings (do_sync_mmap_readahead, do_async_mmap_readahead in mm/filemap.c).
 *
 * A fault says less than a read: one page is wanted, of how many nobody knows. So a miss reads a window around the page
 * rather than behind it, until misses outnumber hits by so much that the program must be jumping about. MADV_RANDOM
 * turns it off, MADV_SEQUENTIAL makes it behave as for read(2). Code is read from the faulting page on, within its
 * mapping: what lies before and behind it in the file is not code.
 */
import { PG_READAHEAD } from "../frames/page-flags.ts";
import { PAGE_SIZE, type Pfn } from "../page.ts";
import type { File } from "../vfs/file.ts";
import { VM_EXEC, VM_RAND_READ, VM_SEQ_READ } from "../vma/vm-flags.ts";
import type { VmFault } from "../vma/vm-operations.ts";
import { pageCacheAsyncRa, pageCacheSyncRa, submitWindow } from "./readahead.ts";

/** Misses beyond the hits after which reading around is given up (MMAP_LOTSAMISS). */
const LOTS_OF_MISSES = 100;

/** The faulting page is not cached. */
export function mmapSyncReadahead(file: File, vmf: VmFault): void {
  const { vma, pgoff } = vmf;
  if ((vma.flags & VM_RAND_READ) !== 0 || file.raPages === 0) return;
  if ((vma.flags & VM_SEQ_READ) !== 0) {
    pageCacheSyncRa(file, pgoff, file.raPages);
    return;
  }
  // The count stays near the limit, so that a program that settles down gets its readahead back soon.
  if (file.raMmapMiss < LOTS_OF_MISSES * 10) file.raMmapMiss++;
  if (file.raMmapMiss > LOTS_OF_MISSES) return;
  if ((vma.flags & VM_EXEC) !== 0) {
    const vmaEnd = vma.pgoff + (vma.end - vma.start) / PAGE_SIZE;
    submitWindow(file, pgoff, Math.min(file.raPages, vmaEnd - pgoff), 0);
    return;
  }
  submitWindow(file, Math.max(0, pgoff - (file.raPages >> 1)), file.raPages, file.raPages >> 2);
}

/** The faulting page is cached, in frame `pfn`. Answers whether it bore the mark at which the next window is read. */
export function mmapAsyncReadahead(file: File, vmf: VmFault, pfn: Pfn): boolean {
  if ((vmf.vma.flags & VM_RAND_READ) !== 0 || file.raPages === 0) return false;
  if (file.raMmapMiss > 0) file.raMmapMiss--;
  if ((file.mapping.phys.frames.flags[pfn] & PG_READAHEAD) === 0) return false;
  pageCacheAsyncRa(file, pfn, file.raPages);
  return true;
}
