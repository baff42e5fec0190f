/**
 * Every operation with its first, second, third … allocation failing, of frames and of mappings, until it succeeds:
 * a failed one leaves all invariants whole and the mappings as they were, and works when memory is there again.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  Kernel,
  MADV_DONTFORK,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MAP_FIXED,
  MAP_GROWSDOWN,
  MAP_LOCKED,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  MS_SYNC,
  O_CREAT,
  O_RDWR,
  PROT_READ,
  type Process,
  validate,
} from "../../../src/mm/index.ts";
import { nodeFs } from "../../../src/storage/node/index.ts";
import { ANON, BASE, mapAt, newFile, outcome, P, RW, SHARED_ANON, writeAll } from "./rig.ts";

const base = fs.mkdtempSync(path.join(os.tmpdir(), "faultline-failing-"));
afterAll(() => fs.rmSync(base, { recursive: true, force: true }));

/** Where the scene's mappings lie: anonymous over a border of two tables of PTEs, a file of tmpfs, a real one. */
const ANONYMOUS = BASE + 2 ** 21 - 8 * P;
const TMPFS = BASE + 2 ** 30;
const DISK = BASE + 2 ** 31;
const FREE = BASE + 2 ** 40 - 4 * P;
const PAGES = 16;

interface Scene {
  readonly task: Process;
  readonly tmpfsFd: number;
  readonly diskFd: number;
}

let scenes = 0;

function newScene(): Scene {
  const directory = path.join(base, `${scenes++}`);
  fs.mkdirSync(directory);
  fs.writeFileSync(path.join(directory, "f"), new Uint8Array(PAGES * P).fill(3));
  const kernel = new Kernel({ ram: 4 * 2 ** 20, poison: true });
  kernel.mount("/disk", nodeFs(directory));
  const task = kernel.spawn();
  const tmpfsFd = newFile(task, "/f", 4);
  task.ftruncate(tmpfsFd, PAGES * P);
  const diskFd = task.open("/disk/f", O_RDWR | O_CREAT, 0o644);
  mapAt(task, ANONYMOUS, PAGES);
  writeAll(task, ANONYMOUS + P, PAGES - 2, 5);
  task.loadU8(ANONYMOUS);
  task.mmap(TMPFS, PAGES * P, RW, MAP_SHARED | MAP_FIXED, tmpfsFd, 0);
  task.mmap(DISK, PAGES * P, RW, MAP_PRIVATE | MAP_FIXED, diskFd, 0);
  task.storeU8(DISK + 2 * P, 6);
  return { task, tmpfsFd, diskFd };
}

/** The mappings without what failed calls may change in Linux, too: where one is cut in two that show the same. */
function coverage(task: Process): string[] {
  const joined: string[] = [];
  let end = "";
  for (const line of task.maps().trimEnd().split("\n")) {
    const [range = "", perms = "", , ...rest] = line.split(/\s+/);
    const [from = "", to = ""] = range.split("-");
    const kind = `${perms} ${rest.join(" ")}`;
    const last = joined.at(-1);
    if (from === end && last?.endsWith(kind) === true)
      joined[joined.length - 1] = `${last.split("-")[0]}-${to} ${kind}`;
    else joined.push(`${from}-${to} ${kind}`);
    end = to;
  }
  return joined;
}

/** Operations by name; `destination` is what a failed one may have unmapped by then. */
const OPERATIONS: Record<
  string,
  { run: (scene: Scene) => unknown; destination?: number; afterFork?: boolean }
> = {
  "read of an anonymous page": { run: ({ task }) => task.loadU8(ANONYMOUS + 15 * P) },
  "write of an anonymous page": { run: ({ task }) => task.storeU8(ANONYMOUS + 15 * P, 1) },
  "write over the zero page": { run: ({ task }) => task.storeU8(ANONYMOUS, 1) },
  "write of a first page with its tables": {
    run: ({ task }) => {
      mapAt(task, FREE, 1);
      task.storeU8(FREE, 1);
    },
    destination: FREE,
  },
  "write of a shared anonymous page": {
    run: ({ task }) => {
      task.mmap(FREE, 2 * P, RW, SHARED_ANON | MAP_FIXED);
      task.storeU8(FREE, 1);
    },
    destination: FREE,
  },
  "copy on write": { run: ({ task }) => task.storeU8(ANONYMOUS + P, 9), afterFork: true },
  "read of a cached file page": { run: ({ task }) => task.loadU8(TMPFS + 3 * P) },
  "write into a hole of a tmpfs file": { run: ({ task }) => task.storeU8(TMPFS + 9 * P, 1) },
  "read of a real file's page": { run: ({ task }) => task.loadU8(DISK + 14 * P) },
  "private write of a real file's page": { run: ({ task }) => task.storeU8(DISK + 14 * P, 1) },
  "shared write of a real file's page": {
    run: ({ task, diskFd }) => {
      task.mmap(FREE, PAGES * P, RW, MAP_SHARED | MAP_FIXED, diskFd, 0);
      task.storeU8(FREE + 14 * P, 1);
      task.msync(FREE, PAGES * P, MS_SYNC);
    },
    destination: FREE,
  },
  "growth of a stack": {
    run: ({ task }) => {
      task.mmap(FREE, P, RW, ANON | MAP_FIXED | MAP_GROWSDOWN);
      task.storeU8(FREE - 600 * P, 1);
    },
    destination: FREE,
  },
  "read into memory": { run: ({ task, diskFd }) => task.pread(diskFd, ANONYMOUS, P, 15 * P) },
  "write of a real file": {
    run: ({ task, diskFd }) => task.pwrite(diskFd, new Uint8Array(2 * P), undefined, 10),
  },
  "write of a tmpfs file": { run: ({ task, tmpfsFd }) => task.pwrite(tmpfsFd, ANONYMOUS, P, 12 * P) },
  "truncation into a page": { run: ({ task, diskFd }) => task.ftruncate(diskFd, 15 * P + 100) },
  "mmap over the middle": {
    run: ({ task }) => mapAt(task, ANONYMOUS + 4 * P, 4, PROT_READ),
    destination: ANONYMOUS,
  },
  "mmap of a file over the middle": {
    run: ({ task, diskFd }) => task.mmap(ANONYMOUS + 4 * P, 4 * P, RW, MAP_SHARED | MAP_FIXED, diskFd, 0),
    destination: ANONYMOUS,
  },
  "mmap that merges": { run: ({ task }) => mapAt(task, ANONYMOUS + PAGES * P, 4) },
  "mmap with MAP_POPULATE": {
    run: ({ task }) => task.mmap(FREE, 8 * P, RW, ANON | MAP_FIXED | MAP_POPULATE),
  },
  "mmap with MAP_LOCKED": { run: ({ task }) => task.mmap(FREE, 8 * P, RW, ANON | MAP_FIXED | MAP_LOCKED) },
  "munmap of the middle": { run: ({ task }) => task.munmap(ANONYMOUS + 4 * P, 4 * P) },
  "munmap over several": { run: ({ task }) => task.munmap(ANONYMOUS + 4 * P, DISK + 4 * P - ANONYMOUS) },
  "mprotect of the middle": { run: ({ task }) => task.mprotect(ANONYMOUS + 4 * P, 4 * P, PROT_READ) },
  "mprotect and back": {
    run: ({ task }) => {
      task.mprotect(ANONYMOUS + 4 * P, 4 * P, PROT_READ);
      task.mprotect(ANONYMOUS + 4 * P, 4 * P, RW);
    },
    destination: ANONYMOUS,
  },
  "mremap that grows in place": { run: ({ task }) => task.mremap(ANONYMOUS, PAGES * P, 2 * PAGES * P) },
  "mremap that grows and moves": {
    run: ({ task }) => task.mremap(ANONYMOUS + 2 * P, 8 * P, 20 * P, MREMAP_MAYMOVE),
  },
  "mremap of all to a place": {
    run: ({ task }) =>
      task.mremap(ANONYMOUS, PAGES * P, PAGES * P, MREMAP_MAYMOVE | MREMAP_FIXED, FREE - 7 * P),
  },
  "mremap of the middle to a place in use": {
    run: ({ task }) =>
      task.mremap(ANONYMOUS + 2 * P, 8 * P, 8 * P, MREMAP_MAYMOVE | MREMAP_FIXED, DISK + 4 * P),
    destination: DISK,
  },
  "mremap of a file to a place": {
    run: ({ task }) => task.mremap(DISK + P, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED, FREE),
  },
  "mremap that leaves the old mapping": {
    run: ({ task }) => task.mremap(ANONYMOUS, PAGES * P, PAGES * P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP),
  },
  "a second view of shared memory": { run: ({ task }) => task.mremap(TMPFS, 0, 4 * P, MREMAP_MAYMOVE) },
  "madvise that cuts": { run: ({ task }) => task.madvise(ANONYMOUS + 4 * P, 4 * P, MADV_DONTFORK) },
  "populating for reading": { run: ({ task }) => task.madvise(DISK, PAGES * P, MADV_POPULATE_READ) },
  "populating for writing": { run: ({ task }) => task.madvise(DISK, PAGES * P, MADV_POPULATE_WRITE) },
  "the first brk": {
    run: ({ task }) => {
      const now = task.brk();
      if (task.brk(now + 4 * P) === now) throw Object.assign(new Error(), { refused: true });
    },
  },
  fork: { run: ({ task }) => task.fork() },
  "fork of a fork": { run: ({ task }) => [...task.children][0]?.fork(), afterFork: true },
  open: { run: ({ task }) => task.open("/new", O_RDWR | O_CREAT, 0o644) },
  memfd_create: { run: ({ task }) => task.pwrite(task.memfd_create("m"), new Uint8Array(P), undefined, 0) },
};

const SWITCHES = {
  frame: {
    arm: ({ task }: Scene, after: number): void => {
      task.kernel.phys.failAfter = after;
    },
    left: ({ task }: Scene): number => task.kernel.phys.failAfter,
  },
  mapping: {
    arm: ({ task }: Scene, after: number): void => {
      task.mm.failVmaAfter = after;
      for (const child of task.children) child.mm.failVmaAfter = after;
    },
    left: ({ task }: Scene): number =>
      // A child that was just forked has what is left of its parent's.
      Math.min(task.mm.failVmaAfter, ...[...task.children].map(({ mm }) => mm.failVmaAfter)),
  },
} as const;

function succeeds(run: () => unknown): boolean {
  try {
    return outcome(run) === "ok";
  } catch (error) {
    if (error instanceof Error && "refused" in error) return false;
    throw error;
  }
}

/** Everything that the scene's memory shows: bytes of each page, or why there are none. */
function contents(task: Process): string[] {
  return [ANONYMOUS, TMPFS, DISK].flatMap((start) =>
    Array.from({ length: PAGES }, (_, page) => {
      const reason = outcome(() => task.loadU8(start + page * P));
      return reason === "ok" ? String(task.loadU8(start + page * P)) : reason;
    }),
  );
}

describe.each(Object.keys(SWITCHES) as (keyof typeof SWITCHES)[])("without memory for a %s", (kind) => {
  const { arm, left } = SWITCHES[kind];

  it.each(Object.entries(OPERATIONS))("%s", (name, { run, destination, afterFork }) => {
    for (let after = 0; ; after++) {
      expect(after).toBeLessThan(60);
      const scene = newScene();
      const { task } = scene;
      if (afterFork === true) task.fork();
      const mapped = coverage(task);
      const shown = destination === undefined ? contents(newScene().task) : [];
      arm(scene, after);
      const done = succeeds(() => run(scene));
      const remaining = left(scene);
      arm(scene, -1);
      expect(validate(task.kernel), `after ${after} allocations`).toEqual([]);
      if (done && remaining > 0) break;
      if (done) continue;
      if (destination === undefined) {
        expect(coverage(task), `after ${after} allocations`).toEqual(mapped);
        // Files may have been written in part; memory alone must show what it showed.
        const writes = name.includes("write of") || name.startsWith("read into");
        if (!writes) expect(contents(task)).toEqual(shown);
      }
      expect(
        succeeds(() => run(scene)),
        `again after ${after} allocations`,
      ).toBe(true);
      expect(validate(task.kernel)).toEqual([]);
      for (const process of [...task.kernel.processes.values()]) process.exit();
      expect(validate(task.kernel)).toEqual([]);
    }
  });
});
