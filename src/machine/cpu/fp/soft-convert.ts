import {
  FLAG_NV,
  FLAG_NX,
  type FloatFormat,
  type FloatResult,
  infinityBits,
  unpack,
  zeroBits,
} from "./format.ts";
import { roundToFormat, roundToInteger } from "./round.ts";

/**
 * Conversions between the formats and to and from integers, exactly. Reference and slow path, as
 * soft-float.ts.
 */

/** The integer side of a conversion: fcvt.w, fcvt.wu, fcvt.l, fcvt.lu. */
export interface IntegerType {
  readonly width: 32 | 64;
  readonly isSigned: boolean;
}

export const INT32: IntegerType = { width: 32, isSigned: true };
export const UINT32: IntegerType = { width: 32, isSigned: false };
export const INT64: IntegerType = { width: 64, isSigned: true };
export const UINT64: IntegerType = { width: 64, isSigned: false };

/** fcvt.s.d and fcvt.d.s. */
export function convertFormat(from: FloatFormat, to: FloatFormat, a: bigint, rm: number): FloatResult {
  const x = unpack(from, a);
  switch (x.kind) {
    case "nan":
      return { bits: to.canonicalNan, flags: x.signaling ? FLAG_NV : 0 };
    case "infinity":
      return { bits: infinityBits(to, x.negative), flags: 0 };
    case "zero":
      return { bits: zeroBits(to, x.negative), flags: 0 };
    case "finite":
      return roundToFormat(to, { ...x, sticky: false }, rm);
  }
}

/**
 * A number as an integer, in the 64 bits of an x register: 32-bit results are sign-extended, unsigned ones
 * too.
 *
 * Out of range is NV and the nearest end of the range; a NaN counts as positive infinity. Range is judged
 * after rounding, so that -0.5 toward zero fits an unsigned integer.
 */
export function convertToInteger(format: FloatFormat, a: bigint, type: IntegerType, rm: number): FloatResult {
  const x = unpack(format, a);
  const bits = BigInt(type.width);
  const largest = type.isSigned ? (1n << (bits - 1n)) - 1n : (1n << bits) - 1n;
  const smallest = type.isSigned ? -largest - 1n : 0n;
  const register = (value: bigint): bigint => BigInt.asUintN(64, BigInt.asIntN(type.width, value));

  if (x.kind === "zero") return { bits: 0n, flags: 0 };
  if (x.kind !== "finite") {
    const isLow = x.kind === "infinity" && x.negative;
    return { bits: register(isLow ? smallest : largest), flags: FLAG_NV };
  }
  const { integer, isExact } = roundToInteger({ ...x, sticky: false }, rm);
  const value = x.negative ? -integer : integer;
  if (value < smallest) return { bits: register(smallest), flags: FLAG_NV };
  if (value > largest) return { bits: register(largest), flags: FLAG_NV };
  return { bits: register(value), flags: isExact ? 0 : FLAG_NX };
}

/** An integer register as a number: `a` is the whole x register, of which the type takes its low bits. */
export function convertFromInteger(
  format: FloatFormat,
  a: bigint,
  type: IntegerType,
  rm: number,
): FloatResult {
  const value = type.isSigned ? BigInt.asIntN(type.width, a) : BigInt.asUintN(type.width, a);
  if (value === 0n) return { bits: 0n, flags: 0 };
  const negative = value < 0n;
  return roundToFormat(
    format,
    { negative, significand: negative ? -value : value, exponent: 0, sticky: false },
    rm,
  );
}
