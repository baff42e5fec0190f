import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ElfError } from "../../../src/machine/elf/elf-error.ts";
import { type ElfProgram, parseElf } from "../../../src/machine/elf/elf-header.ts";
import { LinuxError } from "../../../src/mm/kernel/errors.ts";
import { validate } from "../../../src/mm/kernel/validate.ts";
import { repoFile, testMachine } from "../support.ts";

const TASK_SIZE = 2 ** 47;
const HELLO = repoFile("test/programs/bin/hello");

function parse(bytes: Uint8Array): ElfProgram {
  return parseElf((offset, length) => bytes.subarray(offset, offset + length), TASK_SIZE);
}

function patched(change: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = HELLO.slice();
  change(new DataView(bytes.buffer), bytes);
  return bytes;
}

/** File offsets of the program headers of a type. */
function headersOf(type: number): number[] {
  const view = new DataView(HELLO.buffer, HELLO.byteOffset);
  const phoff = Number(view.getBigUint64(32, true));
  return Array.from({ length: view.getUint16(56, true) }, (_, i) => phoff + i * 56).filter(
    (at) => view.getUint32(at, true) === type,
  );
}

describe("parseElf", () => {
  it("reads a static program", () => {
    const program = parse(HELLO);
    expect(program.isRelocatable).toBe(false);
    expect(program.isStackExecutable).toBe(false);
    expect(program.segments.length).toBeGreaterThan(0);
    expect(
      program.segments.some(
        ({ vaddr, memSize }) => program.entry >= vaddr && program.entry < vaddr + memSize,
      ),
    ).toBe(true);
  });

  const refusals: readonly (readonly [string, Uint8Array, string, RegExp])[] = [
    ["nothing", new Uint8Array(0), "not-elf", /not an ELF/],
    ["a script", Buffer.from("#!/bin/sh\n"), "not-elf", /not an ELF/],
    ["half a header", HELLO.slice(0, 40), "truncated", /ends within its ELF header/],
    ["no program headers", HELLO.slice(0, 70), "truncated", /ends within its program headers/],
    [
      "another architecture",
      patched((view) => view.setUint16(18, 62, true)),
      "wrong-architecture",
      /^x86-64 program; Faultline runs riscv64$/,
    ],
    ["riscv32", patched((_, bytes) => bytes.fill(1, 4, 5)), "wrong-architecture", /^riscv32 program/],
    [
      "big-endian",
      patched((view, bytes) => {
        bytes[5] = 2;
        view.setUint16(18, 22, false);
      }),
      "wrong-architecture",
      /^s390x program/,
    ],
    ["an object file", patched((view) => view.setUint16(16, 1, true)), "not-executable", /object file/],
    [
      "no headers at all",
      patched((view) => view.setUint16(56, 0, true)),
      "not-executable",
      /0 program headers/,
    ],
    [
      "headers of another size",
      patched((view) => view.setUint16(54, 32, true)),
      "not-executable",
      /of 32 bytes/,
    ],
    [
      "a dynamic linker without a path",
      patched((view) => view.setUint32(headersOf(0x6474e551)[0], 3, true)),
      "not-executable",
      /dynamic linker/,
    ],
    [
      "a segment above user space",
      patched((view) => view.setBigUint64(headersOf(1)[0] + 16, 1n << 47n, true)),
      "malformed",
      /address space/,
    ],
    [
      "a segment that wraps around",
      patched((view) => view.setBigUint64(headersOf(1)[0] + 40, (1n << 64n) - 1n, true)),
      "malformed",
      /address space/,
    ],
    [
      "more in the file than in memory",
      patched((view) => view.setBigUint64(headersOf(1)[0] + 40, 1n, true)),
      "malformed",
      /larger in the file/,
    ],
    [
      "misaligned in the file",
      patched((view) => view.setBigUint64(headersOf(1)[0] + 8, 1n, true)),
      "malformed",
      /not aligned/,
    ],
  ];
  for (const [name, bytes, kind, message] of refusals) {
    it(`refuses ${name}`, () => {
      try {
        parse(bytes);
        expect.unreachable();
      } catch (error) {
        expect(error).toBeInstanceOf(ElfError);
        expect((error as ElfError).kind).toBe(kind);
        expect((error as ElfError).message).toMatch(message);
      }
    });
  }

  it("throws nothing but ElfErrors, whatever the bytes", () => {
    const header = fc.uint8Array({ minLength: 0, maxLength: 400 });
    fc.assert(fc.property(header, (bytes) => totalOn(bytes)));
    // Most random bytes fail at once: so start from a real program.
    const change = fc.record({ at: fc.nat(64 + 56 * 8), value: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => totalOn(mutated(changes))),
      { numRuns: 2000 },
    );
  });
});

interface Change {
  readonly at: number;
  readonly value: number;
}

function mutated(changes: readonly Change[]): Uint8Array {
  const bytes = HELLO.slice();
  for (const { at, value } of changes) bytes[at] = value;
  return bytes;
}

function totalOn(bytes: Uint8Array): void {
  try {
    parse(bytes);
  } catch (error) {
    if (!(error instanceof ElfError)) throw error;
  }
}

describe("hostile programs", () => {
  it("load or are refused, run or die, and leave a valid state", () => {
    const { machine, install, kernel } = testMachine();
    const byte = fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat(255));
    const change = fc.record({ at: fc.integer({ min: 16, max: 64 + 56 * 8 }), value: byte });
    const property = fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
      install("/hostile", mutated(changes));
      try {
        machine.spawn("/hostile", ["hostile"]);
      } catch (error) {
        if (error instanceof ElfError || error instanceof LinuxError) return;
        throw error;
      }
      // However it goes wrong, it ends: by itself, by a signal, or at the limit.
      machine.run();
    });
    fc.assert(property, { numRuns: 150 });
    expect(validate(kernel)).toEqual([]);
  });
});
