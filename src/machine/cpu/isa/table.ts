import { fpInstructions } from "../fp/instructions.ts";
import type { InstructionDefinition } from "../operands.ts";
import { atomicInstructions } from "./atomic.ts";
import { floatMemoryInstructions } from "./float-memory.ts";
import { integerInstructions } from "./integer.ts";
import { multiplyInstructions } from "./multiply.ts";
import { systemInstructions } from "./system.ts";

/** Every instruction of the hart, RV64IMAFD with Zicsr and Zifencei; C is a spelling of these (compressed.ts). */
export const instructions: readonly InstructionDefinition[] = [
  ...integerInstructions,
  ...multiplyInstructions,
  ...atomicInstructions,
  ...floatMemoryInstructions,
  ...systemInstructions,
  ...fpInstructions,
];

const bucketOf = (word: number): number => (((word >>> 2) & 31) << 3) | ((word >>> 12) & 7);

/**
 * The numbers of the definitions to try for a word: those that share its major opcode and funct3, which all words
 * of an instruction do unless funct3 is a rounding mode; such a definition stands in all eight buckets.
 */
const buckets: readonly (readonly number[])[] = makeBuckets();

function makeBuckets(): number[][] {
  const result: number[][] = Array.from({ length: 256 }, () => []);
  for (const [number, { mask, match, rounded }] of instructions.entries()) {
    for (let funct3 = 0; funct3 < 8; funct3++) {
      // 5 and 6 are reserved rounding modes; 7 is the dynamic one.
      if (rounded === true && (funct3 === 5 || funct3 === 6)) continue;
      if (((match ^ (funct3 << 12)) & mask & 0x7000) !== 0) continue;
      result[bucketOf((match & 0x7f) | (funct3 << 12))].push(number);
    }
  }
  return result;
}

/** The number of the definition of a 32-bit word, or −1 where it is illegal. Total. */
export function findInstruction(word: number): number {
  if ((word & 3) !== 3) return -1;
  for (const number of buckets[bucketOf(word)]) {
    const { mask, match } = instructions[number];
    if ((word & mask) >>> 0 === match) return number;
  }
  return -1;
}
