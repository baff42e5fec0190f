/**
 * What `exec` may be asked to start: the executor's own program, and everything that must be refused before the old program is
 * gone. The files lie in the working directory of the processes; in those that are ELF files of the subject's own kind of
 * machine, that kind is the only difference between the two subjects.
 */
import { chmodSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ARGUMENT_ADDRESS, ARGUMENT_LENGTH, IMAGE_FD } from "./executor-image.ts";
import { EXECUTABLE_NAME } from "./test-files.ts";

/** e_machine. */
export const EM_X86_64 = 62;
export const EM_RISCV = 243;
/** Neither subject's (s390). */
const EM_FOREIGN = 22;

const WORD = 8;
const ELF_HEADER = 64;
const PROGRAM_HEADER = 56;
const PT_LOAD = 1;
const PT_INTERP = 3;
const ET_REL = 1;
const ET_EXEC = 2;

interface ElfFields {
  readonly type?: number;
  readonly machine?: number;
  readonly phoff?: number;
  readonly phentsize?: number;
  readonly phnum?: number;
  readonly interpreter?: string | { readonly text: string; readonly offset?: number; readonly size?: number };
}

/** One page at 4 MiB, and the path of a dynamic linker. */
export function elf(own: number, fields: ElfFields): Uint8Array {
  const { type = ET_EXEC, machine = own, phoff = ELF_HEADER, phentsize = PROGRAM_HEADER, phnum = 2 } = fields;
  const interpreter = fields.interpreter ?? "missing\0";
  const { text, offset, size } = typeof interpreter === "string" ? { text: interpreter } : interpreter;
  const path = Buffer.from(text, "latin1");
  const at = ELF_HEADER + 2 * PROGRAM_HEADER;
  const image = Buffer.alloc(at + path.length);
  image.write("\x7fELF\x02\x01\x01", "latin1");
  image.writeUInt16LE(type, 16);
  image.writeUInt16LE(machine, 18);
  image.writeUInt32LE(1, 20);
  image.writeBigUInt64LE(0x40_0000n, 24);
  image.writeBigUInt64LE(BigInt(phoff), 32);
  image.writeUInt16LE(ELF_HEADER, 52);
  image.writeUInt16LE(phentsize, 54);
  image.writeUInt16LE(phnum, 56);
  const header = (index: number, words: readonly number[]): void => {
    const start = ELF_HEADER + index * PROGRAM_HEADER;
    image.writeUInt32LE(words[0], start);
    image.writeUInt32LE(5, start + 4);
    for (const [place, word] of words.slice(1).entries())
      image.writeBigUInt64LE(BigInt(word), start + WORD + place * WORD);
  };
  header(0, [PT_LOAD, 0, 0x40_0000, 0x40_0000, at, at, 0x1000]);
  header(1, [PT_INTERP, offset ?? at, 0, 0, size ?? path.length, size ?? path.length, 1]);
  path.copy(image, at);
  return image;
}

const RUBBISH = Buffer.alloc(200, "rubbish ");

/** Executable files by name; `own` is the subject's kind of machine. */
function programFiles(own: number): Readonly<Record<string, string | Uint8Array>> {
  return {
    "x-empty": "",
    "x-rubbish": RUBBISH,
    "x-short": "rub",
    "x-to-missing": "#!missing\n",
    "x-to-directory": "#! . -x\n",
    "x-to-file": "#!file3 a b\n",
    "x-to-rubbish": "#!x-rubbish\n",
    "x-without-line": "#!x-rubbish",
    "x-blank": "#!  \n",
    "x-bang": "#!",
    "x-long": `#!${"y".repeat(300)}\n`,
    "x-long-argument": `#!x-rubbish ${"y".repeat(300)}\n`,
    "x-loop": "#!x-loop\n",
    "x-1": "#!x-rubbish 1\n",
    "x-2": "#!x-1 2\n",
    "x-3": "#!x-2 3\n",
    "x-4": "#!x-3 4\n",
    "x-5": "#!x-4 5\n",
    "x-6": "#!x-5 6\n",
    "x-foreign": elf(own, { machine: EM_FOREIGN }),
    "x-object": elf(own, { type: ET_REL }),
    "x-half": elf(own, {}).subarray(0, 40),
    "x-header": elf(own, {}).subarray(0, ELF_HEADER),
    "x-phentsize": elf(own, { phentsize: 55 }),
    "x-phnum": elf(own, { phnum: 0 }),
    "x-many-headers": elf(own, { phnum: 74 }),
    "x-headers-beyond": elf(own, { phoff: 0x1000 }),
    "x-headers-far-beyond": elf(own, { phoff: 2 ** 52 }),
    "x-linker-missing": elf(own, {}),
    "x-linker-directory": elf(own, { interpreter: ".\0" }),
    "x-linker-file": elf(own, { interpreter: "file3\0" }),
    "x-linker-rubbish": elf(own, { interpreter: "x-rubbish\0" }),
    "x-linker-short": elf(own, { interpreter: "x-short\0" }),
    "x-linker-half": elf(own, { interpreter: "x-half\0" }),
    "x-linker-empty": elf(own, { interpreter: "x-empty\0" }),
    "x-linker-foreign": elf(own, { interpreter: "x-foreign\0" }),
    "x-linker-header": elf(own, { interpreter: "x-header\0" }),
    "x-linker-phentsize": elf(own, { interpreter: "x-phentsize\0" }),
    "x-linker-script": elf(own, { interpreter: "x-to-rubbish\0" }),
    "x-linker-open": elf(own, { interpreter: "x-open" }),
    "x-linker-nothing": elf(own, { interpreter: "\0" }),
    "x-linker-empty-path": elf(own, { interpreter: "\0\0" }),
    "x-linker-beyond": elf(own, { interpreter: { text: "x\0", offset: 0x1000 } }),
    "x-linker-huge": elf(own, { interpreter: { text: "x\0", size: 4097 } }),
    "x-linker-page": elf(own, { interpreter: { text: `${"z".repeat(4095)}\0` } }),
  };
}

/** Paths by the first argument of `exec`. All but the first are refused, whatever they are started with. */
export const PROGRAMS: readonly string[] = [
  `/proc/self/fd/${IMAGE_FD}`,
  "missing",
  "",
  "missing/x-rubbish",
  "file3/x-rubbish",
  "x-rubbish/",
  ".",
  "/proc",
  "/dev/null",
  "/proc/self/maps",
  "file3",
  "x-loop-of-links",
  "n".repeat(256),
  "d/".repeat(2048),
  `${"./".repeat(2043)}x-rubbish`,
  EXECUTABLE_NAME,
  ...Object.keys(programFiles(EM_X86_64)),
];

/** Puts the files of PROGRAMS into the directory. */
export function makePrograms(directory: string, machine: number): void {
  for (const [name, content] of Object.entries(programFiles(machine))) {
    writeFileSync(join(directory, name), content);
    chmodSync(join(directory, name), 0o555);
  }
  symlinkSync("x-loop-of-links", join(directory, "x-loop-of-links"));
}

/** Stands for a null pointer among the addresses of `exec`; 0 for a list or a path that the oracle makes. */
const NULL_POINTER = -1;

/** What a process is to have at ARGUMENT_ADDRESS for execve, and the three addresses that it hands over. */
export interface ExecCall {
  readonly bytes: Uint8Array;
  readonly path: number;
  readonly argv: number;
  readonly env: number;
}

/**
 * @param slot argv of the executor has an entry more than that, which tells the new program its channel
 * @param args as those of a step `exec`
 */
export function execCall(slot: number, args: readonly number[]): ExecCall {
  const [program = 0, pathAt = 0, argvAt = 0, envAt = 0, strings = 0, length = 0] = args;
  const text = Buffer.from(`${PROGRAMS[program]}\0`);
  const argvStart = Math.ceil(text.length / WORD) * WORD;
  const argc = program === 0 ? slot + 1 : 1;
  const envStart = argvStart + (argc + 1) * WORD;
  const stringStart = envStart + (strings + 1) * WORD;
  const bytes = new Uint8Array(stringStart + length + 1);
  if (bytes.length > ARGUMENT_LENGTH) throw new Error(`${strings} strings of ${length} bytes`);
  const words = [
    ...new Array<number>(argc).fill(ARGUMENT_ADDRESS),
    0,
    ...new Array<number>(strings).fill(ARGUMENT_ADDRESS + stringStart),
    0,
  ];
  bytes.set(text);
  bytes.set(new Uint8Array(new BigUint64Array(words.map(BigInt)).buffer), argvStart);
  bytes.fill(0x78, stringStart, stringStart + length);
  const pointer = (given: number, start: number): number =>
    given === NULL_POINTER ? 0 : given || ARGUMENT_ADDRESS + start;
  return {
    bytes,
    path: pointer(pathAt, 0),
    argv: pointer(argvAt, argvStart),
    env: pointer(envAt, envStart),
  };
}
