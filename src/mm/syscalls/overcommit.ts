/**
 * Whether memory that a process asks for may be promised to it (__vm_enough_memory, overcommit mode 0): everything but
 * the obvious lie of more than all RAM.
 */
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { VM_NORESERVE, VM_SHARED, VM_WRITE } from "../vma/vm-flags.ts";

/** Whether `nrPages` may be promised. */
export function vmEnoughMemory(phys: PhysicalMemory, nrPages: number): boolean {
  return nrPages <= phys.totalFrames;
}

/** Whether a mapping is charged at all: private and writable, unless MAP_NORESERVE (accountable_mapping). */
export function isAccountable(vmFlags: number): boolean {
  return (vmFlags & (VM_NORESERVE | VM_SHARED | VM_WRITE)) === VM_WRITE;
}
