import { describe, expect, it } from "vitest";
import { activatePage } from "../../../src/mm/frames/lru.ts";
import { noteCost } from "../../../src/mm/frames/lru-cost.ts";
import {
  LRU_ACTIVE_ANON,
  LRU_ACTIVE_FILE,
  LRU_INACTIVE_ANON,
  LRU_INACTIVE_FILE,
} from "../../../src/mm/frames/lruvec.ts";
import type { PhysicalMemory } from "../../../src/mm/frames/physical-memory.ts";
import { getScanCount, inactiveIsLow } from "../../../src/mm/reclaim/scan-balance.ts";
import { ScanControl } from "../../../src/mm/reclaim/scan-control.ts";
import { NR_INACTIVE_ANON } from "../../../src/mm/trace/vmstat.ts";
import { bootFrames, fill, frameOf } from "./rig.ts";

/** How many pages of each list a round scans, where each list had 400. */
function counts(change: Partial<ScanControl>, swapPages = 100, target = 0): number[] {
  const { phys } = bootFrames(1024, swapPages);
  const lists = [LRU_INACTIVE_ANON, LRU_ACTIVE_ANON, LRU_INACTIVE_FILE, LRU_ACTIVE_FILE];
  for (const list of lists) phys.lruvecs.size[list] = 400;
  const sc = Object.assign(new ScanControl("direct", 32, 60, target), { priority: 1 }, change);
  const result = new Float64Array(4);
  getScanCount(phys, 0, sc, result);
  for (const list of lists) phys.lruvecs.size[list] = 0;
  return [...result];
}

describe("how many pages of each list are scanned", () => {
  it("by swappiness, while neither kind has cost anything", () => {
    expect(counts({})).toEqual([60, 60, 140, 140]);
    expect(counts({ swappiness: 100 })).toEqual([100, 100, 100, 100]);
    expect(counts({ swappiness: 200 })).toEqual([200, 200, 0, 0]);
    expect(counts({ priority: 3 })).toEqual([15, 15, 35, 35]);
  });

  it("the kind that cost more is scanned less", () => {
    // 60 · 301 / 201 = 89 against 140 · 301 / 101 = 417, of 506.
    expect(counts({ anonCost: 100 })).toEqual([35, 35, 164, 164]);
    // 60 · 301 / 101 = 178 against 140 · 301 / 201 = 209, of 387.
    expect(counts({ fileCost: 100 })).toEqual([91, 91, 108, 108]);
  });

  it("one kind alone at the edges", () => {
    expect(counts({}, /* swapPages */ 0)).toEqual([0, 0, 200, 200]);
    expect(counts({ swappiness: 0 }, 100, /* target */ 1)).toEqual([0, 0, 200, 200]);
    expect(counts({ cacheTrimMode: true })).toEqual([0, 0, 200, 200]);
    expect(counts({ fileIsTiny: true })).toEqual([200, 200, 0, 0]);
    expect(counts({ priority: 0 })).toEqual([400, 400, 400, 400]);
    expect(counts({ priority: 0, swappiness: 0 })).toEqual([0, 0, 400, 400]);
  });
});

describe("what reclaim remembers", () => {
  const withPages = (pages: number): PhysicalMemory => {
    const kernel = bootFrames(1024);
    fill(kernel.spawn(), pages);
    return kernel.phys;
  };

  it("counts I/O 32 times as much as a page scanned in vain, and halves both beyond a quarter of the lists", () => {
    const phys = withPages(400);
    const { anonCost, fileCost } = phys.lruvecs;
    noteCost(phys, 0, /* file */ false, /* nrIo */ 1, /* nrRotated */ 8);
    noteCost(phys, 0, /* file */ true, 0, 60);
    expect([anonCost[0], fileCost[0]]).toEqual([40, 60]);
    noteCost(phys, 0, /* file */ true, 0, 1);
    expect([anonCost[0], fileCost[0]]).toEqual([20, 30]);
  });

  it("notes costs for a group and for those above it", () => {
    const kernel = bootFrames(1024);
    const outer = kernel.memcg.create("outer");
    const inner = outer.create("inner");
    fill(kernel.spawn({ cgroup: inner }), 400);
    noteCost(kernel.phys, inner.id, /* file */ false, 1, 0);
    const { anonCost } = kernel.phys.lruvecs;
    expect([anonCost[0], anonCost[outer.id], anonCost[inner.id]]).toEqual([32, 32, 32]);
  });

  it("ages what is not in memory with every activation", () => {
    const kernel = bootFrames(1024);
    const task = kernel.spawn();
    const at = fill(task, 10);
    activatePage(kernel.phys, frameOf(task, at));
    expect(kernel.phys.lruvecs.nonresidentAge[0]).toBe(1);
    expect(kernel.vmstat()).toMatchObject({ nr_active_anon: 1, nr_inactive_anon: 9, pgactivate: 1 });
  });

  it("an inactive list is low when the active one is longer, of less than a GiB", () => {
    const { phys } = bootFrames(1024);
    const { size } = phys.lruvecs;
    size[LRU_INACTIVE_ANON] = 100;
    size[LRU_ACTIVE_ANON] = 100;
    const even = inactiveIsLow(phys, 0, LRU_INACTIVE_ANON);
    size[LRU_ACTIVE_ANON] = 101;
    const low = inactiveIsLow(phys, 0, LRU_INACTIVE_ANON);
    // 10 GiB: a tenth may be inactive.
    size[LRU_INACTIVE_ANON] = 2 ** 18;
    size[LRU_ACTIVE_ANON] = 9 * 2 ** 18;
    const large = inactiveIsLow(phys, 0, LRU_INACTIVE_ANON);
    size.fill(0);
    expect([even, low, large, phys.stat[NR_INACTIVE_ANON]]).toEqual([false, true, false, 0]);
  });
});
