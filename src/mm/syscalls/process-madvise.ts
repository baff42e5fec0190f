/**
 * process_madvise(2): madvise for several ranges at once, of the caller's own memory or another process's (mm/madvise.c).
 *
 * On another's memory only advice that takes nothing away is possible.
 */

import type { Mmu } from "../fault/mmu.ts";
import type { UserSegment } from "../fault/user-iter.ts";
import { CAP_SYS_NICE } from "../uapi/capability.ts";
import { EACCES, EFAULT, EINVAL, EPERM, ESRCH } from "../uapi/errno.ts";
import { MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED } from "../uapi/mman.ts";
import { capable } from "../vfs/capability.ts";
import { doMadvise } from "./madvise.ts";
import { isOutside } from "./process-vm.ts";
import { mayAccessMm } from "./ptrace-access.ts";
import type { Task } from "./task.ts";

/** What may be said of another's memory (process_madvise_remote_valid; COLLAPSE is unknown without huge pages). */
const REMOTE: ReadonlySet<number> = new Set([MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED]);

/**
 * Bytes of the ranges before the first that failed; if that is the very first, its error. EFAULT a range beyond user
 * space; ESRCH no such process (`target` undefined), or one that has ended; EACCES not the caller's; EINVAL advice that
 * is not for another's memory; EPERM another's memory without the privilege.
 */
export function sysProcessMadvise(
  mmu: Mmu,
  task: Task,
  target: Task | undefined,
  ranges: readonly UserSegment[],
  advice: number,
): number {
  if (ranges.some((range) => isOutside(task, range))) return -EFAULT;
  if (target === undefined) return -ESRCH;
  if (!mayAccessMm(task, target)) return -EACCES;
  if (target.mm !== task.mm) {
    if (!REMOTE.has(advice)) return -EINVAL;
    if (!capable(task, CAP_SYS_NICE)) return -EPERM;
  }
  const total = ranges.reduce((sum, { len }) => sum + len, 0);
  let done = 0;
  for (const [index, { base, len }] of ranges.entries()) {
    // Linux walks the bytes of the ranges: it ends where none are left, and sees no empty range behind another.
    if (done === total) break;
    if (len === 0 && index > 0) continue;
    const failed = doMadvise(mmu, task, target.mm, base, len, advice);
    if (failed < 0) return done > 0 ? done : failed;
    done += len;
  }
  return done;
}
