import { describe, expect, it } from "vitest";
import type { Ram } from "../../../src/mm/frames/ram.ts";
import { BusError, MADV_DONTNEED, validate } from "../../../src/mm/index.ts";
import { swapSpace } from "../../../src/mm/swap/swap-space.ts";
import { ANON, BASE, boot, outcome, P, RW } from "../core/rig.ts";
import { addSwap, DiskSwapDevice, pageOut, stateOf, swapEntries } from "./rig.ts";

function withDisk(pages = 64): {
  kernel: ReturnType<typeof boot>;
  disk: DiskSwapDevice;
  process: ReturnType<ReturnType<typeof boot>["spawn"]>;
  at: number;
} {
  const kernel = boot();
  const disk = new DiskSwapDevice(pages);
  kernel.swapOn(disk, { name: "disk", mkswap: {} });
  const process = kernel.spawn();
  const at = process.mmap(BASE, 8 * P, RW, ANON);
  for (let page = 0; page < 8; page++) process.storeU8(at + page * P, 40 + page);
  return { kernel, disk, process, at };
}

/** A device with a mistake in it: it throws, where it should have answered. */
class ThrowingDisk extends DiskSwapDevice {
  isBroken = false;

  override readPage(slot: number, ram: Ram, ramOffset: number): number {
    if (this.isBroken) throw new Error("the device is broken");
    return super.readPage(slot, ram, ramOffset);
  }

  override writePage(slot: number, ram: Ram, ramOffset: number): number {
    if (this.isBroken) throw new Error("the device is broken");
    return super.writePage(slot, ram, ramOffset);
  }
}

describe("a swap device that fails", () => {
  it("to write: the page stays in memory, and whole", () => {
    const { disk, process, at } = withDisk();
    disk.writeError = -5;
    pageOut(process, at, 8);
    for (let page = 0; page < 8; page++) expect(process.loadU8(at + page * P)).toBe(40 + page);
    expect(swapEntries(process)).toBe(0);
    disk.writeError = 0;
    pageOut(process, at, 8);
    expect(stateOf(process, at)).toBe("swapped");
    for (let page = 0; page < 8; page++) expect(process.loadU8(at + page * P)).toBe(40 + page);
  });

  it("to read: SIGBUS for who needs the page, and the page is there again once the device is", () => {
    const { disk, process, at } = withDisk();
    pageOut(process, at, 8);
    disk.readError = -5;
    expect(() => process.loadU8(at)).toThrow(BusError);
    expect(outcome(() => process.storeU8(at + P, 1))).toBe("BUS_ADRERR");
    expect(stateOf(process, at)).toBe("swapped");
    process.madvise(at, P, MADV_DONTNEED);
    expect(process.loadU8(at)).toBe(0);
    process.munmap(at, 8 * P);
    expect(swapSpace(process.kernel.phys).nrSwapPages).toBe(63);
  });

  it("to read in swapoff: the page is a marker, and SIGBUS for ever", () => {
    const { kernel, disk, process, at } = withDisk();
    pageOut(process, at, 2);
    const child = process.fork();
    disk.readError = -5;
    kernel.swapOff("disk");
    expect(stateOf(process, at)).toBe("marker");
    expect(() => process.loadU8(at)).toThrow(BusError);
    expect(() => child.loadU8(at + P)).toThrow(BusError);
    expect(process.loadU8(at + 2 * P)).toBe(42);
    const grandchild = child.fork();
    expect(() => grandchild.storeU8(at, 1)).toThrow(BusError);
    process.madvise(at, P, MADV_DONTNEED);
    expect(process.loadU8(at)).toBe(0);
  });

  it("by being full: what finds no slot stays", () => {
    const { disk, process, at } = withDisk(10);
    const more = process.mmap(0, 8 * P, RW, ANON);
    for (let page = 0; page < 8; page++) process.storeU8(more + page * P, 50 + page);
    pageOut(process, at, 8);
    pageOut(process, more, 8);
    expect(swapEntries(process)).toBe(9);
    expect(disk.writes.length).toBe(9 + 1);
    expect(stateOf(process, more + P)).toBe("present");
    for (let page = 0; page < 8; page++) expect(process.loadU8(more + page * P)).toBe(50 + page);
    for (let page = 0; page < 8; page++) expect(process.loadU8(at + page * P)).toBe(40 + page);
  });

  it("by throwing: what was under way is undone, and reclaim goes on once it works again", () => {
    const kernel = boot({ ram: 128 * P });
    const disk = new ThrowingDisk(512, /* isRotational */ true);
    kernel.swapOn(disk, { name: "disk", mkswap: {}, timing: { latencyNs: 1000, bytesPerSecond: 1e9 } });
    const process = kernel.spawn();
    const at = process.mmap(BASE, 256 * P, RW, ANON);
    const fill = (): void => {
      for (let page = 0; page < 256; page++) process.storeU32(at + page * P, 1 + page);
    };
    disk.isBroken = true;
    expect(fill).toThrow("the device is broken");
    expect(swapSpace(kernel.phys).plugs).toBe(0);
    expect(validate(kernel)).toEqual([]);
    disk.isBroken = false;
    fill();
    disk.isBroken = true;
    expect(() => process.loadU32(at)).toThrow("the device is broken");
    expect(swapSpace(kernel.phys).plugs).toBe(0);
    expect(validate(kernel)).toEqual([]);
    disk.isBroken = false;
    for (let page = 0; page < 256; page++) expect(process.loadU32(at + page * P)).toBe(1 + page);
  });

  it("by throwing, though it is as fast as memory", () => {
    const kernel = boot();
    const disk = new ThrowingDisk(64);
    Object.defineProperty(disk, "isSynchronous", { value: true });
    kernel.swapOn(disk, { name: "ram", mkswap: {} });
    const process = kernel.spawn();
    const at = process.mmap(BASE, P, RW, ANON);
    process.storeU32(at, 7);
    pageOut(process, at, 1);
    const free = kernel.phys.buddy.freeFrames;
    disk.isBroken = true;
    expect(() => process.loadU32(at)).toThrow("the device is broken");
    expect(kernel.phys.buddy.freeFrames).toBe(free);
    disk.isBroken = false;
    expect(process.loadU32(at)).toBe(7);
  });

  it("kills only what needed it", () => {
    const { kernel, disk, process, at } = withDisk();
    addSwap(kernel, "memory", 64, "other", 0);
    const other = kernel.spawn();
    pageOut(process, at, 8);
    disk.readError = -5;
    const there = other.mmap(BASE, P, RW, ANON);
    other.storeU8(there, 3);
    pageOut(other, there, 1);
    expect(other.loadU8(there)).toBe(3);
  });
});
