/**
 * Nice values (kernel/sys.c): kept, told back and passed on to children. Turns are the same for all: with one hart and
 * virtual time, none would be the wiser for it.
 */

import type { Process } from "../../mm/kernel/process.ts";
import { CAP_SYS_NICE } from "../../mm/uapi/capability.ts";
import { EACCES, EINVAL, EPERM, ESRCH } from "../../mm/uapi/errno.ts";
import { RLIMIT_NICE } from "../../mm/uapi/mman.ts";
import { capable } from "../../mm/vfs/capability.ts";
import type { Thread, ThreadGroup } from "../thread.ts";
import type { Call, SyscallGroup } from "./call.ts";

const PRIO_PROCESS = 0;
const PRIO_PGRP = 1;
const PRIO_USER = 2;
const MIN_NICE = -20;
const MAX_NICE = 19;
/** A nice value as the calls and RLIMIT_NICE count, so that none is negative: 40 … 1. */
const positive = (nice: number): number => MAX_NICE + 1 - nice;

export const priorityCalls: SyscallGroup = [
  [140, "setpriority", 3, setpriority],
  [141, "getpriority", 2, getpriority],
];

/** The highest priority of those that the call names. */
function getpriority(call: Call): number {
  const threads = named(call);
  if (typeof threads === "number") return threads;
  return Math.max(...threads.map(({ nice }) => positive(nice)));
}

function setpriority(call: Call): number {
  const threads = named(call);
  if (typeof threads === "number") return threads;
  const nice = Math.min(MAX_NICE, Math.max(MIN_NICE, call.s32(2)));
  let result = 0;
  for (const thread of threads) {
    const failed = mayRenice(call, thread, nice);
    if (failed === 0) thread.nice = nice;
    else result = failed;
  }
  return result;
}

/** check_same_owner: the caller has the rights of who started the process, or of whose rights that has. */
export function isUserOf(call: Call, { userIds: { real, effective } }: Process): boolean {
  const { uid } = call.process;
  return uid === real || uid === effective;
}

/** Whether the caller may give the thread this nice value (set_one_prio, can_nice). */
export function mayRenice(call: Call, { group: { process }, nice: old }: Thread, nice: number): number {
  if (capable(call.process, CAP_SYS_NICE)) return 0;
  if (!isUserOf(call, process)) return -EPERM;
  return nice >= old || positive(nice) <= process.rlimits[RLIMIT_NICE].soft ? 0 : -EACCES;
}

/** The threads that `kind` (of number: argument 0) and argument 1 (the number; 0: the caller's) name: at least one, or negative errno. */
export function named(call: Call, kind: number = call.s32(0)): Thread[] | number {
  const { system, thread, process } = call;
  const who = call.s32(1);
  let found: Thread[];
  switch (kind) {
    case PRIO_PROCESS: {
      const one = who === 0 ? thread : system.thread(who);
      found = one === undefined ? [] : [one];
      break;
    }
    case PRIO_PGRP:
      found = threadsOf(
        call,
        (group) => group.processGroup === (who === 0 ? thread.group.processGroup : who),
      );
      break;
    case PRIO_USER:
      found = threadsOf(
        call,
        (group) => group.process.userIds.real === (who === 0 ? process.userIds.real : who),
      );
      break;
    default:
      return -EINVAL;
  }
  return found.length === 0 ? -ESRCH : found;
}

/** All threads of the processes that are meant; of a zombie its leader. */
function threadsOf({ system }: Call, isMeant: (group: ThreadGroup) => boolean): Thread[] {
  return [...system.groups.values()]
    .filter(isMeant)
    .flatMap(({ leader, threads }) => (threads.includes(leader) ? threads : [leader, ...threads]));
}
