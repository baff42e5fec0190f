import { describe, expect, it } from "vitest";
import { genericFileRead } from "../../../src/mm/filemap/filemap.ts";
import { genericFileWrite } from "../../../src/mm/filemap/generic-write.ts";
import { truncateInodePages } from "../../../src/mm/filemap/truncate.ts";
import { PG_ACTIVE, PG_WORKINGSET } from "../../../src/mm/frames/page-flags.ts";
import { FileShadows, ShadowNodes } from "../../../src/mm/frames/shadow-nodes.ts";
import { packShadow, shadowAge, shadowGroup, shadowWorkingset } from "../../../src/mm/frames/workingset.ts";
import { PAGE_SIZE } from "../../../src/mm/page.ts";
import {
  NR_ACTIVE_FILE,
  newVmStat,
  WORKINGSET_ACTIVATE_FILE,
  WORKINGSET_NODERECLAIM,
  WORKINGSET_NODES,
  WORKINGSET_REFAULT_FILE,
  WORKINGSET_RESTORE_FILE,
} from "../../../src/mm/trace/vmstat.ts";
import type { File } from "../../../src/mm/vfs/file.ts";
import { checkCache } from "../filemap/check-cache.ts";
import { ByteIter, FakeFile, pattern, smallMemory } from "../filemap/fake-file.ts";

function open(
  ramPages: number,
  filePages: number,
): { fake: FakeFile; file: File; read: (page: number) => void } {
  const phys = smallMemory(ramPages);
  const fake = new FakeFile(phys, pattern(filePages * PAGE_SIZE));
  const file = fake.open();
  // Without readahead, what is in memory is what was asked for.
  file.raPages = 0;
  const read = (page: number): void => {
    genericFileRead(file, new ByteIter(phys, new Uint8Array(PAGE_SIZE)), page * PAGE_SIZE);
  };
  return { fake, file, read };
}

describe("shadows", () => {
  it("keep age, cgroup and working set in one number", () => {
    for (const [age, group, workingset] of [
      [0, 0, true],
      [1, 511, false],
      [0x3fffff, 3, true],
    ] as const) {
      const shadow = packShadow(age, group, workingset);
      expect([shadowAge(shadow), shadowGroup(shadow), shadowWorkingset(shadow)]).toEqual([
        age,
        group,
        workingset,
      ]);
      expect(shadow).toBe(shadow | 0);
    }
    expect(shadowAge(packShadow(0x400000 + 5, 0, false))).toBe(5);
  });

  it("are found where they were left, once", () => {
    const stat = newVmStat();
    const shadows = new FileShadows(new ShadowNodes(stat, 1000));
    shadows.store(3, -7);
    shadows.store(64, 8);
    shadows.store(2 ** 40, 9);
    expect(stat[WORKINGSET_NODES]).toBe(3);
    expect([shadows.take(3), shadows.take(3), shadows.take(4), shadows.take(2 ** 40)]).toEqual([-7, 0, 0, 9]);
    expect(stat[WORKINGSET_NODES]).toBe(1);
    shadows.store(70, 1);
    shadows.forget(0, 69);
    expect([shadows.take(64), shadows.take(70)]).toEqual([0, 1]);
    expect(stat[WORKINGSET_NODES]).toBe(0);
  });

  it("are bounded: the oldest nodes go", () => {
    const stat = newVmStat();
    const nodes = new ShadowNodes(stat, 256);
    const shadows = new FileShadows(nodes);
    for (let leaf = 0; leaf < 100; leaf++) shadows.store(leaf * 64, leaf + 1);
    expect([nodes.size, stat[WORKINGSET_NODES], stat[WORKINGSET_NODERECLAIM]]).toEqual([32, 32, 68]);
    expect([shadows.take(67 * 64), shadows.take(68 * 64)]).toEqual([0, 69]);
  });

  it("go with their file's end", () => {
    const { fake, read } = open(64, 300);
    const { phys } = fake.mapping;
    for (let page = 0; page < 300; page++) read(page);
    expect(phys.stat[WORKINGSET_NODES]).toBeGreaterThan(2);
    truncateInodePages(fake.mapping, 0);
    expect(phys.stat[WORKINGSET_NODES]).toBe(0);
  });
});

describe("refaults of file pages", () => {
  it("a page that comes back within the active list's size is active at once", () => {
    const { fake, read } = open(128, 2000);
    const { phys } = fake.mapping;
    const { stat } = phys;
    // 60 active pages: used twice, with another in between.
    for (let round = 0; round < 2; round++) for (let page = 0; page < 60; page++) read(page);
    expect(stat[NR_ACTIVE_FILE]).toBe(60);
    // A loop over a few more than the 68 that are left for it.
    for (let round = 0; round < 3; round++) for (let page = 100; page < 180; page++) read(page);
    expect(stat[WORKINGSET_REFAULT_FILE]).toBeGreaterThan(20);
    expect(stat[WORKINGSET_ACTIVATE_FILE]).toBeGreaterThan(20);
    checkCache(fake.mapping);
  });

  it("one that was gone for longer is inactive, as if new", () => {
    const { fake, read } = open(64, 4000);
    const { stat, frames } = fake.mapping.phys;
    for (let page = 0; page < 2000; page++) read(page);
    read(0);
    expect(stat[WORKINGSET_REFAULT_FILE]).toBe(0);
    // Its shadow was too old to be kept; that of a younger page was not, but its distance is too large.
    read(1500);
    expect([stat[WORKINGSET_REFAULT_FILE], stat[WORKINGSET_ACTIVATE_FILE]]).toEqual([1, 0]);
    expect(frames.flags[fake.mapping.pages.load(1500)] & PG_ACTIVE).toBe(0);
  });

  it("one that was active before is restored as of the working set", () => {
    const { fake, read } = open(128, 4000);
    const { stat, frames } = fake.mapping.phys;
    for (let round = 0; round < 2; round++) for (let page = 0; page < 100; page++) read(page);
    // All of the active list is pushed out by another working set.
    for (let round = 0; round < 2; round++) for (let page = 200; page < 300; page++) read(page);
    for (let page = 0; page < 100; page++) read(page);
    expect(stat[WORKINGSET_RESTORE_FILE]).toBeGreaterThan(0);
    const marked = Array.from({ length: 100 }, (_, page) => fake.mapping.pages.load(page)).filter(
      (pfn) => pfn !== 0 && (frames.flags[pfn] & PG_WORKINGSET) !== 0,
    );
    expect(marked.length).toBeGreaterThan(0);
  });

  it("a page that is overwritten as a whole tells nothing", () => {
    const { fake, file, read } = open(64, 300);
    const { phys } = fake.mapping;
    for (let page = 0; page < 300; page++) read(page);
    const before = phys.stat[WORKINGSET_REFAULT_FILE];
    genericFileWrite(file, new ByteIter(phys, new Uint8Array(PAGE_SIZE)), 200 * PAGE_SIZE);
    expect(phys.stat[WORKINGSET_REFAULT_FILE]).toBe(before);
  });
});
