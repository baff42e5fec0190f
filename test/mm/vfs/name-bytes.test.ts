/** Names are bytes: each sequence of them is one string, and no two are the same. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sysMkdirat, sysReadlinkat, sysRenameat2, sysSymlinkat } from "../../../src/mm/syscalls/directory.ts";
import { sysMemfdCreate } from "../../../src/mm/syscalls/open.ts";
import { sysNewfstatat } from "../../../src/mm/syscalls/stat.ts";
import { EILSEQ, ENAMETOOLONG, ENOENT } from "../../../src/mm/uapi/errno.ts";
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../../../src/mm/uapi/fcntl.ts";
import { byteLength, decodeName, encodeName, isName, truncateName } from "../../../src/mm/vfs/name-bytes.ts";
import "../../property-seed.ts";
import { tmpFs } from "../../../src/mm/index.ts";
import { Guest, must } from "./guest.ts";

/** Random bytes, and pieces of UTF-8, whole and cut, in any order. */
const anyBytes = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 4 }),
      fc.string({ unit: "binary", maxLength: 3 }).map((text) => new TextEncoder().encode(text)),
      fc
        .string({ unit: "binary", minLength: 1, maxLength: 1 })
        .map((text) => new TextEncoder().encode(text).subarray(0, -1)),
      // Surrogates, encoded as if they were characters: the escapes themselves among them.
      fc
        .integer({ min: 0xd800, max: 0xdfff })
        .map((unit) => Uint8Array.of(0xed, 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f))),
    ),
    { maxLength: 12 },
  )
  .map((parts) => new Uint8Array(Buffer.concat(parts)));

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("a name", () => {
  test("has the bytes that it was made of, and as many", () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const name = decodeName(bytes);
        expect(hex(encodeName(name))).toBe(hex(bytes));
        expect(byteLength(name)).toBe(bytes.length);
        expect(isName(name)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test("is text as far as it is UTF-8", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(decodeName(new TextEncoder().encode(text))).toBe(text);
        expect(byteLength(text)).toBe(Buffer.byteLength(text));
      }),
    );
    // What another decoder takes for characters is the same here, and what it takes for none stays visible.
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const characters = (text: string): string => text.replace(/[\udc80-\udcff\ufffd]/gu, "");
        expect(characters(decodeName(bytes))).toBe(
          characters(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)),
        );
      }),
    );
    expect(decodeName(Uint8Array.of(0x63, 0xe9, 0xc3, 0xa9))).toBe("c\udce9é");
    expect(decodeName(Uint8Array.of(0xed, 0xb2, 0x80))).toBe("\udced\udcb2\udc80");
    expect(decodeName(Uint8Array.of(0xf0, 0x9f, 0x98, 0x80, 0x80))).toBe("😀\udc80");
  });

  test("that is cut has the first of its bytes", () => {
    fc.assert(
      fc.property(anyBytes, fc.nat(20), (bytes, max) => {
        const cut = truncateName(decodeName(bytes), max);
        expect(hex(encodeName(cut))).toBe(hex(bytes.subarray(0, max)));
        expect(isName(cut)).toBe(true);
      }),
    );
  });

  test("is no string that no bytes decode to", () => {
    for (const text of ["\ud800", "a\udbff/", "\udc7f", "\udd00", "\udfff", "\udc80\ud83d"])
      expect(isName(text)).toBe(false);
    // These bytes are "é".
    expect(isName("\udcc3\udca9")).toBe(false);
    fc.assert(
      fc.property(
        fc.string({ unit: fc.integer({ min: 0xd7f0, max: 0xe00f }).map((u) => String.fromCharCode(u)) }),
        (text) => {
          expect(isName(text)).toBe(decodeName(encodeName(text)) === text);
          if (isName(text)) expect(byteLength(text)).toBe(encodeName(text).length);
        },
      ),
    );
    expect(hex(encodeName("a\ud800\udcff"))).toBe("61f09083bf");
    expect(hex(encodeName("a\ud800b\udcff"))).toBe("61efbfbd62ff");
  });
});

describe("calls of the library", () => {
  const noNames = ["\ud800", "d/\udc7f", "\udcc3\udca9"];

  test("answer EILSEQ to what is no name", () => {
    const { task } = new Guest(tmpFs());
    for (const text of noNames) {
      expect(sysMkdirat(task, AT_FDCWD, text, 0o755)).toBe(-EILSEQ);
      expect(sysNewfstatat(task, AT_FDCWD, text, 0)).toBe(-EILSEQ);
      expect(sysSymlinkat(task, text, AT_FDCWD, "/link")).toBe(-EILSEQ);
      expect(sysMemfdCreate(task, text, 0)).toBe(-EILSEQ);
    }
  });

  test("take any other, and count its bytes", () => {
    const { task } = new Guest(tmpFs());
    must(sysMkdirat(task, AT_FDCWD, "\udcff".repeat(255), 0o755));
    expect(sysMkdirat(task, AT_FDCWD, "\udcff".repeat(256), 0o755)).toBe(-ENAMETOOLONG);
    must(sysRenameat2(task, AT_FDCWD, "\udcff".repeat(255), AT_FDCWD, "\udcfe", 0));
    expect(sysNewfstatat(task, AT_FDCWD, "\udcff", 0)).toBe(-ENOENT);
    must(sysSymlinkat(task, "é\udce9", AT_FDCWD, "link"));
    expect(sysReadlinkat(task, AT_FDCWD, "link")).toBe("é\udce9");
    expect(sysNewfstatat(task, AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW)).toMatchObject({ size: 3 });
  });
});
