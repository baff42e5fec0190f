/**
 * What holds the pages that are swapped out: the seam between swap areas and whatever stores them (a block device, or a
 * swap file with its extents).
 *
 * Slots are numbered from 0, which holds the header (swap-header.ts). A device knows nothing of entries, counts or
 * caches: it is asked to write a page's bytes to a slot, and to read them back. It answers at once, so that a fault
 * never waits with half of its work done.
 */
import type { Ram } from "../frames/ram.ts";

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
  /** Seeking costs: neighbours on the device are read ahead instead of neighbours in memory. */
  readonly isRotational?: boolean;
  /** "partition" for a block device, "file" (the default) for a file. */
  readonly kind?: "partition" | "file";
  /** The area is not used any more: closes what stands behind it. */
  close?(): void;
}
