/** Swap devices that take their time: what happens to a page between being handed over and being written. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PG_DIRTY, PG_RECLAIM, PG_WRITEBACK } from "../../../src/mm/frames/page-flags.ts";
import {
  type Kernel,
  type KernelOptions,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_WILLNEED,
  type Process,
  type SwapTiming,
  validate,
} from "../../../src/mm/index.ts";
import { swapSpace } from "../../../src/mm/swap/swap-space.ts";
import { EIO } from "../../../src/mm/uapi/errno.ts";
import { ANON, boot, P, RW, SHARED_ANON } from "../core/rig.ts";
import "../../property-seed.ts";
import { STEPS, World } from "./random-world.ts";
import { addSwap, type DiskSwapDevice, pageOut, stateOf } from "./rig.ts";

/** A page is written 2 ms after it was handed over, and each one behind it 1 ms later. */
const SLOW: SwapTiming = { latencyNs: 1e6, bytesPerSecond: P * 1000 };
const MS = 1e6;

interface Rig {
  readonly kernel: Kernel;
  readonly process: Process;
  readonly device: DiskSwapDevice;
  /** Lets so many milliseconds pass, and the kernel notice. */
  wait(ms: number): void;
  readonly now: () => number;
}

function rig(options: KernelOptions = {}): Rig {
  let ns = 0;
  const kernel = boot({
    now: () => ns,
    sleep: (more) => {
      ns += more;
    },
    ...options,
  });
  const device = addSwap(kernel, "disk", 512, "/dev/slow", undefined, SLOW) as DiskSwapDevice;
  const wait = (ms: number): void => {
    ns += ms * MS;
    kernel.runFlusher();
  };
  return { kernel, process: kernel.spawn(), device, wait, now: () => ns };
}

/** Pages of a process's own, each with its number in it. */
function numbered(process: Process, pages: number): number {
  const at = process.mmap(0, pages * P, RW, ANON);
  for (let page = 0; page < pages; page++) process.storeU32(at + page * P, 1 + page);
  return at;
}

function writeback(kernel: Kernel): number {
  return kernel.vmstat().nr_writeback ?? -1;
}

describe("a page that a slow device has not written yet", () => {
  it("is in memory: touching it is a minor fault", () => {
    const { kernel, process, device } = rig();
    const at = numbered(process, 4);
    pageOut(process, at, 4);
    expect(stateOf(process, at)).toBe("swapped");
    expect([writeback(kernel), device.writes, kernel.vmstat().nr_written]).toEqual([4, [0, 1, 2, 3, 4], 0]);
    expect(kernel.memcg.stat().file_writeback).toBe(4 * P);
    const before = [process.majFlt, process.minFlt];
    for (let page = 0; page < 4; page++) expect(process.loadU32(at + page * P)).toBe(1 + page);
    expect([process.majFlt - (before[0] ?? 0), process.minFlt - (before[1] ?? 0)]).toEqual([0, 4]);
    expect(device.reads).toEqual([0]);
    // A slot that is being written to can't be given up.
    expect(swapSpace(kernel.phys).nrSwapPages).toBe(511 - 4);
  });

  it("is no more so once its time has come", () => {
    const { kernel, process, wait } = rig();
    const at = numbered(process, 4);
    pageOut(process, at, 4);
    wait(3);
    expect(writeback(kernel)).toBe(4);
    wait(3);
    expect([writeback(kernel), kernel.vmstat().nr_written, kernel.vmstat().pgrotated]).toEqual([0, 4, 4]);
    expect(validate(kernel)).toEqual([]);
    // Written and unmapped, it still is in memory until reclaim comes by.
    const before = process.majFlt;
    expect(process.loadU32(at)).toBe(1);
    expect(process.majFlt).toBe(before);
  });

  it("stays dirty when it is changed meanwhile, and is written again", () => {
    const { kernel, process, device, wait } = rig();
    const at = numbered(process, 1);
    pageOut(process, at, 1);
    process.storeU32(at + 4, 77);
    wait(10);
    const { flags } = kernel.phys.frames;
    const pfn = kernel.phys.ram.u32[process.mm.pageTable.walk(at) + 1] as number;
    expect((flags[pfn] as number) & (PG_WRITEBACK | PG_RECLAIM)).toBe(0);
    pageOut(process, at, 1);
    wait(10);
    expect(device.writes).toHaveLength(3);
    pageOut(process, at, 1);
    expect([process.loadU32(at), process.loadU32(at + 4)]).toEqual([1, 77]);
  });

  it("learns of an error at the end, and not before; its bytes stay", () => {
    const { kernel, process, device, wait } = rig();
    const at = numbered(process, 1);
    device.writeError = -EIO;
    pageOut(process, at, 1);
    const pfn = swapSpace(kernel.phys).list()[0]?.cache[1] as number;
    const { flags } = kernel.phys.frames;
    expect((flags[pfn] as number) & (PG_WRITEBACK | PG_DIRTY)).toBe(PG_WRITEBACK);
    wait(10);
    expect((flags[pfn] as number) & (PG_WRITEBACK | PG_DIRTY | PG_RECLAIM)).toBe(PG_DIRTY);
    device.writeError = 0;
    expect(process.loadU32(at)).toBe(1);
    pageOut(process, at, 1);
    wait(10);
    expect(process.loadU32(at)).toBe(1);
  });

  it("outlives its process, and goes when reclaim comes by", () => {
    const { kernel, process, wait } = rig({ ram: 2 ** 20 });
    const at = numbered(process, 8);
    pageOut(process, at, 8);
    process.exit();
    expect(swapSpace(kernel.phys).nrSwapPages).toBe(511 - 8);
    expect(validate(kernel)).toEqual([]);
    wait(100);
    const other = kernel.spawn();
    numbered(other, 400);
    expect([...(swapSpace(kernel.phys).list()[0]?.cache.subarray(1, 9) ?? [])]).toEqual(new Array(8).fill(0));
    wait(10_000);
    other.exit();
    expect(validate(kernel)).toEqual([]);
  });

  it("is not given up by MADV_FREE, and is dropped by MADV_DONTNEED", () => {
    const { kernel, process } = rig();
    const at = numbered(process, 2);
    pageOut(process, at, 2);
    expect(process.loadU32(at)).toBe(1);
    process.madvise(at, P, MADV_FREE);
    expect(kernel.vmstat().pglazyfree).toBe(0);
    process.madvise(at, 2 * P, MADV_DONTNEED);
    expect([process.loadU32(at), process.loadU32(at + P)]).toEqual([0, 0]);
  });

  it("is waited for by swapoff, and by who needs a page of shmem", () => {
    const { kernel, process, now } = rig();
    const at = numbered(process, 8);
    pageOut(process, at, 8);
    kernel.swapOff("/dev/slow");
    expect(now()).toBeGreaterThan(8 * MS);
    for (let page = 0; page < 8; page++) expect(process.loadU32(at + page * P)).toBe(1 + page);

    const other = rig();
    const shared = other.process.mmap(0, P, RW, SHARED_ANON);
    other.process.storeU32(shared, 5);
    pageOut(other.process, shared, 1);
    expect(writeback(other.kernel)).toBe(1);
    expect(other.process.loadU32(shared)).toBe(5);
    expect([writeback(other.kernel), other.now() >= MS]).toEqual([0, true]);
  });
});

describe("who reads from a slow device", () => {
  it("waits", () => {
    const { kernel, process, now, wait } = rig({ ram: 2 ** 20 });
    const at = numbered(process, 300);
    wait(10_000);
    expect(stateOf(process, at)).toBe("swapped");
    const [before, faults] = [now(), process.majFlt];
    expect(process.loadU32(at)).toBe(1);
    expect(process.majFlt - faults).toBe(1);
    expect(now() - before).toBeGreaterThan(MS);
    process.madvise(at, 300 * P, MADV_WILLNEED);
    expect(validate(kernel)).toEqual([]);
  });
});

describe("reclaim that meets what it has written", () => {
  /** A group of 40 pages, in which 200 are written; the milliseconds that it took. */
  function pressed(legacyMemcg: boolean): { ms: number; kernel: Kernel } {
    const { kernel, process, now } = rig({ legacyMemcg });
    const group = kernel.memcg.create("small");
    group.max = 40 * P;
    group.add(process);
    const at = numbered(process, 200);
    for (let page = 0; page < 200; page++) expect(process.loadU32(at + page * P)).toBe(1 + page);
    return { ms: now() / MS, kernel };
  }

  it.each([false, true])("waits for the device rather than have anybody killed (legacy: %s)", (legacy) => {
    const { kernel, ms } = pressed(legacy);
    expect(ms).toBeGreaterThan(160);
    expect(kernel.vmstat().oom_kill).toBe(0);
  });

  it("gets on with a clock that stands, too", () => {
    const kernel = boot({ ram: 2 ** 20 });
    addSwap(kernel, "disk", 2048, "/dev/slow", undefined, SLOW);
    const process = kernel.spawn();
    const at = numbered(process, 1000);
    for (let page = 0; page < 1000; page++) expect(process.loadU32(at + page * P)).toBe(1 + page);
    const child = process.fork();
    for (let page = 0; page < 1000; page += 3) child.storeU32(at + page * P, 5000 + page);
    for (let page = 0; page < 1000; page++) {
      expect(process.loadU32(at + page * P)).toBe(1 + page);
      expect(child.loadU32(at + page * P)).toBe(page % 3 === 0 ? 5000 + page : 1 + page);
    }
    expect(kernel.vmstat().oom_kill).toBe(0);
  });

  it("does the same in every run", () => {
    const once = (): unknown => pressed(true).kernel.vmstat();
    expect(once()).toEqual(once());
  });
});

const unit = fc.noBias(fc.double({ min: 0, max: 0.999999, noNaN: true }));

it("random programs on slow swap lose no byte", () => {
  const step = fc.record({ op: fc.constantFrom(...STEPS), a: unit, b: unit, c: unit });
  const steps = fc.array(step, { minLength: 200, maxLength: 300 });
  fc.assert(
    fc.property(
      fc.integer({ min: 64, max: 256 }),
      fc.constantFrom([5], [5, 5, 1]),
      steps,
      (frames, areas, program) => {
        const world = new World(frames, "disk", areas, { latencyNs: 1e5, bytesPerSecond: 1e7 });
        for (const [index, one] of program.entries()) {
          world.run(one);
          expect(validate(world.kernel)).toEqual([]);
          if (index % 40 === 39) world.check();
        }
        world.check();
      },
    ),
    { numRuns: 6, endOnFailure: true },
  );
});
