/** /proc/PID/clear_refs: forgets which pages were used, or how large the process once was (clear_refs_write). */
import { PG_REFERENCED } from "../frames/page-flags.ts";
import { PTE_ACCESSED, PTE_PRESENT, PTE_SPECIAL } from "../pagetable/pte.ts";
import { EINVAL } from "../uapi/errno.ts";
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, type MmStruct } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { walkPtes } from "./walk-ptes.ts";

const CLEAR_REFS_ALL = 1;
const CLEAR_REFS_ANON = 2;
const CLEAR_REFS_MAPPED = 3;
const CLEAR_REFS_SOFT_DIRTY = 4;
const CLEAR_REFS_MM_HIWATER_RSS = 5;

/** Does what `kind`, the number that was written, asks for. 0 or −EINVAL. */
export function clearRefs(mm: MmStruct, kind: number): number {
  switch (kind) {
    case CLEAR_REFS_ALL:
    case CLEAR_REFS_ANON:
    case CLEAR_REFS_MAPPED:
      for (const vma of mm.vmas) {
        const isMapped = vma.file !== null;
        if (kind === CLEAR_REFS_ALL || isMapped === (kind === CLEAR_REFS_MAPPED)) clearYoung(vma);
      }
      return 0;
    case CLEAR_REFS_SOFT_DIRTY:
      // Taken and without effect, as in a kernel built without soft-dirty bits.
      return 0;
    case CLEAR_REFS_MM_HIWATER_RSS:
      mm.hiwaterRss = mm.rss[MM_FILEPAGES] + mm.rss[MM_ANONPAGES] + mm.rss[MM_SHMEMPAGES];
      return 0;
    default:
      return -EINVAL;
  }
}

function clearYoung(vma: VmArea): void {
  const { mm } = vma;
  const { frames, ram } = mm.phys;
  walkPtes(mm, vma.start, vma.end, (_addr, pte) => {
    const word = ram.u32[pte];
    if ((word & (PTE_PRESENT | PTE_SPECIAL)) !== PTE_PRESENT) return;
    ram.u32[pte] = word & ~PTE_ACCESSED;
    frames.flags[ram.u32[pte + 1]] &= ~PG_REFERENCED;
  });
  // What a TLB still knows would be used without being noted again.
  mm.tlb.flushRange(vma.start, vma.end);
}
