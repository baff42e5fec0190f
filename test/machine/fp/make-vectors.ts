// Makes vectors.txt: what qemu-riscv64 answers for the floating-point instructions on nasty operands.
//
//   npx tsx test/machine/fp/make-vectors.ts                  write vectors.txt anew
//   npx tsx test/machine/fp/make-vectors.ts --check N SEED   compare N cases an instruction and mode
//
// Needs the cross compiler and qemu (see qemu.ts), which is why its result is kept in git.

import { writeFileSync } from "node:fs";
import { makeRandom, nastySources } from "./nasty-operands.ts";
import { type Case, runOnQemu } from "./qemu.ts";
import { operations } from "./reference.ts";

const isCheck = process.argv[2] === "--check";
const perMode = Number(process.argv[3] ?? (isCheck ? 1000 : 16));
const random = makeRandom(Number(process.argv[4] ?? 1));

const cases: Case[] = [];
operations.forEach((operation, index) => {
  for (const rm of operation.isRounded ? [0, 1, 2, 3, 4] : [0]) {
    for (let i = 0; i < perMode; i++) {
      cases.push({ operation: index, rm, sources: nastySources(operation, random) });
    }
  }
});
const answers = runOnQemu(cases);

const hex = (value: bigint | number): string => value.toString(16);
let nrWrong = 0;
const lines: string[] = [];
cases.forEach(({ operation: index, rm, sources }, i) => {
  const operation = operations[index];
  const answer = answers[i];
  if (operation === undefined || answer === undefined) throw new Error(`case ${i} has no answer`);
  const used = sources.slice(0, operation.sources.length);
  const line = [operation.name, rm, ...used.map(hex), hex(answer.bits), hex(answer.flags)].join(" ");
  const ours = operation.run(...sources, rm);
  if (ours.bits !== answer.bits || ours.flags !== answer.flags) {
    nrWrong++;
    if (nrWrong <= 20) console.log(`qemu: ${line}   ours: ${hex(ours.bits)} ${hex(ours.flags)}`);
  }
  lines.push(line);
});
console.log(`${cases.length} cases, ${nrWrong} differ`);
if (!isCheck) {
  const header =
    "# instruction, rounding mode, source registers, rd, fflags; by qemu-riscv64, see make-vectors.ts";
  writeFileSync(new URL("vectors.txt", import.meta.url), `${header}\n${lines.join("\n")}\n`);
}
if (nrWrong > 0) process.exitCode = 1;
