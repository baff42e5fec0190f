/**
 * What an ELF file says of itself, read with nothing taken on trust.
 *
 * ```
 *   file:  ELF header (64 bytes) ─ e_phoff ─▶ program headers, 56 bytes each
 *            e_type   EXEC: addresses are final; DYN: relative, the kernel chooses where
 *            e_entry  first instruction
 *   program header:
 *            PT_LOAD       p_filesz bytes from p_offset belong at p_vaddr; up to p_memsz the rest is zero
 *            PT_INTERP     path of the dynamic linker: it is loaded beside the program, and starts first
 *            PT_GNU_STACK  whether the stack may hold code
 * ```
 *
 * The parser is total: whatever the bytes, it answers a program or throws an ElfError. The checks and their errnos are
 * those of load_elf_binary (fs/binfmt_elf.c); what Linux only finds out after the old program is gone is "malformed"
 * here, so that a caller can tell "go on" from "too late".
 */
import { PAGE_SIZE, pageAlignDown } from "../../mm/page.ts";
import { ENOEXEC } from "../../mm/uapi/errno.ts";
import { PROT_EXEC, PROT_READ, PROT_WRITE } from "../../mm/uapi/mman.ts";
import { decodeName } from "../../mm/vfs/name-bytes.ts";
import { StructView } from "../abi/bytes.ts";
import { ElfError } from "./elf-error.ts";

/** Up to `length` bytes of the file from `offset`, fewer at its end; or a negative errno. */
export type FileReader = (offset: number, length: number) => Uint8Array | number;

/** One PT_LOAD. Numbers are exact below 2^53 and just huge above, which the checks refuse. */
export interface ElfSegment {
  readonly offset: number;
  readonly vaddr: number;
  readonly fileSize: number;
  readonly memSize: number;
  readonly align: number;
  /** PROT_… */
  readonly prot: number;
}

export interface ElfProgram {
  /** Addresses are relative to a base that the kernel chooses (ET_DYN: a PIE, or a shared library such as ld.so). */
  readonly isRelocatable: boolean;
  readonly entry: number;
  /** Where the program headers lie in the file, and how many there are. */
  readonly phoff: number;
  readonly phnum: number;
  readonly segments: readonly ElfSegment[];
  readonly isStackExecutable: boolean;
  /** Path of the dynamic linker (PT_INTERP); undefined for a program that needs none. */
  readonly interpreter: string | undefined;
}

/** Bytes of the ELF header and of one program header. */
export const ELF_HEADER_BYTES = 64;
export const PROGRAM_HEADER_BYTES = 56;

const ET_EXEC = 2;
const ET_DYN = 3;
const NO_PROGRAM = "an ELF file, but not a program (an object file or core dump)";
const ELFCLASS64 = 2;
const ELFDATA2MSB = 2;
const EM_RISCV = 243;
const PT_LOAD = 1;
const PT_INTERP = 3;
const PT_GNU_STACK = 0x6474e551;
const PF_X = 1;
const PF_W = 2;
const PF_R = 4;
const PATH_MAX = 4096;

const MACHINES = new Map([
  [2, "SPARC"],
  [3, "x86 (32-bit)"],
  [8, "MIPS"],
  [20, "PowerPC"],
  [21, "PowerPC64"],
  [22, "s390x"],
  [40, "ARM (32-bit)"],
  [43, "SPARC64"],
  [62, "x86-64"],
  [183, "AArch64"],
  [247, "BPF"],
  [258, "LoongArch"],
]);

/**
 * Reads and checks the headers and segments.
 * @param taskSize first address past user space
 * @param isInterpreter of a dynamic linker, PT_INTERP is not looked at
 */
export function parseElf(read: FileReader, taskSize: number, isInterpreter = false): ElfProgram {
  const program = readElfHeaders(read, isInterpreter);
  checkSegments(program, taskSize);
  return program;
}

/** What the headers say, its segments not checked yet: Linux opens the interpreter before it looks at them. */
export function readElfHeaders(read: FileReader, isInterpreter = false): ElfProgram {
  const header = new StructView(ELF_HEADER_BYTES);
  const start = readOrThrow(read, 0, ELF_HEADER_BYTES);
  header.bytes.set(start);
  // Of a dynamic linker the whole header is read, or it is none (elf_read).
  if (isInterpreter && start.length < ELF_HEADER_BYTES)
    throw new ElfError("truncated", "the file ends within its ELF header");
  checkHeader(header, start.length);
  if (!isInterpreter && !hasProgramType(header)) throw new ElfError("not-executable", NO_PROGRAM);
  const phoff = header.u64(32);
  const phnum = header.u16(56);
  const headers = readProgramHeaders(read, phoff, phnum, header.u16(54));
  // Of a dynamic linker the type is looked at when the old program is gone (load_elf_interp).
  if (isInterpreter && !hasProgramType(header)) throw new ElfError("malformed", NO_PROGRAM);

  const segments: ElfSegment[] = [];
  let isStackExecutable: boolean | undefined;
  let interpreter: string | undefined;
  for (let i = 0; i < phnum; i++) {
    const at = i * PROGRAM_HEADER_BYTES;
    const type = headers.u32(at);
    if (type === PT_INTERP && !isInterpreter) interpreter ??= interpreterPath(read, headers, at);
    if (type === PT_GNU_STACK) isStackExecutable ??= (headers.u32(at + 4) & PF_X) !== 0;
    if (type === PT_LOAD) segments.push(segmentAt(headers, at));
  }
  return {
    isRelocatable: header.u16(16) === ET_DYN,
    entry: header.u64(24),
    phoff,
    phnum,
    segments,
    isStackExecutable: isStackExecutable ?? false,
    interpreter,
  };
}

function readOrThrow(read: FileReader, offset: number, length: number): Uint8Array {
  const bytes = read(offset, length);
  if (typeof bytes === "number") throw new ElfError("truncated", "the file can't be read", -bytes);
  return bytes;
}

/** ELF header: 0 magic, 4 class, 5 byte order, 16 e_type, 18 e_machine. */
function checkHeader(header: StructView, length: number): void {
  if (length < 4 || header.u32(0) !== 0x464c457f) throw new ElfError("not-elf", "not an ELF program");
  // Linux takes what lies past the end of a short file as zero, and refuses that as it refuses any type 0.
  if (length < ELF_HEADER_BYTES)
    throw new ElfError("truncated", "the file ends within its ELF header", ENOEXEC);
  const isBigEndian = header.bytes[5] === ELFDATA2MSB;
  const machine = isBigEndian ? (header.bytes[18] << 8) | header.bytes[19] : header.u16(18);
  if (machine !== EM_RISCV || header.bytes[4] !== ELFCLASS64 || isBigEndian) {
    throw new ElfError(
      "wrong-architecture",
      `${machineName(machine, header)} program; Faultline runs riscv64`,
    );
  }
}

function hasProgramType(header: StructView): boolean {
  const type = header.u16(16);
  return type === ET_EXEC || type === ET_DYN;
}

function machineName(machine: number, header: StructView): string {
  if (machine === EM_RISCV) return header.bytes[4] === ELFCLASS64 ? "big-endian riscv64" : "riscv32";
  return MACHINES.get(machine) ?? `ELF machine ${machine}`;
}

/** load_elf_phdrs: at least one header, and all of them in one page. */
function readProgramHeaders(read: FileReader, phoff: number, phnum: number, phentsize: number): StructView {
  const size = phnum * PROGRAM_HEADER_BYTES;
  if (phentsize !== PROGRAM_HEADER_BYTES || size === 0 || size > PAGE_SIZE) {
    throw new ElfError("not-executable", `${phnum} program headers of ${phentsize} bytes: not a program`);
  }
  const bytes = phoff <= Number.MAX_SAFE_INTEGER - size ? read(phoff, size) : new Uint8Array(0);
  if (typeof bytes === "number" || bytes.length < size)
    throw new ElfError("truncated", "the file ends within its program headers", ENOEXEC);
  return new StructView(bytes);
}

/** Program header: 0 p_type, 4 p_flags, 8 p_offset, 16 p_vaddr, 24 p_paddr, 32 p_filesz, 40 p_memsz, 48 p_align. */
function segmentAt(headers: StructView, at: number): ElfSegment {
  const flags = headers.u32(at + 4);
  return {
    offset: headers.u64(at + 8),
    vaddr: headers.u64(at + 16),
    fileSize: headers.u64(at + 32),
    memSize: headers.u64(at + 40),
    align: headers.u64(at + 48),
    prot:
      ((flags & PF_R) !== 0 ? PROT_READ : 0) |
      ((flags & PF_W) !== 0 ? PROT_WRITE : 0) |
      ((flags & PF_X) !== 0 ? PROT_EXEC : 0),
  };
}

/** The path that PT_INTERP points to, which ends with its NUL; what follows an earlier NUL is nobody's business. */
function interpreterPath(read: FileReader, headers: StructView, at: number): string {
  const offset = headers.u64(at + 8);
  const size = headers.u64(at + 32);
  if (size < 2 || size > PATH_MAX) {
    throw new ElfError("not-executable", `the path of its dynamic linker has ${size} bytes`);
  }
  const bytes =
    offset <= Number.MAX_SAFE_INTEGER - size ? readOrThrow(read, offset, size) : new Uint8Array(0);
  if (bytes.length < size)
    throw new ElfError("truncated", "the file ends within the path of its dynamic linker");
  if (bytes[size - 1] !== 0) {
    throw new ElfError("not-executable", "the path of its dynamic linker does not end with a NUL");
  }
  return decodeName(bytes.subarray(0, bytes.indexOf(0)));
}

/** What load_elf_binary checks of each PT_LOAD, and what elf_map's mmap would refuse. Throws an ElfError. */
export function checkSegments({ segments, isRelocatable }: ElfProgram, taskSize: number): void {
  const bad = (index: number, what: string): ElfError =>
    new ElfError("malformed", `segment ${index} ${what}`);
  if (segments.length === 0) throw new ElfError("malformed", "nothing to load: no PT_LOAD segment");
  for (const [index, { vaddr, offset, fileSize, memSize }] of segments.entries()) {
    if (vaddr >= taskSize || memSize > taskSize || taskSize - memSize < vaddr) {
      throw bad(index, "reaches out of the address space");
    }
    if (fileSize > memSize) throw bad(index, "is larger in the file than in memory");
    if (fileSize === 0) continue;
    const inPage = vaddr % PAGE_SIZE;
    if (offset > Number.MAX_SAFE_INTEGER - taskSize) throw bad(index, "lies past any file's end");
    if (offset % PAGE_SIZE !== inPage) throw bad(index, "is not aligned in the file as in memory");
  }
  if (isRelocatable && totalMappingSize(segments) > taskSize) throw bad(0, "and the others span too much");
}

/** Bytes from the first segment's page to the end of the last (total_mapping_size). */
export function totalMappingSize(segments: readonly ElfSegment[]): number {
  let min = Number.POSITIVE_INFINITY;
  let max = 0;
  for (const { vaddr, memSize } of segments) {
    min = Math.min(min, pageAlignDown(vaddr));
    max = Math.max(max, vaddr + memSize);
  }
  return Math.max(0, max - min);
}

/** The largest valid alignment that any segment asks for (maximum_alignment); 0 without one. */
export function maximumAlignment(segments: readonly ElfSegment[]): number {
  let largest = 0;
  for (const { align } of segments) {
    // Only powers of two count.
    if (align > 0 && align === 2 ** Math.round(Math.log2(align))) largest = Math.max(largest, align);
  }
  return largest === 0 ? 0 : Math.ceil(largest / PAGE_SIZE) * PAGE_SIZE;
}
