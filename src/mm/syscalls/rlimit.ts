/** getrlimit(2), setrlimit(2), prlimit(2): the limits of a process (kernel/sys.c do_prlimit). */
import { EINVAL, EPERM } from "../uapi/errno.ts";
import {
  RLIM_NLIMITS,
  RLIMIT_AS,
  RLIMIT_DATA,
  RLIMIT_MEMLOCK,
  RLIMIT_NOFILE,
  RLIMIT_STACK,
} from "../uapi/mman.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import type { Rlimit, Task } from "./task.ts";

/** Most descriptors that any process may have (fs.nr_open). */
export const NR_OPEN: number = 2 ** 20;

/** The limit's values, or -EINVAL for one that does not exist. */
export function sysGetrlimit(task: Task, resource: number): Rlimit | number {
  if (!isResource(resource)) return -EINVAL;
  return { ...task.rlimits[resource] };
}

/** 0; EINVAL no such limit, or soft above hard; EPERM a hard limit raised without the privilege, or above fs.nr_open. */
export function sysSetrlimit(task: Task, resource: number, wanted: Readonly<Rlimit>): number {
  if (!isResource(resource) || wanted.soft > wanted.hard) return -EINVAL;
  if (resource === RLIMIT_NOFILE && wanted.hard > NR_OPEN) return -EPERM;
  const limit = task.rlimits[resource];
  if (wanted.hard > limit.hard && task.uid !== 0) return -EPERM;
  limit.soft = wanted.soft;
  limit.hard = wanted.hard;
  applyRlimits(task.mm, task.rlimits);
  return 0;
}

/** Brings an address space's limits to the task's: what is mapped from now on is checked against them. */
export function applyRlimits(mm: MmStruct, rlimits: readonly Readonly<Rlimit>[]): void {
  mm.rlimitData = rlimits[RLIMIT_DATA].soft;
  mm.rlimitDataMax = rlimits[RLIMIT_DATA].hard;
  mm.rlimitStack = rlimits[RLIMIT_STACK].soft;
  mm.rlimitMemlock = rlimits[RLIMIT_MEMLOCK].soft;
  mm.rlimitAs = rlimits[RLIMIT_AS].soft;
}

function isResource(resource: number): boolean {
  return Number.isInteger(resource) && resource >= 0 && resource < RLIM_NLIMITS;
}
