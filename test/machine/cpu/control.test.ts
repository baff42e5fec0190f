import { describe, expect, test } from "vitest";
import { DECODED_PAGE_COUNT } from "../../../src/machine/cpu/layout.ts";
import {
  STOP_BUDGET,
  STOP_EBREAK,
  STOP_ECALL,
  STOP_FAULT,
  STOP_ILLEGAL,
} from "../../../src/machine/cpu/stop.ts";
import { ACCESS_EXEC } from "../../../src/mm/pagetable/access.ts";
import { code, FlatRig, READ, WRITE } from "./flat-rig.ts";

const CODE = 0x1_0000;
const NEXT = CODE + 4096;
const DATA = 0x20_0000;
const ECALL = 0x73;
const NOP = 0x13;
const li = (rd: number, imm: number): number => (0x13 | (rd << 7) | (imm << 20)) >>> 0;

/** `jal x0` by `offset` bytes. */
function jump(offset: number): number {
  const i = offset;
  const bits = ((i & 0x100000) << 11) | ((i & 0x7fe) << 20) | ((i & 0x800) << 9) | (i & 0xff000);
  return (0x6f | bits) >>> 0;
}

function rigAt(address: number, words: readonly number[]): FlatRig {
  const rig = new FlatRig(8 << 20);
  rig.mapRange(address, 4 * words.length);
  rig.write(address, code(...words));
  rig.hart.pc = address;
  return rig;
}

describe("the end of a page", () => {
  test("straight code runs on in the next page, wherever its frame is", () => {
    const rig = rigAt(NEXT - 8, [li(1, 1), li(2, 2), li(3, 3), ECALL]);
    expect(rig.run()).toBe(STOP_ECALL);
    expect([1, 2, 3].map((i) => rig.hart.getX(i))).toEqual([1, 2, 3]);
    expect(rig.hart.pc).toBe(NEXT + 4);
    expect(rig.hart.instret).toBe(3);
  });

  test("a fault there is at the next page's first instruction", () => {
    const rig = rigAt(NEXT - 4, [li(1, 1)]);
    expect(rig.run()).toBe(STOP_FAULT);
    expect(rig.hart.pc).toBe(NEXT);
    expect(rig.hart.faultAddress).toBe(NEXT);
    expect(rig.hart.instret).toBe(1);
  });

  test("a budget that is used up there stops there", () => {
    const rig = rigAt(NEXT - 8, [li(1, 1), li(2, 2), li(3, 3), ECALL]);
    expect(rig.run(1)).toBe(STOP_BUDGET);
    expect(rig.hart.pc).toBe(NEXT);
    expect(rig.hart.instret).toBe(2);
  });
});

describe("an instruction that straddles two pages", () => {
  // At NEXT − 6: li x1, 1; then at NEXT − 2: addi x2, x2, 5; then ecall.
  const program = [li(1, 1), 0x0051_0113, ECALL];

  test("executes, and again", () => {
    const rig = rigAt(NEXT - 6, program);
    for (let i = 1; i <= 3; i++) {
      rig.hart.pc = NEXT - 6;
      expect(rig.run()).toBe(STOP_ECALL);
      expect(rig.hart.getX(2)).toBe(5 * i);
      expect(rig.hart.pc).toBe(NEXT + 2);
      expect(rig.hart.instret).toBe(2 * i);
    }
  });

  test("faults at its second half", () => {
    const rig = rigAt(NEXT - 6, program);
    rig.unmap(NEXT);
    expect(rig.run()).toBe(STOP_FAULT);
    expect(rig.hart.pc).toBe(NEXT - 2);
    expect(rig.hart.faultAddress).toBe(NEXT);
    expect(rig.hart.faultAccess).toBe(ACCESS_EXEC);
    expect(rig.hart.instret).toBe(1);
  });

  test("is decoded anew when another frame is the second page", () => {
    const rig = rigAt(NEXT - 6, program);
    rig.run();
    expect(rig.hart.getX(2)).toBe(5);
    rig.unmap(NEXT);
    rig.map(NEXT);
    rig.write(NEXT, [0x91, 0x00, 0x73, 0, 0, 0]); // upper half of addi x2, x2, 9; ecall
    rig.hart.pc = NEXT - 6;
    expect(rig.run()).toBe(STOP_ECALL);
    expect(rig.hart.getX(2)).toBe(14);
  });

  test("is decoded anew when the second page's frame is rewritten", () => {
    const rig = rigAt(NEXT - 6, program);
    rig.run();
    rig.write(NEXT, [0x91, 0x00]);
    const second = rig.table.get(NEXT);
    rig.hart.invalidateFrame(second?.frame ?? 0);
    rig.hart.pc = NEXT - 6;
    rig.run();
    expect(rig.hart.getX(2)).toBe(14);
  });

  test("links, branches and accesses memory as anywhere", () => {
    // At NEXT − 2: jal x1, +8; then ecall, ecall.
    const rig = rigAt(NEXT - 2, [0x0080_00ef, ECALL, ECALL]);
    expect(rig.run()).toBe(STOP_ECALL);
    expect(rig.hart.getX(1)).toBe(NEXT + 2);
    expect(rig.hart.pc).toBe(NEXT + 6);
    // At NEXT − 2: ld x3, 0(x2), across a page; then bne x3, x0, −4, which is taken.
    const load = rigAt(NEXT - 2, [0x0001_3183, 0xfe01_9ee3]);
    load.mapRange(DATA, 8192);
    load.write64(DATA + 4091, 1n);
    load.hart.setX(2, DATA + 4091);
    expect(load.run(1000)).toBe(STOP_BUDGET);
    expect(load.hart.instret).toBe(1000);
    expect(load.hart.getX(3)).toBe(1);
  });
});

describe("code that changes", () => {
  test("fence.i makes stores to code visible", () => {
    // sw x3, 12(x2); fence.i; nop; li x1, 1 (overwritten); ecall
    const rig = rigAt(CODE, [0x0031_2623, 0x0000_100f, NOP, li(1, 1), ECALL]);
    rig.hart.setX(2, CODE);
    rig.hart.setX(3, li(1, 7));
    expect(rig.run()).toBe(STOP_ECALL);
    expect(rig.hart.getX(1)).toBe(7);
    expect(rig.hart.instret).toBe(4);
  });

  test("invalidateFrame forgets the page", () => {
    const rig = rigAt(CODE, [li(1, 1), ECALL]);
    rig.run();
    rig.write(CODE, code(li(1, 2)));
    rig.hart.invalidateFrame(rig.table.get(CODE)?.frame ?? 0);
    rig.hart.pc = CODE;
    rig.run();
    expect(rig.hart.getX(1)).toBe(2);
  });

  test("a page that a miss takes away from under the code is fetched again", () => {
    // ld x3, 0(x2); li x1, 1; ecall
    const rig = rigAt(CODE, [0x0001_3183, li(1, 1), ECALL]);
    rig.map(DATA);
    rig.write64(DATA, 9n);
    rig.hart.setX(2, DATA);
    rig.onMiss = (address) => {
      if (address !== DATA) return;
      const old = rig.table.get(CODE)?.frame ?? 0;
      rig.unmap(CODE);
      rig.hart.invalidateFrame(old);
      rig.map(CODE);
      rig.write(CODE, code(0x0001_3183, li(1, 2), ECALL));
    };
    expect(rig.run()).toBe(STOP_ECALL);
    expect(rig.hart.getX(0)).toBe(0);
    expect(rig.hart.getX(3)).toBe(9);
    expect(rig.hart.getX(1)).toBe(2);
    expect(rig.hart.instret).toBe(2);
  });

  test("code and data that share a TLB entry don't keep each other away", () => {
    const rig = rigAt(CODE, [0x0001_3183, 0x0031_3423, jump(-8)]); // ld; sd x3, 8(x2); back
    const conflicting = CODE + 512 * 4096;
    rig.map(conflicting);
    rig.hart.setX(2, conflicting);
    expect(rig.run(3000)).toBe(STOP_BUDGET);
    expect(rig.hart.instret).toBe(3000);
    expect(rig.misses.length).toBeLessThan(10);
  });

  test("more pages of code than are kept decoded", () => {
    const count = DECODED_PAGE_COUNT + 20;
    const rig = new FlatRig(8 << 20);
    const base = 0x100_0000;
    for (let i = 0; i < count; i++) {
      rig.map(base + i * 4096);
      // addi x1, x1, 1; on to the same place in the next page, from the last one to an ecall.
      rig.write(base + i * 4096, code(0x0010_8093, i === count - 1 ? ECALL : jump(4092)));
    }
    for (let round = 1; round <= 3; round++) {
      rig.hart.pc = base;
      expect(rig.run(1_000_000)).toBe(STOP_ECALL);
      expect(rig.hart.getX(1)).toBe(count * round);
    }
  });
});

describe("stops", () => {
  test.each([
    ["zeros", [0, 0, 0, 0], STOP_ILLEGAL],
    ["ones", [255, 255, 255, 255], STOP_ILLEGAL],
    ["wfi", code(0x1050_0073), STOP_ILLEGAL],
    ["sret", code(0x1020_0073), STOP_ILLEGAL],
    ["ebreak", code(0x0010_0073), STOP_EBREAK],
    ["c.ebreak", [0x02, 0x90], STOP_EBREAK],
    ["ecall", code(ECALL), STOP_ECALL],
  ])("%s", (_name, bytes, stop) => {
    const rig = new FlatRig();
    rig.map(CODE);
    rig.write(CODE, [...code(li(1, 1)), ...bytes]);
    rig.hart.pc = CODE;
    expect(rig.run()).toBe(stop);
    expect(rig.run()).toBe(stop);
    expect(rig.hart.pc).toBe(CODE + 4);
    expect(rig.hart.instret).toBe(1);
  });

  test("a budget stops at a taken jump, counted exactly", () => {
    const rig = rigAt(CODE, [li(1, 1), NOP, NOP, jump(-12)]);
    expect(rig.run(1)).toBe(STOP_BUDGET);
    expect(rig.hart.instret).toBe(4);
    expect(rig.run(5)).toBe(STOP_BUDGET);
    expect(rig.hart.instret).toBe(12);
    expect(rig.hart.pc).toBe(CODE);
  });

  test("an odd pc is that of the even address below", () => {
    const rig = rigAt(CODE, [li(1, 1), ECALL]);
    rig.hart.pc = CODE + 1;
    expect(rig.run()).toBe(STOP_ECALL);
    expect(rig.hart.pc).toBe(CODE + 4);
  });

  test("one frame at two addresses: pc-relative values are those of the address in use", () => {
    const rig = rigAt(CODE, [0x0000_0097, jump(8), NOP, ECALL]); // auipc x1, 0; …
    const mapping = rig.table.get(CODE);
    if (mapping !== undefined) rig.table.set(DATA, mapping);
    for (const at of [CODE, DATA, CODE]) {
      rig.hart.pc = at;
      expect(rig.run()).toBe(STOP_ECALL);
      expect(rig.hart.getX(1)).toBe(at);
      expect(rig.hart.pc).toBe(at + 12);
    }
  });

  test("a page that may not be executed does not become so by having been", () => {
    const rig = rigAt(CODE, [li(1, 1), ECALL]);
    rig.run();
    const frame = rig.table.get(CODE)?.frame ?? 0;
    rig.table.set(CODE, { frame, rights: READ | WRITE });
    rig.flush();
    rig.hart.pc = CODE;
    expect(rig.run()).toBe(STOP_FAULT);
  });
});
