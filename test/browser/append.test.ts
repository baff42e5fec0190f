/**
 * The core and the machine carry no platform: the very same program runs in headless Chromium, and everything that can be
 * counted is as in Node.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AppendRun, EXPECTED_FILE, type RunMode, runAppend, useLibrary } from "./append-run.ts";
import { bundlePage, outsideOf } from "./bundles.ts";
import { startChromium } from "./chromium.ts";
import type {} from "./page.ts";

const program = readFileSync(new URL("../../examples/bin/append", import.meta.url));
const MODES: readonly RunMode[] = ["run", "runAsync"];

function inNode(mode: RunMode): Promise<AppendRun> {
  return runAppend(program, mode, (ms) => new Promise((done) => setTimeout(done, ms)));
}

function source(path: string): string {
  return fileURLToPath(new URL(`../../src/${path}`, import.meta.url));
}

describe("the library and the machine", () => {
  it("take nothing of Node, the DOM, a clock or chance from their surroundings", async () => {
    expect(await outsideOf(source("mm/index.ts"), source("machine/index.ts"))).toEqual({
      imports: [],
      globals: [],
    });
  });

  it("would be caught if they did", async () => {
    expect(await outsideOf(source("storage/node/index.ts"))).toMatchObject({
      imports: expect.arrayContaining(["node:fs"]),
      globals: expect.arrayContaining(["process"]),
    });
  });

  it.each(MODES)("append a line on tmpfs in Node, by %s", async (mode) => {
    expect(await inNode(mode)).toMatchObject({ file: EXPECTED_FILE, exitCode: 0, findings: [] });
  });
});

const started = await startChromium();
const isSkipped = "reason" in started;

describe.skipIf(isSkipped)(isSkipped ? `Chromium (skipped: ${started.reason})` : "Chromium", () => {
  let page: Page;
  const errors: string[] = [];

  beforeAll(async () => {
    if ("reason" in started) throw new Error(started.reason);
    const [{ code }, context] = await Promise.all([
      bundlePage(),
      started.browser.newContext({ offline: true }),
    ]);
    page = await context.newPage();
    page.on("pageerror", (error) => errors.push(error.message));
    await page.setContent("<!doctype html><title>Faultline</title>");
    await page.addScriptTag({ content: code });
  });

  afterAll(async () => {
    if (!("reason" in started)) await started.close();
  });

  it.each(MODES)("runs append as Node does, to the last fault and instruction, by %s", async (mode) => {
    const run = await page.evaluate(([bytes, how]) => window.faultlineTest.runAppend(bytes, how), [
      program.toString("base64"),
      mode,
    ] as const);
    expect(run).toMatchObject({ file: EXPECTED_FILE, exitCode: 0, findings: [] });
    expect(run).toEqual(await inNode(mode));
    expect(errors).toEqual([]);
  });

  it("maps, forks and copies on write through the library as Node does", async () => {
    const run = await page.evaluate(() => window.faultlineTest.useLibrary());
    expect(run).toMatchObject({
      parentReads: [0, 0x89ab_cdef, 0.1],
      childReads: [1000, 63],
      findings: [],
    });
    expect(run).toEqual(useLibrary());
    expect(errors).toEqual([]);
  });
});
