/** Who may look into another process (ptrace_may_access in kernel/ptrace.c). */

import { CAP_SYS_PTRACE } from "../uapi/capability.ts";
import { capabilitiesOf, capable, isSubset } from "../vfs/capability.ts";
import type { Task } from "./task.ts";

/**
 * Its own user and group may, unless it has asked not to be looked into, and root; a process may always look into itself,
 * and into what shares its memory.
 */
export function ptraceMayAccess(task: Task, target: Task): boolean {
  if (task === target || task.mm === target.mm || capable(task, CAP_SYS_PTRACE)) return true;
  const isOwn = task.uid === target.uid && task.gid === target.gid && target.mm.dumpable === 1;
  // Nobody sees into who has more powers (cap_ptrace_access_check).
  return isOwn && isSubset(capabilitiesOf(target).permitted, capabilitiesOf(task).effective);
}
