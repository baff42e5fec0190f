/** Threads of one process: the same every time, with every length of turn, and never over a stale entry of the TLB. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { validate } from "../../src/mm/kernel/validate.ts";
import { repoFile, type TestMachine, testMachine } from "./support.ts";

const expected = (name: string): string =>
  readFileSync(new URL(`../programs/expected/${name}.txt`, import.meta.url), "utf8");

function start(name: string, options: Parameters<typeof testMachine>[0]): TestMachine {
  const test = testMachine(options);
  test.install(`/${name}`, repoFile(`test/programs/bin/${name}`));
  test.machine.spawn(`/${name}`, [name], ["A=1", "B=2"], "/tmp");
  return test;
}

/** The digest of every event of a run, in order, and what it printed. */
function traceOf(name: string, scheduleSeed: number): { trace: string; printed: string; switches: number } {
  const test = start(name, { scheduleSeed, quantum: 1999 });
  const hash = createHash("sha256");
  test.kernel.tracer.subscribe((event) => void hash.update(`${JSON.stringify(event)}\n`));
  const { code } = test.machine.run();
  const switches = test.kernel.activity?.contextSwitches ?? 0;
  return { trace: hash.digest("hex"), printed: `${test.stdout()}exit ${code}\n`, switches };
}

describe("a program of threads", () => {
  it("takes the same course twice with one seed, and another with another", () => {
    const first = traceOf("threads", 7);
    const again = traceOf("threads", 7);
    const other = traceOf("threads", 8);
    expect(first.printed).toBe(expected("threads"));
    expect(again).toEqual(first);
    expect(other.printed).toBe(first.printed);
    expect(other.trace).not.toBe(first.trace);
    expect(first.switches).toBeGreaterThan(1000);
  });

  it.each([37, 1009, 20_011])("prints the same with turns of about %i instructions", (quantum) => {
    const test = start("threads", { quantum, scheduleSeed: quantum });
    const { code } = test.machine.run();
    expect(`${test.stdout()}exit ${code}\n`).toBe(expected("threads"));
  });

  it("leaves no stale entry in a TLB while others change the address space", () => {
    const wrong: string[] = [];
    let turns = 0;
    const test: TestMachine = start("thread-memory", {
      quantum: 997,
      scheduleSeed: 3,
      onSlice: () => {
        if (turns++ % 40 === 0) wrong.push(...validate(test.kernel));
        return undefined;
      },
    });
    const { code } = test.machine.run();
    expect(wrong).toEqual([]);
    expect(`${test.stdout()}exit ${code}\n`).toBe(expected("thread-memory"));
    expect(turns).toBeGreaterThan(1000);
  });
});
