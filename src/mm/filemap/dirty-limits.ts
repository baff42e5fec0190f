/**
 * How much of memory may be dirty (mm/page-writeback.c).
 *
 * Both limits are parts of the memory that could be dirty at all: what is free, and what caches files. Above the lower one
 * the flusher begins to write; above the upper one writers would be held. What is done about it stands in balance-dirty.ts.
 */
import { PAGE_SIZE } from "../page.ts";
import { NR_ACTIVE_FILE, NR_FILE_DIRTY, NR_FREE_PAGES, NR_INACTIVE_FILE } from "../trace/vmstat.ts";
import type { WritebackDomain } from "../vfs/backing-dev.ts";

/** Linux counts the limits in 32 bits, too. */
const MAX_LIMIT = 0xffffffff;

/**
 * Pages that may be dirty: free ones, those that are kept back aside, and those of the file lists
 * (global_dirtyable_memory). Never 0.
 */
export function dirtyableMemory(domain: WritebackDomain): number {
  const { stat, watermarks } = domain.phys;
  const free = Math.max(0, stat[NR_FREE_PAGES] - watermarks.high);
  return free + stat[NR_INACTIVE_FILE] + stat[NR_ACTIVE_FILE] + 1;
}

/** Brings domain.thresh and domain.bgThresh up to date (domain_dirty_limits). */
export function dirtyLimits(domain: WritebackDomain): void {
  const available = dirtyableMemory(domain);
  domain.thresh = limit(domain.dirtyBytes, domain.dirtyRatio, available);
  domain.bgThresh = limit(domain.dirtyBackgroundBytes, domain.dirtyBackgroundRatio, available);
  if (domain.bgThresh >= domain.thresh) domain.bgThresh = Math.floor(domain.thresh / 2);
}

function limit(bytes: number, percent: number, available: number): number {
  if (bytes !== 0) return Math.min(Math.ceil(bytes / PAGE_SIZE), MAX_LIMIT);
  // In parts of 1/4096, as Linux counts them.
  return Math.floor((Math.floor((percent * PAGE_SIZE) / 100) * available) / PAGE_SIZE);
}

/** Whether more is dirty than the flusher leaves alone (wb_over_bg_thresh). */
export function isOverBgThresh(domain: WritebackDomain): boolean {
  dirtyLimits(domain);
  return domain.phys.stat[NR_FILE_DIRTY] > domain.bgThresh;
}
