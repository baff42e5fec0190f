/** remap_file_pages (fact 17), MAP_DROPPABLE and MAP_SHARED_VALIDATE: answers and layouts seen on 6.18. */
import { describe, expect, it } from "vitest";
import {
  MADV_DODUMP,
  MADV_DOFORK,
  MADV_KEEPONFORK,
  MAP_ANONYMOUS,
  MAP_DROPPABLE,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_GROWSDOWN,
  MAP_HUGETLB,
  MAP_LOCKED,
  MAP_NORESERVE,
  MAP_SHARED,
  MAP_SHARED_VALIDATE,
  MAP_SYNC,
  O_RDONLY,
  PROT_READ,
  type Process,
  RISCV64,
  X86_64,
} from "../../../src/mm/index.ts";
import {
  ANON,
  BASE,
  layout,
  mapAt,
  newFile,
  outcome,
  P,
  RW,
  SHARED_ANON,
  spawn,
  writeAll,
} from "../core/rig.ts";

/** A file of 20 pages, page n full of n + 1, mapped shared at BASE from its start. */
function mapped(pages: number): { task: Process; fd: number } {
  const task = spawn();
  const fd = newFile(task, "/f", 20);
  task.mmap(BASE, pages * P, RW, MAP_SHARED | MAP_FIXED, fd, 0);
  return { task, fd };
}

function pageNumbers(task: Process, pages: number): number[] {
  return Array.from({ length: pages }, (_, page) => task.loadU8(BASE + page * P) - 1);
}

describe("remap_file_pages", () => {
  it("shows other pages in place of a range, rounded down to pages", () => {
    const { task } = mapped(8);
    task.remap_file_pages(BASE + 2 * P + 5, 2 * P, 0, 10);
    expect(layout(task, BASE, 8)).toEqual(["0…2 rw-s", "2…4 rw-s", "4…8 rw-s"]);
    expect(pageNumbers(task, 8)).toEqual([0, 1, 10, 11, 4, 5, 6, 7]);
    task.remap_file_pages(BASE + P, 2 * P, 0, 0);
    expect(pageNumbers(task, 8)).toEqual([0, 0, 1, 11, 4, 5, 6, 7]);
    task.remap_file_pages(BASE, P, 0, 3, 0xffff);
    expect(pageNumbers(task, 2)).toEqual([3, 0]);
  });

  it("EINVAL for a protection, an empty range, private memory, nothing, and a read-only descriptor", () => {
    const { task } = mapped(2);
    const other = mapAt(task, BASE + 8 * P, 2);
    expect(outcome(() => task.remap_file_pages(BASE, P, PROT_READ, 5))).toBe("EINVAL");
    expect(outcome(() => task.remap_file_pages(BASE, 0, 0, 5))).toBe("EINVAL");
    expect(outcome(() => task.remap_file_pages(BASE, 100, 0, 5))).toBe("EINVAL");
    expect(outcome(() => task.remap_file_pages(BASE - P, P, 0, 5))).toBe("EINVAL");
    expect(outcome(() => task.remap_file_pages(other, P, 0, 5))).toBe("EINVAL");
    const reader = task.mmap(0, P, PROT_READ, MAP_SHARED, task.open("/f", O_RDONLY), 0);
    expect(outcome(() => task.remap_file_pages(reader, P, 0, 5))).toBe("EINVAL");
    expect(outcome(() => task.remap_file_pages(BASE, P, 0, 2 ** 51 - 1))).toBe("EOVERFLOW");
    expect(outcome(() => task.remap_file_pages(BASE, P, 0, 30))).toBe("ok");
  });

  it("EINVAL over mappings that differ or a hole; a lock stays; a seal refuses", () => {
    const { task } = mapped(8);
    task.mprotect(BASE + 6 * P, P, PROT_READ);
    expect(outcome(() => task.remap_file_pages(BASE + 5 * P, 3 * P, 0, 0))).toBe("EINVAL");
    expect(outcome(() => task.remap_file_pages(BASE + 7 * P, 2 * P, 0, 0))).toBe("EINVAL");
    task.mlock(BASE + 5 * P, P);
    task.remap_file_pages(BASE + 5 * P, P, 0, 19);
    expect([task.mm.lockedVm, task.kernel.vmstat().nr_mlock]).toEqual([1, 1]);
    task.mseal(BASE, P);
    expect(outcome(() => task.remap_file_pages(BASE, P, 0, 3))).toBe("EPERM");
  });

  it("works on shared anonymous memory, also as its last mapping", () => {
    const task = spawn();
    task.mmap(BASE, 4 * P, RW, SHARED_ANON | MAP_FIXED);
    for (let page = 0; page < 4; page++) task.storeU8(BASE + page * P, page + 1);
    task.remap_file_pages(BASE, P, 0, 3);
    expect(pageNumbers(task, 4)).toEqual([3, 1, 2, 3]);
    task.munmap(BASE + P, 3 * P);
    task.remap_file_pages(BASE, P, 0, 2);
    expect(pageNumbers(task, 1)).toEqual([2]);
  });
});

describe("MAP_DROPPABLE", () => {
  it("is for anonymous memory that is neither locked nor a stack", () => {
    const task = spawn();
    const fd = newFile(task, "/f", 1);
    const flags = MAP_ANONYMOUS | MAP_DROPPABLE;
    expect(outcome(() => task.mmap(0, P, RW, flags))).toBe("ok");
    for (const more of [MAP_LOCKED, MAP_GROWSDOWN, MAP_HUGETLB]) {
      expect(outcome(() => task.mmap(0, P, RW, flags | more))).toBe("EINVAL");
    }
    expect(outcome(() => task.mmap(0, P, RW, MAP_DROPPABLE, fd))).toBe("EINVAL");
  });

  it("promises nothing, is zero in a child, and can't be made otherwise", () => {
    const task = spawn();
    const { commit } = task.kernel.phys;
    const before = commit.committed;
    const addr = task.mmap(0, 4 * P, RW, MAP_ANONYMOUS | MAP_DROPPABLE);
    expect(commit.committed).toBe(before);
    writeAll(task, addr, 4, 7);
    expect(task.fork().loadU8(addr)).toBe(0);
    expect(outcome(() => task.madvise(addr, P, MADV_KEEPONFORK))).toBe("EINVAL");
    expect(outcome(() => task.madvise(addr, P, MADV_DODUMP))).toBe("EINVAL");
    expect(outcome(() => task.madvise(addr, P, MADV_DOFORK))).toBe("ok");
  });
});

describe("MAP_SHARED_VALIDATE", () => {
  const tryFlags = (task: Process, fd: number, flags: number): string =>
    outcome(() => task.mmap(0, P, PROT_READ, MAP_SHARED_VALIDATE | flags, fd, 0));

  it("refuses what MAP_SHARED ignores", () => {
    const { task, fd } = mapped(1);
    for (const unknown of [0x200, 0x400000, 0x800000, MAP_SYNC]) {
      expect(tryFlags(task, fd, unknown)).toBe("EOPNOTSUPP");
      expect(outcome(() => task.mmap(0, P, PROT_READ, MAP_SHARED | unknown, fd, 0))).toBe("ok");
    }
    for (const known of [MAP_LOCKED, MAP_NORESERVE, 21 << 26, 22 << 26, 0x4000000]) {
      expect(tryFlags(task, fd, known)).toBe("ok");
    }
    expect(tryFlags(task, fd, MAP_GROWSDOWN)).toBe("EINVAL");
    const at = (addr: number): string =>
      outcome(() => task.mmap(addr, P, PROT_READ, MAP_SHARED_VALIDATE | MAP_FIXED_NOREPLACE, fd, 0));
    expect(at(BASE)).toBe("EEXIST");
    expect(at(BASE + 8 * P)).toBe("EOPNOTSUPP");
  });

  it("knows x86-64's flags of placement there alone, and is not for anonymous memory", () => {
    for (const [arch, expected] of [
      [X86_64, "ok"],
      [RISCV64, "EOPNOTSUPP"],
    ] as const) {
      const task = spawn({ arch });
      const fd = newFile(task, "/f", 1);
      expect([tryFlags(task, fd, 0x40), tryFlags(task, fd, 0x80)]).toEqual([expected, expected]);
      for (const type of [MAP_SHARED_VALIDATE, 0, 11]) {
        expect(outcome(() => task.mmap(0, P, RW, MAP_ANONYMOUS | type))).toBe("EINVAL");
      }
    }
    expect(outcome(() => spawn().mmap(0, P, RW, ANON))).toBe("ok");
  });
});
