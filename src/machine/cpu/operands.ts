import type { Code, Local, ValueType } from "./wasm-encoder.ts";

/**
 * What an instruction's definition may say about the machine.
 *
 * The meaning of each instruction is written once, as a function from these operands to WebAssembly code. Who
 * implements the interface decides what an operand is: the interpreter loads a register's number from the decoded
 * record and the register from RAM, a block translator would name a local variable and a constant. A definition
 * therefore never knows where a register lives, and evaluates operands by calling these methods where it needs them.
 *
 * Rules for a definition:
 * - It reads all its sources before it writes a destination (they may be the same register).
 * - It leaves by `stop`, `slow` or a faulting memory access only while nothing of it is done.
 * - Each call of a reading method emits the read again; a value that is used twice goes through a `scratch` local.
 * - Scratch locals hold garbage at the start of every instruction.
 */
export interface Operands {
  /** Integer source registers, i64. */
  rs1(): Code;
  rs2(): Code;
  /** Their low 32 bits, i32. */
  rs1Low(): Code;
  rs2Low(): Code;
  /** The immediate, sign-extended: i64, or its low 32 bits as i32. */
  imm(): Code;
  immLow(): Code;
  /** Address of this instruction, and of the one that follows it in memory; i64. */
  pc(): Code;
  nextPc(): Code;
  /** rd = an i64; or an i32, sign-extended. A write to x0 is discarded. */
  writeRd(value: Code): Code;
  writeRdLow(value: Code): Code;

  /** If `condition` (i32) is not 0, go on at pc + imm instead of the next instruction. */
  branch(condition: Code): Code;
  /** Go on at pc + imm. */
  jump(): Code;
  /** Go on at an i64 address; its bit 0 is cleared. */
  jumpTo(target: Code): Code;

  /**
   * The value that `access` (an i64Load…) finds at rs1 + imm, or a fault. Any alignment, across pages too.
   * `bytes` is the size of the access.
   */
  load(bytes: AccessBytes, access: (host: Code) => Code): Code;
  /** `access` (an i64Store…) of `value` at rs1 + imm, or a fault. Any alignment, across pages too. */
  store(bytes: AccessBytes, access: (host: Code, value: Code) => Code, value: Code): Code;
  /**
   * `body` with the place in RAM (an i32 that may be evaluated repeatedly) of the naturally aligned `bytes` bytes at
   * rs1, for which reading and, with `write`, also writing is granted; or a fault, or a stop for misalignment.
   */
  atomic(bytes: 4 | 8, write: boolean, body: (host: Code) => Code): Code;
  /** Remember rs1 as the reserved address. */
  reserve(): Code;
  /** i32: whether rs1 is the reserved address. */
  isReserved(): Code;
  /** Forget the reserved address. */
  dropReservation(): Code;

  /** Floating-point source registers: all 64 bits as i64, or the same read as f64. NaN boxes are the caller's. */
  fs1(): Code;
  fs2(): Code;
  fs3(): Code;
  fs1Double(): Code;
  fs2Double(): Code;
  fs3Double(): Code;
  /** The low 32 bits of a floating-point source register: i32, or read as f32. */
  fs1Low(): Code;
  fs2Low(): Code;
  fs3Low(): Code;
  /** fd = 64 bits from an i64 or an f64. */
  writeFd(value: Code): Code;
  writeFdDouble(value: Code): Code;
  /**
   * The rounding mode in force, i32: the instruction's own, or frm where that says dynamic. 0 (to nearest, ties to
   * even) is by far the commonest. Values 5–7 (a reserved frm) make the instruction illegal; a reserved value in
   * the instruction itself has been refused by the decoder.
   */
  roundingMode(): Code;
  /** fflags, i32 of five bits NV DZ OF UF NX (16 8 4 2 1). */
  fflags(): Code;
  /** fflags |= an i32. */
  raiseFlags(flags: Code): Code;

  /** A local variable for the use of this instruction: `index` 0 … SCRATCH_LOCALS − 1 of each type. */
  scratch(type: ValueType, index: number): Local;

  /** Leave the machine with a stop code (hart.ts), at this instruction, which has done nothing. */
  stop(code: number): Code;
  /** Let the definition's `slow` function do this instruction, which has done nothing. */
  slow(): Code;
}

export type AccessBytes = 1 | 2 | 4 | 8;

/** How many scratch locals of each type a definition may use. */
export const SCRATCH_LOCALS = 12;

/**
 * The state as a slow path sees it: 32-bit halves in `words`, where integer register i is at words[x + 2i] (low)
 * and words[x + 2i + 1] (high), floating-point register i the same from `f`, and flags and rounding mode are words of
 * their own. A slow path must leave x0 alone.
 */
export interface SlowState {
  readonly words: Int32Array;
  readonly x: number;
  readonly f: number;
  readonly fflags: number;
  readonly frm: number;
  /** Instructions retired before this one. */
  readonly retired: number;
  /** What `rdtime` reads. */
  time(): number;
  /** Drop all decoded code (fence.i). */
  dropDecodedCode(): void;
}

/**
 * Executes one instruction in JavaScript: for what is rare and long. `instruction` is the 32-bit encoding, unsigned.
 * Returns false, having changed nothing, where the instruction is illegal.
 */
export type SlowPath = (instruction: number, state: SlowState) => boolean;

/**
 * Which fields of the encoding an instruction has.
 *
 * R: rd rs1 rs2. I: rd rs1 imm12. Shift: rd rs1 and an immediate of 6 bits. S: rs1 rs2 imm12. B: rs1 rs2 and an
 * offset. U: rd imm20. J: rd and an offset. None: no fields (the slow path decodes the word itself).
 * R4: rd rs1 rs2 rs3. The F-formats are the same where some of the registers are floating-point ones.
 */
export type Format = "R" | "I" | "Shift" | "S" | "B" | "U" | "J" | "None" | "R4";

/** The unit of the instruction table: how one instruction is recognised, and what it does. */
export interface InstructionDefinition {
  readonly name: string;
  readonly format: Format;
  /** It is this instruction iff (word & mask) == match (as unsigned 32-bit numbers). */
  readonly mask: number;
  readonly match: number;
  /** Which of its register fields name floating-point registers; "" or left out: none. E.g. ["rd", "rs1"]. */
  readonly floats?: readonly ("rd" | "rs1" | "rs2" | "rs3")[];
  /** Whether bits 14:12 are a rounding mode, so that 5 and 6 are illegal there. */
  readonly rounded?: boolean;
  /** Whether it always leaves by `branch`-less control transfer or stop, so that nothing follows its code. */
  readonly ends?: boolean;
  readonly emit: (g: Operands) => Code;
  readonly slow?: SlowPath;
}
