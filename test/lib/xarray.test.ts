import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { XA_DIRTY, XA_MAX, XA_TOWRITE, XA_WRITEBACK, XArray, type XaTag } from "../../src/lib/xarray.ts";

/** Indices that crowd one node, cross nodes, and reach every height of the tree. */
const index = fc.oneof(
  fc.nat(200),
  fc.nat(5000),
  fc.integer({ min: 0, max: 50 }).map((bit) => 2 ** bit),
  fc.integer({ min: 1, max: 51 }).map((bit) => 2 ** bit - 1),
  fc.double({ min: 0, max: XA_MAX - 1, noNaN: true }).map(Math.floor),
);
const tag = fc.constantFrom<XaTag>(XA_DIRTY, XA_WRITEBACK, XA_TOWRITE);
const value = fc.integer({ min: 1, max: 2 ** 28 });
const step = fc.oneof(
  fc.record({ op: fc.constant("store" as const), index, value }),
  fc.record({ op: fc.constant("erase" as const), index }),
  fc.record({ op: fc.constant("setTag" as const), index, tag }),
  fc.record({ op: fc.constant("clearTag" as const), index, tag }),
);

interface Entry {
  value: number;
  readonly tags: Set<XaTag>;
}

function walk(array: XArray, tagged: XaTag | undefined): [number, number][] {
  const found: [number, number][] = [];
  for (let from = 0; ; from = array.index + 1) {
    const value = tagged === undefined ? array.next(from) : array.nextTagged(from, tagged);
    if (value === 0) return found;
    found.push([array.index, value]);
  }
}

describe("XArray", () => {
  it("is a sorted map with tags, whatever is stored and erased", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const array = new XArray();
        const model = new Map<number, Entry>();
        for (const one of steps) {
          const entry = model.get(one.index);
          if (one.op === "store") {
            expect(array.store(one.index, one.value)).toBe(entry?.value ?? 0);
            if (entry === undefined) model.set(one.index, { value: one.value, tags: new Set() });
            else entry.value = one.value;
          } else if (one.op === "erase") {
            expect(array.erase(one.index)).toBe(entry?.value ?? 0);
            model.delete(one.index);
          } else if (one.op === "setTag") {
            array.setTag(one.index, one.tag);
            entry?.tags.add(one.tag);
          } else {
            array.clearTag(one.index, one.tag);
            entry?.tags.delete(one.tag);
          }
          expect(array.size).toBe(model.size);
        }
        const sorted = [...model].sort(([a], [b]) => a - b);
        expect(walk(array, undefined)).toEqual(sorted.map(([at, entry]) => [at, entry.value]));
        for (const one of [XA_DIRTY, XA_WRITEBACK, XA_TOWRITE] as const) {
          const tagged = sorted.filter(([, entry]) => entry.tags.has(one));
          expect(walk(array, one)).toEqual(tagged.map(([at, entry]) => [at, entry.value]));
          expect(array.isTagged(one)).toBe(tagged.length > 0);
          for (const [at, entry] of sorted) expect(array.getTag(at, one)).toBe(entry.tags.has(one));
        }
        for (const [at, entry] of sorted) expect(array.load(at)).toBe(entry.value);
      }),
      { numRuns: 300 },
    );
  });

  it("reuses the nodes of what was erased", () => {
    const array = new XArray();
    for (let round = 0; round < 50; round++) {
      for (let at = 0; at < 1000; at++) array.store(at * 64, at + 1);
      for (let at = 0; at < 1000; at++) expect(array.erase(at * 64)).toBe(at + 1);
    }
    expect(array.size).toBe(0);
    expect(array.next(0)).toBe(0);
  });

  it("answers nothing for what lies beyond its height", () => {
    const array = new XArray();
    expect(array.load(0)).toBe(0);
    array.store(3, 7);
    expect([array.load(3), array.load(64), array.load(XA_MAX - 1), array.next(4), array.erase(99)]).toEqual([
      7, 0, 0, 0, 0,
    ]);
  });
});
