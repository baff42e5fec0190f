/** What the validator finds of pages that are being written to swap, or are said to be. */
import { expect, test } from "vitest";
import { PG_RECLAIM, PG_WRITEBACK } from "../../../src/mm/frames/page-flags.ts";
import { validate } from "../../../src/mm/index.ts";
import { swapSpace } from "../../../src/mm/swap/swap-space.ts";
import { ANON, boot, P, RW } from "../core/rig.ts";
import { addSwap, pageOut } from "./rig.ts";

test("flags without a write, and a write twice or for a page without flags", () => {
  const kernel = boot();
  addSwap(kernel, "disk", 64, "/dev/slow", undefined, { latencyNs: 1e9, bytesPerSecond: P });
  const process = kernel.spawn();
  const at = process.mmap(0, 3 * P, RW, ANON);
  for (let page = 0; page < 3; page++) process.storeU32(at + page * P, 1);
  pageOut(process, at, 2);
  const { flags } = kernel.phys.frames;
  const [info] = swapSpace(kernel.phys).list();
  const [first, second] = [...(info?.cache.subarray(1, 3) ?? [])] as [number, number];
  const resident = kernel.phys.ram.u32[process.mm.pageTable.walk(at + 2 * P) + 1] as number;
  expect(validate(kernel)).toEqual([]);
  const findingsWith = (pfn: number, flag: number): string => {
    flags[pfn] = (flags[pfn] as number) ^ flag;
    const found = validate(kernel).join("\n");
    flags[pfn] = (flags[pfn] as number) ^ flag;
    return found;
  };
  expect(findingsWith(resident, PG_RECLAIM)).toMatch(/waits for a write that is over/);
  expect(findingsWith(resident, PG_WRITEBACK)).toMatch(/3 frames are being written, 2 of them in a cache/);
  expect(findingsWith(first, PG_WRITEBACK)).toMatch(/being written to .dev.slow, has flags/);
  expect(validate(kernel)).toEqual([]);
  // The second one has left the queue, the first is there twice: the numbers are right.
  const { queue } = info ?? {};
  const taken = [queue?.takeDone(1e20), queue?.takeDone(1e20)];
  expect(taken).toEqual([first, second]);
  queue?.write(first, 1, 0, 0);
  queue?.write(first, 1, 0, 0);
  expect(validate(kernel).join("\n")).toMatch(new RegExp(`frame ${first} is being written twice`));
  queue?.flush(0);
  expect([queue?.takeDone(1e20), queue?.takeDone(1e20)]).toEqual([first, first]);
  for (const [i, pfn] of [first, second].entries()) queue?.write(pfn, i + 1, 0, 0);
});
