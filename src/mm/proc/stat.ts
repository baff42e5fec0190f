/** /proc/PID/stat: a process in 52 numbers (do_task_stat, fs/proc/array.c). */
import { PAGE_SIZE } from "../page.ts";
import { RLIMIT_RSS } from "../uapi/mman.ts";
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES } from "../vma/mm-struct.ts";
import { mmOf, type ProcTask, type SignalBits, type ThreadActivity } from "./proc-task.ts";
import { stateOf } from "./status.ts";
import { ticks } from "./system-texts.ts";

const SIGCHLD = 17;
const PF_RANDOMIZE = 0x400000;
const PF_FORKNOEXEC = 0x40;
const DEFAULT_PRIORITY = 20;
/** ~0ul: no limit. */
const UNLIMITED = "18446744073709551615";

/**
 * @param mayInspect whether the reader may see addresses; else they are 0 (1 for the code's, as ever)
 * @param randomized the kernel randomises address spaces
 * @param thread one of its threads alone; undefined: all of them together, as the leader
 */
export function procStat(
  task: ProcTask,
  readerPid: number | undefined,
  mayInspect: boolean,
  randomized: boolean,
  thread?: ThreadActivity,
): string {
  const mm = mmOf(task, thread);
  const { activity } = task;
  const shownThread = thread ?? activity?.threads[0];
  const isLeader = thread === undefined || thread.tid === task.pid;
  const nice = shownThread?.nice ?? 0;
  const realTimePriority = shownThread?.realTimePriority ?? 0;
  const shown = mayInspect ? mm : null;
  const resident = mm === null ? 0 : mm.rss[MM_FILEPAGES] + mm.rss[MM_ANONPAGES] + mm.rss[MM_SHMEMPAGES];
  const rssLimit = task.rlimits[RLIMIT_RSS].soft;
  const code = mm === null ? [0, 0] : mayInspect ? [mm.startCode, mm.endCode] : [1, 1];
  const flags =
    (randomized ? PF_RANDOMIZE : 0) | (task.parent !== null && mm?.endCode === 0 ? PF_FORKNOEXEC : 0);
  const fields = [
    thread?.tid ?? task.pid,
    `(${thread?.comm ?? task.comm})`,
    stateOf(task, readerPid, shownThread)[0],
    task.parent?.pid ?? 0,
    activity?.processGroup ?? 0,
    activity?.session ?? 0,
    activity?.terminal?.rdev ?? 0,
    activity?.terminal?.foreground ?? -1,
    flags,
    (thread ?? task).minFlt,
    task.childMinFlt,
    (thread ?? task).majFlt,
    task.childMajFlt,
    ticks((thread ?? activity)?.userNs ?? 0),
    ticks(activity?.systemNs ?? 0),
    ticks(activity?.childUserNs ?? 0),
    ticks(activity?.childSystemNs ?? 0),
    realTimePriority > 0 ? -1 - realTimePriority : DEFAULT_PRIORITY + nice,
    nice,
    /* threads */ activity?.threads.length ?? 1,
    /* itrealvalue */ 0,
    /* starttime */ ticks((thread ?? activity)?.startNs ?? 0),
    mm === null ? 0 : mm.totalVm * PAGE_SIZE,
    resident,
    Number.isFinite(rssLimit) ? rssLimit : UNLIMITED,
    ...code,
    shown?.startStack ?? 0,
    // kstkesp, kstkeip: only of a process that is being dumped.
    ...[0, 0],
    // What was sent to the process as a whole is not told here.
    standardSignals(shownThread?.pending),
    standardSignals(shownThread?.blocked),
    standardSignals(activity?.ignored),
    standardSignals(activity?.caught),
    // wchan, nswap, cnswap
    ...[0, 0, 0],
    isLeader ? (activity?.exitSignal ?? SIGCHLD) : -1,
    // processor, rt_priority, policy, delayacct_blkio_ticks, guest_time, cguest_time
    ...[0, realTimePriority, shownThread?.policy ?? 0, 0, 0, 0],
    shown?.startData ?? 0,
    shown?.endData ?? 0,
    shown?.startBrk ?? 0,
    shown?.argStart ?? 0,
    shown?.argEnd ?? 0,
    shown?.envStart ?? 0,
    shown?.envEnd ?? 0,
    mayInspect ? (task.exitStatus ?? 0) : 0,
  ];
  return `${fields.join(" ")}\n`;
}

/** The signals 1 … 31 of a set, as a number. */
function standardSignals(set: SignalBits | undefined): number {
  return (set?.low ?? 0) & 0x7fffffff;
}
