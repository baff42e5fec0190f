#!/usr/bin/env node
// The command as it is installed. The work is in dist/cli.js, which `npm ci` or `npm run build` makes from src/cli.
import { existsSync } from "node:fs";
import * as module from "node:module";

const cli = new URL("../dist/cli.js", import.meta.url);
if (existsSync(cli)) {
  // Node 22 and newer keep compiled code between runs.
  module.enableCompileCache?.();
  await import(cli.href);
} else {
  process.stderr.write("faultline: not built yet; in its folder, run: npm run build\n");
  process.exitCode = 1;
}
