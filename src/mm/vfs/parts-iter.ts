/** Pieces of memory of the kernel's own as source or destination of a read or write (ITER_BVEC): what a pipe holds, say. */
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import type { IovIter } from "./iov-iter.ts";

export class PartsIter implements IovIter {
  readonly #ram: Uint8Array;
  readonly #parts: readonly Uint8Array[];
  readonly #total: number;
  #done = 0;

  /** @param parts filled or taken from in order; they may lie in RAM themselves */
  constructor(phys: PhysicalMemory, parts: readonly Uint8Array[]) {
    this.#ram = phys.ram.u8;
    this.#parts = parts;
    this.#total = parts.reduce((sum, part) => sum + part.length, 0);
  }

  get count(): number {
    return this.#total - this.#done;
  }

  copyToIter(ram: number, n: number): number {
    return this.#each(n, (part, done) => part.set(this.#ram.subarray(ram + done, ram + done + part.length)));
  }

  copyFromIter(ram: number, n: number): number {
    return this.#each(n, (part, done) => this.#ram.set(part, ram + done));
  }

  zeroIter(n: number): number {
    return this.#each(n, (part) => part.fill(0));
  }

  copyBytesToIter(bytes: Uint8Array): number {
    return this.#each(bytes.length, (part, done) => part.set(bytes.subarray(done, done + part.length)));
  }

  copyBytesFromIter(bytes: Uint8Array): number {
    return this.#each(bytes.length, (part, done) => bytes.set(part, done));
  }

  revert(n: number): void {
    this.#done -= n;
  }

  /** Calls `copy(part, done)` for the pieces of the next n bytes, `done` bytes behind their begin. Bytes covered. */
  #each(n: number, copy: (part: Uint8Array, done: number) => void): number {
    const want = Math.min(n, this.count);
    let before = 0;
    let done = 0;
    for (const part of this.#parts) {
      const from = this.#done + done - before;
      before += part.length;
      if (from >= part.length) continue;
      if (done === want) break;
      const piece = part.subarray(from, Math.min(part.length, from + want - done));
      copy(piece, done);
      done += piece.length;
    }
    this.#done += done;
    return done;
  }
}
