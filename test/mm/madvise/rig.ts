/** What the tests of madvise have in common: a process that is validated after each step, and what its pages are. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, onTestFinished } from "vitest";
import { type Kernel, type KernelOptions, type Process, validate } from "../../../src/mm/index.ts";
import { PTE_PRESENT } from "../../../src/mm/pagetable/pte.ts";
import { nodeFs } from "../../../src/storage/node/index.ts";
import { boot, outcome, P } from "../core/rig.ts";

export interface Rig {
  readonly kernel: Kernel;
  readonly task: Process;
  /** Does one thing, answers its outcome ("ok", "EINVAL", "SEGV_MAPERR" …), and validates everything. */
  do(act: (task: Process) => unknown): string;
  /** As do, for madvise. */
  advise(addr: number, pages: number, advice: number): string;
}

export function rig(options: KernelOptions = {}): Rig {
  const kernel = boot(options);
  // Where memory is short on purpose, nobody is to die for it.
  const task = kernel.spawn({ oomScoreAdj: -1000 });
  const step = (act: (task: Process) => unknown): string => {
    const result = outcome(() => act(task));
    expect(validate(kernel)).toEqual([]);
    return result;
  };
  return {
    kernel,
    task,
    do: step,
    advise: (addr, pages, advice) => step(() => task.madvise(addr, pages * P, advice)),
  };
}

/** A rig whose root is a real directory, whose files are written back. */
export function rigOnDisk(options: KernelOptions = {}): Rig {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "faultline-madvise-"));
  // Others than the owner are to open files in it.
  fs.chmodSync(dir, 0o755);
  onTestFinished(() => fs.rmSync(dir, { recursive: true, force: true }));
  return rig({ ...options, root: nodeFs(dir) });
}

/** One digit a page: 1 where the page table has a page. */
export function present(task: Process, addr: number, pages: number): string {
  const { pageTable, phys } = task.mm;
  let digits = "";
  for (let page = 0; page < pages; page++) {
    const pte = pageTable.walk(addr + page * P);
    digits += pte !== 0 && (phys.ram.u32[pte] & PTE_PRESENT) !== 0 ? "1" : "0";
  }
  return digits;
}

/** One digit a page, as mincore answers. */
export function resident(task: Process, addr: number, pages: number): string {
  const vec = task.mmap(0, P, 3, 0x22);
  task.mincore(addr, pages * P, vec);
  const digits = [...task.readBytes(vec, pages)].join("");
  task.munmap(vec, P);
  return digits;
}

/** The first byte of each page. */
export function bytes(task: Process, addr: number, pages: number): number[] {
  return Array.from({ length: pages }, (_, page) => task.loadU8(addr + page * P));
}
