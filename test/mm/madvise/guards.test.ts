/** Guard pages: who meets them, what leaves them, and what ends them. */
import { describe, expect, it } from "vitest";
import {
  MADV_DONTNEED,
  MADV_FREE,
  MADV_GUARD_INSTALL,
  MADV_GUARD_REMOVE,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_REMOVE,
  MADV_WIPEONFORK,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_MAYMOVE,
  PROT_NONE,
  PROT_READ,
} from "../../../src/mm/index.ts";
import { MM_ANONPAGES } from "../../../src/mm/vma/mm-struct.ts";
import { ANON, BASE, layout, mapAt, newFile, outcome, P, RW, writeAll } from "../core/rig.ts";
import { bytes, present, type Rig, resident, rig, rigOnDisk } from "./rig.ts";

const GUARD = "SEGV_MAPERR";

/** Eight pages of 1 at BASE, the second and third of which are guards. */
function guarded(): Rig {
  const r = rig();
  mapAt(r.task, BASE, 8);
  writeAll(r.task, BASE, 8);
  expect(r.advise(BASE + P, 2, MADV_GUARD_INSTALL)).toBe("ok");
  return r;
}

function load(r: Rig, page: number): string {
  return r.do((task) => task.loadU8(BASE + page * P));
}

describe("a guard page", () => {
  it("answers every access with SIGSEGV, as if nothing were mapped, and costs no mapping", () => {
    const r = guarded();
    expect([load(r, 0), load(r, 1), load(r, 2), load(r, 3)]).toEqual(["ok", GUARD, GUARD, "ok"]);
    expect(r.do((task) => task.storeU8(BASE + P, 1))).toBe(GUARD);
    expect([present(r.task, BASE, 4), resident(r.task, BASE, 4)]).toEqual(["1001", "1001"]);
    expect(r.task.mm.rss[MM_ANONPAGES]).toBe(6);
    expect(layout(r.task, BASE, 8)).toEqual(["0…8 rw-p"]);
  });

  it("is EFAULT to system calls", () => {
    const r = guarded();
    const fd = newFile(r.task, "/f", 1);
    expect(r.do((task) => task.write(fd, BASE + P, 1))).toBe("EFAULT");
    expect(r.do((task) => task.pread(fd, BASE + P, 1, 0))).toBe("EFAULT");
    expect(r.task.pread(fd, BASE + P - 10, 20, 0)).toBe(10);
    expect(r.advise(BASE, 4, MADV_POPULATE_READ)).toBe("EFAULT");
    expect(r.advise(BASE, 4, MADV_POPULATE_WRITE)).toBe("EFAULT");
  });

  it("stays through DONTNEED, FREE, mprotect, and goes with REMOVE of guards, leaving no trace of what was there", () => {
    const r = guarded();
    r.advise(BASE, 4, MADV_DONTNEED);
    r.advise(BASE, 4, MADV_FREE);
    expect([load(r, 1), bytes(r.task, BASE, 1)]).toEqual([GUARD, [0]]);
    r.do((task) => task.mprotect(BASE, 4 * P, PROT_NONE));
    expect(load(r, 1)).toBe("SEGV_ACCERR");
    r.do((task) => task.mprotect(BASE, 4 * P, RW));
    expect(load(r, 1)).toBe(GUARD);
    expect(r.advise(BASE, 8, MADV_GUARD_REMOVE)).toBe("ok");
    expect(bytes(r.task, BASE, 8)).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
  });

  it("is known to fork, on both sides for itself, and forgotten by WIPEONFORK", () => {
    const r = guarded();
    const child = r.task.fork();
    expect(outcome(() => child.loadU8(BASE + P))).toBe(GUARD);
    r.do(() => child.madvise(BASE + P, P, MADV_GUARD_REMOVE));
    expect([outcome(() => child.loadU8(BASE + P)), load(r, 1)]).toEqual(["ok", GUARD]);
    r.advise(BASE, 8, MADV_WIPEONFORK);
    expect(bytes(r.task.fork(), BASE, 3)).toEqual([0, 0, 0]);
    expect(load(r, 1)).toBe(GUARD);
  });

  it("moves with mremap and ends with munmap, MAP_FIXED and exit", () => {
    const r = guarded();
    mapAt(r.task, BASE + 8 * P, 1, PROT_NONE);
    let to = 0;
    r.do((task) => {
      to = task.mremap(BASE, 8 * P, 16 * P, MREMAP_MAYMOVE);
    });
    expect(to).not.toBe(BASE);
    expect([r.do((task) => task.loadU8(to + P)), bytes(r.task, to + 3 * P, 1)]).toEqual([GUARD, [1]]);
    r.do((task) => task.mmap(to + P, P, RW, ANON | MAP_FIXED));
    expect(bytes(r.task, to + P, 1)).toEqual([0]);
    r.do((task) => task.munmap(to, 16 * P));
    mapAt(r.task, to, 16);
    expect(bytes(r.task, to, 3)).toEqual([0, 0, 0]);
    r.advise(to, 16, MADV_GUARD_INSTALL);
    r.do((task) => task.exit());
  });

  it("needs memory for its table, and nothing breaks when there is none", () => {
    const r = rig();
    mapAt(r.task, BASE, 2048);
    for (let after = 0; after < 6; after++) {
      r.kernel.phys.failAfter = after;
      const answer = r.advise(BASE, 2048, MADV_GUARD_INSTALL);
      r.kernel.phys.failAfter = -1;
      expect(["ok", "ENOMEM"]).toContain(answer);
      r.advise(BASE, 2048, MADV_GUARD_REMOVE);
    }
    expect(r.advise(BASE, 2048, MADV_GUARD_INSTALL)).toBe("ok");
    expect(load(r, 2047)).toBe(GUARD);
  });

  it("may stand in read-only and PROT_NONE memory", () => {
    const r = rig();
    mapAt(r.task, BASE, 2, PROT_READ);
    expect([r.advise(BASE, 1, MADV_GUARD_INSTALL), load(r, 0)]).toEqual(["ok", GUARD]);
    expect(r.do((task) => task.storeU8(BASE, 1))).toBe("SEGV_ACCERR");
    mapAt(r.task, BASE + 4 * P, 2, PROT_NONE);
    expect([r.advise(BASE + 4 * P, 1, MADV_GUARD_INSTALL), load(r, 4)]).toEqual(["ok", "SEGV_ACCERR"]);
  });
});

describe("in a mapping of a file", () => {
  for (const [name, make] of [
    ["tmpfs", rig],
    ["on disk", rigOnDisk],
  ] as const) {
    it(`${name}: survives truncation and REMOVE, and the file is untouched by it`, () => {
      const r = make();
      const fd = newFile(r.task, "/f", 8);
      r.task.mmap(BASE, 8 * P, RW, MAP_SHARED | MAP_FIXED, fd, 0);
      writeAll(r.task, BASE, 8, 6);
      expect(r.advise(BASE + P, 1, MADV_GUARD_INSTALL)).toBe("ok");
      expect([load(r, 1), load(r, 2), resident(r.task, BASE, 3)]).toEqual([GUARD, "ok", "111"]);
      const child = r.task.fork();
      expect([outcome(() => child.loadU8(BASE + P)), child.loadU8(BASE + 2 * P)]).toEqual([GUARD, 6]);
      const one = new Uint8Array(1);
      r.task.pread(fd, one, 1, P);
      expect(one[0]).toBe(6);
      r.do((task) => task.ftruncate(fd, 0));
      expect([load(r, 1), load(r, 2)]).toEqual([GUARD, "BUS_ADRERR"]);
      r.do((task) => task.ftruncate(fd, 8 * P));
      expect([load(r, 1), load(r, 2)]).toEqual([GUARD, "ok"]);
      expect(r.advise(BASE, 4, MADV_REMOVE)).toBe("ok");
      expect(load(r, 1)).toBe(GUARD);
      r.advise(BASE, 8, MADV_GUARD_REMOVE);
      expect(bytes(r.task, BASE, 2)).toEqual([0, 0]);
    });
  }

  it("fault-around maps what lies around it", () => {
    const r = rig();
    const fd = newFile(r.task, "/f", 8);
    r.task.mmap(BASE, 8 * P, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
    r.advise(BASE + 2 * P, 1, MADV_GUARD_INSTALL);
    expect([load(r, 0), present(r.task, BASE, 8), load(r, 2)]).toEqual(["ok", "11011111", GUARD]);
  });
});
