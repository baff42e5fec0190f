/** /proc/meminfo: where all the memory is (meminfo_proc_show, fs/proc/meminfo.c). */
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SIZE } from "../page.ts";
import { nrSwapPages, totalSwapPages } from "../swap/swap-cache.ts";
import type { ProcHost } from "./proc-task.ts";
import { kbLine, pagesKb } from "./text.ts";
import { counter } from "./vmstat.ts";

/**
 * What programs could still get without swapping (si_mem_available): what is free beyond the reserve, and the cache but for
 * what it needs at least.
 */
export function availablePages({ buddy, watermarks }: PhysicalMemory, cached: number): number {
  const { low, high } = watermarks;
  return Math.max(0, buddy.freeFrames - high + cached - Math.min(Math.floor(cached / 2), low));
}

const VMALLOC_TOTAL_KB = 34359738367;
const HUGE_PAGE_BYTES = 2 * 2 ** 20;

export function procMeminfo(host: ProcHost): string {
  const { phys } = host;
  const of = (name: string): number => counter(host, name);
  const pages = (label: string, count: number): string => kbLine(label, count * PAGE_SIZE);
  const inactiveAnon = of("nr_inactive_anon");
  const activeAnon = of("nr_active_anon");
  const inactiveFile = of("nr_inactive_file");
  const activeFile = of("nr_active_file");
  const free = phys.buddy.freeFrames;
  const swapCached = of("nr_swapcached");
  return [
    pages("MemTotal", phys.totalFrames),
    pages("MemFree", free),
    pages("MemAvailable", availablePages(phys, inactiveFile + activeFile)),
    pages("Buffers", 0),
    pages("Cached", of("nr_file_pages") - swapCached),
    pages("SwapCached", swapCached),
    pages("Active", activeAnon + activeFile),
    pages("Inactive", inactiveAnon + inactiveFile),
    pages("Active(anon)", activeAnon),
    pages("Inactive(anon)", inactiveAnon),
    pages("Active(file)", activeFile),
    pages("Inactive(file)", inactiveFile),
    pages("Unevictable", of("nr_unevictable")),
    pages("Mlocked", of("nr_mlock")),
    pages("SwapTotal", totalSwapPages(phys)),
    pages("SwapFree", nrSwapPages(phys)),
    pages("Dirty", of("nr_dirty")),
    pages("Writeback", of("nr_writeback")),
    pages("AnonPages", of("nr_anon_pages")),
    pages("Mapped", of("nr_mapped")),
    pages("Shmem", of("nr_shmem")),
    pages("KReclaimable", 0),
    pages("Slab", 0),
    pages("SReclaimable", 0),
    pages("SUnreclaim", 0),
    pages("KernelStack", 0),
    pages("PageTables", of("nr_page_table_pages")),
    pages("SecPageTables", 0),
    pages("NFS_Unstable", 0),
    pages("Bounce", 0),
    pages("WritebackTmp", 0),
    pages("CommitLimit", phys.commit.limit),
    pages("Committed_AS", phys.commit.committed),
    `VmallocTotal:   ${VMALLOC_TOTAL_KB} kB\n`,
    pages("VmallocUsed", 0),
    pages("VmallocChunk", 0),
    pages("Percpu", 0),
    pages("Balloon", 0),
    // Of the pool of huge pages these are counts, not sizes.
    ...["HugePages_Total", "HugePages_Free", "HugePages_Rsvd", "HugePages_Surp"].map(
      (label) => `${`${label}:`.padEnd(16)}${"0".padStart(8)}\n`,
    ),
    kbLine("Hugepagesize", HUGE_PAGE_BYTES),
    pages("Hugetlb", 0),
    ...(host.arch.name === "x86-64"
      ? [
          `DirectMap4k:    ${pagesKb(phys.totalFrames)} kB\n`,
          `DirectMap2M:    ${pagesKb(0)} kB\n`,
          `DirectMap1G:    ${pagesKb(0)} kB\n`,
        ]
      : []),
  ].join("");
}
