import type { Operands } from "../operands.ts";
import {
  type Code,
  type FloatOps,
  f32,
  f32ReinterpretI32,
  f64,
  f64PromoteF32,
  i32,
  i32ReinterpretF32,
  i64,
  i64ExtendI32U,
  i64ReinterpretF64,
  type Local,
} from "../wasm-encoder.ts";
import { FLAG_NX } from "./format.ts";

/**
 * Singles and doubles as generated code handles them: the same steps with other opcodes, and for singles the
 * boxes.
 */

export interface Width {
  readonly suffix: "s" | "d";
  readonly type: "f32" | "f64";
  readonly ops: FloatOps;
  /** The smallest normal number; between it and infinity an operation can raise nothing but NX. */
  readonly minNormal: number;
  /** Source register 1, 2 or 3 as a value, whatever its box. */
  source(g: Operands, number: 1 | 2 | 3): Code;
  write(g: Operands, value: Code): Code;
  /** A scratch local of this width. */
  scratch(g: Operands, index: number): Local;
  /**
   * i32: whether the first `count` sources are boxed. A single that is not goes the slow way: no program has
   * one.
   */
  areBoxed(g: Operands, count: 1 | 2 | 3): Code;
  /** i32: whether the value (read twice) is a signaling NaN. */
  isSignaling(value: Code): Code;
}

/** All ones above the low half. */
const BOX = -0x1_0000_0000n;
const ALWAYS: Code = i32.const(1);

export const SINGLE: Width = {
  suffix: "s",
  type: "f32",
  ops: f32,
  minNormal: 2 ** -126,
  source: (g, number) =>
    f32ReinterpretI32(number === 1 ? g.fs1Low() : number === 2 ? g.fs2Low() : g.fs3Low()),
  write: (g, value) => writeBoxed(g, i32ReinterpretF32(value)),
  scratch: (g, index) => g.scratch("f32", index),
  areBoxed: (g, count) => {
    const registers = [g.fs1(), g.fs2(), g.fs3()].slice(0, count);
    // Boxed means all ones above, so the registers' AND is too, iff all are.
    return i64.geU(registers.reduce(i64.and), i64.const(BOX));
  },
  isSignaling: (value) => {
    const magnitude = i32.and(i32ReinterpretF32(value), i32.const(0x7fff_ffff));
    return i32.ltU(i32.sub(magnitude, i32.const(0x7f80_0001)), i32.const(0x3f_ffff));
  },
};

export const DOUBLE: Width = {
  suffix: "d",
  type: "f64",
  ops: f64,
  minNormal: 2 ** -1022,
  source: (g, number) => (number === 1 ? g.fs1Double() : number === 2 ? g.fs2Double() : g.fs3Double()),
  write: (g, value) => g.writeFdDouble(value),
  scratch: (g, index) => g.scratch("f64", index),
  areBoxed: () => ALWAYS,
  isSignaling: (value) => {
    const magnitude = i64.and(i64ReinterpretF64(value), i64.const(0x7fff_ffff_ffff_ffffn));
    return i64.ltU(i64.sub(magnitude, i64.const(0x7ff0_0000_0000_0001n)), i64.const(0x7_ffff_ffff_ffffn));
  },
};

/** fd = the single with these 32 bits (an i32). */
export function writeBoxed(g: Operands, bits: Code): Code {
  return g.writeFd(i64.or(i64ExtendI32U(bits), i64.const(BOX)));
}

/** A value of either width as a double, which loses nothing. */
export function asDouble(width: Width, value: Code): Code {
  return width.type === "f32" ? f64PromoteF32(value) : value;
}

export function isFiniteValue({ ops }: Width, value: Code): Code {
  return ops.lt(ops.abs(value), ops.const(Number.POSITIVE_INFINITY));
}

export function isInfinite({ ops }: Width, value: Code): Code {
  return ops.eq(ops.abs(value), ops.const(Number.POSITIVE_INFINITY));
}

export function isZero({ ops }: Width, value: Code): Code {
  return ops.eq(value, ops.const(0));
}

/**
 * A finite number above the smallest normal one. That one itself may have been rounded up to, which is
 * underflow.
 */
export function isOrdinary(width: Width, value: Code): Code {
  const { ops, minNormal } = width;
  return i32.and(ops.gt(ops.abs(value), ops.const(minNormal)), isFiniteValue(width, value));
}

/** i32: 1 when NX is set already. Flags only accumulate, so one more inexact result changes nothing then. */
export function isNxSet(g: Operands): Code {
  return i32.and(g.fflags(), i32.const(FLAG_NX));
}
