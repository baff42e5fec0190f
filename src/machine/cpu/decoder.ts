import { PAGE_SIZE } from "../../mm/page.ts";
import {
  IMM_ZERO,
  NEAR,
  OP_ILLEGAL,
  OP_STRADDLE,
  OP_UNDECODED,
  opFor,
  pairFor,
  RD_ZERO,
  RS1_ZERO,
  RS2_ZERO,
  SHORT,
} from "./handlers.ts";
import { expand, isCompressed } from "./isa/compressed.ts";
import { immediateOf, rdOf, rs1Of, rs2Of, rs3Of } from "./isa/encoding.ts";
import { findInstruction, instructions } from "./isa/table.ts";
import {
  DISCARD,
  F_REGISTERS,
  FRM,
  RECORD_BYTES,
  RECORD_IMM,
  RECORD_OP,
  RECORD_RD,
  RECORD_RM,
  RECORD_RS1,
  RECORD_RS2,
  RECORD_RS3,
  ROUNDING_MODES,
  SLOTS,
} from "./layout.ts";

/**
 * From instruction words to the records of a decoded page (layout.ts).
 *
 * Decoding is total: whatever the bytes are, the record is one that does no harm. All that a record makes the generated
 * code touch besides guest memory is chosen here: register numbers of five bits, and branch distances that end on a
 * record of the same page.
 */

const DYNAMIC_ROUNDING = 7;

/** What of a definition the decoder needs at every instruction, as data. */
interface Fields {
  readonly rd: number;
  readonly rs1: number;
  readonly rs2: number;
  /** Whether the target is pc + imm. */
  readonly isRelative: boolean;
}

const fieldsOf: readonly Fields[] = instructions.map(({ floats, format }) => {
  const bank = (field: "rd" | "rs1" | "rs2"): number => (floats?.includes(field) === true ? F_REGISTERS : 0);
  return {
    rd: bank("rd"),
    rs1: bank("rs1"),
    rs2: bank("rs2"),
    isRelative: format === "B" || format === "J",
  };
});

export class Decoder {
  private readonly halves: Uint16Array;
  private readonly words: Int32Array;

  /** Both are views of all RAM. */
  constructor(halves: Uint16Array, words: Int32Array) {
    this.halves = halves;
    this.words = words;
  }

  /**
   * Decode what is at `slot` of the frame at byte `frame` and all that follows it up to a jump, the end of the page or
   * what is already decoded, into the decoded page at `page`.
   */
  decodeRun(page: number, frame: number, slot: number): void {
    const { halves } = this;
    const code = frame >>> 1;
    let previous = -1;
    for (let at = slot; at < SLOTS; ) {
      const record = page + at * RECORD_BYTES;
      const isKnown = halves[(record + RECORD_OP) >>> 1] !== OP_UNDECODED;
      const half = halves[code + at];
      const isShort = isCompressed(half);
      let goesOn = !isKnown;
      if (!isKnown) {
        if (isShort) goesOn = this.decode(record, expand(half), 2, at);
        else if (at + 1 < SLOTS)
          goesOn = this.decode(record, (half | (halves[code + at + 1] << 16)) >>> 0, 4, at);
        else goesOn = this.straddle(record);
      }
      if (previous >= 0) this.join(previous, record);
      if (!goesOn) return;
      previous = record;
      at += isShort ? 1 : 2;
    }
  }

  /** Make one op of two records that follow each other, where there is one. */
  private join(first: number, second: number): void {
    const { halves } = this;
    const pair = pairFor(halves[(first + RECORD_OP) >>> 1], halves[(second + RECORD_OP) >>> 1]);
    if (pair !== 0) halves[(first + RECORD_OP) >>> 1] = pair;
  }

  private straddle(record: number): boolean {
    this.halves[(record + RECORD_OP) >>> 1] = OP_STRADDLE;
    // No frame begins here, so the first execution looks for the other half.
    this.words[(record + RECORD_IMM) >>> 2] = -1;
    return false;
  }

  /**
   * Write the record of `word`, which takes `bytes` bytes in memory at slot `slot` of its page, or, where `slot` is −1,
   * is to have no target in the page. Returns whether control may go on after it.
   */
  decode(record: number, word: number, bytes: 2 | 4, slot: number): boolean {
    const { halves, words } = this;
    const at = record >>> 1;
    const definition = findInstruction(word);
    if (definition < 0) {
      halves[at + RECORD_OP / 2] = OP_ILLEGAL;
      return false;
    }
    const { format, rounded, ends, slow } = instructions[definition];
    const { rd, rs1, rs2, isRelative } = fieldsOf[definition];
    const imm = immediateOf(format, word);
    let known = bytes === 2 ? SHORT : 0;
    if (rd + rdOf(word) === 0) known |= RD_ZERO;
    if (rs1 + rs1Of(word) === 0) known |= RS1_ZERO;
    if (rs2 + rs2Of(word) === 0) known |= RS2_ZERO;
    if (imm === 0) known |= IMM_ZERO;
    let operand = imm;
    if (isRelative && slot >= 0 && slot * 2 + imm >= 0 && slot * 2 + imm < PAGE_SIZE) {
      known |= NEAR;
      operand = (imm / 2) * RECORD_BYTES;
    }
    // A slow path wants the whole word; no instruction that has one uses an immediate.
    if (slow !== undefined) operand = word | 0;
    halves[at + RECORD_OP / 2] = opFor(definition, known);
    halves[at + RECORD_RD / 2] = rd + rdOf(word) === 0 ? DISCARD : rd + rdOf(word) * 8;
    halves[at + RECORD_RS1 / 2] = rs1 + rs1Of(word) * 8;
    halves[at + RECORD_RS2 / 2] = rs2 + rs2Of(word) * 8;
    words[(record + RECORD_IMM) >>> 2] = operand;
    halves[at + RECORD_RS3 / 2] = F_REGISTERS + rs3Of(word) * 8;
    halves[at + RECORD_RM / 2] = rounded === true ? roundingModeAt((word >>> 12) & 7) : ROUNDING_MODES;
    return ends !== true;
  }
}

/** The offset of the word that says how `rm` rounds. 5 and 6 are illegal and don't come here. */
const roundingModeAt = (rm: number): number => (rm === DYNAMIC_ROUNDING ? FRM : ROUNDING_MODES + 4 * rm);
