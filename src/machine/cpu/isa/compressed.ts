import {
  BRANCH,
  JAL,
  JALR,
  LOAD,
  LOAD_FP,
  LUI,
  OP,
  OP_32,
  OP_IMM,
  OP_IMM_32,
  STORE,
  STORE_FP,
} from "./encoding.ts";

/**
 * RV64C: the 16-bit instructions (RISC-V unprivileged manual, chapter 27).
 *
 * Each is a short spelling of one 32-bit instruction, so its meaning is that instruction's. The two low bits are the
 * quadrant, 0 … 2 (3 marks the longer instructions); with bits 15:13 they choose the format. Three-bit register fields
 * name x8 … x15. Immediates are scattered so that hardware shares wires; `pick` gathers them.
 */

/** What `expand` answers for an encoding that is reserved: a word that is no instruction. */
const ILLEGAL = 0;

const SP = 2;
const RA = 1;
const EBREAK = 0x0010_0073;

const encodeR = (
  opcode: number,
  funct3: number,
  funct7: number,
  rd: number,
  rs1: number,
  rs2: number,
): number => (opcode | (rd << 7) | (funct3 << 12) | (rs1 << 15) | (rs2 << 20) | (funct7 << 25)) >>> 0;
const encodeI = (opcode: number, funct3: number, rd: number, rs1: number, imm: number): number =>
  (opcode | (rd << 7) | (funct3 << 12) | (rs1 << 15) | (imm << 20)) >>> 0;
const encodeS = (opcode: number, funct3: number, rs1: number, rs2: number, imm: number): number =>
  (opcode | ((imm & 31) << 7) | (funct3 << 12) | (rs1 << 15) | (rs2 << 20) | ((imm >> 5) << 25)) >>> 0;
const encodeB = (funct3: number, rs1: number, imm: number): number =>
  (BRANCH |
    ((imm & 0x1e) << 7) |
    ((imm & 0x800) >> 4) |
    (funct3 << 12) |
    (rs1 << 15) |
    ((imm & 0x7e0) << 20) |
    ((imm & 0x1000) << 19)) >>>
  0;
const encodeJ = (rd: number, imm: number): number =>
  (JAL |
    (rd << 7) |
    (imm & 0xff000) |
    ((imm & 0x800) << 9) |
    ((imm & 0x7fe) << 20) |
    ((imm & 0x100000) << 11)) >>>
  0;

/** `width` bits of `word` from bit `from`, placed at bit `to`. */
const pick = (word: number, from: number, width: number, to: number): number =>
  ((word >>> from) & ((1 << width) - 1)) << to;
const signExtend = (value: number, bits: number): number => (value << (32 - bits)) >> (32 - bits);

/** Fields: the full-width rd/rs1 and rs2, and the three-bit ones. */
const rdOf = (c: number): number => (c >>> 7) & 31;
const rs2Of = (c: number): number => (c >>> 2) & 31;
const highRegister = (c: number): number => 8 + ((c >>> 7) & 7);
const lowRegister = (c: number): number => 8 + ((c >>> 2) & 7);

const imm6 = (c: number): number => signExtend(pick(c, 12, 1, 5) | pick(c, 2, 5, 0), 6);
const shift6 = (c: number): number => pick(c, 12, 1, 5) | pick(c, 2, 5, 0);
const offsetWord = (c: number): number => pick(c, 10, 3, 3) | pick(c, 6, 1, 2) | pick(c, 5, 1, 6);
const offsetDouble = (c: number): number => pick(c, 10, 3, 3) | pick(c, 5, 2, 6);
const stackLoadWord = (c: number): number => pick(c, 12, 1, 5) | pick(c, 4, 3, 2) | pick(c, 2, 2, 6);
const stackLoadDouble = (c: number): number => pick(c, 12, 1, 5) | pick(c, 5, 2, 3) | pick(c, 2, 3, 6);
const stackStoreWord = (c: number): number => pick(c, 9, 4, 2) | pick(c, 7, 2, 6);
const stackStoreDouble = (c: number): number => pick(c, 10, 3, 3) | pick(c, 7, 3, 6);
const addi4spn = (c: number): number =>
  pick(c, 11, 2, 4) | pick(c, 7, 4, 6) | pick(c, 6, 1, 2) | pick(c, 5, 1, 3);
const addi16sp = (c: number): number =>
  signExtend(
    pick(c, 12, 1, 9) | pick(c, 6, 1, 4) | pick(c, 5, 1, 6) | pick(c, 3, 2, 7) | pick(c, 2, 1, 5),
    10,
  );
const branchOffset = (c: number): number =>
  signExtend(
    pick(c, 12, 1, 8) | pick(c, 10, 2, 3) | pick(c, 5, 2, 6) | pick(c, 3, 2, 1) | pick(c, 2, 1, 5),
    9,
  );
const jumpOffset = (c: number): number =>
  signExtend(
    pick(c, 12, 1, 11) |
      pick(c, 11, 1, 4) |
      pick(c, 9, 2, 8) |
      pick(c, 8, 1, 10) |
      pick(c, 7, 1, 6) |
      pick(c, 6, 1, 7) |
      pick(c, 3, 3, 1) |
      pick(c, 2, 1, 5),
    12,
  );

function quadrant0(c: number): number {
  const rs1 = highRegister(c);
  const reg = lowRegister(c);
  switch (c >>> 13) {
    case 0: // c.addi4spn; immediate 0 is reserved (and all zeros is illegal by definition)
      return addi4spn(c) === 0 ? ILLEGAL : encodeI(OP_IMM, 0, reg, SP, addi4spn(c));
    case 1: // c.fld
      return encodeI(LOAD_FP, 3, reg, rs1, offsetDouble(c));
    case 2: // c.lw
      return encodeI(LOAD, 2, reg, rs1, offsetWord(c));
    case 3: // c.ld
      return encodeI(LOAD, 3, reg, rs1, offsetDouble(c));
    case 5: // c.fsd
      return encodeS(STORE_FP, 3, rs1, reg, offsetDouble(c));
    case 6: // c.sw
      return encodeS(STORE, 2, rs1, reg, offsetWord(c));
    case 7: // c.sd
      return encodeS(STORE, 3, rs1, reg, offsetDouble(c));
    default:
      return ILLEGAL;
  }
}

/** Quadrant 1, bits 15:13 = 100: c.srli, c.srai, c.andi and the register forms. */
function arithmetic(c: number): number {
  const rd = highRegister(c);
  const rs2 = lowRegister(c);
  switch ((c >>> 10) & 3) {
    case 0: // c.srli
      return encodeI(OP_IMM, 5, rd, rd, shift6(c));
    case 1: // c.srai
      return encodeI(OP_IMM, 5, rd, rd, shift6(c) | 0x400);
    case 2: // c.andi
      return encodeI(OP_IMM, 7, rd, rd, imm6(c));
  }
  switch (((c >>> 10) & 4) | ((c >>> 5) & 3)) {
    case 0: // c.sub
      return encodeR(OP, 0, 0x20, rd, rd, rs2);
    case 1: // c.xor
      return encodeR(OP, 4, 0, rd, rd, rs2);
    case 2: // c.or
      return encodeR(OP, 6, 0, rd, rd, rs2);
    case 3: // c.and
      return encodeR(OP, 7, 0, rd, rd, rs2);
    case 4: // c.subw
      return encodeR(OP_32, 0, 0x20, rd, rd, rs2);
    case 5: // c.addw
      return encodeR(OP_32, 0, 0, rd, rd, rs2);
    default:
      return ILLEGAL;
  }
}

function quadrant1(c: number): number {
  const rd = rdOf(c);
  switch (c >>> 13) {
    case 0: // c.addi, c.nop
      return encodeI(OP_IMM, 0, rd, rd, imm6(c));
    case 1: // c.addiw; rd = 0 is reserved
      return rd === 0 ? ILLEGAL : encodeI(OP_IMM_32, 0, rd, rd, imm6(c));
    case 2: // c.li
      return encodeI(OP_IMM, 0, rd, 0, imm6(c));
    case 3: // c.addi16sp, c.lui; immediate 0 is reserved
      if ((c & 0x107c) === 0) return ILLEGAL;
      if (rd === SP) return encodeI(OP_IMM, 0, SP, SP, addi16sp(c));
      return (LUI | (rd << 7) | (imm6(c) << 12)) >>> 0;
    case 4:
      return arithmetic(c);
    case 5: // c.j
      return encodeJ(0, jumpOffset(c));
    case 6: // c.beqz
      return encodeB(0, highRegister(c), branchOffset(c));
    default: // c.bnez
      return encodeB(1, highRegister(c), branchOffset(c));
  }
}

/** Quadrant 2, bits 15:13 = 100: jumps through a register, c.mv, c.add, c.ebreak. */
function registerForms(c: number): number {
  const rd = rdOf(c);
  const rs2 = rs2Of(c);
  const bit12 = (c & 0x1000) !== 0;
  if (rs2 !== 0) return encodeR(OP, 0, 0, rd, bit12 ? rd : 0, rs2);
  if (rd !== 0) return encodeI(JALR, 0, bit12 ? RA : 0, rd, 0);
  return bit12 ? EBREAK : ILLEGAL;
}

function quadrant2(c: number): number {
  const rd = rdOf(c);
  const rs2 = rs2Of(c);
  switch (c >>> 13) {
    case 0: // c.slli
      return encodeI(OP_IMM, 1, rd, rd, shift6(c));
    case 1: // c.fldsp
      return encodeI(LOAD_FP, 3, rd, SP, stackLoadDouble(c));
    case 2: // c.lwsp; rd = 0 is reserved
      return rd === 0 ? ILLEGAL : encodeI(LOAD, 2, rd, SP, stackLoadWord(c));
    case 3: // c.ldsp; rd = 0 is reserved
      return rd === 0 ? ILLEGAL : encodeI(LOAD, 3, rd, SP, stackLoadDouble(c));
    case 4:
      return registerForms(c);
    case 5: // c.fsdsp
      return encodeS(STORE_FP, 3, SP, rs2, stackStoreDouble(c));
    case 6: // c.swsp
      return encodeS(STORE, 2, SP, rs2, stackStoreWord(c));
    default: // c.sdsp
      return encodeS(STORE, 3, SP, rs2, stackStoreDouble(c));
  }
}

/** Whether the instruction that begins with this half-word is a 16-bit one. */
export const isCompressed = (half: number): boolean => (half & 3) !== 3;

/** The 32-bit instruction that the 16-bit `c` stands for, or 0 where `c` is reserved. Total over 0 … 0xffff. */
export function expand(c: number): number {
  switch (c & 3) {
    case 0:
      return quadrant0(c);
    case 1:
      return quadrant1(c);
    case 2:
      return quadrant2(c);
    default:
      return ILLEGAL;
  }
}
