/** Swap in a block of host memory, as on a RAM disk (brd): no seeks, no waiting, no saving either. */
import type { Ram } from "../frames/ram.ts";
import { PAGE_SIZE } from "../page.ts";
import type { SwapDevice } from "./swap-device.ts";

export class MemorySwapDevice implements SwapDevice {
  readonly pages: number;
  readonly isSynchronous = true;
  readonly kind = "partition";
  /** All slots, one after the other. */
  readonly bytes: Uint8Array;

  /** @param bytes whole pages, the first for the header */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.pages = Math.floor(bytes.length / PAGE_SIZE);
  }

  readPage(slot: number, ram: Ram, ramOffset: number): number {
    ram.u8.set(this.bytes.subarray(slot * PAGE_SIZE, (slot + 1) * PAGE_SIZE), ramOffset);
    return 0;
  }

  writePage(slot: number, ram: Ram, ramOffset: number): number {
    this.bytes.set(ram.u8.subarray(ramOffset, ramOffset + PAGE_SIZE), slot * PAGE_SIZE);
    return 0;
  }

  discard(first: number, count: number): void {
    this.bytes.fill(0, first * PAGE_SIZE, (first + count) * PAGE_SIZE);
  }
}
