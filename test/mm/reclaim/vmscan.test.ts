import { describe, expect, it } from "vitest";
import { genericFileRead } from "../../../src/mm/filemap/filemap.ts";
import { genericFileWrite } from "../../../src/mm/filemap/generic-write.ts";
import { findGetPage } from "../../../src/mm/filemap/page-cache.ts";
import { PAGE_SIZE } from "../../../src/mm/page.ts";
import {
  NR_ACTIVE_FILE,
  PGSCAN_DIRECT,
  PGSCAN_KSWAPD,
  PGSTEAL_DIRECT,
  PGSTEAL_FILE,
  PGSTEAL_KSWAPD,
} from "../../../src/mm/trace/vmstat.ts";
import { VM_LOCKED } from "../../../src/mm/vma/vm-flags.ts";
import { checkCache } from "../filemap/check-cache.ts";
import { ByteIter, FakeFile, FakeMapping, pattern, smallMemory } from "../filemap/fake-file.ts";

describe("reclaim", () => {
  it("lets a program read a mapped file 20 times as large as RAM", () => {
    const ramPages = 256;
    const pages = 20 * ramPages;
    const phys = smallMemory(ramPages);
    const fake = new FakeFile(phys, pattern(pages * PAGE_SIZE));
    const mapping = new FakeMapping(fake.open(), pages);
    for (let page = 0; page < pages; page++) {
      if (mapping.load(page, page % PAGE_SIZE) !== fake.bytes[page * PAGE_SIZE + (page % PAGE_SIZE)]) {
        throw new Error(`page ${page} reads wrong`);
      }
    }
    checkCache(fake.mapping);
    const { stat } = phys;
    const stolen = stat[PGSTEAL_DIRECT] + stat[PGSTEAL_KSWAPD];
    expect(stolen).toBeGreaterThan(pages - ramPages - 32);
    expect(stat[PGSTEAL_FILE]).toBe(stolen);
    expect(stat[PGSCAN_DIRECT] + stat[PGSCAN_KSWAPD]).toBeGreaterThanOrEqual(stolen);
    expect(fake.writes.length).toBe(0);
  });

  it("writes dirty pages back before it drops them", () => {
    const phys = smallMemory(64);
    const fake = new FakeFile(phys, pattern(400 * PAGE_SIZE));
    const mapping = new FakeMapping(fake.open(), 400);
    for (let page = 0; page < 400; page++) expect(mapping.store(page, 5, 255 - (page % 200))).toBe(true);
    for (let page = 0; page < 400; page++) expect(mapping.load(page, 5)).toBe(255 - (page % 200));
    checkCache(fake.mapping);
    expect(mapping.staleTlbPage()).toBeUndefined();
  });

  it("takes no page that somebody holds, and none that is locked in memory", () => {
    const phys = smallMemory(64);
    const fake = new FakeFile(phys, pattern(400 * PAGE_SIZE));
    const file = fake.open();
    const locked = new FakeMapping(file, 2, { flags: VM_LOCKED });
    const pinned = [locked.touch(0, false), locked.touch(1, false)];
    const mapping = new FakeMapping(file, 400);
    const held = mapping.touch(10, false);
    findGetPage(fake.mapping, 10);
    for (let page = 0; page < 400; page++) mapping.touch(page, false);
    expect([fake.mapping.pages.load(0), fake.mapping.pages.load(1)]).toEqual(pinned);
    expect(fake.mapping.pages.load(10)).toBe(held);
    expect(phys.frames.refCount[held]).toBeGreaterThan(1);
    phys.putPage(held);
    checkCache(fake.mapping);
  });

  it("keeps what is used again and again while a stream passes by", () => {
    const phys = smallMemory(128);
    const fake = new FakeFile(phys, pattern(2000 * PAGE_SIZE));
    const hot = fake.open();
    const stream = fake.open();
    const read = (file: typeof hot, page: number): void => {
      genericFileRead(file, new ByteIter(phys, new Uint8Array(PAGE_SIZE)), page * PAGE_SIZE);
    };
    // Twice each, with another page in between: a use of its own.
    for (let round = 0; round < 3; round++) for (let page = 0; page < 20; page++) read(hot, page);
    expect(phys.stat[NR_ACTIVE_FILE]).toBe(20);
    for (let page = 100; page < 2000; page++) read(stream, page);
    fake.reads = [];
    for (let page = 0; page < 20; page++) read(hot, page);
    expect(fake.reads).toEqual([]);
    checkCache(fake.mapping);
  });

  it("frees nothing when there is nothing that may go", () => {
    const phys = smallMemory(20);
    let count = 0;
    while (phys.allocPage() !== 0) count++;
    expect(count).toBe(phys.totalFrames);
  });

  it("writes a file larger than RAM", () => {
    const phys = smallMemory(32);
    const fake = new FakeFile(phys, new Uint8Array(0));
    const bytes = pattern(300 * PAGE_SIZE, 3);
    expect(genericFileWrite(fake.open(), new ByteIter(phys, bytes), 0)).toBe(bytes.length);
    expect(fake.writes.reduce((sum, [, pages]) => sum + pages, 0)).toBeGreaterThan(260);
    checkCache(fake.mapping);
  });
});
