/**
 * `npm test`: formatter and linter, types, then all tests. Goes on after a failure, so that one run shows all there is
 * to mend, and ends in a plain line "N passed, N failed" for whoever reads logs.
 *
 * Arguments go to vitest: npm test -- test/cli
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

/** The part of vitest's JSON report that is read here. */
interface JsonReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

/** Runs a tool of this package; whether it was content. */
function succeeds(tool: string, ...args: string[]): boolean {
  console.log(`\n> ${[tool, ...args].join(" ")}`);
  const { status, error } = spawnSync(tool, args, { stdio: "inherit", shell: process.platform === "win32" });
  if (error !== undefined) console.error(error.message);
  return status === 0;
}

const folder = mkdtempSync(join(tmpdir(), "faultline-test-"));
const jsonFile = join(folder, "results.json");

let passed = 0;
let failed = 0;
if (!succeeds("biome", "check", "--error-on-warnings")) failed++;
if (!succeeds("tsc", "--noEmit", "-p", "tsconfig.json")) failed++;
const wantsMore = process.argv.slice(2);
const areContent = succeeds(
  "vitest",
  "run",
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${jsonFile}`,
  ...wantsMore,
);
try {
  const report = JSON.parse(readFileSync(jsonFile, "utf8")) as JsonReport;
  passed += report.numPassedTests;
  failed += report.numFailedTests;
  // A file that can't even be loaded has no tests that could fail.
  failed += report.testResults.filter(
    (one) => one.status === "failed" && one.assertionResults.length === 0,
  ).length;
} catch {
  console.error("vitest left no results");
}
// An error outside of all tests, say.
if (!areContent && failed === 0) failed++;
rmSync(folder, { recursive: true });

console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
