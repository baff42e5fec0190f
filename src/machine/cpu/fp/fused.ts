import type { Operands } from "../operands.ts";
import {
  type Code,
  f32DemoteF64,
  f64,
  f64ReinterpretI64,
  i32,
  i64,
  i64ReinterpretF64,
  ifElse,
  type Local,
} from "../wasm-encoder.ts";
import { andThen, isProductShort, orElse, sumError, unlessProven } from "./arithmetic.ts";
import { asDouble, DOUBLE, isFiniteValue, isNxSet, isOrdinary, isZero, SINGLE, type Width } from "./width.ts";

/**
 * Generated code of the fused multiply-add family: a * b + c with one rounding.
 *
 * WebAssembly has no such instruction, and compilers for RISC-V contract every a * b + c to it, so that the
 * inner loop of a matrix product is one. Computing it in two steps would round twice. What helps are
 * error-free transforms: sequences of ordinary operations that yield a result and its rounding error, both
 * exactly.
 *
 * ```
 *   product + low  == a * b      (Dekker's product; splits each factor into two halves of 26 bits)
 *   sum     + err  == product + c                 (Knuth's sum)
 *   a * b + c      == sum + (err + low)
 * ```
 *
 * Rounding (err + low) to nearest and then adding it to the sum rounds twice: wrong when the first rounding
 * lands on a tie of the second. Rounding it to odd instead (of the two neighbours of an inexact value, the
 * one whose last bit is one) can't: a value rounded to odd is never on a tie, nor on the other side of one.
 * (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to
 * odd".)
 *
 * Why one sum is enough here: either err is 0 (the sum cancels: then err + low is exact), or the sum is at
 * least half the product. Then |err + low| is below 2^-51 of the sum, and its last bit far below any tie of
 * the result.
 */

/** Which of product and addend are negated before the sum. */
export interface FusedSigns {
  readonly product: boolean;
  readonly addend: boolean;
}

interface Sources {
  readonly a: Local;
  readonly b: Local;
  readonly c: Local;
  readonly read: Code;
}

/** The sources as doubles in scratch locals, with the signs applied. */
function readSources(g: Operands, width: Width, signs: FusedSigns): Sources {
  const a = g.scratch("f64", 0);
  const b = g.scratch("f64", 1);
  const c = g.scratch("f64", 2);
  const value = (number: 1 | 2 | 3, isNegated: boolean): Code => {
    const source = asDouble(width, width.source(g, number));
    return isNegated ? f64.neg(source) : source;
  };
  const read = [
    a.set(value(1, signs.product)),
    b.set(value(2, /* isNegated */ false)),
    c.set(value(3, signs.addend)),
  ];
  return { a, b, c, read };
}

/** The high half of a double (Veltkamp): value - half has 26 bits too. Overflows to NaN for huge values. */
function setHighHalf(half: Local, value: Local): Code {
  const scaled = f64.mul(value.get, f64.const(2 ** 27 + 1));
  return [half.set(scaled), half.set(f64.sub(half.get, f64.sub(half.get, value.get)))];
}

/**
 * `a * b - product` exactly, where product is their rounded product.
 *
 * Precondition: |product| > 2^-960, so that the last bits of the error are not below the smallest subnormal
 * number.
 */
function productError(g: Operands, a: Local, b: Local, product: Local): Code {
  const aHigh = g.scratch("f64", 6);
  const bHigh = g.scratch("f64", 7);
  const aLow = g.scratch("f64", 8);
  const bLow = g.scratch("f64", 9);
  const corner = f64.sub(f64.mul(aHigh.get, bHigh.get), product.get);
  const cross = f64.add(f64.add(corner, f64.mul(aHigh.get, bLow.get)), f64.mul(aLow.get, bHigh.get));
  return [
    setHighHalf(aHigh, a),
    setHighHalf(bHigh, b),
    aLow.set(f64.sub(a.get, aHigh.get)),
    bLow.set(f64.sub(b.get, bHigh.get)),
    f64.add(cross, f64.mul(aLow.get, bLow.get)),
  ];
}

/**
 * Makes `sum`, which is some value rounded to nearest, that value rounded to odd; `error` is the value less
 * the sum. Where the sum is even and the error not zero, the odd neighbour on the error's side is one step in
 * the bits: away from zero when both have the same sign, toward it otherwise.
 */
function roundToOdd(g: Operands, sum: Local, error: Local): Code {
  const bits = g.scratch("i64", 0);
  const differ = i64.shrS(i64.xor(bits.get, i64ReinterpretF64(error.get)), i64.const(63));
  const step = i64.or(i64.shl(differ, i64.const(1)), i64.const(1));
  const isEven = i64.eqz(i64.and(bits.tee(i64ReinterpretF64(sum.get)), i64.const(1)));
  return ifElse(
    i32.and(isEven, f64.ne(error.get, f64.const(0))),
    sum.set(f64ReinterpretI64(i64.add(bits.get, step))),
  );
}

export function emitFusedDouble(signs: FusedSigns): (g: Operands) => Code {
  return (g) => {
    const { a, b, c, read } = readSources(g, DOUBLE, signs);
    const product = g.scratch("f64", 3);
    const sum = g.scratch("f64", 4);
    const part = g.scratch("f64", 5);
    const low = g.scratch("f64", 6);
    const error = g.scratch("f64", 10);
    const rest = g.scratch("f64", 11);
    const isProductExact = ifElse(
      isOrdinary(DOUBLE, product.get),
      isProductShort(a.get, b.get),
      i32.and(isZero(DOUBLE, product.get), i32.or(isZero(DOUBLE, a.get), isZero(DOUBLE, b.get))),
      "i32",
    );
    const isLarge = f64.gt(f64.abs(product.get), f64.const(2 ** -960));
    return [
      read,
      product.set(f64.mul(a.get, b.get)),
      sum.set(f64.add(product.get, c.get)),
      unlessProven(g, DOUBLE, 3, [
        // An exact product leaves an ordinary addition.
        andThen(
          isProductExact,
          andThen(
            isFiniteValue(DOUBLE, sum.get),
            orElse(isNxSet(g), isZero(DOUBLE, sumError(DOUBLE, product, c, sum, part))),
          ),
        ),
        // With NX set, the transforms. A step that overflows ends in a NaN here, which is not finite; tiny
        // results are exact, since all parts are multiples of the smallest subnormal number.
        andThen(i32.and(isNxSet(g), isLarge), [
          low.set(productError(g, a, b, product)),
          error.set(sumError(DOUBLE, product, c, sum, part)),
          rest.set(f64.add(error.get, low.get)),
          part.set(sumError(DOUBLE, error, low, rest, part)),
          roundToOdd(g, rest, part),
          isFiniteValue(DOUBLE, sum.tee(f64.add(sum.get, rest.get))),
        ]),
      ]),
      g.writeFdDouble(sum.get),
    ];
  };
}

/**
 * Singles are simpler: the product of two is exact as a double, and so wide that neither it nor the sum
 * leaves the range. The sum, rounded to odd, then rounds to a single as the exact sum would: 53 bits are more
 * than 24 + 1.
 */
export function emitFusedSingle(signs: FusedSigns): (g: Operands) => Code {
  return (g) => {
    const { a, b, c, read } = readSources(g, SINGLE, signs);
    const product = g.scratch("f64", 3);
    const sum = g.scratch("f64", 4);
    const error = g.scratch("f64", 5);
    const part = g.scratch("f64", 6);
    const result = g.scratch("f32", 0);
    const isExact = i32.and(isZero(DOUBLE, error.get), f64.eq(asDouble(SINGLE, result.get), sum.get));
    return [
      read,
      product.set(f64.mul(a.get, b.get)),
      sum.set(f64.add(product.get, c.get)),
      error.set(sumError(DOUBLE, product, c, sum, part)),
      roundToOdd(g, sum, error),
      result.set(f32DemoteF64(sum.get)),
      unlessProven(g, SINGLE, 3, [i32.and(isNxSet(g), isOrdinary(SINGLE, result.get)), isExact]),
      SINGLE.write(g, result.get),
    ];
  };
}
