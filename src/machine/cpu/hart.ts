import { PAGE_OFFSET_MASK, PAGE_SIZE } from "../../mm/page.ts";
import type { Access } from "../../mm/pagetable/access.ts";
import { ACCESS_EXEC } from "../../mm/pagetable/access.ts";
import { DONE, FIRST_REFUSED, PageCrossing } from "./crossing.ts";
import { DecodeCache } from "./decode-cache.ts";
import { definitionOf } from "./handlers.ts";
import { interpreterModule } from "./interpreter.ts";
import { instructions } from "./isa/table.ts";
import {
  ACCESS_ADDRESS,
  F_REGISTERS,
  FFLAGS,
  FRM,
  LEFT,
  PC,
  RECORD,
  RECORD_BYTES,
  RECORD_IMM,
  RECORD_OP,
  RESERVED,
  ROUNDING_MODES,
  X_REGISTERS,
} from "./layout.ts";
import type { SlowState } from "./operands.ts";
import { Registers } from "./registers.ts";
import {
  EXIT_DECODE,
  EXIT_FETCH,
  EXIT_MISS,
  EXIT_STRADDLE,
  STOP_FAULT,
  STOP_ILLEGAL,
  STOP_MISALIGNED,
  type Stop,
} from "./stop.ts";

export { HART_AREA_BYTES } from "./layout.ts";
export { Registers, TASK_STATE_BYTES } from "./registers.ts";
export * from "./stop.ts";

/**
 * A hart: one RISC-V processor (RV64IMAFDC, user mode) that executes a program through a TLB.
 *
 * The generated interpreter (interpreter.ts) runs until something needs JavaScript, and returns a code. `run` serves
 * what belongs to the processor itself (a TLB miss through `translate`, code to decode, rare instructions) and calls
 * the interpreter again; the rest is for the kernel, which is told by a stop code.
 */

/**
 * The MMU's answer to a TLB miss: the byte address in RAM of the frame of the page that holds the address, as the
 * 32 bits of a u32, or −1 where the access is refused. Having answered a frame, it has filled the page's entry of the
 * TLB that `run` was given: the access is then repeated and has to hit.
 *
 * It may change mappings and free frames while it looks for one, if it flushes the TLB and calls `invalidateFrame`.
 */
export type Translate = (addressLow: number, addressHigh: number, access: Access) => number;

export interface HartOptions {
  /** All RAM. It never grows. */
  readonly memory: WebAssembly.Memory;
  /** Byte address in RAM of HART_AREA_BYTES bytes of zeros that are the hart's alone; a multiple of 64. */
  readonly base: number;
  readonly translate: Translate;
  /** What `rdtime` reads; without it, the number of instructions. */
  readonly readTime?: () => number;
  /** The compiled interpreter for `base` (`compileInterpreter`), where compiling at once isn't wanted. */
  readonly module?: WebAssembly.Module;
}

const TWO_32 = 0x1_0000_0000;

/** See interpreter.ts; returns a stop or exit code (stop.ts). */
type Interpreter = (tlb: number, left: number, resume: number) => number;

/** How to go on after an exit has been served. */
const LOOK_UP = 0; // at the saved pc, found anew
const RESUME = 1; // at the saved record
const EXECUTED = 2; // the same, and JavaScript has executed one instruction
const FAULTED = 3;
const REFUSED = 4; // the instruction is illegal

/** The module of the interpreter for a base, compiled in the background, as browsers prefer it. */
export function compileInterpreter(base: number): Promise<WebAssembly.Module> {
  return WebAssembly.compile(interpreterModule(base));
}

const compiled = new Map<number, WebAssembly.Module>();

function moduleFor(base: number): WebAssembly.Module {
  let module = compiled.get(base);
  if (module === undefined) {
    module = new WebAssembly.Module(interpreterModule(base));
    compiled.set(base, module);
  }
  return module;
}

export class Hart extends Registers {
  /** Instructions executed since the hart was made. */
  instret = 0;
  /** After STOP_FAULT and STOP_MISALIGNED: the address that was refused (inexact above 2^53). */
  faultAddress = 0;
  /** After STOP_FAULT: what was refused. */
  faultAccess: Access = 0;

  private readonly base: number;
  private readonly halves: Uint16Array;
  private readonly translate: Translate;
  private readonly cache: DecodeCache;
  private readonly crossing: PageCrossing;
  private readonly interpret: Interpreter;
  private readonly slowState: SlowState & { retired: number };

  constructor({ memory, base, translate, readTime, module }: HartOptions) {
    super(memory, base);
    this.base = base;
    this.halves = new Uint16Array(memory.buffer);
    this.translate = translate;
    this.cache = new DecodeCache(memory, base);
    this.crossing = new PageCrossing(memory, base);
    const instance = new WebAssembly.Instance(module ?? moduleFor(base), { env: { memory } });
    this.interpret = instance.exports.run as Interpreter;
    for (let mode = 0; mode < 5; mode++) this.words[((base + ROUNDING_MODES) >>> 2) + mode] = mode;
    const state: SlowState & { retired: number } = {
      words: this.words,
      x: (base + X_REGISTERS) >>> 2,
      f: (base + F_REGISTERS) >>> 2,
      fflags: (base + FFLAGS) >>> 2,
      frm: (base + FRM) >>> 2,
      retired: 0,
      time: () => (readTime === undefined ? state.retired : readTime()),
      dropDecodedCode: () => this.cache.invalidateAll(),
    };
    this.slowState = state;
  }

  /**
   * Execute from the pc on, with the TLB at byte `tlbBase`, until something needs the kernel or at least `budget`
   * (1 … 2^30) instructions have been executed: then it stops at the first taken jump or branch or page boundary.
   *
   * Call it with small budgets (up to a million) at first: the engine replaces the interpreter's code by optimised code
   * only between calls.
   */
  run(tlbBase: number, budget: number): Stop {
    const leftAt = (this.base + LEFT) >>> 2;
    const end = this.instret + budget;
    let left = budget;
    let how = LOOK_UP;
    for (;;) {
      const code = this.interpret(tlbBase, left, how);
      left = this.words[leftAt];
      if (code < EXIT_FETCH) return this.stopped(code as Stop, end - left);
      how = this.serve(code, tlbBase, end - left);
      if (how > RESUME) {
        if (how === FAULTED) return this.stopped(STOP_FAULT, end - left);
        if (how === REFUSED) return this.stopped(STOP_ILLEGAL, end - left);
        left--;
        how = RESUME;
      }
    }
  }

  /** Forget what was decoded from the frame at byte `frame`: it is being freed, or its bytes were rewritten. */
  invalidateFrame(frame: number): void {
    this.cache.invalidateFrame(frame);
  }

  /** Forget all decoded code. */
  invalidateAll(): void {
    this.cache.invalidateAll();
  }

  private stopped(stop: Stop, instret: number): Stop {
    this.instret = instret;
    if (stop === STOP_MISALIGNED) this.faultAddress = this.addressAt(ACCESS_ADDRESS);
    // Another task may run next.
    const reserved = (this.base + RESERVED) >>> 2;
    this.words[reserved] = -1;
    this.words[reserved + 1] = -1;
    return stop;
  }

  /** Do what the interpreter stopped for; returns how to go on. */
  private serve(code: number, tlbBase: number, retired: number): number {
    if (code >= EXIT_MISS) return this.miss(tlbBase, ((code >> 4) & 1) as Access, code & 15);
    if (code === EXIT_FETCH) return this.fetch();
    const record = this.words[(this.base + RECORD) >>> 2];
    if (code === EXIT_DECODE) return this.cache.decodeAt(record) ? RESUME : LOOK_UP;
    if (code === EXIT_STRADDLE) return this.straddle(record);
    return this.executeSlowly(record, retired);
  }

  private fetch(): number {
    const at = (this.base + PC) >>> 2;
    const frame = this.translate(this.words[at], this.words[at + 1], ACCESS_EXEC);
    if (frame === -1) return this.faulted(PC, 0, ACCESS_EXEC);
    this.cache.ensure(frame >>> 0);
    return LOOK_UP;
  }

  /** The saved access missed in the TLB: its page has no entry, or it ends in another page. */
  private miss(tlbBase: number, access: Access, size: number): number {
    const { words, base, translate } = this;
    const low = words[(base + ACCESS_ADDRESS) >>> 2];
    const high = words[(base + ACCESS_ADDRESS + 4) >>> 2];
    const inPage = PAGE_SIZE - (low & PAGE_OFFSET_MASK);
    if (size <= inPage) {
      return translate(low, high, access) === -1 ? this.faulted(ACCESS_ADDRESS, 0, access) : RESUME;
    }
    const crossed = this.crossing.execute(tlbBase, access, size, translate, this.interpret);
    if (crossed === DONE) return EXECUTED;
    return this.faulted(ACCESS_ADDRESS, crossed === FIRST_REFUSED ? 0 : inPage, access);
  }

  private straddle(record: number): number {
    const { words } = this;
    const at = (this.base + PC) >>> 2;
    const low = (words[at] + 2) | 0;
    const high = low === 0 ? (words[at + 1] + 1) | 0 : words[at + 1];
    const frame = this.translate(low, high, ACCESS_EXEC);
    if (frame === -1) return this.faulted(PC, 2, ACCESS_EXEC);
    return this.cache.decodeStraddle(record, frame >>> 0) ? RESUME : LOOK_UP;
  }

  private executeSlowly(record: number, retired: number): number {
    const { slow, name } = instructions[definitionOf(this.halves[(record + RECORD_OP) >>> 1])];
    if (slow === undefined) throw new Error(`executeSlowly: ${name} has no slow path`);
    this.slowState.retired = retired;
    if (!slow(this.words[(record + RECORD_IMM) >>> 2] >>> 0, this.slowState)) return REFUSED;
    // No 16-bit instruction has a slow path.
    this.words[(this.base + RECORD) >>> 2] = record + 2 * RECORD_BYTES;
    return EXECUTED;
  }

  private faulted(addressAt: number, plus: number, access: Access): number {
    this.faultAddress = this.addressAt(addressAt) + plus;
    this.faultAccess = access;
    return FAULTED;
  }

  private addressAt(offset: number): number {
    const at = (this.base + offset) >>> 2;
    return (this.words[at + 1] >>> 0) * TWO_32 + (this.words[at] >>> 0);
  }
}
