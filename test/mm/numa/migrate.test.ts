/** Pages move to other frames while they are mapped, cached, locked, in swap, or held: what mbind does with MPOL_MF_MOVE. */
import { expect, it } from "vitest";
import {
  MPOL_BIND,
  MPOL_DEFAULT,
  MPOL_F_RELATIVE_NODES,
  MPOL_LOCAL,
  MPOL_MF_MOVE,
  MPOL_MF_MOVE_ALL,
  MPOL_MF_STRICT,
  type Process,
} from "../../../src/mm/index.ts";
import { ANON, BASE, boot, newFile, outcome, P, RW, SHARED_ANON, spawn } from "../core/rig.ts";
import { addSwap, pageOut } from "../swap/rig.ts";

/** The frames of the pages from `addr` on, 0 where there is none. */
function framesOf({ mm }: Process, addr: number, pages: number): number[] {
  return Array.from({ length: pages }, (_, page) => {
    const pte = mm.pageTable.walk(addr + page * P);
    return pte === 0 ? 0 : mm.phys.ram.u32[pte + 1];
  });
}

function fill(task: Process, addr: number, pages: number): void {
  for (let page = 0; page < pages; page++) task.writeBytes(addr + page * P, new Uint8Array(P).fill(page + 1));
}

function check(task: Process, addr: number, pages: number): void {
  for (let page = 0; page < pages; page++)
    expect(task.readBytes(addr + page * P, P)).toEqual(new Uint8Array(P).fill(page + 1));
}

/** How many of the frames are others than before. */
function moved(before: readonly number[], after: readonly number[]): number {
  return after.filter((frame, page) => frame !== before[page]).length;
}

it("anonymous pages move with their bytes, and a policy that names their node leaves them", () => {
  const task = spawn();
  task.mmap(BASE, 8 * P, RW, ANON);
  fill(task, BASE, 6);
  const before = framesOf(task, BASE, 8);
  task.mbind(BASE, 8 * P, MPOL_BIND, [0], MPOL_MF_STRICT | MPOL_MF_MOVE);
  expect(framesOf(task, BASE, 8)).toEqual(before);
  task.mbind(BASE, 8 * P, MPOL_BIND | MPOL_F_RELATIVE_NODES, [1], MPOL_MF_STRICT | MPOL_MF_MOVE);
  expect(moved(before, framesOf(task, BASE, 8))).toBe(6);
  check(task, BASE, 6);
  expect(task.kernel.vmstat().pgmigrate_success).toBe(6);
});

it("pages of a fork stay, unless all pages are to move; both sides then name the new frames", () => {
  const task = spawn();
  task.mmap(BASE, 4 * P, RW, ANON);
  fill(task, BASE, 4);
  const child = task.fork();
  child.storeU8(BASE, 99);
  const before = framesOf(child, BASE, 4);
  child.mbind(BASE, 4 * P, MPOL_LOCAL, [], MPOL_MF_STRICT | MPOL_MF_MOVE);
  const between = framesOf(child, BASE, 4);
  expect(moved(before, between)).toBe(1);
  child.mbind(BASE, 4 * P, MPOL_LOCAL, [], MPOL_MF_STRICT | MPOL_MF_MOVE_ALL);
  expect(moved(between, framesOf(child, BASE, 4))).toBe(4);
  expect(framesOf(task, BASE + P, 3)).toEqual(framesOf(child, BASE + P, 3));
  check(task, BASE, 4);
  child.storeU8(BASE + P, 99);
  expect(task.loadU8(BASE + P)).toBe(2);
});

it("pages of a file move in its cache, dirty ones too, and reach it", () => {
  const task = spawn();
  const fd = newFile(task, "/file", 4);
  task.mmap(BASE, 4 * P, RW, SHARED_ANON & ~0x20, fd);
  check(task, BASE, 4);
  task.storeU8(BASE + P, 77);
  const before = framesOf(task, BASE, 4);
  task.mbind(BASE, 4 * P, MPOL_DEFAULT, [], MPOL_MF_MOVE);
  expect(moved(before, framesOf(task, BASE, 4))).toBe(4);
  const bytes = new Uint8Array(2);
  task.pread(fd, bytes, 2, P);
  expect([...bytes]).toEqual([77, 2]);
  task.pwrite(fd, new Uint8Array([55]), 1, 2 * P);
  expect(task.loadU8(BASE + 2 * P)).toBe(55);
});

it("a page that a pipe holds stays: EIO where that matters, and it moves once the pipe is gone", () => {
  const task = spawn();
  task.mmap(BASE, 2 * P, RW, ANON);
  fill(task, BASE, 2);
  const [reading, writing] = task.pipe2();
  task.vmsplice(writing, [[BASE, P]]);
  const before = framesOf(task, BASE, 2);
  const move = (flags: number): string => outcome(() => task.mbind(BASE, 2 * P, MPOL_LOCAL, [], flags));
  expect(move(MPOL_MF_STRICT | MPOL_MF_MOVE)).toBe("EIO");
  expect(move(MPOL_MF_MOVE)).toBe("ok");
  expect(framesOf(task, BASE, 1)).toEqual(before.slice(0, 1));
  task.close(reading);
  task.close(writing);
  expect(move(MPOL_MF_STRICT | MPOL_MF_MOVE)).toBe("ok");
  expect(moved(before, framesOf(task, BASE, 2))).toBe(2);
  check(task, BASE, 2);
});

it("a locked page stays locked, and what is in swap stays there or goes on from its new frame", () => {
  const kernel = boot();
  addSwap(kernel, "disk", 64);
  const task = kernel.spawn();
  task.mmap(BASE, 6 * P, RW, ANON);
  fill(task, BASE, 6);
  pageOut(task, BASE, 4);
  // Two come back, and have their slots still.
  task.loadU8(BASE);
  task.loadU8(BASE + P);
  task.mlock(BASE + 4 * P, 2 * P);
  const before = framesOf(task, BASE, 6);
  const { nr_mlock, nr_swapcached } = kernel.vmstat();
  task.mbind(BASE, 6 * P, MPOL_LOCAL, [], MPOL_MF_MOVE);
  expect(moved(before, framesOf(task, BASE, 6))).toBeGreaterThanOrEqual(4);
  expect(kernel.vmstat()).toMatchObject({ nr_mlock, nr_swapcached });
  pageOut(task, BASE, 4);
  check(task, BASE, 6);
  task.munlock(BASE + 4 * P, 2 * P);
  expect(kernel.vmstat().nr_mlock).toBe(0);
});

it("without a frame nothing moves", () => {
  const task = spawn();
  task.mmap(BASE, 2 * P, RW, ANON);
  fill(task, BASE, 2);
  const before = framesOf(task, BASE, 2);
  task.mm.phys.failAfter = 0;
  const moving = outcome(() => task.mbind(BASE, 2 * P, MPOL_LOCAL, [], MPOL_MF_STRICT | MPOL_MF_MOVE));
  task.mm.phys.failAfter = -1;
  expect(moving).toBe("EIO");
  expect(framesOf(task, BASE, 2)).toEqual(before);
  expect(task.kernel.vmstat()).toMatchObject({ pgmigrate_success: 0, pgmigrate_fail: 2 });
  check(task, BASE, 2);
});

it("a refused call puts the pages back that it had taken", () => {
  const task = spawn();
  task.mmap(BASE, 8 * P, RW, ANON);
  fill(task, BASE, 8);
  const { nr_inactive_anon } = task.kernel.vmstat();
  task.mm.maxMapCount = task.mm.mapCount;
  expect(outcome(() => task.mbind(BASE + P, P, MPOL_LOCAL, [], MPOL_MF_MOVE))).toBe("ENOMEM");
  expect(task.kernel.vmstat().nr_inactive_anon).toBe(nr_inactive_anon);
});
