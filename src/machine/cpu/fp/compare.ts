import type { Operands } from "../operands.ts";
import { type Code, i32, i64, ifElse, select } from "../wasm-encoder.ts";
import { FLAG_NV } from "./format.ts";
import { type Width, writeBoxed } from "./width.ts";

/**
 * Generated code of what rounds nothing: comparison, minimum and maximum, classification, sign injection,
 * moves.
 */

const SIGN32 = 0x8000_0000;
const SIGN64 = 1n << 63n;

function refuseUnboxed(g: Operands, width: Width, count: 1 | 2): Code {
  return width.type === "f64" ? [] : ifElse(i32.eqz(width.areBoxed(g, count)), g.slow());
}

/** feq is invalid for signaling NaNs only, flt and fle for every NaN. WebAssembly's answer is 0 for both. */
export function emitCompare(width: Width, relation: "eq" | "lt" | "le"): (g: Operands) => Code {
  const { ops } = width;
  return (g) => {
    const a = width.scratch(g, 0);
    const b = width.scratch(g, 1);
    const isUnordered = i32.or(ops.ne(a.get, a.get), ops.ne(b.get, b.get));
    const anySignaling = i32.or(width.isSignaling(a.get), width.isSignaling(b.get));
    const raise = g.raiseFlags(i32.const(FLAG_NV));
    return [
      refuseUnboxed(g, width, 2),
      a.set(width.source(g, 1)),
      b.set(width.source(g, 2)),
      ifElse(isUnordered, relation === "eq" ? ifElse(anySignaling, raise) : raise),
      g.writeRdLow(ops[relation](a.get, b.get)),
    ];
  };
}

/** Of two numbers WebAssembly's min and max are RISC-V's, zeros by sign included; a NaN goes the slow way. */
export function emitMinMax(width: Width, which: "min" | "max"): (g: Operands) => Code {
  const { ops } = width;
  return (g) => {
    const a = width.scratch(g, 0);
    const b = width.scratch(g, 1);
    return [
      refuseUnboxed(g, width, 2),
      a.set(width.source(g, 1)),
      b.set(width.source(g, 2)),
      ifElse(i32.or(ops.ne(a.get, a.get), ops.ne(b.get, b.get)), g.slow()),
      width.write(g, ops[which](a.get, b.get)),
    ];
  };
}

/**
 * fclass: one of ten bits. Numbers lie on a scale, mirrored for negative ones:
 *
 * ```
 *   bit   0     1       2         3    4    5         6       7     8          9
 *        -inf  -normal -subnormal -0   +0   subnormal normal  inf   signaling  quiet NaN
 * ```
 */
export function emitClassify(width: Width): (g: Operands) => Code {
  const isSingle = width.type === "f32";
  const word = isSingle ? i32 : i64;
  const minNormal = isSingle ? 0x80_0000n : 0x10_0000_0000_0000n;
  const infinity = isSingle ? 0x7f80_0000n : 0x7ff0_0000_0000_0000n;
  const quiet = isSingle ? 0x7fc0_0000n : 0x7ff8_0000_0000_0000n;
  const sign = isSingle ? BigInt(SIGN32) : SIGN64;
  const constant = (value: bigint): Code => word.const(isSingle ? Number(value) : value);
  return (g) => {
    const bits = g.scratch(isSingle ? "i32" : "i64", 0);
    const bit = g.scratch("i32", 1);
    const magnitude = word.and(bits.get, constant(sign - 1n));
    const reaches = (limit: bigint): Code => word.geU(magnitude, constant(limit));
    const step = i32.add(i32.add(reaches(1n), reaches(minNormal)), reaches(infinity));
    const isNegative = word.ltS(bits.get, constant(0n));
    return [
      refuseUnboxed(g, width, 1),
      bits.set(isSingle ? g.fs1Low() : g.fs1()),
      bit.set(step),
      bit.set(select(i32.sub(i32.const(3), bit.get), i32.add(i32.const(4), bit.get), isNegative)),
      ifElse(word.gtU(magnitude, constant(infinity)), bit.set(i32.add(i32.const(8), reaches(quiet)))),
      g.writeRdLow(i32.shl(i32.const(1), bit.get)),
    ];
  };
}

/** fsgnj takes the second operand's sign, fsgnjn its opposite, fsgnjx the product of both signs. */
export function emitSign(width: Width, kind: "j" | "jn" | "jx"): (g: Operands) => Code {
  const isSingle = width.type === "f32";
  const word = isSingle ? i32 : i64;
  const signMask = word.const(isSingle ? SIGN32 : SIGN64);
  const restMask = word.const(isSingle ? 0x7fff_ffff : SIGN64 - 1n);
  return (g) => {
    const a = isSingle ? g.fs1Low() : g.fs1();
    const b = isSingle ? g.fs2Low() : g.fs2();
    const sign = word.and(kind === "jn" ? word.xor(b, word.const(-1)) : b, signMask);
    const result = kind === "jx" ? word.xor(a, sign) : word.or(word.and(a, restMask), sign);
    return [refuseUnboxed(g, width, 2), isSingle ? writeBoxed(g, result) : g.writeFd(result)];
  };
}

/** The moves between register files copy bits; the 32-bit ones don't ask for a box. */
export const emitMoveXD = (g: Operands): Code => g.writeRd(g.fs1());
export const emitMoveDX = (g: Operands): Code => g.writeFd(g.rs1());
export const emitMoveXW = (g: Operands): Code => g.writeRdLow(g.fs1Low());
export const emitMoveWX = (g: Operands): Code => writeBoxed(g, g.rs1Low());
