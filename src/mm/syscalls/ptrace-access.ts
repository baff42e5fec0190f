/** Who may look into another process (ptrace_may_access in kernel/ptrace.c). */

import { CAP_SYS_PTRACE } from "../uapi/capability.ts";
import { capabilitiesOf, capable, isSubset } from "../vfs/capability.ts";
import { areAll } from "../vfs/ids.ts";
import type { Task } from "./task.ts";

/** Its own user and group may, unless it has asked not to be looked into, and root; a process may always look into itself. */
export function ptraceMayAccess(task: Task, target: Task): boolean {
  if (task === target || capable(task, CAP_SYS_PTRACE)) return true;
  // Whoever started the caller, not whose rights it has (PTRACE_MODE_REALCREDS).
  const isOwn =
    areAll(task.userIds.real, target.userIds) &&
    areAll(task.groupIds.real, target.groupIds) &&
    target.mm.dumpable === 1;
  // Nobody sees into who has more powers (cap_ptrace_access_check).
  return isOwn && isSubset(capabilitiesOf(target).permitted, capabilitiesOf(task).effective);
}

/** Who may work on another's memory: who may look into it, and whose own memory it is (mm_access in kernel/fork.c). */
export function mayAccessMm(task: Task, target: Task): boolean {
  return task.mm === target.mm || ptraceMayAccess(task, target);
}
