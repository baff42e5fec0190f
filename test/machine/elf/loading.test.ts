/**
 * Programs whose headers somebody made up: dynamic ones whose linker is themselves, a script, a directory, a pipe or what
 * else a path leads to; segments anywhere and of any size; scripts that lead to scripts. They load or are refused, run or
 * die, and what is left is valid.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { ElfError } from "../../../src/machine/elf/elf-error.ts";
import { LinuxError } from "../../../src/mm/kernel/errors.ts";
import { validate } from "../../../src/mm/kernel/validate.ts";
import { sysMknodat, sysSymlinkat } from "../../../src/mm/syscalls/directory.ts";
import { AT_FDCWD, S_IFIFO } from "../../../src/mm/uapi/fcntl.ts";
import { repoFile, type TestMachine, testMachine } from "../support.ts";

const PT_LOAD = 1;
const PT_INTERP = 3;
const HEADER_BYTES = 64;
const PHDR_BYTES = 56;
/** Where the paths of linkers lie in the file, and the code of every program. */
const STRINGS = 0x800;
const CODE = 0xc00;
const FILE_BYTES = 0x2000;
/** li a7, 93; li a0, 7; ecall; j . */
const CODE_WORDS = [0x05d00893, 0x00700513, 0x00000073, 0x0000006f];
const RUNS = 100;
/** Instructions after which a program that does not end is left to itself. */
const LIMIT = 3_000_000;

interface ProgramHeader {
  readonly type: number;
  readonly flags: number;
  readonly offset: bigint;
  readonly vaddr: bigint;
  readonly fileSize: bigint;
  readonly memSize: bigint;
  readonly align: bigint;
}

interface Image {
  readonly isDynamic: boolean;
  readonly entry: bigint;
  readonly headers: readonly ProgramHeader[];
  readonly linker: string;
}

const LINKERS = [
  ...["/hostile", "/ld", "/hello", "/script", "/loop", "/dir", "/fifo", "/missing", "hostile", ".", "/", ""],
  ...["/dev/zero", "/dev/stdin", "/proc/self/exe", "/proc/self/mem", "/proc/self/fd/0", "x".repeat(300)],
  "/link".repeat(40),
];

const word = fc.oneof(
  fc.constantFrom(0n, 1n, 0xfffn, 0x1000n, 0x10000n, 2n ** 31n, 2n ** 32n, 2n ** 38n, 2n ** 47n - 4096n),
  fc.constantFrom(
    2n ** 47n,
    2n ** 52n,
    2n ** 53n,
    2n ** 63n - 1n,
    2n ** 63n,
    2n ** 64n - 4096n,
    2n ** 64n - 1n,
  ),
  fc.bigInt({ min: 0n, max: 0x20000n }),
);
/** A segment that Linux would take, most of the time: then others are at odds with it. */
const soundLoad = fc.record({
  type: fc.constant(PT_LOAD),
  flags: fc.nat(7),
  offset: fc.constantFrom(0n, 0x1000n),
  vaddr: fc.constantFrom(0x10000n, 0x11000n, 0x12000n, 0x20000n, 0n),
  fileSize: fc.constantFrom(0n, 0x800n, 0x1000n, BigInt(FILE_BYTES)),
  memSize: fc.constantFrom(0n, 0x1000n, 0x2000n, 0x100000n),
  align: fc.constantFrom(0x1000n, 0n, 0x200000n),
});
/** One that holds all of the file, code and headers. */
const wholeFile = fc.constant<ProgramHeader>({
  type: PT_LOAD,
  flags: 5,
  offset: 0n,
  vaddr: 0x10000n,
  fileSize: BigInt(FILE_BYTES),
  memSize: BigInt(FILE_BYTES),
  align: 0x1000n,
});
const anyHeader = fc.record({
  type: fc.constantFrom(PT_LOAD, PT_LOAD, PT_INTERP, 2, 4, 6, 7, 0x6474e551, 0x70000003, 0x6474e553),
  flags: fc.nat(7),
  offset: fc.oneof(fc.constantFrom(0n, BigInt(STRINGS)), word),
  vaddr: word,
  fileSize: word,
  memSize: word,
  align: word,
});
const image = fc.record({
  isDynamic: fc.boolean(),
  entry: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0x10000n + BigInt(CODE)) },
    { weight: 1, arbitrary: word },
  ),
  headers: fc
    .tuple(
      fc.oneof(wholeFile, soundLoad),
      fc.array(fc.oneof(soundLoad, anyHeader), { maxLength: 6, size: "small" }),
    )
    .map(([first, rest]) => [first, ...rest]),
  linker: fc.constantFrom(...LINKERS),
});
const script = fc.oneof(
  fc.constantFrom(...LINKERS).map((path) => `#!${path}\n`),
  fc
    .tuple(fc.constantFrom("#!", "#! ", "#!\t"), fc.string({ maxLength: 300 }))
    .map((parts) => parts.join("")),
);

function bytesOf({ isDynamic, entry, headers, linker }: Image): Uint8Array {
  const bytes = Buffer.alloc(FILE_BYTES);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  bytes.writeUInt16LE(isDynamic ? 3 : 2, 16);
  bytes.writeUInt16LE(243, 18);
  bytes.writeUInt32LE(1, 20);
  bytes.writeBigUInt64LE(entry, 24);
  bytes.writeBigUInt64LE(BigInt(HEADER_BYTES), 32);
  bytes.writeUInt32LE(4, 48);
  bytes.writeUInt16LE(HEADER_BYTES, 52);
  bytes.writeUInt16LE(PHDR_BYTES, 54);
  const interp: ProgramHeader = {
    type: PT_INTERP,
    flags: 4,
    offset: BigInt(STRINGS),
    vaddr: 0n,
    fileSize: BigInt(linker.length + 1),
    memSize: BigInt(linker.length + 1),
    align: 1n,
  };
  const all = isDynamic ? [interp, ...headers] : headers;
  bytes.writeUInt16LE(all.length, 56);
  all.forEach((header, index) => {
    const at = HEADER_BYTES + index * PHDR_BYTES;
    bytes.writeUInt32LE(header.type, at);
    bytes.writeUInt32LE(header.flags, at + 4);
    bytes.writeBigUInt64LE(header.offset, at + 8);
    bytes.writeBigUInt64LE(header.vaddr, at + 16);
    bytes.writeBigUInt64LE(header.vaddr, at + 24);
    bytes.writeBigUInt64LE(header.fileSize, at + 32);
    bytes.writeBigUInt64LE(header.memSize, at + 40);
    bytes.writeBigUInt64LE(header.align, at + 48);
  });
  bytes.write(linker, STRINGS);
  for (const [index, code] of CODE_WORDS.entries()) bytes.writeUInt32LE(code, CODE + index * 4);
  return bytes;
}

function world(): TestMachine {
  const rig = testMachine({ maxInstructions: LIMIT }, { ram: 4 * 2 ** 20 });
  const { shell, install } = rig;
  install("/hello", repoFile("test/programs/bin/hello"));
  install("/script", Buffer.from("#!/hostile x\n"));
  install("/loop", Buffer.from("#!/loop\n"));
  shell.mkdir("/dir", 0o755);
  sysMknodat(shell, AT_FDCWD, "/fifo", S_IFIFO | 0o755, 0);
  sysSymlinkat(shell, "/link", AT_FDCWD, "/link");
  return rig;
}

/** What came of starting it: how it ended, or the name of what refused it. */
function outcomeOf(rig: TestMachine): string {
  try {
    rig.machine.spawn("/hostile", ["hostile", "argument"]);
  } catch (error) {
    if (error instanceof ElfError) return error.kind;
    if (error instanceof LinuxError) return error.code;
    throw error;
  }
  const { code, signal } = rig.machine.run();
  return signal !== null ? `signal ${signal}` : `exit ${code}`;
}

function search(hostile: fc.Arbitrary<Image | string>): Map<string, number> {
  const outcomes = new Map<string, number>();
  fc.assert(
    fc.property(hostile, image, (program, linker) => {
      const rig = world();
      rig.install("/hostile", typeof program === "string" ? Buffer.from(program) : bytesOf(program));
      rig.install("/ld", bytesOf(linker));
      const outcome = outcomeOf(rig);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      expect(validate(rig.kernel)).toEqual([]);
    }),
    { numRuns: RUNS },
  );
  return outcomes;
}

it("programs and their dynamic linkers with any headers", { timeout: 60_000 }, () => {
  const outcomes = search(image);
  // It came through the loader as well as not.
  expect([...outcomes.keys()].some((one) => one.startsWith("exit"))).toBe(true);
  expect(outcomes.size).toBeGreaterThan(3);
});

it("scripts that lead anywhere", { timeout: 60_000 }, () => {
  const outcomes = search(script);
  expect(outcomes.size).toBeGreaterThan(3);
});
