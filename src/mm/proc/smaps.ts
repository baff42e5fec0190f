/**
 * /proc/PID/smaps and smaps_rollup: what each mapping, or all of them together, cost (show_smap, fs/proc/task_mmu.c).
 *
 * The kernel that Faultline stands for is built with these lines and without their features (huge pages, KSM): they
 * are there and say 0. ProtectionKey is left out, as on a CPU without such keys.
 */
import type { MmStruct } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { vmaKernelPagesize } from "../vma/vma-page-size.ts";
import { mapsHeader, mapsLine } from "./maps.ts";
import { gatherStats, MemSizeStats, PSS_UNIT } from "./mem-size-stats.ts";
import { kbLine } from "./text.ts";
import { vmFlagCodes } from "./vm-flag-codes.ts";

/** One mapping: its line of maps and the lines about it. */
export function smapsEntry(vma: VmArea): string {
  const stats = new MemSizeStats();
  gatherStats(stats, vma);
  return (
    `${mapsLine(vma)}\n` +
    kbLine("Size", vma.end - vma.start) +
    kbLine("KernelPageSize", vmaKernelPagesize(vma)) +
    kbLine("MMUPageSize", vmaKernelPagesize(vma)) +
    statLines(stats, /* rollup */ false) +
    `${"THPeligible:".padEnd(16)}${"0".padStart(8)}\n` +
    `VmFlags: ${vmFlagCodes(vma.flags)}\n`
  );
}

/** The sums over all mappings, under a line that spans them; an empty address space says nothing but zeros. */
export function procSmapsRollup(mm: MmStruct): string {
  const stats = new MemSizeStats();
  for (const vma of mm.vmas) gatherStats(stats, vma);
  const start = mm.vmas.first?.start ?? 0;
  const end = mm.vmas.last?.end ?? 0;
  return `${mapsHeader(start, end, "---p", 0, 0, 0, "[rollup]")}\n${statLines(stats, /* rollup */ true)}`;
}

/** __show_smap */
function statLines(stats: MemSizeStats, rollup: boolean): string {
  return (
    kbLine("Rss", stats.resident) +
    kbLine("Pss", stats.pss / PSS_UNIT) +
    kbLine("Pss_Dirty", stats.pssDirty / PSS_UNIT) +
    (rollup
      ? kbLine("Pss_Anon", stats.pssAnon / PSS_UNIT) +
        kbLine("Pss_File", stats.pssFile / PSS_UNIT) +
        kbLine("Pss_Shmem", stats.pssShmem / PSS_UNIT)
      : "") +
    kbLine("Shared_Clean", stats.sharedClean) +
    kbLine("Shared_Dirty", stats.sharedDirty) +
    kbLine("Private_Clean", stats.privateClean) +
    kbLine("Private_Dirty", stats.privateDirty) +
    kbLine("Referenced", stats.referenced) +
    kbLine("Anonymous", stats.anonymous) +
    kbLine("KSM", 0) +
    kbLine("LazyFree", stats.lazyfree) +
    kbLine("AnonHugePages", 0) +
    kbLine("ShmemPmdMapped", 0) +
    kbLine("FilePmdMapped", 0) +
    // Their labels fill the column, and Linux gives their figures seven places instead of eight.
    "Shared_Hugetlb:        0 kB\n" +
    "Private_Hugetlb:       0 kB\n" +
    kbLine("Swap", stats.swap) +
    kbLine("SwapPss", stats.swapPss / PSS_UNIT) +
    kbLine("Locked", stats.pssLocked / PSS_UNIT)
  );
}
