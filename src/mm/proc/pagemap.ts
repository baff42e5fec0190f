/**
 * /proc/PID/pagemap: 64 bits for each page of the address space, at the file offset page number × 8 (pagemap_read).
 *
 * ```
 *   63       62     61               58      56         55          54 … 0
 *   present  swap   file or shmem    guard   exclusive  soft-dirty  frame number, or swap type and offset
 * ```
 *
 * Frame numbers are for root's eyes: for others the field is 0. Soft-dirty is 0, as in a kernel built without it.
 */
import { PG_ANON } from "../frames/page-flags.ts";
import { PAGE_SIZE, type Vaddr } from "../page.ts";
import { isSwapPte, PTE_GUARD, PTE_PRESENT, PTE_SPECIAL } from "../pagetable/pte.ts";
import { pteToSwpEntry, swpType } from "../swap/swap-entry.ts";
import { EFAULT, EINVAL } from "../uapi/errno.ts";
import type { IovIter } from "../vfs/iov-iter.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { walkPtes } from "./walk-ptes.ts";

/** Bits of the upper half of an entry: bit n of the whole is bit n − 32 here. */
const PM_PRESENT_HIGH: number = 2 ** 31;
const PM_SWAP_HIGH: number = 2 ** 30;
const PM_FILE_HIGH: number = 2 ** 29;
const PM_GUARD_REGION_HIGH: number = 2 ** 26;
const PM_MMAP_EXCLUSIVE_HIGH: number = 2 ** 24;

/** A guard marker as a swap entry: PTE_MARKER_GUARD behind the type of markers, 31 (SWP_PTE_MARKER). */
const GUARD_ENTRY: number = (4 << 5) | 31;
/** As such an entry, the marker of a page that was lost in swap (PTE_MARKER_POISONED). */
const POISON_ENTRY: number = (2 << 5) | 31;
/** Bits of the swap type below the offset (MAX_SWAPFILES_SHIFT). */
const SWAP_TYPE_BITS = 5;

const ENTRY_BYTES = 8;
/** Pages whose entries are made in one go (PAGEMAP_WALK_SIZE is 2 MiB). */
const CHUNK_PAGES = 512;

/** Copies the entries from file offset `pos` on. Bytes, or negative errno. @param showPfn the opener may see frame numbers */
export function readPagemap(mm: MmStruct, to: IovIter, pos: number, showPfn: boolean): number {
  if (mm.users === 0) return 0;
  if (pos % ENTRY_BYTES !== 0 || to.count % ENTRY_BYTES !== 0) return -EINVAL;
  const end = mm.arch.taskSize;
  let addr = Math.min((pos / ENTRY_BYTES) * PAGE_SIZE, end);
  let done = 0;
  while (to.count > 0 && addr < end) {
    const pages = Math.min(CHUNK_PAGES, to.count / ENTRY_BYTES, (end - addr) / PAGE_SIZE);
    const bytes = pagemapEntries(mm, addr, addr + pages * PAGE_SIZE, showPfn);
    const copied = to.copyBytesToIter(bytes);
    // Half an entry is of no use: a buffer that ends in a bad page is refused as a whole.
    if (copied < bytes.length) return -EFAULT;
    done += copied;
    addr += pages * PAGE_SIZE;
  }
  return done;
}

/** The entries of the pages of start … end. */
export function pagemapEntries(mm: MmStruct, start: Vaddr, end: Vaddr, showPfn: boolean): Uint8Array {
  const { frames, ram } = mm.phys;
  const bytes = new Uint8Array(((end - start) / PAGE_SIZE) * ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  walkPtes(mm, start, end, (addr, pte) => {
    const word = ram.u32[pte];
    const at = ((addr - start) / PAGE_SIZE) * ENTRY_BYTES;
    let frame = ram.u32[pte + 1];
    let high = PM_SWAP_HIGH;
    if (word === PTE_GUARD) {
      high += PM_GUARD_REGION_HIGH;
      frame = GUARD_ENTRY;
    } else if (isSwapPte(word)) {
      frame = (frame << SWAP_TYPE_BITS) | swpType(pteToSwpEntry(word, frame));
    } else if ((word & PTE_PRESENT) === 0) {
      frame = POISON_ENTRY;
    } else {
      high = PM_PRESENT_HIGH;
      if ((word & PTE_SPECIAL) === 0) {
        if ((frames.flags[frame] & PG_ANON) === 0) high += PM_FILE_HIGH;
        if (frames.mapCount[frame] === 1) high += PM_MMAP_EXCLUSIVE_HIGH;
      }
    }
    view.setUint32(at, showPfn ? frame : 0, /* littleEndian */ true);
    view.setUint32(at + 4, high, /* littleEndian */ true);
  });
  return bytes;
}
