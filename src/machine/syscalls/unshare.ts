/**
 * unshare: the caller has for itself what it had in common with others (ksys_unshare in kernel/fork.c). Memory, signal actions and
 * the thread group can't be parted: to ask for them is to ask whether nobody shares them.
 */
import { unshareFiles } from "../../mm/kernel/task-lifecycle.ts";
import { CAP_SYS_ADMIN } from "../../mm/uapi/capability.ts";
import { EINVAL, EPERM } from "../../mm/uapi/errno.ts";
import { capable } from "../../mm/vfs/capability.ts";
import {
  CLONE_FILES,
  CLONE_FS,
  CLONE_NEW_ANY,
  CLONE_NEWUSER,
  CLONE_SIGHAND,
  CLONE_SYSVSEM,
  CLONE_THREAD,
  CLONE_VM,
} from "../life/fork.ts";
import type { Call, SyscallGroup } from "./call.ts";

const UNSHARED: number = CLONE_FS | CLONE_FILES | CLONE_SYSVSEM;
const ASKED: number = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;

export const unshareCalls: SyscallGroup = [[97, "unshare", 1, unshare]];

function unshare(call: Call): number {
  const flags = call.s32(0);
  const refused = checkFlags(call, flags);
  if (refused !== 0) return refused;
  const { process, thread, system } = call;
  if ((flags & CLONE_FILES) !== 0) {
    const failed = unshareFiles(process);
    if (failed !== 0) return failed;
  }
  if ((flags & CLONE_FS) !== 0) process.fs = process.fs.clone();
  if ((flags & CLONE_SYSVSEM) !== 0) system.kernel.semaphores.exit(process, thread);
  return 0;
}

/** check_unshare_flags, and that there are no namespaces. */
function checkFlags(call: Call, flags: number): number {
  const { group } = call.thread;
  const { process } = group;
  if ((flags & ~(UNSHARED | ASKED | CLONE_NEW_ANY)) !== 0) return -EINVAL;
  // Threads have one table of descriptors and one working directory here.
  if ((flags & (ASKED | CLONE_FS | CLONE_FILES)) !== 0 && group.threads.length > 1) return -EINVAL;
  if ((flags & (CLONE_SIGHAND | CLONE_VM)) !== 0) {
    for (const other of call.system.groups.values()) {
      if (other !== group && !other.hasExited && other.handlers === group.handlers) return -EINVAL;
    }
  }
  if ((flags & CLONE_VM) !== 0 && process.mm.users > 1) return -EINVAL;
  if ((flags & CLONE_NEW_ANY) === 0) return 0;
  return capable(process, CAP_SYS_ADMIN) || (flags & CLONE_NEWUSER) !== 0 ? -EINVAL : -EPERM;
}
