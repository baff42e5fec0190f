/**
 * kill -9 of a program in the middle of writing: what msync, fsync or flush had acknowledged is in the real file.
 * FAULTLINE_KILLS sets how many programs die (default 12).
 */
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Prng } from "../../../src/lib/prng.ts";
import { type Batch, batches, type Change, FILE_BYTES } from "./operations.ts";

const KILLS = Number(process.env.FAULTLINE_KILLS ?? 12);
const SEED = Number(process.env.FAULTLINE_SEED ?? 1);
const WAYS = ["mapFile", "process", "swap"];
const base = fs.mkdtempSync(path.join(os.tmpdir(), "faultline-kill-"));
const writer = path.join(base, "writer.mjs");

beforeAll(async () => {
  const input = fileURLToPath(new URL("writer.ts", import.meta.url));
  const build = await rolldown({ input, platform: "node", logLevel: "warn" });
  await build.write({ file: writer, format: "esm", codeSplitting: false });
  await build.close();
});

afterAll(() => fs.rmSync(base, { recursive: true, force: true }));

/** Runs the writer and kills it `delayMs` after its first word. Answers how many batches it said were safe. */
async function runAndKill(file: string, seed: number, way: string, delayMs: number): Promise<number> {
  const child = spawn(process.execPath, [writer, file, String(seed), way], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  let complaint = "";
  child.stderr.on("data", (bytes: Buffer) => (complaint += bytes.toString()));
  child.stdout.on("data", (bytes: Buffer) => {
    if (said === "") setTimeout(() => child.kill("SIGKILL"), delayMs);
    said += bytes.toString();
  });
  const signal = await new Promise((resolve) => child.on("close", (_code, name) => resolve(name)));
  expect([complaint, signal]).toEqual(["", "SIGKILL"]);
  const lines = said.split("\n");
  // The last line may have been cut off by the kill: what is before it is whole.
  return Number(lines.at(-2) ?? 0);
}

/** Whether each byte of the file is what the `safe` first batches left there, or what the next one made of it. */
function firstLoss(found: Uint8Array, seed: number, safe: number): string | undefined {
  const program = batches(seed);
  const next = (): Batch => program.next().value;
  const promised = new Uint8Array(FILE_BYTES);
  for (let i = 0; i < safe; i++) {
    for (const { at, length, value } of next().changes) promised.fill(value, at, at + length);
  }
  const { changes } = next();
  const made = (byte: number, { at, length, value }: Change): boolean =>
    byte >= at && byte < at + length && found[byte] === value;
  for (let byte = 0; byte < FILE_BYTES; byte++) {
    if (found[byte] === promised[byte] || changes.some((change) => made(byte, change))) continue;
    return `byte ${byte} is ${found[byte]}, not ${promised[byte]}, after ${safe} batches of seed ${seed}`;
  }
  return undefined;
}

it(
  `loses nothing that was acknowledged when it is killed, ${KILLS} times`,
  async () => {
    const random = new Prng(SEED);
    let safe = 0;
    for (let i = 0; i < KILLS; i++) {
      const file = path.join(base, `file-${i}`);
      fs.writeFileSync(file, new Uint8Array(FILE_BYTES));
      const seed = random.u32();
      const batchesSafe = await runAndKill(file, seed, WAYS[i % WAYS.length], random.below(60));
      const found = fs.readFileSync(file);
      expect(found.length).toBe(FILE_BYTES);
      expect(firstLoss(found, seed, batchesSafe)).toBe(undefined);
      safe += batchesSafe;
      fs.rmSync(file);
      fs.rmSync(`${file}-swap`, { force: true });
    }
    // Each had said something, or there was nothing to check.
    expect(safe).toBeGreaterThanOrEqual(KILLS);
  },
  KILLS * 5000 + 20_000,
);
