/** What must hold of a page cache, its frames, lists and counters after any step: recounted from scratch. */

import { expect } from "vitest";
import { XA_DIRTY, XA_TOWRITE, XA_WRITEBACK } from "../../../src/lib/xarray.ts";
import { forEachLru } from "../../../src/mm/frames/lru.ts";
import {
  PG_ANON,
  PG_BUDDY,
  PG_DIRTY,
  PG_LRU,
  PG_RESERVED,
  PG_UPTODATE,
} from "../../../src/mm/frames/page-flags.ts";
import {
  NR_ACTIVE_FILE,
  NR_ANON_MAPPED,
  NR_FILE_DIRTY,
  NR_FILE_MAPPED,
  NR_FILE_PAGES,
  NR_INACTIVE_ANON,
  NR_UNEVICTABLE,
  NR_WRITEBACK,
} from "../../../src/mm/trace/vmstat.ts";
import type { AddressSpace } from "../../../src/mm/vfs/address-space.ts";

/** @param mappings all page caches of the memory */
export function checkCache(...mappings: readonly AddressSpace[]): void {
  const { phys } = mappings[0];
  const { frames, stat } = phys;
  let filePages = 0;
  let dirty = 0;
  for (const mapping of mappings) {
    const { pages } = mapping;
    for (let pfn = pages.next(0); pfn !== 0; pfn = pages.next(pages.index + 1)) {
      const { index } = pages;
      filePages++;
      const isDirty = (frames.flags[pfn] & PG_DIRTY) !== 0;
      if (isDirty && mapping.ops.writesBack) dirty++;
      expect({
        mapping: frames.mapping[pfn],
        index: frames.index[pfn],
        refs: frames.refCount[pfn],
        flags: frames.flags[pfn] & (PG_UPTODATE | PG_LRU),
        dirtyTag: pages.getTag(index, XA_DIRTY),
      }).toEqual({
        mapping: mapping.id,
        index,
        refs: 1 + frames.mapCount[pfn],
        flags: PG_UPTODATE | PG_LRU,
        dirtyTag: isDirty && mapping.ops.writesBack,
      });
    }
    expect(pages.isTagged(XA_TOWRITE) || pages.isTagged(XA_WRITEBACK)).toBe(false);
  }
  expect([stat[NR_FILE_PAGES], stat[NR_FILE_DIRTY], stat[NR_WRITEBACK]]).toEqual([filePages, dirty, 0]);
  let listed = 0;
  for (let list = NR_INACTIVE_ANON; list <= NR_UNEVICTABLE; list++) {
    let length = 0;
    forEachLru(phys, 0, list - NR_INACTIVE_ANON, (pfn) => {
      length++;
      expect(frames.flags[pfn] & PG_LRU).toBe(PG_LRU);
    });
    expect(stat[list]).toBe(length);
    listed += length;
  }
  expect(stat[NR_ACTIVE_FILE]).toBeLessThanOrEqual(filePages);
  let anonMapped = 0;
  let fileMapped = 0;
  for (let pfn: number = phys.ram.firstPfn; pfn < phys.ram.endPfn; pfn++) {
    if ((frames.flags[pfn] & (PG_BUDDY | PG_RESERVED)) !== 0 || frames.mapCount[pfn] === 0) continue;
    if ((frames.flags[pfn] & PG_ANON) !== 0) anonMapped++;
    else fileMapped++;
  }
  expect([stat[NR_ANON_MAPPED], stat[NR_FILE_MAPPED]]).toEqual([anonMapped, fileMapped]);
  expect(listed).toBe(filePages + anonMapped);
}
