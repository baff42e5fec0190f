/** The bundles that are published. scripts/build.ts makes them all; tests of the command make theirs. */
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { type InputOptions, type Plugin, rolldown } from "rolldown";
import { interpreterModule } from "../src/machine/cpu/interpreter.ts";
import { Ram } from "../src/mm/frames/ram.ts";

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

/**
 * The command, with all that it needs inside: a script, whose compiled code can be kept (bin/faultline.js), with the
 * interpreter as it would be generated at each start.
 */
export async function bundleCommand(dir: string): Promise<void> {
  const { machineBase } = new Ram(0, 0);
  const wasm = Buffer.from(interpreterModule(machineBase)).toString("base64");
  const build = await rolldown({
    ...COMMON,
    platform: "node",
    input: { cli: "src/cli/main.ts" },
    external: (id, importer) => id.startsWith("node:") && !isUnused(id, importer),
    plugins: [withoutChildProcess, asciiOnly],
    transform: { define: { BUILT_INTERPRETER: JSON.stringify({ base: machineBase, wasm }) } },
  });
  await build.write({
    dir,
    format: "cjs",
    entryFileNames: "[name].cjs",
    chunkFileNames: "cli-[name]-[hash].cjs",
    minify: true,
  });
  await build.close();
}

/**
 * Commander starts commands that are programs of their own with node:child_process, which draws in Node's network. There
 * are no such commands here.
 */
const NOTHING = "\0nothing";
const isUnused = (source: string, importer: string | undefined): boolean =>
  source === "node:child_process" && importer?.includes("commander") === true;
const withoutChildProcess: Plugin = {
  name: "without-child-process",
  resolveId: (source, importer) => (isUnused(source, importer) ? NOTHING : null),
  load: (id) => (id === NOTHING ? "export default {};" : null),
};

/** What compiled code says it was made from: of the text that it came from V8 itself compares the length alone. */
function idOf(code: string): string {
  return createHash("sha256").update(code).digest("hex").slice(0, ID_LENGTH);
}

/** With the comment around it 32 bytes. */
const ID_LENGTH = 25;

/** V8 keeps a text of ASCII alone in half the memory, and reads it faster. What is not ASCII stands in strings only. */
const asciiOnly: Plugin = {
  name: "ascii-only",
  generateBundle: (_options, bundle) => {
    for (const one of Object.values(bundle)) {
      if (one.type !== "chunk") continue;
      one.code = one.code.replace(
        /[^\0-\x7f]/g,
        (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
      );
      if (one.isEntry) one.code = `/* ${idOf(one.code)} */\n${one.code}`;
    }
  },
};
