/** `npm run test:programs`: gets what programs are not there yet, then runs all tests of them, however long they take. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

/** Runs a tool of this package; its exit status. */
function run(tool: string, ...args: string[]): number {
  const { status, error } = spawnSync(tool, args, {
    stdio: "inherit",
    env: { ...process.env, FAULTLINE_PROGRAMS: "all" },
    shell: process.platform === "win32",
  });
  if (error !== undefined) console.error(error.message);
  return status ?? 1;
}

// What can't be had is skipped by name.
if (run("tsx", "scripts/programs.ts") !== 0) console.error("going on with what is there");
// Tests without a time-out of their own, and builds, may take ten minutes each beside other work.
const patience = ["--testTimeout", "600000", "--hookTimeout", "600000"];
process.exitCode = run("vitest", "run", "test/debian", ...patience, ...process.argv.slice(2));
