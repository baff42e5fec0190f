/** Random file operations against a plain byte array, on every file system. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { tmpFs } from "../../src/mm/shmem/tmpfs.ts";
import { sysFtruncate } from "../../src/mm/syscalls/file-size.ts";
import { sysFsync } from "../../src/mm/syscalls/sync.ts";
import { O_APPEND, O_CREAT, O_RDWR } from "../../src/mm/uapi/fcntl.ts";
import type { FileSystem } from "../../src/mm/vfs/super-block.ts";
import { nodeFs } from "../../src/storage/node/index.ts";
import { Guest, must } from "../mm/vfs/guest.ts";

const base = fs.mkdtempSync(path.join(os.tmpdir(), "faultline-random-"));
let count = 0;
afterAll(() => fs.rmSync(base, { recursive: true, force: true }));

/** Offsets around the places where things change: pages and the ends of small files. */
const offset = fc.oneof(fc.nat(20_000), fc.constantFrom(0, 4095, 4096, 4097, 8192, 16_384));
const length = fc.oneof(fc.integer({ min: 1, max: 9000 }), fc.constantFrom(1, 4096));
const step = fc.oneof(
  fc.record({ kind: fc.constant("pwrite" as const), at: offset, len: length }),
  fc.record({ kind: fc.constant("pread" as const), at: offset, len: length }),
  fc.record({ kind: fc.constant("append" as const), at: fc.constant(0), len: length }),
  fc.record({ kind: fc.constant("truncate" as const), at: offset, len: fc.constant(0) }),
  fc.record({
    kind: fc.constantFrom("fsync" as const, "reopen" as const),
    at: fc.constant(0),
    len: fc.constant(0),
  }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function grown(model: Uint8Array, size: number): Uint8Array {
  const longer = new Uint8Array(size);
  longer.set(model.subarray(0, size));
  return longer;
}

/** Runs the steps on a new file, comparing each answer with the model's; the file's bytes at the end. */
function run(guest: Guest, steps: readonly Step[]): Uint8Array {
  let model: Uint8Array = new Uint8Array(0);
  let fd = must(guest.open("/file", O_RDWR | O_CREAT));
  for (const [i, { kind, at, len }] of steps.entries()) {
    const text = String.fromCharCode(97 + (i % 26)).repeat(len);
    if (kind === "pwrite" || kind === "append") {
      const pos = kind === "append" ? model.length : at;
      if (model.length < pos + len) model = grown(model, pos + len);
      model.fill(text.charCodeAt(0), pos, pos + len);
      if (kind === "pwrite") expect(guest.pwrite(fd, text, at)).toBe(len);
      else append(guest, text);
    } else if (kind === "pread") {
      expect(guest.pread(fd, len, at)).toBe(new TextDecoder().decode(model.subarray(at, at + len)));
    } else if (kind === "truncate") {
      model = grown(model, at);
      must(sysFtruncate(guest.task, fd, at));
    } else if (kind === "fsync") {
      must(sysFsync(guest.task, fd));
    } else {
      must(guest.close(fd));
      fd = must(guest.open("/file", O_RDWR));
    }
  }
  expect(guest.get("/file")).toBe(new TextDecoder().decode(model));
  must(guest.close(fd));
  return model;
}

function append(guest: Guest, text: string): void {
  const fd = must(guest.open("/file", O_RDWR | O_APPEND));
  expect(guest.write(fd, text)).toBe(text.length);
  must(guest.close(fd));
}

function fresh(): string {
  const directory = path.join(base, `${++count}`);
  fs.mkdirSync(directory);
  return directory;
}

describe("random operations on a file", () => {
  test("tmpfs", () => {
    const make = (): FileSystem => tmpFs();
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => void run(new Guest(make(), 2 ** 20), steps)),
      {
        numRuns: 60,
        seed: 7,
      },
    );
  });

  test("nodefs, and what is on the host afterwards", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const directory = fresh();
        const model = run(new Guest(nodeFs(directory), 2 ** 20), steps);
        expect(Buffer.compare(fs.readFileSync(path.join(directory, "file")), model)).toBe(0);
      }),
      { numRuns: 60, seed: 8 },
    );
  });
});
