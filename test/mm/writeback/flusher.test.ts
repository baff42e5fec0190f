import { describe, expect, it } from "vitest";
import { dirtyableMemory } from "../../../src/mm/filemap/dirty-limits.ts";
import type { BalanceDirtyEvent, Kernel, Process } from "../../../src/mm/index.ts";
import { MAP_SHARED, O_CREAT, O_RDONLY, O_RDWR, PAGE_SIZE, procFs, validate } from "../../../src/mm/index.ts";
import { NR_WRITEBACK } from "../../../src/mm/trace/vmstat.ts";
import { forgetDirtyInode } from "../../../src/mm/vfs/backing-dev.ts";
import { boot, outcome, RW } from "../core/rig.ts";
import { Disk, diskFs } from "./disk-fs.ts";

const SECOND = 1e9;

interface Rig {
  readonly disk: Disk;
  readonly kernel: Kernel;
  readonly process: Process;
  readonly time: { ns: number };
}

function rig(ram = 8 * 2 ** 20): Rig {
  const disk = new Disk();
  const time = { ns: 100 * SECOND };
  const kernel = boot({ ram, now: () => time.ns });
  kernel.mount("/disk", diskFs(disk));
  return { disk, kernel, process: kernel.spawn(), time };
}

function bytes(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value);
}

function open(process: Process, name: string): number {
  return process.open(`/disk/${name}`, O_CREAT | O_RDWR, 0o644);
}

function dirtyPages({ kernel }: Rig): number {
  return kernel.vmstat().nr_dirty;
}

describe("the periodic flush", () => {
  it("writes what has been dirty for 30 seconds, and leaves what has not", () => {
    const at = rig();
    const { process, disk, time } = at;
    const old = open(process, "old");
    const young = open(process, "young");
    process.write(old, bytes(3 * PAGE_SIZE, 1));
    time.ns += 20 * SECOND;
    process.write(young, bytes(2 * PAGE_SIZE, 2));
    time.ns += 9 * SECOND;
    process.lseek(old, 0, 0);
    expect(disk.writes).toEqual([]);
    // 30 s and 5 s more at most: the flusher comes by every 5 s.
    time.ns += 6 * SECOND;
    process.lseek(old, 0, 0);
    expect(disk.writes).toEqual([["old", 0, 3]]);
    expect(disk.inodesWritten).toEqual(["old"]);
    expect(dirtyPages(at)).toBe(2);
    time.ns += 20 * SECOND;
    process.lseek(old, 0, 0);
    expect(disk.writes.at(-1)).toEqual(["young", 0, 2]);
    expect(at.kernel.mounts.writeback.nextWakeNs).toBe(Number.POSITIVE_INFINITY);
  });

  it("counts from the first change, however often the file is changed again", () => {
    const { process, disk, time } = rig();
    const fd = open(process, "log");
    for (let i = 0; i < 40; i++) {
      process.pwrite(fd, bytes(10, i), undefined, i * 10);
      time.ns += SECOND;
    }
    expect(disk.writes).toEqual([["log", 0, 1]]);
  });

  it("comes again for a device that was clean for a while", () => {
    const { process, disk, time, kernel } = rig();
    const fd = open(process, "one");
    process.write(fd, bytes(10, 1));
    process.mkdir("/other");
    const other = new Disk();
    kernel.mount("/other", diskFs(other));
    time.ns += 3 * SECOND;
    process.write(process.open("/other/two", O_CREAT | O_RDWR, 0o644), bytes(10, 1));
    kernel.mounts.writeback.dirtyExpireCentisecs = 0;
    time.ns += 2 * SECOND;
    kernel.runFlusher();
    process.write(fd, bytes(10, 2));
    time.ns += 6 * SECOND;
    kernel.runFlusher();
    expect([disk.writes.length, other.writes.length, kernel.mounts.writeback.devices.size]).toEqual([
      2, 1, 0,
    ]);
  });

  it("comes again in five seconds for what was dirtied since, and sees stores through mappings", () => {
    const at = rig();
    const { process, disk, time, kernel } = at;
    const fd = open(process, "file");
    process.ftruncate(fd, 8 * PAGE_SIZE);
    const addr = process.mmap(0, 8 * PAGE_SIZE, RW, MAP_SHARED, fd, 0);
    for (let round = 1; round <= 3; round++) {
      process.writeBytes(addr + 5 * PAGE_SIZE, bytes(1, round));
      expect(dirtyPages(at)).toBe(1);
      time.ns += 36 * SECOND;
      kernel.runFlusher();
      expect([dirtyPages(at), disk.bytes("file")[5 * PAGE_SIZE]]).toEqual([0, round]);
    }
  });

  it("does nothing while the interval is 0, and at once when it is set again", () => {
    const { process, disk, time, kernel } = rig();
    kernel.mount("/proc", procFs(kernel));
    const setting = process.open("/proc/sys/vm/dirty_writeback_centisecs", O_RDWR);
    const text = (value: string): Uint8Array => new TextEncoder().encode(value);
    process.write(setting, text("0\n"));
    const fd = open(process, "file");
    process.write(fd, bytes(10, 1));
    time.ns += 1000 * SECOND;
    process.lseek(fd, 0, 0);
    expect(disk.writes).toEqual([]);
    process.pwrite(setting, text("100\n"), undefined, 0);
    process.lseek(fd, 0, 0);
    expect(disk.writes).toEqual([["file", 0, 1]]);
  });

  it("forgets a file that ends before its time", () => {
    const { process, time, kernel } = rig();
    const fd = open(process, "file");
    process.write(fd, bytes(10, 1));
    process.fsync(fd);
    time.ns += 100 * SECOND;
    kernel.runFlusher();
    expect(kernel.mounts.writeback.devices.size).toBe(0);
  });
});

describe("background write-back", () => {
  it("keeps what is dirty near the background threshold, the oldest file first", () => {
    const at = rig(16 * 2 ** 20);
    const { process, disk, kernel } = at;
    const first = open(process, "first");
    const second = open(process, "second");
    process.ftruncate(second, 1200 * PAGE_SIZE);
    process.write(first, bytes(300 * PAGE_SIZE, 1));
    expect(disk.writes).toEqual([]);
    let most = 0;
    for (let i = 0; i < 60; i++) {
      process.write(second, bytes(20 * PAGE_SIZE, 2));
      most = Math.max(most, dirtyPages(at));
    }
    const { nr_dirty_threshold: thresh, nr_dirty_background_threshold: background } = kernel.vmstat();
    expect(Math.abs(background - thresh / 2)).toBeLessThanOrEqual(1);
    expect(disk.writes[0][0]).toBe("first");
    expect(most).toBeLessThan(thresh);
    expect(disk.bytes("first").every((byte) => byte === 1)).toBe(true);
  });

  it("tells what a writer met", () => {
    const { process, kernel } = rig();
    const seen: BalanceDirtyEvent[] = [];
    kernel.tracer.subscribe((event) => {
      if (event.type === "balance-dirty") seen.push(event);
    });
    process.write(open(process, "file"), bytes(1000 * PAGE_SIZE, 1));
    expect(seen.length).toBeGreaterThan(0);
    for (const { dirty, bgThresh, thresh } of seen) {
      expect(dirty).toBeGreaterThan(bgThresh);
      expect(dirty).toBeLessThan(thresh + 64);
    }
  });

  it("goes on with limits so small that each page is over them", () => {
    const at = rig();
    const { process, kernel } = at;
    kernel.mounts.writeback.dirtyBytes = 2 * PAGE_SIZE;
    kernel.mounts.writeback.dirtyRatio = 0;
    const fd = open(process, "file");
    process.ftruncate(fd, 64 * PAGE_SIZE);
    const addr = process.mmap(0, 64 * PAGE_SIZE, RW, MAP_SHARED, fd, 0);
    for (let page = 0; page < 200; page++)
      process.writeBytes(addr + (page % 64) * PAGE_SIZE, bytes(1, page + 1));
    expect(dirtyPages(at)).toBeLessThanOrEqual(3);
    process.fsync(fd);
    expect(at.disk.bytes("file")[7 * PAGE_SIZE]).toBe(200);
  });
});

describe("the settings", () => {
  const read = (process: Process, name: string): string => {
    const fd = process.open(`/proc/sys/vm/${name}`, O_RDWR);
    const buffer = new Uint8Array(32);
    const length = process.read(fd, buffer);
    process.close(fd);
    return new TextDecoder().decode(buffer.subarray(0, length)).trim();
  };
  const write = (process: Process, name: string, value: string): string =>
    outcome(() => {
      const fd = process.open(`/proc/sys/vm/${name}`, O_RDWR);
      try {
        process.write(fd, new TextEncoder().encode(value));
      } finally {
        process.close(fd);
      }
    });
  const all = (process: Process): string =>
    ["dirty_ratio", "dirty_bytes", "dirty_background_ratio", "dirty_background_bytes"]
      .map((name) => read(process, name))
      .join(" ");

  // As Linux 6.18 answered the same writes.
  it("couple ratio and bytes as Linux does", () => {
    const { process, kernel } = rig();
    kernel.mount("/proc", procFs(kernel));
    const steps: [string, string, string, string][] = [
      ["dirty_ratio", "20", "ok", "20 0 10 0"],
      ["dirty_ratio", "101", "EINVAL", "20 0 10 0"],
      ["dirty_bytes", "0", "EINVAL", "20 0 10 0"],
      ["dirty_bytes", "8191", "EINVAL", "20 0 10 0"],
      ["dirty_background_bytes", "0", "EINVAL", "20 0 10 0"],
      ["dirty_background_bytes", "400000000", "ok", "20 0 0 400000000"],
      ["dirty_background_ratio", "10", "ok", "20 0 10 0"],
      ["dirty_bytes", "4000000000", "ok", "0 4000000000 10 0"],
      ["dirty_ratio", "0", "ok", "0 4000000000 10 0"],
      ["dirty_bytes", "0x4000000", "ok", "0 67108864 10 0"],
      ["dirty_ratio", "21", "ok", "21 0 10 0"],
    ];
    for (const [name, value, result, state] of steps) {
      expect([name, value, write(process, name, value), all(process)]).toEqual([name, value, result, state]);
    }
    expect(write(process, "dirty_writeback_centisecs", "-5")).toBe("ok");
    expect(write(process, "dirty_expire_centisecs", "-5")).toBe("EINVAL");
    expect([read(process, "dirty_writeback_centisecs"), read(process, "dirty_expire_centisecs")]).toEqual([
      "-5",
      "3000",
    ]);
  });
});

describe("the validator", () => {
  it("finds what write-back has lost track of", () => {
    const { process, kernel } = rig();
    const fd = open(process, "file");
    process.write(fd, bytes(10, 1));
    const { writeback } = kernel.mounts;
    const [device] = writeback.devices;
    const [inode] = device.bDirty;
    const { stat } = kernel.phys;
    expect(validate(kernel)).toEqual([]);
    stat[NR_WRITEBACK]++;
    expect(validate(kernel)).toEqual(["nr_writeback is 1, 0 found"]);
    stat[NR_WRITEBACK]--;
    device.bDirty.delete(inode);
    expect(validate(kernel)).toEqual(["inode 2 of diskfs is not on the list it names"]);
    device.bDirty.add(inode);
    writeback.devices.clear();
    expect(validate(kernel)).toEqual(["the flusher does not know that diskfs is dirty"]);
    writeback.devices.add(device);
    writeback.nextWakeNs = Number.POSITIVE_INFINITY;
    expect(validate(kernel)).toEqual(["the flusher comes to diskfs too late"]);
    writeback.nextWakeNs = device.wakeAtNs;
    forgetDirtyInode(inode);
    expect(validate(kernel)).toEqual(["inode 2 of diskfs has dirty pages and is not marked"]);
    process.fsync(fd);
  });

  it("agrees with what /proc/vmstat says of the limits", () => {
    const { process, kernel } = rig();
    kernel.mount("/proc", procFs(kernel));
    const buffer = new Uint8Array(16384);
    const length = process.read(process.open("/proc/vmstat", O_RDONLY), buffer);
    const text = new TextDecoder().decode(buffer.subarray(0, length));
    const line = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1]);
    const limits = dirtyableMemory(kernel.mounts.writeback) / 5;
    expect(Math.abs(line("nr_dirty_threshold") - limits)).toBeLessThan(3);
    expect(Math.abs(line("nr_dirty_background_threshold") - limits / 2)).toBeLessThan(3);
  });
});

describe.each(["lru", "mglru"] as const)("reclaim that meets dirty pages of files (%s)", (lruPolicy) => {
  const pages = 400;

  /** A file mapped on a machine too small for it, with limits so high that nobody but reclaim asks for write-back. */
  function mapped(): { disk: Disk; kernel: Kernel; process: Process; fd: number; at: number } {
    const disk = new Disk();
    disk.files.set("large", new Uint8Array(pages * PAGE_SIZE));
    const kernel = boot({ ram: 2 ** 20, lruPolicy });
    kernel.mount("/disk", diskFs(disk));
    kernel.mounts.writeback.dirtyBytes = 2 ** 30;
    kernel.mounts.writeback.dirtyBackgroundBytes = 2 ** 29;
    const process = kernel.spawn();
    const fd = open(process, "large");
    return { disk, kernel, process, fd, at: process.mmap(0, pages * PAGE_SIZE, RW, MAP_SHARED, fd, 0) };
  }

  it("wakes the flusher where there are no others, and that writes them in order", () => {
    const { disk, kernel, process, fd, at } = mapped();
    for (let page = 0; page < pages; page++) process.storeU32(at + page * PAGE_SIZE, 1 + page);
    const { nr_vmscan_write, pgsteal_kswapd, oom_kill } = kernel.vmstat();
    expect([nr_vmscan_write, oom_kill]).toEqual([0, 0]);
    expect(pgsteal_kswapd).toBeGreaterThan(100);
    // Not page by page as reclaim met them, but long runs, each behind the one before.
    const starts = disk.writes.map(([, first]) => first);
    expect(starts.length).toBeGreaterThan(0);
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
    expect(starts.length).toBeLessThan(20);
    // What else storage has to know of the file is not reclaim's business.
    expect(disk.inodesWritten).toEqual([]);
    for (let page = 0; page < pages; page++) expect(process.loadU32(at + page * PAGE_SIZE)).toBe(1 + page);
    process.fsync(fd);
    const view = new DataView(disk.bytes("large").buffer);
    for (let page = 0; page < pages; page++) expect(view.getUint32(page * PAGE_SIZE, true)).toBe(1 + page);
  });

  it("goes round them while there are clean ones", () => {
    const { disk, kernel, process, at } = mapped();
    for (let page = 0; page < 80; page += 2) process.storeU32(at + page * PAGE_SIZE, 1 + page);
    for (let round = 0; round < 3; round++) {
      for (let page = 80; page < pages; page++) process.loadU32(at + page * PAGE_SIZE);
    }
    // With generations they are younger by one each time; of short lists a batch soon is nothing but a dirty page.
    if (lruPolicy === "mglru") expect(disk.writes).toEqual([]);
    expect(kernel.vmstat().oom_kill).toBe(0);
    for (let page = 0; page < 80; page += 2) expect(process.loadU32(at + page * PAGE_SIZE)).toBe(1 + page);
  });
});
