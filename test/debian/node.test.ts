/** Node of Debian, with its compilers to machine code: what a script prints is what it prints in the Node that runs this test. */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { describeWith, ended, patiently } from "./debian.ts";

describeWith("Node", { packages: ["nodejs"], isLong: true }, (machine) => {
  test("hot loops, promises, threads, files and HTTP as natively", patiently(900_000), async () => {
    machine.clear();
    machine.bring("summit.mjs");
    const native = await ended(spawn(process.execPath, ["summit.mjs"], { cwd: machine.folder }));
    const here = await machine.run(["node", "summit.mjs"], { timeout: 800 });
    expect(here).toEqual(native);
    expect(here.status).toBe(0);
    expect(here.stdout).toMatch(/\ndone\n$/);
  });

  test("a script with compiled loops and a thread twice: the same trace", patiently(900_000), async () => {
    const script =
      'let s = 0; for (let i = 0; i < 3e6; i++) s = (s * 31 + i) | 0; console.log(s, Math.random()); new (require("worker_threads").Worker)("console.log(process.hrtime())", { eval: true });';
    const traces: string[] = [];
    const texts: string[] = [];
    const aside = mkdtempSync(join(tmpdir(), "faultline-traces-"));
    for (const name of ["one", "two"]) {
      const trace = join(aside, name);
      const options = ["--clock", "virtual", "--trace", trace];
      const { status, stdout, stderr } = await machine.run(["node", "-e", script], { options, timeout: 400 });
      expect(stderr).toBe("");
      expect(status).toBe(0);
      texts.push(stdout);
      traces.push(await digest(trace));
    }
    rmSync(aside, { recursive: true });
    expect(texts[1]).toBe(texts[0]);
    expect(traces[1]).toBe(traces[0]);
  });
});

async function digest(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(file)) hash.update(piece as Buffer);
  return hash.digest("hex");
}
