/**
 * mremap's move of PTEs from one range to another of the same length (move_page_tables): the frames stay, only the
 * entries that name them move, so that moving costs nothing per byte.
 */
import { PAGE_SIZE, type Vaddr } from "../page.ts";
import { PGD_SIZE, PMD_SIZE } from "../pagetable/page-table.ts";
import { PTE_WORDS } from "../pagetable/pte.ts";
import type { MmStruct } from "../vma/mm-struct.ts";

/** Moves the PTEs of from … from + len to `to …`. Answers the bytes moved: less than `len` when a table could not be had. */
export function movePageTables(mm: MmStruct, from: Vaddr, to: Vaddr, len: number): number {
  const { u32 } = mm.phys.ram;
  const { pageTable } = mm;
  let done = 0;
  while (done < len) {
    let source = pageTable.walk(from + done);
    if (source === 0) {
      // Where only the last table is missing, the first one of the new place is made already (alloc_new_pud).
      const isThere = pageTable.holeDepth === 2;
      const holeEnd = Math.min(len, pageTable.holeEnd - from);
      if (isThere && !pageTable.upperAlloc(to + done, 1)) return stopAt(mm, from, done);
      done = isThere ? Math.min(holeEnd, done + spanTo(to + done, PGD_SIZE)) : holeEnd;
      continue;
    }
    const span = Math.min(spanTo(from + done, PMD_SIZE), spanTo(to + done, PMD_SIZE), len - done);
    // Where there is a table there will be one, whether or not anything is in it.
    const first = pageTable.walkAlloc(to + done);
    if (first === 0) return stopAt(mm, from, done);
    const target = first - source;
    for (const end = done + span; done < end; done += PAGE_SIZE, source += PTE_WORDS) {
      if (u32[source] === 0) continue;
      u32[source + target + 1] = u32[source + 1];
      u32[source + target] = u32[source];
      u32[source] = 0;
      u32[source + 1] = 0;
    }
  }
  mm.tlb.flushRange(from, from + len);
  return len;
}

function stopAt(mm: MmStruct, from: Vaddr, done: number): number {
  mm.tlb.flushRange(from, from + done);
  return done;
}

/** Bytes to the next multiple of `size`. */
function spanTo(addr: Vaddr, size: number): number {
  return size - (addr % size);
}
