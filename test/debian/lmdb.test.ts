/**
 * LMDB reads its database through a shared mapping and writes it with pwrite, so that both have to be the same pages. Writers
 * of several processes wait for each other in a robust mutex, in a shared mapping of another file.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type DebianMachine, describeWith, type Ended, patiently, runNative } from "./debian.ts";

const SIZES = [
  { name: "20,000", isLong: false, keys: 20_000 },
  { name: "1,000,000", isLong: true, keys: 1_000_000 },
] as const;

/** What mdb_load reads: keys first … end-1, in no order, with values of different lengths. */
function dumpOf(first: number, end: number): string {
  const parts = ["VERSION=3\nformat=print\ntype=btree\nmapsize=268435456\nmaxreaders=126\nHEADER=END\n"];
  for (let at = first; at < end; at++) {
    const key = (Math.imul(at, 0x9e3779b1) >>> 0).toString(16).padStart(8, "0");
    parts.push(` key-${key}\n value of ${at}, ${"x".repeat(at % 40)}\n`);
  }
  parts.push("DATA=END\n");
  return parts.join("");
}

/** Keys and values of a dump as lines, sorted as LMDB sorts them. */
function content(dump: string): string[] {
  const pairs = dump.slice(dump.indexOf("HEADER=END\n") + 11).split(/(?<=\n)(?= key-)/);
  return pairs.map((pair) => pair.replace("DATA=END\n", "")).sort();
}

async function natively(machine: DebianMachine, ...args: string[]): Promise<string> {
  const { status, stdout, stderr }: Ended = await runNative(args, { cwd: machine.folder });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout;
}

for (const { name, isLong, keys } of SIZES) {
  const needs = { packages: ["lmdb-utils"], native: ["lmdb-utils"], isLong };
  describeWith(`LMDB with ${name} keys`, needs, (machine) => {
    const timeout = isLong ? 600_000 : 60_000;
    test(
      "loads them into the file that the native LMDB makes of them, and dumps",
      patiently(timeout),
      async () => {
        machine.clear();
        const input = dumpOf(0, keys);
        writeFileSync(join(machine.folder, "input"), input);
        const options = ["--clock", "virtual"];
        const load = ["-n", "-f", "input"];
        const here = await machine.run(["mdb_load", ...load, "here.mdb"], {
          options,
          timeout: timeout / 1000,
        });
        expect(here).toEqual({ status: 0, stdout: "", stderr: "" });

        const dump = await natively(machine, "mdb_dump", "-n", "-p", "here.mdb");
        // Not as a diff: a million lines of it help nobody.
        const lines = content(dump);
        expect(lines.length).toBe(keys);
        const wanted = content(input);
        expect(lines.find((line, at) => line !== wanted[at])).toBeUndefined();
        await natively(machine, "mdb_load", ...load, "native.mdb");
        const bytes = (file: string): Buffer => readFileSync(join(machine.folder, file));
        expect(bytes("here.mdb").equals(bytes("native.mdb"))).toBe(true);

        const again = await machine.run(["mdb_dump", "-n", "-p", "native.mdb"], { options });
        expect({ status: again.status, stderr: again.stderr }).toEqual({ status: 0, stderr: "" });
        expect(again.stdout === dump).toBe(true);
      },
    );
  });
}

describeWith(
  "LMDB loaded by three processes at once",
  { packages: ["lmdb-utils", "dash"], native: ["lmdb-utils"] },
  (machine) => {
    test("holds what each of them loaded", patiently(60_000), async () => {
      machine.clear();
      const loads = [0, 1, 2].map((at) => {
        writeFileSync(join(machine.folder, `input${at}`), dumpOf(at * 3000, (at + 1) * 3000));
        return `mdb_load -n -f input${at} shared.mdb & p${at}=$!`;
      });
      const script = `${loads.join("\n")}\nwait $p0 && wait $p1 && wait $p2 && mdb_stat -n shared.mdb`;
      const here = await machine.run(["dash", "-c", script], { options: ["--clock", "virtual"] });
      expect(here).toMatchObject({ status: 0, stderr: "" });
      expect(here.stdout).toBe(await natively(machine, "mdb_stat", "-n", "shared.mdb"));
      const dump = await natively(machine, "mdb_dump", "-n", "-p", "shared.mdb");
      expect(content(dump)).toEqual(content(dumpOf(0, 9000)));
    });
  },
);
