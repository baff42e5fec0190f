/**
 * Bytes in the order in which they came, whatever pieces they came in (the receive queue of a stream).
 *
 * ```
 *   chunks   [····######][##########][####······]      a new chunk only where the last one is full, so that a million sends
 *             start                        end         of a byte each take as much as one of a million
 * ```
 *
 * Chunks are counted as network memory, whole; the first of their bytes are paid for with the socket.
 */
import { FREE_BYTES, type NetworkMemory } from "./network-memory.ts";

const MIN_CHUNK = 512;
const MAX_CHUNK = 65536;

export class ByteQueue {
  readonly #memory: NetworkMemory;
  readonly #chunks: Uint8Array[] = [];
  /** Bytes of the first chunk that are gone, and of the last one that are taken. */
  #start = 0;
  #end = 0;
  #length = 0;
  /** Bytes of all chunks. */
  #total = 0;

  constructor(memory: NetworkMemory) {
    this.#memory = memory;
  }

  get length(): number {
    return this.#length;
  }

  /** A place for up to `max` bytes at the end, which are there once `commit` says so; undefined where memory is out. */
  space(max: number): Uint8Array | undefined {
    const last = this.#chunks.at(-1);
    if (last !== undefined && this.#end < last.length) return last.subarray(this.#end, this.#end + max);
    const size = Math.min(MAX_CHUNK, Math.max(MIN_CHUNK, max, this.#length));
    const chunk = this.#newChunk(size);
    if (chunk === undefined) return undefined;
    this.#chunks.push(chunk);
    this.#end = 0;
    return chunk.subarray(0, max);
  }

  #newChunk(size: number): Uint8Array | undefined {
    if (this.#resize(this.#total + size)) return new Uint8Array(size);
    return this.#resize(this.#total + FREE_BYTES) ? new Uint8Array(FREE_BYTES) : undefined;
  }

  /** The chunks take so many bytes from now on; false where memory is out. */
  #resize(total: number): boolean {
    const more = Math.max(0, total - FREE_BYTES) - Math.max(0, this.#total - FREE_BYTES);
    if (more > 0 && !this.#memory.charge(more)) return false;
    if (more < 0) this.#memory.uncharge(-more);
    this.#total = total;
    return true;
  }

  /** The first n bytes of the place given last are bytes of the queue now. Precondition: it was not cleared since. */
  commit(n: number): void {
    this.#end += n;
    this.#length += n;
  }

  /** Appends bytes, all of them or, where memory is out, as many as there is room for. How many. */
  push(bytes: Uint8Array): number {
    let done = 0;
    while (done < bytes.length) {
      const space = this.space(bytes.length - done);
      if (space === undefined) break;
      space.set(bytes.subarray(done, done + space.length));
      this.commit(space.length);
      done += space.length;
    }
    return done;
  }

  /** Up to `max` bytes that lie together, from byte `at` on; empty at the end. */
  peek(at: number, max: number): Uint8Array {
    const wanted = Math.min(max, this.#length - at);
    let skip = at + this.#start;
    for (const chunk of this.#chunks) {
      if (skip < chunk.length) return chunk.subarray(skip, Math.min(chunk.length, skip + wanted));
      skip -= chunk.length;
    }
    return new Uint8Array(0);
  }

  /** Takes the next n bytes away. Precondition: so many are there. */
  consume(n: number): void {
    this.#length -= n;
    this.#start += n;
    if (this.#length === 0 && (this.#chunks.length > 1 || this.#total > FREE_BYTES)) this.clear();
    if (this.#length === 0) {
      // One small chunk stays for what comes next.
      this.#start = 0;
      this.#end = 0;
      return;
    }
    while (this.#start >= this.#chunks[0].length) {
      this.#start -= this.#chunks[0].length;
      this.#drop();
    }
  }

  #drop(): void {
    const chunk = this.#chunks.shift();
    this.#resize(this.#total - (chunk?.length ?? 0));
  }

  clear(): void {
    this.#chunks.length = 0;
    this.#resize(0);
    this.#start = 0;
    this.#end = 0;
    this.#length = 0;
  }
}
