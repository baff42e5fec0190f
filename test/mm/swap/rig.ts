/** Swap areas of each kind for tests, and what a page of a process is now. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach } from "vitest";
import type { Ram } from "../../../src/mm/frames/ram.ts";
import {
  type Kernel,
  MADV_PAGEOUT,
  MemorySwapDevice,
  type Process,
  type SwapDevice,
  type SwapTiming,
  ZramSwapDevice,
} from "../../../src/mm/index.ts";
import { isSwapPte, PTE_PRESENT } from "../../../src/mm/pagetable/pte.ts";
import { MM_SWAPENTS } from "../../../src/mm/vma/mm-struct.ts";
import { createSwapFile, HostSwapFile, zlibCompressor } from "../../../src/storage/node/index.ts";
import { P } from "../core/rig.ts";

let folders: string[] = [];

afterEach(() => {
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true });
  folders = [];
});

/** A folder of the host that goes after the test. */
export function temporaryFolder(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "faultline-swap-"));
  folders.push(folder);
  return folder;
}

/** A device in memory that is read and written like a disk: through the swap cache, with readahead; and that can fail. */
export class DiskSwapDevice extends MemorySwapDevice {
  override readonly isSynchronous: true = false as unknown as true;
  readonly isRotational: boolean;
  /** Slots in the order in which they were written and read. */
  readonly writes: number[] = [];
  readonly reads: number[] = [];
  /** Negative errnos to answer instead, from now on; 0 for none. */
  readError = 0;
  writeError = 0;

  constructor(pages: number, isRotational = false) {
    super(new Uint8Array(pages * P));
    this.isRotational = isRotational;
  }

  override readPage(slot: number, ram: Ram, ramOffset: number): number {
    this.reads.push(slot);
    return this.readError || super.readPage(slot, ram, ramOffset);
  }

  override writePage(slot: number, ram: Ram, ramOffset: number): number {
    this.writes.push(slot);
    return this.writeError || super.writePage(slot, ram, ramOffset);
  }
}

/** All answer at once; see slow-device.test.ts for those that take their time. */
export const KINDS = ["memory", "zram", "file", "disk", "rotational disk"] as const;
export type Kind = (typeof KINDS)[number];

export function newDevice(kind: Kind, pages: number): SwapDevice {
  switch (kind) {
    case "memory":
      return new MemorySwapDevice(new Uint8Array(pages * P));
    case "zram":
      return new ZramSwapDevice(pages, zlibCompressor);
    case "file": {
      const file = path.join(temporaryFolder(), "swap");
      createSwapFile(file, pages * P);
      return new HostSwapFile(file);
    }
    default:
      return new DiskSwapDevice(pages, kind === "rotational disk");
  }
}

/** Takes a fresh device of that kind into use, and answers it. */
export function addSwap(
  kernel: Kernel,
  kind: Kind,
  pages: number,
  name = "/dev/swap0",
  priority?: number,
  timing: SwapTiming | null = null,
): SwapDevice {
  const device = newDevice(kind, pages);
  kernel.swapOn(device, { name, mkswap: {}, timing, ...(priority === undefined ? {} : { priority }) });
  return device;
}

/** "none", "present", "swapped" or "marker": what the PTE of `addr` says. */
export function stateOf(process: Process, addr: number): string {
  const { pageTable, phys } = process.mm;
  const pte = pageTable.walk(addr);
  const word = pte === 0 ? 0 : phys.ram.u32[pte];
  if (word === 0) return "none";
  if ((word & PTE_PRESENT) !== 0) return "present";
  return isSwapPte(word) ? "swapped" : "marker";
}

export function pageOut(process: Process, addr: number, pages: number): void {
  process.madvise(addr, pages * P, MADV_PAGEOUT);
}

export function swapEntries(process: Process): number {
  return process.mm.rss[MM_SWAPENTS];
}
