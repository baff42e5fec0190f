/**
 * /proc/PID/status: a process in words (proc_pid_status, fs/proc/array.c).
 *
 * Signals, capabilities and scheduling belong to whoever runs the process, which this room does not know: they are
 * shown as a process without any has them.
 */
import { PAGE_SIZE } from "../page.ts";
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, type MmStruct } from "../vma/mm-struct.ts";
import { mmOf, type ProcTask } from "./proc-task.ts";
import { textBytes } from "./statm.ts";
import { kb, pagesKb } from "./text.ts";

const NO_SIGNALS = "0000000000000000";
/** All capabilities of 6.18, CAP_CHOWN … CAP_CHECKPOINT_RESTORE. */
const ALL_CAPABILITIES = "000001ffffffffff";

/** @param readerPid pid of the reader: a process that shows itself is running, the others sleep */
export function procStatus(task: ProcTask, readerPid: number | undefined): string {
  const { pid, uid, gid } = task;
  const mm = mmOf(task);
  const capabilities = uid === 0 ? ALL_CAPABILITIES : NO_SIGNALS;
  const lines = [
    `Name:\t${task.comm.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`,
    ...(mm === null ? [] : [`Umask:\t${task.fs.umask.toString(8).padStart(4, "0")}`]),
    `State:\t${stateOf(task, readerPid)}`,
    `Tgid:\t${pid}`,
    "Ngid:\t0",
    `Pid:\t${pid}`,
    `PPid:\t${task.parent?.pid ?? 0}`,
    "TracerPid:\t0",
    `Uid:\t${uid}\t${uid}\t${uid}\t${uid}`,
    `Gid:\t${gid}\t${gid}\t${gid}\t${gid}`,
    `FDSize:\t${mm === null ? 0 : fdSize(task)}`,
    "Groups:\t ",
    `NStgid:\t${pid}`,
    `NSpid:\t${pid}`,
    "NSpgid:\t0",
    "NSsid:\t0",
    "Kthread:\t0",
    ...(mm === null ? [] : memoryLines(mm)),
    "Threads:\t1",
    "SigQ:\t0/0",
    `SigPnd:\t${NO_SIGNALS}`,
    `ShdPnd:\t${NO_SIGNALS}`,
    `SigBlk:\t${NO_SIGNALS}`,
    `SigIgn:\t${NO_SIGNALS}`,
    `SigCgt:\t${NO_SIGNALS}`,
    `CapInh:\t${NO_SIGNALS}`,
    `CapPrm:\t${capabilities}`,
    `CapEff:\t${capabilities}`,
    `CapBnd:\t${ALL_CAPABILITIES}`,
    `CapAmb:\t${NO_SIGNALS}`,
    "NoNewPrivs:\t0",
    "Seccomp:\t0",
    "Seccomp_filters:\t0",
    "Speculation_Store_Bypass:\tunknown",
    "SpeculationIndirectBranch:\tunsupported",
    "Cpus_allowed:\t1",
    "Cpus_allowed_list:\t0",
    "Mems_allowed:\t1",
    "Mems_allowed_list:\t0",
    "voluntary_ctxt_switches:\t0",
    "nonvoluntary_ctxt_switches:\t0",
  ];
  return `${lines.join("\n")}\n`;
}

/** The letter and the word (get_task_state). */
export function stateOf(task: ProcTask, readerPid: number | undefined): string {
  if (task.exitStatus !== null) return "Z (zombie)";
  return task.pid === readerPid ? "R (running)" : "S (sleeping)";
}

/** Bytes of all page tables but the top one, which Linux does not count (mm_pgtables_bytes). */
export function pageTableBytes(mm: MmStruct): number {
  return Math.max(mm.pageTable.tables - 1, 0) * PAGE_SIZE;
}

/** task_mem, and the lines about the address space behind it. */
function memoryLines(mm: MmStruct): string[] {
  const { rss } = mm;
  const resident = rss[MM_FILEPAGES] + rss[MM_ANONPAGES] + rss[MM_SHMEMPAGES];
  const exec = mm.execVm * PAGE_SIZE;
  const text = Math.min(textBytes(mm), exec);
  const memory: readonly (readonly [string, string])[] = [
    ["VmPeak", pagesKb(Math.max(mm.totalVm, mm.hiwaterVm))],
    ["VmSize", pagesKb(mm.totalVm)],
    ["VmLck", pagesKb(mm.lockedVm)],
    ["VmPin", pagesKb(0)],
    ["VmHWM", pagesKb(Math.max(resident, mm.hiwaterRss))],
    ["VmRSS", pagesKb(resident)],
    ["RssAnon", pagesKb(rss[MM_ANONPAGES])],
    ["RssFile", pagesKb(rss[MM_FILEPAGES])],
    ["RssShmem", pagesKb(rss[MM_SHMEMPAGES])],
    ["VmData", pagesKb(mm.dataVm)],
    ["VmStk", pagesKb(mm.stackVm)],
    ["VmExe", kb(text)],
    ["VmLib", kb(exec - text)],
    ["VmPTE", kb(pageTableBytes(mm))],
    ["VmSwap", pagesKb(rss[MM_SWAPENTS])],
    ["HugetlbPages", kb(0)],
  ];
  return [
    ...memory.map(([label, figure]) => `${label}:\t${figure} kB`),
    "CoreDumping:\t0",
    "THP_enabled:\t0",
    "untag_mask:\t0xffffffffffffffff",
  ];
}

/** Room of the descriptor table: 64 at first, then the next multiple of 256 (alloc_fdtable, for files that fit a page). */
function fdSize(task: ProcTask): number {
  let highest = -1;
  for (const [fd] of task.files.entries()) highest = fd;
  if (highest < 64) return 64;
  let size = 256;
  while (size <= highest) size *= 2;
  return size;
}
