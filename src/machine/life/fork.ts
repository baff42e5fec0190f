/** fork, vfork and clone of a process (kernel/fork.c copy_process). Threads of one process come later. */
import { copyToUser } from "../../mm/fault/uaccess.ts";
import { forkProcess } from "../../mm/kernel/task-lifecycle.ts";
import { PAGE_SIZE } from "../../mm/page.ts";
import { EAGAIN, EINVAL, ENOSYS } from "../../mm/uapi/errno.ts";
import { StructView } from "../abi/bytes.ts";
import { NSIG } from "../signals/signal-numbers.ts";
import type { System } from "../system.ts";
import { type Thread, ThreadGroup } from "../thread.ts";

export const CSIGNAL = 0xff;
export const CLONE_VM = 0x100;
export const CLONE_SIGHAND = 0x800;
export const CLONE_VFORK = 0x4000;
export const CLONE_THREAD = 0x10000;
export const CLONE_SETTLS = 0x80000;
export const CLONE_PARENT_SETTID = 0x100000;
export const CLONE_CHILD_CLEARTID = 0x200000;
export const CLONE_DETACHED = 0x400000;
export const CLONE_CHILD_SETTID = 0x1000000;
/** What is understood. The rest shares tables or makes namespaces, for which nothing stands ready. */
const KNOWN =
  CSIGNAL |
  CLONE_VM |
  CLONE_VFORK |
  CLONE_SETTLS |
  CLONE_PARENT_SETTID |
  CLONE_CHILD_CLEARTID |
  CLONE_DETACHED |
  CLONE_CHILD_SETTID;

const ECALL_BYTES = 4;
/** Bytes of a kernel stack on riscv64. */
const THREAD_SIZE = 16384;
/** Offsets in Thread.state: pc, sp, tp, a0. */
const STATE_PC = 0;
const STATE_SP = 2 * 8;
const STATE_TP = 4 * 8;
const STATE_A0 = 10 * 8;

export interface CloneRequest {
  readonly flags: number;
  /** Stack pointer of the child; 0: the parent's. */
  readonly stack: number;
  readonly parentTid: number;
  readonly tls: number;
  readonly childTid: number;
}

/**
 * Makes a child of the thread whose system call is being served; it returns from the same call with 0. Answers the
 * child's thread group, or a negative errno.
 */
export function cloneProcess(system: System, parent: Thread, request: CloneRequest): ThreadGroup | number {
  const { flags } = request;
  if ((flags & CLONE_THREAD) !== 0 && (flags & CLONE_SIGHAND) === 0) return -EINVAL;
  if ((flags & ~KNOWN) !== 0) return -ENOSYS;
  // Memory shared with a parent that goes on running would be a thread in all but name.
  const shareMm = (flags & CLONE_VM) !== 0;
  if (shareMm && (flags & CLONE_VFORK) === 0) return -ENOSYS;
  if ((flags & CSIGNAL) > NSIG) return -EINVAL;
  if (system.groups.size >= maxThreads(system)) return -EAGAIN;
  const process = forkProcess(parent.group.process, shareMm);
  if (typeof process === "number") return process;

  const from = parent.group;
  const child = new ThreadGroup(process, from.handlers.clone(), flags & CSIGNAL);
  child.exePath = from.exePath;
  child.processGroup = from.processGroup;
  child.session = from.session;
  child.personality = from.personality;
  child.nice = from.nice;
  child.hasMembarrier = from.hasMembarrier;
  const thread = child.leader;
  thread.signals.copyFrom(parent.signals);
  if ((flags & CLONE_CHILD_CLEARTID) !== 0) thread.clearChildTid = request.childTid;
  if ((flags & CLONE_VFORK) !== 0) child.vforkParent = parent;
  writeChildState(system, thread, request);
  const tid = new StructView(4).put32(0, thread.tid).bytes;
  if ((flags & CLONE_PARENT_SETTID) !== 0) copyToUser(system.mmu, from.process, request.parentTid, tid);
  if ((flags & CLONE_CHILD_SETTID) !== 0) copyToUser(system.mmu, process, request.childTid, tid);
  system.groups.set(process.pid, child);
  system.threads.push(thread);
  return child;
}

/** How many processes there may be (set_max_threads): as many as could have their kernel stacks in an eighth of RAM. */
function maxThreads(system: System): number {
  const bytes = system.kernel.phys.totalFrames * PAGE_SIZE;
  return Math.max(20, Math.floor(bytes / (8 * THREAD_SIZE)));
}

/** The parent's registers, behind the call, with 0 for an answer. */
function writeChildState(system: System, thread: Thread, { flags, stack, tls }: CloneRequest): void {
  system.hart.saveState(thread.state);
  const state = new StructView(thread.state);
  state.put64(STATE_PC, state.u64(STATE_PC) + ECALL_BYTES).put64(STATE_A0, 0);
  if (stack !== 0) state.put64(STATE_SP, stack);
  if ((flags & CLONE_SETTLS) !== 0) state.put64(STATE_TP, tls);
}
