/**
 * `npm run stress`: random programs on a machine whose RAM is far too small for them, every byte compared with a shadow
 * copy and all invariants proven after each step.
 *
 *   npm run stress -- [--steps N] [--seed N] [--ram FRAMES] [--swap KIND,…] [--policy lru|mglru] [--sound]
 *                     [--episode STEPS] [--keep-going]
 *
 * A run is a row of episodes, each a world of its own whose sizes, swap areas and faults of storage come from the seed;
 * --ram, --swap, --policy and --sound (storage never fails) fix them. What fails is shrunk and printed: it goes into
 * test/stress/regressions.json.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const folder = mkdtempSync(join(tmpdir(), "faultline-stress-"));
try {
  const build = await rolldown({
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    external: /^node:/,
    logLevel: "warn",
    platform: "node",
    input: "test/stress/main.ts",
  });
  const file = join(folder, "stress.mjs");
  await build.write({ file, format: "esm", sourcemap: "inline" });
  await build.close();
  const args = ["--enable-source-maps", file, ...process.argv.slice(2)];
  process.exitCode = spawnSync(process.execPath, args, { stdio: "inherit" }).status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
