/**
 * The queue of a swap device that takes its time, as far as it can be seen from memory: when what was handed over is done.
 *
 * ```
 *   write, read ─▶ [ plug ] ──flush──▶ [ in flight, in the order in which it ends ] ──time──▶ takeDone, endOfReads
 *                   neighbours on the device become one request
 * ```
 *
 * Who writes or reads many pages in a row holds them back for a moment (blk_start_plug), so that neighbours reach the
 * device as one request. The plug is let go when its owner has no more or is about to wait; and when a request is to be
 * added and the first of it is large already, or there are many (blk_add_rq_to_plug). So it does not take much to hold a
 * lot back: where readahead has put a page into the plug and needs memory for the next one, what reclaim writes meanwhile
 * stays behind that small request, up to 32 of the largest, and reclaim finds nothing to free.
 *
 * A device transfers one request after the other, and tells of its end after its latency; the pages of a request are done
 * together. A page's bytes are taken when it is handed over, and what went wrong is known from then on, but nobody is told
 * before the end. Who changes the page in between makes it dirty, and it is written again.
 *
 * Owner: the area (swap-info.ts). Invariant: a page is to be written here iff it has PG_WRITEBACK and a slot of this area.
 */
import { BugError } from "../bug.ts";
import { PAGE_SIZE, type Pfn } from "../page.ts";
import type { SwapTiming } from "./swap-device.ts";

/** Nothing is added behind a first request of so many pages, nor behind so many requests. */
const PLUG_FLUSH_PAGES = 32;
const PLUG_MAX_REQUESTS = 32;
/** Pages of the largest request: so many segments does a virtio disk take. */
const MAX_REQUEST_PAGES = 254;

export class DeviceQueue {
  readonly #latencyNs: number;
  readonly #pageNs: number;
  /** Pages to be written, in a ring with the oldest at `#head`: frame, how writing ended, and when. Infinity: in the plug. */
  #pfns: Int32Array = new Int32Array(64);
  #errors: Int32Array = new Int32Array(64);
  #endNs: Float64Array = new Float64Array(64);
  #head = 0;
  #count = 0;
  /** Pages of each request in the plug, negative for reads; how many they are; and the slot behind the last one. */
  readonly #plug: Int32Array = new Int32Array(PLUG_MAX_REQUESTS);
  #requests = 0;
  #nextSlot = 0;
  /** Pages to be written that are in the plug. */
  #plugged = 0;
  /** When the device has transferred all that it was given, and when the last page that was asked for is there. */
  #busyUntilNs = 0;
  #readEndNs = 0;
  /** Of the page that takeDone has taken last: how writing it ended, 0 or a negative errno. */
  lastError = 0;

  constructor({ latencyNs, bytesPerSecond }: SwapTiming) {
    // Whole numbers, so that sums of them are exact.
    this.#latencyNs = Math.ceil(latencyNs);
    this.#pageNs = Math.ceil((PAGE_SIZE * 1e9) / bytesPerSecond);
  }

  /** Pages that are not written yet. */
  get size(): number {
    return this.#count;
  }

  /** A page is to be written to `slot`; `error` is what the device will say at the end. */
  write(pfn: Pfn, slot: number, error: number, nowNs: number): void {
    this.#add(slot, 1, nowNs);
    if (this.#count === this.#pfns.length) this.#grow();
    const at = this.#at(this.#count++);
    this.#pfns[at] = pfn;
    this.#errors[at] = error;
    this.#endNs[at] = Number.POSITIVE_INFINITY;
    this.#plugged++;
  }

  /** A page is read from `slot`. Its bytes are there already; who needs them waits for endOfReads. */
  read(slot: number, nowNs: number): void {
    this.#add(slot, -1, nowNs);
  }

  /** Hands over what was held back (blk_flush_plug). */
  flush(nowNs: number): void {
    let nr = this.#count - this.#plugged;
    for (let request = 0; request < this.#requests; request++) {
      const pages = this.#plug[request];
      this.#busyUntilNs = Math.max(this.#busyUntilNs, nowNs) + Math.abs(pages) * this.#pageNs;
      const endNs = this.#busyUntilNs + this.#latencyNs;
      if (pages < 0) this.#readEndNs = endNs;
      for (let left = pages; left > 0; left--) this.#endNs[this.#at(nr++)] = endNs;
    }
    this.#plugged = 0;
    this.#requests = 0;
  }

  /** Takes the oldest page out, if it is written at `nowNs`: it, and in `lastError` how that ended; 0 for none. */
  takeDone(nowNs: number): Pfn {
    const at = this.#head;
    if (this.#count === 0 || this.#endNs[at] > nowNs) return 0;
    this.#head = (at + 1) % this.#pfns.length;
    this.#count--;
    this.lastError = this.#errors[at];
    return this.#pfns[at];
  }

  /** When the page will be written. Hands over what was held back: who asks is going to wait. */
  endOf(pfn: Pfn, nowNs: number): number {
    this.flush(nowNs);
    for (let nr = 0; nr < this.#count; nr++) {
      const at = this.#at(nr);
      if (this.#pfns[at] === pfn) return this.#endNs[at];
    }
    throw new BugError("endOf", `frame ${pfn} is not being written`);
  }

  /** When so many pages more will be written, or all that there are. */
  endOfNext(pages: number, nowNs: number): number {
    this.flush(nowNs);
    return this.#count === 0 ? nowNs : this.#endNs[this.#at(Math.min(pages, this.#count) - 1)];
  }

  /** When all pages that were asked for are there. */
  endOfReads(nowNs: number): number {
    this.flush(nowNs);
    return this.#readEndNs;
  }

  /** Each page that is not written yet: for the validator. */
  forEach(visit: (pfn: Pfn) => void): void {
    for (let nr = 0; nr < this.#count; nr++) visit(this.#pfns[this.#at(nr)]);
  }

  /** One more page of the last request, or of a new one. @param page 1 to write, −1 to read */
  #add(slot: number, page: number, nowNs: number): void {
    const last = this.#requests === 0 ? 0 : this.#plug[this.#requests - 1];
    if (last * page > 0 && slot === this.#nextSlot && Math.abs(last) < MAX_REQUEST_PAGES) {
      this.#plug[this.#requests - 1] += page;
    } else {
      const isFull = this.#requests === PLUG_MAX_REQUESTS || Math.abs(this.#plug[0]) >= PLUG_FLUSH_PAGES;
      if (this.#requests > 0 && isFull) this.flush(nowNs);
      this.#plug[this.#requests++] = page;
    }
    this.#nextSlot = slot + 1;
  }

  #at(nr: number): number {
    return (this.#head + nr) % this.#pfns.length;
  }

  #grow(): void {
    const size = this.#pfns.length;
    const pfns = new Int32Array(2 * size);
    const errors = new Int32Array(2 * size);
    const endNs = new Float64Array(2 * size);
    for (let nr = 0; nr < this.#count; nr++) {
      const at = this.#at(nr);
      pfns[nr] = this.#pfns[at];
      errors[nr] = this.#errors[at];
      endNs[nr] = this.#endNs[at];
    }
    this.#pfns = pfns;
    this.#errors = errors;
    this.#endNs = endNs;
    this.#head = 0;
  }
}
