/** swapon and swapoff of files in the guest's file system. The errnos are those of Linux 6.18.44 on ext4. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import {
  type Kernel,
  MAP_PRIVATE,
  MAP_SHARED,
  O_CREAT,
  O_RDWR,
  O_TRUNC,
  PROT_READ,
  type Process,
  procFs,
  SWAP_FLAG_PREFER,
  tmpFs,
  validate,
} from "../../../src/mm/index.ts";
import { mkswap } from "../../../src/mm/swap/swap-header.ts";
import { sysFallocate } from "../../../src/mm/syscalls/file-size.ts";
import { sysSwapon } from "../../../src/mm/syscalls/swapon.ts";
import { EFAULT, ETXTBSY } from "../../../src/mm/uapi/errno.ts";
import { createSwapFile, nodeFs } from "../../../src/storage/node/index.ts";
import { ANON, boot, outcome, P, RW, SHARED_ANON } from "../core/rig.ts";
import { pageOut, stateOf, swapEntries, temporaryFolder } from "./rig.ts";

interface Guest {
  readonly kernel: Kernel;
  readonly process: Process;
  /** The folder that is /host in the guest. */
  readonly folder: string;
}

function guest(): Guest {
  const folder = temporaryFolder();
  createSwapFile(path.join(folder, "good"), 64 * P, { label: "lab" });
  fs.writeFileSync(path.join(folder, "zeros"), new Uint8Array(64 * P));
  const kernel = boot();
  kernel.mount("/host", nodeFs(folder));
  kernel.mount("/shm", tmpFs());
  kernel.mount("/proc", procFs(kernel));
  return { kernel, process: kernel.spawn(), folder };
}

function readText(process: Process, file: string): string {
  const fd = process.open(file, 0);
  const bytes = new Uint8Array(4096);
  const length = process.read(fd, bytes, bytes.length);
  process.close(fd);
  return new TextDecoder().decode(bytes.subarray(0, length));
}

describe("swapon", () => {
  it("refuses what Linux refuses", () => {
    const { process, folder } = guest();
    const on = (file: string, flags = 0): string => outcome(() => process.swapon(file, flags));
    fs.writeFileSync(path.join(folder, "sparse"), mkswap(64));
    fs.truncateSync(path.join(folder, "sparse"), 64 * P);
    const inMemory = process.open("/shm/swap", O_RDWR | O_CREAT, 0o600);
    process.write(inMemory, mkswap(10), P);
    process.ftruncate(inMemory, 10 * P);
    expect(on("/host/none")).toBe("ENOENT");
    expect(on("/host/none", 0x800000)).toBe("EINVAL");
    expect(on("/host")).toBe("EISDIR");
    expect(on("/shm/swap")).toBe("EINVAL");
    expect(on("/host/zeros")).toBe("EINVAL");
    expect(on("/proc/self/maps")).toBe("EINVAL");
    if (fs.statSync(path.join(folder, "sparse")).blocks * 512 < 64 * P)
      expect(on("/host/sparse")).toBe("EINVAL");
    expect(on("/host/good")).toBe("ok");
    expect(on("/host/good")).toBe("EBUSY");
    expect(sysSwapon(process, -EFAULT, 0)).toBe(-EFAULT);
    const user = process.kernel.spawn({ uid: 1000 });
    expect(outcome(() => user.swapon("/host/good", 0x800000))).toBe("EINVAL");
    expect(outcome(() => user.swapon("/host/none"))).toBe("EPERM");
    expect(outcome(() => user.swapoff("/host/none"))).toBe("EPERM");
    const off = (file: string): string => outcome(() => process.swapoff(file));
    expect([off("/host/none"), off("/host"), off("/host/zeros")]).toEqual(["ENOENT", "EISDIR", "EINVAL"]);
    expect(off("/proc/self/maps")).toBe("EINVAL");
    expect([off("/host/good"), off("/host/good")]).toEqual(["ok", "EINVAL"]);
  });

  it("makes a file nobody else's", () => {
    const { process } = guest();
    const fd = process.open("/host/good", O_RDWR);
    process.swapon("/host/good");
    expect(outcome(() => process.write(fd, new Uint8Array(4), 4))).toBe("ETXTBSY");
    expect(outcome(() => process.pwrite(fd, new Uint8Array(4), 0, 0))).toBe("ETXTBSY");
    expect(outcome(() => process.ftruncate(fd, 100))).toBe("ETXTBSY");
    expect(outcome(() => process.ftruncate(fd, 64 * P))).toBe("ETXTBSY");
    expect(outcome(() => process.ftruncate(fd, 65 * P))).toBe("ok");
    expect(sysFallocate(process, fd, 0, 0, P)).toBe(-ETXTBSY);
    expect(outcome(() => process.open("/host/good", O_RDWR | O_TRUNC))).toBe("ETXTBSY");
    expect(outcome(() => process.mmap(0, P, RW, MAP_SHARED, fd))).toBe("ETXTBSY");
    expect(outcome(() => process.mmap(0, P, PROT_READ, MAP_SHARED, fd))).toBe("ok");
    expect(outcome(() => process.mmap(0, P, RW, MAP_PRIVATE, fd))).toBe("ok");
    const other = process.open("/host/zeros", O_RDWR);
    expect(outcome(() => process.copy_file_range(fd, 0, other, 0, 10))).toBe("ETXTBSY");
    expect(outcome(() => process.copy_file_range(other, 0, fd, 0, 10))).toBe("ETXTBSY");
    expect(outcome(() => process.unlink("/host/good"))).toBe("EPERM");
    expect(outcome(() => process.rename("/host/good", "/host/other"))).toBe("EPERM");
    expect(outcome(() => process.rename("/host/zeros", "/host/good"))).toBe("EPERM");
    process.swapoff("/host/good");
    expect(outcome(() => process.write(fd, new Uint8Array(4), 4))).toBe("ok");
    process.unlink("/host/good");
  });

  it("shows in /proc/swaps, meminfo and the limit of overcommit", () => {
    const { kernel, process } = guest();
    const limit = kernel.phys.commit.limit;
    process.swapon("/host/good", SWAP_FLAG_PREFER | 5);
    const at = process.mmap(0, 4 * P, RW, ANON);
    for (let page = 0; page < 4; page++) process.storeU8(at + page * P, 1);
    pageOut(process, at, 4);
    expect(readText(process, "/proc/swaps")).toBe(
      "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n" +
        "/host/good                              file\t\t252\t\t16\t\t5\n",
    );
    expect(readText(process, "/proc/meminfo")).toMatch(/SwapTotal: +252 kB\nSwapFree: +236 kB\n/);
    expect(readText(process, "/proc/self/status")).toMatch(/VmSwap:\s+16 kB\n/);
    expect(kernel.phys.commit.limit - limit).toBe(63);
    expect(stateOf(process, at)).toBe("swapped");
    process.swapoff("/host/good");
    expect(kernel.phys.commit.limit).toBe(limit);
    expect(process.loadU8(at + 3 * P)).toBe(1);
  });

  it("pages are in the file, past the page cache", () => {
    const { process, folder } = guest();
    process.swapon("/host/good");
    const at = process.mmap(0, P, RW, ANON);
    process.writeBytes(at, new Uint8Array(P).fill(0x5a));
    pageOut(process, at, 1);
    const bytes = fs.readFileSync(path.join(folder, "good"));
    expect(bytes.subarray(P, 2 * P).every((byte) => byte === 0x5a)).toBe(true);
  });

  it("swapoff without room is the death of who asked for it, whatever his score, and nothing is lost", () => {
    const folder = temporaryFolder();
    createSwapFile(path.join(folder, "swap"), 256 * P);
    const kernel = boot({ ram: 128 * P });
    kernel.mount("/host", nodeFs(folder));
    const process = kernel.spawn();
    process.swapon("/host/swap");
    const at = process.mmap(0, 200 * P, RW, ANON);
    for (let page = 0; page < 200; page++) process.storeU32(at + page * P, page + 1);
    const admin = kernel.spawn({ comm: "swapoff", oomScoreAdj: -1000 });
    expect(outcome(() => admin.swapoff("/host/swap"))).toBe("ENOMEM");
    expect(outcome(() => admin.brk())).toBe("ESRCH");
    expect([admin.exitStatus, process.exitStatus]).toEqual([9, null]);
    expect(kernel.dmesg.some((line) => /Out of memory: Killed process 2 \(swapoff\)/.test(line))).toBe(true);
    expect(kernel.vmstat().oom_kill).toBe(1);
    for (let page = 0; page < 200; page++) expect(process.loadU32(at + page * P)).toBe(page + 1);
    expect(outcome(() => kernel.swapOff("/host/swap"))).toBe("ENOMEM");
    process.munmap(at, 150 * P);
    process.swapoff("/host/swap");
    expect(swapEntries(process)).toBe(0);
    for (let page = 150; page < 200; page++) expect(process.loadU32(at + page * P)).toBe(page + 1);
  });

  // Who died on 6.18 with the same numbers of MiB: the process whose pages are on their way back keeps them until that is over.
  it.each([
    { sizes: [70, 80, 60], ends: [9, 9, 9] },
    { sizes: [30, 80, 60], ends: [null, 9, 9] },
  ])("swapoff beyond the limit of a cgroup kills in it until the rest fits: $sizes", ({ sizes, ends }) => {
    const folder = temporaryFolder();
    createSwapFile(path.join(folder, "swap"), 512 * P);
    const kernel = boot({ ram: 1024 * P });
    kernel.mount("/host", nodeFs(folder));
    const admin = kernel.spawn();
    admin.swapon("/host/swap");
    const group = kernel.memcg.create("a");
    group.max = 100 * P;
    const tasks = sizes.map((pages) => {
      const task = kernel.spawn({ cgroup: group });
      const at = task.mmap(0, pages * P, RW, ANON);
      for (let page = 0; page < pages; page++) task.storeU32(at + page * P, page + 1);
      return { task, at, pages };
    });
    const exits = (): (number | null)[] => tasks.map(({ task }) => task.exitStatus);
    expect(outcome(() => kernel.swapOff("/host/swap"))).toBe("ENOMEM");
    expect(exits()).toEqual(sizes.map(() => null));
    admin.swapoff("/host/swap");
    expect(exits()).toEqual(ends);
    expect(admin.exitStatus).toBe(null);
    for (const { task, at, pages } of tasks) {
      if (task.exitStatus !== null) continue;
      expect(swapEntries(task)).toBe(0);
      for (let page = 0; page < pages; page++) expect(task.loadU32(at + page * P)).toBe(page + 1);
    }
    expect(validate(kernel)).toEqual([]);
  });

  it("swapoff beyond the limit of a cgroup: a file goes with its last user, though it is being read back", () => {
    const kernel = boot({ ram: 1024 * P });
    const folder = temporaryFolder();
    createSwapFile(path.join(folder, "swap"), 512 * P);
    kernel.mount("/host", nodeFs(folder));
    const admin = kernel.spawn();
    admin.swapon("/host/swap");
    const group = kernel.memcg.create("a");
    group.max = 100 * P;
    const tasks = [30, 50].map((pages) => {
      const task = kernel.spawn({ cgroup: group });
      const at = task.mmap(0, pages * P, RW, SHARED_ANON);
      for (let page = 0; page < pages; page++) task.storeU32(at + page * P, page + 1);
      return task;
    });
    // The larger one for what is its own, whatever of it is in swap.
    const own = tasks[0].mmap(0, 65 * P, RW, ANON);
    for (let page = 0; page < 65; page++) tasks[0].storeU32(own + page * P, page + 1);
    admin.swapoff("/host/swap");
    expect(tasks.map(({ exitStatus }) => exitStatus)).toEqual([9, null]);
    expect(validate(kernel)).toEqual([]);
  });
});

const hasMkswap = ["/usr/sbin/mkswap", "/sbin/mkswap"].find((tool) => fs.existsSync(tool));

describe("a file that mkswap(8) made", () => {
  it.skipIf(hasMkswap === undefined)("is taken (skipped without mkswap)", () => {
    const { process, folder } = guest();
    const file = path.join(folder, "zeros");
    fs.chmodSync(file, 0o600);
    execFileSync(hasMkswap ?? "", ["-U", "01234567-89ab-cdef-0123-456789abcdef", "-L", "lab", file], {
      stdio: "ignore",
    });
    process.swapon("/host/zeros");
    expect(readText(process, "/proc/swaps")).toContain("252");
  });
});
