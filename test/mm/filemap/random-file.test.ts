/** Any sequence of reads, writes, truncations, syncs and stores through a mapping, against an array of bytes. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { genericFileRead } from "../../../src/mm/filemap/filemap.ts";
import { genericFileWrite } from "../../../src/mm/filemap/generic-write.ts";
import { truncatePunchHole, truncateSetsize } from "../../../src/mm/filemap/truncate.ts";
import { fileWriteAndWaitRange } from "../../../src/mm/filemap/writeback.ts";
import { PAGE_SIZE } from "../../../src/mm/page.ts";
import { zapRange } from "../../../src/mm/rmap/zap.ts";
import { checkCache } from "./check-cache.ts";
import { ByteIter, FakeFile, FakeMapping, pattern, smallMemory } from "./fake-file.ts";

const MAX_PAGES = 60;
const MAX = MAX_PAGES * PAGE_SIZE;
/** Positions near the edges of pages, where the mistakes are. */
const position = fc.oneof(
  fc.nat(MAX),
  fc
    .tuple(fc.nat(MAX_PAGES - 1), fc.integer({ min: -3, max: 3 }))
    .map(([page, off]) => Math.max(0, page * PAGE_SIZE + off)),
);
const length = fc.oneof(
  fc.nat(300),
  fc.nat(5 * PAGE_SIZE),
  fc.constantFrom(PAGE_SIZE, 2 * PAGE_SIZE, 40 * PAGE_SIZE),
);
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant("write" as const),
      position,
      length,
      seed: fc.nat(99),
      bad: fc.option(fc.nat(2 * PAGE_SIZE), { freq: 4 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ op: fc.constant("read" as const), position, length }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("truncate" as const), position }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("punch" as const), position, length }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("fsync" as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant("store" as const),
      position,
      value: fc.integer({ min: 1, max: 255 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("load" as const), position }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("unmap" as const), position, length }) },
);

it("behaves like an array of bytes, in RAM smaller than the file", () => {
  fc.assert(
    fc.property(
      fc.nat(MAX),
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 12, max: 40 }),
      (size, steps, ramPages) => {
        const phys = smallMemory(ramPages);
        const fake = new FakeFile(phys, pattern(size));
        const file = fake.open();
        const mapping = new FakeMapping(file, MAX_PAGES);
        let model = pattern(size);
        const resize = (to: number): void => {
          const next = new Uint8Array(to);
          next.set(model.subarray(0, to));
          model = next;
        };
        for (const one of steps) {
          if (one.op === "write") {
            const bytes = pattern(Math.min(one.length, MAX - one.position), one.seed);
            const good = Math.min(one.bad ?? bytes.length, bytes.length);
            const written = genericFileWrite(file, new ByteIter(phys, bytes, good), one.position);
            if (bytes.length > 0) expect(written).toBe(good === 0 ? -14 : good);
            // Linux lets the file reach up to where the write begins before it faults the source in (ext4, tmpfs).
            if (bytes.length > 0 && one.position > model.length) resize(one.position);
            if (good > 0 && one.position + good > model.length) resize(one.position + good);
            if (good > 0) model.set(bytes.subarray(0, good), one.position);
          } else if (one.op === "read") {
            const iter = new ByteIter(phys, new Uint8Array(one.length));
            const expected = model.subarray(one.position, one.position + one.length);
            expect(genericFileRead(file, iter, one.position)).toBe(expected.length);
            expect(Buffer.compare(iter.bytes.subarray(0, expected.length), expected)).toBe(0);
          } else if (one.op === "truncate") {
            fake.setStorageSize(one.position);
            truncateSetsize(fake.inode, one.position);
            resize(one.position);
          } else if (one.op === "punch") {
            const end = Math.min(one.position + one.length, model.length);
            if (end <= one.position) continue;
            fake.bytes.fill(0, one.position, end);
            truncatePunchHole(fake.mapping, one.position, end);
            model.fill(0, one.position, end);
          } else if (one.op === "fsync") {
            expect(fileWriteAndWaitRange(file, 0, Number.POSITIVE_INFINITY)).toBe(0);
            const storage = Buffer.alloc(model.length);
            storage.set(fake.bytes.subarray(0, model.length));
            expect(Buffer.compare(storage, model)).toBe(0);
          } else if (one.op === "unmap") {
            const from = Math.min(Math.floor(one.position / PAGE_SIZE), MAX_PAGES);
            const to = Math.min(from + Math.ceil(one.length / PAGE_SIZE), MAX_PAGES);
            zapRange(mapping.mm, mapping.vma, mapping.addr(from), mapping.addr(to));
          } else {
            const page = Math.floor(one.position / PAGE_SIZE);
            const offset = one.position % PAGE_SIZE;
            if (page >= MAX_PAGES) continue;
            const isInside = page * PAGE_SIZE < model.length;
            if (one.op === "store") {
              expect(mapping.store(page, offset, one.value)).toBe(isInside);
              if (one.position < model.length) model[one.position] = one.value;
            } else if (one.position < model.length || !isInside) {
              expect(mapping.load(page, offset)).toBe(isInside ? model[one.position] : -1);
            }
          }
          expect(fake.inode.size).toBe(model.length);
          checkCache(fake.mapping);
          expect(mapping.staleTlbPage()).toBeUndefined();
        }
      },
    ),
    { numRuns: 150, examples: [[0, [{ op: "write", position: 1, length: 4096, seed: 0, bad: 0 }], 12]] },
  );
}, 60_000);
