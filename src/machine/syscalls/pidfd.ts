/** Calls on processes by descriptor: opening one, a file of theirs, a signal to them, their memory (kernel/pid.c, signal.c). */
import { fdGet, fdInstall } from "../../mm/syscalls/fd.ts";
import {
  type PidfdTask,
  pidfdGetTask,
  sysPidfdGetfd,
  sysPidfdOpen,
  sysProcessMrelease,
} from "../../mm/syscalls/pidfd.ts";
import { EBADF, EFAULT, EINVAL, ENOENT, EPERM, ESRCH } from "../../mm/uapi/errno.ts";
import {
  PIDFD_SELF_THREAD,
  PIDFD_SELF_THREAD_GROUP,
  PIDFD_SIGNAL_PROCESS_GROUP,
  PIDFD_SIGNAL_THREAD,
  PIDFD_SIGNAL_THREAD_GROUP,
  PIDFD_THREAD,
} from "../../mm/uapi/pidfd.ts";
import type { File } from "../../mm/vfs/file.ts";
import { newPidfd, type PidfdTarget, pidfdTarget, processOfDirectory } from "../../mm/vfs/pidfd.ts";
import { SIGINFO_BYTES, SigInfo, userInfo } from "../signals/siginfo.ts";
import { SI_TKILL, SI_USER, SIGKILL } from "../signals/signal-numbers.ts";
import type { Thread, ThreadGroup } from "../thread.ts";
import type { Call, SyscallGroup } from "./call.ts";
import { sendChecked } from "./signals.ts";

export const pidfdCalls: SyscallGroup = [
  [424, "pidfd_send_signal", 4, pidfdSendSignal],
  [434, "pidfd_open", 2, pidfdOpen],
  [
    438,
    "pidfd_getfd",
    3,
    (call) => sysPidfdGetfd(processes(call), call.process, call.s32(0), call.s32(1), call.u32(2)),
  ],
  [448, "process_mrelease", 2, processMrelease],
];

const processes = (call: Call): Call["system"]["kernel"]["processes"] => call.system.kernel.processes;

/** A thread that leads no process can be opened as one (PIDFD_THREAD), not as a process. */
function pidfdOpen(call: Call): number {
  const { process, system } = call;
  const [pid, flags] = [call.s32(0), call.u32(1)];
  const opened = sysPidfdOpen(processes(call), process, pid, flags);
  const thread = opened === -ESRCH ? system.thread(pid) : undefined;
  if (thread === undefined) return opened;
  if ((flags & PIDFD_THREAD) === 0) return -ENOENT;
  return fdInstall(process, newPidfd(process.fs.mounts, thread.pidfdTarget(), flags), /* cloexec */ true);
}

/** One flag at most, or none: then it is for whom the pidfd was opened, a thread or the process. */
const SIGNAL_FLAGS: ReadonlySet<number> = new Set([
  0,
  PIDFD_SIGNAL_THREAD,
  PIDFD_SIGNAL_THREAD_GROUP,
  PIDFD_SIGNAL_PROCESS_GROUP,
]);

/** Whom a pidfd means, for a signal. */
interface Addressee {
  readonly target: PidfdTarget;
  /** Its thread, or the first of its process; undefined: nothing is left of it. */
  readonly thread: Thread | undefined;
  /** It was opened as a thread. */
  readonly isThread: boolean;
}

function pidfdSendSignal(call: Call): number {
  const { process } = call;
  const signal = call.s32(1);
  const flags = call.u32(3);
  if (!SIGNAL_FLAGS.has(flags)) return -EINVAL;
  const to = addressee(call, call.s32(0));
  if (typeof to === "number") return to;
  const isForGroup = flags === PIDFD_SIGNAL_PROCESS_GROUP;
  const isForThread = flags === 0 ? to.isThread : flags === PIDFD_SIGNAL_THREAD;
  let info = userInfo(signal, isForThread ? SI_TKILL : SI_USER, process.pid, process.userIds.real);
  if (call.u64(2) !== 0) {
    const raw = call.get(call.u64(2), SIGINFO_BYTES);
    if (raw === undefined) return -EFAULT;
    if (raw.s32(0) !== signal) return -EINVAL;
    // Only to itself may a thread say anything of where a signal comes from.
    const code = raw.s32(8);
    if ((to.thread !== call.thread || isForGroup) && (code >= 0 || code === SI_TKILL)) return -EPERM;
    info = new SigInfo(raw.bytes);
  }
  if (isForGroup) return sendToGroup(call, to.target, signal, info);
  const { thread } = to;
  if (thread === undefined) return -ESRCH;
  return sendChecked(call, thread.group, signal, () => info, isForThread ? thread : undefined, thread);
}

/** To the processes of the group that has this number: 0 if one of them could be sent it (__kill_pgrp_info). */
function sendToGroup(call: Call, target: PidfdTarget, signal: number, info: SigInfo): number {
  // The number may be another's by now.
  if (target.isReaped && call.system.thread(target.pid) !== undefined) return -ESRCH;
  let result = -ESRCH;
  for (const group of [...call.system.groups.values()]) {
    if (group.processGroup !== target.pid) continue;
    const sent = sendChecked(call, group, signal, () => info);
    if (result !== 0) result = sent;
  }
  return result;
}

/** Whom a pidfd, PIDFD_SELF… or a directory of /proc means: -EBADF it is neither. */
function addressee(call: Call, pidfd: number): Addressee | number {
  const { process, system, thread } = call;
  if (pidfd === PIDFD_SELF_THREAD) return { target: thread.pidfdTarget(), thread, isThread: true };
  if (pidfd === PIDFD_SELF_THREAD_GROUP)
    return { target: process, thread: thread.group.leader, isThread: false };
  const file = fdGet(process, pidfd);
  const target = file === undefined ? undefined : (pidfdTarget(file) ?? processOfDirectory(file));
  if (file === undefined || target === undefined) return -EBADF;
  const isThread = pidfdTarget(file) !== undefined && (file.flags & PIDFD_THREAD) !== 0;
  return { target, thread: target.isReaped ? undefined : system.thread(target.pid), isThread };
}

function processMrelease(call: Call): number {
  const { system, process } = call;
  const isDying = (target: PidfdTask): boolean => {
    const group = system.groups.get(target.pid);
    return group !== undefined && (isKilled(group) || group.hasExited);
  };
  return sysProcessMrelease(processes(call), process, call.s32(0), call.u32(1), isDying);
}

/** SIGKILL was sent: nothing holds it off any more. */
function isKilled(group: ThreadGroup): boolean {
  return [group.pending, ...group.threads.map(({ signals }) => signals.pending)].some(({ set }) =>
    set.has(SIGKILL),
  );
}

/** The process that a pidfd of the caller's stands for, for waitid: its group, undefined when it was waited for. */
export function groupOfPidfd(call: Call, pidfd: number): { group?: ThreadGroup; file: File } | number {
  const file = fdGet(call.process, pidfd);
  const target = file === undefined ? undefined : pidfdTarget(file);
  if (file === undefined || target === undefined) return -EBADF;
  const task = pidfdGetTask(processes(call), call.process, pidfd);
  const group = typeof task === "number" ? undefined : call.system.groups.get(task.pid);
  return group === undefined ? { file } : { group, file };
}
