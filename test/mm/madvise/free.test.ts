/** MADV_FREE: what stays until memory is short, and what a write, a fork and a second advice make of it. */
import { describe, expect, it } from "vitest";
import {
  MADV_COLD,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_PAGEOUT,
  MADV_POPULATE_WRITE,
  MAP_ANONYMOUS,
  MAP_DROPPABLE,
  MAP_FIXED,
  MAP_NORESERVE,
} from "../../../src/mm/index.ts";
import { NR_INACTIVE_FILE, PGLAZYFREE, PGLAZYFREED } from "../../../src/mm/trace/vmstat.ts";
import { MM_ANONPAGES } from "../../../src/mm/vma/mm-struct.ts";
import { ANON, BASE, faults, mapAt, outcome, P, RW, readAll, writeAll } from "../core/rig.ts";
import { bytes, present, type Rig, rig } from "./rig.ts";

const TINY = { ram: 96 * P };

/** Four pages of 9 at BASE, given up. */
function givenUp(options = {}): Rig {
  const r = rig(options);
  mapAt(r.task, BASE, 4);
  writeAll(r.task, BASE, 4, 9);
  expect(r.advise(BASE, 4, MADV_FREE)).toBe("ok");
  return r;
}

/** Touches more memory than there is: everything that may go has gone. False: the last page could not be had. */
function press(r: Rig): void {
  const free = r.kernel.phys.buddy.freeFrames;
  const addr = r.task.mmap(0, (free + 40) * P, RW, ANON | MAP_NORESERVE);
  r.do((task) => {
    for (let page = 0; page < free + 40; page++)
      if (outcome(() => task.storeU8(addr + page * P, 1)) !== "ok") break;
  });
  r.do((task) => task.munmap(addr, (free + 40) * P));
}

describe("while there is memory", () => {
  it("changes nothing that a program sees, and a write costs no fault", () => {
    const { task, kernel } = givenUp();
    const { stat } = kernel.phys;
    expect([bytes(task, BASE, 4), task.mm.rss[MM_ANONPAGES]]).toEqual([[9, 9, 9, 9], 4]);
    expect([stat[PGLAZYFREE], stat[NR_INACTIVE_FILE]]).toEqual([4, 4]);
    expect(faults(task, () => writeAll(task, BASE, 4, 8))).toBe(0);
  });

  it("is ended by DONTNEED, by munmap and by exit alike", () => {
    const r = givenUp();
    const free = r.kernel.phys.buddy.freeFrames;
    r.advise(BASE, 2, MADV_DONTNEED);
    expect(bytes(r.task, BASE, 4)).toEqual([0, 0, 9, 9]);
    r.do((task) => task.munmap(BASE + 2 * P, P));
    expect(r.kernel.phys.buddy.freeFrames).toBe(free + 3);
    expect(r.kernel.phys.stat[NR_INACTIVE_FILE]).toBe(1);
    r.do((task) => task.exit());
    expect(r.kernel.phys.stat[NR_INACTIVE_FILE]).toBe(0);
  });

  it("skips holes in the page table and the zero page", () => {
    const r = rig();
    mapAt(r.task, BASE, 4);
    readAll(r.task, BASE, 2);
    expect(r.advise(BASE, 4, MADV_FREE)).toBe("ok");
    expect(r.kernel.phys.stat[PGLAZYFREE]).toBe(0);
  });
});

describe("when memory is short", () => {
  it("the pages go, and read as zero", () => {
    const r = givenUp(TINY);
    press(r);
    expect([present(r.task, BASE, 4), r.task.mm.rss[MM_ANONPAGES]]).toEqual(["0000", 0]);
    expect(r.kernel.phys.stat[PGLAZYFREED]).toBe(4);
    expect(bytes(r.task, BASE, 4)).toEqual([0, 0, 0, 0]);
  });

  it("a page that was written since stays, and is not looked at again", () => {
    const r = givenUp(TINY);
    r.task.storeU8(BASE + P, 5);
    r.advise(BASE + 2 * P, 1, MADV_POPULATE_WRITE);
    press(r);
    expect(bytes(r.task, BASE, 4)).toEqual([0, 5, 9, 0]);
    expect(r.kernel.phys.stat[NR_INACTIVE_FILE]).toBe(0);
    press(r);
    expect(bytes(r.task, BASE, 4)).toEqual([0, 5, 9, 0]);
    // Given up again, it goes.
    r.advise(BASE, 4, MADV_FREE);
    press(r);
    expect(bytes(r.task, BASE, 4)).toEqual([0, 0, 0, 0]);
  });

  it("a write through a TLB entry from before the advice counts", () => {
    const r = rig(TINY);
    mapAt(r.task, BASE, 1);
    r.task.storeU8(BASE, 1);
    r.task.storeU8(BASE, 2);
    r.task.madvise(BASE, P, MADV_FREE);
    r.task.storeU8(BASE, 3);
    press(r);
    expect(bytes(r.task, BASE, 1)).toEqual([3]);
  });

  it("a child and its parent lose it both; who writes has a copy", () => {
    const r = givenUp(TINY);
    const child = r.task.fork();
    child.storeU8(BASE, 4);
    press(r);
    expect([bytes(r.task, BASE, 4), bytes(child, BASE, 4)]).toEqual([
      [0, 0, 0, 0],
      [4, 0, 0, 0],
    ]);
    r.do(() => child.exit());
  });

  it("what a child gives up its parent keeps", () => {
    const r = rig(TINY);
    mapAt(r.task, BASE, 2);
    writeAll(r.task, BASE, 2, 9);
    const child = r.task.fork();
    r.do(() => child.madvise(BASE, 2 * P, MADV_FREE));
    press(r);
    expect(bytes(r.task, BASE, 2)).toEqual([9, 9]);
    r.do(() => child.exit());
    press(r);
    expect(bytes(r.task, BASE, 2)).toEqual([9, 9]);
    r.task.storeU8(BASE, 8);
    expect(bytes(r.task, BASE, 2)).toEqual([8, 9]);
  });

  it("a store that crosses into a page given up is whole", () => {
    const r = rig(TINY);
    mapAt(r.task, BASE, 2);
    for (let round = 0; round < 20; round++) {
      writeAll(r.task, BASE, 2, 9);
      r.advise(BASE, 2, MADV_FREE);
      r.task.storeU64(BASE + P - 4, 0x1122334455667788n);
      press(r);
      expect(r.task.loadU64(BASE + P - 4)).toBe(0x1122334455667788n);
    }
  });
});

describe("MAP_DROPPABLE", () => {
  it("may be dropped whenever memory is short, written or not, and by PAGEOUT", () => {
    const r = rig(TINY);
    r.task.mmap(BASE, 4 * P, RW, MAP_DROPPABLE | MAP_ANONYMOUS | MAP_FIXED);
    writeAll(r.task, BASE, 4, 5);
    expect(r.advise(BASE, 2, MADV_PAGEOUT)).toBe("ok");
    expect(bytes(r.task, BASE, 4)).toEqual([0, 0, 5, 5]);
    press(r);
    // The first two show the zero page, through which they were read.
    expect([present(r.task, BASE, 4), bytes(r.task, BASE, 4)]).toEqual(["1100", [0, 0, 0, 0]]);
    writeAll(r.task, BASE, 4, 5);
    r.advise(BASE, 1, MADV_FREE);
    r.do((task) => task.munmap(BASE, 4 * P));
  });
});

describe("COLD and PAGEOUT", () => {
  it("PAGEOUT takes what was given up at once, and keeps what was written since", () => {
    const r = givenUp();
    r.task.storeU8(BASE + P, 5);
    expect(r.advise(BASE, 4, MADV_COLD)).toBe("ok");
    expect(r.advise(BASE, 4, MADV_PAGEOUT)).toBe("ok");
    expect([present(r.task, BASE, 4), bytes(r.task, BASE, 4)]).toEqual(["0100", [0, 5, 0, 0]]);
  });

  it("leaves alone what a child maps, too, and anonymous memory without swap", () => {
    const r = givenUp();
    const child = r.task.fork();
    r.advise(BASE, 4, MADV_PAGEOUT);
    expect([bytes(r.task, BASE, 1), bytes(child, BASE, 1)]).toEqual([[9], [9]]);
    mapAt(r.task, BASE + 8 * P, 2);
    writeAll(r.task, BASE + 8 * P, 2, 3);
    r.advise(BASE + 8 * P, 2, MADV_PAGEOUT);
    expect([present(r.task, BASE + 8 * P, 2), bytes(r.task, BASE + 8 * P, 2)]).toEqual(["11", [3, 3]]);
  });
});
