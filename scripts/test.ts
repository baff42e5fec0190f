/**
 * `npm test`: formatter and linter, types, then all tests. Goes on after a failure, so that one run shows all there is
 * to mend, and ends in a plain line "N passed, N failed" for whoever reads logs.
 *
 * Arguments go to vitest: npm test -- test/cli
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
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

/** Longest that a tool may take. A test that loops for ever can't be stopped by vitest, which waits for it. */
const TIMEOUT_MINUTES = 20;
const isWindows = process.platform === "win32";

/** Runs a tool of this package; whether it was content. */
async function succeeds(tool: string, ...args: string[]): Promise<boolean> {
  console.log(`\n> ${[tool, ...args].join(" ")}`);
  // In a process group of its own, so that all that it started can be ended with it.
  const child = spawn(tool, args, { stdio: "inherit", shell: isWindows, detached: !isWindows });
  const end = (): void => {
    if (child.pid !== undefined) process.kill(isWindows ? child.pid : -child.pid, "SIGKILL");
  };
  const interrupt = (): void => {
    end();
    process.exit(130);
  };
  const timer = setTimeout(() => {
    console.error(`${tool}: not done after ${TIMEOUT_MINUTES} minutes`);
    end();
  }, TIMEOUT_MINUTES * 60_000);
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    const [status] = await once(child, "exit");
    return status === 0;
  } catch (error) {
    console.error(error);
    return false;
  } finally {
    clearTimeout(timer);
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

const folder = mkdtempSync(join(tmpdir(), "faultline-test-"));
const jsonFile = join(folder, "results.json");

// In CI a few real programs are tested, too, where they can be fetched; without them their tests are skipped by name.
if (
  process.env.CI !== undefined &&
  !(await succeeds("tsx", "scripts/programs.ts", "--set", "small", "--time", "180"))
)
  console.error("going on without real programs");

let passed = 0;
let failed = 0;
if (!(await succeeds("biome", "check", "--error-on-warnings"))) failed++;
if (!(await succeeds("tsc", "--noEmit", "-p", "tsconfig.json"))) failed++;
const wantsMore = process.argv.slice(2);
const areContent = await succeeds(
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
