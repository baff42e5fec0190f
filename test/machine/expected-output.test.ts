/**
 * Every program prints in the machine, byte for byte, what the same source prints when it is compiled natively and run on
 * Linux 6.18: test/programs/expected holds what that was, with the exit status in its last line.
 */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { repoFile, testMachine } from "./support.ts";

const EXPECTED = new URL("../programs/expected/", import.meta.url);
const EXAMPLES = new Set(["cow", "fork-snapshot", "four-mappings", "pingpong", "sigbus"]);

describe("prints what it prints on Linux", () => {
  for (const file of readdirSync(EXPECTED)) {
    const name = file.slice(0, -".txt".length);
    it(name, () => {
      const { machine, install, stdout } = testMachine();
      const folder = EXAMPLES.has(name) ? "examples/bin" : "test/programs/bin";
      install(`/${name}`, repoFile(`${folder}/${name}`));
      const args = name === "args-env-auxv" ? ["one", "two"] : [];
      machine.spawn(`/${name}`, [name, ...args], ["A=1", "B=2"], "/tmp");
      const end = machine.run();
      expect(`${stdout()}exit ${end.code}\n`).toBe(readFileSync(new URL(file, EXPECTED), "utf8"));
    });
  }
});
