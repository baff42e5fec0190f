/** The seeded source of randomness: the same everywhere, and even enough. */
import { describe, expect, it } from "vitest";
import { Prng } from "../../src/lib/prng.ts";

describe("Prng", () => {
  it("is SplitMix32: its numbers are the algorithm's, whatever the platform", () => {
    // Reference: the same steps in C, with uint32_t.
    const prng = new Prng(0);
    expect([prng.u32(), prng.u32(), prng.u32()]).toEqual([0x64625032, 0xd9c0799c, 0xaf362e10]);
  });

  it("repeats for a seed, differs between seeds", () => {
    const numbers = (seed: number): number[] => {
      const prng = new Prng(seed);
      return Array.from({ length: 8 }, () => prng.u32());
    };
    expect(numbers(5)).toEqual(numbers(5));
    expect(numbers(5)).not.toEqual(numbers(6));
  });

  it("below stays below, reaches both ends, and is even within a tenth", () => {
    const prng = new Prng(1);
    const counts = new Int32Array(10);
    for (let i = 0; i < 20_000; i++) counts[prng.below(10)]++;
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(200);
    for (let i = 0; i < 1000; i++) expect(prng.below(2 ** 28)).toBeLessThan(2 ** 28);
    expect(prng.below(1)).toBe(0);
  });

  it("fills bytes with all values", () => {
    const bytes = new Uint8Array(8192);
    new Prng(2).fill(bytes);
    expect(new Set(bytes).size).toBe(256);
  });
});
