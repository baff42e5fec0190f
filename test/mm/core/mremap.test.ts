/** mremap: its rules (fact 4), and that the bytes come along. */
import { describe, expect, it } from "vitest";
import {
  MADV_DONTNEED,
  MAP_FIXED,
  MAP_LOCKED,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_READ,
} from "../../../src/mm/index.ts";
import {
  ANON,
  BASE,
  faults,
  layout,
  mapAt,
  newFile,
  outcome,
  P,
  RW,
  SHARED_ANON,
  spawn,
  writeAll,
} from "./rig.ts";

const FIXED = MREMAP_MAYMOVE | MREMAP_FIXED;
const TO = BASE + 64 * P;

describe("resizing", () => {
  it("shrinks, also over two mappings", () => {
    const task = spawn();
    mapAt(task, BASE, 4);
    mapAt(task, BASE + 4 * P, 4, PROT_READ);
    expect(task.mremap(BASE, 8 * P, 2 * P)).toBe(BASE);
    expect(layout(task, BASE, 8)).toEqual(["0…2 rw-p"]);
  });

  it("grows in place where there is room, moves with MAYMOVE where not, ENOMEM without", () => {
    const task = spawn();
    mapAt(task, BASE, 4);
    task.storeU8(BASE + 3 * P, 7);
    expect(task.mremap(BASE, 4 * P, 6 * P)).toBe(BASE);
    mapAt(task, BASE + 8 * P, 1, PROT_READ);
    expect(outcome(() => task.mremap(BASE, 6 * P, 9 * P))).toBe("ENOMEM");
    const moved = task.mremap(BASE, 6 * P, 9 * P, MREMAP_MAYMOVE);
    expect(moved).not.toBe(BASE);
    expect(task.loadU8(moved + 3 * P)).toBe(7);
    expect(outcome(() => task.loadU8(BASE))).toBe("SEGV_MAPERR");
    expect(task.loadU8(moved + 8 * P)).toBe(0);
  });

  it("growing a part that is not the tail moves it out", () => {
    const task = spawn();
    mapAt(task, BASE, 4);
    writeAll(task, BASE, 4, 3);
    expect(outcome(() => task.mremap(BASE, 2 * P, 3 * P))).toBe("ENOMEM");
    const moved = task.mremap(BASE, 2 * P, 3 * P, MREMAP_MAYMOVE);
    expect(layout(task, BASE, 4)).toEqual(["2…4 rw-p"]);
    expect([task.loadU8(moved + P), task.loadU8(moved + 2 * P), task.loadU8(BASE + 2 * P)]).toEqual([
      3, 0, 3,
    ]);
  });

  it("over two mappings growing is EFAULT, at a hole EFAULT", () => {
    const task = spawn();
    mapAt(task, BASE, 4);
    mapAt(task, BASE + 4 * P, 4, PROT_READ);
    expect(outcome(() => task.mremap(BASE, 8 * P, 9 * P, MREMAP_MAYMOVE))).toBe("EFAULT");
    expect(outcome(() => task.mremap(BASE + 9 * P, P, 2 * P, MREMAP_MAYMOVE))).toBe("EFAULT");
  });

  it("a grown file mapping shows more of the file", () => {
    const task = spawn();
    const fd = newFile(task, "/f", 6);
    task.mmap(BASE, 2 * P, RW, MAP_SHARED | MAP_FIXED, fd, 2 * P);
    task.mremap(BASE, 2 * P, 4 * P);
    expect(task.loadU8(BASE + 3 * P)).toBe(6);
    expect(task.mremap(BASE, 4 * P, 5 * P)).toBe(BASE);
    expect(outcome(() => task.loadU8(BASE + 4 * P))).toBe("BUS_ADRERR");
  });
});

describe("refusals", () => {
  it("bad flags, alignment, sizes, overlap", () => {
    const task = spawn();
    mapAt(task, BASE, 4);
    const refused = (old: number, size: number, flags: number, to = 0, at = BASE): string =>
      outcome(() => task.mremap(at, old, size, flags, to));
    expect(refused(4 * P, 0, 0)).toBe("EINVAL");
    expect(refused(P, P, 0, 0, BASE + 1)).toBe("EINVAL");
    expect(refused(P, P, 8)).toBe("EINVAL");
    expect(refused(P, P, MREMAP_FIXED, TO)).toBe("EINVAL");
    expect(refused(2 * P, 2 * P, FIXED, BASE + P)).toBe("EINVAL");
    expect(refused(P, P, FIXED, TO + 1)).toBe("EINVAL");
    expect(refused(P, P, FIXED, 2 ** 47)).toBe("EINVAL");
    expect(refused(0, P, MREMAP_MAYMOVE)).toBe("EINVAL");
    expect(refused(P, 2 ** 50, MREMAP_MAYMOVE)).toBe("EINVAL");
    expect(layout(task, BASE, 4)).toEqual(["0…4 rw-p"]);
  });

  it("DONTUNMAP needs equal sizes and MAYMOVE, and checks the new address even without FIXED", () => {
    const task = spawn();
    mapAt(task, BASE, 4);
    expect(outcome(() => task.mremap(BASE, 2 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP))).toBe("EINVAL");
    expect(outcome(() => task.mremap(BASE, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 1))).toBe(
      "EINVAL",
    );
    expect(outcome(() => task.mremap(BASE, 2 * P, 2 * P, MREMAP_DONTUNMAP))).toBe("EINVAL");
  });
});

describe("moving", () => {
  it("FIXED replaces the destination; untouched pages stay untouched", () => {
    const task = spawn();
    mapAt(task, BASE, 4);
    writeAll(task, BASE, 2, 9);
    mapAt(task, TO, 8, PROT_READ);
    expect(task.mremap(BASE, 4 * P, 4 * P, FIXED, TO + 2 * P)).toBe(TO + 2 * P);
    expect(layout(task, TO, 8)).toEqual(["0…2 r--p", "2…6 rw-p", "6…8 r--p"]);
    expect(faults(task, () => task.loadU8(TO + 3 * P))).toBe(0);
    expect(task.mm.rss[1]).toBe(2);
    expect(faults(task, () => task.loadU8(TO + 4 * P))).toBe(1);
  });

  it("a FIXED move of the same size takes several mappings, at their distances (6.17 on)", () => {
    const task = spawn();
    mapAt(task, BASE, 2);
    mapAt(task, BASE + 3 * P, 2, PROT_READ);
    task.storeU8(BASE + P, 4);
    expect(task.mremap(BASE, 5 * P, 5 * P, FIXED, TO)).toBe(TO);
    expect(layout(task, TO, 8)).toEqual(["0…2 rw-p", "3…5 r--p"]);
    expect(layout(task, BASE, 8)).toEqual([]);
    expect(task.loadU8(TO + P)).toBe(4);
    expect(outcome(() => task.mremap(BASE, 5 * P, 5 * P, FIXED, TO + 20 * P))).toBe("EFAULT");
  });

  it("over tables of PTEs: a range that is not parallel to its destination", () => {
    const task = spawn();
    const from = BASE + 2 ** 21 - 8 * P;
    const to = BASE + 2 ** 30 - 3 * P;
    mapAt(task, from, 16);
    for (let page = 0; page < 16; page += 3) task.storeU8(from + page * P, page + 1);
    task.mremap(from, 16 * P, 16 * P, FIXED, to);
    for (let page = 0; page < 16; page++)
      expect(task.loadU8(to + page * P)).toBe(page % 3 === 0 ? page + 1 : 0);
  });

  it("moves next to where it came from and merges with the rest of itself", () => {
    const task = spawn();
    mapAt(task, BASE, 8);
    writeAll(task, BASE, 8, 1);
    task.storeU8(BASE, 50);
    task.mremap(BASE, 2 * P, 2 * P, FIXED, BASE + 8 * P);
    expect(task.loadU8(BASE + 8 * P)).toBe(50);
    expect(task.loadU8(BASE + 7 * P)).toBe(1);
  });

  it("old size 0 shows a shared mapping a second time", () => {
    const task = spawn();
    task.mmap(BASE, 2 * P, RW, SHARED_ANON | MAP_FIXED);
    const twin = task.mremap(BASE, 0, 2 * P, MREMAP_MAYMOVE);
    task.storeU8(BASE + P, 11);
    expect(task.loadU8(twin + P)).toBe(11);
    task.storeU8(twin, 12);
    expect(task.loadU8(BASE)).toBe(12);
  });

  it("DONTUNMAP leaves the old mapping, empty", () => {
    const task = spawn();
    mapAt(task, BASE, 2);
    writeAll(task, BASE, 2, 5);
    const moved = task.mremap(BASE, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
    expect(task.loadU8(moved)).toBe(5);
    expect(task.loadU8(BASE)).toBe(0);
    task.storeU8(BASE, 6);
    expect([task.loadU8(BASE), task.loadU8(moved)]).toEqual([6, 5]);
  });

  it("a moved page is still copied on write after fork, and found by truncation", () => {
    const task = spawn();
    const fd = newFile(task, "/f", 4);
    task.mmap(BASE, 4 * P, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
    task.storeU8(BASE + P, 70);
    task.mremap(BASE, 4 * P, 4 * P, FIXED, TO);
    const child = task.fork();
    task.storeU8(TO + P, 71);
    expect(child.loadU8(TO + P)).toBe(70);
    task.ftruncate(fd, P);
    expect(outcome(() => task.loadU8(TO + P))).toBe("BUS_ADRERR");
    expect(outcome(() => child.loadU8(TO + P))).toBe("BUS_ADRERR");
  });
});

describe("locked memory stays counted (recounted by the validator)", () => {
  it("growing in place, moving, moving with growth", () => {
    const task = spawn();
    const addr = task.mmap(BASE, 4 * P, RW, ANON | MAP_FIXED | MAP_LOCKED);
    task.mremap(addr, 4 * P, 6 * P);
    expect(task.mm.lockedVm).toBe(6);
    expect(faults(task, () => writeAll(task, addr, 6))).toBe(0);
    mapAt(task, BASE + 6 * P, 1, PROT_READ);
    const moved = task.mremap(addr, 6 * P, 8 * P, MREMAP_MAYMOVE);
    expect(task.mm.lockedVm).toBe(8);
    expect(faults(task, () => writeAll(task, moved, 8))).toBe(0);
    task.mremap(moved, 8 * P, 3 * P);
    expect(task.mm.lockedVm).toBe(3);
  });

  it("DONTUNMAP of a part unlocks all of the old mapping", () => {
    const task = spawn();
    task.mmap(BASE, 8 * P, RW, ANON | MAP_FIXED | MAP_LOCKED);
    const moved = task.mremap(BASE, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
    expect(outcome(() => task.madvise(BASE, 8 * P, MADV_DONTNEED))).toBe("ok");
    expect(outcome(() => task.madvise(moved, P, MADV_DONTNEED))).toBe("EINVAL");
    // Seen on 6.18: VmLck goes up by the 4, and never down for the 8.
    expect(task.mm.lockedVm).toBe(12);
  });
});
