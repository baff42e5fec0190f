/**
 * /proc/PID/status: a process in words (proc_pid_status, fs/proc/array.c).
 *
 * Signals, groups and scheduling belong to whoever runs the process. One that nobody runs has none, and is in no group.
 */

import { PAGE_SIZE } from "../page.ts";
import { RLIMIT_SIGPENDING } from "../uapi/mman.ts";
import { type CapabilitySet, capabilitiesOf } from "../vfs/capability.ts";
import type { Ids } from "../vfs/ids.ts";
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, type MmStruct } from "../vma/mm-struct.ts";
import { mmOf, type ProcHost, type ProcTask, type SignalBits, type ThreadActivity } from "./proc-task.ts";
import { textBytes } from "./statm.ts";
import { hex, kb, pagesKb } from "./text.ts";

/** No signal. */
const NONE = "0000000000000000";

/**
 * @param readerPid pid of the reader: a process that shows itself is running, the others sleep
 * @param thread whom of its threads to show; undefined: the leader
 */
export function procStatus(
  host: ProcHost,
  task: ProcTask,
  readerPid: number | undefined,
  thread: ThreadActivity | undefined = task.activity?.threads[0],
): string {
  const { pid, userIds, groupIds, groups = [], activity } = task;
  const tid = thread?.tid ?? pid;
  const mm = mmOf(task, thread);
  const { inheritable, permitted, effective, bounding, ambient } = capabilitiesOf(task);
  const lines = [
    `Name:\t${(thread?.comm ?? task.comm).replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`,
    ...(mm === null ? [] : [`Umask:\t${task.fs.umask.toString(8).padStart(4, "0")}`]),
    `State:\t${stateOf(task, readerPid, thread)}`,
    `Tgid:\t${pid}`,
    "Ngid:\t0",
    `Pid:\t${tid}`,
    `PPid:\t${task.parent?.pid ?? 0}`,
    "TracerPid:\t0",
    `Uid:\t${idsText(userIds)}`,
    `Gid:\t${idsText(groupIds)}`,
    `FDSize:\t${mm === null ? 0 : fdSize(task)}`,
    `Groups:\t${groups.length === 0 ? " " : groups.map((group) => `${group} `).join("")}`,
    `NStgid:\t${pid}`,
    `NSpid:\t${tid}`,
    `NSpgid:\t${activity?.processGroup ?? 0}`,
    `NSsid:\t${activity?.session ?? 0}`,
    "Kthread:\t0",
    ...(mm === null ? [] : memoryLines(mm)),
    `Threads:\t${activity?.threads.length ?? 1}`,
    `SigQ:\t${queuedOf(host, userIds.real)}/${limitText(task.rlimits[RLIMIT_SIGPENDING].soft)}`,
    `SigPnd:\t${signals(thread?.pending)}`,
    `ShdPnd:\t${signals(activity?.sharedPending)}`,
    `SigBlk:\t${signals(thread?.blocked)}`,
    `SigIgn:\t${signals(activity?.ignored)}`,
    `SigCgt:\t${signals(activity?.caught)}`,
    `CapInh:\t${setText(inheritable)}`,
    `CapPrm:\t${setText(permitted)}`,
    `CapEff:\t${setText(effective)}`,
    `CapBnd:\t${setText(bounding)}`,
    `CapAmb:\t${setText(ambient)}`,
    `NoNewPrivs:\t${activity?.noNewPrivileges === true ? 1 : 0}`,
    "Speculation_Store_Bypass:\tunknown",
    "SpeculationIndirectBranch:\tunsupported",
    "Cpus_allowed:\t1",
    "Cpus_allowed_list:\t0",
    `voluntary_ctxt_switches:\t${thread?.voluntarySwitches ?? 0}`,
    `nonvoluntary_ctxt_switches:\t${thread?.involuntarySwitches ?? 0}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** The last is the one that decides about files: the effective one, since setfsuid is not there. */
function idsText({ real, effective, saved }: Ids): string {
  return `${real}\t${effective}\t${saved}\t${effective}`;
}

/** Sixteen hexadecimal digits (render_sigset_t). */
function signals(set: SignalBits | undefined): string {
  return set === undefined ? NONE : hex(set.high >>> 0, 8) + hex(set.low >>> 0, 8);
}

/** Signals that wait for processes of one user. */
function queuedOf(host: ProcHost, uid: number): number {
  let queued = 0;
  for (const task of host.processes.values())
    if (task.userIds.real === uid) queued += task.activity?.queuedSignals ?? 0;
  return queued;
}

/** A limit as an unsigned long. */
function limitText(limit: number): string {
  return Number.isFinite(limit) ? String(limit) : "18446744073709551615";
}

/** The letter and the word (get_task_state). */
export function stateOf(
  task: ProcTask,
  readerPid: number | undefined,
  thread: ThreadActivity | undefined,
): string {
  if (task.exitStatus !== null) return "Z (zombie)";
  if (thread !== undefined) return thread.state;
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

function setText({ low, high }: CapabilitySet): string {
  return hex(high, 8) + hex(low, 8);
}
