/**
 * What reclaim leaves to a cgroup (memory.min and memory.low; shrink_node_memcgs and get_scan_count in mm/vmscan.c).
 *
 * A group within its protection is passed over, one beyond it is scanned the less the more of it is protected. `low` holds as
 * long as reclaim finds something elsewhere: when it has found nothing at all it comes again without regard for `low`, and the
 * group counts an event. `min` holds even where that means that somebody is killed.
 */

import { ROOT_MEM_CGROUP } from "../frames/lruvec.ts";
import { MEMCG_LOW } from "../frames/mem-cgroup.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { type ScanControl, SWAP_CLUSTER_MAX } from "./scan-control.ts";

/** Whether this round leaves the group alone. Has to be asked before the group is scanned. */
export function isProtected({ memcg }: PhysicalMemory, group: number, sc: ScanControl): boolean {
  if (group === sc.target || group === ROOT_MEM_CGROUP) return false;
  memcg.calculateProtection(sc.target, group);
  const usage = memcg.usage[group];
  if (memcg.protectedMin(sc.target, group) >= usage) return true;
  if (memcg.protectedLow(sc.target, group) < usage) return false;
  if (!sc.memcgLowReclaim) {
    sc.memcgLowSkipped = true;
    return true;
  }
  memcg.noteEvent(group, MEMCG_LOW);
  return false;
}

/** The length of one of the group's lists, less the part of it that is protected. */
export function unprotectedPages(
  { memcg }: PhysicalMemory,
  group: number,
  length: number,
  sc: ScanControl,
): number {
  const min = memcg.protectedMin(sc.target, group);
  const low = memcg.protectedLow(sc.target, group);
  if (min === 0 && low === 0) return length;
  const isLowKept = !sc.memcgLowReclaim && low > min;
  if (isLowKept) sc.memcgLowSkipped = true;
  const kept = isLowKept ? low : min;
  const size = Math.max(memcg.usage[group], kept);
  // Never less than a batch, so that the urgency does not rise for nothing.
  return Math.max(length - Math.floor((length * kept) / (size + 1)), SWAP_CLUSTER_MAX);
}
