/**
 * A stack grows by being touched: a fault below a VM_GROWSDOWN mapping moves its start down to the fault
 * (expand_downwards in mm/vma.c).
 *
 * It stops at RLIMIT_STACK, and it keeps a guard gap of 256 pages to the next lower mapping, so that a function with
 * large locals faults in the gap instead of silently writing into somebody else's memory.
 */
import { PAGE_SIZE, pageAlignDown, type Vaddr } from "../page.ts";
import { EFAULT, ENOMEM, EPERM } from "../uapi/errno.ts";
import { mayExpandVm, mlockFutureOk, vmStatAccount } from "./accounting.ts";
import { anonVmaPrepare } from "./anon-vma.ts";
import { vmEnoughMemory } from "./overcommit.ts";
import type { VmArea } from "./vm-area.ts";
import { VM_ACCESS_FLAGS, VM_ACCOUNT, VM_GROWSDOWN, VM_LOCKED } from "./vm-flags.ts";
import { setVmaRange } from "./vma-lifetime.ts";

/** Lowers the start of `vma` to the page of `address` and counts the pages. 0, or −EFAULT, −EPERM, −ENOMEM. */
export function expandDownwards(vma: VmArea, address: Vaddr): number {
  if ((vma.flags & VM_GROWSDOWN) === 0) return -EFAULT;
  const { mm, prev } = vma;
  const start = pageAlignDown(address);
  if (start < mm.mmapMinAddr) return -EPERM;
  if (prev !== null) {
    if (start < prev.end) return -ENOMEM;
    const guarded = (prev.flags & VM_GROWSDOWN) === 0 && (prev.flags & VM_ACCESS_FLAGS) !== 0;
    if (guarded && start - prev.end < mm.stackGuardGap) return -ENOMEM;
  }
  if (anonVmaPrepare(vma) !== 0) return -ENOMEM;
  if (start >= vma.start) return 0;
  const grow = (vma.start - start) / PAGE_SIZE;
  if (grow > vma.pgoff) return -ENOMEM;
  if (!mayExpandVm(mm, vma.flags, grow)) return -ENOMEM;
  if (vma.end - start > mm.rlimitStack) return -ENOMEM;
  if (!mlockFutureOk(mm, vma.flags, grow * PAGE_SIZE)) return -ENOMEM;
  if (!vmEnoughMemory(mm, grow)) return -ENOMEM;
  if ((vma.flags & VM_ACCOUNT) === 0) mm.phys.commit.lost += grow;
  if ((vma.flags & VM_LOCKED) !== 0) mm.lockedVm += grow;
  vmStatAccount(mm, vma.flags, grow);
  setVmaRange(vma, start, vma.end, vma.pgoff - grow);
  return 0;
}
