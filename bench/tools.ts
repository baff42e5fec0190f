/** What the benches are made with: rolldown for ours, the host's C compiler for its side. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { type InputOptions, rolldown } from "rolldown";

export const BENCH: string = fileURLToPath(new URL(".", import.meta.url));
export const ROOT: string = fileURLToPath(new URL("..", import.meta.url));

/** As published (scripts/build.ts). */
const COMMON: InputOptions = { external: /^node:/, logLevel: "warn", cwd: ROOT };

/** Bundles a suite, with its part of Faultline, into `folder`; answers the file. */
export async function bundleSuite(name: string, folder: string): Promise<string> {
  const file = join(folder, `${name}.mjs`);
  const build = await rolldown({ ...COMMON, platform: "node", input: join(BENCH, "suites", `${name}.ts`) });
  await build.write({ file, format: "esm" });
  await build.close();
  return file;
}

export interface BundleSize {
  readonly minified: number;
  readonly gzipped: number;
}

/** Bytes of an entry of the library with all that it imports. */
export async function bundleSize(entry: string): Promise<BundleSize> {
  const build = await rolldown({ ...COMMON, platform: "neutral", input: join(ROOT, entry) });
  const { output } = await build.generate({ format: "esm", minify: true });
  await build.close();
  const code = output.map((one) => (one.type === "chunk" ? one.code : "")).join("");
  return { minified: Buffer.byteLength(code), gzipped: gzipSync(code).length };
}

/** The host's C compiler, or undefined where there is none. */
export function hostCompiler(): string | undefined {
  const wanted = process.env.CC ?? "cc";
  return spawnSync(wanted, ["--version"]).status === 0 ? wanted : undefined;
}

/** Compiles `source` (in bench/) for the host; answers the program. Throws with what the compiler said. */
export function compileForHost(
  compiler: string,
  source: string,
  folder: string,
  options: string[] = [],
): string {
  const program = join(folder, source.replace(/^.*\//, "").replace(/\.c$/, ""));
  const { status, stderr } = spawnSync(
    compiler,
    ["-O2", ...options, "-o", program, join(BENCH, source), "-lm"],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`${compiler} ${source}: ${stderr}`);
  return program;
}

/** Runs a program that prints JSON. */
export function runJson<T>(program: string, args: readonly string[]): T {
  const { status, signal, stdout, stderr, error } = spawnSync(program, args, {
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${signal ?? status}\n${stderr}`);
  return JSON.parse(stdout) as T;
}
