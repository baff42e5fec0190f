/**
 * What holds the pages that are swapped out: the seam between swap areas and whatever stores them (a block device, or a
 * swap file with its extents).
 *
 * Slots are numbered from 0, which holds the header (swap-header.ts). A device knows nothing of entries, counts or
 * caches: it is asked to write a page's bytes to a slot, and to read them back. Both are done when it returns, so that a
 * fault never waits with half of its work done; that a disk takes its time for it is told by its timing.
 */
import type { Ram } from "../frames/ram.ts";

/** How long a device takes (device-queue.ts). */
export interface SwapTiming {
  /** Nanoseconds from the end of a transfer until it is known. */
  readonly latencyNs: number;
  readonly bytesPerSecond: number;
}

/** A solid-state disk, or a disk of a virtual machine. */
export const DISK_TIMING: SwapTiming = { latencyNs: 40_000, bytesPerSecond: 2.4e9 };

export interface SwapDevice {
  /** Size in pages, the header's included. */
  readonly pages: number;
  /** Copies slot `slot` to the PAGE_SIZE bytes at `ramOffset` of RAM. 0 or a negative errno. */
  readPage(slot: number, ram: Ram, ramOffset: number): number;
  /** Copies the PAGE_SIZE bytes at `ramOffset` of RAM to slot `slot`. 0 or a negative errno: then the slot may hold anything. */
  writePage(slot: number, ram: Ram, ramOffset: number): number;
  /** The slot's content is not needed any more (swap_slot_free_notify). */
  slotFreeNotify?(slot: number): void;
  /** The content of `count` slots from `first` on is not needed any more: for areas that ask for it (SWAP_FLAG_DISCARD). */
  discard?(first: number, count: number): void;
  /** Reading costs no more than a copy: no readahead, and no cache for a page with one user (SWP_SYNCHRONOUS_IO). */
  readonly isSynchronous?: boolean;
  /**
   * It takes its time: a page that is written stays in memory until that has passed, and who reads waits. Undefined: it
   * answers at once, as what is synchronous always does.
   */
  readonly timing?: SwapTiming | undefined;
  /** Seeking costs: neighbours on the device are read ahead instead of neighbours in memory. */
  readonly isRotational?: boolean;
  /** "partition" for a block device, "file" (the default) for a file. */
  readonly kind?: "partition" | "file";
  /** The area is not used any more: closes what stands behind it. */
  close?(): void;
}
