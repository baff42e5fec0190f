/** What the browser tests bundle: the page's script, and the library alone to look for what a browser doesn't have. */
import { fileURLToPath } from "node:url";
import { type InputOptions, type OutputChunk, type RolldownOutput, rolldown } from "rolldown";

/** Names that the library must not take from its surroundings: Node's, the DOM's, timers, clocks and chance. */
export const FOREIGN_GLOBALS: readonly string[] = [
  ...["process", "Buffer", "require", "module", "exports", "global", "__dirname", "__filename"],
  ...["setImmediate", "clearImmediate", "setTimeout", "clearTimeout", "setInterval", "clearInterval"],
  ...["window", "document", "navigator", "location", "self", "localStorage", "fetch", "XMLHttpRequest"],
  ...["requestAnimationFrame", "queueMicrotask", "console", "performance", "crypto", "Date", "Math.random"],
  // The way around this list, what a content security policy forbids, and what a page's main thread may not do.
  ...["globalThis", "eval", "Function", "Atomics.wait"],
];

const COMMON: InputOptions = {
  cwd: fileURLToPath(new URL("../..", import.meta.url)),
  platform: "browser",
  external: /^node:/,
  logLevel: "silent",
};

/** The script of the page (page.ts), whole. */
export async function bundlePage(): Promise<OutputChunk> {
  const build = await rolldown({ ...COMMON, input: "test/browser/page.ts" });
  const output = await build.generate({ format: "iife", minify: true });
  await build.close();
  return onlyChunk(output);
}

/** What a bundle takes from outside. */
export interface Outside {
  readonly imports: readonly string[];
  readonly globals: readonly string[];
}

/** Looks for imports and for FOREIGN_GLOBALS in everything that the modules need. */
export async function outsideOf(...modules: readonly string[]): Promise<Outside> {
  const entry = "\0all";
  const build = await rolldown({
    ...COMMON,
    input: entry,
    treeshake: false,
    transform: { define: Object.fromEntries(FOREIGN_GLOBALS.map((name) => [name, marked(name)])) },
    plugins: [
      {
        name: "all",
        resolveId: (id) => (id === entry ? id : null),
        load: (id) =>
          id === entry ? modules.map((path) => `export * from ${JSON.stringify(path)};`).join("\n") : null,
      },
    ],
  });
  const { code, imports, dynamicImports } = onlyChunk(await build.generate({ format: "esm" }));
  await build.close();
  const globals = FOREIGN_GLOBALS.filter((name) => code.includes(marked(name)));
  return { imports: [...imports, ...dynamicImports], globals };
}

/** What a free reference to a global becomes; a local variable of that name stays. */
function marked(name: string): string {
  return `FOREIGN_${name.replace(".", "_")}_`;
}

function onlyChunk({ output }: RolldownOutput): OutputChunk {
  if (output.length !== 1) throw new Error(`one chunk expected, not ${output.length}`);
  return output[0];
}
