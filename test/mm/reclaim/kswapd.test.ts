import { describe, expect, it } from "vitest";
import { Watermarks } from "../../../src/mm/frames/watermarks.ts";
import { procFs } from "../../../src/mm/index.ts";
import { P } from "../core/rig.ts";
import { bootFrames, fill, firstWrong, frameOf } from "./rig.ts";

describe("watermarks", () => {
  it("are Linux's for the size of memory", () => {
    const marks = (mib: number): number[] => {
      const watermarks = new Watermarks((mib * 2 ** 20) / P);
      watermarks.setup();
      const { minFreeKbytes, min, low, high, promo } = watermarks;
      return [minFreeKbytes, min, low, high, promo];
    };
    // √(16 · KiB), a quarter of it between the marks, or a thousandth of RAM where that is more.
    expect(marks(1)).toEqual([128, 32, 40, 48, 56]);
    expect(marks(256)).toEqual([2048, 512, 640, 768, 896]);
    expect(marks(4096)).toEqual([8192, 2048, 3096, 4144, 5192]);
    expect(marks(1024 * 1024)[0]).toBe(131072);
  });

  it("leave small machines most of their memory", () => {
    const watermarks = new Watermarks(64);
    watermarks.setup();
    expect([watermarks.min, watermarks.low, watermarks.high]).toEqual([8, 10, 12]);
  });

  it("follow the settings, and are shown by zoneinfo", () => {
    const kernel = bootFrames(1024);
    kernel.mount("/proc", procFs(kernel));
    const task = kernel.spawn();
    const read = (path: string): string => {
      const fd = task.open(path, 0);
      const bytes = new Uint8Array(65536);
      const text = new TextDecoder().decode(bytes.subarray(0, task.read(fd, bytes)));
      task.close(fd);
      return text;
    };
    const write = (path: string, text: string): void => {
      const fd = task.open(path, 1);
      task.write(fd, new TextEncoder().encode(text));
      task.close(fd);
    };
    expect(read("/proc/sys/vm/min_free_kbytes")).toBe("256\n");
    write("/proc/sys/vm/min_free_kbytes", "400");
    write("/proc/sys/vm/watermark_scale_factor", "1000");
    expect(read("/proc/zoneinfo")).toMatch(/min +100\n +low +202\n +high +304\n +promo +406\n/);
    expect(() => write("/proc/sys/vm/watermark_scale_factor", "3001")).toThrow("EINVAL");
    expect(() => write("/proc/sys/vm/swappiness", "201")).toThrow("EINVAL");
    write("/proc/sys/vm/swappiness", "200");
    expect(kernel.vmscan.swappiness).toBe(200);
  });
});

describe("kswapd", () => {
  it("wakes when free memory falls to low, and sleeps once it is above high", () => {
    const kernel = bootFrames(1024, 4096);
    const { phys } = kernel;
    const { low, high } = phys.watermarks;
    const task = kernel.spawn();
    const at = fill(task, 1024 - low - 20);
    expect([phys.buddy.freeFrames > low, kernel.vmstat().pageoutrun]).toEqual([true, 0]);
    let page = 0;
    const more = task.mmap(0, 256 * P, 3, 0x22);
    while (kernel.vmstat().pageoutrun === 0) task.storeU8(more + page++ * P, 1);
    // The allocation that woke it took one frame more.
    expect(phys.buddy.freeFrames).toBeGreaterThanOrEqual(high);
    expect(kernel.vmstat()).toMatchObject({ allocstall_normal: 0, pgscan_direct: 0 });
    expect(kernel.vmstat().pgsteal_kswapd).toBeGreaterThanOrEqual(high - low);
    expect(firstWrong(task, at, 1024 - low - 20)).toBe(-1);
  });

  it("gives up after 16 fruitless runs, and who allocates reclaims himself", () => {
    const kernel = bootFrames(256);
    const task = kernel.spawn({ oomScoreAdj: -1000 });
    expect(() => fill(task, 256)).toThrow("out of memory");
    const { pageoutrun, allocstall_normal: stalls } = kernel.vmstat();
    expect(pageoutrun).toBe(16);
    expect(stalls).toBeGreaterThan(0);
    // The reserve below min stays.
    expect(kernel.phys.buddy.freeFrames).toBe(kernel.phys.watermarks.min);
  });
});

describe("second chance", () => {
  it("a page that is used keeps its place while one that is not goes", () => {
    const kernel = bootFrames(512, 4096);
    const task = kernel.spawn();
    const hot = fill(task, 64);
    const cold = task.mmap(0, 2048 * P, 3, 0x22);
    const frames = (): number[] => Array.from({ length: 64 }, (_, page) => frameOf(task, hot + page * P));
    const sweep = (from: number, to: number): void => {
      for (let page = from; page < to; page++) {
        task.storeU8(cold + page * P, 1);
        if (page % 16 === 0) for (let i = 0; i < 64; i++) task.loadU32(hot + i * P);
      }
    };
    // When memory fills up first, every page looks used; from then on only the hot ones do.
    sweep(0, 1024);
    const settled = frames();
    sweep(1024, 2048);
    expect(frames()).toEqual(settled);
    expect(kernel.vmstat().nr_active_anon).toBeGreaterThanOrEqual(64);
    expect(firstWrong(task, hot, 64)).toBe(-1);
  });

  it("a page used once goes through the inactive list twice", () => {
    const kernel = bootFrames(512, 4096);
    const task = kernel.spawn();
    fill(task, 1024);
    const { pgscan_anon: scanned, pgsteal_anon: stolen } = kernel.vmstat();
    expect(scanned / stolen).toBeGreaterThan(1.6);
    expect(scanned / stolen).toBeLessThan(2.6);
  });
});

describe("refaults", () => {
  it("a page that comes back soon is activated; from then on it is of the working set", () => {
    const kernel = bootFrames(512, 4096);
    const task = kernel.spawn();
    // A little more than fits: each page is back before its distance exceeds what is in memory.
    const at = fill(task, 520);
    for (let round = 0; round < 6; round++) expect(firstWrong(task, at, 520)).toBe(-1);
    const stat = kernel.vmstat();
    expect(stat.workingset_refault_anon).toBeGreaterThan(100);
    expect(stat.pswpin).toBeGreaterThanOrEqual(stat.workingset_refault_anon);
  });
});
