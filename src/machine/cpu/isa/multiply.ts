import type { InstructionDefinition, Operands } from "../operands.ts";
import { type Binary, type Code, i32, i64, ifElse } from "../wasm-encoder.ts";
import { byFunct7, OP, OP_32 } from "./encoding.ts";

/**
 * RV64M: multiplication and division (RISC-V unprivileged manual, chapter 12).
 *
 * WebAssembly has no product of 128 bits, so the high half is put together from four products of 32-bit halves, as
 * one multiplies on paper. Division never traps in RISC-V: by zero it gives all ones (the remainder: the dividend),
 * and the one overflow, the least number by −1, gives the dividend (the remainder: 0).
 */

const MULDIV = 0x01;
const LOW_HALF: Code = i64.const(0xffffffff);
const low = (a: Code): Code => i64.and(a, LOW_HALF);
const high = (a: Code): Code => i64.shrU(a, i64.const(32));
const isNegative = (a: Code): Code => i64.shrS(a, i64.const(63));

/** The high 64 bits of rs1 × rs2, where `signs` corrects the product of the unsigned numbers. */
const highProduct = (signs: (hi: Code, a: Code, b: Code) => Code) => (g: Operands) => {
  const a = g.scratch("i64", 0);
  const b = g.scratch("i64", 1);
  const middle = g.scratch("i64", 2);
  const cross = g.scratch("i64", 3);
  // middle = aHigh·bLow + carry of aLow·bLow; cross = aLow·bHigh + low half of middle: neither can overflow.
  const hi = i64.add(i64.add(i64.mul(high(a.get), high(b.get)), high(middle.get)), high(cross.get));
  return [
    a.set(g.rs1()),
    b.set(g.rs2()),
    middle.set(i64.add(i64.mul(high(a.get), low(b.get)), high(i64.mul(low(a.get), low(b.get))))),
    cross.set(i64.add(i64.mul(low(a.get), high(b.get)), low(middle.get))),
    g.writeRd(signs(hi, a.get, b.get)),
  ];
};

/** −2^64·b where the signed a is negative: what the unsigned product has too much. */
const excess = (a: Code, b: Code): Code => i64.and(isNegative(a), b);

/** `operation` on the 64-bit registers, or `byZero` of the dividend; `byMinusOne` where the operation may trap. */
const divide =
  (operation: Binary, byZero: (a: Code) => Code, byMinusOne?: (a: Code) => Code) => (g: Operands) => {
    const a = g.scratch("i64", 0);
    const b = g.scratch("i64", 1);
    const quotient = operation(a.get, b.get);
    const nonZero =
      byMinusOne === undefined
        ? quotient
        : ifElse(i64.eq(b.get, i64.const(-1)), byMinusOne(a.get), quotient, "i64");
    return [a.set(g.rs1()), b.set(g.rs2()), g.writeRd(ifElse(i64.eqz(b.get), byZero(a.get), nonZero, "i64"))];
  };

/** The same on the low 32 bits. */
const divideLow =
  (operation: Binary, byZero: (a: Code) => Code, byMinusOne?: (a: Code) => Code) => (g: Operands) => {
    const a = g.scratch("i32", 0);
    const b = g.scratch("i32", 1);
    const quotient = operation(a.get, b.get);
    const nonZero =
      byMinusOne === undefined
        ? quotient
        : ifElse(i32.eq(b.get, i32.const(-1)), byMinusOne(a.get), quotient, "i32");
    return [
      a.set(g.rs1Low()),
      b.set(g.rs2Low()),
      g.writeRdLow(ifElse(i32.eqz(b.get), byZero(a.get), nonZero, "i32")),
    ];
  };

const allOnes = (): Code => i64.const(-1);
const allOnesLow = (): Code => i32.const(-1);
const itself = (a: Code): Code => a;
const negated = (a: Code): Code => i64.sub(i64.const(0), a);
const negatedLow = (a: Code): Code => i32.sub(i32.const(0), a);

export const multiplyInstructions: readonly InstructionDefinition[] = [
  byFunct7("mul", OP, 0, MULDIV, (g) => g.writeRd(i64.mul(g.rs1(), g.rs2()))),
  byFunct7(
    "mulh",
    OP,
    1,
    MULDIV,
    highProduct((hi, a, b) => i64.sub(i64.sub(hi, excess(a, b)), excess(b, a))),
  ),
  byFunct7(
    "mulhsu",
    OP,
    2,
    MULDIV,
    highProduct((hi, a, b) => i64.sub(hi, excess(a, b))),
  ),
  byFunct7("mulhu", OP, 3, MULDIV, highProduct(itself)),
  byFunct7("div", OP, 4, MULDIV, divide(i64.divS, allOnes, negated)),
  byFunct7("divu", OP, 5, MULDIV, divide(i64.divU, allOnes)),
  byFunct7("rem", OP, 6, MULDIV, divide(i64.remS, itself)),
  byFunct7("remu", OP, 7, MULDIV, divide(i64.remU, itself)),
  byFunct7("mulw", OP_32, 0, MULDIV, (g) => g.writeRdLow(i32.mul(g.rs1Low(), g.rs2Low()))),
  byFunct7("divw", OP_32, 4, MULDIV, divideLow(i32.divS, allOnesLow, negatedLow)),
  byFunct7("divuw", OP_32, 5, MULDIV, divideLow(i32.divU, allOnesLow)),
  byFunct7("remw", OP_32, 6, MULDIV, divideLow(i32.remS, itself)),
  byFunct7("remuw", OP_32, 7, MULDIV, divideLow(i32.remU, itself)),
];
