/**
 * Builds what is published, into dist/:
 *
 *   index.js node.js machine.js   the library's entries; what they share is in chunks, so that a Kernel is one class
 *                                 whichever entry it came from. No dependency, and `node:` only in node.js.
 *   cli.cjs cli.cache             the command, with the libraries that it needs inside, and its compiled code; what
 *                                 only a report needs is in chunks that are loaded late
 *   types/                        declarations of the library
 */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bundleCommand, bundleLibrary } from "./bundle.ts";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

rmSync("dist", { recursive: true, force: true });
await Promise.all([bundleLibrary("dist"), bundleCommand("dist")]);
const tsc = spawnSync("tsc", ["-p", "tsconfig.build.json"], {
  stdio: "inherit",
  shell: process.platform === "win32",
});
if (tsc.error !== undefined) console.error(tsc.error.message);
if (tsc.status !== 0) process.exitCode = 1;
// Without it the command starts more slowly, and works the same.
const cached = spawnSync(process.execPath, ["scripts/code-cache.cjs", "dist", "test/programs/bin/hello"], {
  env: { ...process.env, NODE_OPTIONS: "" },
});
if (cached.status !== 0) console.error(`the command's compiled code could not be kept: ${cached.stderr}`);
