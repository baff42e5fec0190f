import { describe, expect, it } from "vitest";
import { BugError, MemorySwapDevice, mkswap, ZramSwapDevice } from "../../../src/mm/index.ts";
import { MAX_SWAPFILES, swpEntry, swpOffset, swpType } from "../../../src/mm/swap/swap-entry.ts";
import { readSwapHeader } from "../../../src/mm/swap/swap-header.ts";
import { SWAPFILE_CLUSTER, SwapInfo } from "../../../src/mm/swap/swap-info.ts";
import { swapSpace } from "../../../src/mm/swap/swap-space.ts";
import { zlibCompressor } from "../../../src/storage/node/index.ts";
import { ANON, boot, outcome, P, RW } from "../core/rig.ts";
import { addSwap, DiskSwapDevice, pageOut } from "./rig.ts";

function area(slots: number, bad: number[] = [], discards = false): SwapInfo {
  return new SwapInfo(0, new MemorySwapDevice(new Uint8Array(0)), "area", 0, slots, bad, discards);
}

/** Takes a slot as SwapSpace does: on in the cluster, then in the next. */
function take(info: SwapInfo, pfn = 1000): number {
  const next = info.nextSlot;
  const slot = next !== 0 && info.isUsable(next) ? info.allocInCluster(next, pfn, null) : 0;
  return slot !== 0 ? slot : info.allocInNewCluster(pfn, null);
}

function release(info: SwapInfo, slot: number): void {
  info.cache[slot] = 0;
  info.freeSlot(slot);
}

describe("a swap area", () => {
  it("packs type and offset into 31 bits", () => {
    const entry = swpEntry(MAX_SWAPFILES - 1, 2 ** 26 - 1);
    expect([swpType(entry), swpOffset(entry)]).toEqual([MAX_SWAPFILES - 1, 2 ** 26 - 1]);
    expect(entry).toBeLessThan(2 ** 31);
  });

  it("gives out slots one after the other, the cluster with the header first, and none that is bad", () => {
    const info = area(600, [2, 5]);
    expect(info.pages).toBe(597);
    expect([take(info), take(info), take(info), take(info)]).toEqual([1, 3, 4, 6]);
    for (let taken = 4; taken < 597; taken++) expect(take(info)).toBeGreaterThan(0);
    expect(take(info)).toBe(0);
    expect(info.inuse).toBe(597);
    expect(info.findings()).toEqual([]);
  });

  it("fills clusters that have room before it begins an empty one", () => {
    const info = area(4 * SWAPFILE_CLUSTER);
    for (let taken = 0; taken < 2 * SWAPFILE_CLUSTER; taken++) take(info);
    release(info, 10);
    release(info, 300);
    // The one that is being filled goes on; then come those that have got room again, in the order in which they did.
    const next: number[] = [];
    for (let taken = 0; taken < SWAPFILE_CLUSTER + 1; taken++) next.push(take(info));
    expect(next.slice(0, 2)).toEqual([2 * SWAPFILE_CLUSTER + 1, 2 * SWAPFILE_CLUSTER + 2]);
    expect(next.slice(-2)).toEqual([10, 300]);
    expect(info.findings()).toEqual([]);
  });

  it("takes back slots that only the cache needs", () => {
    const info = area(16);
    for (let taken = 0; taken < 15; taken++) take(info);
    expect(take(info)).toBe(0);
    expect(
      info.allocInNewCluster(7, (slot) => {
        if (slot !== 4) return false;
        release(info, slot);
        return true;
      }),
    ).toBe(4);
    expect(info.findings()).toEqual([]);
  });

  it("is discarded cluster by cluster, where asked for", () => {
    const discarded: number[] = [];
    const device = {
      pages: 600,
      readPage: () => 0,
      writePage: () => 0,
      discard: (first: number) => discarded.push(first),
    };
    const info = new SwapInfo(0, device, "area", 0, 3 * SWAPFILE_CLUSTER, [], true);
    for (let taken = 0; taken < SWAPFILE_CLUSTER; taken++) take(info);
    for (let slot = SWAPFILE_CLUSTER; slot < 2 * SWAPFILE_CLUSTER; slot++) release(info, slot);
    expect(discarded).toEqual([SWAPFILE_CLUSTER]);
  });

  it("refuses to free a slot that is used", () => {
    const info = area(16);
    const slot = take(info);
    expect(() => info.freeSlot(slot)).toThrow(BugError);
  });
});

describe("several areas", () => {
  const order = (priorities: readonly (number | undefined)[], pages: number): string[] => {
    const kernel = boot();
    const disks = priorities.map((priority, index) => {
      const disk = new DiskSwapDevice(300);
      kernel.swapOn(disk, {
        name: `swap${index}`,
        mkswap: {},
        ...(priority === undefined ? {} : { priority }),
      });
      disk.writes.length = 0;
      return disk;
    });
    const process = kernel.spawn();
    const at = process.mmap(0, pages * P, RW, ANON);
    for (let page = 0; page < pages; page++) process.storeU8(at + page * P, 1);
    pageOut(process, at, pages);
    return disks.map((disk, index) => `${index}: ${disk.writes.length}`);
  };

  it("are filled by priority", () => {
    expect(order([1, 7, 3], 400)).toEqual(["0: 0", "1: 299", "2: 101"]);
  });

  it("of the same priority take turns, a cluster each", () => {
    expect(order([5, 5], 400)).toEqual(["0: 255", "1: 145"]);
  });

  it("that seek take turns page by page", () => {
    const kernel = boot();
    const disks = [new DiskSwapDevice(64, true), new DiskSwapDevice(64, true)];
    for (const [index, disk] of disks.entries()) {
      kernel.swapOn(disk, { name: `swap${index}`, mkswap: {}, priority: 5 });
      disk.writes.length = 0;
    }
    const process = kernel.spawn();
    const at = process.mmap(0, 10 * P, RW, ANON);
    for (let page = 0; page < 10; page++) process.storeU8(at + page * P, 1);
    pageOut(process, at, 10);
    expect(disks.map((disk) => disk.writes)).toEqual([
      [1, 2, 3, 4, 5],
      [1, 2, 3, 4, 5],
    ]);
  });

  it("without a wish get negative priorities, which close up when one goes", () => {
    const kernel = boot();
    for (const name of ["a", "b", "c"]) addSwap(kernel, "memory", 64, name);
    const priorities = (): number[] =>
      swapSpace(kernel.phys)
        .list()
        .map(({ prio }) => prio);
    expect(priorities()).toEqual([-2, -3, -4]);
    kernel.swapOff("b");
    expect(priorities()).toEqual([-2, -3]);
    addSwap(kernel, "memory", 64, "d");
    expect(
      swapSpace(kernel.phys)
        .list()
        .map(({ name, prio }) => `${name} ${prio}`),
    ).toEqual(["a -2", "d -4", "c -3"]);
  });

  it("are at most 28", () => {
    const kernel = boot();
    for (let count = 0; count < MAX_SWAPFILES; count++) addSwap(kernel, "memory", 10, `swap${count}`);
    expect(outcome(() => addSwap(kernel, "memory", 10, "one more"))).toBe("EPERM");
  });
});

describe("the header of a swap area", () => {
  /** What mkswap of util-linux 2.38 wrote into a file of 64 pages: -U 01234567-89ab-cdef-0123-456789abcdef -L lab. */
  const recorded = (): Uint8Array => {
    const page = new Uint8Array(P);
    const hex = "010000003f000000000000000123456789abcdef0123456789abcdef6c616200";
    for (let at = 0; at < hex.length; at += 2)
      page[1024 + at / 2] = Number.parseInt(hex.slice(at, at + 2), 16);
    page.set(new TextEncoder().encode("SWAPSPACE2"), P - 10);
    return page;
  };

  it("is read as mkswap wrote it, and written as mkswap writes it", () => {
    expect(readSwapHeader(recorded(), 64, true)).toEqual({ maxPages: 64, badPages: [] });
    const uuid = recorded().slice(1036, 1052);
    expect(mkswap(64, { label: "lab", uuid })).toEqual(recorded());
  });

  it("may be of the other byte order", () => {
    const page = recorded();
    for (const at of [1024, 1028, 1032]) page.subarray(at, at + 4).reverse();
    expect(readSwapHeader(page, 64, true)?.maxPages).toBe(64);
  });

  it.each<[string, (page: Uint8Array) => void, boolean]>([
    ["without the signature", (page) => page.fill(0, P - 10), false],
    ["of version 0", (page) => page.fill(0, 1024, 1028), false],
    ["that is longer than its file", (page) => page.set([64], 1028), false],
    ["without a last page", (page) => page.fill(0, 1028, 1032), false],
    ["with bad pages, of a file", (page) => page.set([1], 1032), true],
    ["with the header as a bad page", (page) => page.set([1], 1032), false],
    ["with more bad pages than there is room for", (page) => page.set([0, 4], 1032), false],
  ])("%s is refused", (_what, spoil, isFile) => {
    const page = recorded();
    spoil(page);
    expect(readSwapHeader(page, 64, isFile)).toBeUndefined();
  });

  it("may name bad pages of a device", () => {
    const kernel = boot();
    const device = new MemorySwapDevice(new Uint8Array(64 * P));
    kernel.swapOn(device, { mkswap: { badPages: [1, 2, 9] } });
    expect(swapSpace(kernel.phys).totalSwapPages).toBe(60);
  });

  it("is missing on an empty device", () => {
    const kernel = boot();
    expect(outcome(() => kernel.swapOn(new MemorySwapDevice(new Uint8Array(64 * P))))).toBe("EINVAL");
  });
});

/** Bytes that don't get smaller. */
function noiseOf(length: number): Uint8Array {
  let state = 1;
  return new Uint8Array(length).map(() => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state >>> 16;
  });
}

describe("compressed swap", () => {
  it("keeps a page that repeats a word as that word, one that does not compress as it is", () => {
    const kernel = boot();
    const zram = new ZramSwapDevice(64, zlibCompressor);
    kernel.swapOn(zram, { name: "/dev/zram0", mkswap: {} });
    const header = zram.mmStat;
    const process = kernel.spawn();
    const at = process.mmap(0, 3 * P, RW, ANON);
    process.writeBytes(at, new Uint8Array(P).fill(7));
    const text = new TextEncoder()
      .encode("all work and no play makes Jack a dull boy. ".repeat(100))
      .slice(0, P);
    process.writeBytes(at + P, text);
    const noise = noiseOf(P);
    process.writeBytes(at + 2 * P, noise);
    pageOut(process, at, 3);
    const stat = zram.mmStat;
    expect(stat.samePages).toBe(header.samePages + 1);
    expect(stat.hugePages).toBe(header.hugePages + 1);
    expect(stat.origDataSize - header.origDataSize).toBe(3 * P);
    expect(stat.comprDataSize - header.comprDataSize).toBeLessThan(P + 200);
    expect([
      process.readBytes(at, P),
      process.readBytes(at + P, P),
      process.readBytes(at + 2 * P, P),
    ]).toEqual([new Uint8Array(P).fill(7), text, noise]);
    process.munmap(at, 3 * P);
    expect(zram.mmStat.comprDataSize).toBe(header.comprDataSize);
  });

  it("refuses what its limit has no room for; then the page stays", () => {
    const kernel = boot();
    const zram = new ZramSwapDevice(64, zlibCompressor, 8 * P);
    kernel.swapOn(zram, { name: "/dev/zram0", mkswap: {} });
    const process = kernel.spawn();
    const at = process.mmap(0, 12 * P, RW, ANON);
    const noise = noiseOf(12 * P);
    for (let page = 0; page < 12; page++)
      process.writeBytes(at + page * P, noise.subarray(page * P, page * P + P));
    pageOut(process, at, 12);
    // The pages that it refused are in the swap cache; the header takes some room, too.
    expect(zram.mmStat.origDataSize).toBeGreaterThan(P);
    expect(zram.mmStat.origDataSize).toBeLessThan(12 * P);
    expect(zram.mmStat).toMatchObject({ memLimit: 8 * P, memUsedTotal: 8 * P });
    for (let page = 0; page < 12; page++)
      expect(process.readBytes(at + page * P, P)).toEqual(noise.slice(page * P, page * P + P));
  });
});
