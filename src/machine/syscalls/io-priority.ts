/**
 * Priorities of a thread's transfers (block/ioprio.c): kept, told back and inherited. Nothing waits for a disk here, so that
 * nobody overtakes anybody.
 *
 * ```
 *   13 … 15 class: 0 none, 1 real time, 2 best effort, 3 idle      3 … 12 hint      0 … 2 level, 0 the highest
 * ```
 */
import { CAP_SYS_ADMIN, CAP_SYS_NICE } from "../../mm/uapi/capability.ts";
import { EINVAL, EPERM } from "../../mm/uapi/errno.ts";
import { capable } from "../../mm/vfs/capability.ts";
import type { Thread } from "../thread.ts";
import type { Call, SyscallGroup } from "./call.ts";
import { named } from "./priority.ts";
import { isRealTime, SCHED_IDLE } from "./sched.ts";

const IOPRIO_WHO_PROCESS = 1;
const CLASS_SHIFT = 13;
const LEVEL_MASK = 7;
const CLASS_NONE = 0;
const CLASS_RT = 1;
const CLASS_BE = 2;
const CLASS_IDLE = 3;

export const ioPriorityCalls: SyscallGroup = [
  [30, "ioprio_set", 3, ioprioSet],
  [31, "ioprio_get", 2, ioprioGet],
];

function ioprioSet(call: Call): number {
  const { process } = call;
  const wanted = call.u32(2) & 0xffff;
  const kind = wanted >> CLASS_SHIFT;
  if (kind > CLASS_IDLE || (kind === CLASS_NONE && (wanted & LEVEL_MASK) !== 0)) return -EINVAL;
  if (kind === CLASS_RT && !capable(process, CAP_SYS_ADMIN) && !capable(process, CAP_SYS_NICE)) return -EPERM;
  const threads = whoseOf(call);
  if (typeof threads === "number") return threads;
  for (const thread of threads) {
    const owner = thread.group.process.userIds.real;
    const isOwn = owner === process.userIds.effective || owner === process.userIds.real;
    if (!isOwn && !capable(process, CAP_SYS_NICE)) return -EPERM;
    thread.ioPriority = wanted;
  }
  return 0;
}

/** Of a thread what was set; of several the highest that one has, by its nice value where none was set. */
function ioprioGet(call: Call): number {
  const threads = whoseOf(call);
  if (typeof threads === "number") return threads;
  if (call.s32(0) === IOPRIO_WHO_PROCESS) return threads[0].ioPriority;
  return Math.min(...threads.map(effective));
}

/** IOPRIO_WHO_… are PRIO_… and one. */
function whoseOf(call: Call): Thread[] | number {
  return named(call, call.s32(0) - IOPRIO_WHO_PROCESS);
}

/** __get_task_ioprio */
function effective({ ioPriority, nice, sched: { policy } }: Thread): number {
  if (ioPriority >> CLASS_SHIFT !== CLASS_NONE) return ioPriority;
  const kind = policy === SCHED_IDLE ? CLASS_IDLE : isRealTime(policy) ? CLASS_RT : CLASS_BE;
  return (kind << CLASS_SHIFT) | Math.floor((nice + 20) / 5);
}
