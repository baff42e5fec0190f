import { expect, test } from "vitest";
import { opFor, SHORT } from "../../../src/machine/cpu/handlers.ts";
import { expand, isCompressed } from "../../../src/machine/cpu/isa/compressed.ts";
import { findInstruction, instructions } from "../../../src/machine/cpu/isa/table.ts";

/** One or more of each 16-bit form and the 32-bit instruction it stands for, both as GNU as encodes them. */
const FORMS: readonly (readonly [text: string, half: number, word: number])[] = [
  ["c.addi4spn a0,sp,1020", 0x1fe8, 0x3fc10513],
  ["c.addi4spn s0,sp,4", 0x0040, 0x00410413],
  ["c.fld fa0,248(a5)", 0x3fe8, 0x0f87b507],
  ["c.lw a3,124(s1)", 0x5cf4, 0x07c4a683],
  ["c.lw a3,4(s1)", 0x40d4, 0x0044a683],
  ["c.ld a4,248(a0)", 0x7d78, 0x0f853703],
  ["c.ld a4,8(a0)", 0x6518, 0x00853703],
  ["c.fsd fs1,64(a2)", 0xa224, 0x04963027],
  ["c.sw a5,64(a1)", 0xc1bc, 0x04f5a023],
  ["c.sd a5,192(a1)", 0xe1fc, 0x0cf5b023],
  ["c.nop", 0x0001, 0x00000013],
  ["c.addi t6,-32", 0x1f81, 0xfe0f8f93],
  ["c.addiw a7,31", 0x28fd, 0x01f8889b],
  ["c.li s11,-1", 0x5dfd, 0xfff00d93],
  ["c.addi16sp sp,-512", 0x7101, 0xe0010113],
  ["c.addi16sp sp,496", 0x617d, 0x1f010113],
  ["c.lui t0,0xfffe0", 0x7281, 0xfffe02b7],
  ["c.lui t0,1", 0x6285, 0x000012b7],
  ["c.srli a5,63", 0x93fd, 0x03f7d793],
  ["c.srai s0,32", 0x9401, 0x42045413],
  ["c.andi a2,-32", 0x9a01, 0xfe067613],
  ["c.sub a0,a5", 0x8d1d, 0x40f50533],
  ["c.xor a1,s1", 0x8da5, 0x0095c5b3],
  ["c.or a2,s0", 0x8e41, 0x00866633],
  ["c.and a3,a4", 0x8ef9, 0x00e6f6b3],
  ["c.subw a4,a3", 0x9f15, 0x40d7073b],
  ["c.addw a5,a2", 0x9fb1, 0x00c787bb],
  ["c.j .-2048", 0xb001, 0x801ff06f],
  ["c.j .+2046", 0xaffd, 0x7fe0006f],
  ["c.beqz a0,.-256", 0xd101, 0xf00500e3],
  ["c.bnez s1,.+254", 0xecfd, 0x0e049f63],
  ["c.slli ra,63", 0x10fe, 0x03f09093],
  ["c.fldsp fs11,504(sp)", 0x3dfe, 0x1f813d87],
  ["c.lwsp t6,252(sp)", 0x5ffe, 0x0fc12f83],
  ["c.ldsp ra,504(sp)", 0x70fe, 0x1f813083],
  ["c.jr ra", 0x8082, 0x00008067],
  ["c.mv t6,t5", 0x8ffa, 0x01e00fb3],
  ["c.ebreak", 0x9002, 0x00100073],
  ["c.jalr t1", 0x9302, 0x000300e7],
  ["c.add s1,t2", 0x949e, 0x007484b3],
  ["c.fsdsp ft8,256(sp)", 0xa272, 0x11c13027],
  ["c.swsp a7,128(sp)", 0xc146, 0x09112023],
  ["c.sdsp gp,448(sp)", 0xe38e, 0x1c313023],
];

test.each(FORMS)("%s", (_text, half, word) => {
  expect(isCompressed(half)).toBe(true);
  expect(expand(half).toString(16)).toBe(word.toString(16));
});

test.each([
  ["all zeros", 0x0000],
  ["c.addi4spn with immediate 0", 0x0004],
  ["quadrant 0, funct3 100", 0x8000],
  ["c.addiw with rd = x0", 0x2005],
  ["c.lui with immediate 0", 0x6081],
  ["c.addi16sp with immediate 0", 0x6101],
  ["arithmetic, bit 12 set, funct2 10", 0x9c41],
  ["arithmetic, bit 12 set, funct2 11", 0x9c61],
  ["c.lwsp with rd = x0", 0x4002],
  ["c.ldsp with rd = x0", 0x6002],
  ["c.jr with rs1 = x0", 0x8002],
])("%s is reserved", (_text, half) => {
  expect(expand(half)).toBe(0);
});

test("every half-word expands to what it did when all were compared with objdump", () => {
  let hash = 0x811c9dc5;
  for (let half = 0; half < 0x10000; half++) {
    const word = expand(half);
    for (let shift = 0; shift < 32; shift += 8) {
      hash = Math.imul(hash ^ ((word >>> shift) & 255), 0x01000193) >>> 0;
    }
  }
  expect(hash.toString(16)).toBe("479b36f3");
});

test("whatever expands is an instruction that has a handler of two bytes", () => {
  const names = new Set<string>();
  for (let half = 0; half < 0x10000; half++) {
    const word = expand(half);
    if (word === 0) continue;
    const definition = findInstruction(word);
    expect(definition).toBeGreaterThanOrEqual(0);
    names.add(instructions[definition].name);
  }
  for (const name of names) {
    const definition = instructions.findIndex((i) => i.name === name);
    const isJump = instructions[definition].format === "B" || instructions[definition].format === "J";
    for (const near of isJump ? [0, 2] : [0]) expect(opFor(definition, SHORT | near)).toBeGreaterThan(0);
  }
  expect(names.size).toBe(25);
});
