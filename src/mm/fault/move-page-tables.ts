/**
 * mremap's move of PTEs from one range to another of the same length (move_page_tables): the frames stay, only the
 * entries that name them move, so that moving costs nothing per byte.
 *
 * Where both ranges have the whole span of a table, and there is none at the new place, the table itself moves: one entry
 * above it instead of 512 in it. So that more of them do, a move begins where the first table does, if nothing else is
 * mapped there.
 */
import { PAGE_SIZE, type Vaddr } from "../page.ts";
import { PGD_SIZE, PMD_SIZE, PUD_SIZE } from "../pagetable/page-table.ts";
import { PTE_WORDS } from "../pagetable/pte.ts";
import type { MmStruct } from "../vma/mm-struct.ts";

/** Moves the PTEs of from … from + len to `to …`. Answers the bytes moved: less than `len` when a table could not be had. */
export function movePageTables(mm: MmStruct, from: Vaddr, to: Vaddr, len: number): number {
  const before = realigned(mm, from, to, len);
  const done = moveAligned(mm, from - before, to - before, len + before);
  mm.tlb.flushRange(from, from + len);
  return Math.max(0, done - before);
}

/** Bytes before the ranges from which on whole tables can be moved (try_realign_addr). */
function realigned(mm: MmStruct, from: Vaddr, to: Vaddr, len: number): number {
  const before = from % PMD_SIZE;
  if (before === 0 || before !== to % PMD_SIZE || len < PMD_SIZE - before) return 0;
  const isFree = (addr: Vaddr): boolean => mm.vmas.findIntersection(addr - before, addr) === null;
  return isFree(from) && isFree(to) ? before : 0;
}

function moveAligned(mm: MmStruct, from: Vaddr, to: Vaddr, len: number): number {
  const { u32 } = mm.phys.ram;
  const { pageTable } = mm;
  let done = 0;
  while (done < len) {
    let source = pageTable.walk(from + done);
    const extent = (size: number): number =>
      Math.min(spanTo(from + done, size), spanTo(to + done, size), len - done);
    const isThere = source !== 0 || pageTable.holeDepth === 2;
    if (isThere && extent(PUD_SIZE) === PUD_SIZE && pageTable.moveTable(from + done, to + done, 1)) {
      done += PUD_SIZE;
      continue;
    }
    if (source === 0) {
      // Where only the last table is missing, the first one of the new place is made already (alloc_new_pud).
      const holeEnd = Math.min(len, pageTable.holeEnd - from);
      if (isThere && !pageTable.upperAlloc(to + done, 1)) return done;
      done = isThere ? Math.min(holeEnd, done + spanTo(to + done, PGD_SIZE)) : holeEnd;
      continue;
    }
    const span = extent(PMD_SIZE);
    if (span === PMD_SIZE && pageTable.moveTable(from + done, to + done, 2)) {
      done += span;
      continue;
    }
    // Where there is a table there will be one, whether or not anything is in it.
    const first = pageTable.walkAlloc(to + done);
    if (first === 0) return done;
    const target = first - source;
    for (const end = done + span; done < end; done += PAGE_SIZE, source += PTE_WORDS) {
      if (u32[source] === 0) continue;
      u32[source + target + 1] = u32[source + 1];
      u32[source + target] = u32[source];
      u32[source] = 0;
      u32[source + 1] = 0;
    }
  }
  return len;
}

/** Bytes to the next multiple of `size`. */
function spanTo(addr: Vaddr, size: number): number {
  return size - (addr % size);
}
