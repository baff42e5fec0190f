/**
 * fork, exec, exit and wait, as far as memory and descriptors go (kernel/fork.c, exit.c, fs/exec.c).
 *
 * Functions of the inside: they answer negative errnos. The public Process throws for them, the machine hands the number
 * to its program.
 */

import type { Prng } from "../../lib/prng.ts";
import { PAGE_SIZE, pageAlign, pageAlignDown, type Vaddr } from "../page.ts";
import { doMmap } from "../syscalls/mmap.ts";
import { CAP_IPC_LOCK, CAP_SYS_ADMIN, CAP_SYS_RAWIO, CAP_SYS_RESOURCE } from "../uapi/capability.ts";
import { EAGAIN, ECHILD, ENOMEM } from "../uapi/errno.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_GROWSDOWN,
  MAP_PRIVATE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
  RLIMIT_NPROC,
} from "../uapi/mman.ts";
import { ADDR_NO_RANDOMIZE } from "../uapi/personality.ts";
import { type Capabilities, capable, kept } from "../vfs/capability.ts";
import { inheritedMdwe } from "../vma/deny-write-exec.ts";
import type { MmActor } from "../vma/mm-actor.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { pickBrk, pickMmapLayout, pickStackTop } from "./address-layout.ts";
import type { Kernel } from "./kernel.ts";
import { dupMm, exitMmap, mmAlloc } from "./mm-lifetime.ts";
import type { Process } from "./process.ts";

/** What wait4 tells of a child. */
export interface WaitResult {
  readonly pid: number;
  /** Wait status: exit code << 8, or the signal's number (| 0x80 with a core dump). */
  readonly status: number;
  readonly minFlt: number;
  readonly majFlt: number;
  /** Peak resident set (pages). */
  readonly maxRss: number;
}

/** Bytes that a new stack has from the start beside the strings of the program; it grows from there on access. */
const STACK_EXPAND_BYTES = 131072;

/** What a new process shares with its parent, where fork copies it (clone(2)). */
export interface Sharing {
  /** CLONE_VM: the address space. */
  readonly vm?: boolean;
  /** CLONE_FILES: the table of descriptors. */
  readonly files?: boolean;
  /** CLONE_FS: root, working directory and umask. */
  readonly fs?: boolean;
  /** CLONE_PARENT: the parent: the new process is a sibling of the one that makes it. */
  readonly parent?: boolean;
  /** Not shared, but chosen: the new process's number, which is free. Default: the next one. */
  readonly pid?: number;
}

/** An address space with nothing in it and the kernel's settings, charged to a memory cgroup; or -ENOMEM. */
export function newMm(kernel: Kernel, actor: MmActor, memcg: number): MmStruct | number {
  const mm = mmAlloc(kernel.phys, kernel.arch);
  if (typeof mm === "number") return mm;
  mm.memcg = memcg;
  const { options } = kernel;
  mm.maxMapCount = kernel.sysctl.maxMapCount;
  kernel.sysctl.setMmapMinAddr(mm);
  if (options.thpSize !== undefined) mm.thpSize = options.thpSize;
  mm.actor = actor;
  const isFixed = kernel.sysctl.randomizeVaSpace === 0 || (actor.personality & ADDR_NO_RANDOMIZE) !== 0;
  pickMmapLayout(mm, isFixed ? undefined : kernel.addressRandom, kernel.sysctl);
  const { unmappedBase } = mm.arch;
  mm.startBrk = pickBrk(mm, pageAlignDown(unmappedBase / 2), brkRandom(kernel, mm));
  mm.brk = mm.startBrk;
  return mm;
}

/** The heap is moved only where kernel.randomize_va_space is 2. */
function brkRandom({ sysctl }: Kernel, mm: MmStruct): Prng | undefined {
  return sysctl.randomizeVaSpace > 1 ? mm.random : undefined;
}

/** Brings what the memory calls ask for to the process's capabilities. */
export function applyCapabilities(process: Process): void {
  const { actor } = process;
  actor.capIpcLock = capable(process, CAP_IPC_LOCK);
  actor.capSysAdmin = capable(process, CAP_SYS_ADMIN);
  actor.capSysRawio = capable(process, CAP_SYS_RAWIO);
}

/** Gives the process, whose effective user is settled, these from now on. */
export function setCapabilities(process: Process, wanted: Capabilities): void {
  process.capabilities = kept(process.uid, wanted);
  applyCapabilities(process);
}

/** From now on the kernel works for this process: its limits and privileges hold (current). */
export function becomeCurrent(process: Process): void {
  const { kernel } = process;
  kernel.currentPid = process.pid;
  kernel.phys.setCurrent(process);
  process.mm.actor = process.actor;
}

/** fork(2), vfork(2), clone(2): a child with a copy of everything that is not shared. */
export function forkProcess(parent: Process, sharing: Sharing = {}): Process | number {
  const { kernel } = parent;
  if (parent.exitStatus !== null || !mayHaveOneMore(parent)) return -EAGAIN;
  if (sharing.pid === undefined && kernel.pids.peek() === undefined) return -EAGAIN;
  becomeCurrent(parent);
  const shareMm = sharing.vm === true;
  const mm = shareMm ? parent.mm : dupMm(parent.mm, kernel.tlbs);
  if (typeof mm === "number") return mm;
  if (shareMm) mm.users++;
  const child = parent.cloneWith(mm, sharing);
  child.nprocExceeded = parent.nprocExceeded;
  parent.nprocExceeded = false;
  if (!shareMm) mm.actor = child.actor;
  if (kernel.tracer.enabled) {
    kernel.tracer.emit({ type: "fork", pid: parent.pid, value: child.pid, name: child.comm });
  }
  return child;
}

/**
 * A fork that is refused when the memory was copied already: the parent's pages are write-protected, as behind any other. 0 or what would have
 * been refused before.
 */
export function forkInVain(parent: Process): number {
  const { kernel } = parent;
  if (parent.exitStatus !== null || !mayHaveOneMore(parent)) return -EAGAIN;
  becomeCurrent(parent);
  const mm = dupMm(parent.mm, kernel.tlbs);
  if (typeof mm === "number") return mm;
  exitMmap(mm, kernel.tlbs);
  return 0;
}

/** Whether RLIMIT_NPROC lets the process have one more process or thread, as it always lets root. */
export function mayHaveOneMore(process: Process): boolean {
  const { userIds } = process;
  const isFree = userIds.real === 0 || capable(process, CAP_SYS_RESOURCE) || capable(process, CAP_SYS_ADMIN);
  return isFree || !isOverNproc(process, userIds.real, 1);
}

/**
 * Whether a user's processes and threads, zombies and `more` counted, are more than the process's RLIMIT_NPROC.
 *
 * @param without one that is not counted
 */
export function isOverNproc(process: Process, uid: number, more: number, without?: Process): boolean {
  const limit = process.rlimits[RLIMIT_NPROC].soft;
  let count = more;
  for (const other of process.kernel.processes.values()) {
    if (other.userIds.real === uid && other !== without) count += other.activity?.threads.length ?? 1;
  }
  return count > limit;
}

/** Leaves the address space: the last one out ends it. */
export function mmput(process: Process): void {
  const { mm, kernel } = process;
  process.maxRss = Math.max(process.maxRss, mm.hiwaterRss);
  if (--mm.users === 0) exitMmap(mm, kernel.tlbs);
}

/** exec's half of the work on memory: a fresh address space instead of the old one. 0 or -ENOMEM. */
export function execMm(process: Process): number {
  const mm = newMm(process.kernel, process.actor, process.memcg);
  if (typeof mm === "number") return mm;
  mm.thpDisable = process.mm.thpDisable;
  mm.mdwe = inheritedMdwe(process.mm);
  mmput(process);
  process.mm = mm;
  return 0;
}

/** exec: a table of descriptors that others use too is left to them (unshare_files). 0 or -ENOMEM. */
export function unshareFiles(process: Process): number {
  if (process.files.users === 1) return 0;
  if (!process.fs.mounts.openFiles.mayHave(process.files.size)) return -ENOMEM;
  process.files.users--;
  process.files = process.files.clone();
  return 0;
}

/**
 * Makes the stack of a new program and answers its top, or a negative errno (setup_arg_pages): one mapping that grows
 * down on access, as far as RLIMIT_STACK allows.
 */
export function setupArgPages(process: Process, executable: boolean, stringBytes: number): Vaddr {
  const { kernel, mm } = process;
  const top = pickStackTop(mm, mm.random);
  const strings = pageAlign(stringBytes);
  const wanted = strings + STACK_EXPAND_BYTES;
  const size = wanted <= mm.rlimitStack ? wanted : Math.max(strings, pageAlignDown(mm.rlimitStack));
  const prot = PROT_READ | PROT_WRITE | (executable ? PROT_EXEC : 0);
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN;
  const made = doMmap(kernel.mmu, process, null, top - size, size, prot, flags, 0);
  if (made < 0) return made;
  mm.startStack = top - PAGE_SIZE;
  return top;
}

/**
 * Says where the heap begins: behind the program's last segment, which ends at `end`, with a page between the two where
 * addresses are random; or at `end`, far from all segments, with `isMoved`.
 */
export function setBrk(process: Process, end: Vaddr, isMoved = false): void {
  const { mm, kernel } = process;
  const random = brkRandom(kernel, mm);
  const gap = random === undefined || isMoved ? 0 : PAGE_SIZE;
  mm.startBrk = pickBrk(mm, pageAlign(end) + gap, random);
  mm.brk = mm.startBrk;
}

/**
 * exit(2): descriptors and memory go, the status stays until the parent asks.
 *
 * @param status wait status
 * @param by who does the work, which segments of shared memory remember: the process itself, but for a child that was never one
 */
export function exitProcess(process: Process, status: number, by: Process = process): void {
  if (process.exitStatus !== null) return;
  const { kernel } = process;
  process.exitStatus = status;
  // While its memory is there still, so that a reader can look at it (since Linux 6.16).
  if (kernel.tracer.enabled) {
    kernel.tracer.emit({ type: "exit", pid: process.pid, value: status, name: process.comm });
  }
  kernel.currentPid = by.pid;
  process.isOomVictim = false;
  if (kernel.phys.current === process) kernel.phys.clearCurrent();
  if (--process.files.users === 0) process.files.closeAll();
  mmput(process);
  kernel.ipc.exit(process);
  const reaper = findNewReaper(process);
  for (const child of process.children) {
    child.parent = reaper;
    reaper?.children.add(child);
    if (reaper === null && child.exitStatus !== null) kernel.processes.delete(child.pid);
  }
  process.children.clear();
  if (process.parent === null) kernel.processes.delete(process.pid);
  process.exitQueue.wake(0);
}

/**
 * Who becomes the parent of the children of `process`, which ends: the nearest living ancestor that asked for orphans
 * (PR_SET_CHILD_SUBREAPER). null for nobody, since there is no init: they are then without parent, as processes whose
 * parent lies outside of their pid namespace.
 */
function findNewReaper(process: Process): Process | null {
  for (let at = process.parent; at !== null; at = at.parent) {
    if (at.isChildSubreaper && at.exitStatus === null) return at;
  }
  return null;
}

/** A child that nobody will wait for goes, and what it used is nobody's (release_task without wait_task_zombie). */
export function releaseChild(child: Process): void {
  child.parent?.children.delete(child);
  child.kernel.processes.delete(child.pid);
  child.exitQueue.wake(0);
}

/**
 * wait4(2) without waiting: the first child that has ended and that `pid` names (−1: any), which is gone afterwards;
 * null when there are such children but none has ended; -ECHILD when there is none.
 */
export function reapChild(parent: Process, pid: number, keep = false): WaitResult | null | number {
  let any = false;
  for (const child of parent.children) {
    if (pid > 0 && child.pid !== pid) continue;
    any = true;
    if (child.exitStatus === null) continue;
    if (!keep) {
      releaseChild(child);
      parent.childMinFlt += child.minFlt + child.childMinFlt;
      parent.childMajFlt += child.majFlt + child.childMajFlt;
      parent.childMaxRss = Math.max(parent.childMaxRss, child.maxRss, child.childMaxRss);
    }
    return {
      pid: child.pid,
      status: child.exitStatus,
      minFlt: child.minFlt + child.childMinFlt,
      majFlt: child.majFlt + child.childMajFlt,
      maxRss: Math.max(child.maxRss, child.childMaxRss),
    };
  }
  return any ? null : -ECHILD;
}
