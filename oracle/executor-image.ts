/**
 * The program that makes system calls on the host for us: 190 bytes of machine code in an ELF file built here.
 *
 * A process of Node can't play this part: it has threads, so it can't fork, and its address space changes under
 * V8's hands. The executor has nothing but the page of code below and a block of data at fixed places, far from
 * everything the tests map, and runs one loop: read a request from a pipe, execute it, write the result back. It
 * never loads or stores outside its own data, so that a bad address can only come back as EFAULT. It has no use for a
 * stack, and keeps its state in registers: two executors may share one address space (vfork, CLONE_VM), as long as
 * only one of them has a request at a time.
 *
 *   request: 8 × u64            number, six arguments, channel of the child (0: makes none)
 *   answer:  i64                what the kernel returned
 *            struct rusage × 2  before and after the call, from byte USAGE_BEFORE on
 *
 *     _start:  mov r12d, FIRST_CHANNEL + 2 × (argc − 1)
 *              mmap(DATA_ADDRESS, DATA_LENGTH, RW, PRIVATE | ANONYMOUS | FIXED, -1, 0)
 *              mov ebx, DATA_ADDRESS
 *              rax = 0, goto answer               ; to say that the program has started
 *     next:    if (read(r12, rbx, 64) != 64) goto leave
 *              getrusage(RUSAGE_SELF, rbx + USAGE_BEFORE)
 *              rax, rdi, rsi, rdx, r10, r8, r9, r14 = the eight words of the request
 *              syscall
 *              if (r14 == 0) goto answer          ; an ordinary call
 *              if (rax != 0) goto answer          ; the parent of a fork, or a failed one
 *              mov r12d, r14d                     ; the child: serve its own channel from now on
 *              jmp next
 *     answer:  mov [rbx], rax
 *              getrusage(RUSAGE_SELF, rbx + USAGE_AFTER)
 *              write(r12 + 1, rbx, ANSWER_LENGTH)
 *              jmp next
 *     leave:   exit_group(0)                      ; our side has closed the pipe
 */

/** Where the data block lies: the request in its first page, the rest free for arguments (paths, mincore's vector). */
export const DATA_ADDRESS = 0x1000_0000;
/** First byte that arguments may use. */
export const ARGUMENT_ADDRESS: number = DATA_ADDRESS + 0x1000;
export const ARGUMENT_LENGTH = 0x2_0000;
/** Two struct rlimit, behind the answer. */
export const LIMITS_ADDRESS: number = DATA_ADDRESS + 0x800;
/** The page of code; the break starts right after it, where only a file mapping lies, which never merges with a heap. */
export const CODE_ADDRESS = 0x1010_0000;
export const START_BREAK: number = CODE_ADDRESS + 0x1000;
/** Descriptor of the first request pipe; its answer pipe is the next one, the second channel starts two later. */
export const FIRST_CHANNEL = 500;
/** The executor's own file, for exec. */
export const IMAGE_FD = 601;

/** Places in an answer, in bytes. */
export const USAGE_BEFORE = 72;
export const USAGE_AFTER = 216;
export const ANSWER_LENGTH = 360;
/** Where a struct rusage counts minor and major faults. */
export const RU_MINFLT = 64;
export const RU_MAJFLT = 72;

const CODE =
  "448b2424468d2465f2010000" + // _start: the channel
  "b809000000bf00000010be00100200ba0300000041ba320000004983c8ff4531c90f05bb0000001031c0eb51" + // the data
  "31c04489e74889deba400000000f0583f8407566" + // next: read
  "488d734831ffb8620000000f05" + // faults before
  "488b03488b7b08488b7310488b53184c8b53204c8b43284c8b4b304c8b73380f05" + // load the registers, call
  "4d85f6740a4885c075054589f4ebaf" + // a child?
  "488903488db3d800000031ffb8620000000f05" + // answer: faults after
  "b801000000418d7c24014889deba680100000f05eb86" + // write
  "b8e700000031ff0f05"; // leave

const ELF_HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474e551;
const READ_EXECUTE = 5;
const EM_X86_64 = 62;
const READ_WRITE = 6;

/** The executor as an ELF file for that kind of machine: one segment with the code, and a stack that isn't executable. */
export function executorImage(machine: number = EM_X86_64): Uint8Array {
  const code = Buffer.from(CODE, "hex");
  const codeOffset = ELF_HEADER_SIZE + 2 * PROGRAM_HEADER_SIZE;
  const image = Buffer.alloc(codeOffset + code.length);
  image.write("\x7fELF\x02\x01\x01", "latin1");
  image.writeUInt16LE(2, 16); // ET_EXEC
  image.writeUInt16LE(machine, 18);
  image.writeUInt32LE(1, 20);
  image.writeBigUInt64LE(BigInt(CODE_ADDRESS + codeOffset), 24); // e_entry
  image.writeBigUInt64LE(BigInt(ELF_HEADER_SIZE), 32); // e_phoff
  image.writeUInt16LE(ELF_HEADER_SIZE, 52);
  image.writeUInt16LE(PROGRAM_HEADER_SIZE, 54);
  image.writeUInt16LE(2, 56); // e_phnum
  writeProgramHeader(image, ELF_HEADER_SIZE, PT_LOAD, READ_EXECUTE, CODE_ADDRESS, image.length);
  writeProgramHeader(image, ELF_HEADER_SIZE + PROGRAM_HEADER_SIZE, PT_GNU_STACK, READ_WRITE, 0, 0);
  code.copy(image, codeOffset);
  return image;
}

function writeProgramHeader(
  image: Buffer,
  at: number,
  type: number,
  flags: number,
  address: number,
  size: number,
): void {
  image.writeUInt32LE(type, at);
  image.writeUInt32LE(flags, at + 4);
  image.writeBigUInt64LE(BigInt(address), at + 16);
  image.writeBigUInt64LE(BigInt(address), at + 24);
  image.writeBigUInt64LE(BigInt(size), at + 32);
  image.writeBigUInt64LE(BigInt(size), at + 40);
  image.writeBigUInt64LE(4096n, at + 48);
}
