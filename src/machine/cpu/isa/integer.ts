import type { InstructionDefinition, Operands } from "../operands.ts";
import {
  type Binary,
  type Code,
  i32,
  i64,
  i64ExtendI32U,
  i64Load,
  i64Load8S,
  i64Load8U,
  i64Load16S,
  i64Load16U,
  i64Load32S,
  i64Load32U,
  i64Store,
  i64Store8,
  i64Store16,
  i64Store32,
} from "../wasm-encoder.ts";
import {
  AUIPC,
  BRANCH,
  byFunct3,
  byFunct7,
  byOpcode,
  byShift,
  JAL,
  JALR,
  LOAD,
  LUI,
  OP,
  OP_32,
  OP_IMM,
  OP_IMM_32,
  STORE,
} from "./encoding.ts";

/**
 * RV64I: integer computation, control transfer, loads and stores (RISC-V unprivileged manual, chapters 2 and 4).
 *
 * Registers are 64 bits wide. The -w instructions compute on the low 32 bits and sign-extend their result, so that
 * a 32-bit value always has one form in a register. WebAssembly takes shift amounts modulo the width, as RISC-V does.
 */

/** A comparison's i32 as a register's value. */
const truth =
  (compare: Binary): Binary =>
  (a, b) =>
    i64ExtendI32U(compare(a, b));

const onRegisters = (operation: Binary) => (g: Operands) => g.writeRd(operation(g.rs1(), g.rs2()));
const onImmediate = (operation: Binary) => (g: Operands) => g.writeRd(operation(g.rs1(), g.imm()));
const onLowRegisters = (operation: Binary) => (g: Operands) =>
  g.writeRdLow(operation(g.rs1Low(), g.rs2Low()));
const onLowImmediate = (operation: Binary) => (g: Operands) =>
  g.writeRdLow(operation(g.rs1Low(), g.immLow()));
const branchIf = (compare: Binary) => (g: Operands) => g.branch(compare(g.rs1(), g.rs2()));
const load = (bytes: 1 | 2 | 4 | 8, access: (host: Code) => Code) => (g: Operands) =>
  g.writeRd(g.load(bytes, access));
const store = (bytes: 1 | 2 | 4 | 8, access: Binary) => (g: Operands) => g.store(bytes, access, g.rs2());

export const integerInstructions: readonly InstructionDefinition[] = [
  byOpcode("lui", "U", LUI, (g) => g.writeRd(g.imm())),
  byOpcode("auipc", "U", AUIPC, (g) => g.writeRd(i64.add(g.pc(), g.imm()))),

  byOpcode("jal", "J", JAL, (g) => [g.writeRd(g.nextPc()), g.jump()], { ends: true }),
  byFunct3(
    "jalr",
    "I",
    JALR,
    0,
    (g) => {
      // The target is taken before the link is written: both may be the same register.
      const target = g.scratch("i64", 0);
      return [target.set(i64.add(g.rs1(), g.imm())), g.writeRd(g.nextPc()), g.jumpTo(target.get)];
    },
    { ends: true },
  ),

  byFunct3("beq", "B", BRANCH, 0, branchIf(i64.eq)),
  byFunct3("bne", "B", BRANCH, 1, branchIf(i64.ne)),
  byFunct3("blt", "B", BRANCH, 4, branchIf(i64.ltS)),
  byFunct3("bge", "B", BRANCH, 5, branchIf(i64.geS)),
  byFunct3("bltu", "B", BRANCH, 6, branchIf(i64.ltU)),
  byFunct3("bgeu", "B", BRANCH, 7, branchIf(i64.geU)),

  byFunct3("lb", "I", LOAD, 0, load(1, i64Load8S)),
  byFunct3("lh", "I", LOAD, 1, load(2, i64Load16S)),
  byFunct3("lw", "I", LOAD, 2, load(4, i64Load32S)),
  byFunct3("ld", "I", LOAD, 3, load(8, i64Load)),
  byFunct3("lbu", "I", LOAD, 4, load(1, i64Load8U)),
  byFunct3("lhu", "I", LOAD, 5, load(2, i64Load16U)),
  byFunct3("lwu", "I", LOAD, 6, load(4, i64Load32U)),
  byFunct3("sb", "S", STORE, 0, store(1, i64Store8)),
  byFunct3("sh", "S", STORE, 1, store(2, i64Store16)),
  byFunct3("sw", "S", STORE, 2, store(4, i64Store32)),
  byFunct3("sd", "S", STORE, 3, store(8, i64Store)),

  byFunct3("addi", "I", OP_IMM, 0, onImmediate(i64.add)),
  byFunct3("slti", "I", OP_IMM, 2, onImmediate(truth(i64.ltS))),
  byFunct3("sltiu", "I", OP_IMM, 3, onImmediate(truth(i64.ltU))),
  byFunct3("xori", "I", OP_IMM, 4, onImmediate(i64.xor)),
  byFunct3("ori", "I", OP_IMM, 6, onImmediate(i64.or)),
  byFunct3("andi", "I", OP_IMM, 7, onImmediate(i64.and)),
  byShift("slli", OP_IMM, 1, 6, 0x00, onImmediate(i64.shl)),
  byShift("srli", OP_IMM, 5, 6, 0x00, onImmediate(i64.shrU)),
  byShift("srai", OP_IMM, 5, 6, 0x20, onImmediate(i64.shrS)),

  byFunct7("add", OP, 0, 0x00, onRegisters(i64.add)),
  byFunct7("sub", OP, 0, 0x20, onRegisters(i64.sub)),
  byFunct7("sll", OP, 1, 0x00, onRegisters(i64.shl)),
  byFunct7("slt", OP, 2, 0x00, onRegisters(truth(i64.ltS))),
  byFunct7("sltu", OP, 3, 0x00, onRegisters(truth(i64.ltU))),
  byFunct7("xor", OP, 4, 0x00, onRegisters(i64.xor)),
  byFunct7("srl", OP, 5, 0x00, onRegisters(i64.shrU)),
  byFunct7("sra", OP, 5, 0x20, onRegisters(i64.shrS)),
  byFunct7("or", OP, 6, 0x00, onRegisters(i64.or)),
  byFunct7("and", OP, 7, 0x00, onRegisters(i64.and)),

  byFunct3("addiw", "I", OP_IMM_32, 0, onLowImmediate(i32.add)),
  byShift("slliw", OP_IMM_32, 1, 5, 0x00, onLowImmediate(i32.shl)),
  byShift("srliw", OP_IMM_32, 5, 5, 0x00, onLowImmediate(i32.shrU)),
  byShift("sraiw", OP_IMM_32, 5, 5, 0x20, onLowImmediate(i32.shrS)),
  byFunct7("addw", OP_32, 0, 0x00, onLowRegisters(i32.add)),
  byFunct7("subw", OP_32, 0, 0x20, onLowRegisters(i32.sub)),
  byFunct7("sllw", OP_32, 1, 0x00, onLowRegisters(i32.shl)),
  byFunct7("srlw", OP_32, 5, 0x00, onLowRegisters(i32.shrU)),
  byFunct7("sraw", OP_32, 5, 0x20, onLowRegisters(i32.shrS)),
];
