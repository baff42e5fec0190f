/** O_DIRECT over a storage that lives in memory: what is in storage, in the cache and in mappings stays one file. */
import { expect, it } from "vitest";
import { filemapDirectRead, filemapDirectWrite } from "../../../src/mm/filemap/direct-io.ts";
import { genericFileRead } from "../../../src/mm/filemap/filemap.ts";
import { genericFileWrite } from "../../../src/mm/filemap/generic-write.ts";
import { PAGE_SIZE } from "../../../src/mm/page.ts";
import { EFAULT, EINVAL } from "../../../src/mm/uapi/errno.ts";
import { checkCache } from "./check-cache.ts";
import { ByteIter, FakeFile, pattern, smallMemory } from "./fake-file.ts";

const SECTOR = 512;

function setup(pages: number): FakeFile {
  return new FakeFile(smallMemory(200), pattern(pages * PAGE_SIZE));
}

it("reads what the cache has newer than storage, and caches nothing itself", () => {
  const fake = setup(4);
  const file = fake.open();
  genericFileWrite(file, new ByteIter(fake.phys, pattern(100, 3)), PAGE_SIZE + 50);
  const cached = fake.mapping.pages.size;
  const bytes = new Uint8Array(3 * PAGE_SIZE);
  expect(filemapDirectRead(file, new ByteIter(fake.phys, bytes), 0, SECTOR)).toBe(bytes.length);
  expect(bytes.subarray(PAGE_SIZE + 50, PAGE_SIZE + 150)).toEqual(pattern(100, 3));
  expect(fake.mapping.pages.size).toBe(cached);
  checkCache(fake.mapping);
});

it("writes past the cache, which forgets what it had", () => {
  const fake = setup(4);
  const file = fake.open();
  genericFileRead(file, new ByteIter(fake.phys, new Uint8Array(2 * PAGE_SIZE)), 0);
  genericFileWrite(file, new ByteIter(fake.phys, pattern(10, 5)), PAGE_SIZE);
  const source = pattern(PAGE_SIZE, 9);
  expect(filemapDirectWrite(file, new ByteIter(fake.phys, source), SECTOR, SECTOR)).toBe(PAGE_SIZE);
  expect([fake.mapping.pages.load(0), fake.mapping.pages.load(1)]).toEqual([0, 0]);
  const all = new Uint8Array(2 * PAGE_SIZE);
  expect(genericFileRead(file, new ByteIter(fake.phys, all), 0)).toBe(all.length);
  expect(all.subarray(SECTOR, SECTOR + PAGE_SIZE)).toEqual(source);
  expect(all.subarray(0, SECTOR)).toEqual(pattern(SECTOR));
  expect(all.subarray(SECTOR + PAGE_SIZE)).toEqual(pattern(2 * PAGE_SIZE).subarray(SECTOR + PAGE_SIZE));
  checkCache(fake.mapping);
});

it("extends the file, zeros before it", () => {
  const fake = setup(1);
  const file = fake.open();
  expect(
    filemapDirectWrite(file, new ByteIter(fake.phys, pattern(SECTOR, 7)), 3 * PAGE_SIZE + SECTOR, SECTOR),
  ).toBe(SECTOR);
  expect(fake.inode.size).toBe(3 * PAGE_SIZE + 2 * SECTOR);
  const tail = new Uint8Array(2 * SECTOR);
  genericFileRead(file, new ByteIter(fake.phys, tail), 3 * PAGE_SIZE);
  expect(tail.subarray(0, SECTOR)).toEqual(new Uint8Array(SECTOR));
  expect(tail.subarray(SECTOR)).toEqual(pattern(SECTOR, 7));
});

it("refuses what is no multiple of a sector, but not behind the end", () => {
  const fake = setup(2);
  const file = fake.open();
  const read = (length: number, pos: number): number =>
    filemapDirectRead(file, new ByteIter(fake.phys, new Uint8Array(length)), pos, SECTOR);
  expect([read(100, 0), read(SECTOR, 100), read(SECTOR, SECTOR)]).toEqual([-EINVAL, -EINVAL, SECTOR]);
  expect([read(100, 2 * PAGE_SIZE), read(0, 5)]).toEqual([0, 0]);
  expect(read(2 * PAGE_SIZE + 100, 0)).toBe(2 * PAGE_SIZE);
  expect(filemapDirectWrite(file, new ByteIter(fake.phys, new Uint8Array(100)), 0, SECTOR)).toBe(-EINVAL);
});

it("leaves a write to the cache where a page of it can't be dropped", () => {
  const fake = setup(2);
  const file = fake.open();
  genericFileRead(file, new ByteIter(fake.phys, new Uint8Array(PAGE_SIZE)), 0);
  const held = fake.mapping.pages.load(0);
  fake.phys.getPage(held);
  const write = (): number | undefined =>
    filemapDirectWrite(file, new ByteIter(fake.phys, pattern(PAGE_SIZE, 9)), 0, SECTOR);
  expect(write()).toBeUndefined();
  expect(fake.writes).toEqual([]);
  fake.phys.putPage(held);
  expect(write()).toBe(PAGE_SIZE);
});

it("fills what is asked for beyond the end with zeros, and fails as a whole where memory ends before", () => {
  const fake = new FakeFile(smallMemory(200), pattern(PAGE_SIZE + 100));
  const file = fake.open();
  const bytes = new Uint8Array(3 * PAGE_SIZE).fill(9);
  const iter = new ByteIter(fake.phys, bytes);
  expect(filemapDirectRead(file, iter, 0, SECTOR)).toBe(PAGE_SIZE + 100);
  expect(iter.at).toBe(PAGE_SIZE + 100);
  expect(bytes.subarray(0, PAGE_SIZE + 100)).toEqual(pattern(PAGE_SIZE + 100));
  expect(bytes.subarray(PAGE_SIZE + 100)).toEqual(new Uint8Array(2 * PAGE_SIZE - 100));
  const bad = new ByteIter(fake.phys, new Uint8Array(3 * PAGE_SIZE), 2 * PAGE_SIZE);
  expect(filemapDirectRead(file, bad, 0, SECTOR)).toBe(-EFAULT);
});

it("writes what comes before a bad page of memory as far as the file reaches, and fails", () => {
  const fake = setup(2);
  const file = fake.open();
  const write = (good: number, pos: number): number | undefined =>
    filemapDirectWrite(
      file,
      new ByteIter(fake.phys, new Uint8Array(2 * PAGE_SIZE).fill(8), good),
      pos,
      SECTOR,
    );
  expect(write(SECTOR + 10, 0)).toBe(-EFAULT);
  expect(write(PAGE_SIZE + SECTOR, 2 * PAGE_SIZE - SECTOR)).toBe(-EFAULT);
  const expected = pattern(2 * PAGE_SIZE);
  expected.fill(8, 0, SECTOR);
  expected.fill(8, 2 * PAGE_SIZE - SECTOR);
  expect(fake.bytes).toEqual(expected);
  expect(fake.inode.size).toBe(2 * PAGE_SIZE);
  expect(write(PAGE_SIZE, 2 * PAGE_SIZE)).toBe(-EFAULT);
  expect(fake.inode.size).toBe(2 * PAGE_SIZE);
});

it("grows the file by what memory gave, where it gives out within a block behind the end", () => {
  const fake = setup(1);
  const source = new ByteIter(fake.phys, new Uint8Array(2 * PAGE_SIZE).fill(8), 3 * SECTOR + 1);
  expect(filemapDirectWrite(fake.open(), source, 2 * PAGE_SIZE, SECTOR)).toBe(-EFAULT);
  expect(fake.inode.size).toBe(2 * PAGE_SIZE + 3 * SECTOR);
  expect(fake.bytes.subarray(2 * PAGE_SIZE)).toEqual(new Uint8Array(3 * SECTOR).fill(8));
});
