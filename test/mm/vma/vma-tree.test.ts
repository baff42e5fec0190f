import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PAGE_SIZE } from "../../../src/mm/page.ts";
import { ENOMEM } from "../../../src/mm/uapi/errno.ts";
import { unmappedArea, vmStartGap } from "../../../src/mm/vma/unmapped-area.ts";
import { VM_GROWSDOWN } from "../../../src/mm/vma/vm-flags.ts";
import { absorbVma, moveVmaBoundary } from "../../../src/mm/vma/vma-lifetime.ts";
import { splitVma } from "../../../src/mm/vma/vma-split.ts";
import { NO_GAP } from "../../../src/mm/vma/vma-tree.ts";
import { checkVmaTree } from "../../../src/mm/vma/vma-validate.ts";
import { link, newMm, RW, unmap } from "./ruler.ts";

type Mm = ReturnType<typeof newMm>;

/** Pages of the ruler that a random address space may use; its addresses start at 0 here. */
const SPAN = 96;
const SHIFT = -0x1000;

interface Piece {
  readonly from: number;
  readonly length: number;
  readonly grows: boolean;
}

const piece: fc.Arbitrary<Piece> = fc.record({
  from: fc.nat({ max: SPAN }),
  length: fc.integer({ min: 1, max: 9 }),
  grows: fc.boolean(),
});

/** Links every piece that meets no earlier one, unlinks those whose number is in `gone`, resizes those in `shrunk`. */
function build(pieces: readonly Piece[], gone: readonly number[], shrunk: readonly number[]): Mm {
  const mm = newMm();
  mm.mmapMinAddr = 0;
  mm.stackGuardGap = 3 * PAGE_SIZE;
  const linked: Piece[] = [];
  for (const { from, length, grows } of pieces) {
    if (mm.vmas.findIntersection(from * PAGE_SIZE, (from + length) * PAGE_SIZE) !== null) continue;
    link(mm, from + SHIFT, from + SHIFT + length, { flags: RW | (grows ? VM_GROWSDOWN : 0), shift: -SHIFT });
    linked.push({ from, length, grows });
    expect(checkVmaTree(mm)).toEqual([]);
  }
  for (const which of [...gone, ...shrunk]) {
    const taken = linked[which];
    if (taken === undefined) continue;
    const from = taken.from + SHIFT;
    if (gone.includes(which)) unmap(mm, from, from + taken.length);
    else if (taken.length > 2) unmap(mm, from, from + 1);
    expect(checkVmaTree(mm)).toEqual([]);
  }
  return mm;
}

const plan = fc.tuple(
  fc.array(piece, { maxLength: 40 }),
  fc.array(fc.nat({ max: 40 })),
  fc.array(fc.nat({ max: 40 })),
);

interface Hole {
  readonly from: number;
  readonly to: number;
  /** where a guard gap begins, or `to` */
  readonly guard: number;
}

/** All holes in low … high, found by walking the list. */
function holes(mm: Mm, low: number, high: number): Hole[] {
  const found: Hole[] = [];
  let from = 0;
  for (const vma of [...mm.vmas, null]) {
    const to = vma === null ? Number.MAX_SAFE_INTEGER : vma.start;
    const guard = vma === null ? to : vmStartGap(vma);
    found.push({ from: Math.max(from, low), to: Math.min(to, high), guard });
    if (vma !== null) from = vma.end;
  }
  return found.filter((hole) => hole.to > hole.from);
}

const limit = fc.nat({ max: SPAN + 8 }).map((page) => page * PAGE_SIZE);
const size = fc.integer({ min: 1, max: 12 }).map((pages) => pages * PAGE_SIZE);

describe("VmaTree", () => {
  it("finds mappings as a walk through the list does", () => {
    fc.assert(
      fc.property(plan, fc.array(limit), (pieces, addrs) => {
        const mm = build(...pieces);
        const all = [...mm.vmas];
        for (const addr of [...addrs, ...addrs.map((at) => at + 5)]) {
          const first = all.find((vma) => vma.end > addr) ?? null;
          expect(mm.vmas.find(addr)).toBe(first);
          expect(mm.vmas.lookup(addr)).toBe(all.find((vma) => vma.start <= addr && addr < vma.end) ?? null);
          expect(mm.vmas.findPrev(addr)).toBe(all.findLast((vma) => vma.end <= addr) ?? null);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("keeps order, links and gaps when neighbours split, trade pages and swallow each other", () => {
    const change = fc.record({
      which: fc.nat({ max: 60 }),
      what: fc.constantFrom("split", "move", "absorb"),
      at: fc.nat({ max: 20 }),
      isLower: fc.boolean(),
    });
    // All of one kind, so that what is counted by kind stays when they trade.
    const plain = piece.map((one) => ({ ...one, grows: false }));
    fc.assert(
      fc.property(fc.array(plain, { maxLength: 20 }), fc.array(change), (pieces, changes) => {
        const mm = build(pieces, [], []);
        for (const { which, what, at, isLower } of changes) {
          const all = [...mm.vmas];
          const vma = all[which % Math.max(1, all.length)];
          if (vma === undefined) return;
          const { next } = vma;
          const isJoined = next !== null && vma.end === next.start;
          const end = isJoined && what !== "split" ? next.end : vma.end;
          const pages = (end - vma.start) / PAGE_SIZE;
          const addr = vma.start + (1 + (at % Math.max(1, pages - 1))) * PAGE_SIZE;
          if (what === "split") {
            if (pages > 1) expect(splitVma(vma, addr, /* newBelow */ isLower)).toBe(0);
          } else if (isJoined) {
            if (what === "move") moveVmaBoundary(vma, next, addr);
            else if (isLower) absorbVma(vma, next);
            else absorbVma(next, vma);
          }
          expect(checkVmaTree(mm)).toEqual([]);
          // What each page shows stays the same: the ruler's pgoff follows from the address.
          for (const { start, pgoff } of mm.vmas)
            expect(pgoff).toBe(all[0].pgoff + (start - all[0].start) / PAGE_SIZE);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("finds the lowest and the highest hole as a walk through the list does", () => {
    fc.assert(
      fc.property(plan, fc.array(fc.tuple(limit, limit, size)), (pieces, queries) => {
        const mm = build(...pieces);
        for (const [one, other, length] of queries) {
          const low = Math.min(one, other);
          const high = Math.max(one, other);
          const fitting = holes(mm, low, high).filter(({ from, to }) => to - from >= length);
          expect(mm.vmas.lowestGap(low, high, length)).toBe(fitting[0]?.from ?? NO_GAP);
          expect(mm.vmas.highestGap(low, high, length)).toBe(fitting.at(-1)?.to ?? NO_GAP);
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe("unmappedArea", () => {
  it("is the first place from its end that fits with alignment and guard gaps", () => {
    const query = fc.record({
      low: limit,
      high: limit,
      length: size,
      align: fc.constantFrom(1, 2, 8).map((pages) => pages * PAGE_SIZE),
      alignOffset: fc.nat({ max: 20 }).map((pages) => pages * PAGE_SIZE),
    });
    fc.assert(
      fc.property(plan, fc.array(query), (pieces, queries) => {
        const mm = build(...pieces);
        for (const { low, high, length, align, alignOffset } of queries) {
          const info = { length, lowLimit: low, highLimit: high, alignMask: align - 1, alignOffset };
          const all = holes(mm, low, high);
          const need = length + align - 1;
          const top = all.findLast(({ from, to, guard }) => Math.min(to, guard) - from >= need);
          const highest = top && lower(Math.min(top.to, top.guard) - length, align, alignOffset);
          expect(unmappedArea(mm, { ...info, topDown: true })).toBe(highest ?? -ENOMEM);
          // Upwards Linux asks for the padded size from the aligned place on, if a guard gap follows.
          const place = ({ from }: Hole): number => 0 - lower(0 - from, align, 0 - alignOffset);
          const bottom = all.find(
            (hole) => hole.to - hole.from >= need && hole.guard >= place(hole) + need - 1,
          );
          expect(unmappedArea(mm, { ...info, topDown: false })).toBe(bottom ? place(bottom) : -ENOMEM);
        }
      }),
      { numRuns: 150 },
    );
  });
});

it("tells holes of more than 4 TiB apart, which the tree does not", () => {
  const TIB = 2 ** 40;
  const mm = newMm();
  mm.mmapMinAddr = 0;
  // Holes of 5, 9, 6 and 4 TiB from the bottom up, between mappings of a page.
  let at = 0;
  const bounds: [from: number, to: number][] = [];
  for (const size of [5, 9, 6, 4]) {
    bounds.push([at, at + size * TIB]);
    at += size * TIB;
    link(mm, at / PAGE_SIZE - 0x1000, at / PAGE_SIZE - 0x1000 + 1);
    at += PAGE_SIZE;
  }
  expect(checkVmaTree(mm)).toEqual([]);
  const found = (length: number, topDown: boolean): number =>
    unmappedArea(mm, { length, lowLimit: 0, highLimit: at, topDown, alignMask: 0, alignOffset: 0 });
  expect([3, 4.5, 5.5, 7, 9].map((size) => found(size * TIB, false))).toEqual(
    [0, 0, 1, 1, 1].map((hole) => bounds[hole][0]),
  );
  expect([3, 4.5, 5.5, 7, 9].map((size) => found(size * TIB, true))).toEqual(
    [3, 2, 2, 1, 1].map((hole, index) => bounds[hole][1] - [3, 4.5, 5.5, 7, 9][index] * TIB),
  );
  expect(found(10 * TIB, false)).toBe(-ENOMEM);
  expect(found(10 * TIB, true)).toBe(-ENOMEM);
});

/** The highest address up to `addr` that is `offset` modulo `align`. */
function lower(addr: number, align: number, offset: number): number {
  let at = addr;
  while ((((at - offset) % align) + align) % align !== 0) at--;
  return at;
}
