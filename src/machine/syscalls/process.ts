/** The life of processes, as system calls: exit, wait, limits, and who is who. */

import { ptraceMayAccess } from "../../mm/syscalls/ptrace-access.ts";
import { sysGetrlimit, sysSetrlimit } from "../../mm/syscalls/rlimit.ts";
import { CAP_SYS_RESOURCE } from "../../mm/uapi/capability.ts";
import { EACCES, EAGAIN, ECHILD, EFAULT, EINVAL, EPERM, ESRCH } from "../../mm/uapi/errno.ts";
import { PIDFD_NONBLOCK } from "../../mm/uapi/pidfd.ts";
import { capable } from "../../mm/vfs/capability.ts";
import { areAll } from "../../mm/vfs/ids.ts";
import { StructView } from "../abi/bytes.ts";
import { encodeRusage, getRlimitValue, type ResourceUsage, RLIMIT_BYTES } from "../abi/structs.ts";
import { exitGroup, exitThread, reap } from "../life/exit.ts";
import { ROBUST_LIST_HEAD_BYTES } from "../life/mm-release.ts";
import { bothUsage, childUsage, ownUsage, threadUsage } from "../life/usage.ts";
import { childInfo } from "../signals/siginfo.ts";
import {
  CLD_CONTINUED,
  CLD_EXITED,
  CLD_KILLED,
  CLD_STOPPED,
  SIGCHLD,
  SIGCONT,
} from "../signals/signal-numbers.ts";
import type { System } from "../system.ts";
import type { Thread, ThreadGroup } from "../thread.ts";
import { type Call, REGISTERS_SET, type SyscallGroup } from "./call.ts";
import { groupOfPidfd } from "./pidfd.ts";
import { ERESTARTSYS } from "./restart.ts";

const WNOHANG = 1;
const WUNTRACED = 2;
const WSTOPPED = 2;
const WEXITED = 4;
const WCONTINUED = 8;
const WNOWAIT = 0x01000000;
/** Only children that the calling thread made. */
const WNOTHREAD = 0x20000000;
const WALL = 0x40000000;
const WCLONE = 0x80000000;
const WAIT_FLAGS: number = WNOTHREAD + WALL + WCLONE;
const CONTINUED_STATUS = 0xffff;
const STOPPED_STATUS = 0x7f;

const P_ALL = 0;
const P_PID = 1;
const P_PGID = 2;
const P_PIDFD = 3;
const RUSAGE_SELF = 0;
const RUSAGE_CHILDREN = -1;
const RUSAGE_THREAD = 1;

export const processCalls: SyscallGroup = [
  [93, "exit", 1, exit],
  [94, "exit_group", 1, exitGroupCall],
  [95, "waitid", 5, waitid],
  [96, "set_tid_address", 1, setTidAddress],
  [99, "set_robust_list", 2, setRobustList],
  [100, "get_robust_list", 3, getRobustList],
  [154, "setpgid", 2, setpgid],
  [155, "getpgid", 1, (call) => ofProcess(call, (group) => group.processGroup)],
  [156, "getsid", 1, (call) => ofProcess(call, (group) => group.session)],
  [157, "setsid", 0, setsid],
  [163, "getrlimit", 2, (call) => rlimit(call, call.u32(0), 0, call.u64(1))],
  [164, "setrlimit", 2, (call) => rlimit(call, call.u32(0), call.u64(1), 0)],
  [165, "getrusage", 2, getrusage],
  [172, "getpid", 0, (call) => call.process.pid],
  [173, "getppid", 0, (call) => call.process.parent?.pid ?? 0],
  [178, "gettid", 0, (call) => call.thread.tid],
  [260, "wait4", 4, wait4],
  [261, "prlimit64", 4, prlimit64],
];

/** One thread ends; with the last one its process does. */
function exit(call: Call): number {
  const { system, thread } = call;
  if (thread.group.threads.length === 1) return exitGroupCall(call);
  exitThread(system, thread);
  return REGISTERS_SET;
}

function exitGroupCall(call: Call): number {
  exitGroup(call.system, call.thread.group, (call.u32(0) & 0xff) << 8);
  return REGISTERS_SET;
}

function setTidAddress(call: Call): number {
  call.thread.clearChildTid = call.u64(0);
  return call.thread.tid;
}

/** Where the thread keeps the list of its locks: looked at when it ends. */
function setRobustList(call: Call): number {
  if (call.u64(1) !== ROBUST_LIST_HEAD_BYTES) return -EINVAL;
  call.thread.robustList = call.u64(0);
  return 0;
}

function getRobustList(call: Call): number {
  const pid = call.s32(0);
  const thread = pid === 0 ? call.thread : call.system.thread(pid);
  if (thread === undefined) return -ESRCH;
  if (!ptraceMayAccess(call.process, thread.group.process)) return -EPERM;
  const size = new StructView(8).put64(0, ROBUST_LIST_HEAD_BYTES).bytes;
  if (call.put(call.u64(2), size) < 0) return -EFAULT;
  return call.put(call.u64(1), new StructView(8).put64(0, thread.robustList).bytes);
}

/** Which children a wait is for. */
type ChildFilter = (child: ThreadGroup) => boolean;

/** One piece of news about a child. */
interface ChildEvent {
  readonly child: ThreadGroup;
  /** As wait4 stores it. */
  readonly status: number;
  /** CLD_…, and exit code or signal, as waitid stores them. */
  readonly code: number;
  readonly value: number;
}

/** What one of the children has to tell, null when none has anything, undefined when there is no such child. */
function findEvent(
  system: System,
  parent: Thread,
  filter: ChildFilter,
  options: number,
): ChildEvent | null | undefined {
  const isOwn = ({ maker }: ThreadGroup): boolean => (options & WNOTHREAD) === 0 || maker === parent;
  const children = system
    .childrenOf(parent.group)
    .filter((child) => isEligible(child, options) && isOwn(child) && filter(child));
  for (const child of children) {
    const status = child.process.exitStatus;
    if (status !== null && (options & WEXITED) !== 0) {
      const signal = status & 0x7f;
      return {
        child,
        status,
        code: signal === 0 ? CLD_EXITED : CLD_KILLED,
        value: signal === 0 ? status >> 8 : signal,
      };
    }
    if (child.stopNews === "stopped" && (options & WSTOPPED) !== 0) {
      return {
        child,
        status: (child.stopSignal << 8) | STOPPED_STATUS,
        code: CLD_STOPPED,
        value: child.stopSignal,
      };
    }
    if (child.stopNews === "continued" && (options & WCONTINUED) !== 0) {
      return { child, status: CONTINUED_STATUS, code: CLD_CONTINUED, value: SIGCONT };
    }
  }
  return children.length === 0 ? undefined : null;
}

/** eligible_child: without __WALL, children that send SIGCHLD, or with __WCLONE only those that don't. */
function isEligible({ exitSignal }: ThreadGroup, options: number): boolean {
  if ((options & WALL) !== 0) return true;
  return (exitSignal === SIGCHLD) === ((options & WCLONE) === 0);
}

/** do_wait: an event, 0 under WNOHANG, a negative errno, or BLOCKED. */
function waitForEvent(call: Call, filter: ChildFilter, options: number): ChildEvent | number {
  const { system, thread } = call;
  const event = findEvent(system, thread, filter, options);
  if (event === undefined) return -ECHILD;
  if (event !== null) return event;
  if ((options & WNOHANG) !== 0) return 0;
  const isReady = (): boolean => findEvent(system, thread, filter, options) !== null;
  return call.block({ isReady, deadlineNs: Number.POSITIVE_INFINITY, interrupted: -ERESTARTSYS });
}

/** The caller has been told: a zombie goes away. */
function consume(call: Call, { child }: ChildEvent): void {
  if (child.hasExited) reap(call.system, call.thread.group, child);
  child.stopNews = undefined;
}

/** pid > 0: that child; −1: any; 0: the caller's process group; less: that group. */
function filterOf(call: Call, pid: number): ChildFilter {
  if (pid > 0) return (child) => child.pid === pid;
  if (pid === -1) return () => true;
  const wanted = pid === 0 ? call.thread.group.processGroup : -pid;
  return (child) => child.processGroup === wanted;
}

function wait4(call: Call): number {
  const pid = call.s32(0);
  const options = call.u32(2);
  if ((options & ~(WNOHANG | WUNTRACED | WCONTINUED | WAIT_FLAGS)) !== 0) return -EINVAL;
  if (pid === -(2 ** 31)) return -ESRCH;
  const event = waitForEvent(call, filterOf(call, pid), options | WEXITED);
  if (typeof event === "number") return event;
  const usage = bothUsage(call.system, event.child);
  const childPid = event.child.pid;
  consume(call, event);
  const failed = call.putIfWanted(call.u64(1), () => new StructView(4).put32(0, event.status).bytes);
  if (failed < 0) return failed;
  return call.putIfWanted(call.u64(3), () => encodeRusage(usage)) < 0 ? -EFAULT : childPid;
}

function waitid(call: Call): number {
  const options = call.u32(3);
  if ((options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | WAIT_FLAGS)) !== 0) return -EINVAL;
  if ((options & (WEXITED | WSTOPPED | WCONTINUED)) === 0) return -EINVAL;
  const id = call.s32(1);
  let filter: ChildFilter;
  let isNonBlocking = false;
  switch (call.s32(0)) {
    case P_ALL:
      filter = filterOf(call, -1);
      break;
    case P_PID:
      if (id <= 0) return -EINVAL;
      filter = filterOf(call, id);
      break;
    case P_PGID:
      if (id < 0) return -EINVAL;
      filter = filterOf(call, id === 0 ? 0 : -id);
      break;
    case P_PIDFD: {
      if (id < 0) return -EINVAL;
      const found = groupOfPidfd(call, id);
      if (typeof found === "number") return found;
      filter = (child) => child === found.group;
      isNonBlocking = (found.file.flags & PIDFD_NONBLOCK) !== 0;
      break;
    }
    default:
      return -EINVAL;
  }
  const event = waitForEvent(call, filter, isNonBlocking ? options | WNOHANG : options);
  if (event === 0 && isNonBlocking && (options & WNOHANG) === 0) return -EAGAIN;
  const result = typeof event === "number" ? event : 0;
  if (result < 0) return result;
  let info = new Uint8Array(128);
  let usage: ResourceUsage | undefined;
  if (typeof event !== "number") {
    const { child, code, value } = event;
    const { pid, uid } = child.process;
    info = childInfo(SIGCHLD, { pid, uid, code, status: value, userTicks: 0, systemTicks: 0 }).bytes.slice();
    usage = bothUsage(call.system, child);
    if ((options & WNOWAIT) === 0) consume(call, event);
  }
  if (usage !== undefined) {
    const used = usage;
    if (call.putIfWanted(call.u64(4), () => encodeRusage(used)) < 0) return -EFAULT;
  }
  return call.putIfWanted(call.u64(2), () => info);
}

function getrusage(call: Call): number {
  const { system, thread } = call;
  let usage: ResourceUsage;
  switch (call.s32(0)) {
    case RUSAGE_SELF:
      usage = ownUsage(system, thread.group);
      break;
    case RUSAGE_THREAD:
      usage = threadUsage(system, thread);
      break;
    case RUSAGE_CHILDREN:
      usage = childUsage(thread.group);
      break;
    default:
      return -EINVAL;
  }
  return call.put(call.u64(1), encodeRusage(usage));
}

function prlimit64(call: Call): number {
  const pid = call.s32(0);
  return rlimit(call, call.u32(1), call.u64(2), call.u64(3), pid);
}

/** Sets a limit of a process from what lies at `newAt`, and tells the old one at `oldAt`, each if not null. */
function rlimit(call: Call, resource: number, newAt: number, oldAt: number, pid = 0): number {
  let wanted: { soft: number; hard: number } | undefined;
  if (newAt !== 0) {
    const raw = call.get(newAt, RLIMIT_BYTES);
    if (raw === undefined) return -EFAULT;
    wanted = { soft: getRlimitValue(raw, 0), hard: getRlimitValue(raw, 8) };
  }
  const process = pid === 0 ? call.process : call.system.thread(pid)?.group.process;
  if (process === undefined) return -ESRCH;
  // check_prlimit_permission: of another, one must be the user or have CAP_SYS_RESOURCE.
  const { userIds, groupIds } = call.process;
  const isOwn = areAll(userIds.real, process.userIds) && areAll(groupIds.real, process.groupIds);
  if (process !== call.process && !isOwn && !capable(call.process, CAP_SYS_RESOURCE)) return -EPERM;
  const limit = sysGetrlimit(process, resource);
  if (typeof limit === "number") return limit;
  const old = new StructView(RLIMIT_BYTES).put64(0, limit.soft).put64(8, limit.hard);
  const failed = wanted === undefined ? 0 : sysSetrlimit(process, resource, wanted, call.process);
  if (failed !== 0) return failed;
  return call.putIfWanted(oldAt, () => old.bytes);
}

function ofProcess(call: Call, value: (group: ThreadGroup) => number): number {
  const pid = call.s32(0);
  const group = pid === 0 ? call.thread.group : call.system.thread(pid)?.group;
  return group === undefined ? -ESRCH : value(group);
}

/** For itself or a child, into a new group of its own or an existing one of its session. */
function setpgid(call: Call): number {
  const { system, thread } = call;
  const pid = call.s32(0) === 0 ? thread.group.pid : call.s32(0);
  const wanted = call.s32(1) === 0 ? pid : call.s32(1);
  if (wanted < 0) return -EINVAL;
  const group = system.groups.get(pid);
  if (group === undefined) return -ESRCH;
  const isChild = group !== thread.group;
  if (isChild && system.parentOf(group) !== thread.group) return -ESRCH;
  if (group.session !== thread.group.session) return -EPERM;
  if (isChild && !group.isAsForked) return -EACCES;
  if (group.session === group.pid) return -EPERM;
  const exists = [...system.groups.values()].some(
    (one) => one.processGroup === wanted && one.session === group.session,
  );
  if (wanted !== pid && !exists) return -EPERM;
  group.processGroup = wanted;
  return 0;
}

function setsid(call: Call): number {
  const { group } = call.thread;
  const isLeader = [...call.system.groups.values()].some((one) => one.processGroup === group.pid);
  if (isLeader) return -EPERM;
  group.session = group.pid;
  group.processGroup = group.pid;
  group.terminal = undefined;
  return group.pid;
}
