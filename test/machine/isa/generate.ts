/**
 * Random cases of every instruction: of the decode table one definition after the other, then of the 16-bit spellings, then
 * sequences that mean something only together. The same seed makes the same cases.
 */
import { expand } from "../../../src/machine/cpu/isa/compressed.ts";
import { immediateOf, rdOf, rs1Of } from "../../../src/machine/cpu/isa/encoding.ts";
import { findInstruction, instructions } from "../../../src/machine/cpu/isa/table.ts";
import type { InstructionDefinition } from "../../../src/machine/cpu/operands.ts";
import { Random } from "../cpu/random.ts";
import { nastySources } from "../fp/nasty-operands.ts";
import { operations } from "../fp/reference.ts";
import { type Case, PATTERNS, START, usualF, usualX, WINDOW, WINDOW_BYTES } from "./case.ts";

const JALR = 0x67;
const ENOSYS_CALL = 0x7ff0n;
/** Nothing is mapped there. */
const NOWHERE = 0x5000_0000n;
/** CSRs: those that a user has, less the counters (whose values are nobody's to foretell), and some that are not there. */
const CSRS = [1, 2, 3, 1, 2, 3, 1, 2, 3, 0, 4, 0x300, 0x7c0];

/** The 16-bit spellings: name, the bits that are fixed, and what they are. */
const COMPRESSED: readonly (readonly [string, number, number])[] = [
  ["c.addi4spn", 0xe003, 0x0000],
  ["c.fld", 0xe003, 0x2000],
  ["c.lw", 0xe003, 0x4000],
  ["c.ld", 0xe003, 0x6000],
  ["c.reserved", 0xe003, 0x8000],
  ["c.fsd", 0xe003, 0xa000],
  ["c.sw", 0xe003, 0xc000],
  ["c.sd", 0xe003, 0xe000],
  ["c.addi", 0xe003, 0x0001],
  ["c.addiw", 0xe003, 0x2001],
  ["c.li", 0xe003, 0x4001],
  ["c.addi16sp", 0xef83, 0x6101],
  ["c.lui", 0xe003, 0x6001],
  ["c.srli", 0xec03, 0x8001],
  ["c.srai", 0xec03, 0x8401],
  ["c.andi", 0xec03, 0x8801],
  ["c.sub", 0xfc63, 0x8c01],
  ["c.xor", 0xfc63, 0x8c21],
  ["c.or", 0xfc63, 0x8c41],
  ["c.and", 0xfc63, 0x8c61],
  ["c.subw", 0xfc63, 0x9c01],
  ["c.addw", 0xfc63, 0x9c21],
  ["c.reserved", 0xfc43, 0x9c41],
  ["c.j", 0xe003, 0xa001],
  ["c.beqz", 0xe003, 0xc001],
  ["c.bnez", 0xe003, 0xe001],
  ["c.slli", 0xe003, 0x0002],
  ["c.fldsp", 0xe003, 0x2002],
  ["c.lwsp", 0xe003, 0x4002],
  ["c.ldsp", 0xe003, 0x6002],
  ["c.jr", 0xf07f, 0x8002],
  ["c.mv", 0xf003, 0x8002],
  ["c.ebreak", 0xffff, 0x9002],
  ["c.jalr", 0xf07f, 0x9002],
  ["c.add", 0xf003, 0x9002],
  ["c.fsdsp", 0xe003, 0xa002],
  ["c.swsp", 0xe003, 0xc002],
  ["c.sdsp", 0xe003, 0xe002],
];

/** The names that are to have cases. */
export const compressedNames: ReadonlySet<string> = new Set(COMPRESSED.map(([name]) => name));

/** A case that is being made. */
class Draft {
  readonly x = Array.from({ length: 32 }, (_, i) => usualX(i));
  readonly f = Array.from({ length: 32 }, (_, i) => usualF(i));
  fcsr = 0;
  pattern = 0;

  setX(i: number, value: bigint): void {
    if (i !== 0) this.x[i] = BigInt.asUintN(64, value);
  }

  done(name: string, code: readonly number[]): Case {
    return { name, code, x: this.x, f: this.f, fcsr: this.fcsr, pattern: this.pattern };
  }
}

const halvesOf = (word: number): number[] => [word & 0xffff, word >>> 16];

/** A word of the definition with everything else random. */
function randomWord({ mask, match, name }: InstructionDefinition, random: Random): number {
  let word = (match | (random.bits() & ~mask)) >>> 0;
  if (name.startsWith("csr")) word = ((word & 0xfffff) | (CSRS[random.below(CSRS.length)] << 20)) >>> 0;
  // Mostly a register that a case of its own would have, so that the sources meet rarely.
  return word;
}

const isMemory = (word: number): boolean => [0x03, 0x07, 0x23, 0x27, 0x2f].includes(word & 0x7f);

/** Bytes that a load, store or AMO reaches. */
const accessBytes = (word: number): number => 1 << ((word >>> 12) & 3);

/** Points rs1 somewhere into the window; an AMO is aligned. */
function aim(draft: Draft, word: number, format: InstructionDefinition["format"], random: Random): void {
  const bytes = accessBytes(word);
  const isAtomic = (word & 0x7f) === 0x2f;
  const step = isAtomic || random.below(2) === 0 ? bytes : 1;
  const offset = random.below(Math.floor((WINDOW_BYTES - bytes) / step) + 1) * step;
  const immediate = isAtomic ? 0 : immediateOf(format, word);
  // An SC without a reservation may be treated like a store or not, as an implementation likes: here it faults, in qemu not.
  const mayMiss = !(isAtomic && word >>> 27 === 3);
  const base = mayMiss && random.below(40) === 0 ? NOWHERE : BigInt(WINDOW + offset);
  draft.setX(rs1Of(word), base - BigInt(immediate));
  draft.pattern = random.below(PATTERNS);
}

/** Fills the registers that a floating-point instruction reads with what is nasty for it. */
function floatSources(
  draft: Draft,
  { name, floats }: InstructionDefinition,
  word: number,
  random: Random,
): void {
  const operation = operations.find((one) => one.name === name);
  if (operation === undefined) throw new Error(`no reference for ${name}`);
  const sources = nastySources(operation, () => random.bits());
  const fields = [rs1Of(word), (word >>> 20) & 31, word >>> 27];
  for (let i = 0; i < operation.sources.length; i++) {
    const isFloat = (floats as readonly string[] | undefined)?.includes(`rs${i + 1}`) === true;
    if (isFloat) draft.f[fields[i]] = sources[i];
    else draft.setX(fields[i], sources[i]);
  }
}

function caseOf(definition: InstructionDefinition, random: Random): Case {
  const { name, format } = definition;
  let word = randomWord(definition, random);
  // Reserved rounding modes are no instruction; some of them are kept, to see that.
  if (definition.rounded === true && random.below(12) !== 0) {
    const modes = [0, 1, 2, 3, 4, 7, 7];
    word = ((word & ~0x7000) | (modes[random.below(modes.length)] << 12)) >>> 0;
  }
  // A base that is x0 leads nowhere.
  if (isMemory(word) && rs1Of(word) === 0) word = (word | (1 << 18)) >>> 0;
  const draft = new Draft();
  if (definition.floats !== undefined && !isMemory(word)) {
    floatSources(draft, definition, word, random);
    draft.fcsr = random.below(4) === 0 ? random.below(32) : 0;
    draft.fcsr |= (random.below(16) === 0 ? 5 + random.below(3) : random.below(5)) << 5;
  } else if (!isMemory(word) || format !== "I") {
    // No instruction but those above reads more than two.
    if (format !== "U" && format !== "J") draft.setX(rs1Of(word), random.operand());
    if (["R", "S", "B"].includes(format)) draft.setX((word >>> 20) & 31, random.operand());
    // Equal operands, which random ones never are.
    if (format === "B" && random.below(3) === 0) draft.setX(rs1Of(word), draft.x[(word >>> 20) & 31]);
  }
  if ((word & 0x7f) === 0x27) draft.f[(word >>> 20) & 31] = random.operand();
  if (name.startsWith("csr")) draft.fcsr = random.below(256);
  if (name === "ecall") draft.setX(17, ENOSYS_CALL);
  if (isMemory(word)) aim(draft, word, format, random);
  if ((word & 0x7f) === JALR) {
    if (rs1Of(word) === 0) word = (word | (1 << 18)) >>> 0;
    draft.setX(rs1Of(word), BigInt(START - immediateOf("I", word) + random.below(1 << 16)));
  }
  return draft.done(name, halvesOf(word));
}

function compressedCase(name: string, mask: number, match: number, random: Random): Case {
  const half = match | (random.bits() & 0xffff & ~mask);
  const word = expand(half);
  const draft = new Draft();
  const number = findInstruction(word);
  if (number < 0) return draft.done(name, [half]);
  const { format } = instructions[number];
  draft.setX(rs1Of(word), random.operand());
  if (format === "R" || format === "S" || format === "B") draft.setX((word >>> 20) & 31, random.operand());
  if (format === "B" && random.below(2) === 0) draft.setX(rs1Of(word), 0n);
  if ((word & 0x7f) === 0x27) draft.f[(word >>> 20) & 31] = random.operand();
  if (isMemory(word)) aim(draft, word, format, random);
  if ((word & 0x7f) === JALR) draft.setX(rs1Of(word), BigInt(START + random.below(1 << 16)));
  return draft.done(name, [half]);
}

/** LR and SC in all the ways that one hart alone can see; `word` of both halves of a pair. */
function reservationCase(random: Random): Case {
  const draft = new Draft();
  const funct3 = 2 + random.below(2);
  const bytes = 1 << funct3;
  const amo = (funct5: number, rd: number, rs1: number, rs2: number): number =>
    (0x2f | (rd << 7) | (funct3 << 12) | (rs1 << 15) | (rs2 << 20) | (funct5 << 27)) >>> 0;
  const LR = 2;
  const SC = 3;
  const slots = WINDOW_BYTES / bytes;
  const first = random.below(slots);
  draft.setX(10, BigInt(WINDOW + first * bytes));
  draft.setX(11, BigInt(WINDOW + ((first + 1 + random.below(slots - 1)) % slots) * bytes));
  draft.setX(12, random.operand());
  draft.setX(13, random.operand());
  draft.pattern = random.below(PATTERNS);
  const sequences: readonly (readonly number[])[] = [
    [amo(LR, 5, 10, 0), amo(SC, 6, 10, 12)],
    [amo(LR, 5, 10, 0), amo(SC, 6, 11, 12)],
    [amo(LR, 5, 10, 0), amo(SC, 6, 10, 12), amo(SC, 7, 10, 13)],
    [amo(LR, 5, 10, 0), amo(LR, 6, 11, 0), amo(SC, 7, 10, 12)],
    [amo(LR, 5, 10, 0), amo(LR, 6, 11, 0), amo(SC, 7, 11, 12)],
    [amo(LR, 5, 10, 0), amo(SC, 10, 10, 10)],
  ];
  return draft.done("lr-sc", sequences[random.below(sequences.length)].flatMap(halvesOf));
}

/** Two instructions one after the other, which the decoder may make one of: a target or load between them included. */
function pairCase(random: Random): Case {
  const draft = new Draft();
  const simple = instructions.filter(({ format }) => ["R", "I", "Shift", "U"].includes(format));
  const halves: number[] = [];
  while (halves.length < 6) {
    const definition = simple[random.below(simple.length)];
    const word = randomWord(definition, random);
    if (isMemory(word) || (word & 0x7f) === JALR || definition.floats !== undefined) continue;
    if (definition.name.startsWith("csr") || rdOf(word) === 0) continue;
    for (const register of [rs1Of(word), (word >>> 20) & 31]) {
      if (random.below(2) === 0) draft.setX(register, random.operand());
    }
    halves.push(...halvesOf(word));
  }
  return draft.done("sequence", halves);
}

/** `count` cases of every instruction. */
export function casesOfAll(count: number, seed: number): Case[] {
  const random = new Random(seed);
  // The generator's first numbers are close for seeds that are.
  for (let i = 0; i < 20; i++) random.bits();
  const repeat = <T>(times: number, make: () => T): T[] => Array.from({ length: times }, make);
  // What has no operands, or only the ones that it ignores, needs no repetition.
  const timesOf = ({ format, name }: InstructionDefinition): number =>
    format === "None" && !name.startsWith("csr") ? 2 : count;
  return [
    ...instructions.flatMap((definition) => repeat(timesOf(definition), () => caseOf(definition, random))),
    ...COMPRESSED.flatMap(([name, mask, match]) =>
      repeat(count, () => compressedCase(name, mask, match, random)),
    ),
    ...repeat(3 * count, () => reservationCase(random)),
    ...repeat(4 * count, () => pairCase(random)),
  ];
}
