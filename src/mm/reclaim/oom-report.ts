/**
 * What the kernel's log says before a process is killed for memory (dump_header, dump_tasks in mm/oom_kill.c, show_mem,
 * mem_cgroup_print_oom_meminfo).
 */
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SIZE } from "../page.ts";
import {
  NR_ACTIVE_ANON,
  NR_ACTIVE_FILE,
  NR_FILE_DIRTY,
  NR_FILE_MAPPED,
  NR_FILE_PAGES,
  NR_INACTIVE_ANON,
  NR_INACTIVE_FILE,
  NR_MLOCK,
  NR_PAGETABLE,
  NR_SHMEM,
  NR_UNEVICTABLE,
  NR_WRITEBACK,
} from "../trace/vmstat.ts";
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS } from "../vma/mm-struct.ts";
import { pageTableBytesOf } from "./oom-badness.ts";
import type { OomHost, OomTask } from "./oom-kill.ts";

export type OomConstraint = "CONSTRAINT_NONE" | "CONSTRAINT_MEMCG";

const PAGE_KIB: number = PAGE_SIZE / 1024;
/** GFP_HIGHUSER_MOVABLE, which is what a page of a process is allocated with. */
const GFP = "gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP)";

/** Who asked, how memory is used, and by whom. `tasks`: the table's lines, none for no table. */
export function dumpHeader(
  phys: PhysicalMemory,
  host: OomHost,
  tasks: readonly OomTask[],
  group: number,
): void {
  const current = host.currentTask;
  const name = current?.comm ?? "swapper/0";
  host.printk(`${name} invoked oom-killer: ${GFP}, order=0, oom_score_adj=${current?.oomScoreAdj ?? 0}`);
  for (const line of group === 0 ? memInfo(phys) : groupInfo(phys, host, group)) host.printk(line);
  if (tasks.length === 0) return;
  host.printk("Tasks state (memory values in pages):");
  host.printk(
    "[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name",
  );
  for (const task of tasks) host.printk(taskLine(task));
}

/** One line that a program can read: whom, where and why. */
export function oomKillLine(
  host: OomHost,
  victim: OomTask,
  group: number,
  constraint: OomConstraint,
): string {
  const where = group === 0 ? "global_oom" : `oom_memcg=${host.memCgroupPath(group)}`;
  return (
    `oom-kill:constraint=${constraint},nodemask=(null),cpuset=/,mems_allowed=0,${where},` +
    `task_memcg=${host.memCgroupPath(victim.mm.memcg)},task=${victim.comm},pid=${victim.pid},uid=${victim.userIds.real}`
  );
}

/** What the end of the process frees. */
export function killedLine({ pid, comm, userIds, mm, oomScoreAdj }: OomTask): string {
  const kb = (pages: number): string => `${pages * PAGE_KIB}kB`;
  const { rss } = mm;
  return (
    `Killed process ${pid} (${comm}) total-vm:${kb(mm.totalVm)}, anon-rss:${kb(rss[MM_ANONPAGES])}, ` +
    `file-rss:${kb(rss[MM_FILEPAGES])}, shmem-rss:${kb(rss[MM_SHMEMPAGES])}, UID:${userIds.real} ` +
    `pgtables:${pageTableBytesOf(mm) / 1024}kB oom_score_adj:${oomScoreAdj}`
  );
}

function taskLine({ pid, userIds, comm, mm, oomScoreAdj }: OomTask): string {
  const { rss } = mm;
  const resident = rss[MM_ANONPAGES] + rss[MM_FILEPAGES] + rss[MM_SHMEMPAGES];
  const columns: readonly (readonly [number, number])[] = [
    [userIds.real, 5],
    [pid, 5],
    [mm.totalVm, 8],
    [resident, 8],
    [rss[MM_ANONPAGES], 8],
    [rss[MM_FILEPAGES], 8],
    [rss[MM_SHMEMPAGES], 9],
    [pageTableBytesOf(mm), 8],
    [rss[MM_SWAPENTS], 8],
  ];
  const numbers = columns.map(([value, width]) => String(value).padStart(width)).join(" ");
  return `[${String(pid).padStart(7)}] ${numbers}         ${String(oomScoreAdj).padStart(5)} ${comm}`;
}

/** show_mem of the one node and its one zone. */
function memInfo(phys: PhysicalMemory): string[] {
  const { stat, buddy, watermarks } = phys;
  const kb = (pages: number): string => `${pages * PAGE_KIB}kB`;
  const lists =
    `active_anon:${kb(stat[NR_ACTIVE_ANON])} inactive_anon:${kb(stat[NR_INACTIVE_ANON])} ` +
    `active_file:${kb(stat[NR_ACTIVE_FILE])} inactive_file:${kb(stat[NR_INACTIVE_FILE])} ` +
    `unevictable:${kb(stat[NR_UNEVICTABLE])}`;
  const blocks = Array.from({ length: 11 }, () => 0);
  buddy.forEachFree((_first, order) => {
    blocks[order]++;
  });
  const sizes = blocks.map((count, order) => `${count}*${PAGE_KIB * 2 ** order}kB`).join(" ");
  return [
    "Mem-Info:",
    `active_anon:${stat[NR_ACTIVE_ANON]} inactive_anon:${stat[NR_INACTIVE_ANON]} isolated_anon:0`,
    ` active_file:${stat[NR_ACTIVE_FILE]} inactive_file:${stat[NR_INACTIVE_FILE]} isolated_file:0`,
    ` unevictable:${stat[NR_UNEVICTABLE]} dirty:${stat[NR_FILE_DIRTY]} writeback:${stat[NR_WRITEBACK]}`,
    " slab_reclaimable:0 slab_unreclaimable:0",
    ` mapped:${stat[NR_FILE_MAPPED]} shmem:${stat[NR_SHMEM]} pagetables:${stat[NR_PAGETABLE]}`,
    " sec_pagetables:0 bounce:0",
    " kernel_misc_reclaimable:0",
    ` free:${buddy.freeFrames} free_pcp:0 free_cma:0`,
    `Node 0 ${lists} isolated(anon):0kB isolated(file):0kB mapped:${kb(stat[NR_FILE_MAPPED])} ` +
      `dirty:${kb(stat[NR_FILE_DIRTY])} writeback:${kb(stat[NR_WRITEBACK])} shmem:${kb(stat[NR_SHMEM])} ` +
      `pagetables:${kb(stat[NR_PAGETABLE])} all_unreclaimable? no`,
    `Node 0 Normal free:${kb(buddy.freeFrames)} boost:0kB min:${kb(watermarks.min)} low:${kb(watermarks.low)} ` +
      `high:${kb(watermarks.high)} ${lists} present:${kb(phys.totalFrames)} managed:${kb(phys.totalFrames)} ` +
      `mlocked:${kb(stat[NR_MLOCK])} bounce:0kB free_pcp:0kB local_pcp:0kB free_cma:0kB`,
    "lowmem_reserve[]: 0 0",
    `Node 0 Normal: ${sizes} = ${kb(buddy.freeFrames)}`,
    `${stat[NR_FILE_PAGES]} total pagecache pages`,
    `Free swap  = ${kb(phys.nrSwapPages)}`,
    `Total swap = ${kb(phys.totalSwapPages)}`,
    `${phys.totalFrames} pages RAM`,
    "0 pages HighMem/MovableOnly",
    "0 pages reserved",
  ];
}

/** The usage of a group that is at its limit (mem_cgroup_print_oom_meminfo). */
function groupInfo({ memcg, lruvecs }: PhysicalMemory, host: OomHost, group: number): string[] {
  const kb = (pages: number): string =>
    `${pages === Number.POSITIVE_INFINITY ? 9007199254740988 : pages * PAGE_KIB}kB`;
  const lists = ["inactive_anon", "active_anon", "inactive_file", "active_file", "unevictable"];
  return [
    `memory: usage ${kb(memcg.usage[group])}, limit ${kb(memcg.max[group])}, failcnt ${memcg.events(group, 2)}`,
    `swap: usage ${kb(memcg.swapUsage[group])}, limit ${kb(memcg.swapMax[group])}, failcnt ${memcg.events(group, 5)}`,
    `Memory cgroup stats for ${host.memCgroupPath(group)}:`,
    ...lists.map((name, list) => `${name} ${lruvecs.lruSize(group, list) * PAGE_SIZE}`),
  ];
}
