/** /proc/PID/oom_score: how likely the process is to be killed when memory is out (proc_oom_score). */
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { OOM_SCORE_ADJ_MAX, oomBadness } from "../reclaim/oom-badness.ts";
import type { ProcTask } from "./proc-task.ts";

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
  // Of any of its threads, also where the first one has ended (find_lock_task_mm).
  const mm = task.exitStatus === null ? task.mm : null;
  const totalPages = phys.totalFrames + phys.totalSwapPages;
  const badness = mm === null ? null : oomBadness(mm, task.oomScoreAdj, totalPages);
  if (badness === null) return 0;
  return Math.trunc(((1000 + Math.trunc((badness * 1000) / totalPages)) * 2) / 3);
}
