/**
 * What an address space is counted for: pages mapped in all, and of those the executable files, the stacks and the
 * private writable data (VmSize, VmExe, VmStk and VmData of /proc/PID/status), with the limits on them (mm/mmap.c).
 *
 * A mapping counts as at most one of exec, stack and data, asked in this order, by its flags alone: so whoever changes
 * flags takes the pages out under the old flags and counts them in under the new.
 */
import { PAGE_SIZE } from "../page.ts";
import type { MmStruct } from "./mm-struct.ts";
import { VM_EXEC, VM_GROWSDOWN, VM_LOCKED, VM_SHARED, VM_WRITE } from "./vm-flags.ts";

/** Executable, not writable, not a stack: code. */
export function isExecMapping(flags: number): boolean {
  return (flags & (VM_EXEC | VM_WRITE | VM_GROWSDOWN)) === VM_EXEC;
}

export function isStackMapping(flags: number): boolean {
  return (flags & VM_GROWSDOWN) !== 0;
}

/** Private, writable, not a stack: what RLIMIT_DATA limits. */
export function isDataMapping(flags: number): boolean {
  return (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) === VM_WRITE;
}

/** Counts `nrPages` more (or, negative, fewer) pages of a mapping with these flags (vm_stat_account). */
export function vmStatAccount(mm: MmStruct, flags: number, nrPages: number): void {
  if (nrPages < 0) mm.hiwaterVm = Math.max(mm.hiwaterVm, mm.totalVm);
  mm.totalVm += nrPages;
  if (isExecMapping(flags)) mm.execVm += nrPages;
  else if (isStackMapping(flags)) mm.stackVm += nrPages;
  else if (isDataMapping(flags)) mm.dataVm += nrPages;
}

/** Whether RLIMIT_AS and RLIMIT_DATA allow `nrPages` more with these flags (may_expand_vm). */
export function mayExpandVm(mm: MmStruct, flags: number, nrPages: number): boolean {
  if (mm.totalVm + nrPages > pages(mm.rlimitAs)) return false;
  if (!isDataMapping(flags) || mm.dataVm + nrPages <= pages(mm.rlimitData)) return true;
  // Valgrind sets the soft limit to 0; Linux lets it have what the hard limit allows.
  return mm.rlimitData === 0 && mm.dataVm + nrPages <= pages(mm.rlimitDataMax);
}

/** Whether RLIMIT_MEMLOCK allows `bytes` more with these flags (mlock_future_ok). */
export function mlockFutureOk(mm: MmStruct, flags: number, bytes: number): boolean {
  if ((flags & VM_LOCKED) === 0 || mm.capIpcLock) return true;
  return mm.lockedVm + pages(bytes) <= pages(mm.rlimitMemlock);
}

function pages(bytes: number): number {
  return Math.floor(bytes / PAGE_SIZE);
}
