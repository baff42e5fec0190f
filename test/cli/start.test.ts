/** The installed command: bin/faultline.js, and the compiled code that it starts from. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundleCommand } from "../../scripts/bundle.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const HELLO = join(REPOSITORY, "test/programs/bin/hello");
const top = mkdtempSync(join(tmpdir(), "faultline-start-"));
const cache = join(top, "dist/cli.cache");
let kept: Buffer;

function node(...args: string[]): { readonly status: number | null; stdout: string; stderr: string } {
  const env = { ...process.env, NODE_OPTIONS: "", NODE_V8_COVERAGE: "" };
  return spawnSync(process.execPath, args, { encoding: "utf8", cwd: top, env });
}

function hello(...flags: string[]): string {
  const { status, stdout, stderr } = node(...flags, join(top, "bin/faultline.js"), "run", "-q", HELLO);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return stdout;
}

beforeAll(async () => {
  cpSync(join(REPOSITORY, "bin"), join(top, "bin"), { recursive: true });
  writeFileSync(join(top, "package.json"), '{"type":"module"}');
});
afterAll(() => rmSync(top, { recursive: true }));

test("says that it is not built yet", () => {
  const { status, stderr } = node(join(top, "bin/faultline.js"), "run", HELLO);
  expect(stderr).toMatch(/not built yet/);
  expect(status).toBe(1);
});

test("runs without compiled code, with it, and with what is none", async () => {
  await bundleCommand(join(top, "dist"));
  expect(hello()).toMatch(/^hello, world/);

  const made = node(join(REPOSITORY, "scripts/code-cache.cjs"), join(top, "dist"), HELLO);
  expect(made.stderr).toMatch(/exit status 0/);
  kept = readFileSync(cache);
  expect(hello()).toMatch(/^hello, world/);

  // Other flags: V8 refuses what was kept under its own.
  expect(hello("--no-opt")).toMatch(/^hello, world/);
  const head = kept.subarray(0, 32);
  for (const bad of [
    head,
    Buffer.concat([head, Buffer.from("not code")]),
    Buffer.alloc(0),
    Buffer.from("not code"),
    kept.subarray(0, kept.length / 2),
  ]) {
    writeFileSync(cache, bad);
    expect(hello()).toMatch(/^hello, world/);
  }
});

test("V8 takes the compiled code, in a process that has its usual flags", () => {
  writeFileSync(cache, kept);
  // In the place of `runInThisContext`, whether the code was refused.
  const spy = `
    const { Script } = require("node:vm");
    Script.prototype.runInThisContext = function () {
      return () => process.stdout.write("refused: " + this.cachedDataRejected);
    };
    require(${JSON.stringify(join(top, "bin/faultline.js"))});`;
  expect(node("-e", spy).stdout).toBe("refused: false");
});

test("code of another build of the same length is not taken", () => {
  const bundle = join(top, "dist/cli.cjs");
  const built = readFileSync(bundle, "latin1");
  // Another build has another head, and says something else.
  const other = built
    .replace(/^\/\* [0-9a-f]{25}/, `/* ${"0".repeat(25)}`)
    .replaceAll("not found", "NOT FOUND");
  expect(other).toHaveLength(built.length);
  expect(built).toMatch(/^[\0-\x7f]*$/);
  writeFileSync(cache, kept);
  writeFileSync(bundle, other);
  const { stderr } = node(join(top, "bin/faultline.js"), "run", "nowhere");
  writeFileSync(bundle, built);
  expect(stderr).toContain("NOT FOUND");
});

test("what is loaded only when it is needed starts the program no second time", () => {
  const program = join(REPOSITORY, "examples/bin/larger-than-ram");
  const options = ["--ram", "2M", "--swap", "8M"];
  writeFileSync(cache, kept);
  const { stdout } = node(join(top, "bin/faultline.js"), "run", "-q", ...options, program, "3");
  expect(stdout.match(/written by rows/g)).toHaveLength(1);
});
