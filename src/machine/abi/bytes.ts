/**
 * 64-bit numbers of a program as JavaScript numbers, in registers and in structures.
 *
 * A double is exact to 2^53, and every address and length that a program may use lies far below. What lies above is
 * always refused by the call that gets it, and must be refused with Linux's errno: so a conversion may lose low bits
 * there, but a huge value must stay huge, and one that is not page-aligned must not become so by rounding.
 */
import { PAGE_SIZE } from "../../mm/page.ts";
import { encodeName } from "../../mm/vfs/name-bytes.ts";

const TWO_32 = 2 ** 32;
/** High words from here on make a number of more than 53 bits. */
const HIGH_INEXACT = 2 ** 21;

/**
 * The unsigned value of two 32-bit halves. Below 2^53 it is exact. From there on the bits below the page size become 0
 * or PAGE_SIZE / 2, which every double up to 2^64 can hold, so that alignment survives, and so does value < 2^64.
 */
export function u64FromHalves(low: number, high: number): number {
  const upper = high >>> 0;
  const lower = low >>> 0;
  if (upper < HIGH_INEXACT) return upper * TWO_32 + lower;
  const inPage = lower % PAGE_SIZE;
  return upper * TWO_32 + (lower - inPage) + (inPage === 0 ? 0 : PAGE_SIZE / 2);
}

/** The signed value of two 32-bit halves; beyond ±2^53 the nearest double. */
export function s64FromHalves(low: number, high: number): number {
  return (high | 0) * TWO_32 + (low >>> 0);
}

/** The high half of an integer (negative or not) in two's complement. Its low half is `value >>> 0`. */
export function highHalf(value: number): number {
  return Math.floor(value / TWO_32) >>> 0;
}

/** The low half of an integer (negative or not) in two's complement. */
export function lowHalf(value: number): number {
  return value >>> 0;
}

/** A little-endian view of a structure's bytes. Fields are written at the offsets that the layout comments draw. */
export class StructView {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array | number) {
    this.bytes = typeof bytes === "number" ? new Uint8Array(bytes) : bytes;
    this.#view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  }

  u16(at: number): number {
    return this.#view.getUint16(at, true);
  }
  s32(at: number): number {
    return this.#view.getInt32(at, true);
  }
  u32(at: number): number {
    return this.#view.getUint32(at, true);
  }
  /** Unsigned 64 bits, see u64FromHalves. */
  u64(at: number): number {
    return u64FromHalves(this.u32(at), this.u32(at + 4));
  }
  /** Signed 64 bits. */
  s64(at: number): number {
    return s64FromHalves(this.u32(at), this.u32(at + 4));
  }
  /** The same, exact: for what may have any 64 bits and is not often asked for. */
  big64(at: number): bigint {
    return this.#view.getBigInt64(at, true);
  }

  put8(at: number, value: number): this {
    this.bytes[at] = value;
    return this;
  }
  put16(at: number, value: number): this {
    this.#view.setUint16(at, value, true);
    return this;
  }
  put32(at: number, value: number): this {
    this.#view.setInt32(at, value, true);
    return this;
  }
  /** An integer, negative or not; Infinity becomes all ones (RLIM_INFINITY). */
  put64(at: number, value: number): this {
    if (value === Number.POSITIVE_INFINITY) return this.putHalves(at, -1, -1);
    return this.putHalves(at, lowHalf(value), highHalf(value));
  }
  putHalves(at: number, low: number, high: number): this {
    this.#view.setInt32(at, low | 0, true);
    this.#view.setInt32(at + 4, high | 0, true);
    return this;
  }
  putBig64(at: number, value: bigint): this {
    this.#view.setBigInt64(at, value, true);
    return this;
  }
  putText(at: number, text: string, size: number): this {
    const encoded = encodeName(text).subarray(0, size - 1);
    this.bytes.fill(0, at, at + size);
    this.bytes.set(encoded, at);
    return this;
  }
}
