import { PAGE_SHIFT, PAGE_SIZE } from "../../mm/page.ts";
import { Decoder } from "./decoder.ts";
import { OP_NEXT_PAGE } from "./handlers.ts";
import {
  DECODED_PAGE_BYTES,
  DECODED_PAGE_COUNT,
  DECODED_PAGES,
  FRAME_MAP,
  RECORD_BYTES,
  RECORD_IMM,
  RECORD_OP,
  SLOTS,
  STRADDLE_SLOT,
} from "./layout.ts";

/**
 * Which frame's code is decoded where.
 *
 * Invariants: the frame map (layout.ts) has page p for frame f iff `frames[p]` is f. A decoded page without a frame
 * has only zero records, so that control that is still in it comes back through EXIT_DECODE. Pages are handed out
 * in turn; the interpreter is then between two instructions, at the entry of a page, so that none is taken from
 * under it.
 *
 * The copy of an instruction that straddles two pages also depends on the frame of the second; `otherFrames` has it.
 */

/** No frame: frames are page-aligned. */
const NO_FRAME = 1;

export class DecodeCache {
  private readonly pages: number;
  private readonly map: number;
  private readonly bytes: Uint8Array;
  private readonly halves: Uint16Array;
  private readonly words: Int32Array;
  private readonly decoder: Decoder;
  private readonly frames: Uint32Array = new Uint32Array(DECODED_PAGE_COUNT).fill(NO_FRAME);
  private readonly otherFrames: Uint32Array = new Uint32Array(DECODED_PAGE_COUNT).fill(NO_FRAME);
  /** How many decoded pages have a frame as their `otherFrames`. */
  private readonly straddlers = new Map<number, number>();
  private next = 0;
  /** Pages at and above this one have never been used: their records still have to be laid out. */
  private used = 0;

  /** `base`: where the hart's area begins in `memory`. */
  constructor(memory: WebAssembly.Memory, base: number) {
    this.pages = base + DECODED_PAGES;
    this.map = (base + FRAME_MAP) >>> 2;
    this.bytes = new Uint8Array(memory.buffer);
    this.halves = new Uint16Array(memory.buffer);
    this.words = new Int32Array(memory.buffer);
    this.decoder = new Decoder(this.halves, this.words);
  }

  /** See to it that the frame at byte `frame` has a decoded page. */
  ensure(frame: number): void {
    if (this.words[this.map + (frame >>> PAGE_SHIFT)] !== 0) return;
    const number = this.next;
    this.next = (number + 1) % DECODED_PAGE_COUNT;
    if (number < this.used) this.drop(number);
    else this.lay(number);
    this.used = Math.max(this.used, number + 1);
    this.frames[number] = frame;
    this.words[this.map + (frame >>> PAGE_SHIFT)] = this.pages + number * DECODED_PAGE_BYTES;
  }

  /**
   * Decode at the undecoded record at byte `record`. Returns false where that can't be: its page has lost its frame,
   * and the pc has to be looked up anew.
   */
  decodeAt(record: number): boolean {
    const number = this.numberOf(record);
    const slot = this.slotOf(record, number);
    if (this.frames[number] === NO_FRAME || slot >= SLOTS) return false;
    this.decoder.decodeRun(this.pages + number * DECODED_PAGE_BYTES, this.frames[number], slot);
    return true;
  }

  /**
   * Decode the instruction that begins at `record`, the last of its page, and ends in the frame at byte `other`.
   * Returns whether that was possible, as `decodeAt`.
   */
  decodeStraddle(record: number, other: number): boolean {
    const number = this.numberOf(record);
    const frame = this.frames[number];
    if (frame === NO_FRAME) return false;
    const word = (this.halves[(frame + PAGE_SIZE - 2) >>> 1] | (this.halves[other >>> 1] << 16)) >>> 0;
    const copy = this.pages + number * DECODED_PAGE_BYTES + STRADDLE_SLOT * RECORD_BYTES;
    this.decoder.decode(copy, word, 4, -1);
    this.setOther(number, other);
    this.words[(record + RECORD_IMM) >>> 2] = other;
    return true;
  }

  /** Forget what was decoded from the frame at byte `frame`. Cheap where nothing was. */
  invalidateFrame(frame: number): void {
    const page = this.words[this.map + (frame >>> PAGE_SHIFT)];
    if (page !== 0) this.drop(this.numberOf(page));
    if (this.straddlers.size === 0 || !this.straddlers.has(frame)) return;
    for (let number = 0; number < this.used; number++)
      if (this.otherFrames[number] === frame) this.drop(number);
  }

  invalidateAll(): void {
    for (let number = 0; number < this.used; number++)
      if (this.frames[number] !== NO_FRAME) this.drop(number);
  }

  /** Take the page from its frame and zero its records. */
  private drop(number: number): void {
    const frame = this.frames[number];
    if (frame !== NO_FRAME) this.words[this.map + (frame >>> PAGE_SHIFT)] = 0;
    this.frames[number] = NO_FRAME;
    this.setOther(number, NO_FRAME);
    const page = this.pages + number * DECODED_PAGE_BYTES;
    this.bytes.fill(0, page, page + DECODED_PAGE_BYTES);
    this.lay(number);
  }

  /** Where control leaves the page at its end. */
  private lay(number: number): void {
    const page = this.pages + number * DECODED_PAGE_BYTES;
    this.halves[(page + SLOTS * RECORD_BYTES + RECORD_OP) >>> 1] = OP_NEXT_PAGE;
    this.halves[(page + (STRADDLE_SLOT + 2) * RECORD_BYTES + RECORD_OP) >>> 1] = OP_NEXT_PAGE;
  }

  private setOther(number: number, frame: number): void {
    const before = this.otherFrames[number];
    if (before === frame) return;
    if (before !== NO_FRAME) {
      const count = (this.straddlers.get(before) ?? 0) - 1;
      if (count === 0) this.straddlers.delete(before);
      else this.straddlers.set(before, count);
    }
    if (frame !== NO_FRAME) this.straddlers.set(frame, (this.straddlers.get(frame) ?? 0) + 1);
    this.otherFrames[number] = frame;
  }

  private numberOf(record: number): number {
    return Math.floor((record - this.pages) / DECODED_PAGE_BYTES);
  }

  private slotOf(record: number, number: number): number {
    return (record - this.pages - number * DECODED_PAGE_BYTES) / RECORD_BYTES;
  }
}
