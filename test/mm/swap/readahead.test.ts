import { describe, expect, it } from "vitest";
import { swapSpace } from "../../../src/mm/swap/swap-space.ts";
import { ANON, BASE, boot, P, RW } from "../core/rig.ts";
import { DiskSwapDevice, pageOut } from "./rig.ts";

function swapped(
  pages: number,
  isRotational = false,
  cluster = 3,
): { disk: DiskSwapDevice; process: ReturnType<ReturnType<typeof boot>["spawn"]>; at: number } {
  const kernel = boot();
  const disk = new DiskSwapDevice(256, isRotational);
  kernel.swapOn(disk, { mkswap: {} });
  swapSpace(kernel.phys).pageCluster = cluster;
  const process = kernel.spawn();
  const at = process.mmap(BASE, pages * P, RW, ANON);
  for (let page = 0; page < pages; page++) process.storeU8(at + page * P, page + 1);
  pageOut(process, at, pages);
  disk.reads.length = 0;
  return { disk, process, at };
}

/** Slots that the device read for the touch of one page; page n lies in slot n + 1. */
function touch({ disk, process, at }: ReturnType<typeof swapped>, page: number): number[] {
  disk.reads.length = 0;
  expect(process.loadU8(at + page * P)).toBe(page + 1);
  return disk.reads.map((slot) => slot - 1);
}

describe("readahead from a device without seeks", () => {
  it("reads around the address, then ahead of who goes upwards", () => {
    const world = swapped(64);
    // Four hits are taken for granted at first, so the window is full.
    expect(touch(world, 20)).toEqual([17, 18, 19, 20, 21, 22, 23, 24]);
    expect(world.process.kernel.vmstat().swap_ra).toBe(7);
    for (let page = 21; page < 25; page++) expect(touch(world, page)).toEqual([]);
    expect(world.process.kernel.vmstat().swap_ra_hit).toBe(4);
    expect(touch(world, 25)).toEqual([25, 26, 27, 28, 29, 30, 31, 32]);
  });

  it("shrinks by half each time that nothing of a window was used", () => {
    const world = swapped(200);
    expect([
      touch(world, 100).length,
      touch(world, 20).length,
      touch(world, 180).length,
      touch(world, 60).length,
    ]).toEqual([8, 4, 2, 1]);
  });

  it("reads one page with page-cluster 0", () => {
    const world = swapped(16, false, 0);
    expect([touch(world, 3), touch(world, 4)]).toEqual([[3], [4]]);
  });
});

describe("readahead from a device that seeks", () => {
  it("reads the aligned block of slots", () => {
    const world = swapped(64, true);
    expect(touch(world, 20)).toEqual([15, 16, 17, 18, 19, 20, 21, 22]);
    expect(touch(world, 18)).toEqual([]);
  });
});
