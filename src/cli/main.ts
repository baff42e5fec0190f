/** The command's entry: what `faultline` does with its arguments. */
import packageJson from "../../package.json" with { type: "json" };
import { parseCommandLine } from "./command-line.ts";
import { writeAll } from "./host-streams.ts";
import { run } from "./run.ts";

const { version } = packageJson;

/** No `await` outside of a function: the bundle is a script, whose compiled code can be kept (bin/faultline.js). */
async function main(): Promise<void> {
  const parsed = parseCommandLine(process.argv.slice(2), version, {
    out: (text) => writeAll(1, text),
    err: (text) => writeAll(2, text),
  });
  const exitStatus = "exitCode" in parsed ? parsed.exitCode : await run(parsed, version);
  // Not process.exitCode alone: a pipe that was opened for the program may keep the event loop alive.
  process.exit(exitStatus);
}

void main();
