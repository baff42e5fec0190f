/** Whom a page was shared with that copy-on-write copied: what the events of faults tell beside the cause. */
import { expect, test } from "vitest";
import { type Kernel, MAP_PRIVATE } from "../../../src/mm/index.ts";
import { addSwap, pageOut } from "../swap/rig.ts";
import { ANON, boot, P, RW } from "./rig.ts";

/** Faults from now on: cause, pid and partner. */
function faultsOf(kernel: Kernel): string[] {
  const faults: string[] = [];
  kernel.tracer.subscribe((event) => {
    if (event.type === "fault") faults.push(`${event.cause} ${event.pid} with ${event.sharedWith}`);
  });
  return faults;
}

test("each side's copy names the other, until that is gone", () => {
  const kernel = boot();
  const parent = kernel.spawn();
  const at = parent.mmap(0, 4 * P, RW, ANON);
  for (let page = 0; page < 4; page++) parent.storeU8(at + page * P, page);
  const child = parent.fork();
  const faults = faultsOf(kernel);
  parent.storeU8(at, 10);
  child.storeU8(at + P, 11);
  // Both have a copy of their own, or the page alone.
  child.storeU8(at, 12);
  parent.storeU8(at + P, 13);
  child.exit(0);
  parent.storeU8(at + 2 * P, 14);
  expect(faults).toEqual([
    `wp-copy ${parent.pid} with ${child.pid}`,
    `wp-copy ${child.pid} with ${parent.pid}`,
    `wp-reuse ${child.pid} with 0`,
    `wp-reuse ${parent.pid} with 0`,
    `wp-reuse ${parent.pid} with 0`,
  ]);
});

test("of several that share a page, it is one that shows it still", () => {
  const kernel = boot();
  const parent = kernel.spawn();
  const at = parent.mmap(0, P, RW, ANON);
  parent.storeU8(at, 1);
  const first = parent.fork();
  const second = first.fork();
  const faults = faultsOf(kernel);
  first.storeU8(at, 2);
  parent.storeU8(at, 3);
  second.storeU8(at, 4);
  expect(faults).toEqual([
    expect.stringMatching(`^wp-copy ${first.pid} with (${parent.pid}|${second.pid})$`),
    `wp-copy ${parent.pid} with ${second.pid}`,
    `wp-reuse ${second.pid} with 0`,
  ]);
});

test("a page of the page cache is no fork's, and what comes from swap is told of as that", () => {
  const kernel = boot();
  addSwap(kernel, "disk", 16);
  const parent = kernel.spawn();
  const file = parent.memfd_create("file");
  parent.ftruncate(file, P);
  const cached = parent.mmap(0, P, RW, MAP_PRIVATE, file, 0);
  const swapped = parent.mmap(0, P, RW, ANON);
  parent.storeU8(swapped, 1);
  expect(parent.loadU8(cached)).toBe(0);
  pageOut(parent, swapped, 1);
  const child = parent.fork();
  const faults = faultsOf(kernel);
  parent.storeU8(cached, 1);
  expect(child.loadU8(swapped)).toBe(1);
  parent.storeU8(swapped, 2);
  expect(faults).toEqual([
    `wp-copy ${parent.pid} with 0`,
    `swap ${child.pid} with 0`,
    `swap ${parent.pid} with 0`,
  ]);
});
