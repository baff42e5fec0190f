/** Swap files whose names lead elsewhere while they are in use, as others can make them in a shared folder. */
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSwapFile } from "../../src/cli/swap-file.ts";
import { createSwapFile } from "../../src/storage/node/index.ts";

let folder = "";
const at = (name: string): string => join(folder, name);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "faultline-swap-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("what has come to stand at the path of an area is left alone", () => {
  createSwapFile(at("swap"), 2 ** 20);
  writeFileSync(at("victim"), "victim".repeat(1000));
  const file = openSwapFile(at("swap"), undefined, []);
  renameSync(at("swap"), at("moved"));
  symlinkSync("victim", at("swap"));
  expect(readFileSync(at("moved")).subarray(0, 9).toString()).toBe("faultline");
  file.close();
  expect(readFileSync(at("moved")).subarray(0, 64)).toEqual(Buffer.alloc(64));
  expect(readFileSync(at("victim"), "utf8")).toBe("victim".repeat(1000));
});

test("a new file is gone at once, and one that stands at its path is not taken away", () => {
  const file = openSwapFile(at("new"), 2 ** 20, []);
  expect(existsSync(at("new"))).toBe(false);
  writeFileSync(at("new"), "somebody's");
  file.close();
  expect(readFileSync(at("new"), "utf8")).toBe("somebody's");
});

test("a folder is refused, and nothing is left open", () => {
  expect(() => openSwapFile(folder, 2 ** 20, [])).toThrow("is not a regular file");
});
