/**
 * mprotect(2): changes what a range may be used for (mm/mprotect.c).
 *
 * Works mapping by mapping from the start and stops at the first one that refuses or at a hole: what lies before is
 * changed by then, and stays so.
 */
import { changeProtection } from "../fault/change-protection.ts";
import type { Mmu } from "../fault/mmu.ts";
import { mmPopulate } from "../fault/populate.ts";
import { isPageAligned, PAGE_SIZE, pageAlign, type Vaddr } from "../page.ts";
import { EACCES, EINVAL, ENOMEM, EPERM } from "../uapi/errno.ts";
import { PROT_EXEC, PROT_GROWSDOWN, PROT_GROWSUP, PROT_READ, PROT_WRITE } from "../uapi/mman.ts";
import { mayExpandVm, vmStatAccount } from "../vma/accounting.ts";
import { mapDenyWriteExec } from "../vma/deny-write-exec.ts";
import { vmEnoughMemory } from "../vma/overcommit.ts";
import type { VmArea } from "../vma/vm-area.ts";
import {
  VM_ACCESS_FLAGS,
  VM_ACCOUNT,
  VM_GROWSDOWN,
  VM_HUGETLB,
  VM_LOCKED,
  VM_MAYEXEC,
  VM_NORESERVE,
  VM_SEALED,
  VM_SHARED,
  VM_WRITE,
} from "../vma/vm-flags.ts";
import { setVmaFlags } from "../vma/vma-lifetime.ts";
import { vmaModify } from "../vma/vma-modify.ts";
import { protToVmFlags, readImpliesExec } from "./mmap.ts";
import type { Task } from "./task.ts";

/** PROT_SEM: accepted and without effect on both architectures. */
const PROT_SEM = 0x8;

/**
 * Errors: EINVAL unaligned, inside of a huge page, unknown protection bits, both GROWS bits, or one of them on a mapping that does not grow;
 * ENOMEM a hole, or a split beyond max_map_count; EACCES more than the file's descriptor allowed.
 */
export function sysMprotect(mmu: Mmu, task: Task, addr: Vaddr, len: number, protAndGrows: number): number {
  const { mm } = task;
  const grows = protAndGrows & (PROT_GROWSDOWN | PROT_GROWSUP);
  const prot = protAndGrows & ~(PROT_GROWSDOWN | PROT_GROWSUP);
  if (grows === (PROT_GROWSDOWN | PROT_GROWSUP)) return -EINVAL;
  if (!isPageAligned(addr)) return -EINVAL;
  if (len === 0) return 0;
  const end = addr + pageAlign(len);
  if (pageAlign(len) >= 2 ** 64 || end >= 2 ** 64) return -ENOMEM;
  if ((prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM)) !== 0) return -EINVAL;
  let start: number = addr;
  let vma = mm.vmas.findIntersection(start, end);
  if (vma === null) return -ENOMEM;
  if ((grows & PROT_GROWSDOWN) !== 0) {
    start = vma.start;
    if ((vma.flags & VM_GROWSDOWN) === 0) return -EINVAL;
  } else {
    if (vma.start > start) return -ENOMEM;
    // Stacks grow down on both architectures: nothing grows up.
    if ((grows & PROT_GROWSUP) !== 0) return -EINVAL;
  }
  for (let at = start; at < end; ) {
    vma = mm.vmas.lookup(at);
    if (vma === null) return -ENOMEM;
    const getsExec = readImpliesExec(mm, prot) && (vma.flags & VM_MAYEXEC) !== 0;
    const flags = protToVmFlags(getsExec ? prot | PROT_EXEC : prot) | (vma.flags & ~VM_ACCESS_FLAGS);
    if ((flags & ~(flags >> 4) & VM_ACCESS_FLAGS) !== 0) return -EACCES;
    if (mapDenyWriteExec(mm, vma.flags, flags)) return -EACCES;
    const upTo = Math.min(vma.end, end);
    const failed = mprotectFixup(mmu, task, vma, at, upTo, flags);
    if (failed !== 0) return failed;
    at = upTo;
  }
  return 0;
}

/** Changes start … end of `vma` to `flags`. 0 or a negative errno. */
function mprotectFixup(mmu: Mmu, task: Task, vma: VmArea, start: Vaddr, end: Vaddr, flags: number): number {
  const { mm } = vma;
  const old = vma.flags;
  if ((old & VM_SEALED) !== 0) return -EPERM;
  if (flags === old) return 0;
  const pages = (end - start) / PAGE_SIZE;
  let wanted = flags;
  let charged = 0;
  if ((wanted & VM_WRITE) !== 0) {
    // Only what becomes data by this call is checked against the limit of data.
    if (!mayExpandVm(mm, wanted, pages) && mayExpandVm(mm, old, pages)) return -ENOMEM;
    if ((old & (VM_ACCOUNT | VM_WRITE | VM_HUGETLB | VM_SHARED | VM_NORESERVE)) === 0) {
      if (!vmEnoughMemory(mm, pages)) return -ENOMEM;
      charged = pages;
      wanted |= VM_ACCOUNT;
    }
  } else if ((old & VM_ACCOUNT) !== 0 && vma.isAnonymous && vma.anonVma === null) {
    wanted &= ~VM_ACCOUNT;
  }
  const area = vmaModify(mm, vma, start, end, wanted);
  if (typeof area === "number") {
    mm.phys.commit.uncharge(charged);
    return area;
  }
  setVmaFlags(area, wanted);
  changeProtection(area, start, end);
  if ((old & VM_ACCOUNT) !== 0 && (wanted & VM_ACCOUNT) === 0) mm.phys.commit.uncharge(pages);
  if ((old & (VM_WRITE | VM_SHARED | VM_LOCKED)) === VM_LOCKED && (wanted & VM_WRITE) !== 0) {
    mmPopulate(mmu, task, start, end);
  }
  vmStatAccount(mm, old, -pages);
  vmStatAccount(mm, wanted, pages);
  return 0;
}
