/** What backs the word of a futex (get_futex_key in kernel/futex/core.c). */
import type { Mmu } from "../../mm/fault/mmu.ts";
import type { Process } from "../../mm/kernel/process.ts";
import { PAGE_SIZE } from "../../mm/page.ts";
import { ACCESS_READ, ACCESS_WRITE, type Access } from "../../mm/pagetable/access.ts";
import { EFAULT, EINVAL } from "../../mm/uapi/errno.ts";
import type { FutexKey } from "./futex-table.ts";

/** Private and other futexes are never the same, not even at the same word of private memory. */
const FUT_OFF_MMSHARED = 2;

/**
 * A private futex is its address, whatever is there; any other is looked up, for which its page must be there: readable
 * where the call only waits or wakes, else writable.
 */
export function futexKey(
  mmu: Mmu,
  process: Process,
  addr: number,
  isPrivate: boolean,
  access: Access,
): FutexKey | number {
  const { mm } = process;
  if (addr % 4 !== 0) return -EINVAL;
  if (addr + 4 > mm.arch.taskSize) return -EFAULT;
  if (isPrivate) return { object: mm, offset: addr };
  // A private page is made its process's own first; what can't be written is what all see.
  const isWritable = mmu.translate(process, addr, ACCESS_WRITE, "kernel") >= 0;
  if (!isWritable && (access === ACCESS_WRITE || mmu.translate(process, addr, ACCESS_READ, "kernel") < 0))
    return -EFAULT;
  const vma = mm.vmas.lookup(addr);
  if (vma === null) return -EFAULT;
  if (vma.file === null || (!vma.isShared && isWritable)) {
    if (!isWritable) return -EFAULT;
    return { object: mm, offset: addr + FUT_OFF_MMSHARED };
  }
  return { object: vma.file.mapping, offset: vma.pgoff * PAGE_SIZE + (addr - vma.start) };
}
