/**
 * Random steps of several processes over memory and files, as plain data, so that a failing sequence can be shrunk, printed and
 * kept as a regression. What they do, on a kernel and on the shadow model side by side, stands in shadowed-world.ts.
 *
 * The window of pages that steps name lies right below mmap_base, so that mmap without a hint falls into it; the heap
 * begins HEAP pages below it, and a border between two tables of PTEs runs through its middle.
 */
import fc from "fast-check";
import {
  MADV_DOFORK,
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
  MAP_LOCKED,
  MAP_POPULATE,
  MREMAP_MAYMOVE,
  PAGE_SIZE as P,
  PROT_EXEC,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from "../../../src/mm/index.ts";

export const WINDOW = 56;
export const HEAP = 12;
const MAX_HEAP = 8;
export const MAX_PROCESSES = 4;
/** Most pages of a file, of tmpfs and of the real file system. */
export const TMPFS_PAGES = 10;
const DISK_PAGES = 40;

interface OnRange {
  readonly who: number;
  /** first page of the window, and pages */
  readonly at: number;
  readonly len: number;
}

export type Step =
  | (OnRange & {
      readonly op: "mmap";
      readonly prot: number;
      readonly type: "private" | "shared" | "private-file" | "shared-file";
      readonly file: number;
      readonly fileAt: number;
      readonly place: "fixed" | "hint" | "noreplace" | "any";
      readonly extra: number;
    })
  | (OnRange & { readonly op: "munmap" })
  | (OnRange & { readonly op: "mprotect"; readonly prot: number })
  | (OnRange & {
      readonly op: "mremap";
      /** null: as long as before */
      readonly newLen: number | null;
      readonly to: number;
      readonly mode: number;
    })
  | { readonly op: "brk"; readonly who: number; readonly pages: number }
  | (OnRange & { readonly op: "madvise"; readonly advice: number })
  | (OnRange & { readonly op: "migrate" })
  | (OnRange & { readonly op: "msync"; readonly isAsync: boolean })
  | { readonly op: "fork" | "exit"; readonly who: number }
  | { readonly op: "load"; readonly who: number; readonly at: number; readonly offset: number }
  | {
      readonly op: "store";
      readonly who: number;
      readonly at: number;
      readonly offset: number;
      readonly value: number;
    }
  | (OnRange & { readonly op: "touch"; readonly value: number; readonly write: boolean })
  | {
      readonly op: "pread" | "pwrite";
      readonly who: number;
      readonly file: number;
      readonly at: number;
      readonly offset: number;
      readonly count: number;
      readonly pos: number;
    }
  | { readonly op: "ftruncate"; readonly file: number; readonly size: number }
  | { readonly op: "fsync"; readonly file: number };

const who = fc.nat(MAX_PROCESSES - 1);
const at = fc.integer({ min: -HEAP, max: WINDOW - 1 });
const len = fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 24 }));
const prot = fc.constantFrom(
  PROT_READ | PROT_WRITE,
  PROT_READ | PROT_WRITE,
  PROT_READ | PROT_WRITE,
  PROT_READ,
  PROT_WRITE,
  PROT_EXEC,
  PROT_NONE,
);
/** Two files of tmpfs, two of the real file system. */
const file = fc.nat(3);
const offset = fc.oneof(fc.nat(P - 1), fc.constantFrom(0, P - 1, P - 2, P - 3));
const value = fc.integer({ min: 1, max: 0xffffffff });
const op = <T extends string>(name: T): fc.Arbitrary<T> => fc.constant(name);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 7,
    arbitrary: fc.record({
      op: op("mmap"),
      who,
      at,
      len,
      prot,
      type: fc.constantFrom("private" as const, "private", "shared", "private-file", "shared-file"),
      file,
      fileAt: fc.nat(DISK_PAGES),
      place: fc.constantFrom("fixed" as const, "fixed", "hint", "noreplace", "any"),
      extra: fc.constantFrom(0, 0, 0, 0, MAP_POPULATE, MAP_LOCKED),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: op("munmap"), who, at, len }) },
  { weight: 2, arbitrary: fc.record({ op: op("mprotect"), who, at, len, prot }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: op("mremap"),
      who,
      at,
      len: fc.oneof(len, fc.constant(0)),
      newLen: fc.option(len),
      to: at,
      mode: fc.constantFrom(0, MREMAP_MAYMOVE, 3, 3, 5, 7),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: op("brk"), who, pages: fc.nat(MAX_HEAP) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: op("madvise"),
      who,
      at,
      len,
      advice: fc.constantFrom(
        MADV_DONTNEED,
        MADV_DONTNEED,
        MADV_DONTFORK,
        MADV_DOFORK,
        MADV_WIPEONFORK,
        MADV_KEEPONFORK,
        MADV_WILLNEED,
        MADV_POPULATE_READ,
        MADV_POPULATE_WRITE,
        MADV_NORMAL,
        MADV_RANDOM,
        MADV_SEQUENTIAL,
      ),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: op("migrate"), who, at, len }) },
  { weight: 1, arbitrary: fc.record({ op: op("msync"), who, at, len, isAsync: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ op: op("fork"), who }) },
  { weight: 1, arbitrary: fc.record({ op: op("exit"), who }) },
  { weight: 4, arbitrary: fc.record({ op: op("load"), who, at, offset }) },
  { weight: 5, arbitrary: fc.record({ op: op("store"), who, at, offset, value }) },
  {
    weight: 9,
    arbitrary: fc.record({ op: op("touch"), who, at, len, value: fc.nat(255), write: fc.boolean() }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constantFrom("pread" as const, "pwrite" as const),
      who,
      file,
      at,
      offset,
      count: fc.oneof(fc.nat(100), fc.nat(3 * P)),
      pos: fc.nat(DISK_PAGES * P),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: op("ftruncate"),
      file,
      size: fc.oneof(
        { weight: 3, arbitrary: fc.integer({ min: 5 * P, max: DISK_PAGES * P }) },
        fc.nat(6 * P),
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: op("fsync"), file }) },
);

/** Sequences of steps: most of them long, for short ones find little, but free to shrink to nothing. */
export const sequence: fc.Arbitrary<Step[]> = fc.array(step, { minLength: 1, maxLength: 200, size: "max" });

/** Something of everything to begin with, so that the first random steps already meet it. */
export const PRELUDE: readonly Step[] = [
  { op: "ftruncate", file: 0, size: 6 * P },
  { op: "ftruncate", file: 2, size: 24 * P },
  { op: "ftruncate", file: 3, size: DISK_PAGES * P },
  ...(["private", "shared-file", "private-file", "shared"] as const).map((type, index) => ({
    op: "mmap" as const,
    who: 0,
    at: index * 12,
    len: 12,
    prot: PROT_READ | PROT_WRITE,
    type,
    file: 2,
    fileAt: 0,
    place: "fixed" as const,
    extra: 0,
  })),
  { op: "touch", who: 0, at: 3, len: 20, value: 7, write: true },
];
