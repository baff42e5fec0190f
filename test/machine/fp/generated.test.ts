import { describe, expect, test } from "vitest";
import { BINARY32, BINARY64, FLAG_NX, FLAG_UF } from "../../../src/machine/cpu/fp/format.ts";
import { fpInstructions } from "../../../src/machine/cpu/fp/instructions.ts";
import { compileInstructions, type Generated } from "./generated.ts";
import { makeRandom, nastySources } from "./nasty-operands.ts";
import { operations } from "./reference.ts";
import { readVectors } from "./vectors.ts";

const generated = compileInstructions();

function instruction(name: string): Generated {
  const found = generated.get(name);
  if (found === undefined) throw new Error(`no instruction ${name}`);
  return found;
}

/** Cases an instruction; FP_CASES and FP_SEED make a longer search, or another. */
const nrCases = Number(process.env.FP_CASES ?? 600);

const view = new DataView(new ArrayBuffer(8));

function double(value: number): bigint {
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

function single(value: number): bigint {
  view.setFloat32(0, value);
  return 0xffff_ffff_0000_0000n | BigInt(view.getUint32(0));
}

describe("generated code of the floating-point instructions", () => {
  test("has a definition for each, and no two that match the same word", () => {
    expect(fpInstructions.map(({ name }) => name).sort()).toEqual(operations.map(({ name }) => name).sort());
    for (const a of fpInstructions) {
      expect((a.match & ~a.mask) >>> 0).toBe(0);
      for (const b of fpInstructions) {
        if (a !== b) expect(((a.match ^ b.match) & a.mask & b.mask) !== 0, `${a.name} ${b.name}`).toBe(true);
      }
    }
  });

  test.each(operations)(
    "$name agrees with the soft float in result and flags, NX set before or not",
    (operation) => {
      const { run } = instruction(operation.name);
      const random = makeRandom(Number(process.env.FP_SEED ?? 3));
      for (let i = 0; i < nrCases; i++) {
        const sources = nastySources(operation, random);
        // Mostly the mode that generated code deals with.
        const rm = random() % 4 === 0 ? random() % 5 : 0;
        const before = random() % 3 === 0 ? 0 : random() % 2 === 0 ? 1 : random() % 32;
        const expected = operation.run(...sources, rm);
        const { bits, flags, isLegal, wasSlow } = run(sources.slice(0, operation.sources.length), rm, before);
        const got = { isLegal, bits: bits.toString(16), flags };
        const want = { isLegal: true, bits: expected.bits.toString(16), flags: before | expected.flags };
        if (got.bits !== want.bits || got.flags !== want.flags || !isLegal) {
          const hex = sources.map((value) => value.toString(16)).join(" ");
          expect({ hex, rm, before, wasSlow, ...got }).toEqual({ hex, rm, before, wasSlow, ...want });
        }
      }
    },
  );

  test("agrees with qemu in every recorded case", () => {
    const wrong: string[] = [];
    for (const { line, operation, rm, sources, bits, flags } of readVectors()) {
      for (const before of [0, FLAG_NX]) {
        const ours = instruction(operation.name).run(sources, rm, before);
        if (ours.bits !== bits || ours.flags !== (before | flags)) wrong.push(`${line} after ${before}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("raises underflow for what was rounded up to the smallest normal number, also after NX", () => {
    const tiny = instruction("fmul.d").run([0x3fff_ffff_ffff_ffffn, 0x0008_0000_0000_0000n], 0, FLAG_NX);
    expect(tiny).toMatchObject({ bits: 0x0010_0000_0000_0000n, flags: FLAG_NX | FLAG_UF });
  });

  test("rounds a * b + c once where two roundings would meet a tie", () => {
    // 2^-53 * (1 + u) * (1 - u) is 2^-53 less a little, which rounds to 2^-53: with 1 a tie, in truth just
    // below it.
    const u = 2 ** -30;
    const factors = [double(2 ** -53 * (1 + u)), double(1 - u)];
    const odd = 1 + 2 ** -52;
    const { run } = instruction("fmadd.d");
    expect(run([...factors, double(odd)], 0, FLAG_NX)).toMatchObject({ bits: double(odd), wasSlow: false });
    expect(run([...factors, double(-odd)], 0, FLAG_NX)).toMatchObject({ bits: double(-odd), wasSlow: false });
  });

  test("refuses reserved rounding modes, also where nothing is rounded", () => {
    for (const { name, isRounded, sources } of operations) {
      for (const rm of [5, 6, 7]) {
        const registers = [...sources].map(() => 0xffff_ffff_3f80_0000n);
        const { isLegal, bits } = instruction(name).run(registers, rm, 0);
        expect(isLegal, `${name} with frm ${rm}`).toBe(!isRounded);
        if (isRounded) expect(bits).toBe(0x5555_5555_5555_5555n);
      }
    }
  });
});

describe("the ways that ordinary programs take don't need the soft float", () => {
  const names = ["fadd", "fsub", "fmul", "fdiv", "fmadd", "fmsub", "fnmadd", "fnmsub"];

  test("once NX is set, for ordinary numbers", () => {
    const random = makeRandom(5);
    const value = (): number => (random() - 2 ** 31) * 2 ** -(random() % 64);
    for (let i = 0; i < 500; i++) {
      const values = [value(), value(), value()];
      for (const name of [...names, "fsqrt"]) {
        const sources = name === "fsqrt" ? [Math.abs(values[0] ?? 0)] : values;
        expect(instruction(`${name}.d`).run(sources.map(double), 0, 1).wasSlow, `${name}.d ${sources}`).toBe(
          false,
        );
        expect(instruction(`${name}.s`).run(sources.map(single), 0, 1).wasSlow, `${name}.s ${sources}`).toBe(
          false,
        );
      }
    }
  });

  test("with NX clear, for integers, and they leave it clear", () => {
    const random = makeRandom(6);
    for (let i = 0; i < 500; i++) {
      const [a, b, c] = [random() % 4000, random() % 2000, random() % 100_000];
      for (const name of [...names, "fsqrt"]) {
        const sources = name === "fdiv" ? [a * (b + 1), b + 1] : name === "fsqrt" ? [a * a] : [-a, b, c];
        for (const [format, bits] of [
          [BINARY64, double],
          [BINARY32, single],
        ] as const) {
          const { wasSlow, flags } = instruction(`${name}.${format === BINARY64 ? "d" : "s"}`).run(
            sources.map(bits),
            0,
            0,
          );
          expect({ name, sources, wasSlow, flags }).toEqual({ name, sources, wasSlow: false, flags: 0 });
        }
      }
    }
  });
});
