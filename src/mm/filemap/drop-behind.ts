/**
 * Transfers that leave nothing behind (RWF_DONTCACHE; PG_dropbehind in mm/filemap.c): through the page cache like any other, but
 * the pages that they brought in go as soon as they have served: those of a read when they were copied from, those of a
 * write when storage has them. What was cached before stays, and a page that somebody else writes to or maps
 * meanwhile has become an ordinary one.
 */
import { PG_DIRTY, PG_DROPBEHIND, PG_ERROR, PG_LOCKED, PG_WRITEBACK } from "../frames/page-flags.ts";
import type { Pfn } from "../page.ts";
import { unmapMappingRange } from "../rmap/rmap-walk.ts";
import type { AddressSpace } from "../vfs/address-space.ts";
import { deleteFromPageCache } from "./page-cache.ts";

const STAYS: number = PG_DIRTY | PG_LOCKED | PG_WRITEBACK | PG_ERROR;

/** Drops the page of `mapping` if it is one of those and has served (filemap_end_dropbehind). */
export function endDropBehind(mapping: AddressSpace, pfn: Pfn): void {
  const { frames } = mapping.phys;
  if ((frames.flags[pfn] & (PG_DROPBEHIND | STAYS)) !== PG_DROPBEHIND || frames.mapping[pfn] !== mapping.id)
    return;
  // In somebody's hands beside the cache and page tables: whoever works with the page needs it.
  if (frames.refCount[pfn] !== 1 + frames.mapCount[pfn]) return;
  const index = frames.index[pfn];
  if (frames.mapCount[pfn] !== 0) unmapMappingRange(mapping, index, index, /* evenCows */ false);
  deleteFromPageCache(mapping, pfn);
}
