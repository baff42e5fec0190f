/**
 * Random calls that lock, seal, promise and take away, by processes that fork and share a file, some of them without
 * memory for a mapping or a frame: after each, the validator recounts locks, promises and everything else.
 */
import { expect, it } from "vitest";
import { Prng } from "../../../src/lib/prng.ts";
import {
  LinuxError,
  MADV_DONTNEED,
  MADV_DONTNEED_LOCKED,
  MAP_ANONYMOUS,
  MAP_DROPPABLE,
  MAP_FIXED,
  MAP_GROWSDOWN,
  MAP_LOCKED,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MemoryFault,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_NONE,
  PROT_READ,
  type Process,
  RLIMIT_MEMLOCK,
  validate,
} from "../../../src/mm/index.ts";
import { ANON, BASE, boot, newFile, P, RW, SHARED_ANON } from "../core/rig.ts";

const PAGES = 24;
const PROTS = [PROT_NONE, PROT_READ, RW, RW];
const KINDS = [ANON, ANON, SHARED_ANON, MAP_ANONYMOUS | MAP_DROPPABLE, MAP_PRIVATE, MAP_SHARED];
const EXTRAS = [0, 0, MAP_LOCKED, MAP_NORESERVE, MAP_POPULATE, MAP_GROWSDOWN];
const MOVES = [
  0,
  MREMAP_MAYMOVE,
  MREMAP_MAYMOVE | MREMAP_FIXED,
  MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
  MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
];

function step(random: Prng, task: Process, fd: number): void {
  const pick = <T>(values: readonly T[]): T => values[random.below(values.length)] as T;
  const from = random.below(PAGES);
  const addr = BASE + from * P;
  const len = (1 + random.below(PAGES - from)) * P;
  const other = BASE + random.below(PAGES) * P;
  switch (random.below(19)) {
    case 0:
    case 1:
    case 2:
      task.mmap(addr, len, pick(PROTS), pick(KINDS) | pick(EXTRAS) | MAP_FIXED, fd, random.below(4) * P);
      return;
    case 3:
      task.munmap(addr, len);
      return;
    case 4:
    case 5:
      task.mprotect(addr, len, pick(PROTS));
      return;
    case 6:
    case 7:
      task.mremap(addr, len, random.below(3) === 0 ? (1 + random.below(8)) * P : len, pick(MOVES), other);
      return;
    case 8:
    case 9:
      task.mlock(addr, len);
      return;
    case 10:
      task.mlock2(addr, len, 1);
      return;
    case 11:
      task.munlock(addr, len);
      return;
    case 12:
      task.mlockall(1 + random.below(7));
      return;
    case 13:
      task.munlockall();
      return;
    case 14:
      task.madvise(addr, len, pick([MADV_DONTNEED, MADV_DONTNEED_LOCKED]));
      return;
    case 15:
      task.remap_file_pages(addr, len, 0, random.below(6));
      return;
    case 16:
      task.ftruncate(fd, random.below(PAGES) * P);
      return;
    case 17:
      task.brk(task.mm.startBrk + random.below(8) * P);
      return;
    default:
      if (random.below(40) === 0) task.mseal(addr, P);
      else if (random.below(2) === 0) task.storeU8(addr, 1);
      else task.loadU8(addr);
  }
}

it.each([0, 1, 2])("keeps every count, overcommit mode %d", (overcommitMemory) => {
  const random = new Prng(77 + overcommitMemory);
  const done = { ok: 0, failed: 0 };
  for (let round = 0; round < 8; round++) {
    const kernel = boot({
      ram: 2 ** 20,
      overcommitMemory: overcommitMemory as 0 | 1 | 2,
      overcommitKbytes: 512,
    });
    const first = kernel.spawn({ uid: round % 2 === 0 ? 0 : 65534 });
    if (round % 4 === 1) first.setrlimit(RLIMIT_MEMLOCK, { soft: 30 * P, hard: 30 * P });
    const fd = newFile(first, "/f", 8);
    let tasks = [first];
    for (let i = 0; i < 250; i++) {
      const task = tasks[random.below(tasks.length)] ?? first;
      if (random.below(8) === 0) task.mm.failVmaAfter = random.below(4);
      if (random.below(8) === 0) kernel.phys.failAfter = random.below(6);
      try {
        if (random.below(25) === 0 && tasks.length < 3) {
          tasks.push(task.fork());
        } else if (random.below(60) === 0 && tasks.length > 1) {
          task.exit();
          tasks = tasks.filter((one) => one !== task);
        } else {
          step(random, task, fd);
        }
        done.ok++;
      } catch (error) {
        if (!(error instanceof LinuxError || error instanceof MemoryFault)) throw error;
        done.failed++;
      }
      for (const one of tasks) one.mm.failVmaAfter = -1;
      kernel.phys.failAfter = -1;
      expect(validate(kernel), `round ${round}, step ${i}`).toEqual([]);
    }
    for (const task of tasks) task.exit();
    expect([kernel.vmstat().nr_mlock, kernel.vmstat().nr_anon_pages]).toEqual([0, 0]);
  }
  // Enough of both, or the test has lost its teeth.
  expect(Math.min(done.ok, done.failed)).toBeGreaterThan(300);
});
