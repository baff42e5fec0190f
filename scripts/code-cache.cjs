// node scripts/code-cache.cjs dist PROGRAM: runs PROGRAM with the command in dist, and keeps the code that V8 compiled
// for it, that of functions included, in dist/cli.cache. See bin/faultline.js. In a process of its own, without the
// flags and hooks that others run with.
"use strict";
const { readFileSync, writeFileSync } = require("node:fs");
const { join, resolve } = require("node:path");
const v8 = require("node:v8");
const { Script } = require("node:vm");

// Compiled code goes with the flags under which it was kept, and the command starts with V8's own.
v8.setFlagsFromString = () => {};
const [, , folder, program] = process.argv;
const dist = resolve(folder);
const file = join(dist, "cli.cjs");
const Module = module.constructor;
const source = readFileSync(file, "latin1");
const script = new Script(Module.wrap(source), { filename: file });
// Behind the head of the file that it was made from, which says which one that was (scripts/bundle.ts).
const head = Buffer.from(source.slice(0, 32), "latin1");
process.on("exit", () =>
  writeFileSync(join(dist, "cli.cache"), Buffer.concat([head, script.createCachedData()])),
);
process.argv = [process.execPath, file, "run", program];
const loaded = new Module(file, module);
// What it loads later requires it again, and must not start it a second time.
require.cache[file] = loaded;
script.runInThisContext()(loaded.exports, Module.createRequire(file), loaded, file, dist);
