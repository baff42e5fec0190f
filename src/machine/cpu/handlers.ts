import { instructions } from "./isa/table.ts";
import { PAIRS } from "./pairs.ts";

/**
 * The ops of decoded records: which pieces of generated code there are, and which one an instruction gets.
 *
 * An instruction's meaning, with some of its operands known in advance, makes a shorter piece of code: `addi` with x0 as
 * its source is a load of a constant, with immediate 0 a move; a branch within its page needs no look-up. These
 * forms are not written down anywhere; they come out of the one definition when its operands answer with constants.
 * The decoder takes the most special form that fits. Which forms exist decides about speed alone.
 *
 * A second way to shorter code is to lead from one instruction straight into the one that follows, without going
 * through the dispatch in between. Such a pair is the code of both, one after the other, under an op of its own,
 * which the first record gets; the second record stays as it is, for whoever jumps to it.
 */

/** What is known about an instruction in advance, one bit each. */
export const SHORT = 1;
/** A branch or jump whose target lies in the same page. */
export const NEAR = 2;
export const RS1_ZERO = 4;
export const RS2_ZERO = 8;
export const RD_ZERO = 16;
export const IMM_ZERO = 32;
const KNOWN_SETS = 64;

/** Ops that are no instructions. A record of zeros is OP_UNDECODED. */
export const OP_UNDECODED = 0;
export const OP_ILLEGAL = 1;
export const OP_NEXT_PAGE = 2;
export const OP_STRADDLE = 3;
export const OP_STEP_END = 4;
const FIRST_HANDLER_OP = 5;

export interface Handler {
  /** Number of the definition in the table. */
  readonly definition: number;
  /** What is known, as bits. */
  readonly known: number;
  /** The handler whose code follows, for a pair. */
  readonly second: Handler | undefined;
}

/** Definitions that have a 16-bit spelling (a test compares this with `expand` over all half-words). */
const COMPRESSIBLE: ReadonlySet<string> = new Set(
  "addi addiw lui ld lw sd sw fld fsd slli srli srai andi sub xor or and subw addw add jal jalr beq bne ebreak".split(
    " ",
  ),
);

/** Special forms worth their code, by definition. */
const SPECIAL_FORMS: Readonly<Record<string, readonly number[]>> = {
  addi: [RS1_ZERO, IMM_ZERO],
  add: [RS1_ZERO],
  jal: [RD_ZERO],
  jalr: [RD_ZERO | IMM_ZERO],
  beq: [RS2_ZERO],
  bne: [RS2_ZERO],
  ld: [IMM_ZERO],
  lw: [IMM_ZERO],
  lbu: [IMM_ZERO],
};

const numberOf = new Map<string, number>(instructions.map(({ name }, number) => [name, number]));

function formsOf(name: string, format: string): number[] {
  const special = [0, ...(SPECIAL_FORMS[name] ?? [])];
  const reaches = format === "B" || format === "J" ? [0, NEAR] : [0];
  const lengths = COMPRESSIBLE.has(name) ? [0, SHORT] : [0];
  return lengths.flatMap((short) => reaches.flatMap((near) => special.map((known) => short | near | known)));
}

/** The handlers of single instructions, by definition. */
const singlesOf: readonly (readonly Handler[])[] = instructions.map(({ name, format }, definition) =>
  formsOf(name, format).map((known) => ({ definition, known, second: undefined })),
);
const singles: readonly Handler[] = singlesOf.flat();

const KNOWN_WORDS: Readonly<Record<string, number>> = {
  near: NEAR,
  "rs1=0": RS1_ZERO,
  "rs2=0": RS2_ZERO,
  "rd=0": RD_ZERO,
  "imm=0": IMM_ZERO,
};

/** The handler of a form as pairs.ts spells it. */
function parseForm(text: string): Handler {
  const [spelling, ...words] = text.split(" ");
  const isShort = spelling.startsWith("c.");
  const known = words.reduce((set, word) => set | KNOWN_WORDS[word], isShort ? SHORT : 0);
  const definition = numberOf.get(isShort ? spelling.slice(2) : spelling) ?? -1;
  const found = singlesOf[definition]?.find((handler) => handler.known === known);
  if (found === undefined) throw new Error(`handlers: there is no form ${text}`);
  return found;
}

const pairs: readonly Handler[] = PAIRS.map(([first, second]) => ({
  ...parseForm(first),
  second: parseForm(second),
}));

/** All handlers; the op of handlers[i] is FIRST_HANDLER_OP + i. */
export const handlers: readonly Handler[] = [...singles, ...pairs];

/** The op of the first instruction of an op's pair, which is the op itself where it is no pair. */
const firstOps: Uint16Array = new Uint16Array(FIRST_HANDLER_OP + handlers.length);
/** Whether an op begins some pair. */
const beginsPair: Uint8Array = new Uint8Array(FIRST_HANDLER_OP + handlers.length);
/** first op × 65536 + second op → the pair's op. */
const pairOps = new Map<number, number>();

/** definition × KNOWN_SETS + known → the op of that single form. */
const singleOps = new Uint16Array(instructions.length * KNOWN_SETS);
const formOf = ({ definition, known }: Handler): number => definition * KNOWN_SETS + known;

for (let op = 0; op < firstOps.length; op++) firstOps[op] = op;
for (const [index, single] of singles.entries()) singleOps[formOf(single)] = FIRST_HANDLER_OP + index;
for (const [index, handler] of handlers.entries()) {
  const { second } = handler;
  if (second === undefined) continue;
  const first = singleOps[formOf(handler)];
  firstOps[FIRST_HANDLER_OP + index] = first;
  beginsPair[first] = 1;
  pairOps.set(first * 65536 + singleOps[formOf(second)], FIRST_HANDLER_OP + index);
}

const chosen = new Uint16Array(instructions.length * KNOWN_SETS);

/** The op for an instruction of which `known` is known: the most special form that it allows. */
export function opFor(definition: number, known: number): number {
  const at = definition * KNOWN_SETS + known;
  if (chosen[at] === 0) chosen[at] = choose(definition, known);
  return chosen[at];
}

const countBits = (set: number): number => (set === 0 ? 0 : (set & 1) + countBits(set >> 1));

function choose(definition: number, known: number): number {
  const fixed = SHORT | NEAR;
  let best: Handler | undefined;
  for (const handler of singlesOf[definition]) {
    if (((handler.known ^ known) & fixed) !== 0 || (handler.known & ~known) !== 0) continue;
    if (best === undefined || countBits(handler.known) > countBits(best.known)) best = handler;
  }
  if (best === undefined) throw new Error(`opFor: ${instructions[definition].name} has no form ${known}`);
  return singleOps[formOf(best)];
}

/** The op of the pair that begins with `first` and goes on with `second`, or 0. Either may itself be a pair's. */
export function pairFor(first: number, second: number): number {
  if (beginsPair[firstOps[first]] === 0) return 0;
  return pairOps.get(firstOps[first] * 65536 + firstOps[second]) ?? 0;
}

/** The op that does only the first instruction of a pair. */
export const firstOf = (op: number): number => firstOps[op];

/** The number of an op's (first) definition, or −1 where it is no instruction. */
export function definitionOf(op: number): number {
  return op < FIRST_HANDLER_OP ? -1 : handlers[op - FIRST_HANDLER_OP].definition;
}
