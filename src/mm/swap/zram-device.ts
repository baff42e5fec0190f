/**
 * Swap in compressed memory (drivers/block/zram): it takes a part of the room that the pages had, and time to compress,
 * but no device.
 *
 * A page that repeats one 64-bit word is kept as that word alone; one that hardly gets smaller is kept as it is.
 */
import type { Ram } from "../frames/ram.ts";
import { PAGE_SIZE } from "../page.ts";
import { EIO, ENOMEM } from "../uapi/errno.ts";
import type { SwapDevice } from "./swap-device.ts";

/** Makes pages smaller and whole again. Whoever knows a compression library hands it in. */
export interface Compressor {
  /** "deflate", "lz4", … */
  readonly name: string;
  /** The compressed bytes, a new array. */
  compress(page: Uint8Array): Uint8Array;
  /** Fills `page` from what `compress` made; false when it does not fill it. */
  decompress(compressed: Uint8Array, page: Uint8Array): boolean;
}

/** The figures of /sys/block/zram0/mm_stat, by their names there; all in bytes but the last two. */
export interface ZramStat {
  readonly origDataSize: number;
  readonly comprDataSize: number;
  readonly memUsedTotal: number;
  /** 0 for none. */
  readonly memLimit: number;
  readonly memUsedMax: number;
  /** Pages kept as a word. */
  readonly samePages: number;
  /** Pages kept uncompressed. */
  readonly hugePages: number;
}

/** A compressed page larger than this is not worth compressing (huge_class_size for 4 KiB pages). */
const HUGE_SIZE: number = Math.floor((PAGE_SIZE * 3264) / 4096);
const PAGE_WORDS: number = PAGE_SIZE / 4;

export class ZramSwapDevice implements SwapDevice {
  readonly pages: number;
  readonly isSynchronous = true;
  readonly kind = "partition";
  readonly #compressor: Compressor;
  readonly #memLimit: number;
  /** What each slot has: its bytes, or the two halves of the word that it repeats. Absent: zeros. */
  readonly #slots: Map<number, Uint8Array | readonly [number, number]> = new Map();
  #comprDataSize = 0;
  #memUsedMax = 0;
  #samePages = 0;
  #hugePages = 0;

  /** @param pages size of the device (its disksize); @param memLimit most bytes that the pages may take; 0 for no limit */
  constructor(pages: number, compressor: Compressor, memLimit = 0) {
    this.pages = pages;
    this.#compressor = compressor;
    this.#memLimit = memLimit;
  }

  get mmStat(): ZramStat {
    return {
      origDataSize: this.#slots.size * PAGE_SIZE,
      comprDataSize: this.#comprDataSize,
      memUsedTotal: this.#comprDataSize,
      memLimit: this.#memLimit,
      memUsedMax: this.#memUsedMax,
      samePages: this.#samePages,
      hugePages: this.#hugePages,
    };
  }

  readPage(slot: number, ram: Ram, ramOffset: number): number {
    const kept = this.#slots.get(slot);
    const page = ram.u8.subarray(ramOffset, ramOffset + PAGE_SIZE);
    if (kept === undefined) {
      page.fill(0);
    } else if (!(kept instanceof Uint8Array)) {
      const from = ramOffset / 4;
      for (let word = 0; word < PAGE_WORDS; word += 2) {
        ram.u32[from + word] = kept[0];
        ram.u32[from + word + 1] = kept[1];
      }
    } else if (kept.length === PAGE_SIZE) {
      page.set(kept);
    } else if (!this.#compressor.decompress(kept, page)) {
      return -EIO;
    }
    return 0;
  }

  writePage(slot: number, ram: Ram, ramOffset: number): number {
    const from = ramOffset / 4;
    if (isSameFilled(ram.u32, from)) {
      this.slotFreeNotify(slot);
      this.#slots.set(slot, [ram.u32[from], ram.u32[from + 1]]);
      this.#samePages++;
      return 0;
    }
    const page = ram.u8.subarray(ramOffset, ramOffset + PAGE_SIZE);
    const compressed = this.#compressor.compress(page);
    const bytes = compressed.length >= HUGE_SIZE ? page.slice() : compressed;
    if (this.#memLimit !== 0 && this.#comprDataSize + bytes.length > this.#memLimit) return -ENOMEM;
    this.slotFreeNotify(slot);
    this.#slots.set(slot, bytes);
    this.#comprDataSize += bytes.length;
    if (bytes.length === PAGE_SIZE) this.#hugePages++;
    this.#memUsedMax = Math.max(this.#memUsedMax, this.#comprDataSize);
    return 0;
  }

  slotFreeNotify(slot: number): void {
    const kept = this.#slots.get(slot);
    if (kept === undefined) return;
    this.#slots.delete(slot);
    if (!(kept instanceof Uint8Array)) {
      this.#samePages--;
      return;
    }
    this.#comprDataSize -= kept.length;
    if (kept.length === PAGE_SIZE) this.#hugePages--;
  }

  discard(first: number, count: number): void {
    for (let slot = first; slot < first + count; slot++) this.slotFreeNotify(slot);
  }
}

function isSameFilled(u32: Uint32Array, from: number): boolean {
  const low = u32[from];
  const high = u32[from + 1];
  // Most pages that are not show it at their end.
  if (u32[from + PAGE_WORDS - 1] !== high || u32[from + PAGE_WORDS - 2] !== low) return false;
  for (let word = from; word < from + PAGE_WORDS; word += 2) {
    if (u32[word] !== low || u32[word + 1] !== high) return false;
  }
  return true;
}
