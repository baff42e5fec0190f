/**
 * Makes vectors.txt: what qemu-riscv64 does at every instruction of the hart, with nasty operands.
 *
 *   npx tsx test/machine/isa/make-vectors.ts                  write vectors.txt anew
 *   npx tsx test/machine/isa/make-vectors.ts --check N SEED   compare N cases an instruction
 *
 * Needs the cross compiler and qemu (qemu.ts), which is why its result is kept in git.
 */
import { writeFileSync } from "node:fs";
import { caseText, outcomeText } from "./case.ts";
import { casesOfAll } from "./generate.ts";
import { HartRunner } from "./hart.ts";
import { runOnQemu } from "./qemu.ts";

/** Cases an instruction in vectors.txt. */
const RECORDED = 16;
/** The runner's capacity. */
const AT_ONCE = 20_000;

const isCheck = process.argv[2] === "--check";
const cases = casesOfAll(isCheck ? Number(process.argv[3] ?? 200) : RECORDED, Number(process.argv[4] ?? 1));
const runner = new HartRunner();
const lines: string[] = [];
let nrWrong = 0;
for (let from = 0; from < cases.length; from += AT_ONCE) {
  const some = cases.slice(from, from + AT_ONCE);
  for (const [i, outcome] of runOnQemu(some).entries()) {
    const theirs = outcomeText(some[i], outcome);
    const ours = outcomeText(some[i], runner.run(some[i]));
    const line = `${caseText(some[i])} | ${theirs}`;
    lines.push(line);
    if (ours === theirs) continue;
    nrWrong++;
    if (nrWrong <= 40) console.log(`qemu: ${line}\nours: ${ours}`);
  }
}
console.log(`${cases.length} cases, ${nrWrong} differ`);
if (!isCheck) {
  const header = "# by qemu-riscv64; see case.ts for the form, make-vectors.ts for how";
  writeFileSync(new URL("vectors.txt", import.meta.url), `${header}\n${lines.join("\n")}\n`);
}
if (nrWrong > 0) process.exitCode = 1;
