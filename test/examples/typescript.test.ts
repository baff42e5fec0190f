/** The TypeScript examples, run as a user runs them, on the sources: what they print is part of what they teach. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const base = fs.mkdtempSync(path.join(os.tmpdir(), "faultline-examples-"));
afterAll(() => fs.rmSync(base, { recursive: true, force: true }));

function run(name: string, ...args: string[]): string[] {
  const program = path.join(root, "examples", name, `${name}.ts`);
  const options = ["--import", "tsx", "--conditions=faultline-source", program, ...args];
  return execFileSync(process.execPath, options, { cwd: root, encoding: "utf8" }).trimEnd().split("\n");
}

describe("examples in TypeScript", () => {
  it("append: the old text and the new, byte for byte", () => {
    const file = path.join(base, "notes.txt");
    expect(run("append", file, "first")).toEqual([`${file}: 6 bytes appended at 0, now 6`]);
    fs.appendFileSync(file, "x".repeat(5000));
    const before = fs.readFileSync(file, "utf8");
    expect(run("append", file, "grüße")).toEqual([`${file}: 8 bytes appended at 5006, now 5014`]);
    expect(fs.readFileSync(file, "utf8")).toBe(`${before}grüße\n`);
  });

  it("count-lines: a file of 16 MiB in 2 MiB of RAM", () => {
    const file = path.join(base, "lines.txt");
    const line = `${"a line of some length ".repeat(7)}\n`;
    const lines = Math.ceil((16 * 2 ** 20) / line.length);
    fs.writeFileSync(file, line.repeat(lines));
    expect(run("count-lines", file, "2")).toEqual([`${file}: ${lines} lines, ${lines * line.length} bytes`]);
  });

  it("four-mappings: private ones part at fork, shared ones don't", () => {
    expect(run("four-mappings").map((row) => row.split(/\s{2,}/))).toEqual([
      ["mapping", "child reads", "parent reads", "file holds"],
      ["private anonymous", "parent", "parent", "-"],
      ["shared anonymous", "parent", "child", "-"],
      ["private file", "parent", "parent", "ffffff"],
      ["shared file", "parent", "child", "child"],
    ]);
  });

  it("cow: the faults of fact 18", () => {
    const faults = run("cow").map((row) => row.match(/(\d+) faults\s*(.*)/)?.slice(1, 3));
    expect(faults).toEqual([
      ["64", "64 anon-zero"],
      ["64", "64 wp-zero"],
      ["0", ""],
      ["0", ""],
      ["64", "64 wp-copy"],
      ["64", "64 wp-reuse"],
    ]);
  });

  it("pingpong: squares come back", () => {
    const rows = run("pingpong", "3");
    expect(rows.slice(0, 3)).toEqual([1, 2, 3].map((n) => `round ${n}: sent ${n}, got back ${n * n}`));
  });

  it("sigbus: handled, and zeros after growing", () => {
    expect(run("sigbus")).toEqual([
      "second page: 65",
      "after truncation: SIGBUS, BUS_ADRERR at offset 4096",
      "after growing again: 0",
    ]);
  });

  it("fork-snapshot: the child saves what was at fork", () => {
    expect(run("fork-snapshot")).toEqual([
      "at fork:      sum 32640",
      "parent now:   sum 88576, 64 pages copied of 256",
      "snapshot:     sum 32640, 1048576 bytes written",
    ]);
  });

  it("larger-than-ram: by columns every page comes from swap again and again", () => {
    const rows = run("larger-than-ram", "3", "2");
    const faults = rows.slice(0, 3).map((row) => Number(/(\d+) major/.exec(row)?.[1]));
    expect(faults).toEqual([0, 768, 4 * 768]);
    expect(rows[3]).toBe("3 MiB, 768 rows: sums right");
  });
});
