import {
  FLAG_NX,
  FLAG_OF,
  FLAG_UF,
  type FloatFormat,
  type FloatResult,
  infinityBits,
  RM_RDN,
  RM_RMM,
  RM_RNE,
  RM_RUP,
} from "./format.ts";

/**
 * Rounding: the one step where an exact value becomes a number of the format.
 *
 * IEEE 754 defines each operation as if it computed the exact result first and rounded it once. The soft
 * float takes that literally: its operations are exact integer arithmetic (a BigInt has as many digits as
 * needed), and everything that may be inexact happens here. The last place kept has the weight 2^q: for a
 * normal result q follows from its leading bit, and below the smallest normal number q stays fixed (gradual
 * underflow).
 */

/**
 * An exact magnitude: `significand * 2^exponent`, plus something above 0 and below one unit of it when
 * `sticky`.
 */
export interface Exact {
  readonly negative: boolean;
  readonly significand: bigint;
  readonly exponent: number;
  readonly sticky: boolean;
}

/** Number of bits of a positive integer. */
export function bitLength(value: bigint): number {
  const digits = value.toString(16);
  return digits.length * 4 - (Math.clz32(Number.parseInt(digits.charAt(0), 16)) - 28);
}

/** An integer part with what rounding needs to know of the rest. */
interface Cut {
  readonly integer: bigint;
  /** The rest compared with one half: -1, 0, 1. */
  readonly half: number;
  readonly isExact: boolean;
}

/**
 * `value / 2^shift`, cut to an integer. A sticky value must keep at least one bit below the cut (shift >= 1).
 */
function cut(value: bigint, sticky: boolean, shift: number): Cut {
  if (shift <= 0) return { integer: value << BigInt(-shift), half: -1, isExact: !sticky };
  const integer = value >> BigInt(shift);
  const rest = value - (integer << BigInt(shift));
  const half = 1n << BigInt(shift - 1);
  let order = rest < half ? -1 : rest > half ? 1 : 0;
  if (order === 0 && sticky) order = 1;
  return { integer, half: order, isExact: rest === 0n && !sticky };
}

function roundUp({ integer, half, isExact }: Cut, negative: boolean, rm: number): boolean {
  if (isExact) return false;
  switch (rm) {
    case RM_RNE:
      return half > 0 || (half === 0 && (integer & 1n) === 1n);
    case RM_RMM:
      return half >= 0;
    case RM_RDN:
      return negative;
    case RM_RUP:
      return !negative;
    default:
      return false;
  }
}

/** `significand * 2^exponent` rounded to an integer, ties and direction by `rm`. */
export function roundToInteger(exact: Exact, rm: number): { integer: bigint; isExact: boolean } {
  const piece = cut(exact.significand, exact.sticky, -exact.exponent);
  const integer = roundUp(piece, exact.negative, rm) ? piece.integer + 1n : piece.integer;
  return { integer, isExact: piece.isExact };
}

/**
 * Rounds a positive exact magnitude to the format.
 *
 * Precondition: a sticky value has at least p + 2 significant bits, so that the cut lies above the unknown
 * rest.
 */
export function roundToFormat(format: FloatFormat, exact: Exact, rm: number): FloatResult {
  const { fractionBits, exponentMax, bias } = format;
  const { negative, significand, exponent, sticky } = exact;
  const leading = exponent + bitLength(significand) - 1;
  const minLeading = 1 - bias;
  const hidden = 1n << BigInt(fractionBits);

  const q = Math.max(leading, minLeading) - fractionBits;
  const piece = cut(significand, sticky, q - exponent);
  const kept = roundUp(piece, negative, rm) ? piece.integer + 1n : piece.integer;

  // Adding the significand with its hidden bit to the exponent field less one makes a carry out of the
  // significand land in the exponent, where it belongs: also from subnormal to normal, and from the largest
  // number to infinity.
  const magnitude = (BigInt(q + fractionBits + bias - 1) << BigInt(fractionBits)) + kept;
  const sign = negative ? format.signBit : 0n;
  if (magnitude >> BigInt(fractionBits) >= BigInt(exponentMax)) {
    const toInfinity =
      rm === RM_RNE || rm === RM_RMM || (rm === RM_RUP && !negative) || (rm === RM_RDN && negative);
    const bits = toInfinity ? infinityBits(format, negative) : sign | (format.infinity - 1n);
    return { bits, flags: FLAG_OF | FLAG_NX };
  }
  if (piece.isExact) return { bits: sign | magnitude, flags: 0 };

  // RISC-V detects tininess after rounding: underflow is raised when the result would lie below the smallest
  // normal number had the exponent been unbounded. Only values just below it can differ, by rounding up to
  // it.
  let isTiny = leading < minLeading;
  if (leading === minLeading - 1) {
    const unbounded = cut(significand, sticky, leading - fractionBits - exponent);
    isTiny = unbounded.integer + (roundUp(unbounded, negative, rm) ? 1n : 0n) < hidden << 1n;
  }
  return { bits: sign | magnitude, flags: isTiny ? FLAG_UF | FLAG_NX : FLAG_NX };
}
