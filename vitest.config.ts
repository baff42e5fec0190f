import { fileURLToPath } from "node:url";
import type { ViteUserConfig } from "vitest/config";

function source(path: string): string {
  return fileURLToPath(new URL(`src/${path}`, import.meta.url));
}

const config: ViteUserConfig = {
  resolve: {
    // Examples import the package by its name; tests run them on the sources.
    alias: [
      { find: /^faultline$/, replacement: source("mm/index.ts") },
      { find: /^faultline\/node$/, replacement: source("storage/node/index.ts") },
      { find: /^faultline\/machine$/, replacement: source("machine/index.ts") },
    ],
  },
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/property-seed.ts"],
    // Processes, not threads: a test may change directory, and a wasm memory is given back for certain at the end.
    pool: "forks",
    // Small CI machines: a test that simulates a million instructions shares its core with another.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
};

export default config;
