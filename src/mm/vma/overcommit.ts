/** Which mappings are promises of memory, and whether one more may be made (mm/util.c, accountable_mapping in mm/vma.c). */
import type { MmStruct } from "./mm-struct.ts";
import { VM_NORESERVE, VM_SHARED, VM_WRITE } from "./vm-flags.ts";

/** Promises `nrPages` more to `mm`, or answers false: the caller's errno is then ENOMEM (security_vm_enough_memory_mm). */
export function vmEnoughMemory(mm: MmStruct, nrPages: number): boolean {
  return mm.phys.commit.charge(nrPages, mm);
}

/** Whether a mapping is charged at all: private and writable, unless MAP_NORESERVE. */
export function isAccountable(vmFlags: number): boolean {
  return (vmFlags & (VM_NORESERVE | VM_SHARED | VM_WRITE)) === VM_WRITE;
}
