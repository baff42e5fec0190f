/** /proc/PID/oom_score: how likely the process is to be killed when memory is out (proc_oom_score). */
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { oomBadness } from "../reclaim/oom-badness.ts";
import { mmOf, type ProcTask } from "./proc-task.ts";

export { OOM_SCORE_ADJ_MAX, OOM_SCORE_ADJ_MIN } from "../reclaim/oom-badness.ts";

/** 0 … 2000 scaled to two thirds, so that a process of no size without adjustment has 666. */
export function oomScore(phys: PhysicalMemory, task: ProcTask): number {
  const mm = mmOf(task);
  const totalPages = phys.totalFrames + phys.totalSwapPages;
  const badness = mm === null ? null : oomBadness(mm, task.oomScoreAdj, totalPages);
  if (badness === null) return 0;
  return Math.trunc(((1000 + Math.trunc((badness * 1000) / totalPages)) * 2) / 3);
}
