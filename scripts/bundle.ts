/** The bundles that are published. scripts/build.ts makes them all; tests of the command make theirs. */
import { fileURLToPath } from "node:url";
import { type InputOptions, rolldown } from "rolldown";

const COMMON: InputOptions = {
  cwd: fileURLToPath(new URL("..", import.meta.url)),
  external: /^node:/,
  logLevel: "warn",
};

/** The library: an entry for each of the package's exports, and chunks for what they share. */
export async function bundleLibrary(dir: string): Promise<void> {
  const build = await rolldown({
    ...COMMON,
    platform: "neutral",
    input: { index: "src/mm/index.ts", node: "src/storage/node/index.ts", machine: "src/machine/index.ts" },
  });
  await build.write({ dir, format: "esm", chunkFileNames: "shared-[hash].js", sourcemap: true });
  await build.close();
}

/** The command, with all that it needs inside. */
export async function bundleCommand(dir: string): Promise<void> {
  const build = await rolldown({ ...COMMON, platform: "node", input: { cli: "src/cli/main.ts" } });
  await build.write({ dir, format: "esm", chunkFileNames: "cli-[name]-[hash].js", minify: true });
  await build.close();
}
