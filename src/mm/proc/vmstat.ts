/** /proc/vmstat, and the same counters by zone and node: /proc/zoneinfo (mm/vmstat.c). */
import { dirtyLimits } from "../filemap/dirty-limits.ts";
import type { Watermarks } from "../frames/watermarks.ts";
import { PGALLOC, VMSTAT_NAMES } from "../trace/vmstat.ts";
import type { ProcHost } from "./proc-task.ts";
import { EVENT_ITEMS, NODE_ITEMS, NUMA_ITEMS, X86_ITEMS, ZONE_ITEMS } from "./vmstat-items.ts";

const POSITION: ReadonlyMap<string, number> = new Map(VMSTAT_NAMES.map((name, index) => [name, index]));

/** One "name value" a line. */
export function procVmstat(host: ProcHost): string {
  const items = [...ZONE_ITEMS, ...NUMA_ITEMS, ...NODE_ITEMS, ...EVENT_ITEMS];
  if (host.arch.name === "x86-64") items.push(...X86_ITEMS);
  // Linux keeps the last name for a counter that it dropped, and says so.
  items.push("nr_unstable");
  return items.map((name) => `${name} ${counter(host, name)}\n`).join("");
}

/** The node's zones: all memory is in the one called Normal, with the node's counters before its own; the other is empty. */
export function procZoneinfo(host: ProcHost): string {
  const { totalFrames, buddy, watermarks } = host.phys;
  const item = (name: string): string => `\n      ${name.padEnd(12)} ${counter(host, name)}`;
  return [
    "Node 0, zone   Normal",
    "\n  per-node stats",
    ...NODE_ITEMS.map(item),
    zonePages(buddy.freeFrames, totalFrames, watermarks),
    ...ZONE_ITEMS.map(item),
    ...NUMA_ITEMS.map(item),
    "\n  pagesets",
    "\n    cpu: 0",
    ...PAGESET.map((line) => `\n              ${line}`),
    "\n  vm stats threshold: 0",
    "\n  node_unreclaimable:  0",
    `\n  start_pfn:           ${host.phys.ram.firstPfn}`,
    "\n",
    "Node 0, zone  Movable",
    zonePages(0, 0, NO_WATERMARKS),
    "\n",
  ].join("");
}

const PAGESET: readonly string[] = [
  "count:    0",
  "high:     0",
  "batch:    1",
  "high_min: 0",
  "high_max: 0",
];

type ZoneWatermarks = Pick<Watermarks, "min" | "low" | "high" | "promo">;

const NO_WATERMARKS: ZoneWatermarks = { min: 0, low: 0, high: 0, promo: 0 };

/** Pages of a zone: free, and in all; and what is kept back in it from allocations that others could serve. */
function zonePages(free: number, total: number, { min, low, high, promo }: ZoneWatermarks): string {
  const fields: readonly (readonly [string, number])[] = [
    ["boost", 0],
    ["min", min],
    ["low", low],
    ["high", high],
    ["promo", promo],
    ["spanned", total],
    ["present", total],
    ["managed", total],
    ["cma", 0],
  ];
  const lines = fields.map(([name, count]) => `\n        ${name.padEnd(8)} ${count}`);
  return `\n  pages free     ${free}${lines.join("")}\n        protection: (0, 0)`;
}

/** The counter of that name; the zone's are the node's, there being one zone. */
export function counter(host: ProcHost, name: string): number {
  const index = POSITION.get(name) ?? POSITION.get(name.replace("nr_zone_", "nr_"));
  if (index !== undefined) return host.phys.stat[index];
  const { writeback } = host.mounts;
  if (name === "nr_dirty_threshold" || name === "nr_dirty_background_threshold") {
    dirtyLimits(writeback);
    return name === "nr_dirty_threshold" ? writeback.thresh : writeback.bgThresh;
  }
  // There is one node, where every page is looked for and found.
  if (name === "numa_hit" || name === "numa_local") {
    return host.sysctl.numaStat ? host.phys.stat[PGALLOC] - host.sysctl.numaStatFrom : 0;
  }
  if (name === "nr_zone_write_pending") return counter(host, "nr_dirty") + counter(host, "nr_writeback");
  return 0;
}
