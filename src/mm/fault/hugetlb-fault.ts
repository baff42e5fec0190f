/**
 * Faults of huge pages (hugetlb_fault, copy_hugetlb_page_range in mm/hugetlb.c), as they go where no page can be had: the tables
 * that would hold the entry are made, and stay; then the process is told that there is no page.
 */

import { PAGE_SIZE } from "../page.ts";
import { PTRS_PER_TABLE } from "../pagetable/pte.ts";
import { ENOMEM } from "../uapi/errno.ts";
import { fileOf } from "../vfs/file.ts";
import { anonVmaPrepare } from "../vma/anon-vma.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_MAYSHARE } from "../vma/vm-flags.ts";
import { VM_FAULT_OOM, VM_FAULT_SIGBUS } from "../vma/vm-operations.ts";
import { vmaKernelPagesize } from "../vma/vma-page-size.ts";
import { CAUSE, type FaultContext } from "./fault-context.ts";

export function hugetlbFault(vmf: FaultContext): number {
  const { vma } = vmf;
  if (!vma.mm.pageTable.hugePteAlloc(vmf.address, vmaKernelPagesize(vma))) {
    vmf.cause = CAUSE.oom;
    return VM_FAULT_OOM;
  }
  vmf.cause = vmf.isWrite ? CAUSE["file-shared"] : CAUSE["file-read"];
  if ((vma.flags & VM_MAYSHARE) !== 0) return VM_FAULT_SIGBUS;
  if (vmf.isWrite) vmf.cause = CAUSE["file-cow"];
  // A page within the file would have been the process's own.
  const isInside = vmf.pgoff * PAGE_SIZE < fileOf(vma).inode.size;
  return isInside && anonVmaPrepare(vma) !== 0 ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
}

/** fork: the child `to` gets the tables that its parent's mapping has. 0 or -ENOMEM. */
export function copyHugetlbRange(to: VmArea, from: VmArea): number {
  const size = vmaKernelPagesize(from);
  const tableBytes = size * PTRS_PER_TABLE;
  for (
    let addr: number = from.start;
    addr < from.end;
    addr = (Math.floor(addr / tableBytes) + 1) * tableBytes
  ) {
    if (!from.mm.pageTable.hasHugePte(addr, size)) continue;
    if (!to.mm.pageTable.hugePteAlloc(addr, size)) return -ENOMEM;
  }
  return 0;
}
