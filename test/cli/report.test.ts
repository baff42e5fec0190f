/**
 * What a run leaves behind: the report as text, as JSON, and the trace.
 *
 * Goldens are in golden/; after a change that is meant, `npm test -- test/cli -u` accepts the new ones.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Report } from "../../src/cli/report.ts";
import { FAULT_CAUSES, type TraceEvent } from "../../src/mm/trace/events.ts";
import { setUpCommand } from "./command.ts";
import { type Schema, schemaErrors } from "./json-schema.ts";
import { PROGRAMS, writeProgram } from "./tiny-program.ts";

const command = setUpCommand();

function read(name: string): string {
  return readFileSync(join(command.folder, name), "utf8");
}

/** What differs from machine to machine: where the folder lies, how long its name is to a strlen, how long all took. */
function stable(text: string): string {
  return (
    text
      .replaceAll(command.folder, "/data")
      .replace(/ +[\d,]+ {2}(instructions +# )\d+\.\d\d s/, "             N  $1N s")
      // The scale of a chart: the longer a name is, the more instructions it takes to read it.
      .replace(/^( +0) +[\d.]+ [nµm]?s$/m, "$1 N s")
  );
}

async function reportOf(name: string, ...args: string[]): Promise<Report> {
  await command.faultline(["run", "-q", "--json", "out.json", name, ...args]);
  return JSON.parse(read("out.json"));
}

describe("the report as text", () => {
  test("short", async () => {
    command.bring("examples/bin/append");
    writeFileSync(join(command.folder, "notes.txt"), "x".repeat(5000));
    const { stderr } = await command.faultline(["run", "append", "notes.txt", "a line"]);
    await expect(stable(stderr)).toMatchFileSnapshot("golden/append-short.txt");
  });

  test("in full, of two processes", async () => {
    command.bring("examples/bin/cow");
    const { stderr } = await command.faultline(["run", "--clock", "virtual", "--report", "cow"]);
    await expect(stable(stderr)).toMatchFileSnapshot("golden/cow-full.txt");
  });

  test("of a program that goes wrong", async () => {
    writeProgram(join(command.folder, "segv"), PROGRAMS.segv);
    const { stderr } = await command.faultline([
      "run",
      "--clock",
      "virtual",
      "--report=out.txt",
      "segv",
      'a "b"',
      "\u001b[2J",
    ]);
    expect(stderr).toBe("");
    await expect(stable(read("out.txt"))).toMatchFileSnapshot("golden/segv-full.txt");
  });

  test("names an unknown system call once", async () => {
    writeProgram(join(command.folder, "unknown"), PROGRAMS.unknown);
    const { stderr } = await command.faultline(["run", "unknown"]);
    expect(stderr.match(/unknown call/g)).toHaveLength(1);
    expect(stderr).toMatch(/ 3 +unknown call 2000 +# answered ENOSYS/);
  });

  test("counts many mappings by type instead of listing them", async () => {
    command.bring("test/programs/bin/malloc-stress");
    const { stderr } = await command.faultline(["run", "malloc-stress"]);
    expect(stderr).toMatch(/\d+ {4}private anonymous\n/);
    expect(stderr).toContain("--report lists them");
  });

  test("shows names that are no UTF-8 by their bytes", async () => {
    command.bring("test/programs/bin/names");
    const { stderr } = await command.faultline(["run", "--report", "--json", "out.json", "names"]);
    expect(stderr).toContain("\\xffprogram€€\\xe2, child of 2: exit status 0");
    expect(stderr).toMatch(/names\.tmp\/d\\xe9\/\\xed\\xb2\\x80\/m\\xff\\x0a\\p \(unmapped\)/);
    expect(read("out.json")).toContain('/names.tmp/a\\udcc3"');
  });

  test("has colours for a terminal only", async () => {
    command.bring("test/programs/bin/hello");
    const sequence = "\u001b[";
    expect((await command.faultline(["run", "hello"])).stderr).not.toContain(sequence);
    const forced = await command.faultline(["run", "hello"], { env: { FORCE_COLOR: "1" } });
    expect(forced.stderr).toContain(sequence);
    const refused = await command.faultline(["run", "hello"], { env: { FORCE_COLOR: "1", NO_COLOR: "1" } });
    expect(refused.stderr).not.toContain(sequence);
  });
});

describe("the report as JSON", () => {
  const schema: Schema = JSON.parse(
    readFileSync(new URL("../../docs/report-schema.json", import.meta.url), "utf8"),
  );

  test.each([
    ["examples/bin/append", ["notes.txt", "x"]],
    ["examples/bin/four-mappings", []],
    ["examples/bin/sigbus", []],
    ["test/programs/bin/segv-handler", []],
    ["test/programs/bin/fork-wait", []],
    ["test/programs/bin/malloc-stress", []],
  ])("of %s is as its schema says, and adds up", async (path, args) => {
    command.bring(path);
    const report = await reportOf(path.slice(path.lastIndexOf("/") + 1), ...args);
    expect(schemaErrors(report, schema)).toEqual([]);
    const { faults, processes, page_cache: cache, vmstat } = report;
    // What the kernel counted, what the events say and what the processes' own counters say is the same.
    const failed = faults.by_cause.segv + faults.by_cause.sigbus + faults.by_cause.oom;
    const caused = Object.values(faults.by_cause).reduce((sum, count) => sum + count, 0);
    expect(faults.minor + faults.major).toBe(caused - failed);
    for (const process of processes) {
      const own = sum([process.faults]);
      expect(sum([...process.mappings.map((one) => one.faults), process.unmapped_faults])).toBe(own);
      const { segv = 0, sigbus = 0, oom = 0 } = process.faults;
      expect(process.minflt + process.majflt).toBe(own - segv - sigbus - oom);
    }
    expect(cache.pages_read * 4).toBe(vmstat.pgpgin);
    expect(cache.pages_written * 4).toBe(vmstat.pgpgout);
    expect(report.machine.peak_frames).toBeGreaterThan(0);
  });

  function sum(counts: readonly Readonly<Partial<Record<string, number>>>[]): number {
    let total = 0;
    for (const one of counts) for (const count of Object.values(one)) total += count ?? 0;
    return total;
  }

  test("tells how the program ended", async () => {
    writeProgram(join(command.folder, "segv"), PROGRAMS.segv);
    const report = await reportOf("segv", "an argument");
    expect(report.program).toEqual({
      path: "segv",
      argv: ["segv", "an argument"],
      exit_status: 139,
      signal: "SIGSEGV",
      timed_out: false,
      crashed: false,
      panicked: false,
    });
    expect(report.processes).toMatchObject([
      { comm: "segv", signal: "SIGSEGV", unmapped_faults: { segv: 1 } },
    ]);
  });

  test("lists all causes there are, as its schema and its description do", () => {
    const text = readFileSync(new URL("../../docs/report-schema.md", import.meta.url), "utf8");
    const { causes } = schema.$defs as {
      readonly causes: { readonly propertyNames: { readonly enum: unknown } };
    };
    expect(causes.propertyNames.enum).toEqual([...FAULT_CAUSES]);
    for (const cause of FAULT_CAUSES) expect(text).toContain(`\`${cause}\``);
  });
});

describe("the trace", () => {
  test("is a header and an event a line, and tells of the same faults as the report", async () => {
    command.bring("examples/bin/cow");
    await command.faultline(["run", "-q", "--trace", "trace.ndjson", "--json", "out.json", "cow"]);
    const [header, ...lines] = read("trace.ndjson").trimEnd().split("\n");
    expect(JSON.parse(header)).toMatchObject({ schema: "faultline-trace", version: 1 });
    const events = lines.map((line) => JSON.parse(line) as TraceEvent);
    const report = JSON.parse(read("out.json")) as Report;
    const faults = events.filter((event) => event.type === "fault");
    expect(faults).toHaveLength(report.faults.minor + report.faults.major);
    const types = new Set(events.map((event) => event.type));
    for (const type of ["exec", "mmap", "cache-read", "syscall", "fork"] as const)
      expect(types).toContain(type);
    expect(events.flatMap((event) => (event.type === "exit" ? [event.value] : []))).toEqual([0, 0]);
  });

  test("of the same seed is the same", async () => {
    command.bring("test/programs/bin/malloc-stress-glibc");
    const traces: string[] = [];
    for (const seed of ["7", "7", "8"]) {
      await command.faultline(["run", "-q", "--seed", seed, "--trace", "t", "malloc-stress-glibc"]);
      traces.push(read("t"));
    }
    expect(traces[1] === traces[0]).toBe(true);
    expect(traces[2] === traces[0]).toBe(false);
  });

  test.each([
    "malloc-stress",
    "fork-wait",
    "pipe",
    "signals",
    "timers",
    "time",
    "waiting",
    "threads",
    "futex",
    "epoll",
    "file-io",
    "proc-status",
  ])("with --clock virtual is the same, byte for byte: %s", async (program) => {
    command.bring(`test/programs/bin/${program}`);
    const runs: string[][] = [];
    for (let run = 0; run < 2; run++) {
      // A file that is already there would be another beginning.
      const folder = join(command.folder, "scratch");
      mkdirSync(folder);
      const args = ["run", "-q", "--clock", "virtual", "--trace", `../t${run}`, `../${program}`];
      const { status, stdout } = await command.faultline(args, { cwd: folder });
      rmSync(folder, { recursive: true });
      runs.push([`${status}`, stdout, read(`t${run}`)]);
    }
    expect(runs[1][0]).toBe(runs[0][0]);
    expect(runs[1][1]).toBe(runs[0][1]);
    expect(runs[1][2] === runs[0][2]).toBe(true);
    expect(runs[0][2].length).toBeGreaterThan(1000);
  });

  test("that can't be written is a clear error", async () => {
    command.bring("test/programs/bin/hello");
    const { status, stderr } = await command.faultline(["run", "--trace", "no/such/folder", "hello"]);
    expect(status).toBe(125);
    expect(stderr).toMatch(/^faultline: [^\n]*no\/such\/folder[^\n]*\n$/);
  });
});
