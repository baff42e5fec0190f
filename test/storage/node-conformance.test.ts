import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll } from "vitest";
import { nodeFs } from "../../src/storage/node/index.ts";
import { runConformance } from "../mm/vfs/conformance-suite.ts";

const base = fs.mkdtempSync(path.join(os.tmpdir(), "faultline-nodefs-"));
let count = 0;

afterAll(() => fs.rmSync(base, { recursive: true, force: true }));

runConformance({
  name: "nodefs",
  hostBase: os.tmpdir(),
  fresh: () => {
    if (count > 0) fs.rmSync(path.join(base, `${count}`), { recursive: true, force: true });
    const directory = path.join(base, `${++count}`);
    fs.mkdirSync(directory);
    return nodeFs(directory);
  },
});
