import {
  TLB_ENTRIES,
  TLB_ENTRY_BYTES,
  TLB_FRAME,
  TLB_READ_TAG,
  TLB_WRITE_TAG,
} from "../../mm/frames/tlb-layout.ts";
import { PAGE_OFFSET_MASK, PAGE_SHIFT } from "../../mm/page.ts";
import { ACCESS_READ, ACCESS_WRITE } from "../../mm/pagetable/access.ts";
import { IMM_ZERO, NEAR, RD_ZERO, RS1_ZERO, RS2_ZERO, SHORT } from "./handlers.ts";
import {
  FFLAGS,
  RECORD_BYTES,
  RECORD_IMM,
  RECORD_RD,
  RECORD_RM,
  RECORD_RS1,
  RECORD_RS2,
  RECORD_RS3,
  RESERVED,
} from "./layout.ts";
import { type AccessBytes, type Operands, SCRATCH_LOCALS } from "./operands.ts";
import { EXIT_MISS, EXIT_SLOW, STOP_MISALIGNED } from "./stop.ts";
import {
  br,
  brIf,
  type Code,
  f64Load,
  f64Store,
  i32,
  i32Load,
  i32Load16U,
  i32Store,
  i32WrapI64,
  i64,
  i64ExtendI32S,
  i64ExtendI32U,
  i64Load,
  i64Load32S,
  i64Store,
  ifElse,
  type Label,
  type Local,
  label,
  local,
  type ValueType,
} from "./wasm-encoder.ts";

/**
 * The operands of an instruction as the interpreter has them: in the record that `pc` points to.
 *
 * In a handler nothing is called: what can't be done in line leaves through a label, to JavaScript and back. So all
 * that lives from one instruction to the next stays in machine registers.
 */

/** The variables of the interpreter, in WebAssembly locals; the first three are its parameters. */
export const INTERPRETER_PARAMS: readonly ValueType[] = ["i32", "i32", "i32"];
/** The address of the TLB. */
const tlb: Local = local(0);
/** How many instructions of the budget are left. */
export const left: Local = local(1);
/** Whether to go on at a known record, without looking the address up. */
export const resume: Local = local(2);
/** The address of the current record. */
export const pc: Local = local(3);
/** bias + (pc >> 3) is the virtual address of the instruction: a record has 16 bytes per 2 bytes of code. */
export const bias: Local = local(4);
/** The virtual address to go to, for `labels.enter`. */
export const target: Local = local(5);
/** The address of the current load or store, for `labels.stop`. */
export const address: Local = local(6);
/** What the interpreter returns through `labels.stop`. */
export const exitCode: Local = local(7);
/** The TLB entry, and the place in RAM of an access. */
export const entry: Local = local(8);
const host: Local = local(9);

const SCRATCH_TYPES: readonly ValueType[] = ["i32", "i64", "f32", "f64"];
const FIRST_SCRATCH = 10;
/** The locals after the parameters. */
export const INTERPRETER_LOCALS: readonly ValueType[] = [
  "i32",
  "i64",
  "i64",
  "i64",
  "i32",
  "i32",
  "i32",
  ...SCRATCH_TYPES.flatMap((type) => Array.from({ length: SCRATCH_LOCALS }, () => type)),
];

/** The ways out of a handler. */
export interface InterpreterLabels {
  /** Go on at the record `pc`. */
  readonly dispatch: Label;
  /** Go on at the virtual address `target`, if the budget allows it. */
  readonly enter: Label;
  /** Return `exitCode`, at the instruction of record `pc`, which has not been executed. */
  readonly stop: Label;
  /** Return as the budget is used up, at record `pc`. */
  readonly exhausted: Label;
}

export const labels: InterpreterLabels = {
  dispatch: label("dispatch"),
  enter: label("enter"),
  stop: label("stop"),
  exhausted: label("exhausted"),
};

export const stopWith = (code: number): Code => [exitCode.set(i32.const(code)), br(labels.stop)];
/** The virtual address of the current instruction. */
export const currentPc: Code = i64.add(bias.get, i64ExtendI32U(i32.shrU(pc.get, i32.const(3))));
export const advance = (slots: number): Code => pc.set(i32.add(pc.get, i32.const(slots * RECORD_BYTES)));
/** The address of the TLB entry for an i64 virtual address. */
export const tlbEntry = (virtual: Code): Code =>
  i32.add(
    tlb.get,
    i32.and(
      i32.shrU(i32WrapI64(virtual), i32.const(PAGE_SHIFT - Math.log2(TLB_ENTRY_BYTES))),
      i32.const((TLB_ENTRIES - 1) * TLB_ENTRY_BYTES),
    ),
  );
export const pageOf = (virtual: Code): Code => i64.and(virtual, i64.const(~PAGE_OFFSET_MASK));

/** The register whose offset is in a field of the record, and the field, for reading and writing it. */
const field = (offset: number): Code => i32Load16U(pc.get, offset);

interface RegisterReads {
  readonly long: Code;
  readonly low: Code;
  readonly double: Code;
}

/** What many handlers have in common, made once: code trees are immutable. */
class SharedCode {
  readonly rs1: RegisterReads;
  readonly rs2: RegisterReads;
  readonly rs3: RegisterReads;
  readonly rd: Code = field(RECORD_RD);
  readonly imm: Code = i64Load32S(pc.get, RECORD_IMM);
  readonly immLow: Code = i32Load(pc.get, RECORD_IMM);
  readonly nextPc: readonly Code[] = [0, 1, 2].map((slots) => i64.add(currentPc, i64.const(2 * slots)));
  readonly roundingMode: Code;
  readonly fflags: Code;
  private readonly translations = new Map<number, Code>();

  constructor(base: number) {
    const reads = (offset: number): RegisterReads => ({
      long: i64Load(field(offset), base),
      low: i32Load(field(offset), base),
      double: f64Load(field(offset), base),
    });
    this.rs1 = reads(RECORD_RS1);
    this.rs2 = reads(RECORD_RS2);
    this.rs3 = reads(RECORD_RS3);
    this.roundingMode = i32Load(field(RECORD_RM), base);
    this.fflags = i32Load(i32.const(0), base + FFLAGS);
  }

  /**
   * `host` = where in RAM the access to `address` lies, or out through `labels.stop`. One compare settles right and page:
   * see tlb-layout.ts. JavaScript then fills the TLB and resumes at the same instruction, or does what crosses a page.
   */
  translation(bytes: AccessBytes, access: 0 | 1): Code {
    const key = EXIT_MISS + (access << 4) + bytes;
    let code = this.translations.get(key);
    if (code === undefined) {
      const last = bytes === 1 ? address.get : i64.add(address.get, i64.const(bytes - 1));
      const tag = access === ACCESS_WRITE ? TLB_WRITE_TAG : TLB_READ_TAG;
      code = [
        entry.set(tlbEntry(address.get)),
        exitCode.set(i32.const(key)),
        brIf(labels.stop, i64.ne(i64Load(entry.get, tag), pageOf(last))),
        host.set(
          i32.add(
            i32Load(entry.get, TLB_FRAME),
            i32.and(i32WrapI64(address.get), i32.const(PAGE_OFFSET_MASK)),
          ),
        ),
      ];
      this.translations.set(key, code);
    }
    return code;
  }
}

export type { SharedCode };
export const sharedCode = (base: number): SharedCode => new SharedCode(base);

const ZERO: Code = i64.const(0);
const ZERO_LOW: Code = i32.const(0);

export class RecordOperands implements Operands {
  private readonly shared: SharedCode;
  private readonly base: number;
  private readonly known: number;

  /** For the instruction at `pc` of which `known` (handlers.ts) is known, in a hart whose area is at `base`. */
  constructor(shared: SharedCode, base: number, known: number) {
    this.shared = shared;
    this.base = base;
    this.known = known;
  }

  private knows(bit: number): boolean {
    return (this.known & bit) !== 0;
  }

  /** How many slots of two bytes the instruction has. */
  get slots(): number {
    return this.knows(SHORT) ? 1 : 2;
  }

  rs1(): Code {
    return this.knows(RS1_ZERO) ? ZERO : this.shared.rs1.long;
  }
  rs2(): Code {
    return this.knows(RS2_ZERO) ? ZERO : this.shared.rs2.long;
  }
  rs1Low(): Code {
    return this.knows(RS1_ZERO) ? ZERO_LOW : this.shared.rs1.low;
  }
  rs2Low(): Code {
    return this.knows(RS2_ZERO) ? ZERO_LOW : this.shared.rs2.low;
  }
  imm(): Code {
    return this.knows(IMM_ZERO) ? ZERO : this.shared.imm;
  }
  immLow(): Code {
    return this.knows(IMM_ZERO) ? ZERO_LOW : this.shared.immLow;
  }
  pc(): Code {
    return currentPc;
  }
  nextPc(): Code {
    return this.shared.nextPc[this.slots];
  }
  writeRd(value: Code): Code {
    // Only jumps have this form, whose link value may go uncomputed.
    if (this.knows(RD_ZERO)) return [];
    return i64Store(this.shared.rd, value, this.base);
  }
  writeRdLow(value: Code): Code {
    return this.writeRd(i64ExtendI32S(value));
  }

  branch(condition: Code): Code {
    return ifElse(condition, this.jump());
  }
  jump(): Code {
    if (!this.knows(NEAR)) return this.jumpTo(i64.add(currentPc, this.shared.imm));
    return [
      pc.set(i32.add(pc.get, this.shared.immLow)),
      brIf(labels.dispatch, i32.gtS(left.get, i32.const(0))),
      br(labels.exhausted),
    ];
  }
  jumpTo(virtual: Code): Code {
    return [target.set(i64.and(virtual, i64.const(-2))), br(labels.enter)];
  }

  private translate(virtual: Code, bytes: AccessBytes, access: 0 | 1): Code {
    return [address.set(virtual), this.shared.translation(bytes, access)];
  }
  private effectiveAddress(): Code {
    return this.knows(IMM_ZERO) ? this.rs1() : i64.add(this.rs1(), this.imm());
  }
  load(bytes: AccessBytes, access: (host: Code) => Code): Code {
    return [this.translate(this.effectiveAddress(), bytes, ACCESS_READ), access(host.get)];
  }
  store(bytes: AccessBytes, access: (host: Code, value: Code) => Code, value: Code): Code {
    return [this.translate(this.effectiveAddress(), bytes, ACCESS_WRITE), access(host.get, value)];
  }
  atomic(bytes: 4 | 8, write: boolean, body: (host: Code) => Code): Code {
    return [
      address.set(this.rs1()),
      exitCode.set(i32.const(STOP_MISALIGNED)),
      brIf(labels.stop, i32.and(i32WrapI64(address.get), i32.const(bytes - 1))),
      this.translate(address.get, bytes, write ? ACCESS_WRITE : ACCESS_READ),
      body(host.get),
    ];
  }
  reserve(): Code {
    return i64Store(i32.const(0), address.get, this.base + RESERVED);
  }
  isReserved(): Code {
    return i64.eq(i64Load(i32.const(0), this.base + RESERVED), address.get);
  }
  dropReservation(): Code {
    return i64Store(i32.const(0), i64.const(-1), this.base + RESERVED);
  }

  fs1(): Code {
    return this.shared.rs1.long;
  }
  fs2(): Code {
    return this.shared.rs2.long;
  }
  fs3(): Code {
    return this.shared.rs3.long;
  }
  fs1Double(): Code {
    return this.shared.rs1.double;
  }
  fs2Double(): Code {
    return this.shared.rs2.double;
  }
  fs3Double(): Code {
    return this.shared.rs3.double;
  }
  fs1Low(): Code {
    return this.shared.rs1.low;
  }
  fs2Low(): Code {
    return this.shared.rs2.low;
  }
  fs3Low(): Code {
    return this.shared.rs3.low;
  }
  writeFd(value: Code): Code {
    return i64Store(this.shared.rd, value, this.base);
  }
  writeFdDouble(value: Code): Code {
    return f64Store(this.shared.rd, value, this.base);
  }
  roundingMode(): Code {
    return this.shared.roundingMode;
  }
  fflags(): Code {
    return this.shared.fflags;
  }
  raiseFlags(flags: Code): Code {
    return i32Store(i32.const(0), i32.or(this.fflags(), flags), this.base + FFLAGS);
  }

  scratch(type: ValueType, index: number): Local {
    if (index >= SCRATCH_LOCALS) throw new Error(`scratch: no local ${index}`);
    return local(FIRST_SCRATCH + SCRATCH_TYPES.indexOf(type) * SCRATCH_LOCALS + index);
  }

  stop(code: number): Code {
    return stopWith(code);
  }
  slow(): Code {
    return stopWith(EXIT_SLOW);
  }
}
