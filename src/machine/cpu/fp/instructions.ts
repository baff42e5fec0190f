import type { InstructionDefinition, Operands } from "../operands.ts";
import type { Code } from "../wasm-encoder.ts";
import { emitAdd, emitDivide, emitMultiply, emitSqrt } from "./arithmetic.ts";
import {
  emitClassify,
  emitCompare,
  emitMinMax,
  emitMoveDX,
  emitMoveWX,
  emitMoveXD,
  emitMoveXW,
  emitSign,
} from "./compare.ts";
import {
  emitDoubleFromWord,
  emitFromLong,
  emitNarrow,
  emitSingleFromWord,
  emitToInteger,
  emitWiden,
} from "./conversions.ts";
import { emitFusedDouble, emitFusedSingle, type FusedSigns } from "./fused.ts";
import { fpSemantics, type Semantics } from "./semantics.ts";
import { makeSlowPath } from "./slow-path.ts";
import { DOUBLE, SINGLE, type Width } from "./width.ts";

/**
 * The instructions of F and D that compute: their encodings, their generated code, their slow path. Loads,
 * stores and fcsr belong to the table of the integer unit.
 *
 * ```
 *   31       25 24  20 19  15 14  12 11  7 6      0
 *   funct7      rs2    rs1    rm     rd    1010011     one or two sources; fmt is funct7[1:0]: 00 S, 01 D
 *   rs3  | fmt  rs2    rs1    rm     rd    100xx11     fmadd 00, fmsub 01, fnmsub 10, fnmadd 11
 * ```
 *
 * Where nothing is rounded the rm field is part of the opcode; where there is no rs2 that field is too.
 */

type Emit = (g: Operands) => Code;

const OP_FP = 0x53;
const REGISTER_FIELDS = ["rs1", "rs2", "rs3"] as const;

function define(name: string, fixed: { mask: number; match: number }, emit: Emit): InstructionDefinition {
  const semantics: Semantics | undefined = fpSemantics.get(name);
  if (semantics === undefined) throw new Error(`fp instructions: ${name} has no semantics`);
  const { rd, sources, isRounded } = semantics;
  const floats = REGISTER_FIELDS.filter((_field, index) => sources[index] === "f");
  return {
    name,
    format: sources.length === 3 ? "R4" : "R",
    mask: fixed.mask >>> 0,
    match: fixed.match >>> 0,
    floats: rd === "f" ? ["rd", ...floats] : floats,
    rounded: isRounded,
    emit,
    slow: makeSlowPath(semantics),
  };
}

/** The encoding in OP-FP: `rm` and `rs2` are given where they are part of the opcode. */
function opFp(funct7: number, parts: { rm?: number; rs2?: number } = {}): { mask: number; match: number } {
  let mask = (0x7f << 25) | 0x7f;
  let match = (funct7 << 25) | OP_FP;
  if (parts.rm !== undefined) {
    mask |= 7 << 12;
    match |= parts.rm << 12;
  }
  if (parts.rs2 !== undefined) {
    mask |= 31 << 20;
    match |= parts.rs2 << 20;
  }
  return { mask, match };
}

const FUSED: readonly (readonly [name: string, opcode: number, signs: FusedSigns])[] = [
  ["fmadd", 0x43, { product: false, addend: false }],
  ["fmsub", 0x47, { product: false, addend: true }],
  ["fnmsub", 0x4b, { product: true, addend: false }],
  ["fnmadd", 0x4f, { product: true, addend: true }],
];

function definitionsOf(width: Width, fmt: 0 | 1): InstructionDefinition[] {
  const isSingle = width.type === "f32";
  const named = (name: string): string => `${name}.${width.suffix}`;
  const fused = isSingle ? emitFusedSingle : emitFusedDouble;
  return [
    define(named("fadd"), opFp(0x00 | fmt), emitAdd(width, /* isSubtraction */ false)),
    define(named("fsub"), opFp(0x04 | fmt), emitAdd(width, /* isSubtraction */ true)),
    define(named("fmul"), opFp(0x08 | fmt), emitMultiply(width)),
    define(named("fdiv"), opFp(0x0c | fmt), emitDivide(width)),
    define(named("fsqrt"), opFp(0x2c | fmt, { rs2: 0 }), emitSqrt(width)),
    ...FUSED.map(([name, opcode, signs]) =>
      define(named(name), { mask: (3 << 25) | 0x7f, match: (fmt << 25) | opcode }, fused(signs)),
    ),
    define(named("fsgnj"), opFp(0x10 | fmt, { rm: 0 }), emitSign(width, "j")),
    define(named("fsgnjn"), opFp(0x10 | fmt, { rm: 1 }), emitSign(width, "jn")),
    define(named("fsgnjx"), opFp(0x10 | fmt, { rm: 2 }), emitSign(width, "jx")),
    define(named("fmin"), opFp(0x14 | fmt, { rm: 0 }), emitMinMax(width, "min")),
    define(named("fmax"), opFp(0x14 | fmt, { rm: 1 }), emitMinMax(width, "max")),
    define(named("fle"), opFp(0x50 | fmt, { rm: 0 }), emitCompare(width, "le")),
    define(named("flt"), opFp(0x50 | fmt, { rm: 1 }), emitCompare(width, "lt")),
    define(named("feq"), opFp(0x50 | fmt, { rm: 2 }), emitCompare(width, "eq")),
    define(named("fclass"), opFp(0x70 | fmt, { rm: 1, rs2: 0 }), emitClassify(width)),
    ...(["w", "wu", "l", "lu"] as const).flatMap((integer, rs2) => {
      const fromWord = isSingle ? emitSingleFromWord : emitDoubleFromWord;
      const from = integer === "w" || integer === "wu" ? fromWord(integer) : emitFromLong(width, integer);
      return [
        define(named(`fcvt.${integer}`), opFp(0x60 | fmt, { rs2 }), emitToInteger(width, integer)),
        define(`fcvt.${width.suffix}.${integer}`, opFp(0x68 | fmt, { rs2 }), from),
      ];
    }),
  ];
}

export const fpInstructions: readonly InstructionDefinition[] = [
  ...definitionsOf(SINGLE, 0),
  ...definitionsOf(DOUBLE, 1),
  define("fcvt.s.d", opFp(0x20, { rs2: 1 }), emitNarrow),
  define("fcvt.d.s", opFp(0x21, { rs2: 0 }), emitWiden),
  define("fmv.x.w", opFp(0x70, { rm: 0, rs2: 0 }), emitMoveXW),
  define("fmv.x.d", opFp(0x71, { rm: 0, rs2: 0 }), emitMoveXD),
  define("fmv.w.x", opFp(0x78, { rm: 0, rs2: 0 }), emitMoveWX),
  define("fmv.d.x", opFp(0x79, { rm: 0, rs2: 0 }), emitMoveDX),
];
