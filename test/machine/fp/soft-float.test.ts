import { describe, expect, test } from "vitest";
import {
  BINARY32,
  BINARY64,
  FLAG_NV,
  FLAG_NX,
  FLAG_OF,
  FLAG_UF,
  RM_RNE,
} from "../../../src/machine/cpu/fp/format.ts";
import { add, div, fma, mul, sqrt, sub } from "../../../src/machine/cpu/fp/soft-float.ts";
import { makeRandom, nastyFloat } from "./nasty-operands.ts";
import { operations } from "./reference.ts";
import { readVectors } from "./vectors.ts";

const view = new DataView(new ArrayBuffer(8));

function toDouble(bits: bigint): number {
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

function fromDouble(value: number): bigint {
  if (Number.isNaN(value)) return BINARY64.canonicalNan;
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

function toSingle(bits: bigint): number {
  view.setUint32(0, Number(bits));
  return view.getFloat32(0);
}

function fromSingle(value: number): bigint {
  if (Number.isNaN(value)) return BINARY32.canonicalNan;
  view.setFloat32(0, value);
  return BigInt(view.getUint32(0));
}

describe("soft float", () => {
  test("agrees with qemu in every recorded case: result and flags, all rounding modes", () => {
    const seen = new Set<string>();
    const wrong: string[] = [];
    for (const { line, operation, rm, sources, bits, flags } of readVectors()) {
      seen.add(operation.name);
      const [a = 0n, b = 0n, c = 0n] = sources;
      const ours = operation.run(a, b, c, rm);
      if (ours.bits !== bits || ours.flags !== flags)
        wrong.push(`${line} / ${ours.bits.toString(16)} ${ours.flags}`);
    }
    expect(wrong).toEqual([]);
    expect(seen.size).toBe(operations.length);
  });

  test("rounds to nearest even as JavaScript's own doubles and singles do", () => {
    const random = makeRandom(11);
    for (let i = 0; i < 20_000; i++) {
      const a = nastyFloat(BINARY64, random);
      const b = nastyFloat(BINARY64, random, a);
      const [x, y] = [toDouble(a), toDouble(b)];
      expect(add(BINARY64, a, b, RM_RNE).bits).toBe(fromDouble(x + y));
      expect(sub(BINARY64, a, b, RM_RNE).bits).toBe(fromDouble(x - y));
      expect(mul(BINARY64, a, b, RM_RNE).bits).toBe(fromDouble(x * y));
      expect(div(BINARY64, a, b, RM_RNE).bits).toBe(fromDouble(x / y));
      expect(sqrt(BINARY64, a, RM_RNE).bits).toBe(fromDouble(Math.sqrt(x)));
    }
    for (let i = 0; i < 20_000; i++) {
      const a = nastyFloat(BINARY32, random);
      const b = nastyFloat(BINARY32, random, a);
      const [x, y] = [toSingle(a), toSingle(b)];
      expect(add(BINARY32, a, b, RM_RNE).bits).toBe(fromSingle(x + y));
      expect(sub(BINARY32, a, b, RM_RNE).bits).toBe(fromSingle(x - y));
      expect(mul(BINARY32, a, b, RM_RNE).bits).toBe(fromSingle(x * y));
      expect(div(BINARY32, a, b, RM_RNE).bits).toBe(fromSingle(x / y));
      expect(sqrt(BINARY32, a, RM_RNE).bits).toBe(fromSingle(Math.sqrt(x)));
    }
  });

  test("detects tininess after rounding", () => {
    const minNormal = 0x0010_0000_0000_0000n;
    // (1 + 2^-52) * (1 - 2^-52) * 2^-1022: below the smallest normal number, but 53 bits of it are that
    // number.
    const notTiny = mul(BINARY64, 0x3ff0_0000_0000_0001n, minNormal - 1n, RM_RNE);
    expect(notTiny).toEqual({ bits: minNormal, flags: FLAG_NX });
    // (2 - 2^-52) * 2^-1023: 53 bits would hold it exactly, below the smallest normal number; the format has
    // 52 there.
    const tiny = mul(BINARY64, 0x3fff_ffff_ffff_ffffn, minNormal / 2n, RM_RNE);
    expect(tiny).toEqual({ bits: minNormal, flags: FLAG_NX | FLAG_UF });
  });

  test("raises overflow, and invalid for infinity times zero plus a quiet NaN", () => {
    const largest = BINARY64.infinity - 1n;
    expect(add(BINARY64, largest, largest, RM_RNE)).toEqual({
      bits: BINARY64.infinity,
      flags: FLAG_OF | FLAG_NX,
    });
    const { bits, flags } = fma(BINARY64, BINARY64.infinity, 0n, BINARY64.canonicalNan, RM_RNE);
    expect({ bits, flags }).toEqual({ bits: BINARY64.canonicalNan, flags: FLAG_NV });
  });
});
