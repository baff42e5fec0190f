#!/usr/bin/env node
// The command as it is installed. The work is in dist/cli.cjs, which `npm ci` or `npm run build` makes from src/cli.
//
// Half of a short run would be the compiling of that file. So the build keeps what V8 made of it, in dist/cli.cache
// (scripts/code-cache.cjs), behind the head of the file that it was made from: V8 itself would take it for any file of the
// same length. V8 takes it only from the same V8 with the same flags; where it does not, the file is compiled as any
// other, and Node 22 and newer keep what comes out between runs. The file has ASCII alone (scripts/bundle.ts), which is
// read fastest as Latin-1.
"use strict";
const { readFileSync } = require("node:fs");
const { dirname, join } = require("node:path");
const { Script } = require("node:vm");

const file = join(__dirname, "../dist/cli.cjs");
const [source, cache] = [read(file, "latin1"), read(join(__dirname, "../dist/cli.cache"))];
const HEAD_BYTES = 32;
if (source === undefined) {
  process.stderr.write("faultline: not built yet; in its folder, run: npm run build\n");
  process.exitCode = 1;
} else if (!runCached()) {
  require("node:module").enableCompileCache?.();
  require(file);
}

function read(path, encoding) {
  try {
    return readFileSync(path, encoding);
  } catch {
    return undefined;
  }
}

/** Runs the file from its compiled code, if there is any that fits. */
function runCached() {
  if (cache === undefined || cache.toString("latin1", 0, HEAD_BYTES) !== source.slice(0, HEAD_BYTES))
    return false;
  const Module = module.constructor;
  const cachedData = cache.subarray(HEAD_BYTES);
  const script = new Script(Module.wrap(source), { filename: file, cachedData });
  if (script.cachedDataRejected) return false;
  const loaded = new Module(file, module);
  // What it loads later requires it again, and must not start it a second time.
  require.cache[file] = loaded;
  script.runInThisContext()(loaded.exports, Module.createRequire(file), loaded, file, dirname(file));
  return true;
}
