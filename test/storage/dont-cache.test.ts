/** RWF_DONTCACHE: what a transfer brought into the page cache leaves it again; as ext4 showed it for files with new blocks. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import {
  Kernel,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  O_RDWR,
  type Process,
  RWF_DONTCACHE,
  validate,
} from "../../src/mm/index.ts";
import { nodeFs } from "../../src/storage/node/index.ts";

const P = 4096;
const PAGES = 64;

let base: string;
let kernel: Kernel;
let task: Process;
let fd: number;

beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), "faultline-dc-"));
  fs.writeFileSync(path.join(base, "file"), new Uint8Array(PAGES * P).fill(7));
  kernel = new Kernel({ ram: 16 * 2 ** 20, root: nodeFs(base) });
  task = kernel.spawn();
  fd = task.open("/file", O_RDWR);
});

afterEach(() => {
  expect(validate(kernel)).toEqual([]);
  kernel.shutdown();
  fs.rmSync(base, { recursive: true, force: true });
});

/** The file's pages: x for one that is in memory. */
function resident(): string {
  const at = task.mmap(0, PAGES * P, 1, MAP_SHARED, fd, 0);
  const vec = task.mmap(0, P, 3, MAP_PRIVATE | MAP_ANONYMOUS);
  task.mincore(at, PAGES * P, vec);
  const marks = Array.from({ length: PAGES }, (_, page) => ((task.loadU8(vec + page) & 1) === 0 ? "." : "x"));
  task.munmap(at, PAGES * P);
  task.munmap(vec, P);
  return marks.join("").replace(/\.+$/, "");
}

function read(page: number, count: number, flags = RWF_DONTCACHE): number {
  return task.preadv2(fd, [new Uint8Array(count * P)], page * P, flags);
}

function write(page: number, count: number, flags = RWF_DONTCACHE): number {
  return task.pwritev2(fd, [new Uint8Array(count * P).fill(page)], page * P, flags);
}

it("a read drops the pages that it brought in, and leaves those that it read ahead to the next", () => {
  expect(read(0, 1)).toBe(P);
  expect(resident()).toBe(".xxx");
  read(1, 2);
  expect(resident()).toBe("...xxxxxxxxx");
  expect(read(0, PAGES)).toBe(PAGES * P);
  expect(resident()).toBe("");
  read(32, 1);
  expect(resident()).toBe("");
});

it("what was cached before stays, and what was read ahead goes with the next read of any kind", () => {
  read(0, 1, 0);
  expect(resident()).toBe("xxxx");
  // The next window is read on its way, and is of this read.
  read(0, 4);
  expect(resident()).toBe("xxxxxxxxxxxx");
  expect(read(4, 8, 0)).toBe(8 * P);
  expect(resident().startsWith("xxxx........")).toBe(true);
  read(16, 1);
  write(16, 1, 0);
  read(16, 1);
  expect(resident().charAt(16)).toBe("x");
});

it("a write is in storage at once, and its pages are gone", () => {
  expect(write(4, 2)).toBe(2 * P);
  expect(resident()).toBe("");
  expect(fs.readFileSync(path.join(base, "file")).subarray(4 * P, 6 * P)).toEqual(Buffer.alloc(2 * P, 4));
  write(8, 1, 0);
  write(8, 4);
  expect(resident()).toBe("........x");
  expect(task.pwritev2(fd, [new Uint8Array(100)], 20 * P, RWF_DONTCACHE)).toBe(100);
  expect(resident()).toBe("........x");
});

it("a page that is mapped through a fault of its own is an ordinary one from then on", () => {
  read(0, 1);
  const at = task.mmap(0, PAGES * P, 3, MAP_SHARED, fd, 0);
  task.storeU8(at + 2 * P, 9);
  task.munmap(at, PAGES * P);
  read(2, 1);
  expect(resident().charAt(2)).toBe("x");
});

it("is refused by what has no storage, or reads segment by segment", () => {
  const memory = task.memfd_create("x");
  const one = [new Uint8Array(1)];
  expect(() => task.pwritev2(memory, one, 0, RWF_DONTCACHE)).toThrow("EOPNOTSUPP");
  expect(() => task.preadv2(memory, one, 0, RWF_DONTCACHE)).toThrow("EOPNOTSUPP");
  const [, writing] = task.pipe2(0);
  expect(() => task.pwritev2(writing, one, null, RWF_DONTCACHE)).toThrow("EOPNOTSUPP");
});
