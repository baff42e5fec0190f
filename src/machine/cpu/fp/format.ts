/**
 * How IEEE 754 writes a number, and the words of RISC-V's fcsr.
 *
 * ```
 *   binary64   63 sign | 62..52 exponent (bias 1023) | 51..0 fraction
 *   binary32   31 sign | 30..23 exponent (bias  127) | 22..0 fraction
 * ```
 *
 * A finite number is  (-1)^sign * significand * 2^exponent  with an integer significand. A normal number has
 * a hidden leading one above its fraction; the exponent field 0 means subnormal (or zero), which has none;
 * the exponent field of all ones means infinity (fraction 0) or NaN. A NaN is quiet when its top fraction bit
 * is set, signaling otherwise.
 */

/** Accrued exception flags, fcsr[4:0]. (Unprivileged ISA, "Floating-Point Control and Status Register") */
export const FLAG_NX = 1;
export const FLAG_UF = 2;
export const FLAG_OF = 4;
export const FLAG_DZ = 8;
export const FLAG_NV = 16;

/** Rounding modes, fcsr[7:5] and the rm field of an instruction. 5 and 6 are reserved. */
export const RM_RNE = 0;
export const RM_RTZ = 1;
export const RM_RDN = 2;
export const RM_RUP = 3;
export const RM_RMM = 4;
/** Only in an instruction: take the mode from fcsr. */
export const RM_DYN = 7;

/** One of the two binary formats; everything else about it follows from the widths of its fields. */
export interface FloatFormat {
  /** Bits in all: 32 or 64. */
  readonly width: number;
  /** Bits of the fraction field; the precision p is one more. */
  readonly fractionBits: number;
  /** Largest value of the exponent field, which marks infinities and NaNs. */
  readonly exponentMax: number;
  readonly bias: number;
  readonly signBit: bigint;
  readonly infinity: bigint;
  /** The one NaN that RISC-V arithmetic produces: positive, quiet, no payload. */
  readonly canonicalNan: bigint;
}

function makeFormat(width: number, fractionBits: number): FloatFormat {
  const exponentBits = width - 1 - fractionBits;
  const exponentMax = 2 ** exponentBits - 1;
  const infinity = BigInt(exponentMax) << BigInt(fractionBits);
  return {
    width,
    fractionBits,
    exponentMax,
    bias: (exponentMax - 1) / 2,
    signBit: 1n << BigInt(width - 1),
    infinity,
    canonicalNan: infinity | (1n << BigInt(fractionBits - 1)),
  };
}

export const BINARY32: FloatFormat = makeFormat(32, 23);
export const BINARY64: FloatFormat = makeFormat(64, 52);

/** What an operation answers: raw bits of the result, and the flags that it raises. */
export interface FloatResult {
  readonly bits: bigint;
  readonly flags: number;
}

/**
 * A decoded operand. For `finite` the value is `significand * 2^exponent` without its sign, and is not zero.
 */
export interface Unpacked {
  readonly kind: "finite" | "zero" | "infinity" | "nan";
  readonly negative: boolean;
  readonly significand: bigint;
  readonly exponent: number;
  /** A signaling NaN: an operation that meets it raises NV. */
  readonly signaling: boolean;
}

export function unpack(format: FloatFormat, bits: bigint): Unpacked {
  const { fractionBits, exponentMax, bias, signBit } = format;
  const negative = (bits & signBit) !== 0n;
  const magnitude = bits & (signBit - 1n);
  const field = Number(magnitude >> BigInt(fractionBits));
  const hidden = 1n << BigInt(fractionBits);
  const fraction = magnitude & (hidden - 1n);
  if (field === exponentMax) {
    if (fraction === 0n)
      return { kind: "infinity", negative, significand: 0n, exponent: 0, signaling: false };
    const signaling = (fraction & (hidden >> 1n)) === 0n;
    return { kind: "nan", negative, significand: 0n, exponent: 0, signaling };
  }
  if (magnitude === 0n) return { kind: "zero", negative, significand: 0n, exponent: 0, signaling: false };
  return {
    kind: "finite",
    negative,
    significand: field === 0 ? fraction : fraction | hidden,
    exponent: Math.max(field, 1) - bias - fractionBits,
    signaling: false,
  };
}

export function zeroBits(format: FloatFormat, negative: boolean): bigint {
  return negative ? format.signBit : 0n;
}

export function infinityBits(format: FloatFormat, negative: boolean): bigint {
  return negative ? format.signBit | format.infinity : format.infinity;
}
