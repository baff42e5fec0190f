/** madvise: facts 1 and 8, and what fork makes of the advice. */
import { describe, expect, it } from "vitest";
import {
  MADV_DODUMP,
  MADV_DOFORK,
  MADV_DONTDUMP,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_KEEPONFORK,
  MADV_NORMAL,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_RANDOM,
  MADV_SEQUENTIAL,
  MADV_WILLNEED,
  MADV_WIPEONFORK,
  MAP_FIXED,
  MAP_LOCKED,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_NONE,
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

describe("arguments", () => {
  it("unknown advice is EINVAL even for length 0; known advice of length 0 is fine anywhere aligned", () => {
    const task = spawn();
    expect(outcome(() => task.madvise(BASE, 0, 9999))).toBe("EINVAL");
    expect(outcome(() => task.madvise(BASE, 0, MADV_NORMAL))).toBe("ok");
    expect(outcome(() => task.madvise(BASE + 1, 0, MADV_NORMAL))).toBe("EINVAL");
    expect(outcome(() => task.madvise(BASE, 2 ** 64 - 1, MADV_NORMAL))).toBe("EINVAL");
  });

  it("over a hole all the rest is done, and ENOMEM answered at the end", () => {
    const task = spawn();
    mapAt(task, BASE, 2);
    mapAt(task, BASE + 4 * P, 2);
    writeAll(task, BASE, 2);
    writeAll(task, BASE + 4 * P, 2);
    expect(outcome(() => task.madvise(BASE, 6 * P, MADV_DONTNEED))).toBe("ENOMEM");
    expect([task.loadU8(BASE), task.loadU8(BASE + 5 * P)]).toEqual([0, 0]);
    expect(outcome(() => task.madvise(BASE + 2 * P, P, MADV_DONTNEED))).toBe("ENOMEM");
    for (const advice of [
      MADV_RANDOM,
      MADV_SEQUENTIAL,
      MADV_NORMAL,
      MADV_WILLNEED,
      MADV_DONTDUMP,
      MADV_DODUMP,
    ]) {
      expect(outcome(() => task.madvise(BASE, 2 * P, advice))).toBe("ok");
    }
    expect(layout(task, BASE, 6)).toEqual(["0…2 rw-p", "4…6 rw-p"]);
  });

  it("WIPEONFORK is for private anonymous memory only; DONTNEED not for locked memory", () => {
    const task = spawn();
    const fd = newFile(task, "/f", 1);
    const shared = task.mmap(0, P, RW, SHARED_ANON);
    const file = task.mmap(0, P, RW, MAP_PRIVATE, fd, 0);
    const locked = task.mmap(0, P, RW, ANON | MAP_LOCKED);
    expect(outcome(() => task.madvise(shared, P, MADV_WIPEONFORK))).toBe("EINVAL");
    expect(outcome(() => task.madvise(file, P, MADV_WIPEONFORK))).toBe("EINVAL");
    expect(outcome(() => task.madvise(locked, P, MADV_DONTNEED))).toBe("EINVAL");
  });

  it("POPULATE: WRITE on read-only and READ on PROT_NONE EINVAL, hole ENOMEM, past a file's end EFAULT", () => {
    const task = spawn();
    const fd = newFile(task, "/f", 1);
    mapAt(task, BASE, 2, PROT_READ);
    mapAt(task, BASE + 2 * P, 1, PROT_NONE);
    task.mmap(BASE + 8 * P, 2 * P, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    expect(outcome(() => task.madvise(BASE, P, MADV_POPULATE_WRITE))).toBe("EINVAL");
    expect(outcome(() => task.madvise(BASE + 2 * P, P, MADV_POPULATE_READ))).toBe("EINVAL");
    expect(outcome(() => task.madvise(BASE + 3 * P, P, MADV_POPULATE_READ))).toBe("ENOMEM");
    expect(outcome(() => task.madvise(BASE + 8 * P, 2 * P, MADV_POPULATE_READ))).toBe("EFAULT");
    expect(outcome(() => task.madvise(BASE + 8 * P, P, MADV_POPULATE_WRITE))).toBe("ok");
  });
});

describe("DONTNEED on files (fact 7)", () => {
  it("drops a private copy, so that the file shows again; shared pages keep their bytes", () => {
    const task = spawn();
    const fd = newFile(task, "/f", 2);
    const own = task.mmap(0, 2 * P, RW, MAP_PRIVATE, fd, 0);
    const shared = task.mmap(0, 2 * P, RW, MAP_SHARED, fd, 0);
    task.storeU8(own, 90);
    task.storeU8(shared + P, 91);
    expect(task.loadU8(own + P)).toBe(91);
    task.madvise(own, 2 * P, MADV_DONTNEED);
    task.madvise(shared, 2 * P, MADV_DONTNEED);
    expect([task.loadU8(own), task.loadU8(shared + P)]).toEqual([1, 91]);
  });
});

describe("fork", () => {
  it("DONTFORK: the child has no such mapping; DOFORK takes it back", () => {
    const task = spawn();
    mapAt(task, BASE, 3);
    writeAll(task, BASE, 3, 4);
    task.madvise(BASE + P, P, MADV_DONTFORK);
    const child = task.fork();
    expect(layout(child, BASE, 3)).toEqual(["0…1 rw-p", "2…3 rw-p"]);
    expect(outcome(() => child.loadU8(BASE + P))).toBe("SEGV_MAPERR");
    expect(task.loadU8(BASE + P)).toBe(4);
    // Nobody shares it: writing on takes no fault.
    expect(faults(task, () => task.storeU8(BASE + P, 5))).toBe(0);
    task.madvise(BASE + P, P, MADV_DOFORK);
    expect(layout(task.fork(), BASE, 3)).toEqual(["0…3 rw-p"]);
  });

  it("WIPEONFORK: the child sees zeros, and its child as well; KEEPONFORK takes it back", () => {
    const task = spawn();
    mapAt(task, BASE, 2);
    writeAll(task, BASE, 2, 4);
    task.madvise(BASE, P, MADV_WIPEONFORK);
    const child = task.fork();
    expect([child.loadU8(BASE), child.loadU8(BASE + P), task.loadU8(BASE)]).toEqual([0, 4, 4]);
    child.storeU8(BASE, 6);
    expect(child.fork().loadU8(BASE)).toBe(0);
    task.madvise(BASE, P, MADV_KEEPONFORK);
    expect(task.fork().loadU8(BASE)).toBe(4);
  });
});
