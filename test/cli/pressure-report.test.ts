/** The report's section on memory that was short: as text, as JSON, and that both agree with the kernel's counters. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { drawBars, drawLayers } from "../../src/cli/chart.ts";
import type { Report } from "../../src/cli/report.ts";
import { setUpCommand } from "./command.ts";
import { type Schema, schemaErrors } from "./json-schema.ts";

const command = setUpCommand();
const PROGRAM = "examples/bin/larger-than-ram";

/** As in report.test.ts: what differs from machine to machine. */
function stable(text: string): string {
  return (
    text
      .replaceAll(command.folder, "/data")
      .replace(/ +[\d,]+ {2}(instructions +# )\d+\.\d\d s/, "             N  $1N s")
      // The scale of a chart: the longer a name is, the more instructions it takes to read it.
      .replace(/^( +0) +[\d.]+ [nµm]?s$/m, "$1 N s")
  );
}

async function reportOf(...options: string[]): Promise<Report> {
  command.bring(PROGRAM);
  const args = ["run", "-q", "--json", "out.json", ...options, "larger-than-ram", "3"];
  await command.faultline(args);
  const schema: Schema = JSON.parse(
    readFileSync(new URL("../../docs/report-schema.json", import.meta.url), "utf8"),
  );
  const report: Report = JSON.parse(readFileSync(join(command.folder, "out.json"), "utf8"));
  expect(schemaErrors(report, schema)).toEqual([]);
  return report;
}

test("the section in the terminal", async () => {
  command.bring(PROGRAM);
  const args = "run --seed 3 --clock virtual --ram 2M --swap 8M larger-than-ram 3".split(" ");
  const { stderr } = await command.faultline(args);
  await expect(stable(stderr)).toMatchFileSnapshot("golden/pressure-short.txt");
  // No line is wider than a terminal of 80 columns, but for explanations and paths.
  const chart = stderr.split("\n").filter((line) => /[┤└█▒░]/.test(line));
  expect(Math.max(...chart.map((line) => line.length))).toBeLessThanOrEqual(80);
});

test("is not there where memory was not short, but in full reports", async () => {
  command.bring("test/programs/bin/hello");
  expect((await command.faultline(["run", "hello"])).stderr).not.toContain("pages scanned");
  expect((await command.faultline(["run", "--report", "hello"])).stderr).toContain("pages scanned");
});

describe("as JSON it agrees with itself", () => {
  test("swap areas of one priority take turns, and what they moved is what was swapped", async () => {
    const report = await reportOf("--ram", "2M", "--swap", "8M,prio=5", "--swap", "8M,prio=5");
    const { pressure, vmstat, processes } = report;
    const [first, second] = pressure.swap_areas;
    expect([first.name, second.name, first.priority, second.priority]).toEqual([
      "/dev/ram0",
      "/dev/ram1",
      5,
      5,
    ]);
    expect(Math.min(first.pages_written, second.pages_written)).toBeGreaterThan(200);
    expect(first.pages_written + second.pages_written).toBe(vmstat.pswpout);
    expect(first.pages_read + second.pages_read).toBe(vmstat.pswpin);
    expect(pressure.pgscan).toBe(vmstat.pgscan_kswapd + vmstat.pgscan_direct);
    expect(vmstat.pgmajfault).toBe(report.faults.major);
    // Of the table, what memory can't hold is in swap to the end.
    const mapping = processes[0].mappings.find(
      ({ start, end }) => Number(end) - Number(start) === 3 * 2 ** 20,
    );
    expect(mapping?.swap_pages).toBeGreaterThan(256);
    const peak = Math.max(...pressure.timeline.map(({ active, inactive }) => active + inactive));
    expect(peak).toBeGreaterThan(300);
    expect(peak).toBeLessThanOrEqual(512);
    const times = pressure.timeline.map((sample) => sample.time_ns);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  test("a limit shows as such, and its end in the log", async () => {
    const { pressure, program } = await reportOf("--memory-max", "1M", "--swap", "1M", "--swap-max", "512K");
    expect(program).toMatchObject({ exit_status: 137, signal: "SIGKILL" });
    expect(pressure.cgroup).toMatchObject({
      path: "/program",
      memory_max: 2 ** 20,
      memory_peak: 2 ** 20,
      swap_max: 2 ** 19,
      events: { oom_kill: 1 },
    });
    expect(pressure.oom_kills).toMatchObject([{ comm: "larger-than-ram", cgroup: "/program" }]);
    expect(pressure.dmesg.at(-1)).toMatch(/Memory cgroup out of memory: Killed process/);
  });

  test("what storage failed is counted", async () => {
    const { pressure } = await reportOf("--ram", "2M", "--swap", "8M", "--inject", "swap-write:eio@3-5");
    expect(pressure.storage_errors).toEqual({ reads: 0, writes: 0, swap: 3 });
    expect(pressure.swap_areas[0].errors).toBe(3);
  });
});

test("a chart puts each layer at its height", () => {
  const columns = [
    [4, 0, 0],
    [1, 1, 2],
    [0, 2, 0],
    [0, 0, 0],
  ];
  expect(drawLayers(columns, ["#", "o", "."], 4, 4)).toEqual(["#.  ", "#.  ", "#oo ", "##o "]);
  expect(drawBars([0, 1, 8, 4])).toBe(" ▁█▄");
  expect(drawBars([0, 0])).toBe("  ");
});
