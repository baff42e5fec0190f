/**
 * handle_mm_fault: from a fault at an address that a mapping covers and allows, to a PTE that serves it.
 *
 * The dispatch is by what the PTE is now:
 *
 * ```
 *   none, anonymous mapping      doAnonymousPage    zero page, or a zeroed frame
 *   none, mapping of a file      doFault            page cache; a copy of it for a private write
 *   not present, not none        doSwapPage         the page is in swap; a marker: no page, and a signal
 *   present, write, protected    doWpPage           reuse, copy, or page_mkwrite
 *   present and enough           spurious           somebody was faster
 * ```
 */
import { ROOT_MEM_CGROUP } from "../frames/lruvec.ts";
import { PTE_ACCESSED, PTE_PRESENT, PTE_WRITE } from "../pagetable/pte.ts";
import { PGFAULT } from "../trace/vmstat.ts";
import { VM_HUGETLB } from "../vma/vm-flags.ts";
import { VM_FAULT_ERROR, VM_FAULT_OOM, VM_FAULT_RETRY } from "../vma/vm-operations.ts";
import { doAnonymousPage } from "./anonymous-fault.ts";
import { CAUSE, type FaultContext } from "./fault-context.ts";
import { doFault } from "./file-fault.ts";
import { hugetlbFault } from "./hugetlb-fault.ts";
import { doSwapPage } from "./swap-fault.ts";
import { doWpPage } from "./wp-fault.ts";

/** Handles the fault that `vmf` was begun with. Answers VM_FAULT_… flags; 0 or VM_FAULT_MAJOR: the PTE serves. */
export function handleMmFault(vmf: FaultContext): number {
  const { mm } = vmf.vma;
  vmf.phys.stat[PGFAULT]++;
  if (mm.memcg !== ROOT_MEM_CGROUP) vmf.phys.memcg.countEvents(mm.memcg, PGFAULT, 1);
  if ((vmf.vma.flags & VM_HUGETLB) !== 0) return hugetlbFault(vmf);
  const { pageTable } = mm;
  if (vmf.pte === 0) {
    const { tables } = pageTable;
    vmf.pte = pageTable.walkAlloc(vmf.address);
    if (vmf.pte === 0) {
      vmf.cause = CAUSE.oom;
      return VM_FAULT_OOM;
    }
    vmf.isNewTable = pageTable.tables > tables;
  }
  const result = handlePteFault(vmf);
  // For a page of a file Linux makes the last table when it has the page: where there is none, there is no table either.
  const isInVain = (result & (VM_FAULT_ERROR | VM_FAULT_RETRY)) !== 0 && !vmf.vma.isAnonymous;
  if (isInVain && vmf.isNewTable) pageTable.dropEmptyTable(vmf.address);
  return result;
}

function handlePteFault(vmf: FaultContext): number {
  const { u32 } = vmf.phys.ram;
  const word = u32[vmf.pte];
  if (word === 0) return vmf.vma.isAnonymous ? doAnonymousPage(vmf) : doFault(vmf);
  if ((word & PTE_PRESENT) === 0) return doSwapPage(vmf);
  if ((vmf.isWrite || vmf.isUnshare) && (word & PTE_WRITE) === 0) return doWpPage(vmf);
  vmf.cause = CAUSE.spurious;
  u32[vmf.pte] = word | PTE_ACCESSED;
  return 0;
}
