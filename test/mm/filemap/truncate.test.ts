import { describe, expect, it } from "vitest";
import { genericFileRead } from "../../../src/mm/filemap/filemap.ts";
import { nextMapPage } from "../../../src/mm/filemap/filemap-fault.ts";
import { genericFileWrite } from "../../../src/mm/filemap/generic-write.ts";
import { forcePageCacheRa } from "../../../src/mm/filemap/readahead.ts";
import {
  invalidateMapping,
  invalidateUnmapped,
  truncatePunchHole,
  truncateSetsize,
} from "../../../src/mm/filemap/truncate.ts";
import { PG_READAHEAD } from "../../../src/mm/frames/page-flags.ts";
import { PAGE_SIZE } from "../../../src/mm/page.ts";
import { NR_FILE_PAGES, NR_SHMEM, PGMAJFAULT } from "../../../src/mm/trace/vmstat.ts";
import { EBUSY } from "../../../src/mm/uapi/errno.ts";
import { MM_ANONPAGES, MM_FILEPAGES } from "../../../src/mm/vma/mm-struct.ts";
import { VM_FAULT_SIGBUS } from "../../../src/mm/vma/vm-operations.ts";
import { checkCache } from "./check-cache.ts";
import { ByteIter, FakeFile, FakeMapping, pattern, smallMemory } from "./fake-file.ts";

function setup(size: number): { fake: FakeFile; shared: FakeMapping; copied: FakeMapping } {
  const fake = new FakeFile(smallMemory(200), pattern(size));
  const file = fake.open();
  return { fake, shared: new FakeMapping(file, 20), copied: new FakeMapping(file, 20, { shared: false }) };
}

describe("truncation", () => {
  it("takes pages past the end out of every page table, private copies too", () => {
    const { fake, shared, copied } = setup(10 * PAGE_SIZE);
    for (let page = 0; page < 10; page++) {
      shared.store(page, 1, 100 + page);
      copied.store(page, 1, 200 + page);
    }
    truncateSetsize(fake.inode, 5 * PAGE_SIZE + 100);
    expect([shared.mm.rss[MM_FILEPAGES], copied.mm.rss[MM_ANONPAGES]]).toEqual([6, 6]);
    expect([shared.touch(6, false), copied.touch(9, true)]).toEqual([-VM_FAULT_SIGBUS, -VM_FAULT_SIGBUS]);
    expect([shared.load(5, 1), copied.load(5, 1), shared.load(5, 100)]).toEqual([105, 205, 0]);
    checkCache(fake.mapping);
    // Grown again, the file reads zero there, not the copy.
    fake.setStorageSize(10 * PAGE_SIZE);
    fake.bytes.fill(0, 5 * PAGE_SIZE + 100);
    truncateSetsize(fake.inode, 10 * PAGE_SIZE);
    expect([shared.load(6, 1), copied.load(6, 1)]).toEqual([0, 0]);
  });

  it("zeroes what was stored behind the end when the file grows", () => {
    const { fake, shared } = setup(100);
    shared.store(0, 200, 1);
    shared.store(0, 4000, 2);
    expect(genericFileWrite(fake.open(), new ByteIter(fake.phys, pattern(10)), 300)).toBe(10);
    expect([shared.load(0, 200), shared.load(0, 4000)]).toEqual([0, 2]);
    truncateSetsize(fake.inode, PAGE_SIZE);
    expect(shared.load(0, 4000)).toBe(0);
  });

  it("punches holes, but leaves private copies", () => {
    const { fake, shared, copied } = setup(10 * PAGE_SIZE);
    shared.store(3, 0, 1);
    copied.store(3, 0, 2);
    fake.bytes.fill(0, 2 * PAGE_SIZE + 10, 4 * PAGE_SIZE + 20);
    const kept = shared.load(4, 30);
    truncatePunchHole(fake.mapping, 2 * PAGE_SIZE + 10, 4 * PAGE_SIZE + 20);
    expect([shared.load(3, 0), copied.load(3, 0), shared.load(4, 19), shared.load(4, 30)]).toEqual([
      0,
      2,
      0,
      kept,
    ]);
    checkCache(fake.mapping);
  });
});

describe("invalidation", () => {
  it("drops what is clean and reads it again", () => {
    const { fake, shared } = setup(10 * PAGE_SIZE);
    shared.touch(0, false);
    shared.store(5, 0, 9);
    fake.bytes[0] = 77;
    expect(invalidateMapping(fake.mapping)).toBe(-EBUSY);
    expect(fake.mapping.pages.size).toBe(1);
    expect([shared.load(0, 0), shared.load(5, 0)]).toEqual([77, 9]);
    checkCache(fake.mapping);
    const { size } = fake.mapping.pages;
    expect(invalidateUnmapped(fake.mapping, 0, 19)).toBe(size - 2);
  });
});

describe("a fault", () => {
  it("is major when storage is read, and SIGBUS past the end or where storage fails", () => {
    const { fake, shared } = setup(3 * PAGE_SIZE + 1);
    expect(shared.touch(4, false)).toBe(-VM_FAULT_SIGBUS);
    expect(shared.touch(3, false)).toBeGreaterThan(0);
    expect(fake.phys.stat[PGMAJFAULT]).toBe(1);
    expect(shared.touch(0, false)).toBeGreaterThan(0);
    expect(fake.phys.stat[PGMAJFAULT]).toBe(1);
    const bad = setup(3 * PAGE_SIZE);
    bad.fake.badReads.add(1);
    expect([bad.shared.touch(1, false), bad.shared.load(0, 0)]).toEqual([
      -VM_FAULT_SIGBUS,
      bad.fake.bytes[0],
    ]);
    checkCache(bad.fake.mapping);
  });

  it("maps around it what is cached, valid and not marked", () => {
    const { fake } = setup(20 * PAGE_SIZE);
    const { mapping } = fake;
    const { frames } = fake.phys;
    forcePageCacheRa(fake.open(), 3, 4);
    frames.flags[mapping.pages.load(4)] |= PG_READAHEAD;
    const found: number[] = [];
    for (let at = 0; ; at++) {
      const pfn = nextMapPage(mapping, at, 15);
      if (pfn === 0) break;
      at = frames.index[pfn];
      found.push(at);
    }
    expect(found).toEqual([3, 5, 6]);
    expect([nextMapPage(mapping, 0, 2), nextMapPage(mapping, 5, 5)]).toEqual([0, mapping.pages.load(5)]);
  });
});

describe("a file without storage", () => {
  it("keeps its pages in memory, reads holes as zeros and leaves them holes", () => {
    const phys = smallMemory(40);
    const fake = new FakeFile(phys, new Uint8Array(0), /* writesBack */ false);
    const file = fake.open();
    genericFileWrite(file, new ByteIter(phys, pattern(3 * PAGE_SIZE)), 5 * PAGE_SIZE);
    const iter = new ByteIter(phys, new Uint8Array(6 * PAGE_SIZE).fill(1));
    expect(genericFileRead(file, iter, 0)).toBe(6 * PAGE_SIZE);
    expect(iter.bytes.subarray(5 * PAGE_SIZE)).toEqual(pattern(PAGE_SIZE));
    expect(iter.bytes.subarray(0, 5 * PAGE_SIZE).every((byte) => byte === 0)).toBe(true);
    expect([phys.stat[NR_FILE_PAGES], phys.stat[NR_SHMEM]]).toEqual([3, 3]);
    while (phys.allocPage() !== 0);
    expect([phys.stat[NR_SHMEM], fake.mapping.pages.size, fake.writes.length]).toEqual([3, 3, 0]);
    checkCache(fake.mapping);
    truncateSetsize(fake.inode, 0);
    expect([phys.stat[NR_SHMEM], phys.buddy.freeFrames]).toEqual([0, 3]);
  });
});
