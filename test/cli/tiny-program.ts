/**
 * Static riscv64 programs of a few instructions, made here, so that a test can have exactly the one it needs without a
 * compiler.
 */
import { writeFileSync } from "node:fs";

const BASE = 0x10000;
const HEADERS = 64 + 56;

const X0 = 0;
const SP = 2;
const A0 = 10;
const A1 = 11;
const A2 = 12;
const A7 = 17;

const ECALL = 0x73;

function addi(rd: number, rs1: number, immediate: number): number {
  return (((immediate & 0xfff) << 20) | (rs1 << 15) | (rd << 7) | 0x13) >>> 0;
}

/** Branch if rs1 ≥ rs2, `offset` bytes (below 32) forward. */
function bge(rs1: number, rs2: number, offset: number): number {
  return ((rs2 << 20) | (rs1 << 15) | (5 << 12) | ((offset & 0x1e) << 7) | 0x63) >>> 0;
}

/** Jump by `offset` bytes, −2048 … −2. */
function jumpBack(offset: number): number {
  const imm = offset & 0x1fffff;
  const bits = (((imm >>> 20) & 1) << 31) | (((imm >>> 1) & 0x3ff) << 21) | (((imm >>> 11) & 1) << 20);
  return (bits | (((imm >>> 12) & 0xff) << 12) | 0x6f) >>> 0;
}

function syscall(number: number): readonly number[] {
  return [addi(A7, X0, number), ECALL];
}

function exit(status: number): readonly number[] {
  return [addi(A0, X0, status), ...syscall(93)];
}

export const PROGRAMS: Readonly<Record<string, readonly number[]>> = {
  /** exits with 42 */
  exit42: exit(42),
  /** sd zero, 0(zero) */
  segv: [0x00003023],
  /** j . */
  loop: [0x0000006f],
  /** a system call that nobody has, three times */
  unknown: [...syscall(2000), ...syscall(2000), ...syscall(2000), ...exit(0)],
  /** copies input to output, 64 bytes at a time */
  cat: [
    addi(A0, X0, 0),
    addi(A1, SP, -256),
    addi(A2, X0, 64),
    ...syscall(63),
    bge(X0, A0, 4 * 6),
    addi(A2, A0, 0),
    addi(A0, X0, 1),
    ...syscall(64),
    jumpBack(-4 * 10),
    ...exit(0),
  ],
  /** writes for ever */
  yes: [addi(A0, X0, 1), addi(A1, SP, -256), addi(A2, X0, 64), ...syscall(64), jumpBack(-4 * 5)],
  /** kill(getpid(), SIGTERM), and waits for it in a loop */
  suicide: [...syscall(172), addi(A1, X0, 15), ...syscall(129), 0x0000006f],
};

/** Writes a program of these instructions, executable. */
export function writeProgram(path: string, code: readonly number[], mode = 0o755): void {
  const bytes = Buffer.alloc(HEADERS + code.length * 4);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  bytes.writeUInt16LE(2, 16); // ET_EXEC
  bytes.writeUInt16LE(243, 18); // EM_RISCV
  bytes.writeUInt32LE(1, 20);
  bytes.writeBigUInt64LE(BigInt(BASE + HEADERS), 24); // e_entry
  bytes.writeBigUInt64LE(64n, 32); // e_phoff
  bytes.writeUInt32LE(4, 48); // e_flags: double-float ABI
  bytes.writeUInt16LE(64, 52);
  bytes.writeUInt16LE(56, 54);
  bytes.writeUInt16LE(1, 56); // e_phnum
  bytes.writeUInt32LE(1, 64); // PT_LOAD
  bytes.writeUInt32LE(5, 68); // r-x
  bytes.writeBigUInt64LE(BigInt(BASE), 80);
  bytes.writeBigUInt64LE(BigInt(BASE), 88);
  bytes.writeBigUInt64LE(BigInt(bytes.length), 96);
  bytes.writeBigUInt64LE(BigInt(bytes.length), 104);
  bytes.writeBigUInt64LE(0x1000n, 112);
  for (const [index, word] of code.entries()) bytes.writeUInt32LE(word, HEADERS + index * 4);
  writeFileSync(path, bytes, { mode });
}
