/**
 * The machine's interpreter as the bundle of the command brings it (scripts/bundle.ts). Code that is run from its sources
 * has none, and the machine generates it.
 *
 * V8 compiles the interpreter twice: simply, at its first call, and again with all its art in the background once it
 * has run for a while. How long that is it reckons by the bytes that loops jump back, and the interpreter is one loop of a
 * hundred thousand bytes: without a higher threshold the second compilation begins after some hundred instructions, and a
 * program that ends before it does waits for it. With this one it begins after some ten thousand.
 */
import type { Kernel } from "../mm/index.ts";

/** Where in RAM its hart has to stand, and the WebAssembly module, in base64. */
declare const BUILT_INTERPRETER: { readonly base: number; readonly wasm: string } | undefined;

/** A thousand times V8's own. */
const TIERING_BUDGET = 1_800_000_000;

/** The module for a machine on this kernel, if it was built in. */
export function builtInterpreter(kernel: Kernel): WebAssembly.Module | undefined {
  const built = typeof BUILT_INTERPRETER === "undefined" ? undefined : BUILT_INTERPRETER;
  if (built === undefined || built.base !== kernel.phys.ram.machineBase) return undefined;
  process.getBuiltinModule("node:v8").setFlagsFromString(`--wasm-tiering-budget=${TIERING_BUDGET}`);
  return new WebAssembly.Module(Buffer.from(built.wasm, "base64"));
}
