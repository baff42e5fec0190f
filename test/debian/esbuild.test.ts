/** esbuild, a program of Go with many threads: what it makes for riscv64 is what it makes here, byte for byte. */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { describeWith, type Ended, ended, npmFolder, patiently } from "./debian.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const riscv64 = "@esbuild/linux-riscv64";
const native = `@esbuild/linux-${process.arch}`;
const binary = (name: string): string => join(npmFolder, name, "bin/esbuild");
const OPTIONS = [
  "--bundle",
  "--platform=node",
  "--format=esm",
  "--minify",
  "--sourcemap",
  "--metafile=meta.json",
  "--outfile=out.js",
];
const ARGS = ["entry.js", ...OPTIONS];

describeWith("esbuild", { packages: [], npm: [riscv64, native] }, (machine) => {
  /** Packages that this repository has, as they come from the registry. */
  function bringPackages(): void {
    machine.clear();
    for (const name of ["chai", "commander"])
      cpSync(join(repository, "node_modules", name), join(machine.folder, "node_modules", name), {
        recursive: true,
        dereference: true,
      });
    writeFileSync(
      join(machine.folder, "entry.js"),
      'export * as chai from "chai";\nexport * as commander from "commander";\n',
    );
  }

  test("bundles packages to the bytes of the native one", patiently(180_000), async () => {
    bringPackages();
    const theirs = outputs(await ended(spawn(binary(native), ARGS, { cwd: machine.folder })), machine.folder);
    const ours = outputs(await machine.run([binary(riscv64), ...ARGS]), machine.folder);
    expect(theirs[0].length).toBeGreaterThan(100_000);
    expect(ours.map((bytes, n) => bytes.equals(theirs[n]))).toEqual([true, true, true]);
  });

  test("with the virtual clock twice: the same trace", patiently(180_000), async () => {
    bringPackages();
    const traces: Buffer[] = [];
    // Both runs find the same files.
    const aside = mkdtempSync(join(tmpdir(), "faultline-traces-"));
    for (const name of ["one", "two"]) {
      const file = join(aside, name);
      const options = ["--clock", "virtual", "--trace", file];
      outputs(await machine.run([binary(riscv64), ...ARGS], { options }), machine.folder);
      traces.push(readFileSync(file));
    }
    rmSync(aside, { recursive: true });
    expect(traces[0].length).toBeGreaterThan(100_000);
    expect(traces[1].equals(traces[0])).toBe(true);
  });
});

describeWith("esbuild with much to do", { packages: [], npm: [riscv64, native], isLong: true }, (machine) => {
  test("bundles this package's machine to the bytes of the native one", patiently(600_000), async () => {
    machine.clear();
    cpSync(join(repository, "src"), join(machine.folder, "src"), { recursive: true });
    const args = ["src/machine/index.ts", ...OPTIONS];
    const theirs = outputs(await ended(spawn(binary(native), args, { cwd: machine.folder })), machine.folder);
    const ours = outputs(await machine.run([binary(riscv64), ...args], { timeout: 500 }), machine.folder);
    expect(ours.map((bytes, n) => bytes.equals(theirs[n]))).toEqual([true, true, true]);
  });
});

/** What it wrote. It tells of its work on standard error. */
function outputs({ status, stderr }: Ended, folder: string): Buffer[] {
  expect(stderr).toMatch(/Done in/);
  expect(status).toBe(0);
  return ["out.js", "out.js.map", "meta.json"].map((name) => {
    const bytes = readFileSync(join(folder, name));
    rmSync(join(folder, name));
    return bytes;
  });
}
