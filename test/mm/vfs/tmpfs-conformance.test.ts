import fs from "node:fs";
import os from "node:os";
import { tmpFs } from "../../../src/mm/shmem/tmpfs.ts";
import { runConformance } from "./conformance-suite.ts";

/** The host's own tmpfs, where there is one. */
const hostBase = fs.existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir();

runConformance({ name: "tmpfs", hostBase, fresh: () => tmpFs({ mode: 0o755 }) });
