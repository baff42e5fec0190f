import type { InstructionDefinition } from "../operands.ts";
import { i64, i64Load, i64Load32U, i64Store, i64Store32 } from "../wasm-encoder.ts";
import { byFunct3, LOAD_FP, STORE_FP } from "./encoding.ts";

/**
 * Loads and stores of floating-point registers (RISC-V unprivileged manual, chapters 20 and 21).
 *
 * A 32-bit value lives NaN-boxed in the 64-bit register: all ones above it. The values pass through as they are,
 * signalling NaNs too.
 */

const BOX: bigint = 0xffffffff_00000000n;

export const floatMemoryInstructions: readonly InstructionDefinition[] = [
  byFunct3("flw", "I", LOAD_FP, 2, (g) => g.writeFd(i64.or(g.load(4, i64Load32U), i64.const(BOX))), {
    floats: ["rd"],
  }),
  byFunct3("fld", "I", LOAD_FP, 3, (g) => g.writeFd(g.load(8, i64Load)), { floats: ["rd"] }),
  byFunct3("fsw", "S", STORE_FP, 2, (g) => g.store(4, i64Store32, g.fs2()), { floats: ["rs2"] }),
  byFunct3("fsd", "S", STORE_FP, 3, (g) => g.store(8, i64Store, g.fs2()), { floats: ["rs2"] }),
];
