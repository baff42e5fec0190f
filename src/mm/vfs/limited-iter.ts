/** A source or destination cut short (iov_iter_truncate): at most `limit` of its bytes are seen. */
import type { IovIter } from "./iov-iter.ts";

export class LimitedIter implements IovIter {
  readonly #inner: IovIter;
  #left: number;

  constructor(inner: IovIter, limit: number) {
    this.#inner = inner;
    this.#left = Math.min(limit, inner.count);
  }

  get count(): number {
    return this.#left;
  }

  segmentsAlign(n: number, length: number): boolean {
    return this.#inner.segmentsAlign?.(n, length) ?? true;
  }

  pin(length: number, write: boolean): number {
    return this.#inner.pin?.(length, write) ?? length;
  }

  copyToIter(ram: number, n: number): number {
    return this.#took(this.#inner.copyToIter(ram, Math.min(n, this.#left)));
  }

  copyFromIter(ram: number, n: number): number {
    return this.#took(this.#inner.copyFromIter(ram, Math.min(n, this.#left)));
  }

  copyFromIterAtomic(ram: number, n: number): number {
    const wanted = Math.min(n, this.#left);
    return this.#took(this.#inner.copyFromIterAtomic?.(ram, wanted) ?? this.#inner.copyFromIter(ram, wanted));
  }

  faultInReadable(n: number): number {
    return this.#inner.faultInReadable?.(n) ?? n;
  }

  zeroIter(n: number): number {
    return this.#took(this.#inner.zeroIter(Math.min(n, this.#left)));
  }

  copyBytesToIter(bytes: Uint8Array): number {
    return this.#took(this.#inner.copyBytesToIter(this.#cut(bytes)));
  }

  copyBytesFromIter(bytes: Uint8Array): number {
    return this.#took(this.#inner.copyBytesFromIter(this.#cut(bytes)));
  }

  revert(n: number): void {
    this.#inner.revert(n);
    this.#left += n;
  }

  #cut(bytes: Uint8Array): Uint8Array {
    return bytes.length > this.#left ? bytes.subarray(0, this.#left) : bytes;
  }

  #took(n: number): number {
    this.#left -= n;
    return n;
  }
}
