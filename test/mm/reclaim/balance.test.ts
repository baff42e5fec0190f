import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Kernel, MADV_COLD, MLOCK_ONFAULT, O_RDONLY, type Process } from "../../../src/mm/index.ts";
import { nodeFs } from "../../../src/storage/node/index.ts";
import { P } from "../core/rig.ts";
import { bootFrames, fill, firstWrong, frameOf, mapPages, residentPages } from "./rig.ts";

const FILE_PAGES = 400;

interface Mix {
  readonly kernel: Kernel;
  readonly task: Process;
  readonly anon: number;
  readonly file: number;
}

/** 300 anonymous pages, and a file of 400 that is mapped. */
function mix(swappiness: number, lruPolicy: "lru" | "mglru" = "lru"): Mix {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "faultline-balance-"));
  onTestFinished(() => fs.rmSync(directory, { recursive: true, force: true }));
  fs.writeFileSync(path.join(directory, "f"), new Uint8Array(FILE_PAGES * P).fill(7));
  const kernel = bootFrames(512, 4096, { swappiness, lruPolicy });
  kernel.mount("/disk", nodeFs(directory));
  const task = kernel.spawn();
  const anon = fill(task, 300);
  const fd = task.open("/disk/f", O_RDONLY);
  return { kernel, task, anon, file: task.mmap(0, FILE_PAGES * P, 1, 1, fd, 0) };
}

/** Both are used in turns, again and again; answers what was taken of each kind. */
function useBoth({ kernel, task, anon, file }: Mix): { anon: number; file: number } {
  for (let round = 0; round < 4; round++) {
    for (let page = 0; page < FILE_PAGES; page++) {
      task.loadU8(file + page * P);
      if (page < 300) task.loadU8(anon + page * P);
    }
  }
  expect(firstWrong(task, anon, 300)).toBe(-1);
  const { pgsteal_anon, pgsteal_file } = kernel.vmstat();
  return { anon: pgsteal_anon, file: pgsteal_file };
}

describe("anonymous pages against pages of files", () => {
  for (const policy of ["lru", "mglru"] as const) {
    it(`with swappiness 0 files go first, with 200 anonymous pages (${policy})`, () => {
      const none = useBoth(mix(0, policy));
      const all = useBoth(mix(200, policy));
      expect(none.anon).toBeLessThan(none.file / 4);
      expect(all.anon / all.file).toBeGreaterThan(4 * (none.anon / none.file));
    });
  }

  it("with 100 both pay", () => {
    const both = useBoth(mix(100));
    expect(both.anon).toBeGreaterThan(100);
    expect(both.file).toBeGreaterThan(100);
  });

  it("a stream through a file that is too large costs the file more than what nobody streams", () => {
    const { kernel, task, anon, file } = mix(60);
    for (let round = 0; round < 3; round++) {
      for (let page = 0; page < FILE_PAGES; page++) task.loadU8(file + page * P);
    }
    const { pswpout, pgsteal_file: filePages } = kernel.vmstat();
    expect(pswpout).toBeLessThan(filePages / 2);
    expect(firstWrong(task, anon, 300)).toBe(-1);
  });
});

describe("locked pages", () => {
  it("are unevictable: no pressure takes them", () => {
    for (const lruPolicy of ["lru", "mglru"] as const) {
      const kernel = bootFrames(512, 4096, { lruPolicy });
      const task = kernel.spawn();
      const at = fill(task, 100);
      // On fault: mlock itself would use the pages, which would count as active.
      task.mlock2(at, 100 * P, MLOCK_ONFAULT);
      const frames = Array.from({ length: 100 }, (_, page) => frameOf(task, at + page * P));
      fill(task, 1500);
      expect(Array.from({ length: 100 }, (_, page) => frameOf(task, at + page * P))).toEqual(frames);
      expect(kernel.vmstat()).toMatchObject({ nr_unevictable: 100, nr_mlock: 100 });
      task.munlock(at, 100 * P);
      fill(task, 1500);
      expect(frames).not.toEqual(Array.from({ length: 100 }, (_, page) => frameOf(task, at + page * P)));
    }
  });
});

describe("the multi-gen LRU", () => {
  it("ages by walking page tables: what is used stays", () => {
    const kernel = bootFrames(512, 4096, { lruPolicy: "mglru" });
    const task = kernel.spawn();
    const hot = fill(task, 64);
    const cold = mapPages(task, 4096);
    const sweep = (from: number, to: number): void => {
      for (let page = from; page < to; page++) {
        task.storeU8(cold + page * P, 1);
        if (page % 16 === 0) for (let i = 0; i < 64; i++) task.loadU32(hot + i * P);
      }
    };
    sweep(0, 2048);
    const before = task.majFlt;
    sweep(2048, 4096);
    expect(task.majFlt - before).toBeLessThan(64);
    expect(kernel.phys.lruvecs.maxSeq[0]).toBeGreaterThan(4);
    expect(firstWrong(task, hot, 64)).toBe(-1);
  });

  it("has two to four generations at any time", () => {
    const kernel = bootFrames(512, 4096, { lruPolicy: "mglru" });
    const task = kernel.spawn();
    const at = mapPages(task, 1024);
    const { maxSeq, minSeq } = kernel.phys.lruvecs;
    for (let page = 0; page < 4096; page++) {
      task.storeU8(at + ((page * 37) % 1024) * P, 1);
      const [anon, file] = [maxSeq[0] - minSeq[0] + 1, maxSeq[0] - minSeq[1] + 1];
      if (anon < 2 || anon > 4 || file < 2 || file > 4) throw new Error(`${anon}, ${file} generations`);
    }
  });

  it("takes what was advised to be cold before what was not", () => {
    const { kernel, task, file } = mix(0, "mglru");
    // Counted as used until then, both halves are young.
    for (let page = 0; page < 120; page++) task.loadU8(file + page * P);
    const before = kernel.vmstat().nr_inactive_file;
    task.madvise(file, 60 * P, MADV_COLD);
    expect(kernel.vmstat().nr_inactive_file).toBeGreaterThanOrEqual(before);
    kernel.memcg.reclaim(40 * P);
    expect(residentPages(task, file, 60)).toBeLessThan(residentPages(task, file + 60 * P, 60));
  });

  it("enforces the limits of cgroups", () => {
    const kernel = bootFrames(1024, 4096, { lruPolicy: "mglru" });
    const group = kernel.memcg.create("a");
    group.max = 100 * P;
    const task = kernel.spawn({ cgroup: group });
    const at = fill(task, 400);
    expect(firstWrong(task, at, 400)).toBe(-1);
    expect(group.current).toBeLessThanOrEqual(100 * P);
    expect(group.events().oom).toBe(0);
  });
});
