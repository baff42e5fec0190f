import type { InstructionDefinition, SlowPath, SlowState } from "../operands.ts";
import { STOP_EBREAK, STOP_ECALL } from "../stop.ts";
import { byFunct3, byWord, funct3Of, MISC_MEM, rdOf, rs1Of, SYSTEM } from "./encoding.ts";

/**
 * System calls, fences and the control and status registers of user mode (RISC-V unprivileged manual, chapters 2.7,
 * 2.8, 5, 6, 7).
 *
 * A CSR instruction reads the old value into rd and writes, sets or clears bits from rs1 or a 5-bit immediate. They are
 * rare, so JavaScript executes them.
 */

const CSR_FFLAGS = 0x001;
const CSR_FRM = 0x002;
const CSR_FCSR = 0x003;
const CSR_CYCLE = 0xc00;
const CSR_TIME = 0xc01;
const CSR_INSTRET = 0xc02;

/** The value of a CSR, or −1 where there is none. One cycle per instruction. */
function readCsr(csr: number, state: SlowState): number {
  switch (csr) {
    case CSR_FFLAGS:
      return state.words[state.fflags];
    case CSR_FRM:
      return state.words[state.frm];
    case CSR_FCSR:
      return (state.words[state.frm] << 5) | state.words[state.fflags];
    case CSR_CYCLE:
    case CSR_INSTRET:
      return state.retired;
    case CSR_TIME:
      return state.time();
    default:
      return -1;
  }
}

/** Whether there is such a CSR to write. */
function writeCsr(csr: number, value: number, state: SlowState): boolean {
  if (csr < CSR_FFLAGS || csr > CSR_FCSR) return false;
  if (csr !== CSR_FRM) state.words[state.fflags] = value & 31;
  if (csr === CSR_FRM) state.words[state.frm] = value & 7;
  if (csr === CSR_FCSR) state.words[state.frm] = (value >>> 5) & 7;
  return true;
}

/** funct3: bit 2 says that rs1 is the value itself; bits 1:0 are 1 write, 2 set, 3 clear. */
const accessCsr: SlowPath = (instruction, state) => {
  const csr = instruction >>> 20;
  const funct3 = funct3Of(instruction);
  const rd = rdOf(instruction);
  const rs1 = rs1Of(instruction);
  const old = readCsr(csr, state);
  if (old < 0) return false;
  // Every CSR that can be written has at most 8 bits, so the low half of rs1 is enough.
  const operand = (funct3 & 4) !== 0 ? rs1 : state.words[state.x + 2 * rs1];
  const operation = funct3 & 3;
  // Setting or clearing the bits of x0 (or of immediate 0) is no write, so it is allowed on read-only registers.
  if (operation === 1 || rs1 !== 0) {
    const next = operation === 1 ? operand : operation === 2 ? old | operand : old & ~operand;
    if (!writeCsr(csr, next, state)) return false;
  }
  if (rd !== 0) {
    state.words[state.x + 2 * rd] = (old % 0x1_0000_0000) | 0;
    state.words[state.x + 2 * rd + 1] = Math.floor(old / 0x1_0000_0000) | 0;
  }
  return true;
};

const csrInstruction = (name: string, funct3: number): InstructionDefinition =>
  byFunct3(name, "None", SYSTEM, funct3, (g) => g.slow(), { slow: accessCsr });

export const systemInstructions: readonly InstructionDefinition[] = [
  byWord("ecall", 0x0000_0073, (g) => g.stop(STOP_ECALL)),
  byWord("ebreak", 0x0010_0073, (g) => g.stop(STOP_EBREAK)),
  // Loads and stores of this hart take effect in order, so there is nothing to wait for. `pause` is a fence too.
  byFunct3("fence", "None", MISC_MEM, 0, () => []),
  byFunct3("fence.i", "None", MISC_MEM, 1, (g) => g.slow(), {
    slow: (_instruction, state) => {
      state.dropDecodedCode();
      return true;
    },
  }),
  csrInstruction("csrrw", 1),
  csrInstruction("csrrs", 2),
  csrInstruction("csrrc", 3),
  csrInstruction("csrrwi", 5),
  csrInstruction("csrrsi", 6),
  csrInstruction("csrrci", 7),
];
