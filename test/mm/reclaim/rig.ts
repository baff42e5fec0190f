/** What the tests of reclaim have in common: small kernels with swap in memory, and programs that fill it. */
import {
  type Kernel,
  type KernelOptions,
  MAP_NORESERVE,
  MemorySwapDevice,
  type Process,
} from "../../../src/mm/index.ts";
import { PTE_PRESENT } from "../../../src/mm/pagetable/pte.ts";
import { ANON, boot, P, RW } from "../core/rig.ts";

/** A kernel of so many frames, with as many pages of swap as asked for. */
export function bootFrames(frames: number, swapPages = 0, options: KernelOptions = {}): Kernel {
  const kernel = boot({ ram: frames * P, ...options });
  if (swapPages > 0) {
    kernel.swapOn(new MemorySwapDevice(new Uint8Array((swapPages + 1) * P)), { mkswap: {} });
  }
  return kernel;
}

/** Maps so many private anonymous pages. */
export function mapPages(task: Process, pages: number): number {
  return task.mmap(0, pages * P, RW, ANON | MAP_NORESERVE);
}

/** Maps and writes so many pages: page i holds seed + i. */
export function fill(task: Process, pages: number, seed = 1): number {
  const at = mapPages(task, pages);
  for (let page = 0; page < pages; page++) task.storeU32(at + page * P, seed + page);
  return at;
}

/** The first page that does not hold what `fill` put there, −1 for none. */
export function firstWrong(task: Process, at: number, pages: number, seed = 1): number {
  for (let page = 0; page < pages; page++) if (task.loadU32(at + page * P) !== seed + page) return page;
  return -1;
}

/** The frame of a page that is in memory, 0 for one that is not. */
export function frameOf(task: Process, addr: number): number {
  const pte = task.mm.pageTable.walk(addr);
  const { u32 } = task.kernel.phys.ram;
  return pte !== 0 && (u32[pte] & PTE_PRESENT) !== 0 ? u32[pte + 1] : 0;
}

/** Resident pages among those of a range. */
export function residentPages(task: Process, at: number, pages: number): number {
  let count = 0;
  for (let page = 0; page < pages; page++) if (frameOf(task, at + page * P) !== 0) count++;
  return count;
}
