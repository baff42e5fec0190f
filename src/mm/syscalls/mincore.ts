/**
 * mincore(2): which pages of a range are resident (mm/mincore.c).
 *
 * For memory with a PTE the answer is that it is, for a page in swap, whether the swap cache has it; for a file page without one, whether the page cache has it. Who could
 * not write to a file is told that all of it is resident: the page cache's state is a side channel.
 */

import type { Mmu } from "../fault/mmu.ts";
import { copyToUser } from "../fault/uaccess.ts";
import { PG_UPTODATE } from "../frames/page-flags.ts";
import { isPageAligned, PAGE_SIZE, type Vaddr } from "../page.ts";
import { isSwapPte, PTE_PRESENT } from "../pagetable/pte.ts";
import { ShmemInode } from "../shmem/shmem-inode.ts";
import { isShmemSwapCached } from "../shmem/shmem-swap.ts";
import { swapCacheLookup } from "../swap/swap-cache.ts";
import { pteToSwpEntry, type SwpEntry } from "../swap/swap-entry.ts";
import { CAP_FOWNER } from "../uapi/capability.ts";
import { EFAULT, EINVAL, ENOMEM } from "../uapi/errno.ts";
import { capable } from "../vfs/capability.ts";
import { fileOf } from "../vfs/file.ts";
import { inodePermission, MAY_WRITE } from "../vfs/permission.ts";
import type { VmArea } from "../vma/vm-area.ts";
import type { Task } from "./task.ts";

/** One byte (bit 0) for each page of addr … addr + len goes to `vec`. EINVAL unaligned; ENOMEM a hole; EFAULT a bad vector. */
export function sysMincore(mmu: Mmu, task: Task, addr: Vaddr, len: number, vec: Vaddr): number {
  const { taskSize } = task.mm.arch;
  if (!isPageAligned(addr)) return -EINVAL;
  if (addr + len > taskSize) return -ENOMEM;
  const pages = Math.ceil(len / PAGE_SIZE);
  if (vec + pages > taskSize) return -EFAULT;
  // In pieces of one page of answers, as Linux: an error in a later piece leaves the earlier ones delivered.
  const buffer = new Uint8Array(Math.min(pages, PAGE_SIZE));
  for (let done = 0; done < pages; ) {
    const got = residency(task, addr + done * PAGE_SIZE, Math.min(pages - done, PAGE_SIZE), buffer);
    if (got < 0) return got;
    if (copyToUser(mmu, task, vec + done, buffer, 0, got) < got) return -EFAULT;
    done += got;
  }
  return 0;
}

/** Fills `out` for up to `pages` pages of the mapping at `addr`; how many, or -ENOMEM where nothing is mapped. */
function residency(task: Task, addr: Vaddr, pages: number, out: Uint8Array): number {
  const vma = task.mm.vmas.lookup(addr);
  if (vma === null) return -ENOMEM;
  const count = Math.min(pages, (vma.end - addr) / PAGE_SIZE);
  if (!canDoMincore(task, vma)) {
    out.fill(1, 0, count);
    return count;
  }
  const { u32 } = vma.mm.phys.ram;
  for (let page = 0; page < count; page++) {
    const at = addr + page * PAGE_SIZE;
    const pte = vma.mm.pageTable.walk(at);
    const word = pte === 0 ? 0 : u32[pte];
    const isResident =
      (word & PTE_PRESENT) !== 0 ||
      (isSwapPte(word) ? isSwapCached(vma, pteToSwpEntry(word, u32[pte + 1])) : isCached(vma, at));
    out[page] = isResident ? 1 : 0;
  }
  return count;
}

/** A page that is in memory while its slot in swap is still needed (mincore_swap). */
function isSwapCached(vma: VmArea, entry: SwpEntry): boolean {
  const { phys } = vma.mm;
  const pfn = swapCacheLookup(phys, entry);
  return pfn !== 0 && (phys.frames.flags[pfn] & PG_UPTODATE) !== 0;
}

function isCached(vma: VmArea, addr: Vaddr): boolean {
  if (vma.file === null || vma.ops === null) return false;
  const { pages, phys, host } = fileOf(vma).mapping;
  const index = vma.pgoff + (addr - vma.start) / PAGE_SIZE;
  const pfn = pages.load(index);
  if (pfn === 0 && host instanceof ShmemInode) return isShmemSwapCached(host, index);
  return pfn !== 0 && (phys.frames.flags[pfn] & PG_UPTODATE) !== 0;
}

function canDoMincore(task: Task, vma: VmArea): boolean {
  if (vma.ops === null) return true;
  if (vma.file === null) return false;
  const { inode } = fileOf(vma);
  return task.uid === inode.uid || capable(task, CAP_FOWNER) || inodePermission(task, inode, MAY_WRITE) === 0;
}
