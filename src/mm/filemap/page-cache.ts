/**
 * The page cache (mm/filemap.c): the pages of a file that are in memory, found by their number in the file.
 *
 * Everything that touches a file's bytes goes through these frames: read and write copy from and to them, mappings map
 * them. A page is read from storage before it enters the cache, so that whatever is found there is valid (PG_UPTODATE).
 * The cache holds one reference; reclaim and truncation take the page out again.
 */
import { BugError } from "../bug.ts";
import { lruAdd, lruDel } from "../frames/lru.ts";
import { clearMlocked } from "../frames/mlock.ts";
import {
  PG_DROPBEHIND,
  PG_READAHEAD,
  PG_SHM_LOCKED,
  PG_SWAPBACKED,
  PG_UNEVICTABLE,
  PG_UPTODATE,
} from "../frames/page-flags.ts";
import { workingsetEviction, workingsetRefault } from "../frames/workingset.ts";
import { PAGE_SIZE, type Pfn, type PgOff } from "../page.ts";
import { cancelPageDirty } from "../rmap/page-dirty.ts";
import { NR_FILE_PAGES, NR_SHMEM, PGPGIN, UNEVICTABLE_PGCULLED } from "../trace/vmstat.ts";
import type { AddressSpace } from "../vfs/address-space.ts";
import { dPath } from "../vfs/path.ts";

/** What one page counts in PGPGIN and PGPGOUT, which count KiB. */
export const PAGE_KIB: number = PAGE_SIZE / 1024;

/**
 * Puts a frame that belongs to nobody else into the cache, which takes over the caller's reference. Pages of a file
 * system without storage are as good as anonymous to reclaim: only swap could take them.
 *
 * A page that reclaim took before may have earned a place among the active ones by coming back; not one that was written
 * as a whole, which says nothing of what was there before (`overwritten`).
 */
export function addToPageCache(
  mapping: AddressSpace,
  index: PgOff,
  pfn: Pfn,
  overwritten: boolean = false,
): void {
  const { phys } = mapping;
  const { frames, stat } = phys;
  const old = mapping.pages.store(index, pfn);
  if (old !== 0) throw new BugError("addToPageCache", `page ${index} is cached already, in frame ${old}`);
  frames.mapping[pfn] = mapping.id;
  frames.index[pfn] = index;
  stat[NR_FILE_PAGES]++;
  if (!mapping.ops.writesBack) {
    frames.flags[pfn] |= PG_SWAPBACKED;
    stat[NR_SHMEM]++;
  }
  if (mapping.isUnevictable) {
    frames.flags[pfn] |= PG_SHM_LOCKED | PG_UNEVICTABLE;
    stat[UNEVICTABLE_PGCULLED]++;
  }
  if (mapping.dropsBehind) frames.flags[pfn] |= PG_DROPBEHIND;
  const shadow = mapping.shadows.take(index);
  if (shadow !== 0 && !overwritten) workingsetRefault(phys, pfn, shadow);
  lruAdd(phys, pfn);
}

/** As deleteFromPageCache for a clean page that reclaim takes: leaves a shadow in its place (__remove_mapping). */
export function evictFromPageCache(mapping: AddressSpace, pfn: Pfn): void {
  const index = mapping.phys.frames.index[pfn];
  const shadow = workingsetEviction(mapping.phys, pfn);
  deleteFromPageCache(mapping, pfn);
  if (shadow !== 0) mapping.shadows.store(index, shadow);
}

/** Takes a page that no PTE maps out of the cache. Its changes, if any, are given up. */
export function deleteFromPageCache(mapping: AddressSpace, pfn: Pfn): void {
  const { phys } = mapping;
  const { frames, stat } = phys;
  if (frames.mapCount[pfn] !== 0) {
    throw new BugError("deleteFromPageCache", `frame ${pfn} is mapped ${frames.mapCount[pfn]} times`);
  }
  cancelPageDirty(mapping, pfn);
  const index = frames.index[pfn];
  const found = mapping.pages.erase(index);
  if (found !== pfn) throw new BugError("deleteFromPageCache", `page ${index} is ${found}, not ${pfn}`);
  lruDel(phys, pfn);
  clearMlocked(phys, pfn);
  frames.flags[pfn] &= ~(PG_SHM_LOCKED | PG_UNEVICTABLE | PG_DROPBEHIND);
  frames.mapping[pfn] = 0;
  stat[NR_FILE_PAGES]--;
  if (!mapping.ops.writesBack) stat[NR_SHMEM]--;
  phys.putPage(pfn);
}

/** The cached page with a reference for the caller, 0 when it is not cached. */
export function findGetPage(mapping: AddressSpace, index: PgOff): Pfn {
  const pfn = mapping.pages.load(index);
  if (pfn !== 0) mapping.phys.frames.refCount[pfn]++;
  return pfn;
}

/**
 * Reads pages `index` … `index + count − 1`, none of them cached, into the fresh frames pfns[0…count) and adds them to
 * the cache; page `mark` becomes the readahead marker. 0, or a negative errno with the frames given back.
 */
export function readIntoCache(
  mapping: AddressSpace,
  index: PgOff,
  pfns: readonly Pfn[],
  count: number,
  mark: PgOff,
): number {
  const { phys } = mapping;
  const error = readFromStorage(mapping, index, pfns, count);
  if (error < 0) {
    for (let i = 0; i < count; i++) phys.putPage(pfns[i]);
    return error;
  }
  if (mapping.ops.writesBack) {
    phys.stat[PGPGIN] += count * PAGE_KIB;
    if (phys.tracer.enabled) {
      phys.tracer.emit({ type: "cache-read", path: mappingPath(mapping), index, pages: count });
    }
  }
  for (let i = 0; i < count; i++) {
    phys.frames.flags[pfns[i]] |= index + i === mark ? PG_UPTODATE | PG_READAHEAD : PG_UPTODATE;
    addToPageCache(mapping, index + i, pfns[i]);
  }
  return 0;
}

function readFromStorage(mapping: AddressSpace, index: PgOff, pfns: readonly Pfn[], count: number): number {
  const injected = mapping.host.sb.bdi?.faults?.beforeRead(mapping, index, count) ?? 0;
  const error = injected !== 0 ? injected : mapping.ops.readPages(mapping, index, pfns, count);
  const { tracer } = mapping.phys;
  if (error < 0 && tracer.enabled) {
    tracer.emit({ type: "io-error", op: "read", path: mappingPath(mapping), index, pages: count, error });
  }
  return error;
}

/** A path of the file, for trace events; "" once it has no name. */
export function mappingPath(mapping: AddressSpace): string {
  for (const dentry of mapping.host.aliases) return dPath(dentry);
  return "";
}
