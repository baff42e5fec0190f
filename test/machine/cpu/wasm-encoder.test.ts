import { expect, test } from "vitest";
import {
  block,
  br,
  brIf,
  brTable,
  type Code,
  f32,
  f64,
  i32,
  i64,
  i64Load,
  i64Store,
  ifElse,
  label,
  local,
  loop,
  unsigned,
} from "../../../src/machine/cpu/wasm-encoder.ts";
import { encodeModule, type WasmFunction } from "../../../src/machine/cpu/wasm-module.ts";

const memory = new WebAssembly.Memory({ initial: 1 });

function compile(f: Omit<WasmFunction, "name">): (...args: never[]) => unknown {
  const module = new WebAssembly.Module(encodeModule([{ name: "f", ...f }]));
  return new WebAssembly.Instance(module, { env: { memory } }).exports.f as () => unknown;
}

test("LEB128 numbers take as many bytes as they need", () => {
  expect(unsigned(0)).toEqual([0]);
  expect(unsigned(127)).toEqual([127]);
  expect(unsigned(128)).toEqual([0x80, 1]);
  expect(unsigned(0xffff_ffff)).toEqual([0xff, 0xff, 0xff, 0xff, 0x0f]);
});

test.each([
  0n,
  1n,
  -1n,
  63n,
  64n,
  -64n,
  -65n,
  0x7fff_ffffn,
  -0x8000_0000n,
  0x8000_0000n,
  2n ** 53n,
  -(2n ** 53n),
  2n ** 63n - 1n,
  -(2n ** 63n),
  0xffff_ffff_0000_0000n,
])("i64.const %s", (value) => {
  const f = compile({ params: [], results: ["i64"], locals: [], body: i64.const(value) });
  expect(f()).toBe(BigInt.asIntN(64, value));
  if (value === BigInt(Number(value))) {
    const g = compile({ params: [], results: ["i64"], locals: [], body: i64.const(Number(value)) });
    expect(g()).toBe(BigInt.asIntN(64, value));
  }
});

test("i32 and floating-point constants", () => {
  const resultOf = (type: "i32" | "f32" | "f64", body: Code): unknown =>
    compile({ params: [], results: [type], locals: [], body })();
  expect(resultOf("i32", i32.const(0xffff_ffff))).toBe(-1);
  expect(resultOf("i32", i32.const(-0x8000_0000))).toBe(-0x8000_0000);
  expect(resultOf("f32", f32.const(1.5))).toBe(1.5);
  expect(resultOf("f64", f64.const(-0))).toBe(-0);
  expect(resultOf("f64", f64.const(1e-310))).toBe(1e-310);
});

test("a branch finds its label however deep it is nested", () => {
  // The sum of n, n − 1, … 1, with the way out in the middle of two ifs.
  const [n, sum] = [local(0), local(1)];
  const [out, again] = [label("out"), label("again")];
  const f = compile({
    params: ["i32"],
    results: ["i32"],
    locals: ["i32"],
    body: [
      block(out, [
        loop(again, [
          ifElse(i32.const(1), ifElse(i32.eqz(n.get), br(out))),
          sum.set(i32.add(sum.get, n.get)),
          n.set(i32.sub(n.get, i32.const(1))),
          br(again),
        ]),
      ]),
      sum.get,
    ],
  });
  expect((f as (n: number) => number)(100)).toBe(5050);
});

test("a branch table, with its default", () => {
  const [a, b, c] = [label("a"), label("b"), label("c")];
  const f = compile({
    params: ["i32"],
    results: ["i32"],
    locals: [],
    body: block(
      c,
      [
        block(b, [block(a, brTable(local(0).get, [a, b])), i32.const(10), br(c)]),
        brIf(c, [i32.const(20), local(0).get]),
      ],
      "i32",
    ),
  }) as (n: number) => number;
  expect([f(0), f(1), f(7)]).toEqual([10, 20, 20]);
});

test("a branch to a label that is not around it is refused", () => {
  const away = label("away");
  const body = [block(away, []), br(away)];
  expect(() => encodeModule([{ name: "f", params: [], results: [], locals: [], body }])).toThrow("away");
});

test("loads and stores take a large offset", () => {
  const f = compile({
    params: ["i32"],
    results: ["i64"],
    locals: [],
    body: [i64Store(local(0).get, i64.const(-5), 40_000), i64Load(local(0).get, 40_000)],
  }) as (n: number) => bigint;
  expect(f(16)).toBe(-5n);
});
