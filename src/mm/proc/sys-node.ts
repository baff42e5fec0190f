/** /sys/devices/system/node: the one memory node, node 0, which has all memory and the one processor (drivers/base/node.c). */
import { PAGE_SIZE } from "../page.ts";
import type { ProcHost } from "./proc-task.ts";
import { directoryNode, fixedDirectory, linkNode, type ProcDirectory } from "./proc-tree.ts";
import { kbLine } from "./text.ts";
import { textNode } from "./text-file.ts";
import { counter } from "./vmstat.ts";
import { NODE_ITEMS, NUMA_ITEMS, ZONE_ITEMS } from "./vmstat-items.ts";

const KIB_LOG = 10;

export function nodeDirectory(host: ProcHost): ProcDirectory {
  const node0 = textNode(() => "0\n");
  return fixedDirectory({
    has_cpu: node0,
    has_generic_initiator: textNode(() => "\n"),
    has_memory: node0,
    has_normal_memory: node0,
    node0: directoryNode(node0Directory(host), 0o755),
    online: node0,
    possible: node0,
  });
}

function node0Directory(host: ProcHost): ProcDirectory {
  const zero = textNode(() => "0\n");
  const pool = directoryNode(
    fixedDirectory({ free_hugepages: zero, nr_hugepages: zero, surplus_hugepages: zero }),
    0o755,
  );
  const pools = host.arch.hugePageSizeLogs.map((log) => [`hugepages-${2 ** (log - KIB_LOG)}kB`, pool]);
  return fixedDirectory({
    cpu0: linkNode(() => "../../cpu/cpu0"),
    cpulist: zero,
    cpumap: textNode(() => "1\n"),
    distance: textNode(() => "10\n"),
    hugepages: directoryNode(fixedDirectory(Object.fromEntries(pools)), 0o755),
    meminfo: textNode(() => nodeMeminfo(host)),
    numastat: textNode(() => nodeNumastat(host)),
    vmstat: textNode(() => nodeVmstat(host)),
  });
}

/** node_read_meminfo */
function nodeMeminfo(host: ProcHost): string {
  const { phys } = host;
  const total = phys.totalFrames;
  const free = phys.buddy.freeFrames;
  const of = (name: string): number => counter(host, name);
  const pages: readonly (readonly [string, number])[] = [
    ["MemTotal", total],
    ["MemFree", free],
    ["MemUsed", total - free],
    ["SwapCached", of("nr_swapcached")],
    ["Active", of("nr_active_anon") + of("nr_active_file")],
    ["Inactive", of("nr_inactive_anon") + of("nr_inactive_file")],
    ["Active(anon)", of("nr_active_anon")],
    ["Inactive(anon)", of("nr_inactive_anon")],
    ["Active(file)", of("nr_active_file")],
    ["Inactive(file)", of("nr_inactive_file")],
    ["Unevictable", of("nr_unevictable")],
    ["Mlocked", of("nr_mlock")],
    ["Dirty", of("nr_dirty")],
    ["Writeback", of("nr_writeback")],
    ["FilePages", of("nr_file_pages")],
    ["Mapped", of("nr_mapped")],
    ["AnonPages", of("nr_anon_pages")],
    ["Shmem", of("nr_shmem")],
    ["KernelStack", 0],
    ["PageTables", of("nr_page_table_pages")],
    ["SecPageTables", 0],
    ["NFS_Unstable", 0],
    ["Bounce", 0],
    ["WritebackTmp", 0],
    ["KReclaimable", 0],
    ["Slab", 0],
    ["SReclaimable", 0],
    ["SUnreclaim", 0],
  ];
  const lines = pages.map(([label, count]) => kbLine(label, count * PAGE_SIZE));
  // Of the pool of huge pages these are counts, not sizes.
  for (const label of ["HugePages_Total", "HugePages_Free", "HugePages_Surp"])
    lines.push(`${`${label}:`.padEnd(16)} ${"0".padStart(5)}\n`);
  return lines.map((line) => `Node 0 ${line}`).join("");
}

/** Events of the node, with names of its own (node_read_numastat). */
function nodeNumastat(host: ProcHost): string {
  const items: readonly (readonly [string, string])[] = [
    ["numa_hit", "numa_hit"],
    ["numa_miss", "numa_miss"],
    ["numa_foreign", "numa_foreign"],
    ["interleave_hit", "numa_interleave"],
    ["local_node", "numa_local"],
    ["other_node", "numa_other"],
  ];
  return items.map(([label, name]) => `${label} ${counter(host, name)}\n`).join("");
}

/** node_read_vmstat */
function nodeVmstat(host: ProcHost): string {
  return [...ZONE_ITEMS, ...NUMA_ITEMS, ...NODE_ITEMS]
    .map((name) => `${name} ${counter(host, name)}\n`)
    .join("");
}
