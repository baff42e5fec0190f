/** Who may look into another process (ptrace_may_access in kernel/ptrace.c). */
import type { Task } from "./task.ts";

/**
 * Its own user and group may, unless it has asked not to be looked into, and root; a process may always look into itself,
 * and into what shares its memory.
 */
export function ptraceMayAccess(task: Task, target: Task): boolean {
  if (task === target || task.mm === target.mm || task.uid === 0) return true;
  return task.uid === target.uid && task.gid === target.gid && target.mm.dumpable === 1;
}
