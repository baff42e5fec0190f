/**
 * The buddy allocator (mm/page_alloc.c): free memory as blocks of 2^order frames, order 0–10.
 *
 * A block of order k starts at a frame number divisible by 2^k. Its buddy is the block whose number differs in bit k
 * alone: two free buddies of one order are one block of the next. Allocation takes the smallest block that is large
 * enough and halves it, giving the upper halves back; freeing merges with the buddy as long as that is free, too.
 *
 * Invariants: a free block's first frame has PG_BUDDY, its order in `priv`, and stands in that order's list; no two
 * free buddies of one order exist below the largest order; `freeFrames` is the sum over all lists.
 */
import { BugError } from "../bug.ts";
import type { Pfn } from "../page.ts";
import { PG_BUDDY } from "./page-flags.ts";
import type { PageFrames } from "./page-frames.ts";

export const MAX_PAGE_ORDER = 10;
const NIL = -1;

export class Buddy {
  /** Frames in free blocks. */
  freeFrames = 0;
  /** First frame of the first free block of each order, −1 for none. */
  readonly #heads: Int32Array = new Int32Array(MAX_PAGE_ORDER + 1).fill(NIL);
  readonly #freeBlocks: Int32Array = new Int32Array(MAX_PAGE_ORDER + 1);
  readonly #frames: PageFrames;
  readonly #first: Pfn;
  readonly #end: Pfn;

  constructor(frames: PageFrames, first: Pfn, end: Pfn) {
    this.#frames = frames;
    this.#first = first;
    this.#end = end;
    // From the top, so that the lists hand out low frames first.
    let pfn: number = end;
    while (pfn > first) {
      let order = MAX_PAGE_ORDER;
      while (order > 0 && (pfn % (1 << order) !== 0 || pfn - (1 << order) < first)) order--;
      pfn -= 1 << order;
      this.#push(pfn, order);
      this.freeFrames += 1 << order;
    }
  }

  /** First frame of a block of 2^order frames, or 0 when there is none. */
  alloc(order: number): Pfn {
    let from = order;
    while (from <= MAX_PAGE_ORDER && this.#heads[from] === NIL) from++;
    if (from > MAX_PAGE_ORDER) return 0;
    const pfn = this.#heads[from];
    this.#remove(pfn, from);
    while (from > order) {
      from--;
      this.#push(pfn + (1 << from), from);
    }
    this.freeFrames -= 1 << order;
    return pfn;
  }

  /** Gives back the block of 2^order frames that starts at `pfn`. */
  free(pfn: Pfn, order: number): void {
    const flags = this.#frames.flags;
    if ((flags[pfn] & PG_BUDDY) !== 0) throw new BugError("Buddy.free", `frame ${pfn} is free already`);
    this.freeFrames += 1 << order;
    let block: number = pfn;
    let size = order;
    while (size < MAX_PAGE_ORDER) {
      const buddy = block ^ (1 << size);
      if (buddy < this.#first || buddy + (1 << size) > this.#end) break;
      if ((flags[buddy] & PG_BUDDY) === 0 || this.#frames.priv[buddy] !== size) break;
      this.#remove(buddy, size);
      block = Math.min(block, buddy);
      size++;
    }
    this.#push(block, size);
  }

  /** Free blocks of each order, as /proc/buddyinfo counts them. */
  freeBlocks(): number[] {
    return [...this.#freeBlocks];
  }

  /** Walks every free block: for the validator. */
  forEachFree(visit: (pfn: Pfn, order: number) => void): void {
    for (let order = 0; order <= MAX_PAGE_ORDER; order++) {
      for (let pfn = this.#heads[order]; pfn !== NIL; pfn = this.#frames.lruNext[pfn]) visit(pfn, order);
    }
  }

  #push(pfn: number, order: number): void {
    const { flags, priv, lruNext, lruPrev } = this.#frames;
    flags[pfn] |= PG_BUDDY;
    priv[pfn] = order;
    const head = this.#heads[order];
    lruNext[pfn] = head;
    lruPrev[pfn] = NIL;
    if (head !== NIL) lruPrev[head] = pfn;
    this.#heads[order] = pfn;
    this.#freeBlocks[order]++;
  }

  #remove(pfn: number, order: number): void {
    const { flags, priv, lruNext, lruPrev } = this.#frames;
    const next = lruNext[pfn];
    const prev = lruPrev[pfn];
    if (prev === NIL) this.#heads[order] = next;
    else lruNext[prev] = next;
    if (next !== NIL) lruPrev[next] = prev;
    flags[pfn] &= ~PG_BUDDY;
    priv[pfn] = 0;
    this.#freeBlocks[order]--;
  }
}
