/**
 * The second half of execve: a new program in place of the old one, about to execute its first instruction (fs/exec.c,
 * load_elf_binary).
 *
 * Up to the *point of no return* everything was looked at and nothing changed (prepare-exec.ts), so that execve could
 * answer an errno; now the old program is gone, and what fails ends the process. The first instruction is the dynamic
 * linker's, where there is one: it learns from the auxiliary vector where the program lies (AT_PHDR, AT_ENTRY), and where
 * it lies itself (AT_BASE).
 */

import { copyToUser } from "../../mm/fault/uaccess.ts";
import { setMmExeFile } from "../../mm/kernel/exe-file.ts";
import type { Process } from "../../mm/kernel/process.ts";
import { execMm, setBrk, setupArgPages, unshareFiles } from "../../mm/kernel/task-lifecycle.ts";
import { PAGE_SIZE } from "../../mm/page.ts";
import { doMmap } from "../../mm/syscalls/mmap.ts";
import { sysMseal } from "../../mm/syscalls/mseal.ts";
import { EFAULT } from "../../mm/uapi/errno.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_EXEC, PROT_READ } from "../../mm/uapi/mman.ts";
import { MMAP_PAGE_ZERO } from "../../mm/uapi/personality.ts";
import { truncateName } from "../../mm/vfs/name-bytes.ts";
import { dPath } from "../../mm/vfs/path.ts";
import { inodePermission, MAY_READ } from "../../mm/vfs/permission.ts";
import * as AT from "../abi/auxv.ts";
import { StructView } from "../abi/bytes.ts";
import { TASK_STATE_BYTES } from "../cpu/hart.ts";
import { type ElfProgram, PROGRAM_HEADER_BYTES } from "../elf/elf-header.ts";
import { elfEtDynBase, type MappedElf, mapElf } from "../elf/map-elf.ts";
import { buildStackImage, stringBytes } from "../elf/stack-image.ts";
import { SIGFRAME_BYTES } from "../signals/signal-frame.ts";
import { SIGCHLD } from "../signals/signal-numbers.ts";
import { SS_DISABLE } from "../signals/signal-state.ts";
import type { System } from "../system.ts";
import type { Thread } from "../thread.ts";
import { takeExecCredentials } from "./exec-credentials.ts";
import { killOtherThreads } from "./exit.ts";
import { mmRelease } from "./mm-release.ts";
import type { PreparedExec } from "./prepare-exec.ts";
import { mapVdso } from "./vdso.ts";

const SP_OFFSET = 16;

/**
 * Puts the program in place of the caller's and the references to its files. Answers the registers of its first
 * instruction, or a negative errno after which the process can only be ended.
 */
export function commitExec(system: System, thread: Thread, prepared: PreparedExec): Uint8Array | number {
  const { process } = thread.group;
  const isSecure = beginNewExec(system, thread, prepared);
  const result = typeof isSecure === "number" ? isSecure : load(system, process, prepared, isSecure);
  prepared.file.put();
  prepared.interpreter?.file.put();
  if (typeof result === "number") return result;
  const state = new StructView(TASK_STATE_BYTES);
  return state.put64(0, result.entry).put64(SP_OFFSET, result.sp).bytes;
}

/**
 * begin_new_exec: memory, rights, handlers, descriptors marked close-on-exec, name. Whether the program has more rights than
 * who started it, or negative errno.
 */
function beginNewExec(system: System, thread: Thread, { file, name }: PreparedExec): boolean | number {
  const { group } = thread;
  const { process } = group;
  killOtherThreads(system, thread);
  mmRelease(system, thread);
  const failed = unshareFiles(process) || execMm(process);
  if (failed < 0) return failed;
  setMmExeFile(process.mm, file);
  // Whoever may not read a program must not read it out of memory either (would_dump).
  if (inodePermission(process, file.inode, MAY_READ) !== 0) process.mm.dumpable = 0;
  const isSecure = takeExecCredentials(process, file.inode, group.noNewPrivileges);
  if (isSecure) group.parentDeathSignal = 0;
  // Whoever shares the table of actions keeps it (unshare_sighand).
  group.handlers = group.handlers.clone();
  group.handlers.reset();
  group.exitSignal = SIGCHLD;
  group.selfExecId++;
  group.isAsForked = false;
  group.membarriers = 0;
  Object.assign(thread.signals.altStack, { base: 0, size: 0, flags: SS_DISABLE });
  process.files.closeOnExec();
  process.comm = truncateName(name, 15);
  group.exePath = dPath(file.dentry, process.fs.root);
  const { tracer } = process.kernel;
  if (tracer.enabled) tracer.emit({ type: "exec", pid: process.pid, value: 0, name: group.exePath });
  return isSecure;
}

interface LoadedProgram {
  readonly entry: number;
  readonly sp: number;
}

function load(
  system: System,
  process: Process,
  prepared: PreparedExec,
  isSecure: boolean,
): LoadedProgram | number {
  const { file, elf, interpreter, path, env } = prepared;
  const top = setupArgPages(process, elf.isStackExecutable, stringBytes(prepared));
  if (top < 0) return top;
  const { mm } = process;
  const placement = interpreter === undefined ? "anywhere" : pieBase(process);
  const mapped = mapElf(system.mmu, process, file, elf, placement);
  if (typeof mapped === "number") return mapped;
  const linker =
    interpreter === undefined
      ? undefined
      : mapElf(system.mmu, process, interpreter.file, interpreter.elf, "interpreter");
  if (typeof linker === "number") return linker;
  mm.startCode = mapped.startCode;
  mm.endCode = mapped.endCode;
  mm.startData = mapped.startData;
  mm.endData = mapped.endData;
  setBrk(process, mapped.startBrk, elf.isRelocatable && interpreter === undefined);
  const vdso = mapVdso(process);
  if (vdso < 0) return vdso;

  const random = new Uint8Array(16);
  system.random(random);
  // A program always has an argv[0] (since Linux 5.18).
  const argv = prepared.argv.length === 0 ? [""] : prepared.argv;
  const auxv = auxiliaryVector(process, elf, mapped, linker?.bias ?? 0, isSecure);
  const image = buildStackImage({ top, path, argv, env, random, auxv });
  if (copyToUser(system.mmu, process, image.sp, image.bytes) < image.bytes.length) return -EFAULT;
  mm.argStart = image.argStart;
  mm.argEnd = image.argEnd;
  mm.envStart = image.envStart;
  mm.envEnd = image.envEnd;
  mm.savedAuxv = image.auxv;
  mm.startStack = image.sp;
  if ((mm.actor.personality & MMAP_PAGE_ZERO) !== 0) mapPageZero(system, process);
  return { entry: (linker ?? mapped).entry, sp: image.sp };
}

/** Where a PIE with a dynamic linker goes: ELF_ET_DYN_BASE, and a random number of pages (arch_mmap_rnd). */
function pieBase({ mm, kernel }: Process): number {
  const base = elfEtDynBase(mm.arch.taskSize);
  return mm.random === undefined ? base : base + mm.random.below(2 ** kernel.sysctl.mmapRndBits) * PAGE_SIZE;
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
function auxiliaryVector(
  process: Process,
  elf: ElfProgram,
  mapped: MappedElf,
  linkerBase: number,
  isSecure: boolean,
): [number, number][] {
  const { userIds, groupIds } = process;
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
    [AT.AT_BASE, linkerBase],
    [AT.AT_FLAGS, 0],
    [AT.AT_ENTRY, mapped.entry],
    [AT.AT_UID, userIds.real],
    [AT.AT_EUID, userIds.effective],
    [AT.AT_GID, groupIds.real],
    [AT.AT_EGID, groupIds.effective],
    [AT.AT_SECURE, Number(isSecure)],
    [AT.AT_RANDOM, 0],
    [AT.AT_EXECFN, 0],
  ];
}
