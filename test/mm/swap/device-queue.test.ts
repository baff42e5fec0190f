import { describe, expect, it } from "vitest";
import { DeviceQueue } from "../../../src/mm/swap/device-queue.ts";

/** A page takes 4 µs, and what is done is known 10 µs later. */
function newQueue(): DeviceQueue {
  return new DeviceQueue({ latencyNs: 10_000, bytesPerSecond: 1.024e9 });
}

function write(queue: DeviceQueue, from: number, to: number, nowNs = 0): void {
  for (let slot = from; slot < to; slot++) queue.write(1000 + slot, slot, 0, nowNs);
}

function takeAll(queue: DeviceQueue, nowNs: number): number[] {
  const done: number[] = [];
  for (let pfn = queue.takeDone(nowNs); pfn !== 0; pfn = queue.takeDone(nowNs)) done.push(pfn - 1000);
  return done;
}

describe("the queue of a device", () => {
  it("holds back what is written until the plug is let go", () => {
    const queue = newQueue();
    write(queue, 1, 4);
    expect(takeAll(queue, 1e9)).toEqual([]);
    queue.flush(1e9);
    expect(takeAll(queue, 1e9 + 21_999)).toEqual([]);
    expect(takeAll(queue, 1e9 + 22_000)).toEqual([1, 2, 3]);
    expect(queue.size).toBe(0);
  });

  it("makes one request of neighbours, and transfers one after the other", () => {
    const queue = newQueue();
    write(queue, 1, 3);
    write(queue, 9, 10);
    queue.flush(0);
    expect(takeAll(queue, 17_999)).toEqual([]);
    expect(takeAll(queue, 18_000)).toEqual([1, 2]);
    expect(takeAll(queue, 22_000)).toEqual([9]);
  });

  it("lets the plug go before what comes behind a large first request, or behind 32", () => {
    const queue = newQueue();
    write(queue, 1, 33);
    write(queue, 40, 41);
    expect(takeAll(queue, 1e6)).toHaveLength(32);
    const many = newQueue();
    for (let n = 0; n < 33; n++) write(many, 1 + 2 * n, 2 + 2 * n);
    expect(takeAll(many, 1e6)).toHaveLength(32);
  });

  it("ends requests at 254 pages, and holds up to 32 of them back behind a small read", () => {
    const queue = newQueue();
    write(queue, 1, 256);
    expect(takeAll(queue, 1e7)).toHaveLength(254);
    const behind = newQueue();
    behind.read(9000, 0);
    write(behind, 1, 1 + 31 * 254);
    expect(takeAll(behind, 1e9)).toEqual([]);
    write(behind, 1 + 31 * 254, 2 + 31 * 254);
    expect(takeAll(behind, 1e9)).toHaveLength(31 * 254);
  });

  it("says when reads are there: after what was written before them", () => {
    const queue = newQueue();
    write(queue, 1, 3);
    queue.read(7, 0);
    queue.read(8, 0);
    expect(queue.endOfReads(1000)).toBe(1000 + 4 * 4000 + 10_000);
    expect(takeAll(queue, 1000 + 2 * 4000 + 10_000)).toEqual([1, 2]);
  });

  it("keeps order and errors while it grows", () => {
    const queue = newQueue();
    const taken: number[] = [];
    for (let round = 0; round < 20; round++) {
      for (let n = 0; n < 50; n++) queue.write(1 + round * 50 + n, 1 + n, n === 7 ? -5 : 0, 0);
      queue.flush(0);
      for (let n = 0; n < 30; n++) {
        const pfn = queue.takeDone(1e9);
        expect(queue.lastError).toBe((pfn - 1) % 50 === 7 ? -5 : 0);
        taken.push(pfn);
      }
    }
    expect(taken).toEqual(Array.from({ length: 600 }, (_, n) => n + 1));
    expect(queue.size).toBe(400);
    expect(queue.endOf(601, 0)).toBe(queue.endOfNext(1, 0));
    expect(() => queue.endOf(1, 0)).toThrow(/frame 1 is not being written/);
  });
});
