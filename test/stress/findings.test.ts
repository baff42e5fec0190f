/** What runs under memory pressure have found once. */
import { describe, expect, it } from "vitest";
import { MADV_FREE, MAP_SHARED, MS_SYNC, O_CREAT, O_RDWR, validate } from "../../src/mm/index.ts";
import { tmpFs } from "../../src/mm/shmem/tmpfs.ts";
import { sysProcessVmWritev } from "../../src/mm/syscalls/process-vm.ts";
import { EFAULT } from "../../src/mm/uapi/errno.ts";
import { BASE, boot, mapAt, outcome, P, RW, writeAll } from "../mm/core/rig.ts";
import { bootFrames, fill, firstWrong } from "../mm/reclaim/rig.ts";
import { addSwap, pageOut } from "../mm/swap/rig.ts";
import { Disk, diskFs } from "../mm/writeback/disk-fs.ts";

describe("MADV_FREE of what a fork shares", () => {
  it("takes nothing from the other, also of a page that came from swap past the cache", () => {
    const kernel = boot({ ram: 128 * P });
    addSwap(kernel, "memory", 256);
    const task = kernel.spawn({ oomScoreAdj: -1000 });
    mapAt(task, BASE, 8);
    writeAll(task, BASE, 8, 7);
    pageOut(task, BASE, 8);
    for (let page = 0; page < 8; page++) expect(task.loadU8(BASE + page * P)).toBe(7);
    const child = task.fork();
    task.madvise(BASE, 8 * P, MADV_FREE);
    const hog = kernel.spawn();
    fill(hog, 200);
    for (let page = 0; page < 8; page++) expect(child.loadU8(BASE + page * P)).toBe(7);
  });
});

describe("process_vm_writev", () => {
  it("dirties what it wrote, though write-back came between holding and copying", () => {
    const disk = new Disk();
    const kernel = boot({ ram: 160 * P });
    addSwap(kernel, "memory", 512);
    kernel.mount("/disk", diskFs(disk));
    const task = kernel.spawn();
    const fd = task.open("/disk/f", O_RDWR | O_CREAT, 0o600);
    task.ftruncate(fd, 60 * P);
    const to = task.mmap(0, 60 * P, RW, MAP_SHARED, fd);
    const other = kernel.spawn();
    const from = fill(other, 60, 1);
    fill(other, 60, 1);
    const moved = sysProcessVmWritev(kernel.mmu, other, {
      target: task,
      local: [{ base: from, len: 60 * P }],
      remote: [{ base: to, len: 60 * P }],
    });
    expect(moved).toBe(60 * P);
    fill(other, 100, 1);
    for (let page = 0; page < 60; page++) expect(task.loadU32(to + page * P)).toBe(page + 1);
    task.msync(to, 60 * P, MS_SYNC);
    const words = new Uint32Array(disk.bytes("f").buffer);
    for (let page = 0; page < 60; page++) expect(words[(page * P) / 4]).toBe(page + 1);
  });
});

describe("swap readahead", () => {
  it("leaves a slot alone that changed hands while it looked for a frame", () => {
    let ns = 0;
    const kernel = boot({ ram: 512 * P, now: () => ns });
    // What leaves is in the cache until the device has it.
    const timing = { latencyNs: 1e6, bytesPerSecond: P * 1000 };
    addSwap(kernel, "rotational disk", 30, "/dev/a", 0, timing);
    const [task, victim, other, filler] = [1, 2, 3, 4].map(() => kernel.spawn());
    mapAt(task, BASE, 1);
    mapAt(victim, BASE, 8);
    writeAll(task, BASE, 1, task.pid);
    writeAll(victim, BASE, 8, victim.pid);
    // The first slot is the task's.
    pageOut(task, BASE, 1);
    pageOut(victim, BASE, 8);
    ns += 1e9;
    kernel.runFlusher();
    kernel.memcg.reclaim(9 * P);
    expect(kernel.vmstat().nr_swapcached).toBe(0);
    // The rest is taken, too.
    mapAt(filler, BASE, 20);
    writeAll(filler, BASE, 20, 1);
    pageOut(filler, BASE, 20);
    mapAt(other, BASE, 8);
    writeAll(other, BASE, 8, other.pid);
    const { phys } = kernel;
    const alloc = phys.allocPageFor;
    let frames = 0;
    phys.allocPageFor = (group) => {
      // The second is for a neighbour of the task's page: to get it, the victim dies, and the other's pages go.
      if (++frames === 2) {
        victim.exit();
        pageOut(other, BASE, 8);
      }
      return alloc.call(phys, group);
    };
    expect(task.loadU8(BASE)).toBe(task.pid);
    phys.allocPageFor = alloc;
    for (let page = 0; page < 8; page++) expect(other.loadU8(BASE + page * P)).toBe(other.pid);
    expect(validate(kernel)).toEqual([]);
  });
});

describe("swapoff", () => {
  it.each([64, 80, 128])("brings back more than RAM of what three processes share (%i frames)", (frames) => {
    const kernel = boot({ ram: frames * P, overcommitMemory: 1 });
    addSwap(kernel, "disk", 300, "/dev/a", 5);
    addSwap(kernel, "memory", 400, "/dev/b", 1);
    const task = kernel.spawn({ oomScoreAdj: -1000 });
    const at = fill(task, 180);
    const others = [task.fork(), task.fork()];
    fill(others[0], 60);
    kernel.swapOff("/dev/a");
    for (const one of [task, ...others]) expect(firstWrong(one, at, 180)).toBe(-1);
  });
});

describe("a full tmpfs", () => {
  it("has room again for what reclaim dropped unwritten", () => {
    const kernel = bootFrames(96, 256);
    kernel.mount("/small", tmpFs({ sizeBytes: 16 * P }));
    const task = kernel.spawn();
    const fd = task.open("/small/f", O_RDWR | O_CREAT, 0o600);
    task.ftruncate(fd, 64 * P);
    const at = task.mmap(0, 64 * P, RW, MAP_SHARED, fd);
    for (let page = 0; page < 16; page++) task.loadU8(at + page * P);
    fill(task, 200);
    for (let page = 16; page < 24; page++) expect(outcome(() => task.loadU8(at + page * P))).toBe("ok");
  });
});

/** As Linux 6.18 answers, on ext4 and on tmpfs alike: size before, first byte of the source, bytes, where to; bytes and size after. */
const GROWING_WRITES = [
  [P, 1, P, P, P, 2 * P],
  [P, P + 1, P + 1, 2 * P, P + 1, 3 * P + 1],
  [P, 0, P + 1, P, P + 1, 2 * P + 1],
  [P, 0, P + 1, P - 1, P + 1, 2 * P],
  [P, 0, 2 * P + 1, P, 2 * P + 1, 3 * P + 1],
  [0, 0, P, 0, -EFAULT, 0],
  [0, 0, P, 1, P, P + 1],
  [0, 0, P + 1, P, P + 1, 2 * P + 1],
  [1, 0, 2 * P + 1, P, 2 * P + 1, 3 * P + 1],
  [1, P - 1, P + 1, P, P + 1, 2 * P + 1],
  [P, P - 1, P + 1, P + 1, P + 1, 2 * P + 2],
  [P, P, 2 * P + 1, 2 * P - 1, 2 * P + 1, 4 * P],
] as const;

describe.each(["/disk/f", "/f"])("a write from a mapping of the file that it makes longer (%s)", (name) => {
  it.each(GROWING_WRITES)(
    "goes on where the source was short before: size %i, %i, %i bytes to %i",
    (size, source, bytes, pos, done, after) => {
      const kernel = boot();
      kernel.mount("/disk", diskFs(new Disk()));
      const task = kernel.spawn();
      const fd = task.open(name, O_RDWR | O_CREAT, 0o600);
      task.ftruncate(fd, size);
      const at = task.mmap(0, 16 * P, RW, MAP_SHARED, fd);
      task.writeBytes(at, new Uint8Array(size).fill(5));
      if (done < 0) expect(outcome(() => task.pwrite(fd, at + source, bytes, pos))).toBe("EFAULT");
      else expect(task.pwrite(fd, at + source, bytes, pos)).toBe(done);
      expect(task.fstat(fd).size).toBe(after);
    },
  );
});
