import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { highHalf, lowHalf, StructView, s64FromHalves, u64FromHalves } from "../../src/machine/abi/bytes.ts";
import { encodeStatfs } from "../../src/machine/abi/structs.ts";

const halves = fc.tuple(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 0, max: 0xffffffff }));

describe("64-bit numbers", () => {
  it("are exact below 2^53; above, they stay huge, below 2^64, and aligned or not as they were", () => {
    fc.assert(
      fc.property(halves, ([low, high]) => {
        const exact = (BigInt(high) << 32n) | BigInt(low);
        const number = u64FromHalves(low | 0, high | 0);
        if (exact < 2n ** 53n) expect(BigInt(number)).toBe(exact);
        expect(Math.abs(number - Number(exact))).toBeLessThanOrEqual(4096);
        expect(number).toBeLessThan(2 ** 64);
        expect(number % 4096 === 0).toBe(exact % 4096n === 0n);
      }),
    );
    expect(u64FromHalves(-1, -1)).toBe(2 ** 64 - 2048);
    expect(s64FromHalves(-1, -1)).toBe(-1);
    expect(s64FromHalves(-38, -1)).toBe(-38);
  });

  it("go into structures and come back", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        const view = new StructView(8).put64(0, value);
        expect(view.s64(0)).toBe(value);
        expect(s64FromHalves(lowHalf(value), highHalf(value))).toBe(value);
      }),
    );
    expect([...new StructView(8).put64(0, Number.POSITIVE_INFINITY).bytes]).toEqual(Array(8).fill(255));
  });
});

it("statfs: what is free is not all available, and how it is mounted", () => {
  const sizes = {
    blockSize: 4096,
    blocks: 100,
    freeBlocks: 50,
    availableBlocks: 40,
    files: 30,
    freeFiles: 20,
  };
  const mounted = { magic: 0xef53, dev: 7, nameMax: 255, readOnly: true, noExec: true };
  const out = new StructView(encodeStatfs({ ...sizes, ...mounted }));
  expect(Array.from({ length: 11 }, (_, i) => out.u64(8 * i))).toEqual([
    0xef53, 4096, 100, 50, 40, 30, 20, 7, 255, 4096, 0x1029,
  ]);
});
