/** Mappings of files over truncation and write (facts 5–7), and memory over any number of forks. */
import { describe, expect, it } from "vitest";
import { MAP_FIXED, MAP_LOCKED, MAP_PRIVATE, MAP_SHARED, type Process } from "../../../src/mm/index.ts";
import {
  ANON,
  BASE,
  boot,
  faults,
  mapAt,
  newFile,
  outcome,
  P,
  RW,
  SHARED_ANON,
  spawn,
  writeAll,
} from "./rig.ts";

describe("the end of a file", () => {
  it("bytes past it in its last page are 0, writable, seen by others, and a page wholly past it is SIGBUS", () => {
    const task = spawn();
    const fd = newFile(task, "/f", 1);
    task.ftruncate(fd, 100);
    const addr = task.mmap(0, 2 * P, RW, MAP_SHARED, fd, 0);
    const child = task.fork();
    expect(task.loadU8(addr + 100)).toBe(0);
    task.storeU8(addr + 100, 1);
    expect(child.loadU8(addr + 100)).toBe(1);
    expect(task.fstat(fd).size).toBe(100);
    const bytes = new Uint8Array(P);
    expect(task.pread(fd, bytes, P, 0)).toBe(100);
    expect(outcome(() => task.loadU8(addr + P))).toBe("BUS_ADRERR");
  });

  it("ftruncate down kills private, copied pages too; after growing they read 0", () => {
    const task = spawn();
    const fd = newFile(task, "/f", 2);
    const addr = task.mmap(0, 2 * P, RW, MAP_PRIVATE, fd, 0);
    task.storeU8(addr + P, 77);
    task.ftruncate(fd, P);
    expect(outcome(() => task.loadU8(addr + P))).toBe("BUS_ADRERR");
    task.ftruncate(fd, 2 * P);
    expect(task.loadU8(addr + P)).toBe(0);
  });

  it("a partial truncation leaves a private copy of the last page as it is", () => {
    // unmap_mapping_range begins at the first page wholly past the end.
    const task = spawn();
    const fd = newFile(task, "/f", 1);
    const addr = task.mmap(0, P, RW, MAP_PRIVATE, fd, 0);
    task.storeU8(addr + 2000, 77);
    task.ftruncate(fd, 1000);
    expect(task.loadU8(addr + 2000)).toBe(77);
  });
});

it("a private page not yet written sees a later write(); a copied one does not (fact 7)", () => {
  const task = spawn();
  const fd = newFile(task, "/f", 2);
  const addr = task.mmap(0, 2 * P, RW, MAP_PRIVATE, fd, 0);
  expect(task.loadU8(addr)).toBe(1);
  task.storeU8(addr + P, 9);
  task.pwrite(fd, new Uint8Array([60]), 1, 0);
  task.pwrite(fd, new Uint8Array([61]), 1, P);
  expect([task.loadU8(addr), task.loadU8(addr + P)]).toEqual([60, 9]);
});

describe("fork", () => {
  it("ten generations: each sees what was there at its fork, and writes for itself alone", () => {
    const task = spawn();
    mapAt(task, BASE, 11);
    const line: Process[] = [task];
    for (let generation = 0; generation < 10; generation++) {
      const last = line.at(-1) ?? task;
      last.storeU8(BASE + generation * P, generation + 1);
      line.push(last.fork());
    }
    for (const [generation, process] of line.entries()) {
      const seen = Array.from({ length: 10 }, (_, page) => process.loadU8(BASE + page * P));
      expect(seen).toEqual(Array.from({ length: 10 }, (_, page) => (page <= generation ? page + 1 : 0)));
      process.storeU8(BASE + 10 * P, 100 + generation);
    }
    expect(line.map((process) => process.loadU8(BASE + 10 * P))).toEqual(line.map((_, at) => 100 + at));
    // The middle ones go first; who is left keeps what it had.
    for (const process of line.slice(1, -1)) process.exit();
    expect(line.at(-1)?.loadU8(BASE)).toBe(1);
    task.storeU8(BASE, 200);
    expect(line.at(-1)?.loadU8(BASE)).toBe(1);
  });

  it("a line of a hundred processes, each of which forks and exits, grows no chain of anon_vmas", () => {
    const kernel = boot();
    let process = kernel.spawn();
    mapAt(process, BASE, 2);
    for (let generation = 0; generation < 100; generation++) {
      process.storeU8(BASE, generation);
      const child = process.fork();
      process.exit();
      process = child;
      expect(process.loadU8(BASE)).toBe(generation);
    }
    expect(process.mm.vmas.first?.anonVmaChain.length).toBeLessThanOrEqual(3);
    expect(kernel.phys.owners.size).toBeLessThan(10);
  });

  it("a page that is reused after a fork is looked for in its own mapping only (folio_move_anon_rmap)", () => {
    const task = spawn();
    mapAt(task, BASE, 1);
    task.storeU8(BASE, 1);
    const child = task.fork();
    task.exit();
    const { frames, ram } = task.kernel.phys;
    const pfn = ram.u32[child.mm.pageTable.walk(BASE) + 1];
    const own = child.mm.vmas.first?.anonVma?.id;
    expect(frames.mapping[pfn]).not.toBe(own);
    child.storeU8(BASE, 2);
    expect(frames.mapping[pfn]).toBe(own);
  });

  it("shared memory is shared by all of a family, before and after the first touch", () => {
    const task = spawn();
    const addr = task.mmap(0, 2 * P, RW, SHARED_ANON);
    task.storeU8(addr, 1);
    const child = task.fork();
    const grandchild = child.fork();
    grandchild.storeU8(addr + P, 2);
    task.storeU8(addr, 3);
    expect([grandchild.loadU8(addr), task.loadU8(addr + P), child.loadU8(addr + P)]).toEqual([3, 2, 2]);
    task.exit();
    child.exit();
    expect(grandchild.loadU8(addr)).toBe(3);
  });

  it("memfds are shared between a mapping, read and write, and a child's mapping of the descriptor", () => {
    const task = spawn();
    const fd = task.memfd_create("m");
    task.ftruncate(fd, 2 * P);
    const addr = task.mmap(0, 2 * P, RW, MAP_SHARED, fd, 0);
    task.storeU8(addr + P, 42);
    const child = task.fork();
    const there = child.mmap(0, P, RW, MAP_SHARED, fd, P);
    expect(child.loadU8(there)).toBe(42);
    child.pwrite(fd, new Uint8Array([43]), 1, P);
    expect(task.loadU8(addr + P)).toBe(43);
  });

  it("a child inherits no locks (fact 16)", () => {
    const task = spawn();
    task.mmap(BASE, 4 * P, RW, ANON | MAP_FIXED | MAP_LOCKED);
    const child = task.fork();
    expect([task.mm.lockedVm, child.mm.lockedVm]).toEqual([4, 0]);
  });

  it("a fork of a large reserved range is cheap: no tables are copied where there are none", () => {
    const task = spawn();
    task.mmap(0, 2 ** 44, 0, ANON);
    mapAt(task, BASE, 1);
    task.storeU8(BASE, 1);
    const before = task.kernel.phys.usedFrames;
    task.fork();
    expect(task.kernel.phys.usedFrames - before).toBeLessThanOrEqual(4);
  });

  it("wait answers status and counts, exit gives every frame back", () => {
    const kernel = boot();
    const task = kernel.spawn();
    mapAt(task, BASE, 8);
    writeAll(task, BASE, 8);
    expect(task.wait.bind(task)).toThrow("ECHILD");
    const used = kernel.phys.usedFrames;
    const child = task.fork();
    expect(task.wait()).toBeNull();
    const taken = faults(child, () => writeAll(child, BASE, 8));
    child.exit(3);
    expect(task.wait()).toEqual({ pid: child.pid, status: 3 << 8, minFlt: taken, majFlt: 0, maxRss: 8 });
    expect(kernel.phys.usedFrames).toBe(used);
    task.exit();
    expect(kernel.phys.usedFrames).toBe(0);
    expect(kernel.processes.size).toBe(0);
    expect(outcome(() => task.loadU8(BASE))).toBe("SEGV_MAPERR");
  });
});
