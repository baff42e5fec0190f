/** /proc/PID/statm: seven counts of pages (task_statm). */
import { PAGE_SIZE, pageAlign, pageAlignDown } from "../page.ts";
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, type MmStruct } from "../vma/mm-struct.ts";

/** "size resident shared text lib data dt"; lib and dt are always 0. */
export function procStatm(mm: MmStruct | null): string {
  if (mm === null) return "0 0 0 0 0 0 0\n";
  const shared = mm.rss[MM_FILEPAGES] + mm.rss[MM_SHMEMPAGES];
  const resident = shared + mm.rss[MM_ANONPAGES];
  return `${mm.totalVm} ${resident} ${shared} ${textBytes(mm) / PAGE_SIZE} 0 ${mm.dataVm + mm.stackVm} 0\n`;
}

/** Size of the executable's code in whole pages (bytes). */
export function textBytes(mm: MmStruct): number {
  return pageAlign(mm.endCode) - pageAlignDown(mm.startCode);
}
