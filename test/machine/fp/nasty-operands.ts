// Operands that find mistakes: neighbours of every boundary, few significant bits (exact results, halfway
// cases), exponents that meet, and random bits. Seeded: the same seed makes the same cases.

import { BINARY32, BINARY64, type FloatFormat } from "../../../src/machine/cpu/fp/format.ts";
import type { Operation } from "./reference.ts";

/** A small generator of good enough quality (mulberry32); returns 32 bits. */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

type Random = () => number;

const random64 = (random: Random): bigint => (BigInt(random()) << 32n) | BigInt(random());
const below = (random: Random, n: number): number => random() % n;

function specials(format: FloatFormat): bigint[] {
  const { infinity, canonicalNan, fractionBits, bias } = format;
  const hidden = 1n << BigInt(fractionBits);
  const one = BigInt(bias) << BigInt(fractionBits);
  const positive = [
    0n,
    1n,
    2n,
    hidden - 1n,
    hidden,
    hidden + 1n,
    2n * hidden,
    one - 1n,
    one,
    one + 1n,
    one + hidden,
  ];
  positive.push(one + hidden / 2n, one - hidden, infinity - 1n, infinity - hidden, infinity, canonicalNan);
  positive.push(infinity + 1n, canonicalNan + 5n, (one - hidden) | 1n, infinity - hidden - 1n);
  for (const power of [31, 32, 52, 53, 62, 63, 64]) {
    const value = BigInt(bias + power) << BigInt(fractionBits);
    positive.push(value - 1n, value, value + 1n);
  }
  return positive.flatMap((bits) => [bits, bits | format.signBit]);
}

const specials32 = specials(BINARY32);
const specials64 = specials(BINARY64);

/** One number of the format, of a random kind, `near` another in exponent when that is given. */
export function nastyFloat(format: FloatFormat, random: Random, near?: bigint): bigint {
  const { fractionBits, exponentMax, signBit } = format;
  const fractionMask = (1n << BigInt(fractionBits)) - 1n;
  const sign = random() & 1 ? signBit : 0n;
  let field = below(random, exponentMax);
  const kind = below(random, 16);
  if (kind === 0) {
    if (below(random, 4) === 0) return sign;
    const list = format === BINARY32 ? specials32 : specials64;
    return list[below(random, list.length)] ?? 0n;
  }
  if (kind === 1) return random64(random) & (signBit * 2n - 1n);
  if (kind <= 3) field = below(random, 3);
  else if (kind === 4) field = exponentMax - 1 - below(random, 3);
  else if (kind <= 8 && near !== undefined) {
    const other = Number((near & (signBit - 1n)) >> BigInt(fractionBits));
    field = Math.min(
      exponentMax - 1,
      Math.max(0, other + below(random, 2 * fractionBits + 8) - fractionBits - 4),
    );
  } else if (kind <= 11) field = format.bias + below(random, 140) - 70;
  if (field < 0) field = 0;

  let fraction = random64(random) & fractionMask;
  const shape = below(random, 6);
  // Few leading bits, few bits at both ends, or long runs: what exact results and ties are made of.
  if (shape <= 1) fraction &= ~(fractionMask >> BigInt(below(random, fractionBits)));
  else if (shape === 2)
    fraction = (fraction & 3n) | (fractionMask & ~(fractionMask >> BigInt(below(random, 4))));
  else if (shape === 3) fraction = fractionMask ^ (fraction >> BigInt(below(random, fractionBits)));
  return sign | (BigInt(field) << BigInt(fractionBits)) | (fraction & fractionMask);
}

/** An x register: small, near a power of two, or random. */
export function nastyInteger(random: Random): bigint {
  const kind = below(random, 4);
  let value = random64(random);
  if (kind === 0) value >>= BigInt(below(random, 64));
  else if (kind === 1) value = (1n << BigInt(below(random, 65))) + BigInt(below(random, 5) - 2);
  else if (kind === 2) value = (value >> 40n) << BigInt(below(random, 41));
  if (random() & 1) value = -value;
  return BigInt.asUintN(64, value);
}

/** The source registers of one execution: singles are boxed, one in sixteen not. */
export function nastySources(operation: Operation, random: Random): [bigint, bigint, bigint] {
  const registers: [bigint, bigint, bigint] = [0n, 0n, 0n];
  let near: bigint | undefined;
  for (let i = 0; i < operation.sources.length; i++) {
    if (operation.sources[i] === "x") {
      registers[i] = nastyInteger(random);
      continue;
    }
    const format = operation.operandFormat;
    let bits = nastyFloat(format, random, near);
    // The addend of an fma matters most where it meets the product: near the sum of the exponents.
    if (i === 0) near = bits;
    else if (i === 1 && near !== undefined) near = productExponent(format, near, bits);
    if (i === 1 && below(random, 12) === 0) bits = registers[0] & (format.signBit * 2n - 1n);
    if (format === BINARY32)
      bits |= below(random, 24) === 0 ? random64(random) << 32n : 0xffff_ffff_0000_0000n;
    registers[i] = BigInt.asUintN(64, bits);
  }
  return registers;
}

function productExponent(format: FloatFormat, a: bigint, b: bigint): bigint {
  const shift = BigInt(format.fractionBits);
  const field = (bits: bigint): number => Number((bits & (format.signBit - 1n)) >> shift);
  const sum = Math.min(format.exponentMax - 1, Math.max(0, field(a) + field(b) - format.bias));
  return BigInt(sum) << shift;
}
