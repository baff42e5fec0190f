/**
 * What /proc needs to know of the kernel that it shows: handed in by the room above, which has the processes.
 *
 * Kernel and Process fit these interfaces as they are.
 */

import type { FaultingTask } from "../fault/faulting-task.ts";
import type { Mmu } from "../fault/mmu.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import type { Dentry } from "../vfs/dentry.ts";
import type { FdTable } from "../vfs/fd-table.ts";
import type { Credentials } from "../vfs/inode.ts";
import type { MountNamespace } from "../vfs/mount.ts";
import type { Arch } from "../vma/arch.ts";
import type { MmStruct } from "../vma/mm-struct.ts";

/** A process, as its directory in /proc shows it. */
export interface ProcTask extends FaultingTask, Credentials {
  comm: string;
  readonly files: FdTable;
  readonly fs: { readonly root: Dentry; readonly cwd: Dentry; readonly umask: number };
  readonly rlimits: readonly { readonly soft: number; readonly hard: number }[];
  readonly parent: { readonly pid: number } | null;
  readonly childMinFlt: number;
  readonly childMajFlt: number;
  /** Wait status once it has ended, null while it lives. */
  readonly exitStatus: number | null;
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
  mmapMinAddr: number;
  readonly randomizesAddresses: boolean;
}

/** The whole of what /proc shows. */
export interface ProcHost extends ProcessTable {
  readonly phys: PhysicalMemory;
  readonly arch: Arch;
  readonly mmu: Mmu;
  readonly mounts: MountNamespace;
  /** Nanoseconds since the epoch. */
  readonly now: () => number;
  readonly sysctl: Sysctl;
  readonly vmscan: ReclaimSysctl;
}

/** The settings of reclaim. */
export interface ReclaimSysctl {
  swappiness: number;
  oomKillAllocatingTask: boolean;
  oomDumpTasks: boolean;
}

/** The address space, null once the process has ended (get_task_mm). */
export function mmOf(task: ProcTask): MmStruct | null {
  return task.exitStatus === null ? task.mm : null;
}

/** Whether `who` may look into the process's memory (ptrace_may_access): its own user may, and root. */
export function mayInspect(who: Credentials, task: ProcTask): boolean {
  return who.uid === 0 || (who.uid === task.uid && who.gid === task.gid);
}
