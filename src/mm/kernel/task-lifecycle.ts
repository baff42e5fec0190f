/**
 * fork, exec, exit and wait, as far as memory and descriptors go (kernel/fork.c, exit.c, fs/exec.c).
 *
 * Functions of the inside: they answer negative errnos. The public Process throws for them, the machine hands the number
 * to its program.
 */

import { PAGE_SIZE, pageAlign, type Vaddr } from "../page.ts";
import { doMmap } from "../syscalls/mmap.ts";
import { applyRlimits } from "../syscalls/rlimit.ts";
import { EAGAIN, ECHILD } from "../uapi/errno.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_GROWSDOWN,
  MAP_PRIVATE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "../uapi/mman.ts";
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

/** Pages that a new stack has from the start; it grows from there on access. */
const INITIAL_STACK_PAGES = 33;

/** An address space with nothing in it and the kernel's settings, charged to a memory cgroup; or -ENOMEM. */
export function newMm(
  kernel: Kernel,
  rlimits: Process["rlimits"] | undefined,
  memcg: number,
): MmStruct | number {
  const mm = mmAlloc(kernel.phys, kernel.arch);
  if (typeof mm === "number") return mm;
  mm.memcg = memcg;
  const { options } = kernel;
  mm.maxMapCount = kernel.sysctl.maxMapCount;
  mm.mmapMinAddr = kernel.sysctl.mmapMinAddr;
  if (options.thpSize !== undefined) mm.thpSize = options.thpSize;
  if (rlimits !== undefined) applyRlimits(mm, rlimits);
  pickMmapLayout(mm, kernel.addressRandom);
  mm.startBrk = pickBrk(
    mm,
    mm.arch.unmappedBase / 2 - ((mm.arch.unmappedBase / 2) % PAGE_SIZE),
    kernel.addressRandom,
  );
  mm.brk = mm.startBrk;
  return mm;
}

/** Brings what the address space knows of its process's privileges to its user: root has them all. */
export function applyCapabilities(process: Process): void {
  const isRoot = process.uid === 0;
  process.mm.capIpcLock = isRoot;
  process.mm.capSysAdmin = isRoot;
}

/** fork(2): a child with a copy of everything. With `shareMm` (vfork, CLONE_VM) both use one address space. */
export function forkProcess(parent: Process, shareMm = false): Process | number {
  const { kernel } = parent;
  if (parent.exitStatus !== null) return -EAGAIN;
  const mm = shareMm ? parent.mm : dupMm(parent.mm, kernel.tlbs);
  if (typeof mm === "number") return mm;
  if (shareMm) mm.users++;
  const child = parent.cloneWith(mm);
  if (kernel.tracer.enabled) {
    kernel.tracer.emit({ type: "fork", pid: parent.pid, value: child.pid, name: child.comm });
  }
  return child;
}

/** Leaves the address space: the last one out ends it. */
export function mmput(process: Process): void {
  const { mm, kernel } = process;
  process.maxRss = Math.max(process.maxRss, mm.hiwaterRss);
  if (--mm.users === 0) exitMmap(mm, kernel.tlbs);
}

/** exec's half of the work on memory: a fresh address space instead of the old one. 0 or -ENOMEM. */
export function execMm(process: Process): number {
  const mm = newMm(process.kernel, process.rlimits, process.memcg);
  if (typeof mm === "number") return mm;
  mmput(process);
  process.mm = mm;
  applyCapabilities(process);
  return 0;
}

/**
 * Makes the stack of a new program and answers its top, or a negative errno (setup_arg_pages): one mapping that grows
 * down on access, as far as RLIMIT_STACK allows.
 */
export function setupArgPages(process: Process, executable: boolean): Vaddr {
  const { kernel, mm } = process;
  const top = pickStackTop(mm, kernel.addressRandom);
  const size = INITIAL_STACK_PAGES * PAGE_SIZE;
  const prot = PROT_READ | PROT_WRITE | (executable ? PROT_EXEC : 0);
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN;
  const made = doMmap(kernel.mmu, process, null, top - size, size, prot, flags, 0);
  if (made < 0) return made;
  mm.startStack = top - PAGE_SIZE;
  return top;
}

/** Says where the heap begins: behind the program's last segment. */
export function setBrk(process: Process, end: Vaddr): void {
  const { mm } = process;
  mm.startBrk = pickBrk(mm, pageAlign(end), process.kernel.addressRandom);
  mm.brk = mm.startBrk;
}

/** exit(2): descriptors and memory go, the status stays until the parent asks. @param status wait status */
export function exitProcess(process: Process, status: number): void {
  if (process.exitStatus !== null) return;
  const { kernel } = process;
  process.exitStatus = status;
  process.isOomVictim = false;
  if (kernel.phys.current === process) kernel.phys.clearCurrent();
  if (--process.files.users === 0) process.files.closeAll();
  mmput(process);
  for (const child of process.children) {
    child.parent = null;
    if (child.exitStatus !== null) kernel.processes.delete(child.pid);
  }
  process.children.clear();
  if (process.parent === null) kernel.processes.delete(process.pid);
  if (kernel.tracer.enabled) {
    kernel.tracer.emit({ type: "exit", pid: process.pid, value: status, name: process.comm });
  }
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
      parent.children.delete(child);
      parent.kernel.processes.delete(child.pid);
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
