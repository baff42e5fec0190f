// The generated code of each floating-point instruction on its own, without the interpreter: one WebAssembly
// function an instruction, with fixed registers (rd 3, rs1 5, rs2 6, rs3 7 of either file) in a memory of its
// own.

import { fpInstructions } from "../../../src/machine/cpu/fp/instructions.ts";
import {
  type InstructionDefinition,
  type Operands,
  SCRATCH_LOCALS,
  type SlowState,
} from "../../../src/machine/cpu/operands.ts";
import {
  type Code,
  f64Load,
  f64Store,
  i32,
  i32Load,
  i32Store,
  i64ExtendI32S,
  i64Load,
  i64Store,
  local,
  RETURN,
  type ValueType,
} from "../../../src/machine/cpu/wasm-encoder.ts";
import { encodeModule } from "../../../src/machine/cpu/wasm-module.ts";

const X = 0;
const F = 256;
const FFLAGS = 512;
const FRM = 516;
const DONE = 0;
const SLOW = 1;
const SCRATCH_TYPES: readonly ValueType[] = ["i32", "i64", "f32", "f64"];
const RD = 3;
const [RS1, RS2, RS3] = [5, 6, 7];

function unsupported(): never {
  throw new Error("a floating-point instruction asked for what only others need");
}

const at = (base: number, register: number): number => base + 8 * register;
const zero = i32.const(0);
const raise = (flags: Code): Code => i32Store(zero, i32.or(i32Load(zero, FFLAGS), flags), FFLAGS);

const operands: Operands = {
  rs1: () => i64Load(zero, at(X, RS1)),
  rs2: () => i64Load(zero, at(X, RS2)),
  rs1Low: () => i32Load(zero, at(X, RS1)),
  rs2Low: () => i32Load(zero, at(X, RS2)),
  imm: unsupported,
  immLow: unsupported,
  pc: unsupported,
  nextPc: unsupported,
  writeRd: (value) => i64Store(zero, value, at(X, RD)),
  writeRdLow: (value) => i64Store(zero, i64ExtendI32S(value), at(X, RD)),
  branch: unsupported,
  jump: unsupported,
  jumpTo: unsupported,
  load: unsupported,
  store: unsupported,
  atomic: unsupported,
  reserve: unsupported,
  isReserved: unsupported,
  dropReservation: unsupported,
  fs1: () => i64Load(zero, at(F, RS1)),
  fs2: () => i64Load(zero, at(F, RS2)),
  fs3: () => i64Load(zero, at(F, RS3)),
  fs1Double: () => f64Load(zero, at(F, RS1)),
  fs2Double: () => f64Load(zero, at(F, RS2)),
  fs3Double: () => f64Load(zero, at(F, RS3)),
  fs1Low: () => i32Load(zero, at(F, RS1)),
  fs2Low: () => i32Load(zero, at(F, RS2)),
  fs3Low: () => i32Load(zero, at(F, RS3)),
  writeFd: (value) => i64Store(zero, value, at(F, RD)),
  writeFdDouble: (value) => f64Store(zero, value, at(F, RD)),
  // The instruction says "dynamic" throughout.
  roundingMode: () => i32Load(zero, FRM),
  fflags: () => i32Load(zero, FFLAGS),
  raiseFlags: raise,
  scratch: (type, index) => local(SCRATCH_TYPES.indexOf(type) * SCRATCH_LOCALS + index),
  stop: unsupported,
  slow: () => [...i32.const(SLOW), ...RETURN],
};

export interface Execution {
  readonly bits: bigint;
  readonly flags: number;
  /** False where the instruction was illegal. */
  readonly isLegal: boolean;
  readonly wasSlow: boolean;
}

export interface Generated {
  readonly definition: InstructionDefinition;
  /** Executes on these source registers, with fflags as given before. */
  run(sources: readonly bigint[], rm: number, fflags: number): Execution;
}

export function compileInstructions(): Map<string, Generated> {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const words = new Int32Array(memory.buffer);
  const registers = new BigUint64Array(memory.buffer);
  const locals: ValueType[] = SCRATCH_TYPES.flatMap((type) =>
    new Array<ValueType>(SCRATCH_LOCALS).fill(type),
  );
  const module = encodeModule(
    fpInstructions.map((definition) => ({
      name: definition.name,
      params: [],
      results: ["i32"],
      locals,
      body: [...definition.emit(operands), ...i32.const(DONE)],
    })),
  );
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module), { env: { memory } });
  const state: SlowState = {
    words,
    x: X / 4,
    f: F / 4,
    fflags: FFLAGS / 4,
    frm: FRM / 4,
    retired: 0,
    time: unsupported,
    dropDecodedCode: unsupported,
  };

  return new Map(
    fpInstructions.map((definition) => {
      const execute = exports[definition.name] as () => number;
      const floats: readonly string[] = definition.floats ?? [];
      const baseOf = (field: string): number => (floats.includes(field) ? F : X);
      const target = at(baseOf("rd"), RD) / 8;
      const fields = [at(baseOf("rs1"), RS1), at(baseOf("rs2"), RS2), at(baseOf("rs3"), RS3)].map(
        (a) => a / 8,
      );
      // rs2 and rm may be part of the opcode; where they are not, they name our registers and "dynamic".
      const free = ((RS3 << 27) | (RS2 << 20) | (RS1 << 15) | (7 << 12) | (RD << 7)) & ~definition.mask;
      const instruction = (definition.match | free) >>> 0;
      const run: Generated["run"] = (sources, rm, fflags) => {
        sources.forEach((value, i) => {
          registers[fields[i] ?? 0] = value;
        });
        registers[target] = 0x5555_5555_5555_5555n;
        words[FFLAGS / 4] = fflags;
        words[FRM / 4] = rm;
        const wasSlow = execute() === SLOW;
        const isLegal = !wasSlow || definition.slow?.(instruction, state) === true;
        return { bits: registers[target] ?? 0n, flags: words[FFLAGS / 4] ?? 0, isLegal, wasSlow };
      };
      return [definition.name, { definition, run }];
    }),
  );
}
