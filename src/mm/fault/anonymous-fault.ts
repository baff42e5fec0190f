/**
 * First touch of anonymous memory (do_anonymous_page).
 *
 * A read needs no memory at all: every such page shows the one zero page, which is mapped read-only and counted
 * nowhere. Only a write is worth a frame: it gets a zeroed one, which from then on is known by its anon_vma.
 * Where the architecture forbids the zero page, a read is treated as the write that probably follows it.
 */
import { ZERO_PFN } from "../frames/ram.ts";
import { PTE_SPECIAL } from "../pagetable/pte.ts";
import { pageAddAnonRmap } from "../rmap/page-mapping.ts";
import { anonVmaPrepare } from "../vma/anon-vma.ts";
import { incMmCounter, MM_ANONPAGES } from "../vma/mm-struct.ts";
import { VM_SHARED, VM_WRITE } from "../vma/vm-flags.ts";
import { VM_FAULT_OOM, VM_FAULT_SIGBUS } from "../vma/vm-operations.ts";
import { CAUSE, type FaultContext, readablePte, writablePte } from "./fault-context.ts";

export function doAnonymousPage(vmf: FaultContext): number {
  const { vma, phys } = vmf;
  if ((vma.flags & VM_SHARED) !== 0) return VM_FAULT_SIGBUS;
  const { u32 } = phys.ram;
  if (!vmf.isWrite && !vma.mm.arch.forbidsZeroPage) {
    u32[vmf.pte + 1] = ZERO_PFN;
    u32[vmf.pte] = readablePte(vma) | PTE_SPECIAL;
    vmf.cause = CAUSE["anon-zero"];
    return 0;
  }
  vmf.cause = vmf.isWrite ? CAUSE["anon-write"] : CAUSE["anon-read"];
  if (anonVmaPrepare(vma) !== 0) return VM_FAULT_OOM;
  const pfn = phys.allocZeroedPage();
  if (pfn === 0) return VM_FAULT_OOM;
  pageAddAnonRmap(phys, pfn, vmf);
  incMmCounter(vma.mm, MM_ANONPAGES);
  u32[vmf.pte + 1] = pfn;
  u32[vmf.pte] = vmf.isWrite || (vma.flags & VM_WRITE) !== 0 ? writablePte(vma) : readablePte(vma);
  return 0;
}
