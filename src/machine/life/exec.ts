/**
 * execve: from a path to a program that is about to execute its first instruction (fs/exec.c, load_elf_binary).
 *
 * Two halves. Up to the *point of no return* everything is looked at and nothing is changed, so that execve can answer
 * an errno; after it the old program is gone, and what still fails ends the process.
 */
import { copyToUser } from "../../mm/fault/uaccess.ts";
import { BytesIter } from "../../mm/kernel/bytes-iter.ts";
import { mayExecute, setMmExeFile } from "../../mm/kernel/exe-file.ts";
import type { Process } from "../../mm/kernel/process.ts";
import { execMm, setBrk, setupArgPages, unshareFiles } from "../../mm/kernel/task-lifecycle.ts";
import { PAGE_SIZE } from "../../mm/page.ts";
import { startAt, walkContext } from "../../mm/syscalls/fd.ts";
import { doMmap } from "../../mm/syscalls/mmap.ts";
import { sysMseal } from "../../mm/syscalls/mseal.ts";
import { EACCES, EFAULT, ENOEXEC } from "../../mm/uapi/errno.ts";
import { AT_FDCWD, O_RDONLY } from "../../mm/uapi/fcntl.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  PROT_EXEC,
  PROT_READ,
  RLIMIT_STACK,
} from "../../mm/uapi/mman.ts";
import { MMAP_PAGE_ZERO } from "../../mm/uapi/personality.ts";
import type { File } from "../../mm/vfs/file.ts";
import { isReg } from "../../mm/vfs/inode.ts";
import { LOOKUP_FOLLOW, pathLookup } from "../../mm/vfs/namei.ts";
import { openInode } from "../../mm/vfs/open.ts";
import { dPath } from "../../mm/vfs/path.ts";
import { inodePermission, MAY_EXEC } from "../../mm/vfs/permission.ts";
import { vfsPread } from "../../mm/vfs/read-write.ts";
import * as AT from "../abi/auxv.ts";
import { StructView } from "../abi/bytes.ts";
import { TASK_STATE_BYTES } from "../cpu/hart.ts";
import { ElfError } from "../elf/elf-error.ts";
import { type ElfProgram, PROGRAM_HEADER_BYTES, parseElf } from "../elf/elf-header.ts";
import { type MappedElf, mapElf } from "../elf/map-elf.ts";
import { buildStackImage, checkArgumentSize, type ProgramString, stringBytes } from "../elf/stack-image.ts";
import { SIGFRAME_BYTES } from "../signals/signal-frame.ts";
import { SIGCHLD } from "../signals/signal-numbers.ts";
import { SS_DISABLE } from "../signals/signal-state.ts";
import type { System } from "../system.ts";
import type { Thread } from "../thread.ts";
import { mmRelease } from "./mm-release.ts";
import { mapVdso } from "./vdso.ts";

const SP_OFFSET = 16;

export interface ExecRequest {
  readonly path: string;
  readonly argv: readonly ProgramString[];
  readonly env: readonly ProgramString[];
}

/** A program that can be started: found, executable, and of the right kind. Holds a reference to the file. */
export interface PreparedExec {
  readonly request: ExecRequest;
  readonly file: File;
  readonly elf: ElfProgram;
}

/** The first half. Negative errno, an ElfError that says what is wrong with the file, or the program. */
export function prepareExec(process: Process, request: ExecRequest): PreparedExec | ElfError | number {
  const { path, argv, env } = request;
  const start = startAt(process, AT_FDCWD, path);
  if (typeof start === "number") return start;
  const context = walkContext(process);
  const dentry = pathLookup(context, start, path, LOOKUP_FOLLOW);
  if (typeof dentry === "number") return dentry;
  // Kind and permission come before opening (may_open with MAY_EXEC), which may be impossible or have effects. Leave to
  // read is not needed: the kernel reads the program, not the caller.
  if (!isReg(dentry.inode) || dentry.inode.sb.noExec === true) return -EACCES;
  const denied = inodePermission(context, dentry.inode, MAY_EXEC);
  if (denied !== 0) return denied;
  const file = openInode(context, dentry, dentry.inode, O_RDONLY);
  if (typeof file === "number") return file;
  const refuse = <T>(why: T): T => {
    file.put();
    return why;
  };
  const busy = mayExecute(file);
  if (busy !== 0) return refuse(busy);
  const tooLarge = checkArgumentSize(path, argv, env, process.rlimits[RLIMIT_STACK].soft);
  if (tooLarge !== 0) return refuse(tooLarge);
  if (file.ops.mmap === undefined) return refuse(-ENOEXEC);
  try {
    return { request, file, elf: parseElf(readerOf(process, file), process.mm.arch.taskSize) };
  } catch (error) {
    if (error instanceof ElfError) return refuse(error);
    throw error;
  }
}

function readerOf(process: Process, file: File): (offset: number, length: number) => Uint8Array | number {
  return (offset, length) => {
    const bytes = new Uint8Array(length);
    const got = vfsPread(file, new BytesIter(process.kernel.phys.ram.u8, bytes), offset);
    return got < 0 ? got : bytes.subarray(0, got);
  };
}

/**
 * The second half: the old program is gone. Answers the registers of the new one's first instruction, or a negative
 * errno after which the process can only be ended.
 */
export function commitExec(system: System, thread: Thread, prepared: PreparedExec): Uint8Array | number {
  const { process } = thread.group;
  const { file, elf, request } = prepared;
  const failed = beginNewExec(system, thread, prepared);
  const result = failed < 0 ? failed : load(system, process, file, elf, request);
  file.put();
  if (typeof result === "number") return result;
  const state = new StructView(TASK_STATE_BYTES);
  return state.put64(0, result.entry).put64(SP_OFFSET, result.sp).bytes;
}

/** begin_new_exec: memory, handlers, descriptors marked close-on-exec, name. */
function beginNewExec(system: System, thread: Thread, { file, request }: PreparedExec): number {
  const { group } = thread;
  const { process } = group;
  mmRelease(system, thread);
  const failed = execMm(process);
  if (failed < 0) return failed;
  unshareFiles(process);
  setMmExeFile(process.mm, file);
  // Whoever shares the table of actions keeps it (unshare_sighand).
  group.handlers = group.handlers.clone();
  group.handlers.reset();
  group.exitSignal = SIGCHLD;
  group.selfExecId++;
  Object.assign(thread.signals.altStack, { base: 0, size: 0, flags: SS_DISABLE });
  process.files.closeOnExec();
  process.comm = request.path.slice(request.path.lastIndexOf("/") + 1).slice(0, 15);
  group.exePath = dPath(file.dentry, process.fs.root);
  const { tracer } = process.kernel;
  if (tracer.enabled) tracer.emit({ type: "exec", pid: process.pid, value: 0, name: group.exePath });
  return 0;
}

interface LoadedProgram {
  readonly entry: number;
  readonly sp: number;
}

function load(
  system: System,
  process: Process,
  file: File,
  elf: ElfProgram,
  request: ExecRequest,
): LoadedProgram | number {
  const top = setupArgPages(process, elf.isStackExecutable, stringBytes(request));
  if (top < 0) return top;
  const mapped = mapElf(system.mmu, process, file, elf);
  if (typeof mapped === "number") return mapped;
  const { mm } = process;
  mm.startCode = mapped.startCode;
  mm.endCode = mapped.endCode;
  mm.startData = mapped.startData;
  mm.endData = mapped.endData;
  setBrk(process, mapped.startBrk, elf.isRelocatable);
  const vdso = mapVdso(process);
  if (vdso < 0) return vdso;

  const random = new Uint8Array(16);
  system.random(random);
  // A program always has an argv[0] (since Linux 5.18).
  const argv = request.argv.length === 0 ? [""] : request.argv;
  const auxv = auxiliaryVector(process, elf, mapped);
  const image = buildStackImage({ top, path: request.path, argv, env: request.env, random, auxv });
  if (copyToUser(system.mmu, process, image.sp, image.bytes) < image.bytes.length) return -EFAULT;
  mm.argStart = image.argStart;
  mm.argEnd = image.argEnd;
  mm.envStart = image.envStart;
  mm.envEnd = image.envEnd;
  mm.savedAuxv = image.auxv;
  mm.startStack = image.sp;
  if ((mm.actor.personality & MMAP_PAGE_ZERO) !== 0) mapPageZero(system, process);
  return { entry: mapped.entry, sp: image.sp };
}

/** Page 0 as System V has it: readable, and sealed. Where it may not be mapped, it is not there. */
function mapPageZero({ mmu }: System, process: Process): void {
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  const at = doMmap(mmu, process, null, 0, PAGE_SIZE, PROT_READ | PROT_EXEC, flags, 0);
  if (at === 0) sysMseal(process, 0, PAGE_SIZE, 0);
}

/**
 * The entries in the order of create_elf_tables and riscv's ARCH_DLINFO. Left out: AT_SYSINFO_EHDR, since there is no
 * vDSO to describe, and AT_RSEQ_…, since there is no rseq. Cache sizes are 0, as where firmware names none.
 */
function auxiliaryVector(process: Process, elf: ElfProgram, mapped: MappedElf): [number, number][] {
  const { uid, gid } = process;
  return [
    [AT.AT_L1I_CACHESIZE, 0],
    [AT.AT_L1I_CACHEGEOMETRY, 0],
    [AT.AT_L1D_CACHESIZE, 0],
    [AT.AT_L1D_CACHEGEOMETRY, 0],
    [AT.AT_L2_CACHESIZE, 0],
    [AT.AT_L2_CACHEGEOMETRY, 0],
    [AT.AT_L3_CACHESIZE, 0],
    [AT.AT_L3_CACHEGEOMETRY, 0],
    [AT.AT_MINSIGSTKSZ, SIGFRAME_BYTES],
    [AT.AT_HWCAP, AT.HWCAP_RV64GC],
    [AT.AT_PAGESZ, PAGE_SIZE],
    [AT.AT_CLKTCK, AT.USER_HZ],
    [AT.AT_PHDR, mapped.phdr],
    [AT.AT_PHENT, PROGRAM_HEADER_BYTES],
    [AT.AT_PHNUM, elf.phnum],
    [AT.AT_BASE, 0],
    [AT.AT_FLAGS, 0],
    [AT.AT_ENTRY, mapped.entry],
    [AT.AT_UID, uid],
    [AT.AT_EUID, uid],
    [AT.AT_GID, gid],
    [AT.AT_EGID, gid],
    [AT.AT_SECURE, 0],
    [AT.AT_RANDOM, 0],
    [AT.AT_EXECFN, 0],
  ];
}
