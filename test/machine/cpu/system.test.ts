import { expect, test } from "vitest";
import { STOP_ECALL, STOP_ILLEGAL } from "../../../src/machine/cpu/stop.ts";
import { code, FlatRig } from "./flat-rig.ts";

const CODE = 0x1_0000;
const ECALL = 0x73;
const CSRRW = 1;
const CSRRS = 2;
const CSRRC = 3;
const CSRRWI = 5;
const csr = (funct3: number, number: number, rd: number, rs1: number): number =>
  (0x73 | (rd << 7) | (funct3 << 12) | (rs1 << 15) | (number << 20)) >>> 0;

function run(words: readonly number[], x1 = 0, readTime?: () => number): { rig: FlatRig; stop: number } {
  const rig = new FlatRig(1 << 20, readTime);
  rig.map(CODE);
  rig.write(CODE, code(...words, ECALL));
  rig.hart.pc = CODE;
  rig.hart.setX(1, x1);
  return { rig, stop: rig.run() };
}

test("fcsr is frm and fflags together", () => {
  const { rig } = run(
    [csr(CSRRW, 3, 2, 1), csr(CSRRS, 1, 3, 0), csr(CSRRS, 2, 4, 0), csr(CSRRS, 3, 5, 0)],
    0xfff,
  );
  expect([2, 3, 4, 5].map((i) => rig.hart.getX(i))).toEqual([0, 31, 7, 0xff]);
  expect(rig.hart.fcsr).toBe(0xff);
});

test("writing, setting and clearing bits", () => {
  const { rig } = run(
    [csr(CSRRWI, 1, 0, 0b10101), csr(CSRRS, 1, 2, 1), csr(CSRRC, 1, 3, 1), csr(CSRRS, 1, 4, 0)],
    6,
  );
  expect([2, 3, 4].map((i) => rig.hart.getX(i))).toEqual([0b10101, 0b10111, 0b10001]);
  expect(rig.hart.fcsr).toBe(0b10001);
});

test("fflags and frm leave each other alone", () => {
  const { rig } = run([csr(CSRRWI, 2, 0, 3), csr(CSRRWI, 1, 0, 9)]);
  expect(rig.hart.fcsr).toBe((3 << 5) | 9);
});

test("instret counts the instructions before; time comes from outside", () => {
  const nop = 0x13;
  const { rig } = run(
    [nop, nop, csr(CSRRS, 0xc02, 2, 0), csr(CSRRS, 0xc00, 3, 0), csr(CSRRS, 0xc01, 4, 0)],
    0,
    () => 2 ** 40 + 5,
  );
  expect([2, 3, 4].map((i) => rig.hart.getX(i))).toEqual([2, 3, 2 ** 40 + 5]);
  expect(rig.hart.instret).toBe(5);
});

test.each([
  ["a CSR that isn't there", csr(CSRRS, 0x300, 2, 0)],
  ["writing a counter", csr(CSRRW, 0xc00, 2, 0)],
  ["setting bits of a counter", csr(CSRRS, 0xc02, 2, 1)],
])("%s is illegal", (_name, word) => {
  const { rig, stop } = run([word]);
  expect(stop).toBe(STOP_ILLEGAL);
  expect(rig.hart.pc).toBe(CODE);
  expect(rig.hart.getX(2)).toBe(0);
});

test("fences do nothing", () => {
  expect(run([0x0ff0_000f, 0x8330_000f, 0x0100_000f]).stop).toBe(STOP_ECALL);
});

test("registers from JavaScript", () => {
  const { hart } = new FlatRig();
  for (const value of [0, 1, -1, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53, -(2 ** 53), 0x7fff_ffff_f000]) {
    hart.setX(5, value);
    expect(hart.getX(5)).toBe(value);
    expect(BigInt.asIntN(64, hart.getXBig(5))).toBe(BigInt(value));
  }
  hart.setX(0, 5);
  expect(hart.getX(0)).toBe(0);
  hart.setX(6, -1);
  expect(hart.getXU(6)).toBe(2 ** 64);
  expect([hart.getXLo(6), hart.getXHi(6)]).toEqual([-1, -1]);
  hart.pc = 0x7fff_ffff_f000;
  expect(hart.pc).toBe(0x7fff_ffff_f000);
});
