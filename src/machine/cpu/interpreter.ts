import { TLB_EXEC_TAG, TLB_FRAME } from "../../mm/frames/tlb-layout.ts";
import { PAGE_OFFSET_MASK, PAGE_SHIFT } from "../../mm/page.ts";
import { type Handler, handlers } from "./handlers.ts";
import { instructions } from "./isa/table.ts";
import {
  ACCESS_ADDRESS,
  BIAS,
  FRAME_MAP,
  LEFT,
  PC,
  RECORD,
  RECORD_IMM,
  RECORD_OP,
  SLOTS,
  STRADDLE_SLOT,
} from "./layout.ts";
import {
  address,
  advance,
  bias,
  currentPc,
  entry,
  exitCode,
  INTERPRETER_LOCALS,
  INTERPRETER_PARAMS,
  labels,
  left,
  pageOf,
  pc,
  RecordOperands,
  resume,
  type SharedCode,
  sharedCode,
  stopWith,
  target,
  tlbEntry,
} from "./record-operands.ts";
import { EXIT_DECODE, EXIT_FETCH, EXIT_STEPPED, EXIT_STRADDLE, STOP_BUDGET, STOP_ILLEGAL } from "./stop.ts";
import {
  block,
  br,
  brIf,
  brTable,
  type Code,
  i32,
  i32Load,
  i32Load16U,
  i32Store,
  i32WrapI64,
  i64,
  i64ExtendI32U,
  i64Load,
  i64Store,
  type Label,
  label,
  loop,
  RETURN,
} from "./wasm-encoder.ts";
import { encodeModule, type WasmFunction } from "./wasm-module.ts";

/**
 * The interpreter: one WebAssembly function, generated from the table of instructions.
 *
 * ```
 *   run(tlb, left, resume):
 *     enter:     unless resume: look the virtual address up — TLB (may it be executed? which frame?),
 *                frame map (its decoded page) — and point pc at the record
 *     dispatch:  left −= 1; go to the code for the record's op
 *                …each piece of code does its instruction, points pc at the next record and goes to dispatch,
 *                  or to enter with another address, or stops
 *     stop:      save the state, return a code
 * ```
 *
 * A jump within the page changes `pc` alone. The right to execute is looked up whenever control enters a page. Should
 * the page go away in the middle (a TLB miss can make the kernel reclaim it), its records are zeroed, and the zero
 * record leads back to `enter`. The budget is looked at where control transfers are taken, so that straight code
 * pays nothing and every loop ends.
 *
 * The function imports no functions. What needs JavaScript (a TLB miss, code not yet decoded, rare instructions)
 * returns to it and is called again, which costs about as much as one import call and lets the engine replace the
 * code by an optimised version in between.
 */

/** Leave at `target` without having executed anything there. */
const leaveAtTarget = (base: number, code: number): Code => [
  i64Store(i32.const(0), target.get, base + PC),
  i32Store(i32.const(0), left.get, base + LEFT),
  i32.const(code),
  RETURN,
];

/** From the virtual address in `target` to the record in `pc`. Falls through when that is settled. */
function enterPage(base: number): Code {
  const ready = label("ready");
  const miss = label("miss");
  const hasBudget = label("has budget");
  return block(ready, [
    brIf(ready, resume.get),
    block(hasBudget, [brIf(hasBudget, i32.gtS(left.get, i32.const(0))), leaveAtTarget(base, STOP_BUDGET)]),
    block(miss, [
      entry.set(tlbEntry(target.get)),
      brIf(miss, i64.ne(i64Load(entry.get, TLB_EXEC_TAG), pageOf(target.get))),
      // Four bytes of frame map per page of frame.
      pc.set(i32Load(i32.shrU(i32Load(entry.get, TLB_FRAME), i32.const(PAGE_SHIFT - 2)), base + FRAME_MAP)),
      brIf(miss, i32.eqz(pc.get)),
      pc.set(
        i32.add(pc.get, i32.shl(i32.and(i32WrapI64(target.get), i32.const(PAGE_OFFSET_MASK)), i32.const(3))),
      ),
      bias.set(i64.sub(target.get, i64ExtendI32U(i32.shrU(pc.get, i32.const(3))))),
      br(ready),
    ]),
    leaveAtTarget(base, EXIT_FETCH),
  ]);
}

/** Code of the ops that are no instructions, in the order of their numbers (handlers.ts). */
function internalHandlers(): Code[] {
  const straddleTarget = label("straddle: look up");
  const retry: Code = left.set(i32.add(left.get, i32.const(1)));
  return [
    stopWith(EXIT_DECODE),
    stopWith(STOP_ILLEGAL),
    [retry, target.set(currentPc), br(labels.enter)],
    // If the page that has the instruction's second half is still the one that it was decoded from, go to the copy.
    [
      block(straddleTarget, [
        target.set(i64.add(currentPc, i64.const(2))),
        entry.set(tlbEntry(target.get)),
        brIf(straddleTarget, i64.ne(i64Load(entry.get, TLB_EXEC_TAG), target.get)),
        brIf(straddleTarget, i32.ne(i32Load(entry.get, TLB_FRAME), i32Load(pc.get, RECORD_IMM))),
        retry,
        bias.set(i64.sub(bias.get, i64.const((STRADDLE_SLOT - (SLOTS - 1)) * 2))),
        advance(STRADDLE_SLOT - (SLOTS - 1)),
        resume.set(i32.const(1)),
        br(labels.enter),
      ]),
      stopWith(EXIT_STRADDLE),
    ],
    stopWith(EXIT_STEPPED),
  ];
}

/** The code of a handler: its instruction or two, then to the next. */
function handlerCode(shared: SharedCode, base: number, { definition, known, second }: Handler): Code {
  const g = new RecordOperands(shared, base, known);
  const code: Code = [instructions[definition].emit(g)];
  const next = instructions[definition].ends === true ? [] : advance(g.slots);
  if (second === undefined) return [code, next, br(labels.dispatch)];
  return [code, next, left.set(i32.sub(left.get, i32.const(1))), handlerCode(shared, base, second)];
}

/** The code for each op, behind one branch table: the innermost block's end is where op 0 goes, and so on. */
function dispatch(bodies: readonly Code[]): Code {
  const targets: Label[] = bodies.map((_, op) => label(`op ${op}`));
  // An op past the table would be a bug of the decoder; it does what illegal does (op 1).
  let code: Code = brTable(i32Load16U(pc.get, RECORD_OP), [...targets, targets[1]]);
  for (const [op, body] of bodies.entries()) code = [block(targets[op], code), body];
  return code;
}

function interpreterFunction(base: number): WasmFunction {
  const shared = sharedCode(base);
  const bodies = [...internalHandlers(), ...handlers.map((handler) => handlerCode(shared, base, handler))];
  const at = i32.const(0);
  const body: Code = [
    pc.set(i32Load(at, base + RECORD)),
    bias.set(i64Load(at, base + BIAS)),
    // Clearing bit 0 keeps a pc that a guest made up from pointing into the middle of a record.
    target.set(i64.and(i64Load(at, base + PC), i64.const(-2))),
    block(labels.stop, [
      block(labels.exhausted, [
        loop(labels.enter, [
          enterPage(base),
          resume.set(i32.const(0)),
          loop(labels.dispatch, [
            left.set(i32.sub(left.get, i32.const(1))),
            // Not carried around the loop: no register holds them where an instruction doesn't use them.
            address.set(i64.const(0)),
            exitCode.set(i32.const(0)),
            dispatch(bodies),
          ]),
        ]),
      ]),
      exitCode.set(i32.const(STOP_BUDGET)),
      left.set(i32.sub(left.get, i32.const(1))),
    ]),
    // Dispatch has counted the instruction, which was not executed.
    i32Store(at, i32.add(left.get, i32.const(1)), base + LEFT),
    i32Store(at, pc.get, base + RECORD),
    i64Store(at, bias.get, base + BIAS),
    i64Store(at, currentPc, base + PC),
    i64Store(at, address.get, base + ACCESS_ADDRESS),
    exitCode.get,
  ];
  return { name: "run", params: INTERPRETER_PARAMS, results: ["i32"], locals: INTERPRETER_LOCALS, body };
}

/** The interpreter's module for a hart whose area begins at byte `base`: a pure function of it. */
export function interpreterModule(base: number): Uint8Array<ArrayBuffer> {
  return encodeModule([interpreterFunction(base)]);
}
