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
import { ZsPool } from "./zs-pool.ts";

/** Makes pages smaller and whole again. Whoever knows a compression library hands it in. */
export interface Compressor {
  /** "deflate", "lz4", … */
  readonly name: string;
  /** The compressed bytes. They need not last: who wants to keep them copies them. */
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

/** In `length` of a slot: it has nothing; and it has a word that all of it repeats. Else the bytes that it has in the pool. */
const EMPTY = 0;
const SAME = 0xffff;
const BLOCK_SLOTS = 1024;

/** What BLOCK_SLOTS slots have, from the first use of one of them (zram_table_entry). */
class SlotBlock {
  readonly length: Uint16Array = new Uint16Array(BLOCK_SLOTS);
  /** Handles in the pool. */
  readonly handle: Float64Array = new Float64Array(BLOCK_SLOTS);
  /** The same bytes: the two halves of a word that is repeated. */
  readonly halves: Uint32Array = new Uint32Array(this.handle.buffer);
}

export class ZramSwapDevice implements SwapDevice {
  readonly pages: number;
  readonly isSynchronous = true;
  readonly kind = "partition";
  readonly #compressor: Compressor;
  readonly #memLimit: number;
  readonly #pool: ZsPool = new ZsPool();
  readonly #blocks: (SlotBlock | undefined)[];
  #origPages = 0;
  #comprDataSize = 0;
  #maxUsedPages = 0;
  #samePages = 0;
  #hugePages = 0;

  /** @param pages size of the device (its disksize); @param memLimit most bytes that the pages may take, rounded up to pages; 0 for no limit */
  constructor(pages: number, compressor: Compressor, memLimit = 0) {
    this.pages = pages;
    this.#compressor = compressor;
    this.#memLimit = memLimit;
    this.#blocks = new Array(Math.ceil(pages / BLOCK_SLOTS));
  }

  get mmStat(): ZramStat {
    return {
      origDataSize: this.#origPages * PAGE_SIZE,
      comprDataSize: this.#comprDataSize,
      memUsedTotal: this.#pool.totalPages * PAGE_SIZE,
      memLimit: this.#memLimit,
      memUsedMax: this.#maxUsedPages * PAGE_SIZE,
      samePages: this.#samePages,
      hugePages: this.#hugePages,
    };
  }

  readPage(slot: number, ram: Ram, ramOffset: number): number {
    const page = ram.u8.subarray(ramOffset, ramOffset + PAGE_SIZE);
    const block = this.#blocks[Math.floor(slot / BLOCK_SLOTS)];
    const at = slot % BLOCK_SLOTS;
    const length = block === undefined ? EMPTY : block.length[at];
    if (block === undefined || length === EMPTY) {
      page.fill(0);
    } else if (length === SAME) {
      const from = ramOffset / 4;
      for (let word = 0; word < PAGE_WORDS; word += 2) {
        ram.u32[from + word] = block.halves[2 * at];
        ram.u32[from + word + 1] = block.halves[2 * at + 1];
      }
    } else {
      const kept = this.#pool.bytes(block.handle[at], length);
      if (length === PAGE_SIZE) page.set(kept);
      else if (!this.#compressor.decompress(kept, page)) return -EIO;
    }
    return 0;
  }

  writePage(slot: number, ram: Ram, ramOffset: number): number {
    const from = ramOffset / 4;
    if (isSameFilled(ram.u32, from)) {
      const block = this.#take(slot, SAME);
      block.halves.set(ram.u32.subarray(from, from + 2), 2 * (slot % BLOCK_SLOTS));
      this.#samePages++;
      return 0;
    }
    const page = ram.u8.subarray(ramOffset, ramOffset + PAGE_SIZE);
    const compressed = this.#compressor.compress(page);
    const bytes = compressed.length >= HUGE_SIZE ? page : compressed;
    const handle = this.#pool.store(bytes);
    this.#maxUsedPages = Math.max(this.#maxUsedPages, this.#pool.totalPages);
    if (this.#memLimit !== 0 && this.#pool.totalPages > Math.ceil(this.#memLimit / PAGE_SIZE)) {
      this.#pool.free(handle);
      return -ENOMEM;
    }
    this.#take(slot, bytes.length).handle[slot % BLOCK_SLOTS] = handle;
    this.#comprDataSize += bytes.length;
    if (bytes.length === PAGE_SIZE) this.#hugePages++;
    return 0;
  }

  slotFreeNotify(slot: number): void {
    const block = this.#blocks[Math.floor(slot / BLOCK_SLOTS)];
    const at = slot % BLOCK_SLOTS;
    if (block === undefined || block.length[at] === EMPTY) return;
    const length = block.length[at];
    block.length[at] = EMPTY;
    this.#origPages--;
    if (length === SAME) {
      this.#samePages--;
      return;
    }
    this.#pool.free(block.handle[at]);
    this.#comprDataSize -= length;
    if (length === PAGE_SIZE) this.#hugePages--;
  }

  discard(first: number, count: number): void {
    for (let slot = first; slot < first + count; slot++) this.slotFreeNotify(slot);
  }

  /** Frees what the slot had: from now on it has `length`. */
  #take(slot: number, length: number): SlotBlock {
    this.slotFreeNotify(slot);
    const number = Math.floor(slot / BLOCK_SLOTS);
    this.#blocks[number] ??= new SlotBlock();
    const block = this.#blocks[number];
    block.length[slot % BLOCK_SLOTS] = length;
    this.#origPages++;
    return block;
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
