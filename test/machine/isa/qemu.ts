/**
 * The reference: qemu-user, which executes each case through runner.c. Needs riscv64-linux-gnu-gcc and qemu-riscv64 (Debian:
 * gcc-riscv64-linux-gnu libc6-dev-riscv64-cross qemu-user).
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Case, type Outcome, START, WINDOW_BYTES } from "./case.ts";

const COMPILER = "riscv64-linux-gnu-gcc";
const QEMU = "qemu-riscv64";
const EBREAK = 0x9002;
const STATE_WORDS = 4 + 32 + 32 + WINDOW_BYTES / 8;
const CODE_WORDS = 2;

export const hasQemu = (): boolean =>
  [COMPILER, QEMU].every((tool) => spawnSync(tool, ["--version"]).status === 0);

export function runOnQemu(cases: readonly Case[]): Outcome[] {
  const folder = mkdtempSync(join(tmpdir(), "faultline-isa-"));
  try {
    const program = join(folder, "runner");
    const source = fileURLToPath(new URL("runner.c", import.meta.url));
    execFileSync(COMPILER, [
      "-O1",
      "-static",
      "-march=rv64gc",
      "-fno-stack-protector",
      "-o",
      program,
      source,
    ]);
    const input = new BigUint64Array(cases.length * (CODE_WORDS + STATE_WORDS));
    const halves = new Uint16Array(input.buffer);
    for (const [i, one] of cases.entries()) {
      const at = i * (CODE_WORDS + STATE_WORDS);
      for (let k = 0; k < 4 * CODE_WORDS; k++) halves[4 * at + k] = one.code[k] ?? EBREAK;
      input.set([0n, 0n, BigInt(one.fcsr), BigInt(one.pattern), ...one.x, ...one.f], at + CODE_WORDS);
    }
    writeFileSync(join(folder, "in"), new Uint8Array(input.buffer));
    execFileSync("sh", ["-c", `${QEMU} "${program}" < "${folder}/in" > "${folder}/out"`]);
    const output = new BigUint64Array(new Uint8Array(readFileSync(join(folder, "out"))).buffer);
    if (output.length !== cases.length * STATE_WORDS) throw new Error("qemu: not every case has an outcome");
    return cases.map((_, i) => outcomeAt(output.subarray(i * STATE_WORDS, (i + 1) * STATE_WORDS)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function outcomeAt(words: BigUint64Array): Outcome {
  return {
    pc: Number(words[0]) - START,
    signal: Number(words[1]),
    fcsr: Number(words[2]),
    x: [...words.subarray(4, 36)],
    f: [...words.subarray(36, 68)],
    window: new Uint8Array(words.slice(68).buffer),
  };
}
