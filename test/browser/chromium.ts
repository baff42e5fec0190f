/**
 * A headless Chromium for the tests, from `npm ci` alone: the packed binary of @sparticuz/chromium, unpacked into a
 * folder of its own and gone with it. CHROMIUM=/path/to/chrome takes another one, where that package has none.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";

const HOW_TO_GET_ONE = "set CHROMIUM to the path of a Chrome or Chromium to run it";

/** As root there is no sandbox; the page is ours, and nothing may leave this machine. */
const ARGUMENTS: readonly string[] = [
  "--no-sandbox",
  "--no-zygote",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--host-resolver-rules=MAP * ~NOTFOUND",
];

/** A browser that runs; whoever started it closes it. */
export interface Started {
  readonly browser: Browser;
  close(): Promise<void>;
}

/** Starts Chromium, or says why there is none and how to get one. */
export async function startChromium(): Promise<Started | { readonly reason: string }> {
  const own = process.env.CHROMIUM;
  if (own === undefined && (process.platform !== "linux" || process.arch !== "x64")) {
    return {
      reason: `no Chromium is packed for ${process.platform} on ${process.arch}; ${HOW_TO_GET_ONE}`,
    };
  }
  const folder = mkdtempSync(join(tmpdir(), "faultline-chromium-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  // Where the tests that would close it are filtered out.
  process.once("exit", remove);
  try {
    const { executablePath, env } =
      own === undefined ? await unpack(folder) : { executablePath: own, env: process.env };
    const browser = await chromium.launch({
      executablePath,
      env: withoutUndefined(env),
      args: [...ARGUMENTS],
      timeout: 30_000,
    });
    return { browser, close: () => browser.close().finally(remove) };
  } catch (error) {
    remove();
    const what = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
    return { reason: `Chromium does not start: ${what}; ${HOW_TO_GET_ONE}` };
  }
}

/**
 * Unpacks the binary with the few libraries that systems may lack (NSS, expat). The package unpacks into the folder for
 * temporary files, takes what lies there already for its own, and brings the libraries where it believes itself on
 * Amazon Linux: so it is shown a world in which that folder is ours and empty.
 */
async function unpack(folder: string): Promise<{ executablePath: string; env: NodeJS.ProcessEnv }> {
  const before = { ...process.env };
  try {
    process.env.TMPDIR = folder;
    process.env.AWS_EXECUTION_ENV = "AWS_Lambda_nodejs20.x";
    const { default: packed } = await import("@sparticuz/chromium");
    const executablePath = await packed.executablePath();
    const libraries = join(folder, "al2023", "lib");
    const { LD_LIBRARY_PATH } = before;
    const env = {
      ...before,
      FONTCONFIG_PATH: join(folder, "fonts"),
      LD_LIBRARY_PATH: LD_LIBRARY_PATH === undefined ? libraries : `${libraries}:${LD_LIBRARY_PATH}`,
    };
    return { executablePath, env };
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  }
}

function withoutUndefined(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((one): one is [string, string] => one[1] !== undefined),
  );
}
