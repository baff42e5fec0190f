import {
  FLAG_DZ,
  FLAG_NV,
  type FloatFormat,
  type FloatResult,
  infinityBits,
  RM_RDN,
  type Unpacked,
  unpack,
  zeroBits,
} from "./format.ts";
import { bitLength, roundToFormat } from "./round.ts";

/**
 * The arithmetic of F and D, exactly: every rounding mode, every flag.
 *
 * This is the reference and the slow path. Generated code computes the ordinary case with WebAssembly's own
 * floating-point instructions (which round to nearest even and have no flags) and comes here for the rest:
 * another rounding mode, a result that is not a normal number, or the first inexact result since the program
 * cleared NX.
 *
 * Operands and results are raw bits. A NaN result is always the canonical one; a payload is never passed on.
 */

export function add(format: FloatFormat, a: bigint, b: bigint, rm: number): FloatResult {
  return addUnpacked(format, unpack(format, a), unpack(format, b), rm);
}

export function sub(format: FloatFormat, a: bigint, b: bigint, rm: number): FloatResult {
  return addUnpacked(format, unpack(format, a), negate(unpack(format, b)), rm);
}

export function mul(format: FloatFormat, a: bigint, b: bigint, rm: number): FloatResult {
  const x = unpack(format, a);
  const y = unpack(format, b);
  if (x.kind === "nan" || y.kind === "nan") return nanResult(format, x.signaling || y.signaling);
  const product = multiplyExactly(x, y);
  if (product === null) return nanResult(format, /* isInvalid */ true);
  return finish(format, product, rm);
}

export function div(format: FloatFormat, a: bigint, b: bigint, rm: number): FloatResult {
  const x = unpack(format, a);
  const y = unpack(format, b);
  if (x.kind === "nan" || y.kind === "nan") return nanResult(format, x.signaling || y.signaling);
  const negative = x.negative !== y.negative;
  if (x.kind === "infinity") {
    if (y.kind === "infinity") return nanResult(format, /* isInvalid */ true);
    return { bits: infinityBits(format, negative), flags: 0 };
  }
  if (y.kind === "zero") {
    if (x.kind === "zero") return nanResult(format, /* isInvalid */ true);
    return { bits: infinityBits(format, negative), flags: FLAG_DZ };
  }
  if (x.kind === "zero" || y.kind === "infinity") return { bits: zeroBits(format, negative), flags: 0 };

  // Widen the dividend until the quotient has p + 3 bits; the remainder then only says "and a little more".
  const shift = Math.max(0, format.fractionBits + 4 + bitLength(y.significand) - bitLength(x.significand));
  const dividend = x.significand << BigInt(shift);
  const significand = dividend / y.significand;
  const sticky = dividend % y.significand !== 0n;
  const exponent = x.exponent - y.exponent - shift;
  return roundToFormat(format, { negative, significand, exponent, sticky }, rm);
}

export function sqrt(format: FloatFormat, a: bigint, rm: number): FloatResult {
  const x = unpack(format, a);
  if (x.kind === "nan") return nanResult(format, x.signaling);
  if (x.kind === "zero") return { bits: a, flags: 0 };
  if (x.negative) return nanResult(format, /* isInvalid */ true);
  if (x.kind === "infinity") return { bits: a, flags: 0 };

  // An even exponent halves exactly; 2p + 6 bits under the root give p + 3 bits of root.
  let shift = Math.max(0, 2 * format.fractionBits + 8 - bitLength(x.significand));
  if ((x.exponent - shift) % 2 !== 0) shift++;
  const radicand = x.significand << BigInt(shift);
  const significand = integerSqrt(radicand);
  const sticky = significand * significand !== radicand;
  return roundToFormat(
    format,
    { negative: false, significand, exponent: (x.exponent - shift) / 2, sticky },
    rm,
  );
}

/** `a * b + c` with one rounding. fmsub, fnmadd and fnmsub are this with the sign of a or c turned. */
export function fma(format: FloatFormat, a: bigint, b: bigint, c: bigint, rm: number): FloatResult {
  const x = unpack(format, a);
  const y = unpack(format, b);
  const z = unpack(format, c);
  const anyNan = x.kind === "nan" || y.kind === "nan" || z.kind === "nan";
  const signaling = x.signaling || y.signaling || z.signaling;
  if (x.kind === "nan" || y.kind === "nan") return nanResult(format, signaling);
  // "must set the invalid operation exception flag when the multiplicands are infinity and zero, even when
  // the addend is a quiet NaN"
  const product = multiplyExactly(x, y);
  if (product === null) return nanResult(format, /* isInvalid */ true);
  if (anyNan) return nanResult(format, signaling);
  return addUnpacked(format, product, z, rm);
}

function addUnpacked(format: FloatFormat, x: Unpacked, y: Unpacked, rm: number): FloatResult {
  if (x.kind === "nan" || y.kind === "nan") return nanResult(format, x.signaling || y.signaling);
  if (x.kind === "infinity") {
    const isInvalid = y.kind === "infinity" && x.negative !== y.negative;
    return isInvalid ? nanResult(format, isInvalid) : finish(format, x, rm);
  }
  if (y.kind === "infinity") return finish(format, y, rm);
  if (x.kind === "zero" && y.kind === "zero") {
    return { bits: zeroBits(format, x.negative === y.negative ? x.negative : rm === RM_RDN), flags: 0 };
  }
  if (y.kind === "zero") return finish(format, x, rm);
  if (x.kind === "zero") return finish(format, y, rm);

  const exponent = Math.min(x.exponent, y.exponent);
  const left = x.significand << BigInt(x.exponent - exponent);
  const right = y.significand << BigInt(y.exponent - exponent);
  const sum = (x.negative ? -left : left) + (y.negative ? -right : right);
  // A difference of equal numbers is +0, but -0 when rounding down. (IEEE 754-2019, 6.3)
  if (sum === 0n) return { bits: zeroBits(format, rm === RM_RDN), flags: 0 };
  const negative = sum < 0n;
  return roundToFormat(format, { negative, significand: negative ? -sum : sum, exponent, sticky: false }, rm);
}

/** The exact product of two that are not NaN, or null for infinity times zero. */
function multiplyExactly(x: Unpacked, y: Unpacked): Unpacked | null {
  const negative = x.negative !== y.negative;
  const isZero = x.kind === "zero" || y.kind === "zero";
  if (x.kind === "infinity" || y.kind === "infinity") {
    if (isZero) return null;
    return { kind: "infinity", negative, significand: 0n, exponent: 0, signaling: false };
  }
  return {
    kind: isZero ? "zero" : "finite",
    negative,
    significand: x.significand * y.significand,
    exponent: x.exponent + y.exponent,
    signaling: false,
  };
}

/** Rounds a value that is not NaN. */
function finish(format: FloatFormat, x: Unpacked, rm: number): FloatResult {
  if (x.kind === "infinity") return { bits: infinityBits(format, x.negative), flags: 0 };
  if (x.kind === "zero") return { bits: zeroBits(format, x.negative), flags: 0 };
  return roundToFormat(
    format,
    { negative: x.negative, significand: x.significand, exponent: x.exponent, sticky: false },
    rm,
  );
}

function nanResult(format: FloatFormat, isInvalid: boolean): FloatResult {
  return { bits: format.canonicalNan, flags: isInvalid ? FLAG_NV : 0 };
}

function negate(x: Unpacked): Unpacked {
  return { ...x, negative: !x.negative };
}

/** The largest integer whose square is not above `value`, which is positive: Newton's method from above. */
function integerSqrt(value: bigint): bigint {
  let root = 1n << BigInt((bitLength(value) + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}
