/** Scripts of shells: what Faultline prints is what Linux prints. The goldens are recorded natively. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import {
  cannotChroot,
  type DebianMachine,
  describeWith,
  type Ended,
  patiently,
  reasonAgainst,
  runInNativeRoot,
} from "./debian.ts";

const SCRIPTS: readonly {
  readonly shell: readonly string[];
  readonly script: string;
  readonly packages: readonly string[];
}[] = [
  { shell: ["dash"], script: "posix.sh", packages: ["dash", "coreutils", "sed"] },
  { shell: ["busybox", "sh"], script: "posix.sh", packages: ["busybox-static", "coreutils", "sed"] },
  { shell: ["bash"], script: "posix.sh", packages: ["bash", "coreutils", "sed"] },
  { shell: ["bash"], script: "bash.sh", packages: ["bash", "coreutils", "sed"] },
  { shell: ["bash"], script: "tree.sh", packages: ["bash", "coreutils", "sed"] },
];

/** What is compared: messages of shells name the line, and that is all the same. */
function outcome({ status, stdout, stderr }: Ended): string {
  return `${stdout}--- standard error\n${stderr}--- status ${status}\n`;
}

function prepare(machine: DebianMachine, script: string): void {
  machine.clear();
  machine.bring(script);
}

for (const { shell, script, packages } of SCRIPTS) {
  const name = `${shell.join("-")}-${script.replace(".sh", "")}`;
  const golden = fileURLToPath(new URL(`golden/${name}.txt`, import.meta.url));
  describeWith(`${shell.join(" ")} with ${script}`, { packages }, (machine) => {
    test("prints what it prints on Linux", patiently(180_000), async () => {
      prepare(machine, script);
      const here = await machine.run([...shell, script]);
      expect(outcome(here)).toBe(readFileSync(golden, "utf8"));
    });

    const missing = reasonAgainst({ packages: [], native: packages, missing: cannotChroot() });
    test.skipIf(missing !== undefined)(
      `the record is what it prints here${missing === undefined ? "" : ` (${missing})`}`,
      async () => {
        prepare(machine, script);
        await expect(outcome(await runInNativeRoot([...shell, script], machine.folder))).toMatchFileSnapshot(
          golden,
        );
      },
    );
  });
}
