import { describe, expect, it } from "vitest";
import { XA_DIRTY } from "../../../src/lib/xarray.ts";
import { clearPageDirtyForIo } from "../../../src/mm/filemap/dirty.ts";
import { genericFileRead } from "../../../src/mm/filemap/filemap.ts";
import { filemapFault } from "../../../src/mm/filemap/filemap-fault.ts";
import { genericFileWrite } from "../../../src/mm/filemap/generic-write.ts";
import { filemapWriteAndWaitRange, fileWriteAndWaitRange } from "../../../src/mm/filemap/writeback.ts";
import { PG_DIRTY } from "../../../src/mm/frames/page-flags.ts";
import { PAGE_SIZE } from "../../../src/mm/page.ts";
import { PTE_DIRTY, PTE_WRITE } from "../../../src/mm/pagetable/pte.ts";
import { initialRlimits } from "../../../src/mm/syscalls/task.ts";
import type { TraceEvent } from "../../../src/mm/trace/events.ts";
import { NR_DIRTIED, NR_FILE_DIRTY, NR_WRITTEN, PGPGIN, PGPGOUT } from "../../../src/mm/trace/vmstat.ts";
import { EFAULT, EIO, ENOMEM } from "../../../src/mm/uapi/errno.ts";
import { O_APPEND } from "../../../src/mm/uapi/fcntl.ts";
import { RWF_NOAPPEND } from "../../../src/mm/uapi/fs.ts";
import type { File } from "../../../src/mm/vfs/file.ts";
import { vfsPwrite } from "../../../src/mm/vfs/read-write.ts";
import { checkCache } from "./check-cache.ts";
import { ByteIter, FakeFile, FakeMapping, pattern, smallMemory } from "./fake-file.ts";

const ALL = Number.POSITIVE_INFINITY;

function setup(pages = 100): { fake: FakeFile; file: File } {
  const fake = new FakeFile(smallMemory(500), pattern(pages * PAGE_SIZE));
  return { fake, file: fake.open() };
}

function write(file: File, pos: number, bytes: Uint8Array): number {
  return genericFileWrite(file, new ByteIter(file.mapping.phys, bytes), pos);
}

describe("write-back", () => {
  it("writes what is dirty in the range, neighbours together, and counts", () => {
    const { fake, file } = setup();
    const { stat } = fake.phys;
    for (const page of [3, 4, 5, 9, 20]) write(file, page * PAGE_SIZE, pattern(PAGE_SIZE, 9));
    expect([stat[NR_FILE_DIRTY], stat[NR_DIRTIED], stat[PGPGIN], fake.reads.length]).toEqual([5, 5, 0, 0]);
    const events: TraceEvent[] = [];
    fake.phys.tracer.subscribe((event) => events.push(event));
    expect(filemapWriteAndWaitRange(fake.mapping, 4 * PAGE_SIZE, 9 * PAGE_SIZE + 1)).toBe(0);
    expect(fake.writes).toEqual([
      [4, 2],
      [9, 1],
    ]);
    expect(events).toEqual([
      { type: "writeback", path: "/file", index: 4, pages: 2 },
      { type: "writeback", path: "/file", index: 9, pages: 1 },
    ]);
    expect([stat[NR_FILE_DIRTY], stat[NR_WRITTEN], stat[PGPGOUT]]).toEqual([2, 3, 12]);
    checkCache(fake.mapping);
    expect(filemapWriteAndWaitRange(fake.mapping, 0, ALL)).toBe(0);
    expect(filemapWriteAndWaitRange(fake.mapping, 0, ALL)).toBe(0);
    expect(fake.writes.length).toBe(4);
    expect(fake.mapping.pages.isTagged(XA_DIRTY)).toBe(false);
  });

  it("protects and cleans the PTEs first, so that the next store is noticed", () => {
    const { fake, file } = setup();
    const one = new FakeMapping(file, 10);
    const other = new FakeMapping(file, 10);
    one.store(2, 7, 99);
    other.store(2, 8, 98);
    expect(one.pte(2) & (PTE_WRITE | PTE_DIRTY)).toBe(PTE_WRITE | PTE_DIRTY);
    fake.clock = 2000;
    expect(fileWriteAndWaitRange(file, 0, ALL)).toBe(0);
    expect([one.pte(2) & (PTE_WRITE | PTE_DIRTY), other.pte(2) & (PTE_WRITE | PTE_DIRTY)]).toEqual([0, 0]);
    expect([...fake.bytes.subarray(2 * PAGE_SIZE + 7, 2 * PAGE_SIZE + 9)]).toEqual([99, 98]);
    expect([one.staleTlbPage(), other.staleTlbPage()]).toEqual([undefined, undefined]);
    const pfn = fake.mapping.pages.load(2);
    expect(fake.phys.frames.flags[pfn] & PG_DIRTY).toBe(0);
    expect(fake.inode.mtimeNs).toBe(1000);
    one.store(2, 7, 97);
    expect([fake.phys.frames.flags[pfn] & PG_DIRTY, fake.inode.mtimeNs]).toEqual([PG_DIRTY, 2000]);
  });

  it("finds a page dirty that only a PTE knows to be", () => {
    const { fake, file } = setup();
    const mapping = new FakeMapping(file, 10, { ops: { fault: filemapFault, mapsAround: true } });
    const pfn = mapping.touch(1, true);
    expect(fake.phys.frames.flags[pfn] & PG_DIRTY).toBe(0);
    expect([clearPageDirtyForIo(fake.mapping, pfn), clearPageDirtyForIo(fake.mapping, pfn)]).toEqual([
      true,
      false,
    ]);
    expect(mapping.pte(1) & (PTE_WRITE | PTE_DIRTY)).toBe(0);
    checkCache(fake.mapping);
  });

  it("zeroes what lies past the end of the file", () => {
    const { fake, file } = setup(1);
    const mapping = new FakeMapping(file, 2);
    write(file, PAGE_SIZE, pattern(10));
    mapping.store(1, 50, 77);
    expect(mapping.load(1, 50)).toBe(77);
    fileWriteAndWaitRange(file, 0, ALL);
    expect([mapping.load(1, 50), fake.bytes.length]).toEqual([0, PAGE_SIZE + 10]);
  });
});

describe("a failing storage", () => {
  it("is reported once by each open file, and costs only the pages that fail", () => {
    const { fake, file } = setup();
    const other = fake.open();
    for (const page of [0, 1, 2]) write(file, page * PAGE_SIZE, pattern(PAGE_SIZE, 5));
    fake.badWrites.add(1);
    expect(fileWriteAndWaitRange(file, 0, ALL)).toBe(-EIO);
    expect(fileWriteAndWaitRange(file, 0, ALL)).toBe(0);
    expect(fileWriteAndWaitRange(other, 0, ALL)).toBe(-EIO);
    expect(fileWriteAndWaitRange(other, 0, ALL)).toBe(0);
    expect(fake.bytes.subarray(2 * PAGE_SIZE, 3 * PAGE_SIZE)).toEqual(pattern(PAGE_SIZE, 5));
    const iter = new ByteIter(fake.phys, new Uint8Array(PAGE_SIZE));
    genericFileRead(file, iter, PAGE_SIZE);
    expect(iter.bytes).toEqual(pattern(PAGE_SIZE, 5));
    checkCache(fake.mapping);
    write(file, PAGE_SIZE, pattern(1));
    expect(filemapWriteAndWaitRange(fake.mapping, 0, ALL)).toBe(-EIO);
    expect([fileWriteAndWaitRange(file, 0, ALL), fileWriteAndWaitRange(other, 0, ALL)]).toEqual([-EIO, -EIO]);
  });

  it("ends a read after what could be read", () => {
    const { fake, file } = setup();
    fake.badReads.add(2);
    const iter = new ByteIter(fake.phys, new Uint8Array(4 * PAGE_SIZE));
    expect(genericFileRead(file, iter, 0)).toBe(2 * PAGE_SIZE);
    expect(genericFileRead(file, iter, 2 * PAGE_SIZE)).toBe(-EIO);
    checkCache(fake.mapping);
    fake.badReads.clear();
    expect(genericFileRead(file, iter, 2 * PAGE_SIZE)).toBe(2 * PAGE_SIZE);
  });
});

describe("write", () => {
  it("reads a page that it changes in part, and no other", () => {
    const { fake, file } = setup(4);
    expect(write(file, PAGE_SIZE - 5, pattern(PAGE_SIZE + 10))).toBe(PAGE_SIZE + 10);
    expect(fake.reads).toEqual([
      [0, 1],
      [2, 1],
    ]);
    expect(write(file, 10 * PAGE_SIZE + 1, pattern(3))).toBe(3);
    expect([fake.reads.length, fake.inode.size]).toEqual([2, 10 * PAGE_SIZE + 4]);
  });

  it("appends with O_APPEND, and stamps the file", () => {
    const fake = new FakeFile(smallMemory(50), pattern(10));
    const file = fake.open(O_APPEND);
    fake.clock = 3000;
    const writer = { uid: 0, gid: 0, rlimits: initialRlimits(1000) };
    expect(vfsPwrite(file, new ByteIter(fake.phys, pattern(5)), 0, writer)).toBe(5);
    expect([fake.inode.size, fake.inode.mtimeNs, fake.inode.ctimeNs]).toEqual([15, 3000, 3000]);
    expect(vfsPwrite(file, new ByteIter(fake.phys, pattern(5)), 0, writer, RWF_NOAPPEND)).toBe(5);
    expect(fake.inode.size).toBe(15);
  });

  it("is short where the source ends early, and EFAULT when nothing was there", () => {
    const { fake, file } = setup(4);
    const source = (good: number): ByteIter => new ByteIter(fake.phys, pattern(2 * PAGE_SIZE, 50), good);
    expect(genericFileWrite(file, source(0), 0)).toBe(-EFAULT);
    expect(genericFileWrite(file, source(100), PAGE_SIZE)).toBe(100);
    const iter = new ByteIter(fake.phys, new Uint8Array(PAGE_SIZE));
    genericFileRead(file, iter, PAGE_SIZE);
    expect(iter.bytes.subarray(0, 100)).toEqual(pattern(100, 50));
    expect(iter.bytes.subarray(100)).toEqual(pattern(4 * PAGE_SIZE).subarray(PAGE_SIZE + 100, 2 * PAGE_SIZE));
    expect(genericFileWrite(file, source(PAGE_SIZE + 3), 8 * PAGE_SIZE)).toBe(PAGE_SIZE + 3);
    expect(fake.inode.size).toBe(9 * PAGE_SIZE + 3);
    checkCache(fake.mapping);
  });

  it("survives a source that is the page being written", () => {
    const { fake, file } = setup(4);
    const mapping = new FakeMapping(file, 4);
    const source = new ByteIter(fake.phys, pattern(PAGE_SIZE, 50));
    source.onCopy = () => mapping.touch(1, false);
    expect(genericFileWrite(file, source, PAGE_SIZE)).toBe(PAGE_SIZE);
    expect([mapping.load(1, 0), mapping.load(1, 4095)]).toEqual([source.bytes[0], source.bytes[4095]]);
    checkCache(fake.mapping);
  });
});

it("leaves everything in order wherever memory runs out", () => {
  for (let allocations = 0; allocations < 12; allocations++) {
    const { fake, file } = setup(8);
    fake.phys.failAfter = allocations;
    const read = genericFileRead(file, new ByteIter(fake.phys, new Uint8Array(8 * PAGE_SIZE)), 0);
    const written = write(file, 6 * PAGE_SIZE + 1, pattern(5 * PAGE_SIZE, 3));
    fake.phys.failAfter = -1;
    expect(read).toBe(allocations === 0 ? -ENOMEM : Math.min(allocations, 8) * PAGE_SIZE);
    // Pages 6 … 11 are written: those that the read has cached, then as many as there are frames left.
    const cached = Math.min(allocations, 8);
    const firstMissing = cached <= 6 ? 6 : cached + (allocations - cached);
    expect(written).toBe(firstMissing === 6 ? -ENOMEM : firstMissing * PAGE_SIZE - (6 * PAGE_SIZE + 1));
    checkCache(fake.mapping);
  }
});
