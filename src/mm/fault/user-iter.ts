/** User memory as the source or destination of a read or write: the segments of a readv, or one buffer. */
import { PAGE_SIZE, pageAlignDown, type Vaddr } from "../page.ts";
import { setPageDirty } from "../rmap/page-dirty.ts";
import type { IovIter } from "../vfs/iov-iter.ts";
import type { FaultingTask } from "./faulting-task.ts";
import type { KernelMode, Mmu } from "./mmu.ts";
import { pinUserPagesFast } from "./pin-user-pages.ts";
import {
  clearUser,
  copyFromUser,
  copyRamToUser,
  copyToUser,
  copyUserToRam,
  faultInReadable,
} from "./uaccess.ts";

export interface UserSegment {
  readonly base: Vaddr;
  readonly len: number;
}

/** Pages that are held at a time. */
const BATCH_PAGES = 16;

export class UserIter implements IovIter {
  readonly #mmu: Mmu;
  readonly #task: FaultingTask;
  readonly #segments: readonly UserSegment[];
  readonly #total: number;
  #done = 0;
  /** The segment that `#done` lies in, and the bytes in the segments before it. */
  #segment = 0;
  #before = 0;
  /** Up to here it is a device that the bytes move from and to. */
  #pinned = 0;

  constructor(mmu: Mmu, task: FaultingTask, segments: readonly UserSegment[]) {
    this.#mmu = mmu;
    this.#task = task;
    this.#segments = segments;
    this.#total = segments.reduce((sum, segment) => sum + segment.len, 0);
  }

  get isOutside(): boolean {
    const { taskSize } = this.#task.mm.arch;
    return this.#segments.some(({ base, len }) => base + len > taskSize);
  }

  segmentsAlign(n: number, length: number): boolean {
    const [from, to] = [this.#done, this.#done + length];
    let start = 0;
    return this.#segments.every(({ len }) => {
      const part = Math.min(start + len, to) - Math.max(start, from);
      start += len;
      return part <= 0 || part % n === 0;
    });
  }

  pin(length: number, write: boolean): number {
    const pinned = this.#advance(length, (addr, _done, len) => {
      const first = pageAlignDown(addr);
      const pages = Math.ceil((addr + len - first) / PAGE_SIZE);
      const good = this.#pinBriefly(first, pages, write);
      return good === pages ? len : Math.max(0, first + good * PAGE_SIZE - addr);
    });
    this.#pinned = this.#done;
    this.revert(pinned);
    return pinned;
  }

  /**
   * How many of the pages can be had, from the first on. They are held a batch at a time: a buffer may be larger than RAM, and
   * what is held can't go to swap.
   */
  #pinBriefly(first: Vaddr, pages: number, write: boolean): number {
    const { phys } = this.#mmu;
    for (let good = 0; good < pages; ) {
      const count = Math.min(BATCH_PAGES, pages - good);
      const pfns = pinUserPagesFast(this.#mmu, this.#task, first + good * PAGE_SIZE, count, write);
      for (const pfn of pfns) {
        // No page table is told of what storage writes (bio_set_pages_dirty).
        if (write) setPageDirty(phys, pfn);
        phys.putPage(pfn);
      }
      // After some it is asked again: the first page that is not there has ended the fast way for those behind it, too.
      if (pfns.length === 0) return good;
      good += pfns.length;
    }
    return pages;
  }

  get count(): number {
    return this.#total - this.#done;
  }

  get #mode(): KernelMode {
    return this.#done < this.#pinned ? "device" : "kernel";
  }

  copyToIter(ram: number, n: number): number {
    return this.#advance(n, (addr, done, len) =>
      copyRamToUser(this.#mmu, this.#task, addr, ram + done, len, this.#mode),
    );
  }

  copyFromIter(ram: number, n: number): number {
    return this.#advance(n, (addr, done, len) =>
      copyUserToRam(this.#mmu, this.#task, addr, ram + done, len, this.#mode),
    );
  }

  copyFromIterAtomic(ram: number, n: number): number {
    return this.#advance(n, (addr, done, len) =>
      copyUserToRam(this.#mmu, this.#task, addr, ram + done, len, "atomic"),
    );
  }

  faultInReadable(n: number): number {
    const good = this.#advance(n, (addr, _done, len) => faultInReadable(this.#mmu, this.#task, addr, len));
    this.revert(good);
    return good;
  }

  zeroIter(n: number): number {
    return this.#advance(n, (addr, _done, len) => clearUser(this.#mmu, this.#task, addr, len));
  }

  copyBytesToIter(bytes: Uint8Array): number {
    return this.#advance(bytes.length, (addr, done, len) =>
      copyToUser(this.#mmu, this.#task, addr, bytes, done, len),
    );
  }

  copyBytesFromIter(bytes: Uint8Array): number {
    return this.#advance(bytes.length, (addr, done, len) =>
      copyFromUser(this.#mmu, this.#task, addr, bytes, done, len),
    );
  }

  revert(n: number): void {
    this.#done -= n;
    this.#segment = 0;
    this.#before = 0;
    this.#seek();
  }

  /**
   * Runs `copy(address, done, length)` over the next n bytes, segment by segment, until one falls short. Who is to die gets
   * nothing more, so that a call which moves gigabytes a page at a time ends.
   */
  #advance(n: number, copy: (addr: Vaddr, done: number, len: number) => number): number {
    const want = this.#mmu.phys.fatalSignalPending() ? 0 : Math.min(n, this.count);
    let done = 0;
    while (done < want) {
      this.#seek();
      const segment = this.#segments[this.#segment];
      const offset = this.#done - this.#before;
      const len = Math.min(segment.len - offset, want - done);
      const copied = copy(segment.base + offset, done, len);
      done += copied;
      this.#done += copied;
      if (copied < len) break;
    }
    return done;
  }

  #seek(): void {
    while (
      this.#segment < this.#segments.length - 1 &&
      this.#done >= this.#before + this.#segments[this.#segment].len
    ) {
      this.#before += this.#segments[this.#segment].len;
      this.#segment++;
    }
  }
}
