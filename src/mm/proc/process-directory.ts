/** /proc/PID: a process's own files (tgid_base_stuff, fs/proc/base.c). */

import { OOM_SCORE_ADJ_MAX, OOM_SCORE_ADJ_MIN } from "../reclaim/oom-badness.ts";
import { CAP_SYS_ADMIN, CAP_SYS_NICE, CAP_SYS_RESOURCE } from "../uapi/capability.ts";
import { EACCES, EINVAL, ENOTTY, EPERM } from "../uapi/errno.ts";
import { S_IFREG } from "../uapi/fcntl.ts";
import { POLLIN, POLLRDNORM } from "../uapi/fs.ts";
import { capable } from "../vfs/capability.ts";
import { File } from "../vfs/file.ts";
import type { Actor, Inode } from "../vfs/inode.ts";
import type { IovIter } from "../vfs/iov-iter.ts";
import { noopLlseek } from "../vfs/read-write.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { clearRefs } from "./clear-refs.ts";
import { commandLine, environment } from "./command-line.ts";
import { fdinfoDirectory } from "./fdinfo.ts";
import { procLimits } from "./limits.ts";
import { mapsLine } from "./maps.ts";
import { memOps } from "./mem-file.ts";
import { mappingRecords } from "./mm-records.ts";
import { procMountinfo, procMounts } from "./mounts.ts";
import { numaMapsLine } from "./numa-maps.ts";
import { fdDirectory, mapFilesDirectory, objectLink } from "./object-links.ts";
import { oomAdjOf, oomScore, scoreAdjOf } from "./oom-score.ts";
import { readPagemap } from "./pagemap.ts";
import { PAGEMAP_SCAN, pagemapScan } from "./pagemap-scan.ts";
import {
  hasExited,
  mayInspect,
  mmOf,
  type ProcHost,
  type ProcTask,
  type TaskActivity,
  type ThreadActivity,
} from "./proc-task.ts";
import { directoryNode, fixedDirectory, type ProcDirectory, type ProcNode, polledNode } from "./proc-tree.ts";
import { PROCMAP_QUERY, procmapQuery } from "./procmap-query.ts";
import { openSeq, openSingle, seqOps } from "./seq-file.ts";
import { procSmapsRollup, smapsEntry } from "./smaps.ts";
import { procStat } from "./stat.ts";
import { procStatm } from "./statm.ts";
import { procStatus } from "./status.ts";
import { hex } from "./text.ts";
import {
  mappingsNode,
  memoryNode,
  mmOfFile,
  openMm,
  parseInteger,
  placedNode,
  readBytes,
  takeNumber,
  takeText,
  textNode,
} from "./text-file.ts";

/** What is mounted can be read; a change, which there is none after the start, would be POLLPRI (mounts_poll). */
const NO_MOUNT_CHANGED: number = POLLIN | POLLRDNORM;
/** Digits of a number that is written to timerslack_ns (PROC_NUMBUF is 13). */
const NUMBER_BYTES = 20;
/** The longest name of a process, without its NUL (TASK_COMM_LEN − 1). */
const COMM_BYTES = 15;

/** @param thread of which all is shown that is a thread's own, where it was found by that one's number */
export function processDirectory(host: ProcHost, task: ProcTask, thread?: ThreadActivity): ProcDirectory {
  return fixedDirectory({
    ...sharedNodes(host, task, thread),
    fdinfo: fdinfoDirectory(task, thread, host.mounts),
    map_files: mapFilesDirectory(task, thread),
    task: directoryNode(threadsDirectory(host, task), 0o555, task),
    ...(task.activity === null ? {} : { timerslack_ns: timerSlackNode(task, task.activity) }),
  });
}

/** /proc/PID/task: a directory for each thread. A process that nobody runs has one. */
function threadsDirectory(host: ProcHost, task: ProcTask): ProcDirectory {
  const nodeOf = (thread: ThreadActivity | undefined): ProcNode => ({
    ...directoryNode(threadDirectory(host, task, thread), 0o555, task),
    isImmutable: true,
  });
  const threads = (): readonly ThreadActivity[] => task.activity?.threads ?? [];
  return {
    find: (name) => {
      if (task.activity === null) {
        return name === String(task.pid) ? { key: task, node: () => nodeOf(undefined) } : undefined;
      }
      const thread = threads().find(({ tid }) => name === String(tid));
      return thread === undefined ? undefined : { key: thread, node: () => nodeOf(thread) };
    },
    names: () => (task.activity === null ? [String(task.pid)] : threads().map(({ tid }) => String(tid))),
    get subdirectories() {
      return Math.max(1, threads().length);
    },
  };
}

/** /proc/PID/task/TID (tid_base_stuff): most of it is the process's. */
function threadDirectory(host: ProcHost, task: ProcTask, thread: ThreadActivity | undefined): ProcDirectory {
  return fixedDirectory({
    ...sharedNodes(host, task, thread),
    children: textNode(() => childrenOf(host, task), 0o444, undefined, task),
    fdinfo: fdinfoDirectory(task, thread, host.mounts),
  });
}

/** Numbers of the processes whose parent it is, each with a space behind it. */
function childrenOf(host: ProcHost, task: ProcTask): string {
  let text = "";
  for (const child of host.processes.values()) if (child.parent === task) text += `${child.pid} `;
  return text;
}

/** What a process and its thread both have. @param thread undefined: the process */
function sharedNodes(host: ProcHost, task: ProcTask, thread?: ThreadActivity): Record<string, ProcNode> {
  return {
    auxv: memoryNode(task, thread, 0o400, {
      read: (file, to, pos) => readBytes(mmOfFile(file).savedAuxv, to, pos),
    }),
    cgroup: textNode(() => "0::/\n", 0o444, undefined, task),
    clear_refs: clearRefsNode(task, thread),
    cmdline: {
      mode: S_IFREG | 0o444,
      owner: task,
      fops: {
        read: (_file, to, pos) => {
          const mm = mmOf(task, thread);
          return mm === null ? 0 : readBytes(commandLine(host, mm), to, pos);
        },
      },
    },
    comm: textNode(
      () => `${(thread ?? task).comm}\n`,
      0o644,
      (from, writer) => writeComm(task, thread ?? task, from, writer.pid),
      task,
    ),
    cwd: objectLink(task, () => (hasExited(task, thread) ? null : task.fs.cwd)),
    environ: memoryNode(task, thread, 0o400, {
      read: (file, to, pos) => readBytes(environment(host, mmOfFile(file)), to, pos),
    }),
    exe: objectLink(task, () => {
      const file = mmOf(task, thread)?.exeFile ?? null;
      return file instanceof File ? file.dentry : null;
    }),
    fd: fdDirectory(task, thread),
    limits: textNode(() => procLimits(task), 0o444, undefined, task),
    maps: mappingsNode(
      task,
      thread,
      (mm) => mappingRecords(mm, (vma) => `${mapsLine(vma)}\n`),
      (mm, cmd, arg, { pid }) => mapsIoctl(host, mm, cmd, arg, pid),
    ),
    mem: memoryNode(task, thread, 0o600, memOps(host)),
    mountinfo: mountsNode(task, thread, () => procMountinfo(host.mounts)),
    mounts: mountsNode(task, thread, () => procMounts(host.mounts)),
    numa_maps: mappingsNode(task, thread, (mm) =>
      mappingRecords(mm, (vma) => numaMapsLine(vma, (thread ?? task).mempolicy)),
    ),
    oom_adj: placedNode(
      textNode(
        () => `${oomAdjOf(task.oomScoreAdj)}\n`,
        0o644,
        (from, writer) =>
          takeNumber(from, /* anyBase */ true, (adj) =>
            setOomAdj(task, adj, capable(writer, CAP_SYS_RESOURCE)),
          ),
        task,
      ),
    ),
    oom_score: textNode(() => `${oomScore(host.phys, task)}\n`, 0o444, undefined, task),
    oom_score_adj: placedNode(
      textNode(
        () => `${task.oomScoreAdj}\n`,
        0o644,
        (from, writer) =>
          takeNumber(from, /* anyBase */ true, (adj) =>
            setOomScoreAdj(task, adj, capable(writer, CAP_SYS_RESOURCE)),
          ),
        task,
      ),
    ),
    pagemap: memoryNode(task, thread, 0o400, {
      read: (file, to, pos) =>
        readPagemap(mmOfFile(file), to, pos, /* showPfn */ capable(file.opener, CAP_SYS_ADMIN)),
      ioctl: (file, cmd, arg, { pid }) => pagemapIoctl(host, mmOfFile(file), cmd, arg, pid),
    }),
    personality: ownersText(task, () => hex(task.activity?.personality ?? 0, 8)),
    root: objectLink(task, () => (hasExited(task, thread) ? null : task.fs.root)),
    smaps: mappingsNode(task, thread, (mm) => mappingRecords(mm, smapsEntry)),
    smaps_rollup: rollupNode(task, thread),
    stat: textNode(
      (reader) => procStat(task, reader.pid, mayInspect(reader, task), task.mm.random !== undefined, thread),
      0o444,
      undefined,
      task,
    ),
    statm: textNode(() => procStatm(mmOf(task, thread)), 0o444, undefined, task),
    status: textNode((reader) => procStatus(host, task, reader.pid, thread), 0o444, undefined, task),
  };
}

/** What is mounted where the thread is; one that has ended is nowhere (mounts_open_common). */
function mountsNode(task: ProcTask, thread: ThreadActivity | undefined, text: () => string): ProcNode {
  const node = textNode(text, 0o444, undefined, task);
  const open = (_inode: Inode, file: File): number =>
    hasExited(task, thread) ? -EINVAL : openSingle(file, text);
  return polledNode({ ...node, ops: { ...node.ops, open } }, NO_MOUNT_CHANGED);
}

/** procfs_procmap_ioctl */
function mapsIoctl(host: ProcHost, mm: MmStruct, cmd: number, arg: number, pid: number | undefined): number {
  const caller = pid === undefined ? undefined : host.processes.get(pid);
  if (cmd !== PROCMAP_QUERY || caller === undefined) return -ENOTTY;
  return procmapQuery(host.mmu, caller, mm, arg);
}

/** do_pagemap_cmd */
function pagemapIoctl(
  host: ProcHost,
  mm: MmStruct,
  cmd: number,
  arg: number,
  pid: number | undefined,
): number {
  const caller = pid === undefined ? undefined : host.processes.get(pid);
  if (cmd !== PAGEMAP_SCAN || caller === undefined) return -EINVAL;
  return pagemapScan(host.mmu, caller, mm, arg);
}

function clearRefsNode(task: ProcTask, thread: ThreadActivity | undefined): ProcNode {
  return {
    mode: S_IFREG | 0o200,
    owner: task,
    fops: {
      llseek: noopLlseek,
      write: (_file, from) =>
        takeNumber(from, /* anyBase */ false, (kind) => {
          const mm = mmOf(task, thread);
          if (mm !== null) return clearRefs(mm, kind);
          return kind >= 1 && kind <= 5 ? 0 : -EINVAL;
        }),
    },
  };
}

function rollupNode(task: ProcTask, thread: ThreadActivity | undefined): ProcNode {
  return {
    mode: S_IFREG | 0o444,
    owner: task,
    ops: {
      open: (_inode, file) => {
        const mm = openMm(task, thread, file.opener);
        if (typeof mm === "number") return mm;
        if (mm.users === 0) return openSeq(file, () => null);
        return openSingle(file, () => procSmapsRollup(mm));
      },
    },
    fops: seqOps,
  };
}

/** A process may name itself and its threads, and nobody else (comm_write). */
function writeComm(
  task: ProcTask,
  named: { comm: string },
  from: IovIter,
  writerPid: number | undefined,
): number {
  const wanted = from.count;
  const name = takeText(from, COMM_BYTES);
  if (typeof name === "number") return name;
  if (writerPid !== task.pid) return -EINVAL;
  const nul = name.indexOf("\0");
  named.comm = nul < 0 ? name : name.slice(0, nul);
  return wanted === 0 ? 0 : wanted;
}

/** A line for those who may look into the process, asked at each opening. */
function ownersText(task: ProcTask, text: () => string): ProcNode {
  return {
    mode: S_IFREG | 0o400,
    owner: task,
    ops: {
      open: (_inode, file) =>
        mayInspect(file.opener, task) ? openSingle(file, () => `${text()}\n`) : -EACCES,
    },
    fops: seqOps,
  };
}

/** How late timers may be: anybody may try, its own user may. Another's is told to root alone. */
function timerSlackNode(task: ProcTask, activity: TaskActivity): ProcNode {
  const isAllowed = (who: Actor): boolean => who.pid === task.pid || capable(who, CAP_SYS_NICE);
  return {
    ...textNode(
      () => `${activity.timerSlackNs}\n`,
      0o666,
      (from, writer) => {
        const wanted = from.count;
        const text = takeText(from, NUMBER_BYTES);
        if (typeof text === "number") return text;
        const slack = parseInteger(text, /* anyBase */ true);
        if (typeof slack === "string" || slack < 0) return -EINVAL;
        if (!isAllowed(writer)) return -EPERM;
        activity.timerSlackNs = slack;
        return wanted;
      },
      task,
    ),
  };
}

/** __set_oom_adj for the older file: a user may only make the process likelier to be killed. */
function setOomAdj(task: ProcTask, adj: number, privileged: boolean): number {
  const scoreAdj = scoreAdjOf(adj);
  if (Number.isNaN(scoreAdj)) return -EINVAL;
  if (scoreAdj < task.oomScoreAdj && !privileged) return -EACCES;
  task.oomScoreAdj = scoreAdj;
  return 0;
}

/** __set_oom_adj: what root once allowed as the least, a user may go back to. */
function setOomScoreAdj(task: ProcTask, adj: number, privileged: boolean): number {
  if (adj < OOM_SCORE_ADJ_MIN || adj > OOM_SCORE_ADJ_MAX) return -EINVAL;
  if (adj < task.oomScoreAdjMin && !privileged) return -EACCES;
  task.oomScoreAdj = adj;
  if (privileged) task.oomScoreAdjMin = adj;
  return 0;
}
