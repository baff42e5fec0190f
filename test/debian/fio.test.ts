/** fio with mappings as its way of I/O: what it writes it verifies, and each side verifies the files of the other. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { describeWith, type Ended, patiently, runNative } from "./debian.ts";

interface Job {
  readonly jobname: string;
  readonly error: number;
  readonly read: Transfers;
  readonly write: Transfers;
  readonly sync: { readonly total_ios: number };
}

interface Transfers {
  readonly io_bytes: number;
  readonly total_ios: number;
  readonly short_ios: number;
}

const needs = { packages: ["fio"], native: ["fio"], isLong: true };
const args = ["fio", "--output-format=json", "verify.fio"];
const again = ["fio", "--verify_only", "--output-format=json", "verify.fio"];

describeWith("fio, ioengine=mmap, verify=crc32c", needs, (machine) => {
  test("transfers what it transfers natively, and files pass between both", patiently(300_000), async () => {
    const [ours, theirs] = ["ours", "theirs"].map((name) => join(machine.folder, name));
    for (const folder of [ours, theirs]) {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder);
      machine.bring("verify.fio", folder);
    }
    const here = jobs(await machine.run(args, { cwd: ours }));
    expect(here.map(({ jobname }) => jobname)).toEqual([
      "sequential",
      "random",
      "threads",
      "threads",
      "threads",
      "threads",
    ]);
    expect(here).toEqual(jobs(await runNative(args, { cwd: theirs })));

    // What Faultline wrote, read by Linux; what Linux wrote, read by Faultline.
    const verified = jobs(await runNative(again, { cwd: ours }));
    expect(jobs(await machine.run(again, { cwd: theirs }))).toEqual(verified);

    const file = join(theirs, "random.dat");
    const bytes = readFileSync(file);
    bytes[70_000] ^= 1;
    writeFileSync(file, bytes);
    const { status, stderr } = await machine.run(again, { cwd: theirs });
    expect(status).toBe(1);
    expect(stderr).toContain("crc32c: verify failed at file random.dat offset 65536, length 8192");
  });
});

/** What each job did; all were content. */
function jobs({ status, stdout, stderr }: Ended): Job[] {
  expect(stderr).toBe("");
  expect(status).toBe(0);
  const report = JSON.parse(stdout) as { readonly jobs: readonly Job[] };
  return report.jobs.map(({ jobname, error, read, write, sync }) => ({
    jobname,
    error,
    read: counts(read),
    write: counts(write),
    sync: { total_ios: sync.total_ios },
  }));
}

function counts({ io_bytes, total_ios, short_ios }: Transfers): Transfers {
  return { io_bytes, total_ios, short_ios };
}
