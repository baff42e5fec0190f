/** /proc/PID/oom_score: how likely the process is to be killed when memory is out (proc_oom_score, oom_badness). */
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SIZE } from "../page.ts";
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS } from "../vma/mm-struct.ts";
import { mmOf, type ProcTask } from "./proc-task.ts";
import { pageTableBytes } from "./status.ts";

export const OOM_SCORE_ADJ_MIN = -1000;
export const OOM_SCORE_ADJ_MAX = 1000;

/** 0 … 2000 scaled to two thirds, so that a process of no size without adjustment has 666. */
export function oomScore(phys: PhysicalMemory, task: ProcTask): number {
  const badness = oomBadness(phys, task);
  if (badness === null) return 0;
  return Math.trunc(((1000 + Math.trunc((badness * 1000) / phys.totalFrames)) * 2) / 3);
}

/** Resident pages, swap entries and page tables, plus the adjustment in thousandths of all RAM; null: never to be killed. */
function oomBadness(phys: PhysicalMemory, task: ProcTask): number | null {
  const mm = mmOf(task);
  if (mm === null || task.oomScoreAdj === OOM_SCORE_ADJ_MIN) return null;
  const { rss } = mm;
  const pages = rss[MM_FILEPAGES] + rss[MM_ANONPAGES] + rss[MM_SHMEMPAGES] + rss[MM_SWAPENTS];
  return pages + pageTableBytes(mm) / PAGE_SIZE + task.oomScoreAdj * Math.floor(phys.totalFrames / 1000);
}
