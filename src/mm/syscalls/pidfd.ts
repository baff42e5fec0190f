/**
 * pidfd_open, pidfd_getfd and process_mrelease: what is done with a process through a descriptor for it (kernel/pid.c,
 * mm/oom_kill.c). Signals and waiting belong to whoever runs the processes.
 */
import { zapPages } from "../rmap/zap.ts";
import { EBADF, EINVAL, EPERM, ESRCH } from "../uapi/errno.ts";
import { PIDFD_NONBLOCK, PIDFD_SELF_THREAD, PIDFD_SELF_THREAD_GROUP, PIDFD_THREAD } from "../uapi/pidfd.ts";
import type { File } from "../vfs/file.ts";
import { newPidfd, type PidfdTarget, pidfdTarget } from "../vfs/pidfd.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { VM_SHARED } from "../vma/vm-flags.ts";
import { fdGet, fdInstall } from "./fd.ts";
import { ptraceMayAccess } from "./ptrace-access.ts";
import type { Task } from "./task.ts";

/** A process that pidfds can stand for. */
export interface PidfdTask extends Task, PidfdTarget {
  /** Its memory; null where it, or its first thread alone, has ended. */
  readonly taskMm: MmStruct | null;
}

/** Processes by number, those that have ended but were not waited for included. */
export type TasksByPid = ReadonlyMap<number, PidfdTask>;

/**
 * pidfd_open(2): a descriptor for process `pid`, close-on-exec. EINVAL for a flag beside PIDFD_NONBLOCK and PIDFD_THREAD
 * or a number that is not positive, ESRCH no such process.
 */
export function sysPidfdOpen(tasks: TasksByPid, task: Task, pid: number, flags: number): number {
  if ((flags & ~(PIDFD_NONBLOCK | PIDFD_THREAD)) !== 0 || pid <= 0) return -EINVAL;
  const target = tasks.get(pid);
  if (target === undefined) return -ESRCH;
  return fdInstall(task, newPidfd(task.fs.mounts, target, flags), /* cloexec */ true);
}

/**
 * The process that a pidfd stands for, PIDFD_SELF… included (pidfd_get_task): -EBADF no pidfd, -ESRCH it was waited for, or
 * the pidfd is one of a thread that does not lead its process.
 */
export function pidfdGetTask(tasks: TasksByPid, task: Task, pidfd: number): PidfdTask | number {
  if (pidfd === PIDFD_SELF_THREAD || pidfd === PIDFD_SELF_THREAD_GROUP) return tasks.get(task.pid) ?? -ESRCH;
  const file = fdGet(task, pidfd);
  return file === undefined ? -EBADF : taskOfPidfd(tasks, file);
}

/** The process that an open file stands for: -EBADF it is no pidfd, -ESRCH it was waited for, or it is a thread. */
export function taskOfPidfd(tasks: TasksByPid, file: File): PidfdTask | number {
  const target = pidfdTarget(file);
  return target === undefined ? -EBADF : liveTask(tasks, target);
}

/** The process that was meant, unless it was waited for: -ESRCH, whoever may have its number now. */
export function liveTask(tasks: TasksByPid, target: PidfdTarget): PidfdTask | number {
  const found = tasks.get(target.pid);
  return found === target ? found : -ESRCH;
}

/**
 * pidfd_getfd(2): the other process's descriptor `targetFd` as one of the caller's, close-on-exec. EINVAL for flags; EBADF
 * no pidfd, or the other has no such descriptor; ESRCH it has ended; EPERM it is not the caller's; EMFILE.
 */
export function sysPidfdGetfd(
  tasks: TasksByPid,
  task: Task,
  pidfd: number,
  targetFd: number,
  flags: number,
): number {
  if (flags !== 0) return -EINVAL;
  const pidfdFile = fdGet(task, pidfd);
  if (pidfdFile === undefined) return -EBADF;
  const meant = pidfdTarget(pidfdFile);
  if (meant === undefined) return -EBADF;
  const target = meant.isReaped ? -ESRCH : liveTask(tasks, meant.threadOf ?? meant);
  if (typeof target === "number") return target;
  if (!ptraceMayAccess(task, target)) return -EPERM;
  // Of a first thread that has ended before the others nothing is left; one of those still shows their descriptors.
  if (meant === target && target.taskMm === null) return -ESRCH;
  const file = target.files.get(targetFd);
  if (file === undefined) return -EBADF;
  file.get();
  return fdInstall(task, file, /* cloexec */ true);
}

/**
 * process_mrelease(2): takes the private memory of a process that was killed, before it gets around to ending. EINVAL for
 * flags, or the process is not being killed; EBADF no pidfd; ESRCH its memory is gone already.
 *
 * @param isDying whether a process was sent SIGKILL and can do nothing but end
 */
export function sysProcessMrelease(
  tasks: TasksByPid,
  task: Task,
  pidfd: number,
  flags: number,
  isDying: (target: PidfdTask) => boolean,
): number {
  if (flags !== 0) return -EINVAL;
  const target = pidfdGetTask(tasks, task, pidfd);
  if (typeof target === "number") return target;
  if (target.exitStatus !== null) return -ESRCH;
  const { mm } = target;
  // All who share the memory have to be dying (task_will_free_mem).
  for (const other of tasks.values()) {
    if (other.exitStatus === null && other.mm === mm && !isDying(other)) return -EINVAL;
  }
  for (const vma of mm.vmas) {
    if ((vma.flags & VM_SHARED) === 0) zapPages(mm, vma, vma.start, vma.end);
  }
  return 0;
}
