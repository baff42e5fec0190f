/** /proc/PID/oom_score: how likely the process is to be killed when memory is out (proc_oom_score, oom_badness). */
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SIZE } from "../page.ts";
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS } from "../vma/mm-struct.ts";
import { mmOf, type ProcTask } from "./proc-task.ts";
import { pageTableBytes } from "./status.ts";

export const OOM_SCORE_ADJ_MIN = -1000;
export const OOM_SCORE_ADJ_MAX = 1000;

/** The older scale, −17 … 15, whose least means never and whose most stands for 1000 (include/uapi/linux/oom.h). */
const OOM_DISABLE = -17;
const OOM_ADJUST_MAX = 15;

/** What /proc/PID/oom_adj says of an adjustment (oom_adj_read). */
export function oomAdjOf(scoreAdj: number): number {
  if (scoreAdj === OOM_SCORE_ADJ_MAX) return OOM_ADJUST_MAX;
  return Math.trunc((scoreAdj * -OOM_DISABLE) / OOM_SCORE_ADJ_MAX);
}

/** The adjustment that a number written to oom_adj means; NaN for what is out of range (oom_adj_write). */
export function scoreAdjOf(oomAdj: number): number {
  if (oomAdj === OOM_ADJUST_MAX) return OOM_SCORE_ADJ_MAX;
  if (oomAdj < OOM_DISABLE || oomAdj > OOM_ADJUST_MAX) return Number.NaN;
  return Math.trunc((oomAdj * OOM_SCORE_ADJ_MAX) / -OOM_DISABLE);
}

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
