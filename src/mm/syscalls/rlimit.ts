/** getrlimit(2), setrlimit(2), prlimit(2): the limits of a process (kernel/sys.c do_prlimit). */

import { CAP_SYS_RESOURCE } from "../uapi/capability.ts";
import { EINVAL, EPERM } from "../uapi/errno.ts";
import {
  RLIM_NLIMITS,
  RLIMIT_AS,
  RLIMIT_DATA,
  RLIMIT_MEMLOCK,
  RLIMIT_NOFILE,
  RLIMIT_STACK,
} from "../uapi/mman.ts";
import { capable } from "../vfs/capability.ts";
import type { MmActor } from "../vma/mm-actor.ts";
import type { Rlimit, Task } from "./task.ts";

/** Most descriptors that any process may have (fs.nr_open). */
export const NR_OPEN: number = 2 ** 20;

/** The limit's values, or -EINVAL for one that does not exist. */
export function sysGetrlimit(task: Task, resource: number): Rlimit | number {
  if (!isResource(resource)) return -EINVAL;
  return { ...task.rlimits[resource] };
}

/**
 * Sets a limit of `task`: 0; EINVAL no such limit, or soft above hard; EPERM a hard limit raised without the privilege, or
 * above fs.nr_open. `by` makes the call, for itself or (prlimit) for another.
 */
export function sysSetrlimit(
  task: Task,
  resource: number,
  wanted: Readonly<Rlimit>,
  by: Task = task,
): number {
  if (!isResource(resource) || wanted.soft > wanted.hard) return -EINVAL;
  if (resource === RLIMIT_NOFILE && wanted.hard > NR_OPEN) return -EPERM;
  const limit = task.rlimits[resource];
  if (wanted.hard > limit.hard && !capable(by, CAP_SYS_RESOURCE)) return -EPERM;
  limit.soft = wanted.soft;
  limit.hard = wanted.hard;
  applyRlimits(task.actor, task.rlimits);
  return 0;
}

/** Says the limits where the memory calls look: what is mapped from now on is checked against them. */
export function applyRlimits(actor: MmActor, rlimits: readonly Readonly<Rlimit>[]): void {
  actor.rlimitData = rlimits[RLIMIT_DATA].soft;
  actor.rlimitDataMax = rlimits[RLIMIT_DATA].hard;
  actor.rlimitStack = rlimits[RLIMIT_STACK].soft;
  actor.rlimitMemlock = rlimits[RLIMIT_MEMLOCK].soft;
  actor.rlimitAs = rlimits[RLIMIT_AS].soft;
}

function isResource(resource: number): boolean {
  return Number.isInteger(resource) && resource >= 0 && resource < RLIM_NLIMITS;
}
