import { expect, test } from "vitest";
import { FlatRig, READ } from "./flat-rig.ts";
import { Random } from "./random.ts";

/**
 * Random bytes as code, over random registers: whatever the guest executes, it stays within its pages.
 */

const CODE = 0x1_0000;
const DATA = 0x20_0000;
const CODE_PAGES = 4;
const DATA_PAGES = 4;
const SENTINEL = 0x5a;

/** Half of the bytes as they come, half shaped into what decodes: low opcode bits of common instructions. */
function randomCode(random: Random): number[] {
  const bytes = Array.from({ length: CODE_PAGES * 4096 }, () => random.below(256));
  const opcodes = [
    0x03, 0x07, 0x13, 0x1b, 0x23, 0x27, 0x2f, 0x33, 0x3b, 0x43, 0x53, 0x63, 0x67, 0x6f, 0x73, 0x0f,
  ];
  for (let at = random.below(3); at + 4 <= bytes.length; at += 2 + 2 * random.below(2)) {
    if (random.below(3) > 0) bytes[at] = opcodes[random.below(opcodes.length)] | (bytes[at] & 0x80);
    else if ((bytes[at] & 3) === 3) bytes[at] ^= 1 + random.below(3);
  }
  return bytes;
}

test("random code reads and writes nothing but its own pages", () => {
  const random = new Random(7);
  for (let round = 0; round < 24; round++) {
    const rig = new FlatRig();
    rig.mapRange(CODE, CODE_PAGES * 4096);
    const guard = rig.map(0x900_0000);
    rig.mapRange(DATA, DATA_PAGES * 4096);
    const readOnly = rig.map(DATA + DATA_PAGES * 4096, READ);
    const end = rig.map(0x901_0000);
    for (const frame of [guard, readOnly, end]) rig.bytes.fill(SENTINEL, frame, frame + 4096);
    rig.table.delete(0x900_0000);
    rig.table.delete(0x901_0000);
    rig.write(CODE, randomCode(random));
    const low = rig.bytes.slice(0, 65536);

    for (let start = 0; start < 40; start++) {
      for (let i = 1; i < 32; i++) {
        const isPointer = random.below(3) > 0;
        rig.hart.setXBig(
          i,
          isPointer ? BigInt(DATA + random.below((DATA_PAGES + 1) * 4096)) : random.operand(),
        );
        rig.hart.setFBig(i, random.operand());
      }
      rig.hart.pc = CODE + random.below(CODE_PAGES * 4096);
      for (let k = 0; k < 50; k++) {
        const before = rig.hart.pc;
        const stop = rig.run(200);
        expect(stop).toBeGreaterThanOrEqual(0);
        expect(stop).toBeLessThanOrEqual(5);
        if (stop !== 0) rig.hart.pc = before === rig.hart.pc ? before + 2 : rig.hart.pc + 2;
      }
      expect(rig.hart.getX(0)).toBe(0);
    }

    for (const frame of [guard, readOnly, end]) {
      expect(rig.bytes.subarray(frame, frame + 4096).every((byte) => byte === SENTINEL)).toBe(true);
    }
    expect(Buffer.compare(rig.bytes.slice(0, 65536), low)).toBe(0);
    expect(rig.bytes.subarray(end + 4096).every((byte) => byte === 0)).toBe(true);
  }
});
