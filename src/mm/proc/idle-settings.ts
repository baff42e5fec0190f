/**
 * Settings under /proc/sys/vm that are there because programs and boot scripts read and write them, and that nothing in a
 * machine like this could obey: what they choose between comes to the same. Each keeps what it was told.
 *
 * - numa_zonelist_order, zone_reclaim_mode, min_unmapped_ratio, min_slab_ratio: there is no other node to prefer or to spare.
 * - stat_interval, stat_refresh: counters are exact at every moment, where Linux gathers those of each processor now and then.
 * - page_lock_unfairness: nobody ever waits for a page lock.
 */
import { EINVAL } from "../uapi/errno.ts";
import { S_IFREG } from "../uapi/fcntl.ts";
import type { ProcNode } from "./proc-tree.ts";
import { numberNode } from "./sysctl-node.ts";
import { readBytes, takeText } from "./text-file.ts";

const INT_MAX = 0x7fffffff;
const USER_HZ = 100;
/** Seconds that can be kept as ticks. */
const MAX_SECONDS: number = Math.floor(INT_MAX / USER_HZ);
/** As much of a write to numa_zonelist_order as is looked at. */
const ORDER_BYTES = 16;

export function settingsWithoutEffect(): Record<string, ProcNode> {
  return {
    min_slab_ratio: keptNumber(5, { max: 100 }),
    min_unmapped_ratio: keptNumber(1, { max: 100 }),
    numa_zonelist_order: zonelistOrderNode(),
    page_lock_unfairness: keptNumber(5),
    stat_interval: keptNumber(1, { min: -MAX_SECONDS, max: MAX_SECONDS }),
    stat_refresh: refreshNode(),
    zone_reclaim_mode: keptNumber(0),
  };
}

function keptNumber(
  initial: number,
  bounds: { readonly min?: number; readonly max?: number } = {},
): ProcNode {
  let kept = initial;
  return numberNode({
    get: () => kept,
    set: (value) => {
      kept = value;
    },
    ...bounds,
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
