import type { SlowPath, SlowState } from "../operands.ts";
import { RM_DYN, RM_RMM } from "./format.ts";
import type { Semantics } from "./semantics.ts";

/**
 * The slow path of one instruction: registers out of the machine's state, the soft float, result and flags
 * back.
 */

function readRegister({ words }: SlowState, base: number, number: number): bigint {
  const low = BigInt.asUintN(32, BigInt(words[base + 2 * number]));
  const high = BigInt.asUintN(32, BigInt(words[base + 2 * number + 1]));
  return (high << 32n) | low;
}

function writeRegister({ words }: SlowState, base: number, number: number, value: bigint): void {
  words[base + 2 * number] = Number(BigInt.asIntN(32, value));
  words[base + 2 * number + 1] = Number(BigInt.asIntN(32, value >> 32n));
}

/**
 * Illegal (false) when the rounding mode is a reserved one, in the instruction or, where that says dynamic,
 * in frm.
 */
export function makeSlowPath({ rd, sources, isRounded, run }: Semantics): SlowPath {
  return (instruction, state) => {
    let rm = 0;
    if (isRounded) {
      rm = (instruction >>> 12) & 7;
      if (rm === RM_DYN) rm = state.words[state.frm];
      if (rm > RM_RMM) return false;
    }
    const source = (index: number, shift: number): bigint => {
      if (index >= sources.length) return 0n;
      return readRegister(state, sources[index] === "x" ? state.x : state.f, (instruction >>> shift) & 31);
    };
    const { bits, flags } = run(source(0, 15), source(1, 20), source(2, 27), rm);
    const target = (instruction >>> 7) & 31;
    if (rd === "f") writeRegister(state, state.f, target, bits);
    else if (target !== 0) writeRegister(state, state.x, target, bits);
    state.words[state.fflags] |= flags;
    return true;
  };
}
