/**
 * A page-cache page that is newer than its file (folio_mark_dirty, mm/page-writeback.c).
 *
 * The frame has PG_DIRTY, and where storage stands behind the mapping, the page has the DIRTY tag in the radix tree,
 * which is how write-back finds it, and is counted. A page of tmpfs is its own storage: it keeps only the flag.
 *
 * It stands in this room because it is what a PTE's dirty bit turns into when the PTE goes away.
 */
import { XA_DIRTY, XA_TOWRITE } from "../../lib/xarray.ts";
import { PG_ANON, PG_DIRTY } from "../frames/page-flags.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import type { Pfn } from "../page.ts";
import { NR_DIRTIED, NR_FILE_DIRTY } from "../trace/vmstat.ts";
import { AddressSpace } from "../vfs/address-space.ts";
import { I_DIRTY_PAGES, markInodeDirty } from "../vfs/backing-dev.ts";

/** Marks a page dirty. Answers whether it was clean. A page that truncation took out of its file stays as it is. */
export function setPageDirty(phys: PhysicalMemory, pfn: Pfn): boolean {
  const { frames } = phys;
  const flags = frames.flags[pfn];
  if ((flags & PG_DIRTY) !== 0) return false;
  if ((flags & PG_ANON) === 0) {
    const mapping = phys.owners.get(frames.mapping[pfn]);
    if (!(mapping instanceof AddressSpace)) return false;
    if (mapping.ops.writesBack) {
      mapping.pages.setTag(frames.index[pfn], XA_DIRTY);
      phys.stat[NR_FILE_DIRTY]++;
      phys.stat[NR_DIRTIED]++;
      markInodeDirty(mapping.host, I_DIRTY_PAGES);
    }
  }
  frames.flags[pfn] = flags | PG_DIRTY;
  return true;
}

/** The page's changes need not reach the file any more: it is being written, or truncated. Answers whether it was dirty. */
export function cancelPageDirty(mapping: AddressSpace, pfn: Pfn): boolean {
  const { frames, stat } = mapping.phys;
  if ((frames.flags[pfn] & PG_DIRTY) === 0) return false;
  frames.flags[pfn] &= ~PG_DIRTY;
  if (mapping.ops.writesBack) {
    mapping.pages.clearTag(frames.index[pfn], XA_DIRTY);
    mapping.pages.clearTag(frames.index[pfn], XA_TOWRITE);
    stat[NR_FILE_DIRTY]--;
  }
  return true;
}
