// The oracle: a C program that executes each instruction on operands from a file, cross-compiled and run by
// qemu-user. Needs riscv64-linux-gnu-gcc and qemu-riscv64 (Debian: gcc-riscv64-linux-gnu
// libc6-dev-riscv64-cross qemu-user).

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FloatResult } from "../../../src/machine/cpu/fp/format.ts";
import { type Operation, operations } from "./reference.ts";

export interface Case {
  readonly operation: number;
  readonly rm: number;
  readonly sources: readonly [bigint, bigint, bigint];
}

/**
 * The operands move through x registers, so that no bit of them is lost; the rounding mode comes from frm.
 */
function caseText({ name, rd, sources, isRounded }: Operation, index: number): string {
  const rounding = isRounded && name !== "fcvt.d.s" && !/^fcvt\.d\.wu?$/.test(name) ? ", dyn" : "";
  const registers = [...sources].map((file, i) => (file === "f" ? `ft${i}` : `%[s${i}]`));
  const target = rd === "f" ? "ft3" : "%[r]";
  const lines = [
    ...[...sources].flatMap((file, i) => (file === "f" ? [`fmv.d.x ft${i}, %[s${i}]`] : [])),
    "fsrm x0, %[rm]",
    "fsflags x0, x0",
    `${name} ${[target, ...registers].join(", ")}${rounding}`,
    "frflags %[f]",
    ...(rd === "f" ? ["fmv.x.d %[r], ft3"] : []),
  ];
  return `case ${index}: asm volatile("${lines.join("\\n\\t")}"
    : [r] "=&r"(r), [f] "=&r"(f) : [s0] "r"(in[2]), [s1] "r"(in[3]), [s2] "r"(in[4]), [rm] "r"(in[1])
    : "ft0", "ft1", "ft2", "ft3"); break;`;
}

function programText(): string {
  return `#include <stdint.h>
#include <unistd.h>
static uint64_t in[5];
static int get(void) {
  char *p = (char *)in; unsigned n = 0;
  while (n < sizeof in) { long k = read(0, p + n, sizeof in - n); if (k <= 0) return 0; n += k; }
  return 1;
}
int main(void) {
  while (get()) {
    uint64_t r = 0, f = 0;
    switch (in[0]) {
${operations.map(caseText).join("\n")}
    }
    uint64_t out[2] = { r, f };
    if (write(1, out, sizeof out) != sizeof out) return 1;
  }
  return 0;
}
`;
}

/** What qemu's CPU answers for each case. */
export function runOnQemu(cases: readonly Case[]): FloatResult[] {
  const folder = mkdtempSync(join(tmpdir(), "faultline-fp-"));
  try {
    writeFileSync(join(folder, "fp.c"), programText());
    const compiler = ["-O1", "-static", "-march=rv64gc", "-o", join(folder, "fp"), join(folder, "fp.c")];
    execFileSync("riscv64-linux-gnu-gcc", compiler);
    const input = new BigUint64Array(cases.length * 5);
    cases.forEach(({ operation, rm, sources }, i) => {
      input.set([BigInt(operation), BigInt(rm), ...sources], i * 5);
    });
    writeFileSync(join(folder, "in"), new Uint8Array(input.buffer));
    const [stdin, stdout] = [join(folder, "in"), join(folder, "out")];
    execFileSync("sh", ["-c", `qemu-riscv64 "${join(folder, "fp")}" < "${stdin}" > "${stdout}"`]);
    const bytes = readFileSync(stdout);
    const output = new BigUint64Array(new Uint8Array(bytes).buffer);
    return cases.map((_case, i) => ({ bits: output[2 * i] ?? 0n, flags: Number(output[2 * i + 1]) }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
