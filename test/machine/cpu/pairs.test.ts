import { expect, test } from "vitest";
import { STOP_ECALL, STOP_FAULT } from "../../../src/machine/cpu/stop.ts";
import { code, FlatRig } from "./flat-rig.ts";

/** Two instructions under one op: each is still an instruction of its own to whoever looks. */

const CODE = 0x1_0000;
const DATA = 0x20_0000;
// c.ld a0, 0(s0); c.ld a1, 8(s0); ecall
const LOADS = [0x08, 0x60, 0x0c, 0x64, ...code(0x73)];
const [S0, A0, A1] = [8, 10, 11];

function boot(): FlatRig {
  const rig = new FlatRig();
  rig.map(CODE);
  rig.write(CODE, LOADS);
  rig.hart.pc = CODE;
  rig.map(DATA);
  return rig;
}

test("a fault in the second leaves the first done and the pc between them", () => {
  const rig = boot();
  rig.write64(DATA + 4088, 7n);
  rig.hart.setX(S0, DATA + 4088);
  expect(rig.run()).toBe(STOP_FAULT);
  expect(rig.hart.getX(A0)).toBe(7);
  expect(rig.hart.pc).toBe(CODE + 2);
  expect(rig.hart.instret).toBe(1);
  expect(rig.hart.faultAddress).toBe(DATA + 4096);
  rig.map(DATA + 4096);
  rig.write64(DATA + 4096, 8n);
  expect(rig.run()).toBe(STOP_ECALL);
  expect(rig.hart.getX(A1)).toBe(8);
  expect(rig.hart.instret).toBe(2);
});

test("either may cross a page", () => {
  const rig = boot();
  rig.map(DATA + 4096);
  for (let i = -3; i < 4; i++) rig.write64(DATA + 4096 + 8 * i + 4, BigInt(i + 100));
  for (const [start, first] of [
    [DATA + 4092, 99],
    [DATA + 4084, 98],
  ]) {
    rig.hart.setX(S0, start);
    rig.hart.pc = CODE;
    expect(rig.run()).toBe(STOP_ECALL);
    expect([rig.hart.getX(A0), rig.hart.getX(A1)]).toEqual([first, first + 1]);
  }
  expect(rig.hart.instret).toBe(4);
});

test("one may jump to the second", () => {
  const rig = boot();
  rig.write64(DATA, 1n);
  rig.write64(DATA + 8, 2n);
  rig.hart.setX(S0, DATA);
  rig.run();
  rig.hart.setX(A0, 0);
  rig.hart.setX(A1, 0);
  rig.hart.pc = CODE + 2;
  expect(rig.run()).toBe(STOP_ECALL);
  expect([rig.hart.getX(A0), rig.hart.getX(A1)]).toEqual([0, 2]);
});
