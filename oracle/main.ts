/** `npm run oracle`: bundles the command (command.ts) and runs it, which is several times faster than TypeScript as it stands. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Bundles the command into `folder`, which must be where Node finds koffi from; answers the file. */
async function bundleCommand(folder: string): Promise<string> {
  const file = join(folder, "oracle.mjs");
  const input = join(ROOT, "oracle/command.ts");
  const build = await rolldown({ input, platform: "node", external: /^node:/, logLevel: "warn", cwd: ROOT });
  await build.write({ file, format: "esm" });
  await build.close();
  return file;
}

const folder = mkdtempSync(join(ROOT, "node_modules/.faultline-oracle-"));
try {
  const command = await bundleCommand(folder);
  const { status, error } = spawnSync(process.execPath, [command, ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  if (error !== undefined) throw error;
  process.exitCode = status ?? 2;
} finally {
  rmSync(folder, { recursive: true });
}
