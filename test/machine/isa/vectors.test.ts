/** Every instruction of the hart beside qemu: as recorded, and where qemu is installed with fresh operands. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { instructions } from "../../../src/machine/cpu/isa/table.ts";
import { caseText, outcomeText, parseLine } from "./case.ts";
import { casesOfAll, compressedNames } from "./generate.ts";
import { HartRunner } from "./hart.ts";
import { hasQemu, runOnQemu } from "./qemu.ts";

const MAX_BYTES = 500_000;
const FRESH_CASES = 40;
const seed = Number(process.env.FAULTLINE_SEED ?? 5);

const text = readFileSync(new URL("vectors.txt", import.meta.url), "utf8");
const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));

/** Cases whose outcome shows something: a register, memory or the pc changed as only that instruction does it. */
const quiet = new Set(["fence", "fence.i", "ebreak", "c.ebreak", "c.reserved"]);

describe("recorded with qemu", () => {
  test("there are cases of every instruction in the table and of every 16-bit form, most of which do something", () => {
    const [all, doing] = [new Map<string, number>(), new Map<string, number>()];
    for (const line of lines) {
      const { one, expected } = parseLine(line);
      all.set(one.name, (all.get(one.name) ?? 0) + 1);
      const isSilent = /^pc=[024]$/.test(expected) || expected.includes("signal=");
      if (!isSilent) doing.set(one.name, (doing.get(one.name) ?? 0) + 1);
    }
    for (const name of [...instructions.map((one) => one.name), ...compressedNames]) {
      expect(all.get(name) ?? 0, `cases of ${name}`).toBeGreaterThan(1);
      if (!quiet.has(name)) expect(doing.get(name) ?? 0, `cases in which ${name} acts`).toBeGreaterThan(1);
    }
    expect(text.length).toBeLessThan(MAX_BYTES);
  });

  test("the hart does the same in each", () => {
    const runner = new HartRunner();
    const wrong: string[] = [];
    for (const line of lines) {
      const { one, expected } = parseLine(line);
      const ours = outcomeText(one, runner.run(one));
      if (ours !== expected) wrong.push(`${line}\n  here: ${ours}`);
    }
    expect(wrong).toEqual([]);
  });

  test("a case and its line are the same thing", () => {
    for (const one of casesOfAll(2, 3)) {
      const line = `${caseText(one)} | pc=4`;
      expect(parseLine(line).one).toEqual(one);
    }
  });
});

test.skipIf(!hasQemu())("the hart does what qemu-riscv64 does, with fresh operands", () => {
  const cases = casesOfAll(FRESH_CASES, seed);
  const runner = new HartRunner();
  const wrong: string[] = [];
  for (const [i, outcome] of runOnQemu(cases).entries()) {
    const theirs = outcomeText(cases[i], outcome);
    const ours = outcomeText(cases[i], runner.run(cases[i]));
    if (ours !== theirs) wrong.push(`${caseText(cases[i])} | ${theirs}\n  here: ${ours}`);
  }
  expect(wrong).toEqual([]);
});
