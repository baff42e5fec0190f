/**
 * Which advice is for which mapping: the table is what a Linux 6.18 kernel answered to the same calls (with KSM, huge
 * pages and memory failure taken out of it).
 */
import { describe, expect, it } from "vitest";
import * as linux from "../../../src/mm/index.ts";
import {
  MAP_FIXED,
  MAP_LOCKED,
  MAP_PRIVATE,
  MAP_SHARED,
  O_RDONLY,
  PROT_NONE,
  PROT_READ,
} from "../../../src/mm/index.ts";
import { VM_SEALED } from "../../../src/mm/vma/vm-flags.ts";
import { ANON, BASE, newFile, P, RW, SHARED_ANON } from "../core/rig.ts";
import { bytes, present, type Rig, rig } from "./rig.ts";

const { MADV_FREE, MADV_REMOVE, MADV_COLD, MADV_PAGEOUT, MADV_DONTNEED } = linux;
const { MADV_DONTNEED_LOCKED, MADV_GUARD_INSTALL, MADV_GUARD_REMOVE, MADV_WIPEONFORK } = linux;

const COLUMNS = [
  MADV_DONTNEED,
  MADV_FREE,
  MADV_REMOVE,
  MADV_WIPEONFORK,
  MADV_COLD,
  MADV_PAGEOUT,
  MADV_DONTNEED_LOCKED,
  MADV_GUARD_INSTALL,
  MADV_GUARD_REMOVE,
];

const OK = "ok";
const INVAL = "EINVAL";
const ACCES = "EACCES";

// Kind of mapping; then what DONTNEED, FREE, REMOVE, WIPEONFORK, COLD, PAGEOUT, DONTNEED_LOCKED, GUARD_INSTALL and
// GUARD_REMOVE answer.
const TABLE: readonly (readonly [string, (r: Rig) => void, readonly string[]])[] = [
  ["private anonymous", (r) => map(r, RW, ANON), [OK, OK, INVAL, OK, OK, OK, OK, OK, OK]],
  ["read-only anonymous", (r) => map(r, PROT_READ, ANON), [OK, OK, INVAL, OK, OK, OK, OK, OK, OK]],
  ["PROT_NONE", (r) => map(r, PROT_NONE, ANON), [OK, OK, INVAL, OK, OK, OK, OK, OK, OK]],
  ["shared anonymous", (r) => map(r, RW, SHARED_ANON), [OK, INVAL, OK, INVAL, OK, OK, OK, OK, OK]],
  ["locked", (r) => map(r, RW, ANON | MAP_LOCKED), [INVAL, INVAL, INVAL, OK, INVAL, INVAL, OK, INVAL, OK]],
  ["private file", (r) => map(r, RW, MAP_PRIVATE, file(r)), [OK, INVAL, ACCES, INVAL, OK, OK, OK, OK, OK]],
  ["shared file", (r) => map(r, RW, MAP_SHARED, file(r)), [OK, INVAL, OK, INVAL, OK, OK, OK, OK, OK]],
  [
    "shared file, read-only",
    (r) => map(r, PROT_READ, MAP_SHARED, file(r)),
    [OK, INVAL, OK, INVAL, OK, OK, OK, OK, OK],
  ],
  [
    "shared file of a read-only descriptor",
    (r) => {
      file(r);
      map(r, PROT_READ, MAP_SHARED, r.task.open("/f", O_RDONLY));
    },
    [OK, INVAL, ACCES, INVAL, OK, OK, OK, OK, OK],
  ],
  [
    "locked shared file",
    (r) => map(r, RW, MAP_SHARED | MAP_LOCKED, file(r)),
    [INVAL, INVAL, INVAL, INVAL, INVAL, INVAL, OK, INVAL, OK],
  ],
  ["nothing", () => {}, Array.from(COLUMNS, () => "ENOMEM")],
];

function map(r: Rig, prot: number, flags: number, fd = -1): void {
  r.task.mmap(BASE, 4 * P, prot, flags | MAP_FIXED, fd, 0);
}

function file(r: Rig): number {
  return newFile(r.task, "/f", 4);
}

describe("each advice on each kind of mapping", () => {
  for (const [name, make, expected] of TABLE) {
    it(name, () => {
      const answers = COLUMNS.map((advice) => {
        const r = rig();
        make(r);
        return r.advise(BASE, 2, advice);
      });
      expect(answers).toEqual(expected);
    });
  }
});

describe("arguments", () => {
  it("length 0 is fine for known advice only, unaligned and overflowing ranges for none", () => {
    const r = rig();
    for (const advice of COLUMNS) {
      expect(r.advise(BASE, 0, advice)).toBe("ok");
      expect(r.do((task) => task.madvise(BASE + 1, P, advice))).toBe("EINVAL");
      expect(r.do((task) => task.madvise(BASE, 2 ** 64 - 1, advice))).toBe("EINVAL");
    }
  });

  it("is EINVAL where the kernel is built without: KSM, huge pages, memory failure", () => {
    const r = rig();
    map(r, RW, ANON);
    const { MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLLAPSE } = linux;
    const unknown = [MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLLAPSE];
    for (const advice of [...unknown, linux.MADV_HWPOISON, linux.MADV_SOFT_OFFLINE, 5, 26, 104, -1]) {
      expect([advice, r.advise(BASE, 1, advice), r.advise(BASE, 0, advice)]).toEqual([
        advice,
        "EINVAL",
        "EINVAL",
      ]);
    }
  });

  it("goes on behind a hole, and stops at the first mapping that refuses", () => {
    const r = rig();
    map(r, RW, ANON);
    r.task.mmap(BASE + 8 * P, P, RW, ANON | MAP_FIXED);
    for (const page of [0, 1, 2, 3, 8]) r.task.storeU8(BASE + page * P, 7);
    expect(r.advise(BASE, 9, MADV_GUARD_INSTALL)).toBe("ENOMEM");
    expect(r.do((task) => task.loadU8(BASE + 8 * P))).toBe("SEGV_MAPERR");
    expect(r.advise(BASE, 9, MADV_GUARD_REMOVE)).toBe("ENOMEM");
    r.task.mmap(BASE + 4 * P, P, RW, SHARED_ANON | MAP_FIXED);
    for (const page of [3, 8]) r.task.storeU8(BASE + page * P, 7);
    expect(r.advise(BASE, 9, MADV_REMOVE)).toBe("EINVAL");
    expect(r.advise(BASE + 4 * P, 5, MADV_REMOVE)).toBe("EINVAL");
    expect(present(r.task, BASE, 9)).toBe("000100001");
  });
});

describe("sealed memory", () => {
  it("that may not be written keeps its content; that may be written, and files, may be discarded", () => {
    const { MADV_DONTFORK, MADV_DONTDUMP } = linux;
    const discards = [
      MADV_DONTNEED,
      MADV_FREE,
      MADV_REMOVE,
      MADV_DONTFORK,
      MADV_WIPEONFORK,
      MADV_DONTNEED_LOCKED,
    ];
    const r = rig();
    map(r, RW, ANON);
    r.task.storeU8(BASE, 7);
    r.task.mprotect(BASE, 4 * P, PROT_READ);
    for (const vma of r.task.mm.vmas) vma.flags |= VM_SEALED;
    for (const advice of [...discards, MADV_GUARD_INSTALL]) expect(r.advise(BASE, 4, advice)).toBe("EPERM");
    for (const advice of [MADV_GUARD_REMOVE, MADV_COLD, MADV_PAGEOUT, MADV_DONTDUMP]) {
      expect(r.advise(BASE, 4, advice)).toBe("ok");
    }
    expect(bytes(r.task, BASE, 1)).toEqual([7]);
    const writable = rig();
    map(writable, RW, ANON);
    const sealedFile = rig();
    map(sealedFile, PROT_READ, MAP_PRIVATE, file(sealedFile));
    for (const one of [writable, sealedFile]) {
      for (const vma of one.task.mm.vmas) vma.flags |= VM_SEALED;
      expect([one.advise(BASE, 1, MADV_DONTNEED), one.advise(BASE, 1, MADV_GUARD_INSTALL)]).toEqual([
        "ok",
        "ok",
      ]);
    }
  });
});
