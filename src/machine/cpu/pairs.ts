/**
 * Which pairs of instructions have a handler of their own (handlers.ts). It decides about speed alone.
 *
 * A pair saves one dispatch and costs some code. These are the pairs that compilers write most often: saving and restoring
 * registers, moving arguments, building addresses, stepping a counter and closing a loop, loading a value and testing it.
 * They were counted statically over glibc and dynamically over small loops; together they make those loops a fifth
 * faster.
 *
 * A form is spelled as the instruction's name, with `c.` in front where it is a 16-bit one, and what is known about it
 * behind: a target in the same page, operands that are zero. `c.add rs1=0` is what assemblers call `c.mv`.
 */
export const PAIRS: readonly (readonly [first: string, second: string])[] = [
  // Functions: prologue, epilogue, arguments.
  ["c.sd", "c.sd"],
  ["c.ld", "c.ld"],
  ["c.ld", "c.addi"],
  ["c.addi", "c.sd"],
  ["c.addi", "c.jalr rd=0 imm=0"],
  ["c.add rs1=0", "c.add rs1=0"],
  ["c.add rs1=0", "c.addi rs1=0"],
  ["c.addi rs1=0", "c.addi rs1=0"],
  ["c.ld", "c.add rs1=0"],
  // Addresses and indices.
  ["auipc", "addi"],
  ["auipc", "ld"],
  ["c.slli", "c.add"],
  ["slli", "c.add"],
  ["slli", "add"],
  ["andi", "c.slli"],
  ["c.add", "c.lw imm=0"],
  ["c.add", "c.ld imm=0"],
  ["add", "c.lw imm=0"],
  ["add", "c.addi"],
  ["addw", "c.add"],
  // Loops.
  ["c.addi", "bne near"],
  ["c.addi", "blt near"],
  ["c.addi", "bge near"],
  ["c.addi", "bltu near"],
  ["c.addiw", "bne near"],
  ["c.addiw", "blt near"],
  ["c.add", "blt near"],
  ["c.addi", "addi"],
  ["c.addi", "addiw"],
  ["c.addiw", "c.addi"],
  ["c.addiw", "c.addiw"],
  ["c.sw", "c.sw"],
  ["sb", "c.addi"],
  ["sb", "addw"],
  // Values.
  ["c.lw imm=0", "addi"],
  ["c.lw imm=0", "blt near"],
  ["c.lw imm=0", "bge near"],
  ["lbu imm=0", "c.beq near rs2=0"],
  ["lbu imm=0", "c.bne near rs2=0"],
  ["lbu imm=0", "c.addi"],
  ["c.xor", "add"],
  ["c.xor", "mul"],
  ["srli", "c.xor"],
  ["mul", "srli"],
  ["c.fld", "fld"],
  ["fld", "c.addi"],
  ["fmadd.d", "bne near"],
];
