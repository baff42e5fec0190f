/** The settings under /proc/sys/vm that say when memory is short and what is done about it (kernel/sysctl.c, mm/vmscan.c, mm/page-writeback.c). */
import { rescheduleFlush } from "../filemap/flusher.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { WATERMARK_SCALE_FACTOR_MAX } from "../frames/watermarks.ts";
import { PAGE_SIZE } from "../page.ts";
import { MAX_SWAPPINESS } from "../reclaim/scan-balance.ts";
import type { WritebackDomain } from "../vfs/backing-dev.ts";
import type { ReclaimSysctl } from "./proc-task.ts";
import type { ProcNode } from "./proc-tree.ts";
import { numberNode } from "./sysctl-node.ts";

const INT_MAX = 0x7fffffff;

/** When reclaim begins, what it takes first, and who dies when it fails. */
export function reclaimSettings(
  { watermarks }: PhysicalMemory,
  vmscan: ReclaimSysctl,
): Record<string, ProcNode> {
  return {
    min_free_kbytes: numberNode({
      get: () => watermarks.minFreeKbytes,
      set: (kbytes) => {
        watermarks.minFreeKbytes = kbytes;
      },
    }),
    oom_dump_tasks: numberNode({
      get: () => (vmscan.oomDumpTasks ? 1 : 0),
      set: (value) => {
        vmscan.oomDumpTasks = value !== 0;
      },
    }),
    oom_kill_allocating_task: numberNode({
      get: () => (vmscan.oomKillAllocatingTask ? 1 : 0),
      set: (value) => {
        vmscan.oomKillAllocatingTask = value !== 0;
      },
    }),
    panic_on_oom: numberNode({
      get: () => vmscan.panicOnOom,
      set: (value) => {
        vmscan.panicOnOom = value;
      },
      max: 2,
    }),
    swappiness: numberNode({
      get: () => vmscan.swappiness,
      set: (value) => {
        vmscan.swappiness = value;
      },
      max: MAX_SWAPPINESS,
    }),
    watermark_scale_factor: numberNode({
      get: () => watermarks.scaleFactor,
      set: (factor) => {
        watermarks.scaleFactor = factor;
      },
      min: 1,
      max: WATERMARK_SCALE_FACTOR_MAX,
    }),
  };
}

/**
 * Of ratio and bytes each switches the other off; that of the writers' limit only when it becomes another one
 * (dirty_ratio_handler, dirty_background_ratio_handler in mm/page-writeback.c). Bytes can't be set to 0.
 */
export function dirtySettings(writeback: WritebackDomain): Record<string, ProcNode> {
  return {
    dirty_background_bytes: numberNode({
      get: () => writeback.dirtyBackgroundBytes,
      set: (bytes) => {
        writeback.dirtyBackgroundBytes = bytes;
        writeback.dirtyBackgroundRatio = 0;
      },
      min: 1,
      max: Number.MAX_SAFE_INTEGER,
    }),
    dirty_background_ratio: numberNode({
      get: () => writeback.dirtyBackgroundRatio,
      set: (percent) => {
        writeback.dirtyBackgroundRatio = percent;
        writeback.dirtyBackgroundBytes = 0;
      },
      max: 100,
    }),
    dirty_bytes: numberNode({
      get: () => writeback.dirtyBytes,
      set: (bytes) => {
        if (bytes === writeback.dirtyBytes) return;
        writeback.dirtyBytes = bytes;
        writeback.dirtyRatio = 0;
      },
      min: 2 * PAGE_SIZE,
      max: Number.MAX_SAFE_INTEGER,
    }),
    dirty_expire_centisecs: numberNode({
      get: () => writeback.dirtyExpireCentisecs,
      set: (centisecs) => {
        writeback.dirtyExpireCentisecs = centisecs;
      },
    }),
    dirty_ratio: numberNode({
      get: () => writeback.dirtyRatio,
      set: (percent) => {
        if (percent === writeback.dirtyRatio) return;
        writeback.dirtyRatio = percent;
        writeback.dirtyBytes = 0;
      },
      max: 100,
    }),
    dirty_writeback_centisecs: numberNode({
      get: () => writeback.dirtyWritebackCentisecs,
      set: (centisecs) => {
        const isChange = centisecs !== writeback.dirtyWritebackCentisecs;
        writeback.dirtyWritebackCentisecs = centisecs;
        if (isChange && centisecs !== 0) rescheduleFlush(writeback);
      },
      // Linux checks nothing; whoever writes a negative one has no periodic write-back.
      min: -INT_MAX - 1,
    }),
  };
}
