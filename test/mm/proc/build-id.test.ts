/** Build identifiers: of this machine's own programs as readelf prints them, and of files that are broken in every way. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Kernel, type Process } from "../../../src/mm/index.ts";
import { buildIdOf } from "../../../src/mm/proc/build-id.ts";

const WORD = 8;

/** The file's identifier as hexadecimal digits, by way of a memfd; null for none. */
function idOf(bytes: Uint8Array): string | null {
  const process: Process = new Kernel({ ram: 8 * 2 ** 20 }).spawn();
  const fd = process.memfd_create("program");
  process.write(fd, bytes);
  const mapping = process.files.get(fd)?.inode.mapping;
  if (mapping === null || mapping === undefined) throw new TypeError("a memfd has a page cache");
  const id = buildIdOf(mapping);
  return id === null ? null : Buffer.from(id).toString("hex");
}

/** A 64-bit ELF file with one note segment that holds `notes`. */
function elf(notes: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(64 + 56 + notes.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint32(32, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 4, true);
  view.setUint32(64 + WORD, 64 + 56, true);
  view.setUint32(64 + 32, notes.length, true);
  bytes.set(notes, 64 + 56);
  return bytes;
}

function note(type: number, name: string, content: readonly number[]): number[] {
  const padded = (bytes: readonly number[]): number[] => [
    ...bytes,
    ...Array((4 - (bytes.length % 4)) % 4).fill(0),
  ];
  const nameBytes = [...Buffer.from(`${name}\0`)];
  return [
    ...new Uint8Array(new Uint32Array([nameBytes.length, content.length, type]).buffer),
    ...padded(nameBytes),
    ...padded(content),
  ];
}

describe("build identifiers", () => {
  const hasReadelf = spawnSync("readelf", ["--version"]).status === 0 && existsSync("/bin/sh");
  it.skipIf(!hasReadelf)(`as readelf prints them${hasReadelf ? "" : " (skipped: no readelf)"}`, () => {
    for (const path of ["/bin/sh"]) {
      const { stdout } = spawnSync("readelf", ["-n", path], { encoding: "utf8" });
      const expected = /Build ID: ([0-9a-f]+)/.exec(stdout)?.[1] ?? null;
      // Header, program headers and notes stand at the beginning.
      expect(idOf(readFileSync(path).subarray(0, 2 ** 20))).toBe(expected);
    }
  });

  it("stands behind other notes, and has up to twenty bytes", () => {
    const own = note(3, "GNU", [1, 2, 3, 4, 5]);
    expect(idOf(elf(new Uint8Array(own)))).toBe("0102030405");
    const others = [...note(1, "GNU", [9, 9, 9, 9]), ...note(3, "Go", [7]), ...note(3, "GNU", [])];
    expect(idOf(elf(new Uint8Array([...others, ...own])))).toBe("0102030405");
    expect(idOf(elf(new Uint8Array(note(3, "GNU", Array(21).fill(1)))))).toBe(null);
    expect(idOf(elf(new Uint8Array(others)))).toBe(null);
    expect(idOf(new Uint8Array([0x7f, 0x45]))).toBe(null);
  });

  it("survives any file", () => {
    const whole = elf(new Uint8Array([...note(1, "GNU", [9]), ...note(3, "GNU", [1, 2, 3, 4])]));
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 6 }), fc.nat(whole.length), (changes, length) => {
        const bytes = whole.slice();
        for (const [at, value] of changes) bytes[at] = value;
        const id = idOf(bytes.subarray(0, length));
        expect(id === null || id.length <= 40).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});
