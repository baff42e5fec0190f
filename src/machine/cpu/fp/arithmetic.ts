import type { Operands } from "../operands.ts";
import {
  block,
  brIf,
  type Code,
  f64,
  i32,
  i64,
  i64ReinterpretF64,
  ifElse,
  type Local,
  label,
} from "../wasm-encoder.ts";
import { asDouble, isFiniteValue, isInfinite, isNxSet, isOrdinary, isZero, type Width } from "./width.ts";

/**
 * Generated code of add, subtract, multiply, divide and square root.
 *
 * WebAssembly rounds to nearest even, as almost every program wants, but has no flags. So each operation lets
 * WebAssembly compute the result and then has to prove that it would raise nothing new; what it can't prove
 * goes to the soft float. There are two ways to prove it:
 *
 * - NX (inexact) is set already, and the result is an ordinary number. Overflow gives an infinity, an invalid
 *   operation a NaN and underflow something tiny: an ordinary result can raise only NX. Programs hardly
 *   ever clear the flags, so that this is how nearly all operations pass, for the price of a
 *   comparison or two.
 *
 * - NX is clear, and the result is exact. A program that computes with integers in doubles never sets NX, and
 *   must not come to the soft float each time. An operation that is inexact after all does so
 *   once, and NX is set.
 */

/**
 * Goes on if the rounding mode is nearest even, the first `count` sources are boxed and any of `proofs`
 * holds.
 */
export function unlessProven(g: Operands, width: Width, count: 1 | 2 | 3, proofs: readonly Code[]): Code {
  const proven = label("proven");
  const usable = i32.and(i32.eqz(g.roundingMode()), width.areBoxed(g, count));
  return block(proven, [
    ifElse(
      usable,
      proofs.map((proof) => brIf(proven, proof)),
    ),
    g.slow(),
  ]);
}

/** i32: `condition && also`, where `also` is worth skipping. */
export function andThen(condition: Code, also: Code): Code {
  return ifElse(condition, also, i32.const(0), "i32");
}

/** i32: `condition || other`, where `other` is worth skipping. */
export function orElse(condition: Code, other: Code): Code {
  return ifElse(condition, i32.const(1), other, "i32");
}

/**
 * The rounding error of a sum (Knuth's TwoSum): `a + b == sum + error` exactly, for any a and b. Addition has
 * no underflow, its error is always a number of the format. Where a step overflows the error comes out as
 * NaN.
 */
export function sumError({ ops }: Width, a: Local, b: Local, sum: Local, part: Local): Code {
  const bPart = part.tee(ops.sub(sum.get, a.get));
  return ops.add(ops.sub(a.get, ops.sub(sum.get, bPart)), ops.sub(b.get, part.get));
}

/**
 * i32: whether the product of two doubles has at most 53 significant bits, by their numbers of trailing
 * zeros: factors of m and n bits have a product of m + n bits or one less. False for some exact ones (m + n =
 * 54).
 *
 * Says nothing about zeros, and nothing about the exponent: the product must be known not to be tiny or
 * infinite.
 */
export function isProductShort(a: Code, b: Code): Code {
  const trailing = (value: Code): Code => i64.ctz(i64.or(i64ReinterpretF64(value), i64.const(1n << 52n)));
  return i64.geU(i64.add(trailing(a), trailing(b)), i64.const(53));
}

/** fadd and fsub. A sum in the subnormal range is exact, so finite is all that NX alone asks for. */
export function emitAdd(width: Width, isSubtraction: boolean): (g: Operands) => Code {
  const { ops } = width;
  return (g) => {
    const a = width.scratch(g, 0);
    const b = width.scratch(g, 1);
    const sum = width.scratch(g, 2);
    const part = width.scratch(g, 3);
    const second = width.source(g, 2);
    const inputsInfinite = i32.or(isInfinite(width, a.get), isInfinite(width, b.get));
    return [
      a.set(width.source(g, 1)),
      b.set(isSubtraction ? ops.neg(second) : second),
      sum.set(ops.add(a.get, b.get)),
      unlessProven(g, width, 2, [
        i32.and(isNxSet(g), isFiniteValue(width, sum.get)),
        andThen(isFiniteValue(width, sum.get), isZero(width, sumError(width, a, b, sum, part))),
        i32.and(isInfinite(width, sum.get), inputsInfinite),
      ]),
      width.write(g, sum.get),
    ];
  };
}

export function emitMultiply(width: Width): (g: Operands) => Code {
  const { ops } = width;
  return (g) => {
    const a = width.scratch(g, 0);
    const b = width.scratch(g, 1);
    const product = width.scratch(g, 2);
    const inputsInfinite = i32.or(isInfinite(width, a.get), isInfinite(width, b.get));
    const inputsZero = i32.or(isZero(width, a.get), isZero(width, b.get));
    // Twice 24 bits fit a double, so that the exact product of singles is at hand to compare with.
    const exactProofs =
      width.type === "f32"
        ? [f64.eq(asDouble(width, product.get), f64.mul(asDouble(width, a.get), asDouble(width, b.get)))]
        : [
            andThen(isOrdinary(width, product.get), isProductShort(a.get, b.get)),
            i32.and(isZero(width, product.get), inputsZero),
            i32.and(isInfinite(width, product.get), inputsInfinite),
          ];
    return [
      a.set(width.source(g, 1)),
      b.set(width.source(g, 2)),
      product.set(ops.mul(a.get, b.get)),
      unlessProven(g, width, 2, [i32.and(isNxSet(g), isOrdinary(width, product.get)), ...exactProofs]),
      width.write(g, product.get),
    ];
  };
}

/**
 * A quotient is exact iff multiplying back gives the dividend, provided that this product is exact itself.
 */
export function emitDivide(width: Width): (g: Operands) => Code {
  const { ops } = width;
  return (g) => {
    const a = width.scratch(g, 0);
    const b = width.scratch(g, 1);
    const quotient = width.scratch(g, 2);
    const back = f64.mul(asDouble(width, quotient.get), asDouble(width, b.get));
    const isBack = f64.eq(back, asDouble(width, a.get));
    const exactProofs =
      width.type === "f32"
        ? [i32.and(isFiniteValue(width, quotient.get), isBack)]
        : [
            andThen(
              i32.and(isOrdinary(width, quotient.get), i32.and(isBack, isOrdinary(width, a.get))),
              isProductShort(quotient.get, b.get),
            ),
            // Not NaN, so the divisor of a zero is none, and an infinite divisor's dividend is finite.
            i32.and(isZero(width, quotient.get), i32.or(isZero(width, a.get), isInfinite(width, b.get))),
            i32.and(isInfinite(width, quotient.get), isInfinite(width, a.get)),
          ];
    return [
      a.set(width.source(g, 1)),
      b.set(width.source(g, 2)),
      quotient.set(ops.div(a.get, b.get)),
      unlessProven(g, width, 2, [i32.and(isNxSet(g), isOrdinary(width, quotient.get)), ...exactProofs]),
      width.write(g, quotient.get),
    ];
  };
}

/** A root of a finite number is never tiny nor too large. It is exact iff its square is the number. */
export function emitSqrt(width: Width): (g: Operands) => Code {
  const { ops } = width;
  return (g) => {
    const a = width.scratch(g, 0);
    const root = width.scratch(g, 1);
    const square = f64.mul(asDouble(width, root.get), asDouble(width, root.get));
    const isSquare = f64.eq(square, asDouble(width, a.get));
    const exactProofs =
      width.type === "f32"
        ? [isSquare]
        : [
            andThen(i32.and(isSquare, isOrdinary(width, a.get)), isProductShort(root.get, root.get)),
            isZero(width, a.get),
            ops.eq(root.get, ops.const(Number.POSITIVE_INFINITY)),
          ];
    return [
      a.set(width.source(g, 1)),
      root.set(ops.sqrt(a.get)),
      unlessProven(g, width, 1, [i32.and(isNxSet(g), isFiniteValue(width, root.get)), ...exactProofs]),
      width.write(g, root.get),
    ];
  };
}
