/**
 * fork, vfork and clone of a process (kernel/fork.c copy_process). What is shared stays one object that both processes
 * refer to; all else is copied. A thread of the same process (CLONE_THREAD) is no more than registers, a signal mask and a
 * number: it has all that its process has.
 *
 * ```
 *                   copied                              shared with
 *   memory          dupMm                               CLONE_VM
 *   descriptors     FdTable.clone                       CLONE_FILES
 *   directory       FsContext.clone                     CLONE_FS
 *   signal actions  SignalHandlers.clone                CLONE_SIGHAND, reset by CLONE_CLEAR_SIGHAND
 *   undo of semop   none                                CLONE_SYSVSEM
 *   parent          the caller                          CLONE_PARENT: the caller's
 * ```
 */

import { copyToUser, putUserU32 } from "../../mm/fault/uaccess.ts";
import { shareUndoList } from "../../mm/ipc/sem-undo.ts";
import type { Process } from "../../mm/kernel/process.ts";
import {
  exitProcess,
  forkInVain,
  forkProcess,
  mayHaveOneMore,
  releaseChild,
} from "../../mm/kernel/task-lifecycle.ts";
import { fdInstall } from "../../mm/syscalls/fd.ts";
import { CAP_CHECKPOINT_RESTORE, CAP_SYS_ADMIN } from "../../mm/uapi/capability.ts";
import { EAGAIN, EBADF, EEXIST, EFAULT, EINVAL, ENOMEM, EPERM } from "../../mm/uapi/errno.ts";
import { PIDFD_THREAD } from "../../mm/uapi/pidfd.ts";
import { capable } from "../../mm/vfs/capability.ts";
import { newPidfd, type PidfdTarget } from "../../mm/vfs/pidfd.ts";
import { StructView } from "../abi/bytes.ts";
import { SS_DISABLE } from "../signals/signal-state.ts";
import type { System } from "../system.ts";
import { Thread, ThreadGroup } from "../thread.ts";
import { ProcessActivity } from "./activity.ts";

/** include/uapi/linux/sched.h. Only clone3 knows the two above 32 bits. */
export const CSIGNAL = 0xff;
export const CLONE_NEWTIME = 0x80;
export const CLONE_VM = 0x100;
export const CLONE_FS = 0x200;
export const CLONE_FILES = 0x400;
export const CLONE_SIGHAND = 0x800;
export const CLONE_PIDFD = 0x1000;
export const CLONE_VFORK = 0x4000;
export const CLONE_PARENT = 0x8000;
export const CLONE_THREAD = 0x10000;
export const CLONE_NEWNS = 0x20000;
export const CLONE_SYSVSEM = 0x40000;
export const CLONE_SETTLS = 0x80000;
export const CLONE_PARENT_SETTID = 0x100000;
export const CLONE_CHILD_CLEARTID = 0x200000;
export const CLONE_DETACHED = 0x400000;
export const CLONE_CHILD_SETTID = 0x1000000;
export const CLONE_NEWUSER = 0x10000000;
export const CLONE_NEWPID = 0x20000000;
/** Bits 32 and 33, as CloneRequest.high counts them. */
export const CLONE_CLEAR_SIGHAND_HIGH = 1;
export const CLONE_INTO_CGROUP_HIGH = 2;
/** Namespaces: mounts, cgroups, host name, IPC, users, processes, network. This kernel is built without. */
export const CLONE_NEW_ANY: number =
  CLONE_NEWTIME | CLONE_NEWNS | 0x2000000 | 0x4000000 | 0x8000000 | CLONE_NEWUSER | 0x20000000 | 0x40000000;

const ECALL_BYTES = 4;
/** Offsets in Thread.state: pc, sp, tp, a0. */
const STATE_PC = 0;
const STATE_SP = 2 * 8;
const STATE_TP = 4 * 8;
const STATE_A0 = 10 * 8;

/** struct kernel_clone_args. */
export interface CloneRequest {
  /** CLONE_… without the signal, and the bits above the 32nd. */
  readonly flags: number;
  readonly high: number;
  /** What the parent is sent at the end; no signal that exists: nothing. */
  readonly exitSignal: number;
  /** Stack pointer of the child; 0: the parent's. */
  readonly stack: number;
  readonly pidfd: number;
  readonly parentTid: number;
  readonly tls: number;
  readonly childTid: number;
  /** The child's number, if the caller chose one (clone3's set_tid). */
  readonly wantedPid?: number;
}

/** What contradicts itself: 0 or -EINVAL, in the order of copy_process. */
export function checkCloneFlags({ flags, pidfd, parentTid }: CloneRequest): number {
  const has = (bits: number): boolean => (flags & bits) === bits;
  if (has(CLONE_PIDFD | CLONE_PARENT_SETTID) && pidfd === parentTid) return -EINVAL;
  if (has(CLONE_NEWNS | CLONE_FS) || has(CLONE_NEWUSER | CLONE_FS)) return -EINVAL;
  if (has(CLONE_THREAD) && !has(CLONE_SIGHAND)) return -EINVAL;
  if (has(CLONE_SIGHAND) && !has(CLONE_VM)) return -EINVAL;
  if (has(CLONE_PIDFD | CLONE_DETACHED)) return -EINVAL;
  if (has(CLONE_THREAD)) {
    if ((flags & (CLONE_NEWUSER | CLONE_NEWPID)) !== 0) return -EINVAL;
    // One process has one table of descriptors and one working directory here.
    if (!has(CLONE_FILES | CLONE_FS)) return -EINVAL;
  }
  return 0;
}

/** What there is no more of: 0 or a negative errno. */
function checkResources(system: System, { process }: ThreadGroup, { flags }: CloneRequest): number {
  if (system.threadCount >= system.kernel.sysctl.maxThreads) return -EAGAIN;
  const { openFiles } = system.kernel.mounts;
  return (flags & CLONE_FILES) === 0 && !openFiles.mayHave(process.files.size) ? -ENOMEM : 0;
}

/** What is refused only when the memory was copied: 0 or a negative errno. */
function checkLate(process: Process, { flags, high, wantedPid }: CloneRequest): number {
  if ((flags & CLONE_NEW_ANY) !== 0)
    return capable(process, CAP_SYS_ADMIN) || (flags & CLONE_NEWUSER) !== 0 ? -EINVAL : -EPERM;
  // There is no file system of cgroups that the descriptor could be from.
  if ((high & CLONE_INTO_CGROUP_HIGH) !== 0) return -EBADF;
  if (wantedPid === undefined) return 0;
  if (wantedPid < 1 || wantedPid >= process.kernel.pids.max) return -EINVAL;
  if (!capable(process, CAP_SYS_ADMIN) && !capable(process, CAP_CHECKPOINT_RESTORE)) return -EPERM;
  return process.kernel.pids.isTaken(wantedPid) ? -EEXIST : 0;
}

/** What clone has made: a thread, which is a process of its own if it leads its group. Or a negative errno. */
export function cloneTask(system: System, parent: Thread, request: CloneRequest): Thread | number {
  const refused = checkCloneFlags(request) || checkResources(system, parent.group, request);
  if (refused !== 0) return refused;
  if ((request.flags & CLONE_THREAD) !== 0) {
    const late = checkLate(parent.group.process, request);
    return late === 0 ? cloneThread(system, parent, request) : late;
  }
  const child = cloneProcess(system, parent, request);
  return typeof child === "number" ? child : child.leader;
}

/** Another thread of the caller's process. */
function cloneThread(system: System, parent: Thread, request: CloneRequest): Thread | number {
  const { group } = parent;
  const { flags } = request;
  const { pids } = system.kernel;
  if (!mayHaveOneMore(group.process)) return -EAGAIN;
  group.process.nprocExceeded = false;
  if (request.wantedPid === undefined && pids.peek() === undefined) return -EAGAIN;
  const tid = request.wantedPid ?? pids.alloc();
  const thread = new Thread(tid, group, parent.comm);
  if ((flags & CLONE_PIDFD) !== 0) {
    const failed = givePidfd(group.process, thread.pidfdTarget(), PIDFD_THREAD, request.pidfd);
    if (failed !== 0) return failed;
  }
  thread.signals.copyFrom(parent.signals);
  thread.signals.saved = undefined;
  thread.inheritScheduling(parent);
  thread.mempolicy = parent.mempolicy;
  Object.assign(thread.signals.altStack, { base: 0, size: 0, flags: SS_DISABLE });
  if ((flags & CLONE_CHILD_CLEARTID) !== 0) thread.clearChildTid = request.childTid;
  if ((flags & CLONE_VFORK) !== 0) thread.vforkParent = parent;
  if ((flags & CLONE_SYSVSEM) !== 0) shareUndoList(parent, thread);
  writeChildState(system, thread, request);
  const bytes = new StructView(4).put32(0, tid).bytes;
  const { process } = group;
  if ((flags & CLONE_PARENT_SETTID) !== 0) copyToUser(system.mmu, process, request.parentTid, bytes);
  if ((flags & CLONE_CHILD_SETTID) !== 0) copyToUser(system.mmu, process, request.childTid, bytes);
  group.threads.push(thread);
  system.tids.set(tid, thread);
  system.kernel.totalForks++;
  if (process.activity instanceof ProcessActivity) process.activity.begin(thread);
  system.threads.push(thread);
  return thread;
}

/**
 * Makes a child of the thread whose system call is being served; it returns from the same call with 0. Answers the
 * child's thread group, or a negative errno.
 */
function cloneProcess(system: System, parent: Thread, request: CloneRequest): ThreadGroup | number {
  const { flags } = request;
  const has = (bit: number): boolean => (flags & bit) !== 0;
  const from = parent.group;
  const process = copyProcess(from.process, request);
  if (typeof process === "number") return process;
  const child = newGroup(parent, process, request);
  const thread = child.leader;
  writeChildState(system, thread, request);
  const tid = new StructView(4).put32(0, thread.tid).bytes;
  if (has(CLONE_PARENT_SETTID)) copyToUser(system.mmu, from.process, request.parentTid, tid);
  if (has(CLONE_CHILD_SETTID)) copyToUser(system.mmu, process, request.childTid, tid);
  process.activity = new ProcessActivity(system, child);
  system.groups.set(process.pid, child);
  system.threads.push(thread);
  return child;
}

/**
 * What a process is without its threads: the child with memory and descriptors, and its pidfd, if that is wanted. Negative errno
 * where there is none in the end; what was copied until then has left its traces.
 */
export function copyProcess(parent: Process, request: CloneRequest): Process | number {
  const has = (bit: number): boolean => (request.flags & bit) !== 0;
  const late = checkLate(parent, request);
  if (late !== 0) return (has(CLONE_VM) ? 0 : forkInVain(parent)) || late;
  const child = forkProcess(parent, {
    vm: has(CLONE_VM),
    files: has(CLONE_FILES),
    fs: has(CLONE_FS),
    parent: has(CLONE_PARENT),
    ...(request.wantedPid === undefined ? {} : { pid: request.wantedPid }),
  });
  if (typeof child === "number" || !has(CLONE_PIDFD)) return child;
  const failed = givePidfd(parent, child, 0, request.pidfd);
  if (failed === 0) return child;
  exitProcess(child, 0, parent);
  releaseChild(child);
  return failed;
}

/** CLONE_PIDFD: a descriptor of the caller's for what it has cloned, its number at `addr`. 0, or the errno with which there is none. */
function givePidfd(process: Process, target: PidfdTarget, flags: number, addr: number): number {
  const fd = fdInstall(process, newPidfd(process.fs.mounts, target, flags), /* cloexec */ true);
  if (fd < 0) return fd;
  if (putUserU32(process.kernel.mmu, process, addr, fd) >= 0) return 0;
  process.files.close(fd);
  return -EFAULT;
}

/** What the machine keeps of a process, for the child. */
function newGroup(
  parent: Thread,
  process: ThreadGroup["process"],
  { flags, high, exitSignal, childTid }: CloneRequest,
): ThreadGroup {
  const from = parent.group;
  const handlers = (flags & CLONE_SIGHAND) !== 0 ? from.handlers : from.handlers.clone();
  if ((high & CLONE_CLEAR_SIGHAND_HIGH) !== 0) handlers.reset();
  const isSibling = (flags & CLONE_PARENT) !== 0;
  const child = new ThreadGroup(process, handlers, isSibling ? from.exitSignal : exitSignal);
  child.selfExecId = from.selfExecId;
  child.parentExecId = isSibling ? from.parentExecId : from.selfExecId;
  child.exePath = from.exePath;
  child.processGroup = from.processGroup;
  child.session = from.session;
  child.terminal = from.terminal;
  child.noNewPrivileges = from.noNewPrivileges;
  child.leader.inheritScheduling(parent);
  child.leader.mempolicy = parent.mempolicy;
  child.membarriers = from.membarriers;
  child.maker = isSibling ? from.maker : parent;
  process.comm = parent.comm;
  const { signals } = child.leader;
  signals.copyFrom(parent.signals);
  // Two that run at once can't use one alternate stack.
  if ((flags & (CLONE_VM | CLONE_VFORK)) === CLONE_VM) {
    Object.assign(signals.altStack, { base: 0, size: 0, flags: SS_DISABLE });
  }
  if ((flags & CLONE_CHILD_CLEARTID) !== 0) child.leader.clearChildTid = childTid;
  if ((flags & CLONE_VFORK) !== 0) child.leader.vforkParent = parent;
  if ((flags & CLONE_SYSVSEM) !== 0) shareUndoList(parent, child.leader);
  return child;
}

/** The parent's registers, behind the call, with 0 for an answer. */
function writeChildState(system: System, thread: Thread, { flags, stack, tls }: CloneRequest): void {
  system.hart.saveState(thread.state);
  const state = new StructView(thread.state);
  state.put64(STATE_PC, state.u64(STATE_PC) + ECALL_BYTES).put64(STATE_A0, 0);
  if (stack !== 0) state.put64(STATE_SP, stack);
  if ((flags & CLONE_SETTLS) !== 0) state.put64(STATE_TP, tls);
}
