import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ZsPool } from "../../../src/mm/swap/zs-pool.ts";
import { P } from "../core/rig.ts";

const bytesOf = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + seed) & 255);

describe("the pool of things smaller than a page", () => {
  it("keeps what it was given, whatever comes and goes beside it, and gives all its memory back", () => {
    const step = fc.record({ size: fc.integer({ min: 1, max: P }), drop: fc.nat(), isDrop: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const pool = new ZsPool();
        const kept: { handle: number; bytes: Uint8Array }[] = [];
        steps.forEach(({ size, drop, isDrop }, seed) => {
          if (isDrop && kept.length > 0) {
            const [{ handle }] = kept.splice(drop % kept.length, 1);
            pool.free(handle);
          } else {
            const bytes = bytesOf(size, seed);
            kept.push({ handle: pool.store(bytes), bytes });
          }
        });
        for (const { handle, bytes } of kept) expect(pool.bytes(handle, bytes.length)).toEqual(bytes);
        for (const { handle } of kept) pool.free(handle);
        expect(pool.totalPages).toBe(0);
      }),
    );
  });

  it("packs: a thousand of 400 bytes take the pages that they need, and few more", () => {
    const pool = new ZsPool();
    const handles = Array.from({ length: 1000 }, (_, i) => pool.store(bytesOf(400, i)));
    expect(pool.totalPages).toBeLessThan((1000 * 400 * 1.05) / P);
    // Every other one leaves a hole, which the next ones fill.
    for (let i = 0; i < handles.length; i += 2) pool.free(handles[i]);
    const before = pool.totalPages;
    for (let i = 0; i < handles.length; i += 2) handles[i] = pool.store(bytesOf(400, i));
    expect(pool.totalPages).toBe(before);
    expect(handles.every((handle, i) => pool.bytes(handle, 400)[0] === (i & 255))).toBe(true);
  });

  it("takes nothing larger than a page, and knows what it never gave", () => {
    const pool = new ZsPool();
    expect(() => pool.store(new Uint8Array(P + 1))).toThrow("an object of 4097 bytes");
    expect(() => pool.free(5)).toThrow("nothing is stored under handle 5");
  });
});
