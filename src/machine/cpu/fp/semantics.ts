import { BINARY32, BINARY64, type FloatFormat, type FloatResult } from "./format.ts";
import { classify, compare, minMax } from "./soft-compare.ts";
import {
  convertFormat,
  convertFromInteger,
  convertToInteger,
  INT32,
  INT64,
  UINT32,
  UINT64,
} from "./soft-convert.ts";
import { add, div, fma, mul, sqrt, sub } from "./soft-float.ts";

/**
 * Every instruction of F and D by name, as a function from whole registers to a whole register: the soft
 * float with RISC-V's registers around it. The slow path executes these, and the tests hold the generated
 * code against them.
 *
 * A floating-point register has 64 bits. A single lies in the low half with all ones above ("NaN boxing"), so
 * that who reads it as a double finds a NaN. Who reads a single that is not boxed so finds the canonical NaN.
 */

/** The register files of rd and of the sources rs1, rs2, rs3, in order: "x" or "f". */
export interface Semantics {
  readonly rd: "f" | "x";
  readonly sources: string;
  /** Whether a rounding mode belongs to it, also where it can't matter. */
  readonly isRounded: boolean;
  /** The 64 bits of rd, and the flags raised. `rm` is one of the five modes. */
  readonly run: (a: bigint, b: bigint, c: bigint, rm: number) => FloatResult;
}

const BOX = 0xffff_ffff_0000_0000n;

function unbox(format: FloatFormat, register: bigint): bigint {
  if (format === BINARY64) return register;
  return (register & BOX) === BOX ? register & 0xffff_ffffn : BINARY32.canonicalNan;
}

function box(format: FloatFormat, { bits, flags }: FloatResult): FloatResult {
  return { bits: format === BINARY64 ? bits : bits | BOX, flags };
}

const exactly = (bits: bigint): FloatResult => ({ bits, flags: 0 });

function addFormat(table: Map<string, Semantics>, format: FloatFormat, suffix: "s" | "d"): void {
  const { signBit } = format;
  const u = (register: bigint): bigint => unbox(format, register);
  type Run = Semantics["run"];
  const define = (name: string, shape: string, isRounded: boolean, run: Run): void => {
    const rd = shape.startsWith("x") ? "x" : "f";
    const boxed: Run = rd === "x" ? run : (a, b, c, rm) => box(format, run(a, b, c, rm));
    table.set(name, { rd, sources: shape.slice(2), isRounded, run: boxed });
  };
  const rounded = (name: string, shape: string, run: Run): void => define(name, shape, true, run);
  const plain = (name: string, shape: string, run: Run): void => define(name, shape, false, run);

  rounded(`fadd.${suffix}`, "f=ff", (a, b, _c, rm) => add(format, u(a), u(b), rm));
  rounded(`fsub.${suffix}`, "f=ff", (a, b, _c, rm) => sub(format, u(a), u(b), rm));
  rounded(`fmul.${suffix}`, "f=ff", (a, b, _c, rm) => mul(format, u(a), u(b), rm));
  rounded(`fdiv.${suffix}`, "f=ff", (a, b, _c, rm) => div(format, u(a), u(b), rm));
  rounded(`fsqrt.${suffix}`, "f=f", (a, _b, _c, rm) => sqrt(format, u(a), rm));
  // fmadd ab+c, fmsub ab-c, fnmsub -ab+c, fnmadd -ab-c: the product is negated, not the rounded result.
  for (const [name, product, addend] of [
    ["fmadd", 0n, 0n],
    ["fmsub", 0n, signBit],
    ["fnmsub", signBit, 0n],
    ["fnmadd", signBit, signBit],
  ] as const) {
    rounded(`${name}.${suffix}`, "f=fff", (a, b, c, rm) =>
      fma(format, u(a) ^ product, u(b), u(c) ^ addend, rm),
    );
  }

  const magnitude = (a: bigint): bigint => u(a) & ~signBit;
  plain(`fsgnj.${suffix}`, "f=ff", (a, b) => exactly(magnitude(a) | (u(b) & signBit)));
  plain(`fsgnjn.${suffix}`, "f=ff", (a, b) => exactly(magnitude(a) | (~u(b) & signBit)));
  plain(`fsgnjx.${suffix}`, "f=ff", (a, b) => exactly(u(a) ^ (u(b) & signBit)));
  plain(`fmin.${suffix}`, "f=ff", (a, b) => minMax(format, u(a), u(b), "min"));
  plain(`fmax.${suffix}`, "f=ff", (a, b) => minMax(format, u(a), u(b), "max"));
  plain(`feq.${suffix}`, "x=ff", (a, b) => compare(format, u(a), u(b), "eq"));
  plain(`flt.${suffix}`, "x=ff", (a, b) => compare(format, u(a), u(b), "lt"));
  plain(`fle.${suffix}`, "x=ff", (a, b) => compare(format, u(a), u(b), "le"));
  plain(`fclass.${suffix}`, "x=f", (a) => exactly(classify(format, u(a))));

  for (const [name, type] of [
    ["w", INT32],
    ["wu", UINT32],
    ["l", INT64],
    ["lu", UINT64],
  ] as const) {
    rounded(`fcvt.${name}.${suffix}`, "x=f", (a, _b, _c, rm) => convertToInteger(format, u(a), type, rm));
    rounded(`fcvt.${suffix}.${name}`, "f=x", (a, _b, _c, rm) => convertFromInteger(format, a, type, rm));
  }
  if (suffix === "s") {
    rounded("fcvt.s.d", "f=f", (a, _b, _c, rm) => convertFormat(BINARY64, BINARY32, a, rm));
    // The moves take the low word as it is, boxed or not.
    plain("fmv.x.w", "x=f", (a) => exactly(BigInt.asUintN(64, BigInt.asIntN(32, a))));
    plain("fmv.w.x", "f=x", (a) => exactly(a & 0xffff_ffffn));
  } else {
    rounded("fcvt.d.s", "f=f", (a, _b, _c, rm) => convertFormat(BINARY32, BINARY64, unbox(BINARY32, a), rm));
    plain("fmv.x.d", "x=f", (a) => exactly(a));
    plain("fmv.d.x", "f=x", (a) => exactly(a));
  }
}

function makeTable(): ReadonlyMap<string, Semantics> {
  const table = new Map<string, Semantics>();
  addFormat(table, BINARY32, "s");
  addFormat(table, BINARY64, "d");
  return table;
}

export const fpSemantics: ReadonlyMap<string, Semantics> = makeTable();
