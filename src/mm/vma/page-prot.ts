/**
 * vm_page_prot: the PTE bits of a page of a mapping before any fault adds to them.
 *
 * The protection map gives the bits for the mapping's VM_READ, VM_WRITE and VM_EXEC, and then PTE_WRITE is taken away
 * wherever a first write must be noticed: in a private mapping, to copy the page; in a shared mapping of a file that is
 * written back, to mark the page dirty and tell the file system. A fault that may write adds PTE_WRITE itself. So
 * PTE_WRITE stays only for shared mappings that need no notice, those of tmpfs.
 */
import { PTE_WRITE } from "../pagetable/pte.ts";
import type { VmArea } from "./vm-area.ts";
import { VM_ACCESS_FLAGS, VM_SHARED, VM_WRITE } from "./vm-flags.ts";

/** Whether the first write to a clean page of a shared writable mapping must fault (vma_wants_writenotify). */
export function vmaWantsWritenotify(vma: VmArea): boolean {
  if ((vma.flags & (VM_WRITE | VM_SHARED)) !== (VM_WRITE | VM_SHARED)) return false;
  return vma.ops?.pageMkwrite !== undefined || vma.file?.mapping.canWriteback === true;
}

/** The PTE bits that this mapping's pages get. */
export function vmaPageProt(vma: VmArea): number {
  const prot = vma.mm.arch.protectionMap[vma.flags & VM_ACCESS_FLAGS];
  return (vma.flags & VM_SHARED) === 0 || vmaWantsWritenotify(vma) ? prot & ~PTE_WRITE : prot;
}

/** Sets `pageProt` from the flags: after every change of either (vma_set_page_prot). */
export function vmaSetPageProt(vma: VmArea): void {
  vma.pageProt = vmaPageProt(vma);
}
