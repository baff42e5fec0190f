/** memtester: patterns of all kinds through locked memory, all of which must read back. */
import { expect, test } from "vitest";
import { describeWith, type Ended, patiently, reasonAgainst, runNative } from "./debian.ts";

describeWith("memtester", { packages: ["memtester"] }, (machine) => {
  test("256 KiB, once", patiently(180_000), async () =>
    expect(await lines("256K")).toEqual(await natively("256K")),
  );

  const reason = reasonAgainst({ packages: ["memtester"], isLong: true });
  test.skipIf(reason !== undefined)(
    `4 MiB, once${reason === undefined ? "" : ` (${reason})`}`,
    patiently(900_000),
    async () => expect(await lines("4M")).toEqual(await natively("4M")),
  );

  async function lines(size: string): Promise<string[]> {
    return passed(await machine.run(["/usr/sbin/memtester", size, "1"], { timeout: 800 }));
  }
});

/** The names of the tests that it passes natively; where it is not there, those of this version. */
async function natively(size: string): Promise<string[]> {
  return reasonAgainst({ packages: [], native: ["memtester"] }) === undefined
    ? passed(await runNative(["memtester", size, "1"]))
    : TESTS;
}

/** A line of its output is "Name : testing 1… ok", with backspaces that wipe out what was there before. */
function passed({ status, stdout, stderr }: Ended): string[] {
  expect(stderr).toBe("");
  expect(stdout).toMatch(/locked\.\n/);
  expect(status).toBe(0);
  return [...stdout.matchAll(/^ {2}(\S[^:]*\S) *:[^\n]*?ok\s*$/gm)].map(([, name]) => name);
}

const TESTS = [
  "Stuck Address",
  "Random Value",
  "Compare XOR",
  "Compare SUB",
  "Compare MUL",
  "Compare DIV",
  "Compare OR",
  "Compare AND",
  "Sequential Increment",
  "Solid Bits",
  "Block Sequential",
  "Checkerboard",
  "Bit Spread",
  "Bit Flip",
  "Walking Ones",
  "Walking Zeroes",
  "8-bit Writes",
  "16-bit Writes",
];
