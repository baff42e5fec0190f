/** mseal: what a seal refuses, and what it does not. Every answer and layout was seen on 6.18. */
import { describe, expect, it } from "vitest";
import {
  MADV_DODUMP,
  MADV_DONTDUMP,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_DONTNEED_LOCKED,
  MADV_POPULATE_READ,
  MADV_RANDOM,
  MADV_WILLNEED,
  MADV_WIPEONFORK,
  MAP_FIXED,
  MAP_PRIVATE,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_READ,
  type Process,
} from "../../../src/mm/index.ts";
import { ANON, BASE, layout, mapAt, newFile, outcome, P, RW, SHARED_ANON, spawn } from "../core/rig.ts";

/** "0…5" and "6…10", of which pages 2 and 3 are sealed. */
function sealedTask(): Process {
  const task = spawn();
  mapAt(task, BASE, 5);
  mapAt(task, BASE + 6 * P, 4);
  task.mseal(BASE + 2 * P, 2 * P);
  return task;
}

describe("mseal", () => {
  it("checks its arguments", () => {
    const task = spawn();
    mapAt(task, BASE, 2);
    expect(outcome(() => task.mseal(BASE, P, 1))).toBe("EINVAL");
    expect(outcome(() => task.mseal(BASE + 1, P))).toBe("EINVAL");
    expect(outcome(() => task.mseal(BASE, 2 ** 64 - P / 2))).toBe("EINVAL");
    expect(outcome(() => task.mseal(BASE, 2 ** 64 - P))).toBe("EINVAL");
    expect(outcome(() => task.mseal(0, 0))).toBe("ok");
    expect(outcome(() => task.munmap(BASE, 2 * P))).toBe("ok");
  });

  it("over a hole seals nothing", () => {
    const task = spawn();
    mapAt(task, BASE, 2);
    mapAt(task, BASE + 3 * P, 1);
    expect(outcome(() => task.mseal(BASE, 4 * P))).toBe("ENOMEM");
    expect(layout(task, BASE, 4)).toEqual(["0…2 rw-p", "3…4 rw-p"]);
    expect(outcome(() => task.munmap(BASE, 4 * P))).toBe("ok");
  });

  it("refuses munmap, which has split what lies below the seal by then", () => {
    const task = sealedTask();
    expect(outcome(() => task.munmap(BASE + P, 2 * P))).toBe("EPERM");
    expect(layout(task, BASE, 10)).toEqual(["0…1 rw-p", "1…2 rw-p", "2…4 rw-p", "4…5 rw-p", "6…10 rw-p"]);
    expect(outcome(() => task.munmap(BASE + 3 * P, 2 * P))).toBe("EPERM");
    expect(outcome(() => task.munmap(BASE, 10 * P))).toBe("EPERM");
    expect(layout(task, BASE, 10)).toHaveLength(5);
    expect(outcome(() => task.munmap(BASE + 5 * P, P))).toBe("ok");
  });

  it("refuses mprotect, after what lies before it, even without a change", () => {
    const task = sealedTask();
    expect(outcome(() => task.mprotect(BASE + 2 * P, P, RW))).toBe("EPERM");
    expect(outcome(() => task.mprotect(BASE + P, 2 * P, PROT_READ))).toBe("EPERM");
    expect(layout(task, BASE, 4)).toEqual(["0…1 rw-p", "1…2 r--p", "2…4 rw-p"]);
  });

  it("refuses mremap of it and onto it, and a mapping over it", () => {
    const task = sealedTask();
    expect(outcome(() => task.mremap(BASE + 2 * P, 2 * P, P))).toBe("EPERM");
    expect(outcome(() => task.mremap(BASE + 2 * P, 2 * P, 2 * P))).toBe("EPERM");
    const fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
    expect(outcome(() => task.mremap(BASE + 6 * P, P, P, fixed, BASE + 2 * P))).toBe("EPERM");
    expect(outcome(() => mapAt(task, BASE + P, 2))).toBe("EPERM");
  });

  it("refuses to give the heap back", () => {
    const task = spawn();
    const start = task.brk();
    task.brk(start + 4 * P);
    task.mseal(start + 2 * P, P);
    expect(task.brk(start + P)).toBe(start + 4 * P);
    expect(task.brk(start + 3 * P)).toBe(start + 3 * P);
  });

  it("lets a writable mapping be advised and locked", () => {
    const task = sealedTask();
    for (const advice of [MADV_DONTNEED, MADV_DONTFORK]) {
      expect(outcome(() => task.madvise(BASE + 2 * P, P, advice))).toBe("ok");
    }
    expect(layout(task, BASE, 4)).toEqual(["0…2 rw-p", "2…3 rw-p", "3…4 rw-p"]);
    expect(outcome(() => task.mlock(BASE + 2 * P, P))).toBe("ok");
    expect(outcome(() => task.munlock(BASE + 2 * P, P))).toBe("ok");
    expect(outcome(() => task.mseal(BASE + 2 * P, 2 * P))).toBe("ok");
  });

  it("refuses to throw away read-only anonymous memory, and only that", () => {
    const task = spawn();
    mapAt(task, BASE, 4, PROT_READ);
    task.mseal(BASE, 4 * P);
    for (const advice of [MADV_DONTNEED, MADV_DONTNEED_LOCKED, MADV_DONTFORK, MADV_WIPEONFORK]) {
      expect(outcome(() => task.madvise(BASE, P, advice))).toBe("EPERM");
      expect(outcome(() => task.madvise(BASE, 0, advice))).toBe("ok");
    }
    for (const advice of [MADV_RANDOM, MADV_DONTDUMP, MADV_DODUMP, MADV_POPULATE_READ, MADV_WILLNEED]) {
      expect(outcome(() => task.madvise(BASE, P, advice))).toBe("ok");
    }
    const fd = newFile(task, "/f", 2);
    const file = task.mmap(0, 2 * P, PROT_READ, MAP_PRIVATE, fd, 0);
    const shared = task.mmap(0, 2 * P, PROT_READ, SHARED_ANON);
    for (const addr of [file, shared]) {
      task.mseal(addr, 2 * P);
      expect(outcome(() => task.madvise(addr, P, MADV_DONTNEED))).toBe("ok");
    }
  });

  it("keeps neighbours apart until they are sealed, too; a child inherits it", () => {
    const task = spawn();
    mapAt(task, BASE, 2);
    task.mseal(BASE, 2 * P);
    task.mmap(BASE + 2 * P, 2 * P, RW, ANON | MAP_FIXED);
    expect(layout(task, BASE, 4)).toEqual(["0…2 rw-p", "2…4 rw-p"]);
    task.mseal(BASE + 2 * P, 2 * P);
    expect(layout(task, BASE, 4)).toEqual(["0…4 rw-p"]);
    expect(outcome(() => task.fork().munmap(BASE, P))).toBe("EPERM");
    task.exit();
  });
});
