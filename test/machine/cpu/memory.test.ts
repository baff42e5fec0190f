import { describe, expect, test } from "vitest";
import { STOP_ECALL, STOP_FAULT, STOP_MISALIGNED } from "../../../src/machine/cpu/stop.ts";
import { ACCESS_EXEC, ACCESS_READ, ACCESS_WRITE } from "../../../src/mm/pagetable/access.ts";
import { ALL, code, EXEC, FlatRig, READ, WRITE } from "./flat-rig.ts";

const CODE = 0x1_0000;
const DATA = 0x20_0000;
const ECALL = 0x73;

/** A rig with `words` at CODE, ready to run there. */
function rigWith(...words: number[]): FlatRig {
  const rig = new FlatRig();
  rig.map(CODE);
  rig.write(CODE, code(...words));
  rig.hart.pc = CODE;
  return rig;
}

const LD = 0x0001_3183; // ld x3, 0(x2)
const SD = 0x0031_3023; // sd x3, 0(x2)
const LH = 0x0001_1183; // lh x3, 0(x2)
const FLD = 0x0001_3187; // fld f3, 0(x2)
const SW = 0x0031_2023; // sw x3, 0(x2)
const AMOADD_D = 0x0041_31af; // amoadd.d x3, x4, (x2)
const LR_W = 0x1001_21af; // lr.w x3, (x2)

describe("accesses that cross a page", () => {
  test.each([1, 2, 3, 4, 5, 6, 7])("ld and sd with %i bytes in the first page", (inFirst) => {
    const rig = rigWith(LD, SD, ECALL);
    rig.map(DATA + 4096, READ | WRITE);
    rig.map(0x70_0000);
    rig.map(DATA, READ | WRITE);
    const address = DATA + 4096 - inFirst;
    rig.write64(address, 0x1122_3344_5566_7788n);
    rig.hart.setX(2, address);
    rig.hart.pc = CODE;
    rig.run();
    expect(rig.hart.getXBig(3)).toBe(0x1122_3344_5566_7788n);
    rig.hart.setXBig(3, 0xfedc_ba98_7654_3210n);
    rig.write(DATA + 4096 - 16, new Array(32).fill(0xee));
    rig.hart.pc = CODE + 4;
    expect(rig.run()).toBe(STOP_ECALL);
    expect(rig.read64(address)).toBe(0xfedc_ba98_7654_3210n);
    expect(rig.read(address - 1, 1)).toEqual([0xee]);
    expect(rig.read(address + 8, 1)).toEqual([0xee]);
  });

  test("narrow and floating-point ones, and instructions are counted as ever", () => {
    const rig = rigWith(LH, FLD, ECALL);
    rig.mapRange(DATA, 8192);
    rig.write64(DATA + 4095, 0x8899_aabb_ccdd_eef0n);
    rig.hart.setX(2, DATA + 4095);
    rig.run();
    expect(rig.hart.getX(3)).toBe(-0x1110);
    expect(rig.hart.getFBig(3)).toBe(0x8899_aabb_ccdd_eef0n);
    expect(rig.hart.instret).toBe(2);
    expect(rig.hart.pc).toBe(CODE + 8);
  });

  test.each([
    ["the first", 0, DATA + 4093],
    ["the second", 1, DATA + 4096],
  ])("a store that may not write %s page does nothing", (_name, refused, faultAddress) => {
    const rig = rigWith(SW, ECALL);
    rig.map(DATA, refused === 0 ? READ : ALL);
    rig.map(DATA + 4096, refused === 1 ? READ : ALL);
    rig.hart.setX(2, DATA + 4093);
    rig.hart.setX(3, -1);
    expect(rig.run()).toBe(STOP_FAULT);
    expect(rig.hart.faultAddress).toBe(faultAddress);
    expect(rig.hart.faultAccess).toBe(ACCESS_WRITE);
    expect(rig.hart.pc).toBe(CODE);
    expect(rig.hart.instret).toBe(0);
    expect(rig.read(DATA + 4088, 16)).toEqual(new Array(16).fill(0));
    rig.map(refused === 0 ? DATA : DATA + 4096);
    rig.flush();
    expect(rig.run()).toBe(STOP_ECALL);
  });

  test("the first page going away while the second is found is noticed", () => {
    const rig = rigWith(SD, ECALL);
    rig.map(DATA);
    rig.map(DATA + 4096);
    let changes = 0;
    rig.onMiss = (address) => {
      if (address !== DATA + 4096 || changes++ > 0) return;
      rig.unmap(DATA);
      rig.map(DATA);
    };
    rig.hart.setX(2, DATA + 4092);
    rig.hart.setXBig(3, 0x1122_3344_5566_7788n);
    expect(rig.run()).toBe(STOP_ECALL);
    expect(changes).toBeGreaterThan(1);
    expect(rig.read64(DATA + 4092)).toBe(0x1122_3344_5566_7788n);
  });
});

describe("faults", () => {
  test.each([
    ["a load from nowhere", LD, 0, ACCESS_READ],
    ["a load from a page that may not be read", LD, EXEC, ACCESS_READ],
    ["a store to a page that may only be read", SD, READ, ACCESS_WRITE],
    ["an AMO on a page that may only be read", AMOADD_D, READ, ACCESS_WRITE],
  ])("%s", (_name, word, rights, access) => {
    const rig = rigWith(0x0010_0093, word, ECALL); // li x1, 1; …
    if (rights !== 0) rig.map(DATA, rights);
    rig.hart.setX(2, DATA + 8);
    rig.hart.setX(3, 77);
    expect(rig.run()).toBe(STOP_FAULT);
    expect(rig.hart.faultAddress).toBe(DATA + 8);
    expect(rig.hart.faultAccess).toBe(access);
    expect(rig.hart.pc).toBe(CODE + 4);
    expect(rig.hart.getX(3)).toBe(77);
    expect(rig.hart.instret).toBe(1);
  });

  test("after a fault is mended, the same instruction goes on", () => {
    const rig = rigWith(LD, ECALL);
    rig.hart.setX(2, DATA);
    expect(rig.run()).toBe(STOP_FAULT);
    rig.map(DATA);
    rig.write64(DATA, 5n);
    expect(rig.run()).toBe(STOP_ECALL);
    expect(rig.hart.getX(3)).toBe(5);
  });

  test("a load into x0 faults as well", () => {
    const rig = rigWith(0x0001_3003, ECALL); // ld x0, 0(x2)
    rig.hart.setX(2, DATA);
    expect(rig.run()).toBe(STOP_FAULT);
  });

  test.each([0xffff_ffff_ffff_fffcn, 0xffff_ffff_ffff_ffffn, 0x8000_0000_0020_0000n, 0x1_0020_0000n])(
    "an address of 64 bits is not cut short: %s",
    (address) => {
      const rig = rigWith(SD, ECALL);
      rig.map(DATA);
      rig.map(0);
      rig.hart.setXBig(2, address);
      expect(rig.run()).toBe(STOP_FAULT);
      expect(rig.hart.faultAddress).toBe(Number(address));
    },
  );

  test("fetching where nothing may be executed", () => {
    const rig = rigWith(0x0001_0067); // jr 0(x2)
    rig.map(DATA, READ | WRITE);
    rig.hart.setX(2, DATA + 6);
    expect(rig.run()).toBe(STOP_FAULT);
    expect(rig.hart.pc).toBe(DATA + 6);
    expect(rig.hart.faultAddress).toBe(DATA + 6);
    expect(rig.hart.faultAccess).toBe(ACCESS_EXEC);
    expect(rig.hart.instret).toBe(1);
  });
});

describe("atomics", () => {
  test.each([AMOADD_D, LR_W])("a misaligned one stops: %i", (word) => {
    const rig = rigWith(word, ECALL);
    rig.map(DATA);
    rig.hart.setX(2, DATA + 2);
    expect(rig.run()).toBe(STOP_MISALIGNED);
    expect(rig.hart.faultAddress).toBe(DATA + 2);
    expect(rig.hart.pc).toBe(CODE);
  });

  const LR_D = 0x1001_31af; // lr.d x3, (x2)
  const SC_D = 0x1841_32af; // sc.d x5, x4, (x2)

  test("sc after lr succeeds once", () => {
    const rig = rigWith(LR_D, SC_D, 0x1841_332f, ECALL); // …; sc.d x6, x4, (x2)
    rig.map(DATA);
    rig.write64(DATA, 10n);
    rig.hart.setX(2, DATA);
    rig.hart.setX(4, 20);
    expect(rig.run()).toBe(STOP_ECALL);
    expect([3, 5, 6].map((i) => rig.hart.getX(i))).toEqual([10, 0, 1]);
    expect(rig.read64(DATA)).toBe(20n);
  });

  test("sc fails at another address, and after a stop in between", () => {
    const rig = rigWith(LR_D, 0x0081_0113, SC_D, ECALL); // lr; addi x2, x2, 8; sc
    rig.map(DATA);
    rig.hart.setX(2, DATA);
    rig.run();
    expect(rig.hart.getX(5)).toBe(1);

    const stopped = rigWith(LR_D, ECALL, SC_D, ECALL);
    stopped.map(DATA);
    stopped.hart.setX(2, DATA);
    stopped.hart.setX(4, 20);
    stopped.run();
    stopped.hart.pc += 4;
    stopped.run();
    expect(stopped.hart.getX(5)).toBe(1);
    expect(stopped.read64(DATA)).toBe(0n);
  });

  test("an sc that will fail still needs the right to write", () => {
    const rig = rigWith(SC_D, ECALL);
    rig.map(DATA, READ);
    rig.hart.setX(2, DATA);
    expect(rig.run()).toBe(STOP_FAULT);
  });
});
