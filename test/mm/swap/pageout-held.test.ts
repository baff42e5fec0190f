/** MADV_PAGEOUT of pages that somebody else holds. */
import { expect, it } from "vitest";
import { ANON, BASE, boot, P, RW } from "../core/rig.ts";
import { addSwap, pageOut, stateOf } from "./rig.ts";

it("a page in a pipe is unmapped and not written, until the pipe has let it go", () => {
  const kernel = boot();
  addSwap(kernel, "disk", 64);
  const process = kernel.spawn();
  const [reading, writing] = process.pipe2();
  const at = process.mmap(BASE, 4 * P, RW, ANON);
  for (let page = 0; page < 4; page++) process.storeU32(at + page * P, 1 + page);
  process.vmsplice(writing, [[at, 4 * P]]);
  pageOut(process, at, 4);
  expect(kernel.vmstat().pswpout).toBe(0);
  const faults = process.majFlt;
  for (let page = 0; page < 4; page++) {
    expect(stateOf(process, at + page * P)).toBe("swapped");
    expect(process.loadU32(at + page * P)).toBe(1 + page);
  }
  expect(process.majFlt).toBe(faults);
  process.close(reading);
  process.close(writing);
  pageOut(process, at, 4);
  expect(kernel.vmstat().pswpout).toBe(4);
  expect(process.loadU32(at + P)).toBe(2);
});
