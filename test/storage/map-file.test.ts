/** mapFile: a real file as memory, and what is in the real file afterwards. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { LinuxError } from "../../src/mm/index.ts";
import { type FileMapping, mapFile } from "../../src/storage/node/index.ts";

const P = 4096;
const base = fs.mkdtempSync(path.join(os.tmpdir(), "faultline-mapfile-"));
let count = 0;
afterAll(() => fs.rmSync(base, { recursive: true, force: true }));

function newFile(content: Uint8Array | string): string {
  const file = path.join(base, `file-${count++}`);
  fs.writeFileSync(file, content);
  return file;
}

/** `length` bytes, each telling where it is. */
function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 12)) & 0xff);
}

function errorCode(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return error instanceof LinuxError ? error.code : String(error);
  }
  return "ok";
}

function text(mapping: FileMapping, offset: number, length: number): string {
  return new TextDecoder().decode(mapping.read(offset, length));
}

const openFds = (): number => fs.readdirSync("/proc/self/fd").length;

describe("reading", () => {
  it("shows the file's bytes at any offset and length, over pages and to the end", () => {
    const bytes = pattern(3 * P + 100);
    using file = mapFile(newFile(bytes));
    expect(file.length).toBe(bytes.length);
    expect(file.writable).toBe(false);
    for (const [offset, length] of [
      [0, 10],
      [P - 5, 10],
      [100, 3 * P],
      [3 * P + 99, 1],
      [3 * P + 100, 0],
    ] as const) {
      expect(file.read(offset, length)).toEqual(bytes.subarray(offset, offset + length));
    }
    expect(file.read(3 * P)).toEqual(bytes.subarray(3 * P));
  });

  it("hands out copies: what is done to them changes nothing", () => {
    using file = mapFile(newFile("abc"));
    file.read(0).fill(0);
    expect(text(file, 0, 3)).toBe("abc");
  });

  it("iterates by chunk, in order, the last one short", () => {
    const bytes = pattern(200_000);
    using file = mapFile(newFile(bytes));
    expect([...file].map((chunk) => chunk.length)).toEqual([65536, 65536, 65536, 3392]);
    expect(Buffer.compare(Buffer.concat([...file.chunks(7777)]), bytes)).toBe(0);
    expect(() => [...file.chunks(0)]).toThrow(RangeError);
    expect(() => [...file.chunks(-1)]).toThrow(RangeError);
  });

  it("an empty file is an empty mapping", () => {
    using file = mapFile(newFile(""), { writable: true });
    expect([file.length, file.read(0).length, [...file].length]).toEqual([0, 0, 0]);
    file.flush();
    using snapshot = file.snapshot();
    expect(snapshot.length).toBe(0);
    expect(() => file.write(0, new Uint8Array(1))).toThrow(RangeError);
  });
});

describe("writing", () => {
  it("reaches the real file with flush, and with close", () => {
    const at = newFile(pattern(2 * P));
    const file = mapFile(at, { writable: true });
    file.write(P - 2, new Uint8Array([1, 2, 3, 4]));
    expect([...file.read(P - 3, 6)].slice(1, 5)).toEqual([1, 2, 3, 4]);
    file.flush();
    expect([...fs.readFileSync(at).subarray(P - 2, P + 2)]).toEqual([1, 2, 3, 4]);
    file.write(0, new Uint8Array([9]));
    file.close();
    const expected = pattern(2 * P);
    expected.set([1, 2, 3, 4], P - 2);
    expected[0] = 9;
    expect(new Uint8Array(fs.readFileSync(at))).toEqual(expected);
    file.close();
  });

  it("using writes back at the end of the block", () => {
    const at = newFile("hello");
    {
      using file = mapFile(at, { writable: true });
      file.write(0, new TextEncoder().encode("J"));
    }
    expect(fs.readFileSync(at, "utf8")).toBe("Jello");
  });

  it("length creates the file, makes it longer with zeros, or cuts it", () => {
    const at = path.join(base, "new");
    mapFile(at, { writable: true, length: 5000 }).close();
    expect(fs.statSync(at).size).toBe(5000);
    fs.writeFileSync(at, "abcdef");
    {
      using file = mapFile(at, { writable: true, length: 3 });
      expect(text(file, 0, 3)).toBe("abc");
    }
    {
      using file = mapFile(at, { writable: true, length: 6 });
      expect([...file.read(3)]).toEqual([0, 0, 0]);
    }
    expect(fs.readFileSync(at)).toEqual(Buffer.from("abc\0\0\0"));
  });

  it("never writes past the end of the file", () => {
    const at = newFile("12345");
    {
      using file = mapFile(at, { writable: true });
      expect(() => file.write(4, new Uint8Array(2))).toThrow(RangeError);
      file.write(4, new Uint8Array([65]));
    }
    expect(fs.readFileSync(at, "utf8")).toBe("1234A");
  });

  it("two mappings of one file are two kernels: what one flushed, a later one reads", () => {
    const at = newFile("old");
    const first = mapFile(at, { writable: true });
    first.write(0, new TextEncoder().encode("new"));
    first.flush();
    using second = mapFile(at);
    expect(text(second, 0, 3)).toBe("new");
    first.close();
  });
});

describe("errors", () => {
  it("are Linux's, with the path; and leave no descriptor behind", () => {
    const at = newFile("x");
    const before = openFds();
    expect(errorCode(() => mapFile(path.join(base, "missing")))).toBe("ENOENT");
    expect(() => mapFile(path.join(base, "missing"))).toThrow("missing");
    expect(errorCode(() => mapFile(path.join(base, "no", "way")))).not.toBe("ok");
    expect(errorCode(() => mapFile(base))).toBe("ENODEV");
    expect(errorCode(() => mapFile(base, { writable: true }))).toBe("EISDIR");
    expect(errorCode(() => mapFile(at, { length: 10 }))).toBe("EINVAL");
    expect(errorCode(() => mapFile(at, { writable: true, length: -1 }))).toBe("EINVAL");
    expect(openFds()).toBe(before);
  });

  it("ranges outside of the file, writing what is read-only, using what is closed", () => {
    const file = mapFile(newFile("12345"));
    for (const [offset, length] of [
      [-1, 1],
      [0, 6],
      [6, 0],
      [0, -1],
      [Number.NaN, 1],
    ] as const) {
      expect(() => file.read(offset, length), `${offset} ${length}`).toThrow(RangeError);
    }
    expect(() => file.read(6)).toThrow(RangeError);
    expect(() => file.write(0, new Uint8Array(1))).toThrow(TypeError);
    file.close();
    expect(() => file.read(0)).toThrow(TypeError);
    expect(() => file.flush()).toThrow(TypeError);
    expect(() => file.snapshot()).toThrow(TypeError);
  });

  it("closing gives the descriptor back, also when a snapshot closes last", () => {
    const before = openFds();
    const file = mapFile(newFile("12345"));
    const snapshot = file.snapshot();
    file.read(0);
    file.close();
    expect(text(snapshot, 0, 5)).toBe("12345");
    snapshot.close();
    expect(openFds()).toBe(before);
  });
});

describe("snapshots", () => {
  it("keep what was there: later writes to the file don't show, nor do the snapshot's in the file", () => {
    const at = newFile(pattern(4 * P));
    const file = mapFile(at, { writable: true });
    file.write(0, new TextEncoder().encode("before"));
    const snapshot = file.snapshot();
    file.write(0, new TextEncoder().encode("after!"));
    file.write(2 * P - 3, new TextEncoder().encode("over a border"));
    snapshot.write(3 * P, new TextEncoder().encode("mine"));
    expect(text(snapshot, 0, 6)).toBe("before");
    expect(snapshot.read(P, 2 * P)).toEqual(pattern(4 * P).subarray(P, 3 * P));
    expect(text(snapshot, 3 * P, 4)).toBe("mine");
    expect(file.read(3 * P)).toEqual(pattern(4 * P).subarray(3 * P));
    file.close();
    expect(text(snapshot, 0, 6)).toBe("before");
    snapshot.close();
    const expected = pattern(4 * P);
    expected.set(new TextEncoder().encode("after!"), 0);
    expected.set(new TextEncoder().encode("over a border"), 2 * P - 3);
    expect(new Uint8Array(fs.readFileSync(at))).toEqual(expected);
  });

  it("of a read-only file can be written", () => {
    const at = newFile("abc");
    using file = mapFile(at);
    using snapshot = file.snapshot();
    expect(snapshot.writable).toBe(true);
    snapshot.write(0, new TextEncoder().encode("x"));
    expect([text(snapshot, 0, 3), text(file, 0, 3)]).toEqual(["xbc", "abc"]);
  });

  it("of snapshots are isolated from each other and from the file, in every direction", () => {
    const at = newFile("0".repeat(3 * P));
    using file = mapFile(at, { writable: true });
    using first = file.snapshot();
    first.write(0, new TextEncoder().encode("1"));
    using second = first.snapshot();
    first.write(1, new TextEncoder().encode("1"));
    second.write(2, new TextEncoder().encode("2"));
    file.write(P, new TextEncoder().encode("F"));
    file.write(3, new TextEncoder().encode("F"));
    using third = file.snapshot();
    expect([file, first, second, third].map((each) => text(each, 0, 5))).toEqual([
      "000F0",
      "11000",
      "10200",
      "000F0",
    ]);
    expect([file, first, second, third].map((each) => text(each, P, 1))).toEqual(["F", "0", "0", "F"]);
  });

  it("copy only pages that change", () => {
    const at = newFile(pattern(1024 * P));
    using file = mapFile(at, { writable: true, ram: 2 ** 21 });
    // 4 MiB of file in 2 MiB: a snapshot that copied all of it would not fit.
    using snapshot = file.snapshot();
    for (let page = 0; page < 1024; page += 64) file.write(page * P, new Uint8Array([1]));
    for (let page = 0; page < 1024; page++)
      expect(snapshot.read(page * P, 1)[0]).toBe((page * P * 31 + page) & 0xff);
  });

  it("that would need more RAM than there is fail before anything is written", () => {
    const at = newFile(pattern(1024 * P));
    using file = mapFile(at, { writable: true, ram: 2 ** 20 });
    const snapshot = file.snapshot();
    expect(errorCode(() => file.write(0, new Uint8Array(1024 * P)))).toBe("ENOMEM");
    expect(snapshot.read(0, P)).toEqual(pattern(P));
    // With its copies gone there is room again.
    snapshot.close();
    expect(Buffer.compare(Buffer.concat([...file]), pattern(1024 * P))).toBe(0);
    file.write(0, new Uint8Array(1024 * P));
    expect(file.read(1023 * P).every((byte) => byte === 0)).toBe(true);
  });
});

describe("a file far larger than RAM", () => {
  it("64 MiB in 2 MiB: read through, written throughout, all of it in the real file", {
    timeout: 60_000,
  }, () => {
    const SIZE = 64 * 2 ** 20;
    const at = path.join(base, "large");
    {
      using file = mapFile(at, { writable: true, length: SIZE, ram: 2 * 2 ** 20 });
      for (let offset = 0; offset < SIZE; offset += 65536) {
        file.write(offset, new Uint8Array(65536).fill(offset / 65536));
      }
      let sum = 0;
      for (const chunk of file) sum += (chunk[0] ?? 0) + (chunk[65535] ?? 0);
      expect(sum).toBe((1024 / 256) * ((255 * 256) / 2) * 2);
      // Here and there, in no order.
      for (let turn = 0; turn < 500; turn++) {
        const chunk = (turn * 379) % 1024;
        file.write(chunk * 65536 + turn, new Uint8Array([turn]));
        expect(file.read(((turn * 631) % 1024) * 65536 + 65535, 1)[0]).toBe(((turn * 631) % 1024) & 0xff);
      }
    }
    const fd = fs.openSync(at, "r");
    const expected = new Uint8Array(65536);
    const found = new Uint8Array(65536);
    for (let chunk = 0; chunk < 1024; chunk++) {
      expected.fill(chunk);
      for (let turn = 0; turn < 500; turn++) if ((turn * 379) % 1024 === chunk) expected[turn] = turn;
      fs.readSync(fd, found, 0, 65536, chunk * 65536);
      expect(Buffer.compare(found, expected), `chunk ${chunk}`).toBe(0);
    }
    fs.closeSync(fd);
  });
});
