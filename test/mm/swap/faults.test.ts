import { describe, expect, it } from "vitest";
import { MADV_DONTNEED, MADV_FREE, MADV_WILLNEED, MREMAP_MAYMOVE, PROT_READ } from "../../../src/mm/index.ts";
import { swpEntry } from "../../../src/mm/swap/swap-entry.ts";
import { readSwapCache } from "../../../src/mm/swap/swap-readahead.ts";
import { swapSpace } from "../../../src/mm/swap/swap-space.ts";
import { ANON, BASE, boot, P, RW } from "../core/rig.ts";
import { addSwap, DiskSwapDevice, KINDS, pageOut, stateOf, swapEntries } from "./rig.ts";

function free(kernel: ReturnType<typeof boot>): number {
  return swapSpace(kernel.phys).nrSwapPages;
}

describe.each(KINDS)("memory in swap (%s)", (kind) => {
  it("comes back with its bytes, at the price of a major fault", () => {
    const kernel = boot();
    addSwap(kernel, kind, 64);
    const process = kernel.spawn();
    const at = process.mmap(0, 8 * P, RW, ANON);
    for (let page = 0; page < 8; page++) process.storeU32(at + page * P + 8, 1000 + page);
    pageOut(process, at, 8);
    expect(stateOf(process, at)).toBe("swapped");
    expect(swapEntries(process)).toBe(8);
    expect(free(kernel)).toBe(63 - 8);
    const before = process.majFlt;
    for (let page = 0; page < 8; page++) expect(process.loadU32(at + page * P + 8)).toBe(1000 + page);
    expect(process.majFlt - before).toBeGreaterThan(0);
    expect(swapEntries(process)).toBe(0);
    process.munmap(at, 8 * P);
    expect(free(kernel)).toBe(63);
  });

  it("is shared by fork, and copied by whoever writes", () => {
    const kernel = boot();
    addSwap(kernel, kind, 64);
    const process = kernel.spawn();
    const at = process.mmap(0, 4 * P, RW, ANON);
    for (let page = 0; page < 4; page++) process.storeU8(at + page * P, 10 + page);
    pageOut(process, at, 4);
    const child = process.fork();
    expect(swapEntries(child)).toBe(4);
    expect(free(kernel)).toBe(63 - 4);
    child.storeU8(at, 99);
    expect(process.loadU8(at)).toBe(10);
    process.storeU8(at + P, 98);
    expect(child.loadU8(at + P)).toBe(11);
    expect([child.loadU8(at), process.loadU8(at + P)]).toEqual([99, 98]);
    expect([process.loadU8(at + 2 * P), child.loadU8(at + 2 * P)]).toEqual([12, 12]);
    child.exit(0);
    process.storeU8(at + 2 * P, 97);
    expect(process.loadU8(at + 3 * P)).toBe(13);
    process.exit(0);
    expect(free(kernel)).toBe(63);
  });

  it("swapoff brings it back", () => {
    const kernel = boot();
    addSwap(kernel, kind, 64);
    const process = kernel.spawn();
    const at = process.mmap(0, 8 * P, RW, ANON);
    for (let page = 0; page < 8; page++) process.storeU8(at + page * P, 10 + page);
    pageOut(process, at, 8);
    const child = process.fork();
    kernel.swapOff("/dev/swap0");
    for (const one of [process, child]) {
      expect(swapEntries(one)).toBe(0);
      for (let page = 0; page < 8; page++) expect(one.loadU8(at + page * P)).toBe(10 + page);
    }
    expect(swapSpace(kernel.phys).totalSwapPages).toBe(0);
  });
});

describe("a swap entry", () => {
  it("moves with mremap, stays through mprotect, and goes with munmap, DONTNEED and FREE", () => {
    const kernel = boot();
    addSwap(kernel, "disk", 64);
    const process = kernel.spawn();
    const at = process.mmap(BASE, 8 * P, RW, ANON);
    for (let page = 0; page < 8; page++) process.storeU8(at + page * P, 20 + page);
    pageOut(process, at, 8);
    process.mprotect(at, 2 * P, PROT_READ);
    expect(stateOf(process, at)).toBe("swapped");
    expect(process.loadU8(at)).toBe(20);
    const moved = process.mremap(at + 2 * P, 2 * P, 16 * P, MREMAP_MAYMOVE);
    expect(moved).not.toBe(at + 2 * P);
    expect(stateOf(process, moved + P)).toBe("swapped");
    expect(process.loadU8(moved + P)).toBe(23);
    process.madvise(at + 4 * P, P, MADV_DONTNEED);
    process.madvise(at + 5 * P, P, MADV_FREE);
    expect([process.loadU8(at + 4 * P), process.loadU8(at + 5 * P)]).toEqual([0, 0]);
    process.munmap(at + 6 * P, P);
    expect(process.loadU8(at + 7 * P)).toBe(27);
    process.exit(0);
    expect(free(kernel)).toBe(63);
  });

  it("is read ahead by WILLNEED, so that the touch is a minor fault", () => {
    const kernel = boot();
    addSwap(kernel, "disk", 64);
    const process = kernel.spawn();
    const at = process.mmap(BASE, 8 * P, RW, ANON);
    for (let page = 0; page < 8; page++) process.storeU8(at + page * P, 20 + page);
    pageOut(process, at, 8);
    process.madvise(at, 8 * P, MADV_WILLNEED);
    const { majFlt } = process;
    expect(kernel.vmstat().nr_swapcached).toBe(8);
    for (let page = 0; page < 8; page++) expect(process.loadU8(at + page * P)).toBe(20 + page);
    expect(process.majFlt).toBe(majFlt);
  });

  it("of a page of zeros costs no device", () => {
    const kernel = boot();
    const disk = new DiskSwapDevice(64);
    kernel.swapOn(disk, { mkswap: {} });
    disk.writes.length = 0;
    disk.reads.length = 0;
    const process = kernel.spawn();
    const at = process.mmap(BASE, 2 * P, RW, ANON);
    process.storeU8(at, 0);
    process.storeU8(at + P, 1);
    pageOut(process, at, 2);
    expect(disk.writes).toEqual([2]);
    expect([process.loadU8(at), process.loadU8(at + P)]).toEqual([0, 1]);
    expect(disk.reads).toEqual([2]);
    expect(kernel.vmstat()).toMatchObject({ swpout_zero: 1, swpin_zero: 1, pswpout: 1, pswpin: 1 });
  });

  it("of a page that was zeros and is not any more has what it is now", () => {
    const kernel = boot();
    const disk = new DiskSwapDevice(64);
    kernel.swapOn(disk, { mkswap: {} });
    const process = kernel.spawn();
    const at = process.mmap(BASE, P, RW, ANON);
    process.storeU8(at, 0);
    pageOut(process, at, 1);
    // A read keeps the slot, and the page writable: the store goes unnoticed until the page leaves again.
    expect(process.loadU8(at)).toBe(0);
    process.storeU8(at, 6);
    pageOut(process, at, 1);
    expect(disk.writes.at(-1)).toBe(1);
    expect(process.loadU8(at)).toBe(6);
  });

  it("whose last user dies while readahead looks for a frame is not read", () => {
    const kernel = boot();
    addSwap(kernel, "rotational disk", 64);
    const process = kernel.spawn();
    const at = process.mmap(BASE, P, RW, ANON);
    process.storeU8(at, 6);
    pageOut(process, at, 1);
    const { phys } = kernel;
    const allocPageFor = phys.allocPageFor.bind(phys);
    phys.allocPageFor = (group) => {
      process.exit(0);
      return allocPageFor(group);
    };
    expect(readSwapCache(phys, swpEntry(0, 1))).toBe(0);
    expect(free(kernel)).toBe(63);
  });

  it("mlock brings it in, and keeps it", () => {
    const kernel = boot();
    addSwap(kernel, "disk", 64);
    const process = kernel.spawn();
    const at = process.mmap(BASE, 4 * P, RW, ANON);
    for (let page = 0; page < 4; page++) process.storeU8(at + page * P, 5);
    pageOut(process, at, 4);
    process.mlock(at, 4 * P);
    expect(swapEntries(process)).toBe(0);
    expect(free(kernel)).toBe(63);
    expect(stateOf(process, at + 3 * P)).toBe("present");
  });
});

describe("a page that was read only", () => {
  it("keeps its slot and leaves again without being written, until more than half of swap is used", () => {
    const kernel = boot();
    const disk = new DiskSwapDevice(64);
    kernel.swapOn(disk, { mkswap: {} });
    const process = kernel.spawn();
    const at = process.mmap(BASE, P, RW, ANON);
    process.storeU8(at, 7);
    pageOut(process, at, 1);
    const writes = disk.writes.length;
    expect(process.loadU8(at)).toBe(7);
    expect(free(kernel)).toBe(62);
    pageOut(process, at, 1);
    expect(stateOf(process, at)).toBe("swapped");
    expect(disk.writes.length).toBe(writes);
    process.storeU8(at, 8);
    expect(free(kernel)).toBe(63);
    pageOut(process, at, 1);
    expect(disk.writes.length).toBe(writes + 1);
    expect(process.loadU8(at)).toBe(8);
  });
});
