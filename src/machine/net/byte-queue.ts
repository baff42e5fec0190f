/** Bytes in the order in which they came, in pieces as they came. */
export class ByteQueue {
  readonly #pieces: Uint8Array[] = [];
  /** Bytes of the first piece that are gone. */
  #start = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The bytes are the queue's from now on. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#pieces.push(bytes);
    this.#length += bytes.length;
  }

  /** Up to `max` bytes that lie together, from byte `at` on; empty at the end. */
  peek(at: number, max: number): Uint8Array {
    let skip = at + this.#start;
    for (const piece of this.#pieces) {
      if (skip < piece.length) return piece.subarray(skip, skip + max);
      skip -= piece.length;
    }
    return new Uint8Array(0);
  }

  /** Takes the next n bytes away. Precondition: so many are there. */
  consume(n: number): void {
    this.#length -= n;
    this.#start += n;
    while (this.#pieces.length > 0 && this.#start >= this.#pieces[0].length) {
      this.#start -= this.#pieces[0].length;
      this.#pieces.shift();
    }
  }

  clear(): void {
    this.#pieces.length = 0;
    this.#start = 0;
    this.#length = 0;
  }
}
