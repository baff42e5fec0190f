import {
  TLB_ENTRIES,
  TLB_ENTRY_BYTES,
  TLB_FRAME,
  TLB_READ_TAG,
  TLB_WRITE_TAG,
} from "../../mm/frames/tlb-layout.ts";
import { PAGE_OFFSET_MASK, PAGE_SHIFT, PAGE_SIZE } from "../../mm/page.ts";
import type { Access } from "../../mm/pagetable/access.ts";
import { ACCESS_WRITE } from "../../mm/pagetable/access.ts";
import { firstOf, OP_STEP_END } from "./handlers.ts";
import { ACCESS_ADDRESS, BIAS, BOUNCE, BOUNCE_TLB, RECORD, RECORD_BYTES, RECORD_OP, STEP } from "./layout.ts";
import { EXIT_STEPPED } from "./stop.ts";

/**
 * Loads and stores that cross a page.
 *
 * The two pages may be anywhere in RAM and each may fault, so both are translated before anything is done. Then the
 * instruction itself runs, unchanged, on a few bytes that stand in for them: its record is copied to a place where
 * nothing follows it, and a TLB with one made-up entry maps the access to the bounce bytes. So there is one meaning of
 * each load and store, here too.
 */

/** Executes at the saved record with a TLB; the interpreter. */
type Step = (tlb: number, left: number, resume: number) => number;
/** As hart.ts's Translate, for the address of 64 bits in halves. */
type TranslateAt = (low: number, high: number, access: Access) => number;

export const DONE = 0;
export const FIRST_REFUSED = 1;
const SECOND_REFUSED = 2;
export type Crossed = typeof DONE | typeof FIRST_REFUSED | typeof SECOND_REFUSED;

export class PageCrossing {
  private readonly base: number;
  private readonly bytes: Uint8Array;
  private readonly words: Int32Array;
  private readonly halves: Uint16Array;

  constructor(memory: WebAssembly.Memory, base: number) {
    this.base = base;
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Int32Array(memory.buffer);
    this.halves = new Uint16Array(memory.buffer);
    this.words.fill(-1, (base + BOUNCE_TLB) >>> 2, (base + BOUNCE_TLB + TLB_ENTRIES * TLB_ENTRY_BYTES) >>> 2);
    this.halves[(base + STEP + RECORD_BYTES + RECORD_OP) >>> 1] = OP_STEP_END;
    this.halves[(base + STEP + 2 * RECORD_BYTES + RECORD_OP) >>> 1] = OP_STEP_END;
  }

  /**
   * Execute the instruction at the saved record, whose access to `size` bytes at the saved address crosses a page, and
   * move on to the next record. Returns DONE, or which of the pages was refused; then nothing has been done.
   */
  execute(tlb: number, access: Access, size: number, translate: TranslateAt, step: Step): Crossed {
    const { base, words } = this;
    const low = words[(base + ACCESS_ADDRESS) >>> 2];
    const high = words[(base + ACCESS_ADDRESS + 4) >>> 2];
    const inFirst = PAGE_SIZE - (low & PAGE_OFFSET_MASK);
    const secondLow = (low + inFirst) | 0;
    const secondHigh = secondLow === 0 ? (high + 1) | 0 : high;

    // Finding the second page may take the first one away again, so look whether its entry still stands.
    let first: number;
    let second: number;
    do {
      first = translate(low, high, access);
      if (first === -1) return FIRST_REFUSED;
      second = translate(secondLow, secondHigh, access);
      if (second === -1) return SECOND_REFUSED;
    } while (!this.holds(tlb, low, high, access, first));

    if (access !== ACCESS_WRITE) this.move(first >>> 0, second >>> 0, low, inFirst, size, /* out: */ false);
    this.runOnBounce(secondLow, secondHigh, low, access, step);
    if (access === ACCESS_WRITE) this.move(first >>> 0, second >>> 0, low, inFirst, size, /* out: */ true);
    return DONE;
  }

  private entryOf(tlb: number, low: number): number {
    return (tlb + ((low >>> PAGE_SHIFT) % TLB_ENTRIES) * TLB_ENTRY_BYTES) >>> 2;
  }

  private holds(tlb: number, low: number, high: number, access: Access, frame: number): boolean {
    const entry = this.entryOf(tlb, low);
    const tag = entry + ((access === ACCESS_WRITE ? TLB_WRITE_TAG : TLB_READ_TAG) >>> 2);
    const { words } = this;
    return (
      words[tag] === (low & ~PAGE_OFFSET_MASK) &&
      words[tag + 1] === high &&
      words[entry + (TLB_FRAME >>> 2)] === frame
    );
  }

  /** Between the bounce bytes and the two pages. */
  private move(
    first: number,
    second: number,
    low: number,
    inFirst: number,
    size: number,
    out: boolean,
  ): void {
    const { bytes } = this;
    const bounce = this.base + BOUNCE;
    for (let i = 0; i < size; i++) {
      const at = i < inFirst ? first + (low & PAGE_OFFSET_MASK) + i : second + i - inFirst;
      if (out) bytes[at] = bytes[bounce + i];
      else bytes[bounce + i] = bytes[at];
    }
  }

  private runOnBounce(pageLow: number, pageHigh: number, low: number, access: Access, step: Step): void {
    const { base, words, bytes } = this;
    // The entry is that of the first page; its tag is what the access's last byte is compared with: the second page.
    const entry = this.entryOf(base + BOUNCE_TLB, low);
    const tag = entry + ((access === ACCESS_WRITE ? TLB_WRITE_TAG : TLB_READ_TAG) >>> 2);
    words[tag] = pageLow;
    words[tag + 1] = pageHigh;
    words[entry + (TLB_FRAME >>> 2)] = base + BOUNCE - (low & PAGE_OFFSET_MASK);

    const record = words[(base + RECORD) >>> 2];
    const copy = base + STEP;
    bytes.copyWithin(copy, record, record + RECORD_BYTES);
    const opAt = (copy + RECORD_OP) >>> 1;
    this.halves[opAt] = firstOf(this.halves[opAt]);
    // The bias belongs to the record's own place; loads and stores don't ask for the pc.
    const biasAt = (base + BIAS) >>> 2;
    const biasLow = words[biasAt];
    const biasHigh = words[biasAt + 1];
    words[(base + RECORD) >>> 2] = copy;
    const code = step(base + BOUNCE_TLB, 1, 1);
    if (code !== EXIT_STEPPED) throw new Error(`page crossing: stepping ended with exit ${code}`);
    words[(base + RECORD) >>> 2] += record - copy;
    words[biasAt] = biasLow;
    words[biasAt + 1] = biasHigh;
    words[tag] = -1;
    words[tag + 1] = -1;
  }
}
