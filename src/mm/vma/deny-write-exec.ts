/**
 * PR_SET_MDWE (memory deny write execute): a program that asked for it, or whose parent did, can't make code of what it writes
 * (map_deny_write_exec in include/linux/mman.h).
 */
import type { MmStruct } from "./mm-struct.ts";
import { VM_EXEC, VM_WRITE } from "./vm-flags.ts";

export const PR_MDWE_REFUSE_EXEC_GAIN = 1;
export const PR_MDWE_NO_INHERIT = 2;

/** Whether a mapping with the flags `old` may not get `wanted`; for a new mapping the two are the same. */
export function mapDenyWriteExec({ mdwe }: MmStruct, old: number, wanted: number): boolean {
  if ((mdwe & PR_MDWE_REFUSE_EXEC_GAIN) === 0 || (wanted & VM_EXEC) === 0) return false;
  return (wanted & VM_WRITE) !== 0 || (old & VM_EXEC) === 0;
}

/** What fork and exec hand on. */
export function inheritedMdwe({ mdwe }: MmStruct): number {
  return (mdwe & PR_MDWE_NO_INHERIT) !== 0 ? 0 : mdwe;
}
