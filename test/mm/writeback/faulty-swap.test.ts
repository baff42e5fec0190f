import { expect, it, vi } from "vitest";
import {
  FaultEngine,
  FaultySwapDevice,
  faultInjection,
  Kernel,
  MADV_PAGEOUT,
  MemorySwapDevice,
  O_CREAT,
  O_RDWR,
  PAGE_SIZE,
  type Process,
  StorageCrash,
} from "../../../src/mm/index.ts";
import { ANON, boot, outcome, RW } from "../core/rig.ts";
import { Disk, diskFs } from "./disk-fs.ts";

const PAGES = 40;

/** A swap area with faults, whose header is written before they begin. */
function swapOn(kernel: Kernel, plan: string | FaultEngine): FaultySwapDevice {
  const bytes = new Uint8Array(200 * PAGE_SIZE);
  const whole = new MemorySwapDevice(bytes);
  kernel.swapOn(whole, { name: "/dev/header", mkswap: {} });
  kernel.swapOff("/dev/header");
  const device = new FaultySwapDevice(new MemorySwapDevice(bytes), plan);
  kernel.swapOn(device, { name: "/dev/faulty" });
  return device;
}

/** Memory of `PAGES` pages, page n full of n + 1. */
function fill(process: Process): number {
  const addr = process.mmap(0, PAGES * PAGE_SIZE, RW, ANON, -1, 0);
  for (let page = 0; page < PAGES; page++)
    process.writeBytes(addr + page * PAGE_SIZE, new Uint8Array(PAGE_SIZE).fill(page + 1));
  return addr;
}

it("a dead swap device is SIGBUS to who needs what is on it, and to nobody else", () => {
  const kernel = boot();
  swapOn(kernel, `swap:dies@${PAGES - 1}`);
  const victim = kernel.spawn();
  const other = kernel.spawn();
  const kept = fill(other);
  const addr = fill(victim);
  victim.madvise(addr, PAGES * PAGE_SIZE, MADV_PAGEOUT);
  // What could not be written stays in memory, and is right.
  other.madvise(kept, PAGES * PAGE_SIZE, MADV_PAGEOUT);
  for (let page = 0; page < PAGES; page++)
    expect(other.readBytes(kept + page * PAGE_SIZE, 1)[0]).toBe(page + 1);
  expect(outcome(() => victim.readBytes(addr + 7 * PAGE_SIZE, 1))).toBe("BUS_ADRERR");
  expect(outcome(() => victim.readBytes(addr + 7 * PAGE_SIZE, 1))).toBe("BUS_ADRERR");
  other.writeBytes(kept, new Uint8Array([9]));
  expect(other.readBytes(kept, 1)[0]).toBe(9);
  victim.exit();
  other.exit();
});

it("a page that swap refuses stays in memory, dirty, and goes at the next try", () => {
  const kernel = boot();
  const device = swapOn(kernel, "swap-write:eio@2-5");
  const process = kernel.spawn();
  const addr = fill(process);
  for (let i = 0; i < 3; i++) process.madvise(addr, PAGES * PAGE_SIZE, MADV_PAGEOUT);
  expect(device.engine.injected).toBe(4);
  for (let page = 0; page < PAGES; page++) {
    const found = process.readBytes(addr + page * PAGE_SIZE, PAGE_SIZE);
    expect(found.every((byte) => byte === page + 1)).toBe(true);
  }
  process.exit();
});

it("a crash stops all storages that share an engine", () => {
  // Not one that is validated in the end: it stops in the middle of something.
  const kernel = new Kernel({ ram: 8 * 2 ** 20 });
  const engine = FaultEngine.of("swap-write:crash@3,write:eio@100");
  swapOn(kernel, engine);
  const disk = new Disk();
  kernel.mount("/disk", faultInjection(diskFs(disk), engine));
  const process = kernel.spawn();
  const fd = process.open("/disk/f", O_CREAT | O_RDWR, 0o600);
  process.write(fd, new Uint8Array(10));
  const addr = fill(process);
  const stops = vi.spyOn(engine, "crash");
  expect(() => process.madvise(addr, PAGES * PAGE_SIZE, MADV_PAGEOUT)).toThrow(StorageCrash);
  expect(() => process.fsync(fd)).toThrow(StorageCrash);
  expect([stops.mock.calls.length, disk.writes]).toEqual([1, []]);
});
