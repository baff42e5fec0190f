/** The queue of a stream's bytes against a plain list of them, and what it counts as network memory. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { ByteQueue } from "../../../src/machine/net/byte-queue.ts";
import { FREE_BYTES, NetworkMemory } from "../../../src/machine/net/network-memory.ts";

it("gives back the bytes it was given, in whatever pieces", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("push" as const), n: fc.nat(9000) }),
    fc.record({ kind: fc.constant("peek" as const), n: fc.nat(9000) }),
    fc.record({ kind: fc.constant("consume" as const), n: fc.nat(9000) }),
  );
  const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const memory = new NetworkMemory(2 ** 30);
    const queue = new ByteQueue(memory);
    let model: number[] = [];
    let next = 0;
    for (const { kind, n } of steps) {
      if (kind === "push") {
        const bytes = Uint8Array.from({ length: n }, () => next++ & 255);
        expect(queue.push(bytes)).toBe(n);
        model.push(...bytes);
      } else if (kind === "peek") {
        const at = model.length === 0 ? 0 : n % model.length;
        const got = queue.peek(at, n);
        expect([...got]).toEqual(model.slice(at, at + got.length));
        expect(got.length > 0).toBe(n > 0 && at < model.length);
      } else {
        const taken = Math.min(n, model.length);
        queue.consume(taken);
        model = model.slice(taken);
      }
      expect(queue.length).toBe(model.length);
    }
    queue.clear();
    expect(memory.used).toBe(0);
  });
  fc.assert(property);
});

it("takes no more for a million single bytes than for one piece of them", () => {
  const memory = new NetworkMemory(2 ** 30);
  const queue = new ByteQueue(memory);
  for (let i = 0; i < 1_000_000; i++) queue.push(new Uint8Array(1));
  expect(queue.length).toBe(1_000_000);
  expect(memory.used).toBeLessThan(2 * 1_000_000 + 65536);
});

it("keeps its first bytes for every socket where memory is out, and says how much it took", () => {
  const memory = new NetworkMemory(0);
  const [one, two] = [new ByteQueue(memory), new ByteQueue(memory)];
  const all = one.push(new Uint8Array(2 * memory.limit));
  expect(all).toBeLessThanOrEqual(memory.limit + FREE_BYTES);
  expect(all).toBeGreaterThan(memory.limit - 65536);
  expect(one.space(1)).toBeUndefined();
  expect(two.push(new Uint8Array(65536))).toBe(FREE_BYTES);
  one.consume(all);
  expect(memory.used).toBe(0);
});
