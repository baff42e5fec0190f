/** Python: processes over shared memory, and the tests of its own mmap module. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import {
  cannotChroot,
  describeWith,
  type Ended,
  nativeRoot,
  patiently,
  reasonAgainst,
  runInNativeRoot,
  runNative,
  sysroot,
} from "./debian.ts";

describeWith("python3 with processes over shared memory", { packages: ["python3"] }, (machine) => {
  const script = "shared-memory.py";
  const golden = fileURLToPath(new URL("golden/shared-memory.txt", import.meta.url));

  test("prints what it prints on Linux", patiently(180_000), async () => {
    machine.clear();
    machine.bring(script);
    const { status, stdout, stderr } = await machine.run(["python3", script]);
    expect(stderr).toBe("");
    expect(stdout).toBe(readFileSync(golden, "utf8"));
    expect(status).toBe(0);
  });

  const missing = reasonAgainst({ packages: [], native: ["python3"], missing: cannotChroot() });
  test.skipIf(missing !== undefined)(
    `the record is what it prints here${missing === undefined ? "" : ` (${missing})`}`,
    async () => {
      machine.clear();
      machine.bring(script);
      const { status, stdout } = await runInNativeRoot(["python3", script], machine.folder);
      expect(status).toBe(0);
      await expect(stdout).toMatchFileSnapshot(golden);
    },
  );
});

const testSuite = {
  packages: ["python3", "libpython3.13-testsuite"],
  native: ["python3"],
  isLong: true,
};

describeWith("Python's own tests of mmap", testSuite, (machine) => {
  test("each has the outcome that it has natively", patiently(300_000), async () => {
    const args = ["-m", "unittest", "-v", "test.test_mmap"];
    const here = outcomes(await machine.run(["python3.13", ...args]));
    // The suite is only Python: the same files for both.
    const env = {
      PYTHONHOME: join(nativeRoot, "usr"),
      PYTHONPATH: join(sysroot, "usr/lib/python3.13"),
      PYTHONDONTWRITEBYTECODE: "1",
    };
    const natively = outcomes(await runNative(["python3.13", ...args], { cwd: machine.folder, env }));
    expect(here).toEqual(natively);
    expect(here.filter((line) => line.endsWith("... ok")).length).toBeGreaterThanOrEqual(40);
    expect(here.filter((line) => !/\.\.\. (ok|skipped '.*')$/.test(line))).toEqual([]);
  });
});

/** Modules of its library that are the system's calls in Python's clothes. */
const MODULES = ["epoll", "fcntl", "posix", "pty", "resource", "select"];

describeWith("Python's own tests of what the system does", testSuite, (machine) => {
  test.each(MODULES)("test_%s", patiently(600_000), async (name) => {
    machine.clear();
    const { status, stderr } = await machine.run(["python3.13", "-m", "unittest", `test.test_${name}`], {
      timeout: 500,
    });
    expect(stderr).not.toMatch(/^(FAIL|ERROR): /m);
    expect(stderr).toMatch(/^OK/m);
    expect(status).toBe(0);
  });
});

/** A line for each test, with its outcome. */
function outcomes({ stderr }: Ended): string[] {
  // A test with a docstring has it in a line between its name and its outcome.
  return [...stderr.matchAll(/^(test\w+ \(.*?\))(?:\n.*)?? \.\.\. (.*)$/gm)].map(
    ([, name, outcome]) => `${name} ... ${outcome}`,
  );
}
