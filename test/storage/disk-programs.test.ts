/**
 * The machine's programs about files, on a real directory: they print what the same source prints when it is compiled
 * natively and run on ext4 under Linux 6.18 (test/programs/expected-disk). With the argument they also say what tmpfs,
 * where they run in expected-output.test.ts, does otherwise.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { validate } from "../../src/mm/kernel/validate.ts";
import { nodeFs } from "../../src/storage/node/index.ts";
import { repoFile, testMachine } from "../machine/support.ts";

const EXPECTED = new URL("../programs/expected-disk/", import.meta.url);
/** What the host's file system knows of holes and blocks, Node can't be asked (docs/deviations.md). */
const ABOUT_BLOCKS = /^ {2}(data|no data|\d+ blocks)/;

let directory = "";
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function outputOf(name: string): string {
  directory = mkdtempSync(path.join(tmpdir(), "faultline-disk-"));
  chmodSync(directory, 0o777);
  const { machine, install, stdout, kernel } = testMachine();
  kernel.mount("/tmp", nodeFs(directory));
  install(`/${name}`, repoFile(`test/programs/bin/${name}`));
  machine.spawn(`/${name}`, [name, "disk"], [], "/tmp");
  const end = machine.run();
  expect(validate(kernel)).toEqual([]);
  kernel.shutdown();
  return `${stdout()}exit ${end.code}\n`;
}

function expected(name: string): string {
  return readFileSync(new URL(`${name}.txt`, EXPECTED), "utf8");
}

function expectedOnTmpfs(name: string): string {
  return readFileSync(new URL(`../expected/${name}.txt`, EXPECTED), "utf8");
}

describe.skipIf(process.platform === "win32")("prints what it prints on ext4", () => {
  test.each(["vector-io", "transfer", "nodes"])("%s", (name) => {
    expect(outputOf(name)).toBe(expected(name));
  });

  // Elsewhere the host's names may be text.
  test.runIf(process.platform === "linux")("names, as on tmpfs", () => {
    expect(outputOf("names")).toBe(expectedOnTmpfs("names"));
  });

  test("size-limit, as on tmpfs", () => {
    expect(outputOf("size-limit")).toBe(expectedOnTmpfs("size-limit"));
  });

  test("fallocate, but for holes and blocks", () => {
    const shown = (text: string): string[] => text.split("\n").filter((line) => !ABOUT_BLOCKS.test(line));
    const lines = shown(outputOf("fallocate"));
    expect(lines).toEqual(shown(expected("fallocate")));
  });

  // Files change their owner.
  test.runIf(process.getuid?.() === 0)("file-states (as root)", () => {
    expect(outputOf("file-states")).toBe(expected("file-states"));
  });
});
