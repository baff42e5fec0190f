/** mlock, mlock2, munlock (facts 1, 2): each answer was seen on 6.18, as root and as nobody. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  MADV_DONTNEED,
  MADV_DONTNEED_LOCKED,
  MAP_FIXED,
  MAP_LOCKED,
  MAP_SHARED,
  MLOCK_ONFAULT,
  MREMAP_MAYMOVE,
  MS_INVALIDATE,
  MS_SYNC,
  O_CREAT,
  O_RDWR,
  PROT_NONE,
  PROT_READ,
  type Process,
  RLIMIT_MEMLOCK,
  validate,
} from "../../../src/mm/index.ts";
import { nodeFs } from "../../../src/storage/node/index.ts";
import {
  ANON,
  BASE,
  boot,
  faults,
  layout,
  mapAt,
  newFile,
  outcome,
  P,
  RW,
  readAll,
  spawn,
  writeAll,
} from "../core/rig.ts";

const WRAP = 2 ** 64;

/** A process without privileges, and with a limit of `pages`. */
function limited(pages: number): Process {
  const task = boot().spawn({ uid: 65534, gid: 65534 });
  task.setrlimit(RLIMIT_MEMLOCK, { soft: pages * P, hard: pages * P });
  return task;
}

/** One character a page: 1 resident, 0 not. */
function resident(task: Process, addr: number, pages: number): string {
  const vec = task.mmap(0, P, RW, ANON);
  task.mincore(addr, pages * P, vec);
  const bits = Array.from({ length: pages }, (_, page) => task.loadU8(vec + page));
  task.munmap(vec, P);
  return bits.join("");
}

function locked(task: Process): { vm: number; pages: number; unevictable: number } {
  const { nr_mlock, nr_unevictable } = task.kernel.vmstat();
  expect(validate(task.kernel)).toEqual([]);
  return { vm: task.mm.lockedVm, pages: nr_mlock, unevictable: nr_unevictable };
}

function lockCounts(pages: number): ReturnType<typeof locked> {
  return { vm: pages, pages, unevictable: pages };
}

describe("mlock", () => {
  it("brings whole pages in, splits and merges, and counts each page once", () => {
    const task = spawn();
    mapAt(task, BASE, 10);
    task.mlock(BASE + 2 * P + 1, P);
    expect(resident(task, BASE, 10)).toBe("0011000000");
    expect(layout(task, BASE, 10)).toEqual(["0…2 rw-p", "2…4 rw-p", "4…10 rw-p"]);
    expect(locked(task)).toEqual(lockCounts(2));
    task.mlock(BASE + P, 2 * P);
    expect(layout(task, BASE, 10)).toEqual(["0…1 rw-p", "1…4 rw-p", "4…10 rw-p"]);
    expect(locked(task)).toEqual(lockCounts(3));
    expect(faults(task, () => writeAll(task, BASE + P, 3))).toBe(0);
    task.munlock(BASE, 10 * P);
    expect(layout(task, BASE, 10)).toEqual(["0…10 rw-p"]);
    expect(locked(task)).toEqual(lockCounts(0));
    expect(resident(task, BASE, 10)).toBe("0111000000");
  });

  it("takes lengths that wrap as the kernel does", () => {
    const task = spawn();
    mapAt(task, BASE, 2);
    expect(outcome(() => task.mlock(BASE, WRAP - P))).toBe("EINVAL");
    expect(outcome(() => task.mlock(BASE, WRAP - P / 2))).toBe("ok");
    expect(outcome(() => task.mlock(WRAP - P, P))).toBe("EINVAL");
    expect(outcome(() => task.munlock(WRAP - P, P))).toBe("EINVAL");
    expect(outcome(() => task.mlock(0, 0))).toBe("ok");
    expect(outcome(() => task.mlock(0, 1))).toBe("ENOMEM");
    expect(outcome(() => limited(8).mlock(BASE, WRAP - P))).toBe("ENOMEM");
    expect(locked(task)).toEqual(lockCounts(0));
  });

  it("over a hole: ENOMEM, what lies before is locked but not brought in, what lies behind is not locked", () => {
    const task = spawn();
    mapAt(task, BASE, 2);
    mapAt(task, BASE + 3 * P, 2);
    expect(outcome(() => task.mlock(BASE, 5 * P))).toBe("ENOMEM");
    expect(locked(task)).toEqual({ vm: 2, pages: 0, unevictable: 0 });
    expect(outcome(() => task.madvise(BASE, P, MADV_DONTNEED))).toBe("EINVAL");
    expect(outcome(() => task.madvise(BASE + 3 * P, P, MADV_DONTNEED))).toBe("ok");
    expect(outcome(() => task.munlock(BASE + P, 3 * P))).toBe("ENOMEM");
    expect(locked(task).vm).toBe(1);
  });

  it("of PROT_NONE: ENOMEM, and locked (fact 2); mprotect brings it in later", () => {
    const task = spawn();
    mapAt(task, BASE, 4, PROT_NONE);
    expect(outcome(() => task.mlock(BASE, 4 * P))).toBe("ENOMEM");
    expect(task.mm.lockedVm).toBe(4);
    expect(outcome(() => task.madvise(BASE, P, MADV_DONTNEED))).toBe("EINVAL");
    expect(outcome(() => task.madvise(BASE, P, MADV_DONTNEED_LOCKED))).toBe("ok");
    expect(outcome(() => task.msync(BASE, P, MS_INVALIDATE | MS_SYNC))).toBe("EBUSY");
    task.mprotect(BASE, 4 * P, RW);
    expect(resident(task, BASE, 4)).toBe("1111");
    expect(locked(task)).toEqual(lockCounts(4));
  });

  it("past the end of a file: ENOMEM, with the pages before it in and everything locked", () => {
    const task = spawn();
    const fd = newFile(task, "/f", 3);
    const addr = task.mmap(BASE, 5 * P, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    expect(outcome(() => task.mlock(addr, 5 * P))).toBe("ENOMEM");
    expect(resident(task, addr, 5)).toBe("11100");
    expect(locked(task)).toEqual({ vm: 5, pages: 3, unevictable: 3 });
  });

  it("without memory: EAGAIN", () => {
    const task = spawn({ ram: 2 ** 20, overcommitMemory: 1 });
    mapAt(task, BASE, 400);
    expect(outcome(() => task.mlock(BASE, 400 * P))).toBe("EAGAIN");
    expect(task.mm.lockedVm).toBe(400);
    expect(task.kernel.vmstat().nr_mlock).toBeGreaterThan(200);
    task.exit();
    expect(task.kernel.vmstat().nr_mlock).toBe(0);
  });

  it("beyond the mappings that a process may have: ENOMEM, as far as it got", () => {
    const task = spawn({ maxMapCount: 2 });
    mapAt(task, BASE, 6);
    expect(outcome(() => task.mlock(BASE + P, P))).toBe("ENOMEM");
    expect(locked(task)).toEqual(lockCounts(0));
  });
});

describe("the limit", () => {
  it("ENOMEM above it, where what is locked already counts once; EAGAIN from mmap and mremap; EPERM at 0", () => {
    const task = limited(4);
    mapAt(task, BASE, 10);
    expect(outcome(() => task.mlock(BASE, 5 * P))).toBe("ENOMEM");
    expect(outcome(() => task.mlock(BASE, 4 * P))).toBe("ok");
    expect(outcome(() => task.mlock(BASE + 2 * P, 2 * P))).toBe("ok");
    expect(outcome(() => task.mlock(BASE, 4 * P))).toBe("ok");
    expect(outcome(() => task.mlock(BASE + P, 4 * P))).toBe("ENOMEM");
    expect(outcome(() => task.mmap(0, P, RW, ANON | MAP_LOCKED))).toBe("EAGAIN");
    mapAt(task, BASE + 4 * P, 1, PROT_READ);
    expect(outcome(() => task.mremap(BASE, 4 * P, 5 * P, MREMAP_MAYMOVE))).toBe("EAGAIN");
    expect(locked(task)).toEqual(lockCounts(4));
    task.munlock(BASE, 4 * P);
    task.setrlimit(RLIMIT_MEMLOCK, { soft: 0, hard: 0 });
    expect(outcome(() => task.mlock(BASE, 0))).toBe("EPERM");
    expect(outcome(() => task.mlock(0, P))).toBe("EPERM");
    expect(outcome(() => task.mlock2(BASE, P, 4))).toBe("EINVAL");
    expect(outcome(() => task.munlock(BASE, P))).toBe("ok");
    expect(outcome(() => task.mmap(0, P, RW, ANON | MAP_LOCKED))).toBe("EPERM");
    expect(outcome(() => task.mmap(0, 0, RW, ANON | MAP_LOCKED))).toBe("EINVAL");
  });

  it("does not hold for root", () => {
    const task = spawn();
    task.setrlimit(RLIMIT_MEMLOCK, { soft: 0, hard: 0 });
    mapAt(task, BASE, 4);
    expect(outcome(() => task.mlock(BASE, 4 * P))).toBe("ok");
  });

  it("stops a locked stack", () => {
    const task = limited(4);
    task.mmap(BASE, 2 * P, RW, ANON | MAP_FIXED | 0x100);
    task.mlock(BASE, 2 * P);
    task.storeU8(BASE - 2 * P, 1);
    expect(task.mm.lockedVm).toBe(4);
    expect(outcome(() => task.storeU8(BASE - 3 * P, 1))).toBe("SEGV_MAPERR");
    expect(locked(task)).toEqual({ vm: 4, pages: 3, unevictable: 3 });
  });
});

describe("mlock2", () => {
  it("with MLOCK_ONFAULT locks pages as they come", () => {
    const task = spawn();
    mapAt(task, BASE, 4);
    task.storeU8(BASE, 1);
    expect(outcome(() => task.mlock2(BASE, 4 * P, 2))).toBe("EINVAL");
    task.mlock2(BASE, 4 * P, MLOCK_ONFAULT);
    expect(resident(task, BASE, 4)).toBe("1000");
    expect(locked(task)).toEqual({ vm: 4, pages: 1, unevictable: 1 });
    task.storeU8(BASE + P, 1);
    expect(locked(task)).toEqual({ vm: 4, pages: 2, unevictable: 2 });
    task.mlock(BASE, 3 * P);
    expect(layout(task, BASE, 4)).toEqual(["0…3 rw-p", "3…4 rw-p"]);
    expect(locked(task)).toEqual({ vm: 4, pages: 3, unevictable: 3 });
    task.mlock2(BASE, 4 * P, MLOCK_ONFAULT);
    expect(layout(task, BASE, 4)).toEqual(["0…4 rw-p"]);
    expect(locked(task)).toEqual({ vm: 4, pages: 3, unevictable: 3 });
    task.madvise(BASE, 4 * P, MADV_DONTNEED_LOCKED);
    expect(locked(task)).toEqual({ vm: 4, pages: 0, unevictable: 0 });
  });
});

describe("locked pages", () => {
  it("are locked as often as locked mappings show them", () => {
    const task = spawn();
    const fd = newFile(task, "/f", 2);
    task.mmap(BASE, 2 * P, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
    task.mmap(BASE + 8 * P, 2 * P, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
    task.mlock(BASE, 2 * P);
    task.mlock(BASE + 8 * P, P);
    expect(locked(task)).toEqual({ vm: 3, pages: 2, unevictable: 2 });
    task.munlock(BASE, 2 * P);
    expect(locked(task)).toEqual(lockCounts(1));
    task.munmap(BASE + 8 * P, 2 * P);
    expect(locked(task)).toEqual(lockCounts(0));
  });

  it("go with truncation and a new mapping over them", () => {
    const task = spawn();
    const fd = task.open("/f", O_RDWR | O_CREAT, 0o644);
    task.ftruncate(fd, 4 * P);
    task.mmap(BASE, 4 * P, RW, MAP_SHARED | MAP_FIXED | MAP_LOCKED, fd, 0);
    expect(locked(task)).toEqual(lockCounts(4));
    task.ftruncate(fd, P);
    expect(locked(task)).toEqual({ vm: 4, pages: 1, unevictable: 1 });
    mapAt(task, BASE, 4);
    expect(locked(task)).toEqual(lockCounts(0));
  });

  it("are not locked for a child, and follow a copy", () => {
    const task = spawn();
    mapAt(task, BASE, 4);
    task.mlock(BASE, 4 * P);
    const child = task.fork();
    expect(child.mm.lockedVm).toBe(0);
    expect(locked(task)).toEqual(lockCounts(4));
    child.storeU8(BASE, 2);
    task.storeU8(BASE + P, 3);
    expect(locked(task)).toEqual(lockCounts(4));
    task.exit();
    expect(child.loadU8(BASE + P)).toBe(0);
    expect(child.kernel.vmstat().nr_mlock).toBe(0);
  });

  it("move with mremap", () => {
    const task = spawn();
    mapAt(task, BASE, 4);
    mapAt(task, BASE + 4 * P, 1, PROT_READ);
    task.mlock(BASE, 4 * P);
    const moved = task.mremap(BASE, 4 * P, 16 * P, MREMAP_MAYMOVE);
    expect(locked(task)).toEqual(lockCounts(16));
    task.mremap(moved, 16 * P, 2 * P);
    expect(locked(task)).toEqual(lockCounts(2));
  });

  it("stay in memory while everything around them is reclaimed", () => {
    // A file of storage: pages of tmpfs could only go to swap.
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "faultline-mlock-"));
    onTestFinished(() => fs.rmSync(directory, { recursive: true, force: true }));
    fs.writeFileSync(path.join(directory, "f"), new Uint8Array(4 * P));
    const kernel = boot();
    kernel.mount("/disk", nodeFs(directory));
    const task = kernel.spawn();
    const fd = task.open("/disk/f", O_RDWR);
    task.mmap(BASE, 4 * P, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
    // On fault: mlock itself would use the page, which would count as active.
    task.mlock2(BASE + P, P, MLOCK_ONFAULT);
    readAll(task, BASE, 4);
    const { phys } = task.kernel;
    /** All that can be had: each page gets another round for its use. */
    const reclaimed = (): number => {
      const freed = phys.reclaimer?.tryToFreePages(1000) ?? 0;
      return freed === 0 ? 0 : freed + reclaimed();
    };
    expect(reclaimed()).toBe(3);
    expect(faults(task, () => task.loadU8(BASE + P))).toBe(0);
    expect(validate(task.kernel)).toEqual([]);
    task.munlock(BASE, 4 * P);
    expect(task.kernel.vmstat().nr_unevictable).toBe(0);
    expect(reclaimed()).toBe(1);
  });
});
