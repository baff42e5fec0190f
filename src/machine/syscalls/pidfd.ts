/** Calls on processes by descriptor: opening one, a file of theirs, a signal to them, their memory (kernel/pid.c, signal.c). */
import { fdGet } from "../../mm/syscalls/fd.ts";
import {
  liveTask,
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
import { pidfdTarget, processOfDirectory } from "../../mm/vfs/pidfd.ts";
import { SIGINFO_BYTES, SigInfo, userInfo } from "../signals/siginfo.ts";
import { SI_TKILL, SI_USER, SIGKILL } from "../signals/signal-numbers.ts";
import type { ThreadGroup } from "../thread.ts";
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

/** A thread that leads no process is nobody who can be opened as one; as a thread (PIDFD_THREAD) it can't be here. */
function pidfdOpen(call: Call): number {
  const [pid, flags] = [call.s32(0), call.u32(1)];
  const opened = sysPidfdOpen(processes(call), call.process, pid, flags);
  if (opened !== -ESRCH || call.system.thread(pid) === undefined) return opened;
  return (flags & PIDFD_THREAD) === 0 ? -ENOENT : -EINVAL;
}

/** One flag at most, or none: then it is for whom the pidfd was opened, a thread or the process. */
const SIGNAL_FLAGS: ReadonlySet<number> = new Set([
  0,
  PIDFD_SIGNAL_THREAD,
  PIDFD_SIGNAL_THREAD_GROUP,
  PIDFD_SIGNAL_PROCESS_GROUP,
]);

function pidfdSendSignal(call: Call): number {
  const { system, process, thread } = call;
  const pidfd = call.s32(0);
  const signal = call.s32(1);
  const flags = call.u32(3);
  if (!SIGNAL_FLAGS.has(flags)) return -EINVAL;
  const isSelf = pidfd === PIDFD_SELF_THREAD || pidfd === PIDFD_SELF_THREAD_GROUP;
  const file = isSelf ? undefined : fdGet(process, pidfd);
  if (!isSelf && file === undefined) return -EBADF;
  const target = file === undefined ? process : signalTarget(call, file);
  if (target === -EBADF) return target;
  const isForThread =
    flags === PIDFD_SIGNAL_THREAD ||
    (flags === 0 && (pidfd === PIDFD_SELF_THREAD || ((file?.flags ?? 0) & PIDFD_THREAD) !== 0));
  let info = userInfo(signal, isForThread ? SI_TKILL : SI_USER, process.pid, process.userIds.real);
  if (call.u64(2) !== 0) {
    const raw = call.get(call.u64(2), SIGINFO_BYTES);
    if (raw === undefined) return -EFAULT;
    if (raw.s32(0) !== signal) return -EINVAL;
    // Only to itself may a process say anything of where a signal comes from.
    const code = raw.s32(8);
    const isOther = target !== process || flags === PIDFD_SIGNAL_PROCESS_GROUP;
    if (isOther && (code >= 0 || code === SI_TKILL)) return -EPERM;
    info = new SigInfo(raw.bytes);
  }
  if (typeof target === "number") return target;
  const groups = [...system.groups.values()].filter((group) =>
    flags === PIDFD_SIGNAL_PROCESS_GROUP ? group.processGroup === target.pid : group.process === target,
  );
  let result = -ESRCH;
  for (const group of groups) {
    const to = isForThread ? (group === thread.group ? thread : group.leader) : undefined;
    const sent = sendChecked(call, group, signal, () => info, to);
    if (result !== 0) result = sent;
  }
  return result;
}

/** The process behind a pidfd or a directory of /proc. */
function signalTarget(call: Call, file: File): PidfdTask | number {
  const target = pidfdTarget(file) ?? processOfDirectory(file);
  return target === undefined ? -EBADF : liveTask(processes(call), target);
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
