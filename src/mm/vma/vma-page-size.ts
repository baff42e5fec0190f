/** Where a mapping may be cut: at any page, but one of huge pages only between those (hugetlb_vm_op_split, vma_kernel_pagesize). */
import { PAGE_SIZE, type Vaddr } from "../page.ts";
import type { VmArea } from "./vm-area.ts";
import { VM_HUGETLB } from "./vm-flags.ts";

/** Bytes of the pages that the mapping consists of. */
export function vmaKernelPagesize(vma: VmArea): number {
  return (vma.flags & VM_HUGETLB) === 0 ? PAGE_SIZE : (vma.file?.mapping.hugePageSize ?? PAGE_SIZE);
}

/** Whether the mapping can become two at `addr`, which is page-aligned. */
export function maySplit(vma: VmArea, addr: Vaddr): boolean {
  return (vma.flags & VM_HUGETLB) === 0 || addr % vmaKernelPagesize(vma) === 0;
}
