/**
 * Task: what a system call sees of its caller (task_struct): address space, descriptors, directory, limits, counts.
 *
 * The public Process and the machine's threads both are tasks, so that a system call has one implementation.
 */

import type { ShmNamespace } from "../ipc/shm-namespace.ts";
import {
  RLIM_INFINITY,
  RLIM_NLIMITS,
  RLIMIT_CORE,
  RLIMIT_MEMLOCK,
  RLIMIT_MSGQUEUE,
  RLIMIT_NICE,
  RLIMIT_NOFILE,
  RLIMIT_NPROC,
  RLIMIT_RTPRIO,
  RLIMIT_SIGPENDING,
  RLIMIT_STACK,
} from "../uapi/mman.ts";
import type { Capabilities } from "../vfs/capability.ts";
import type { Dentry } from "../vfs/dentry.ts";
import type { FdTable } from "../vfs/fd-table.ts";
import type { Ids } from "../vfs/ids.ts";
import type { MountNamespace } from "../vfs/mount.ts";
import type { MmActor } from "../vma/mm-actor.ts";
import type { MmStruct } from "../vma/mm-struct.ts";

/** Root, working directory and umask (fs_struct), shared by CLONE_FS. */
export class FsContext {
  readonly mounts: MountNamespace;
  root: Dentry;
  cwd: Dentry;
  umask = 0o022;

  constructor(mounts: MountNamespace, root: Dentry, cwd: Dentry) {
    this.mounts = mounts;
    this.root = root;
    this.cwd = cwd;
  }

  clone(): FsContext {
    const copy = new FsContext(this.mounts, this.root, this.cwd);
    copy.umask = this.umask;
    return copy;
  }
}

export interface Rlimit {
  /** Soft and hard limit; Infinity for none. */
  soft: number;
  hard: number;
}

/** The limits a process starts with (include/asm-generic/resource.h, fork_init). @param maxThreads kernel.threads-max */
export function initialRlimits(maxThreads: number): Rlimit[] {
  const limits = Array.from({ length: RLIM_NLIMITS }, () => ({ soft: RLIM_INFINITY, hard: RLIM_INFINITY }));
  limits[RLIMIT_STACK].soft = 8 * 2 ** 20;
  limits[RLIMIT_CORE].soft = 0;
  // Half of the threads that there may be are for one user, and as many signals.
  const half = Math.floor(maxThreads / 2);
  for (const resource of [RLIMIT_NPROC, RLIMIT_SIGPENDING]) limits[resource] = { soft: half, hard: half };
  limits[RLIMIT_MSGQUEUE] = { soft: 819_200, hard: 819_200 };
  // No user may raise priorities.
  limits[RLIMIT_NICE] = { soft: 0, hard: 0 };
  limits[RLIMIT_RTPRIO] = { soft: 0, hard: 0 };
  limits[RLIMIT_NOFILE] = { soft: 1024, hard: 4096 };
  limits[RLIMIT_MEMLOCK] = { soft: 8 * 2 ** 20, hard: 8 * 2 ** 20 };
  return limits;
}

export interface Task {
  readonly pid: number;
  /** What /proc/PID/comm says. */
  comm: string;
  mm: MmStruct;
  files: FdTable;
  fs: FsContext;
  /** The segments of shared memory that it can see (nsproxy.ipc_ns). */
  readonly ipc: ShmNamespace;
  /** The effective ids, whose rights it has. */
  uid: number;
  gid: number;
  /** Real, effective and saved ones. */
  readonly userIds: Ids;
  readonly groupIds: Ids;
  /** SECBIT_…: what a change of user and an exec do to its capabilities. */
  readonly securebits: number;
  /** Other groups that it is in, in order (group_info). */
  groups: readonly number[];
  /** null: those that follow from its user. */
  capabilities: Capabilities | null;
  readonly rlimits: Rlimit[];
  /** What of its limits and privileges the memory calls ask for. Invariant: as `rlimits` and `uid` say. */
  readonly actor: MmActor;
  /** It does what may take all memory that there is, and is the first to be killed for it (oom_task_origin). */
  isOomOrigin: boolean;
  /** Faults handled without and with storage I/O. */
  minFlt: number;
  majFlt: number;
}
