/** How likely a process is to be killed when memory is out (oom_badness in mm/oom_kill.c). */
import { PAGE_SIZE } from "../page.ts";
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, type MmStruct } from "../vma/mm-struct.ts";

export const OOM_SCORE_ADJ_MIN = -1000;
export const OOM_SCORE_ADJ_MAX = 1000;

/**
 * Pages that its end would free: resident ones, swap entries and page tables; plus the adjustment in thousandths of
 * `totalPages`. Null: never to be killed.
 */
export function oomBadness(mm: MmStruct, oomScoreAdj: number, totalPages: number): number | null {
  if (oomScoreAdj === OOM_SCORE_ADJ_MIN) return null;
  const { rss, pageTable } = mm;
  const pages = rss[MM_FILEPAGES] + rss[MM_ANONPAGES] + rss[MM_SHMEMPAGES] + rss[MM_SWAPENTS];
  return pages + pageTable.tables + oomScoreAdj * Math.floor(totalPages / 1000);
}

/** Bytes of all page tables of an address space (mm_pgtables_bytes). */
export function pageTableBytesOf(mm: MmStruct): number {
  return mm.pageTable.tables * PAGE_SIZE;
}
