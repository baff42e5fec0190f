/**
 * What /proc needs to know of the kernel that it shows: handed in by the room above, which has the processes.
 *
 * Kernel and Process fit these interfaces as they are.
 */

import type { FaultingTask } from "../fault/faulting-task.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import type { MessageQueues } from "../ipc/message-queues.ts";
import type { Semaphores } from "../ipc/semaphores.ts";
import type { ShmNamespace } from "../ipc/shm-namespace.ts";
import { CAP_SYS_PTRACE } from "../uapi/capability.ts";
import type { UtsNames } from "../uapi/utsname.ts";
import { capabilitiesOf, capable, isSubset } from "../vfs/capability.ts";
import type { Dentry } from "../vfs/dentry.ts";
import type { FdTable } from "../vfs/fd-table.ts";
import { areAll, type Ids } from "../vfs/ids.ts";
import type { Actor, Credentials } from "../vfs/inode.ts";
import type { MountNamespace } from "../vfs/mount.ts";
import type { PidfdTarget } from "../vfs/pidfd.ts";
import type { Arch } from "../vma/arch.ts";
import type { Mempolicy } from "../vma/mempolicy.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import type { RemoteAccess } from "./remote-access.ts";

/** A set of the signals 1 … 64: signal n is bit n − 1. */
export interface SignalBits {
  readonly low: number;
  readonly high: number;
}

/** What only whoever runs a thread knows of it. Times are nanoseconds. */
export interface ThreadActivity {
  readonly tid: number;
  /** What a pidfd for it alone stands for. */
  readonly pidfdTarget: PidfdTarget;
  comm: string;
  readonly hasExited: boolean;
  /** "R (running)" and so on, as status says it. */
  readonly state: string;
  readonly userNs: number;
  readonly minFlt: number;
  readonly majFlt: number;
  /** When it began, since boot. */
  readonly startNs: number;
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
  /** −20 … 19 */
  readonly nice: number;
  /** SCHED_…, and with the two of real time a priority of 1 … 99, else 0. */
  readonly policy: number;
  readonly realTimePriority: number;
  readonly mempolicy: Mempolicy | null;
  readonly pending: SignalBits;
  readonly blocked: SignalBits;
}

/** What only whoever runs a process knows of it. Times are nanoseconds. */
export interface TaskActivity {
  /** Those that have not exited, and the leader, which comes first; it waits for the others even when it has exited. */
  readonly threads: readonly ThreadActivity[];
  /** "R (running)" and so on, as status says it. */
  readonly state: string;
  readonly processGroup: number;
  readonly session: number;
  /** Device number of its controlling terminal, and the process group in the foreground of that. */
  readonly terminal: { readonly rdev: number; readonly foreground: number } | undefined;
  readonly userNs: number;
  readonly systemNs: number;
  /** The same of the children it waited for. */
  readonly childUserNs: number;
  readonly childSystemNs: number;
  /** When it began, since boot. */
  readonly startNs: number;
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
  /** What its parent is sent when it ends. */
  readonly exitSignal: number;
  readonly personality: number;
  readonly noNewPrivileges: boolean;
  /** How late a timer of its may be. Setting 0 brings the default back. */
  timerSlackNs: number;
  /** Signals that wait for it, all told. */
  readonly queuedSignals: number;
  readonly pending: SignalBits;
  readonly sharedPending: SignalBits;
  readonly blocked: SignalBits;
  readonly ignored: SignalBits;
  readonly caught: SignalBits;
}

/** What only whoever runs the processes knows of the whole. */
export interface SystemActivity {
  /** Time since boot, and how much of it the one CPU was busy. */
  readonly uptimeNs: number;
  readonly busyNs: number;
  readonly contextSwitches: number;
  /** Number of the thread that runs, 0 for none. */
  readonly currentTid: number;
  /** Threads, zombies included, those that can run, and those that wait and can't be interrupted. */
  readonly threads: number;
  readonly running: number;
  readonly blocked: number;
  /** Exponential means of how many threads could run, over 1, 5 and 15 minutes, in 2048ths (avenrun). */
  readonly loads: readonly number[];
}

/** A process, as its directory in /proc shows it. */
export interface ProcTask extends FaultingTask, Credentials, PidfdTarget {
  /** null: nobody runs it; it was made, and what it does is done for it from outside. */
  readonly activity: TaskActivity | null;
  readonly userIds: Ids;
  readonly groupIds: Ids;
  /** Whether its user may look into it; not once it has asked that nobody may. */
  readonly isDumpable: boolean;
  comm: string;
  /** From which memory nodes it wants its memory. */
  readonly mempolicy: Mempolicy | null;
  readonly files: FdTable;
  readonly fs: { readonly root: Dentry; readonly cwd: Dentry; readonly umask: number };
  readonly rlimits: readonly { readonly soft: number; readonly hard: number }[];
  readonly parent: { readonly pid: number } | null;
  readonly childMinFlt: number;
  readonly childMajFlt: number;
  /** −1000 … 1000; the least that its own user may lower it to. */
  oomScoreAdj: number;
  oomScoreAdjMin: number;
}

/** The processes by pid, those that have ended but were not waited for included. */
export interface ProcessTable {
  readonly processes: ReadonlyMap<number, ProcTask>;
}

/** The values behind /proc/sys. Setting one has its effect at once. */
export interface Sysctl {
  maxMapCount: number;
  /** Files that the event polls of a user may watch. */
  epollMaxUserWatches: number;
  mmapMinAddr: number;
  /** kernel.threads-max: processes and threads that there may be. */
  maxThreads: number;
  /** Address spaces that are made from now on place mappings from the bottom up. */
  legacyVaLayout: number;
  /** Random bits of where mappings begin, in address spaces that are made from now on. */
  mmapRndBits: number;
  randomizeVaSpace: number;
  /** Why nobody should trust the kernel: bits that only somebody who writes them sets. */
  tainted: bigint;
  /** vm.numa_stat: events of memory nodes are counted, from `numaStatFrom` allocations on. */
  numaStat: boolean;
  numaStatFrom: number;
}

/** The whole of what /proc shows. */
export interface ProcHost extends ProcessTable, RemoteAccess {
  readonly phys: PhysicalMemory;
  readonly arch: Arch;
  readonly mounts: MountNamespace;
  /** Nanoseconds since the epoch; and what that was at boot. */
  readonly now: () => number;
  readonly bootNs: number;
  readonly utsNames: UtsNames;
  /** As `now`, after it was set. */
  readonly timeOfDay: () => number;
  /** null: no program runs. */
  readonly activity: SystemActivity | null;
  /** Numbers of threads that lead no process. */
  readonly threadIds: { has(tid: number): boolean };
  /** kernel.pid_max with its bounds, and the number given out last. */
  readonly pids: { max: number; readonly maxBounds: { min: number; max: number }; readonly last: number };
  /** Processes and threads made since boot. */
  readonly totalForks: number;
  readonly sysctl: Sysctl;
  readonly ipc: ShmNamespace;
  readonly messages: MessageQueues;
  readonly semaphores: Semaphores;
  readonly vmscan: ReclaimSysctl;
}

/** The settings of reclaim. */
export interface ReclaimSysctl {
  swappiness: number;
  panicOnOom: number;
  oomKillAllocatingTask: boolean;
  oomDumpTasks: boolean;
}

/**
 * Whether the thread that a directory shows has ended: it has no memory, descriptors and folders then, also where others of its
 * process have. /proc/PID shows the first one, which can end before the others.
 */
export function hasExited(
  task: ProcTask,
  thread: ThreadActivity | undefined = task.activity?.threads[0],
): boolean {
  return task.exitStatus !== null || thread?.hasExited === true;
}

/** The thread's address space, null once it has ended (get_task_mm). @param thread undefined: the first one */
export function mmOf(task: ProcTask, thread?: ThreadActivity): MmStruct | null {
  return hasExited(task, thread) ? null : task.mm;
}

/**
 * Whether `who` may look into the process's memory (ptrace_may_access): its own user may unless it has asked not to be looked
 * into, the process itself, and root.
 */
export function mayInspect(who: Actor, task: ProcTask): boolean {
  if (who.pid === task.pid || capable(who, CAP_SYS_PTRACE)) return true;
  const isOwn = areAll(who.uid, task.userIds) && areAll(who.gid, task.groupIds) && task.isDumpable;
  return isOwn && isSubset(capabilitiesOf(task).permitted, capabilitiesOf(who).permitted);
}
