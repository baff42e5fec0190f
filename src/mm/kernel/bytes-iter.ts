/** A byte array of the library's as source or destination of a read or write. */
import type { IovIter } from "../vfs/iov-iter.ts";

export class BytesIter implements IovIter {
  readonly #ram: Uint8Array;
  readonly #bytes: Uint8Array;
  #done = 0;

  /** @param ram all of RAM; @param bytes what is filled or taken from, in order */
  constructor(ram: Uint8Array, bytes: Uint8Array) {
    this.#ram = ram;
    this.#bytes = bytes;
  }

  get count(): number {
    return this.#bytes.length - this.#done;
  }

  copyToIter(ram: number, n: number): number {
    const len = Math.min(n, this.count);
    this.#bytes.set(this.#ram.subarray(ram, ram + len), this.#done);
    this.#done += len;
    return len;
  }

  copyFromIter(ram: number, n: number): number {
    const len = Math.min(n, this.count);
    this.#ram.set(this.#bytes.subarray(this.#done, this.#done + len), ram);
    this.#done += len;
    return len;
  }

  zeroIter(n: number): number {
    const len = Math.min(n, this.count);
    this.#bytes.fill(0, this.#done, this.#done + len);
    this.#done += len;
    return len;
  }

  copyBytesToIter(bytes: Uint8Array): number {
    const len = Math.min(bytes.length, this.count);
    this.#bytes.set(bytes.subarray(0, len), this.#done);
    this.#done += len;
    return len;
  }

  copyBytesFromIter(bytes: Uint8Array): number {
    const len = Math.min(bytes.length, this.count);
    bytes.set(this.#bytes.subarray(this.#done, this.#done + len));
    this.#done += len;
    return len;
  }

  revert(n: number): void {
    this.#done -= n;
  }
}
