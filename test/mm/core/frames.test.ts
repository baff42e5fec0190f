/** The buddy allocator, physical memory with its debug mode, and the frame table. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Buddy, MAX_PAGE_ORDER } from "../../../src/mm/frames/buddy.ts";
import { PG_BUDDY } from "../../../src/mm/frames/page-flags.ts";
import { PageFrames } from "../../../src/mm/frames/page-frames.ts";
import { PhysicalMemory } from "../../../src/mm/frames/physical-memory.ts";
import { Kernel } from "../../../src/mm/index.ts";
import { BASE, boot, mapAt, P } from "./rig.ts";

/** What is wrong with the free lists: blocks aligned, disjoint, in range, no two free buddies apart. */
function checkBuddy(buddy: Buddy, frames: PageFrames, first: number, end: number): string[] {
  const findings: string[] = [];
  const orders = new Map<number, number>();
  const free = new Set<number>();
  buddy.forEachFree((pfn, order) => {
    orders.set(pfn, order);
    if (pfn % 2 ** order !== 0) findings.push(`block ${pfn} of order ${order} is not aligned`);
    if (pfn < first || pfn + 2 ** order > end)
      findings.push(`block ${pfn} of order ${order} is out of range`);
    if ((frames.flags[pfn] & PG_BUDDY) === 0) findings.push(`block ${pfn} has no PG_BUDDY`);
    for (let frame = pfn; frame < pfn + 2 ** order; frame++) {
      if (free.has(frame)) findings.push(`frame ${frame} is free twice`);
      free.add(frame);
    }
  });
  for (const [pfn, order] of orders) {
    if (order < MAX_PAGE_ORDER && orders.get(pfn ^ (2 ** order)) === order)
      findings.push(`buddies ${pfn} and ${pfn ^ (2 ** order)} of order ${order} are not merged`);
  }
  const counts = Array.from(buddy.freeBlocks());
  for (let order = 0; order <= MAX_PAGE_ORDER; order++) {
    const found = [...orders.values()].filter((each) => each === order).length;
    if (found !== counts[order]) findings.push(`order ${order}: ${counts[order]} counted, ${found} found`);
  }
  if (free.size !== buddy.freeFrames) findings.push(`${buddy.freeFrames} frames counted, ${free.size} found`);
  return findings;
}

describe("buddy allocator", () => {
  it("hands out aligned blocks, low frames first, and splits the smallest that is large enough", () => {
    const frames = new PageFrames(2048);
    const buddy = new Buddy(frames, 0, 2048);
    expect(buddy.freeBlocks()).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    expect(buddy.alloc(3)).toBe(0);
    expect(buddy.freeBlocks()).toEqual([0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
    expect([buddy.alloc(0), buddy.alloc(0)]).toEqual([8, 9]);
    expect(buddy.alloc(3)).toBe(16);
    buddy.free(8, 0);
    buddy.free(0, 3);
    buddy.free(9, 0);
    buddy.free(16, 3);
    expect(buddy.freeBlocks()).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
  });

  it("a double free is a bug that stops", () => {
    const buddy = new Buddy(new PageFrames(64), 1, 64);
    const pfn = buddy.alloc(0);
    buddy.free(pfn, 0);
    expect(() => buddy.free(pfn, 0)).toThrow("free already");
  });

  it("a double free of a frame that has merged into a block is one, too", () => {
    const phys = new PhysicalMemory({ ramBytes: 64 * P });
    const pfns = Array.from({ length: 4 }, () => phys.allocPage());
    for (const pfn of pfns) phys.putPage(pfn);
    for (const pfn of pfns) expect(() => phys.putPage(pfn)).toThrow("references");
  });

  it("keeps its lists right under any sequence, in any range", () => {
    const step = fc.record({ free: fc.boolean(), order: fc.integer({ min: 0, max: 10 }), pick: fc.nat() });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 900 }),
        fc.integer({ min: 1, max: 3000 }),
        fc.array(step, { maxLength: 60 }),
        (first, length, steps) => {
          const end = first + length;
          const frames = new PageFrames(end);
          const buddy = new Buddy(frames, first, end);
          const initial = buddy.freeBlocks();
          const held: { pfn: number; order: number }[] = [];
          for (const { free, order, pick } of steps) {
            if (free && held.length > 0) {
              const [block] = held.splice(pick % held.length, 1);
              if (block !== undefined) buddy.free(block.pfn, block.order);
            } else {
              const possible = buddy.freeBlocks().some((count, at) => at >= order && count > 0);
              const pfn = buddy.alloc(order);
              expect(pfn !== 0).toBe(possible);
              if (pfn !== 0) held.push({ pfn, order });
            }
            expect(checkBuddy(buddy, frames, first, end)).toEqual([]);
          }
          for (const block of held) buddy.free(block.pfn, block.order);
          expect(buddy.freeBlocks()).toEqual(initial);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("physical memory", () => {
  it("keeps at most 40 bytes for each frame, as many as its columns have", () => {
    const bytesOf = (count: number): number =>
      Object.values(new PageFrames(count))
        .filter((column) => ArrayBuffer.isView(column))
        .reduce((sum, column) => sum + column.byteLength, 0);
    // Beside the frames the columns have the heads of lists, always as many.
    const bytes = (bytesOf(2000) - bytesOf(1000)) / 1000;
    expect(PageFrames.BYTES_PER_FRAME).toBe(bytes);
    expect(bytes).toBeLessThanOrEqual(40);
  });

  it("gives out every frame once, then none", () => {
    const phys = new PhysicalMemory({ ramBytes: 100 * P });
    const pfns = new Set(Array.from({ length: 100 }, () => phys.allocPage()));
    expect(pfns.size).toBe(100);
    expect(pfns.has(0)).toBe(false);
    expect(phys.allocPage()).toBe(0);
    expect([phys.usedFrames, phys.minFreeFrames, phys.totalFrames]).toEqual([100, 0, 100]);
  });

  it("asks the reclaimer when memory is out, until it frees nothing more", () => {
    const phys = new PhysicalMemory({ ramBytes: 2 * P });
    const first = phys.allocPage();
    phys.allocPage();
    let asked = 0;
    phys.reclaimer = {
      isRunning: false,
      isCurrentDying: false,
      wakeKswapd: () => {},
      tryToFreeMemCgroupPages: () => 0,
      reclaimablePages: () => 1,
      outOfMemory: () => false,
      tryToFreePages: () => {
        if (asked++ > 0) return 0;
        phys.putPage(first);
        return 1;
      },
    };
    expect(phys.allocPage()).toBe(first);
    expect(phys.allocPage()).toBe(0);
  });

  it("frees a frame with its last reference, not before; never one that is still mapped", () => {
    const phys = new PhysicalMemory({ ramBytes: 8 * P });
    const pfn = phys.allocPage();
    phys.getPage(pfn);
    phys.putPage(pfn);
    expect(phys.usedFrames).toBe(1);
    phys.frames.mapCount[pfn] = 1;
    expect(() => phys.putPage(pfn)).toThrow("still mapped");
  });

  it("poison: freed frames are filled, and a write to one is noticed when it is given out", () => {
    const phys = new PhysicalMemory({ ramBytes: 4 * P, poison: true });
    const pfn = phys.allocZeroedPage();
    phys.putPage(pfn);
    expect(phys.ram.u8[pfn * P + 77]).toBe(0xaa);
    phys.ram.u8[pfn * P + 77] = 1;
    expect(() => Array.from({ length: 4 }, () => phys.allocPage())).toThrow(
      `free frame ${pfn} was written at offset 77`,
    );
  });

  it("poison: a write through a view that outlived its mapping is noticed", () => {
    // Not booted through the rig: what this test takes away, the validator would miss.
    const task = new Kernel({ ram: 64 * P, poison: true }).spawn();
    const addr = mapAt(task, BASE, 1);
    const view = task.view(addr, 8, "write");
    task.munmap(addr, P);
    view[3] = 1;
    expect(() => {
      for (;;) task.kernel.phys.allocPage();
    }).toThrow("offset 3");
  });

  it("fails on demand: the switch for tests of running out of memory", () => {
    const phys = new PhysicalMemory({ ramBytes: 8 * P });
    phys.failAfter = 2;
    expect(Array.from({ length: 5 }, () => phys.allocPage() !== 0)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
    phys.failAfter = -1;
    expect(phys.allocPage()).not.toBe(0);
  });

  it("4 GiB is the most there is, with what is reserved taken off it", () => {
    const { phys } = boot({ ram: 2 ** 20, machineBytes: 100_000, poison: false });
    expect(phys.ram.machineBytes).toBe(102_400);
    expect(phys.totalFrames).toBe(256);
    expect(phys.ram.u8.length).toBeGreaterThanOrEqual(phys.ram.endPfn * P);
  });
});
