import { describe, expect, test } from "vitest";
import { instructions } from "../../../src/machine/cpu/isa/table.ts";
import { STOP_ECALL } from "../../../src/machine/cpu/stop.ts";
import { code, FlatRig } from "./flat-rig.ts";
import { Random } from "./random.ts";

/**
 * Every integer instruction that computes, against a model of it in BigInt that shares no code with ours: what the manual
 * says, on unsigned 64-bit numbers.
 */

const s64 = (a: bigint): bigint => BigInt.asIntN(64, a);
const s32 = (a: bigint): bigint => BigInt.asIntN(32, a);
const u32 = (a: bigint): bigint => BigInt.asUintN(32, a);
const truth = (a: boolean): bigint => (a ? 1n : 0n);
type Model = (a: bigint, b: bigint) => bigint;

const divide: Model = (a, b) => (s64(b) === 0n ? -1n : s64(a) / s64(b));
const remainder: Model = (a, b) => (s64(b) === 0n ? s64(a) : s64(a) % s64(b));
const divideW: Model = (a, b) => s32(s32(b) === 0n ? -1n : s32(a) / s32(b));
const remainderW: Model = (a, b) => s32(s32(b) === 0n ? s32(a) : s32(a) % s32(b));

const REGISTER_MODELS: Readonly<Record<string, Model>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  sll: (a, b) => a << (b & 63n),
  slt: (a, b) => truth(s64(a) < s64(b)),
  sltu: (a, b) => truth(a < b),
  xor: (a, b) => a ^ b,
  srl: (a, b) => a >> (b & 63n),
  sra: (a, b) => s64(a) >> (b & 63n),
  or: (a, b) => a | b,
  and: (a, b) => a & b,
  addw: (a, b) => s32(a + b),
  subw: (a, b) => s32(a - b),
  sllw: (a, b) => s32(u32(a) << (b & 31n)),
  srlw: (a, b) => s32(u32(a) >> (b & 31n)),
  sraw: (a, b) => s32(a) >> (b & 31n),
  mul: (a, b) => a * b,
  mulh: (a, b) => (s64(a) * s64(b)) >> 64n,
  mulhsu: (a, b) => (s64(a) * b) >> 64n,
  mulhu: (a, b) => (a * b) >> 64n,
  div: divide,
  divu: (a, b) => (b === 0n ? -1n : a / b),
  rem: remainder,
  remu: (a, b) => (b === 0n ? a : a % b),
  mulw: (a, b) => s32(a * b),
  divw: divideW,
  divuw: (a, b) => s32(u32(b) === 0n ? -1n : u32(a) / u32(b)),
  remw: remainderW,
  remuw: (a, b) => s32(u32(b) === 0n ? a : u32(a) % u32(b)),
};

const IMMEDIATE_MODELS: Readonly<Record<string, Model>> = {
  addi: REGISTER_MODELS.add,
  slti: REGISTER_MODELS.slt,
  sltiu: REGISTER_MODELS.sltu,
  xori: REGISTER_MODELS.xor,
  ori: REGISTER_MODELS.or,
  andi: REGISTER_MODELS.and,
  addiw: REGISTER_MODELS.addw,
};

const SHIFT_MODELS: Readonly<Record<string, Model>> = {
  slli: REGISTER_MODELS.sll,
  srli: REGISTER_MODELS.srl,
  srai: REGISTER_MODELS.sra,
  slliw: REGISTER_MODELS.sllw,
  srliw: REGISTER_MODELS.srlw,
  sraiw: REGISTER_MODELS.sraw,
};

const BRANCH_MODELS: Readonly<Record<string, (a: bigint, b: bigint) => boolean>> = {
  beq: (a, b) => a === b,
  bne: (a, b) => a !== b,
  blt: (a, b) => s64(a) < s64(b),
  bge: (a, b) => s64(a) >= s64(b),
  bltu: (a, b) => a < b,
  bgeu: (a, b) => a >= b,
};

const AMO_MODELS: Readonly<Record<string, Model>> = {
  amoswap: (_a, b) => b,
  amoadd: (a, b) => a + b,
  amoxor: (a, b) => a ^ b,
  amoand: (a, b) => a & b,
  amoor: (a, b) => a | b,
  amomin: (a, b) => (s64(a) < s64(b) ? a : b),
  amomax: (a, b) => (s64(a) > s64(b) ? a : b),
  amominu: (a, b) => (a < b ? a : b),
  amomaxu: (a, b) => (a > b ? a : b),
};

const ECALL = 0x73;
const DATA = 0x20_0000;

function matchOf(name: string): number {
  const found = instructions.find((i) => i.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found.match;
}

class Bench {
  readonly rig = new FlatRig(16 << 20);
  private at = 0x1_0000;

  constructor() {
    this.rig.mapRange(DATA, 4096);
  }

  place(...words: number[]): number {
    if (this.at % 4096 > 4096 - 64) this.at += 64;
    this.rig.mapRange(this.at, 64);
    const start = this.at;
    this.rig.write(start, code(...words));
    // What lies after an earlier program has been decoded along with it.
    this.rig.hart.invalidateAll();
    this.at += 4 * words.length;
    return start;
  }

  /** Run from `start` to the ecall with operands in x(i). */
  go(start: number, registers: Readonly<Record<number, bigint>>): void {
    const { hart } = this.rig;
    hart.pc = start;
    for (const [i, value] of Object.entries(registers)) hart.setXBig(Number(i), value);
    expect(this.rig.run()).toBe(STOP_ECALL);
  }
}

/** Registers to try: rd, rs1, rs2, with the same ones and x0 among them. */
const REGISTER_CHOICES: readonly (readonly [number, number, number])[] = [
  [3, 1, 2],
  [1, 1, 2],
  [2, 1, 2],
  [5, 4, 4],
  [0, 1, 2],
  [6, 0, 2],
  [6, 1, 0],
  [31, 30, 29],
];

const check = (bench: Bench, rd: number, expected: bigint): void => {
  expect(bench.rig.hart.getXBig(rd)).toBe(rd === 0 ? 0n : BigInt.asUintN(64, expected));
};

describe("integer instructions agree with the model", () => {
  const bench = new Bench();
  const random = new Random(1);

  test.each(Object.entries(REGISTER_MODELS))("%s", (name, model) => {
    for (const [rd, rs1, rs2] of REGISTER_CHOICES) {
      const start = bench.place((matchOf(name) | (rd << 7) | (rs1 << 15) | (rs2 << 20)) >>> 0, ECALL);
      for (let i = 0; i < 60; i++) {
        const a = rs1 === 0 ? 0n : random.operand();
        const b = rs2 === 0 ? 0n : rs1 === rs2 ? a : random.operand();
        bench.go(start, { [rs1]: a, [rs2]: b });
        check(bench, rd, model(a, b));
      }
    }
  });

  test.each([...Object.entries(IMMEDIATE_MODELS), ...Object.entries(SHIFT_MODELS)])("%s", (name, model) => {
    const isShift = name in SHIFT_MODELS;
    const bits = name.endsWith("w") ? 32 : 64;
    for (let k = 0; k < 48; k++) {
      const [rd, rs1] = REGISTER_CHOICES[k % REGISTER_CHOICES.length];
      const imm = isShift ? random.below(bits) : ([0, -1, 2047, -2048][k] ?? random.below(4096) - 2048);
      const start = bench.place((matchOf(name) | (rd << 7) | (rs1 << 15) | (imm << 20)) >>> 0, ECALL);
      for (let i = 0; i < 10; i++) {
        const a = rs1 === 0 ? 0n : random.operand();
        bench.go(start, { [rs1]: a });
        check(bench, rd, model(a, BigInt.asUintN(64, BigInt(imm))));
      }
    }
  });

  test("lui, auipc", () => {
    for (let k = 0; k < 40; k++) {
      const upper = (random.bits() & 0xfffff000) >>> 0;
      const value = s32(BigInt(upper));
      bench.go(bench.place((matchOf("lui") | (7 << 7) | upper) >>> 0, ECALL), {});
      check(bench, 7, value);
      const start = bench.place((matchOf("auipc") | (7 << 7) | upper) >>> 0, ECALL);
      bench.go(start, {});
      check(bench, 7, BigInt(start) + value);
    }
  });

  test.each(Object.entries(BRANCH_MODELS))("%s", (name, model) => {
    for (const [, rs1, rs2] of REGISTER_CHOICES) {
      // branch +12; li x9, 1; ecall; li x9, 2; ecall
      const branch = (matchOf(name) | (rs1 << 15) | (rs2 << 20) | (12 << 7)) >>> 0;
      const start = bench.place(branch, 0x0010_0493, ECALL, 0x0020_0493, ECALL);
      for (let i = 0; i < 30; i++) {
        const a = rs1 === 0 ? 0n : random.operand();
        const b = rs2 === 0 ? 0n : rs1 === rs2 || i % 4 === 0 ? a : random.operand();
        if (rs1 === 0 && i % 4 === 0) continue;
        if (rs2 !== 0 && rs1 === 0) bench.go(start, { [rs2]: b });
        else bench.go(start, { [rs1]: a, [rs2]: b });
        expect(bench.rig.hart.getX(9)).toBe(model(a, b) ? 2 : 1);
      }
    }
  });

  test("jal links and jumps", () => {
    // jal x1, +8; ecall; ecall
    const start = bench.place(0x0080_00ef, ECALL, ECALL);
    bench.go(start, {});
    expect(bench.rig.hart.pc).toBe(start + 8);
    check(bench, 1, BigInt(start + 4));
  });

  test("jalr clears bit 0 and may use one register for base and link", () => {
    // jalr x1, 9(x1); ecall; ecall
    const start = bench.place(0x0090_80e7, ECALL, ECALL);
    bench.go(start, { 1: BigInt(start) });
    expect(bench.rig.hart.pc).toBe(start + 8);
    check(bench, 1, BigInt(start + 4));
  });
});

describe("memory instructions agree with the model", () => {
  const bench = new Bench();
  const random = new Random(2);

  test.each([
    ["lb", 8, true],
    ["lh", 16, true],
    ["lw", 32, true],
    ["ld", 64, true],
    ["lbu", 8, false],
    ["lhu", 16, false],
    ["lwu", 32, false],
  ] as const)("%s", (name, bits, isSigned) => {
    for (let k = 0; k < 30; k++) {
      const offset = [0, 2047, -2048][k] ?? random.below(4096) - 2048;
      const [rd, rs1] = REGISTER_CHOICES[k % 5];
      const start = bench.place((matchOf(name) | (rd << 7) | (rs1 << 15) | (offset << 20)) >>> 0, ECALL);
      const address = DATA + random.below(4096 - 8);
      const value = random.operand();
      bench.rig.write64(address, value);
      bench.go(start, { [rs1]: BigInt(address - offset) });
      check(bench, rd, isSigned ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value));
    }
  });

  test.each([
    ["sb", 8],
    ["sh", 16],
    ["sw", 32],
    ["sd", 64],
  ] as const)("%s", (name, bits) => {
    for (let k = 0; k < 30; k++) {
      const offset = [0, 2047, -2048][k] ?? random.below(4096) - 2048;
      const imm = ((offset & 31) << 7) | ((offset >> 5) << 25);
      const start = bench.place((matchOf(name) | (1 << 15) | (2 << 20) | imm) >>> 0, ECALL);
      const address = DATA + random.below(4096 - 8);
      const before = random.operand();
      const value = random.operand();
      bench.rig.write64(address, before);
      bench.go(start, { 1: BigInt(address - offset), 2: value });
      const mask = (1n << BigInt(bits)) - 1n;
      expect(bench.rig.read64(address)).toBe((before & ~mask) | (value & mask));
    }
  });

  test.each(Object.entries(AMO_MODELS))("%s", (name, model) => {
    for (const width of [32, 64] as const) {
      const match = matchOf(`${name}.${width === 32 ? "w" : "d"}`);
      for (const [rd, , rs2] of REGISTER_CHOICES) {
        const start = bench.place((match | (rd << 7) | (10 << 15) | (rs2 << 20)) >>> 0, ECALL);
        for (let i = 0; i < 20; i++) {
          const address = DATA + random.below(500) * 8;
          const before = random.operand();
          const b = rs2 === 0 ? 0n : random.operand();
          bench.rig.write64(address, before);
          bench.go(start, { 10: BigInt(address), [rs2]: b });
          if (width === 64) {
            expect(bench.rig.read64(address)).toBe(BigInt.asUintN(64, model(before, b)));
            check(bench, rd, before);
          } else {
            // Both orders survive sign extension, so the 64-bit model serves.
            const extend = (v: bigint): bigint => BigInt.asUintN(64, s32(v));
            const after = model(extend(before), extend(b));
            expect(bench.rig.read64(address)).toBe((before & ~0xffff_ffffn) | u32(after));
            check(bench, rd, extend(before));
          }
        }
      }
    }
  });
});
