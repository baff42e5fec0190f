/** Which transfers an access pattern causes: the numbers are those of mm/readahead.c for a window of 32 pages. */
import { describe, expect, it } from "vitest";
import { genericFileRead } from "../../../src/mm/filemap/filemap.ts";
import { forcePageCacheRa } from "../../../src/mm/filemap/readahead.ts";
import { PAGE_SIZE } from "../../../src/mm/page.ts";
import type { File } from "../../../src/mm/vfs/file.ts";
import { VM_EXEC, VM_RAND_READ, VM_SEQ_READ } from "../../../src/mm/vma/vm-flags.ts";
import { ByteIter, FakeFile, FakeMapping, smallMemory } from "./fake-file.ts";

const FILE_PAGES = 1000;

function setup(size = FILE_PAGES * PAGE_SIZE): { fake: FakeFile; file: File } {
  const fake = new FakeFile(smallMemory(2000), new Uint8Array(size));
  return { fake, file: fake.open() };
}

function read(file: File, page: number, pages: number): void {
  genericFileRead(file, new ByteIter(file.mapping.phys, new Uint8Array(pages * PAGE_SIZE)), page * PAGE_SIZE);
}

/** The transfers, those that touch each other joined: storage is called for 32 pages at most. */
function transfers(fake: FakeFile): [number, number][] {
  const joined: [number, number][] = [];
  for (const [index, count] of fake.reads) {
    const last = joined.at(-1);
    if (last !== undefined && last[0] + last[1] === index && last[1] % 32 === 0) last[1] += count;
    else joined.push([index, count]);
  }
  return joined;
}

describe("read", () => {
  it("opens a window at the start of the file and doubles it as the reader reaches the mark", () => {
    const { fake, file } = setup();
    const atPage: Record<number, [number, number]> = {};
    for (let page = 0; page < 130; page++) {
      const before = fake.reads.length;
      read(file, page, 1);
      if (fake.reads.length > before) atPage[page] = fake.reads[before];
    }
    expect(atPage).toEqual({
      0: [0, 4],
      1: [4, 8],
      4: [12, 16],
      12: [28, 32],
      28: [60, 32],
      60: [92, 32],
      92: [124, 32],
      124: [156, 32],
    });
  });

  it("reads a large first request as one window", () => {
    const { fake, file } = setup();
    read(file, 0, 16);
    expect([fake.reads, file.raStart, file.raSize, file.raAsync]).toEqual([[[0, 32]], 0, 32, 16]);
  });

  it("lets a request larger than the window have what one transfer can carry", () => {
    const { fake, file } = setup();
    read(file, 0, 256);
    expect(transfers(fake)).toEqual([[0, 512]]);
    expect([file.raStart, file.raSize]).toEqual([256, 256]);
  });

  it("reads just what was asked for at a random place, and a window where the next read goes on", () => {
    const { fake, file } = setup();
    read(file, 100, 1);
    read(file, 500, 2);
    read(file, 502, 1);
    expect(fake.reads).toEqual([
      [100, 1],
      [500, 2],
      [502, 4],
    ]);
  });

  it("takes cached pages before a miss as the trace of a stream", () => {
    const { fake, file } = setup();
    forcePageCacheRa(file, 200, 8);
    read(file, 208, 1);
    expect(fake.reads).toEqual([
      [200, 8],
      [208, 9],
    ]);
    expect([file.raStart, file.raSize, file.raAsync]).toEqual([208, 9, 1]);
  });

  it("goes on from another stream's mark by what is cached behind it", () => {
    const { fake, file } = setup();
    read(file, 0, 1);
    const other = fake.open();
    other.raPrev = -1;
    read(other, 1, 1);
    // 3 pages are cached from the mark on; with the one asked for 4, and twice that.
    expect(fake.reads).toEqual([
      [0, 4],
      [4, 8],
    ]);
  });

  it("stops at the end of the file", () => {
    const { fake, file } = setup(5 * PAGE_SIZE + 1);
    read(file, 0, 10);
    expect(fake.reads).toEqual([[0, 6]]);
  });

  it("reads single pages where readahead is off", () => {
    const { fake, file } = setup();
    file.raPages = 0;
    read(file, 0, 3);
    expect(fake.reads).toEqual([
      [0, 1],
      [1, 1],
      [2, 1],
    ]);
  });

  it("does not read what is cached", () => {
    const { fake, file } = setup();
    forcePageCacheRa(file, 2, 1);
    read(file, 0, 4);
    expect(fake.reads).toEqual([
      [2, 1],
      [0, 2],
      [3, 5],
    ]);
  });
});

describe("a mapping", () => {
  it("reads around a miss, and goes on when the mark is touched", () => {
    const { fake, file } = setup();
    const mapping = new FakeMapping(file, FILE_PAGES);
    mapping.touch(100, false);
    expect([fake.reads, file.raStart, file.raSize, file.raAsync]).toEqual([[[84, 32]], 84, 32, 8]);
    mapping.touch(107, false);
    expect(fake.reads.length).toBe(1);
    mapping.touch(108, false);
    expect(fake.reads[1]).toEqual([116, 32]);
  });

  it("reads single pages with MADV_RANDOM", () => {
    const { fake, file } = setup();
    const mapping = new FakeMapping(file, FILE_PAGES, { flags: VM_RAND_READ });
    mapping.touch(100, false);
    mapping.touch(101, false);
    expect(fake.reads).toEqual([
      [100, 1],
      [101, 1],
    ]);
  });

  it("reads forward with MADV_SEQUENTIAL", () => {
    const { fake, file } = setup();
    const mapping = new FakeMapping(file, FILE_PAGES, { flags: VM_SEQ_READ });
    mapping.touch(0, false);
    expect([fake.reads, file.raAsync]).toEqual([[[0, 32]], 16]);
  });

  it("reads code from the fault on, within its mapping", () => {
    const { fake, file } = setup();
    const mapping = new FakeMapping(file, 20, { flags: VM_EXEC, pgoff: 50 });
    mapping.touch(5, false);
    expect(fake.reads).toEqual([[55, 15]]);
  });

  it("gives up reading around when a hundred misses outnumber the hits", () => {
    const { fake, file } = setup();
    const mapping = new FakeMapping(file, FILE_PAGES);
    file.raMmapMiss = 99;
    mapping.touch(100, false);
    mapping.touch(300, false);
    expect(fake.reads).toEqual([
      [84, 32],
      [300, 1],
    ]);
    for (let page = 84; page < 100; page++) mapping.touch(page, false);
    mapping.touch(500, false);
    expect(fake.reads.at(-1)).toEqual([484, 32]);
  });
});
