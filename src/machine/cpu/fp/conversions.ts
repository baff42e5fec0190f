import type { Operands } from "../operands.ts";
import {
  type Code,
  f32,
  f32ConvertI32S,
  f32ConvertI32U,
  f32ConvertI64S,
  f32ConvertI64U,
  f32DemoteF64,
  f64,
  f64ConvertI32S,
  f64ConvertI32U,
  f64ConvertI64S,
  f64ConvertI64U,
  i32,
  i64,
  ifElse,
  select,
  truncSat,
} from "../wasm-encoder.ts";
import { unlessProven } from "./arithmetic.ts";
import { FLAG_NV, FLAG_NX, RM_RDN, RM_RMM, RM_RNE, RM_RTZ, RM_RUP } from "./format.ts";
import { asDouble, DOUBLE, isNxSet, isOrdinary, SINGLE, type Width } from "./width.ts";

/**
 * Generated code of the conversions: to and from integers, and between singles and doubles.
 */

/** The integer of a conversion, with its limits as doubles: smallest <= value < limit. */
interface IntegerShape {
  readonly isWide: boolean;
  readonly isSigned: boolean;
  readonly smallest: number;
  readonly limit: number;
  /** The largest value, as the register shows it. */
  readonly largest: bigint;
}

export type IntegerName = "w" | "wu" | "l" | "lu";

const SHAPES: Readonly<Record<IntegerName, IntegerShape>> = {
  w: { isWide: false, isSigned: true, smallest: -(2 ** 31), limit: 2 ** 31, largest: 0x7fff_ffffn },
  wu: { isWide: false, isSigned: false, smallest: 0, limit: 2 ** 32, largest: -1n },
  l: { isWide: true, isSigned: true, smallest: -(2 ** 63), limit: 2 ** 63, largest: 0x7fff_ffff_ffff_ffffn },
  lu: { isWide: true, isSigned: false, smallest: 0, limit: 2 ** 64, largest: -1n },
};

/** A reserved rounding mode makes also those instructions illegal that have nothing to round. */
function refuseReservedMode(g: Operands): Code {
  return ifElse(i32.gtU(g.roundingMode(), i32.const(RM_RMM)), g.slow());
}

/** Value as an integer-valued double, in any of the five modes; the C cast's (toward zero) comes first. */
function roundedToInteger(g: Operands, value: Code): Code {
  const rm = g.scratch("i32", 0);
  const truncated = f64.trunc(value);
  // Ties away from zero: the part that was cut off is exact, so that it compares with one half as it is.
  const isUp = f64.ge(f64.abs(f64.sub(value, truncated)), f64.const(0.5));
  const away = f64.add(truncated, f64.copysign(select(f64.const(1), f64.const(0), isUp), value));
  const choose = (mode: number, rounded: Code, otherwise: Code): Code =>
    ifElse(i32.eq(rm.get, i32.const(mode)), rounded, otherwise, "f64");
  return [
    rm.set(g.roundingMode()),
    choose(
      RM_RTZ,
      truncated,
      choose(
        RM_RNE,
        f64.nearest(value),
        choose(RM_RDN, f64.floor(value), choose(RM_RUP, f64.ceil(value), away)),
      ),
    ),
  ];
}

/** fcvt.w, wu, l, lu of a float. Singles go by way of doubles: the same value, and the same integer. */
export function emitToInteger(width: Width, name: IntegerName): (g: Operands) => Code {
  const { isWide, isSigned, smallest, limit, largest } = SHAPES[name];
  const conversion = (isWide ? 6 : 2) + (isSigned ? 0 : 1);
  const constant = (value: bigint): Code => (isWide ? i64.const(value) : i32.const(Number(value)));
  return (g) => {
    const value = g.scratch("f64", 0);
    const integer = g.scratch("f64", 1);
    const flags = g.scratch("i32", 1);
    // WebAssembly saturates as RISC-V does, but for a NaN, which is 0 there and the largest integer here.
    const isNumber = f64.eq(value.get, value.get);
    const result = select(truncSat(conversion, integer.get), constant(largest), isNumber);
    const inRange = i32.and(f64.ge(integer.get, f64.const(smallest)), f64.lt(integer.get, f64.const(limit)));
    const inexact = f64.ne(integer.get, value.get);
    const raised = select(i32.and(inexact, i32.const(FLAG_NX)), i32.const(FLAG_NV), inRange);
    return [
      refuseReservedMode(g),
      width.type === "f32" ? ifElse(i32.eqz(width.areBoxed(g, 1)), g.slow()) : [],
      value.set(asDouble(width, width.source(g, 1))),
      integer.set(roundedToInteger(g, value.get)),
      ifElse(flags.tee(raised), g.raiseFlags(flags.get)),
      isWide ? g.writeRd(result) : g.writeRdLow(result),
    ];
  };
}

/** fcvt.d.w and fcvt.d.wu: always exact. */
export function emitDoubleFromWord(name: "w" | "wu"): (g: Operands) => Code {
  const convert = name === "w" ? f64ConvertI32S : f64ConvertI32U;
  return (g) => [refuseReservedMode(g), g.writeFdDouble(convert(g.rs1Low()))];
}

/** fcvt.s.w and fcvt.s.wu: exact iff equal to the double, which always is. */
export function emitSingleFromWord(name: "w" | "wu"): (g: Operands) => Code {
  const toSingle = name === "w" ? f32ConvertI32S : f32ConvertI32U;
  const toDouble = name === "w" ? f64ConvertI32S : f64ConvertI32U;
  return (g) => {
    const result = g.scratch("f32", 0);
    const isExact = f64.eq(asDouble(SINGLE, result.get), toDouble(g.rs1Low()));
    return [
      result.set(toSingle(g.rs1Low())),
      unlessProven(g, DOUBLE, 1, [isNxSet(g), isExact]),
      SINGLE.write(g, result.get),
    ];
  };
}

/** fcvt.d.l, d.lu, s.l, s.lu: exact iff converting back gives the integer again. */
export function emitFromLong(width: Width, name: "l" | "lu"): (g: Operands) => Code {
  const isSigned = name === "l";
  const isSingle = width.type === "f32";
  const toSingle = isSigned ? f32ConvertI64S : f32ConvertI64U;
  const toDouble = isSigned ? f64ConvertI64S : f64ConvertI64U;
  const conversion = 4 + (isSingle ? 0 : 2) + (isSigned ? 0 : 1);
  return (g) => {
    const result = width.scratch(g, 0);
    const isBack = i64.eq(truncSat(conversion, result.get), g.rs1());
    // The largest integer rounds up, out of range, and would come back saturated: equal, though inexact.
    const isLargest = i64.eq(g.rs1(), i64.const(SHAPES[name].largest));
    return [
      result.set(isSingle ? toSingle(g.rs1()) : toDouble(g.rs1())),
      unlessProven(g, DOUBLE, 1, [isNxSet(g), i32.and(isBack, i32.eqz(isLargest))]),
      width.write(g, result.get),
    ];
  };
}

/** fcvt.s.d: as the arithmetic, with the operand itself to compare the result with. */
export function emitNarrow(g: Operands): Code {
  const value = g.scratch("f64", 0);
  const result = g.scratch("f32", 0);
  return [
    value.set(g.fs1Double()),
    result.set(f32DemoteF64(value.get)),
    unlessProven(g, DOUBLE, 1, [
      i32.and(isNxSet(g), isOrdinary(SINGLE, result.get)),
      f64.eq(asDouble(SINGLE, result.get), value.get),
    ]),
    SINGLE.write(g, result.get),
  ];
}

/** fcvt.d.s: exact, but for NaNs. */
export function emitWiden(g: Operands): Code {
  const value = g.scratch("f32", 0);
  return [
    value.set(SINGLE.source(g, 1)),
    unlessProven(g, SINGLE, 1, [f32.eq(value.get, value.get)]),
    g.writeFdDouble(asDouble(SINGLE, value.get)),
  ];
}
