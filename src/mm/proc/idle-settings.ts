/**
 * Settings under /proc/sys/vm that are there because programs and boot scripts read and write them, and that nothing in a
 * machine like this could obey: what they choose between comes to the same. Each keeps what it was told.
 *
 * - numa_zonelist_order, zone_reclaim_mode, min_unmapped_ratio, min_slab_ratio: there is no other node to prefer or to spare.
 * - stat_interval, stat_refresh: counters are exact at every moment, where Linux gathers those of each processor now and then.
 * - page_lock_unfairness: nobody ever waits for a page lock.
 * - lowmem_reserve_ratio, watermark_boost_factor, defrag_mode, percpu_pagelist_high_fraction: all memory is in one zone, free
 *   frames of all kinds side by side, and no processor keeps any back for itself.
 * - vfs_cache_pressure, vfs_cache_pressure_denom: names and inodes take nothing of RAM.
 * - dirtytime_expire_seconds: no file system is mounted with lazytime.
 */
import { EINVAL } from "../uapi/errno.ts";
import { S_IFREG } from "../uapi/fcntl.ts";
import type { ProcNode } from "./proc-tree.ts";
import { type NumberSetting, numberNode, vectorNode } from "./sysctl-node.ts";
import { readBytes, takeText } from "./text-file.ts";

/** Below that, lists of pages for each processor would be longer than all of the zone (MIN_PERCPU_PAGELIST_HIGH_FRACTION). */
const MIN_HIGH_FRACTION = 8;
const INT_MAX = 0x7fffffff;
const USER_HZ = 100;
/** Seconds that can be kept as ticks. */
const MAX_SECONDS: number = Math.floor(INT_MAX / USER_HZ);
/** As much of a write to numa_zonelist_order as is looked at. */
const ORDER_BYTES = 16;

export function settingsWithoutEffect(): Record<string, ProcNode> {
  return {
    defrag_mode: keptNumber(0, { max: 1 }),
    dirtytime_expire_seconds: keptNumber(12 * 3600),
    lowmem_reserve_ratio: reserveRatioNode(),
    min_slab_ratio: keptNumber(5, { max: 100 }),
    min_unmapped_ratio: keptNumber(1, { max: 100 }),
    numa_zonelist_order: zonelistOrderNode(),
    page_lock_unfairness: keptNumber(5),
    percpu_pagelist_high_fraction: keptNumber(0, {
      refuses: (value) => value > 0 && value < MIN_HIGH_FRACTION,
    }),
    stat_interval: keptNumber(1, { min: -MAX_SECONDS, max: MAX_SECONDS }),
    stat_refresh: refreshNode(),
    vfs_cache_pressure: keptNumber(100),
    vfs_cache_pressure_denom: keptNumber(100, { min: 100 }),
    watermark_boost_factor: keptNumber(15000),
    zone_reclaim_mode: keptNumber(0),
  };
}

function keptNumber(initial: number, bounds: Pick<NumberSetting, "min" | "max" | "refuses"> = {}): ProcNode {
  let kept = initial;
  return numberNode({
    get: () => kept,
    set: (value) => {
      kept = value;
    },
    ...bounds,
  });
}

/**
 * A number for each of the zones Normal and Movable; what is less than 1 becomes 0, which reserves nothing. That a number was
 * wrong is told to nobody, and of a write without any all counts as taken.
 */
function reserveRatioNode(): ProcNode {
  const ratios = [32, 0];
  return vectorNode({
    get: () => ratios,
    set: (values) => {
      for (const [index, value] of values.entries()) ratios[index] = Math.max(value, 0);
      return 0;
    },
  });
}

/** By node is the only order left, and any word that begins like it (or like "default") is taken. */
function zonelistOrderNode(): ProcNode {
  const text = new TextEncoder().encode("Node\n");
  return {
    mode: S_IFREG | 0o644,
    fops: {
      read: (_file, to, pos) => readBytes(text, to, pos),
      write: (_file, from) => {
        const wanted = from.count;
        const order = takeText(from, ORDER_BYTES);
        if (typeof order === "number") return order;
        return /^[dn]/i.test(order) ? wanted : -EINVAL;
      },
    },
  };
}

/** Writing it, or reading its nothing, brings counters up to date, which they are. */
function refreshNode(): ProcNode {
  return {
    mode: S_IFREG | 0o600,
    fops: { read: () => 0, write: (_file, from) => from.count },
  };
}
