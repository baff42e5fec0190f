import type { Format, InstructionDefinition, Operands, SlowPath } from "../operands.ts";
import type { Code } from "../wasm-encoder.ts";

/**
 * How the tables of instructions are written: one call per instruction, with the fields by which the manual's
 * opcode listing tells it from all others.
 */

/** Major opcodes (RISC-V unprivileged manual, chapter "RV32/64G Instruction Set Listings"). */
export const LOAD = 0x03;
export const LOAD_FP = 0x07;
export const MISC_MEM = 0x0f;
export const OP_IMM = 0x13;
export const AUIPC = 0x17;
export const OP_IMM_32 = 0x1b;
export const STORE = 0x23;
export const STORE_FP = 0x27;
export const AMO = 0x2f;
export const OP = 0x33;
export const LUI = 0x37;
export const OP_32 = 0x3b;
export const BRANCH = 0x63;
export const JALR = 0x67;
export const JAL = 0x6f;
export const SYSTEM = 0x73;

export interface DefinitionExtras {
  readonly floats?: readonly ("rd" | "rs1" | "rs2" | "rs3")[];
  readonly ends?: boolean;
  readonly slow?: SlowPath;
}

type Emit = (g: Operands) => Code;

const MASK_OPCODE = 0x7f;
const MASK_FUNCT3 = 0x707f;
const MASK_FUNCT7 = 0xfe00707f;

/** Known by its major opcode alone. */
export function byOpcode(
  name: string,
  format: Format,
  opcode: number,
  emit: Emit,
  extras: DefinitionExtras = {},
): InstructionDefinition {
  return { name, format, mask: MASK_OPCODE, match: opcode, emit, ...extras };
}

/** Known by major opcode and funct3. */
export function byFunct3(
  name: string,
  format: Format,
  opcode: number,
  funct3: number,
  emit: Emit,
  extras: DefinitionExtras = {},
): InstructionDefinition {
  return { name, format, mask: MASK_FUNCT3, match: opcode | (funct3 << 12), emit, ...extras };
}

/** Known by major opcode, funct3 and funct7. */
export function byFunct7(
  name: string,
  opcode: number,
  funct3: number,
  funct7: number,
  emit: Emit,
  extras: DefinitionExtras = {},
): InstructionDefinition {
  const match = (opcode | (funct3 << 12) | (funct7 << 25)) >>> 0;
  return { name, format: "R", mask: MASK_FUNCT7, match, emit, ...extras };
}

/** A shift by an immediate of `bits` bits (6, or 5 in the -w forms), with what stands above it. */
export function byShift(
  name: string,
  opcode: number,
  funct3: number,
  bits: 5 | 6,
  upper: number,
  emit: Emit,
): InstructionDefinition {
  const mask = (MASK_FUNCT3 | (-1 << (20 + bits))) >>> 0;
  const match = (opcode | (funct3 << 12) | (upper << 25)) >>> 0;
  return { name, format: "Shift", mask, match, emit };
}

/** Known by all its 32 bits. */
export function byWord(name: string, word: number, emit: Emit): InstructionDefinition {
  return { name, format: "None", mask: 0xffffffff, match: word, emit };
}

/** The fields of a 32-bit instruction word. */
export const rdOf = (word: number): number => (word >>> 7) & 31;
export const rs1Of = (word: number): number => (word >>> 15) & 31;
export const rs2Of = (word: number): number => (word >>> 20) & 31;
export const rs3Of = (word: number): number => word >>> 27;
export const funct3Of = (word: number): number => (word >>> 12) & 7;

/** The immediate of a word, as a signed 32-bit number (U: already shifted). */
export function immediateOf(format: Format, word: number): number {
  switch (format) {
    case "I":
      return word >> 20;
    case "Shift":
      return (word >>> 20) & 63;
    case "S":
      return ((word >> 25) << 5) | ((word >>> 7) & 31);
    case "B":
      return ((word >> 31) << 12) | ((word & 0x80) << 4) | ((word >>> 20) & 0x7e0) | ((word >>> 7) & 0x1e);
    case "U":
      return word & 0xfffff000;
    case "J":
      return ((word >> 31) << 20) | (word & 0xff000) | ((word >>> 9) & 0x800) | ((word >>> 20) & 0x7fe);
    default:
      return 0;
  }
}
