/** The heap's growth: anonymous memory that joins the mapping right below it (do_brk_flags in mm/vma.c). */
import { PAGE_SIZE, type Vaddr } from "../page.ts";
import { ENOMEM } from "../uapi/errno.ts";
import { READ_IMPLIES_EXEC } from "../uapi/personality.ts";
import { mayExpandVm } from "./accounting.ts";
import type { MmStruct } from "./mm-struct.ts";
import { vmEnoughMemory } from "./overcommit.ts";
import {
  VM_ACCOUNT,
  VM_EXEC,
  VM_LOCKED,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYWRITE,
  VM_READ,
  VM_WRITE,
} from "./vm-flags.ts";
import { allocVma, vmaLink } from "./vma-lifetime.ts";
import { vmaJustExpand } from "./vma-merge.ts";

/** VM_DATA_DEFAULT_FLAGS: the heap is readable and writable, and not executable. */
const HEAP_FLAGS: number = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_ACCOUNT;

/**
 * Maps addr … addr + len, which is free, as heap and counts its pages. `flags` is added to the heap's own (VM_EXEC for
 * an executable bss). 0 or −ENOMEM.
 */
export function brkExpand(mm: MmStruct, addr: Vaddr, len: number, flags: number): number {
  const nrPages = len / PAGE_SIZE;
  const isExecutable = mm.arch.heapMayBeExecutable && (mm.actor.personality & READ_IMPLIES_EXEC) !== 0;
  const heapFlags = flags | HEAP_FLAGS | mm.defFlags | (isExecutable ? VM_EXEC : 0);
  if (!mayExpandVm(mm, heapFlags, nrPages)) return -ENOMEM;
  if (mm.mapCount > mm.maxMapCount) return -ENOMEM;
  if (!vmEnoughMemory(mm, nrPages)) return -ENOMEM;
  const failed = expandOrLink(mm, addr, len, heapFlags);
  if (failed !== 0) {
    mm.phys.commit.uncharge(nrPages);
    return failed;
  }
  mm.totalVm += nrPages;
  mm.dataVm += nrPages;
  if ((heapFlags & VM_LOCKED) !== 0) mm.lockedVm += nrPages;
  return 0;
}

function expandOrLink(mm: MmStruct, addr: Vaddr, len: number, heapFlags: number): number {
  const prev = mm.vmas.findPrev(addr);
  const merged = prev !== null && prev.end === addr ? vmaJustExpand(prev, addr + len, heapFlags) : null;
  if (typeof merged === "number") return merged;
  if (merged === null) {
    const range = { start: addr, end: addr + len, flags: heapFlags, pgoff: addr / PAGE_SIZE };
    const vma = allocVma(mm, { ...range, file: null, ops: null });
    if (vma === null) return -ENOMEM;
    vmaLink(mm, vma);
  }
  return 0;
}
