/** /proc/PID: a process's own files (tgid_base_stuff, fs/proc/base.c). */
import { EACCES, EINVAL, ENOTTY } from "../uapi/errno.ts";
import { S_IFREG } from "../uapi/fcntl.ts";
import { File } from "../vfs/file.ts";
import type { IovIter } from "../vfs/iov-iter.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { clearRefs } from "./clear-refs.ts";
import { commandLine, environment } from "./command-line.ts";
import { procLimits } from "./limits.ts";
import { mapsLine } from "./maps.ts";
import { memOps } from "./mem-file.ts";
import { mappingRecords } from "./mm-records.ts";
import { procMounts } from "./mounts.ts";
import { numaMapsLine } from "./numa-maps.ts";
import { fdDirectory, mapFilesDirectory, objectLink } from "./object-links.ts";
import { OOM_SCORE_ADJ_MAX, OOM_SCORE_ADJ_MIN, oomScore } from "./oom-score.ts";
import { readPagemap } from "./pagemap.ts";
import { mayInspect, mmOf, type ProcHost, type ProcTask } from "./proc-task.ts";
import { fixedDirectory, type ProcDirectory, type ProcNode } from "./proc-tree.ts";
import { PROCMAP_QUERY, procmapQuery } from "./procmap-query.ts";
import { openSeq, openSingle, seqOps } from "./seq-file.ts";
import { procSmapsRollup, smapsEntry } from "./smaps.ts";
import { procStat } from "./stat.ts";
import { procStatm } from "./statm.ts";
import { procStatus } from "./status.ts";
import {
  mappingsNode,
  memoryNode,
  mmOfFile,
  openMm,
  readBytes,
  takeNumber,
  takeText,
  textNode,
} from "./text-file.ts";

/** The longest name of a process, without its NUL (TASK_COMM_LEN − 1). */
const COMM_BYTES = 15;

export function processDirectory(host: ProcHost, task: ProcTask): ProcDirectory {
  const { mmu } = host;
  return fixedDirectory({
    clear_refs: clearRefsNode(task),
    cmdline: {
      mode: S_IFREG | 0o444,
      owner: task,
      fops: {
        read: (_file, to, pos) => {
          const mm = mmOf(task);
          return mm === null ? 0 : readBytes(commandLine(mmu, mm), to, pos);
        },
      },
    },
    comm: textNode(
      () => `${task.comm}\n`,
      0o644,
      (from, writer) => writeComm(task, from, writer.pid),
      task,
    ),
    cwd: objectLink(task, () => (task.exitStatus === null ? task.fs.cwd : null)),
    environ: memoryNode(task, 0o400, {
      read: (file, to, pos) => readBytes(environment(mmu, mmOfFile(file)), to, pos),
    }),
    exe: objectLink(task, () => {
      const file = mmOf(task)?.exeFile ?? null;
      return file instanceof File ? file.dentry : null;
    }),
    fd: fdDirectory(task),
    limits: textNode(() => procLimits(task), 0o444, undefined, task),
    map_files: mapFilesDirectory(task),
    maps: mappingsNode(
      task,
      (mm) => mappingRecords(mm, (vma) => `${mapsLine(vma)}\n`),
      (mm, cmd, arg, { pid }) => mapsIoctl(host, mm, cmd, arg, pid),
    ),
    mem: memoryNode(task, 0o600, memOps(mmu)),
    mounts: textNode(() => procMounts(host.mounts), 0o444, undefined, task),
    numa_maps: mappingsNode(task, (mm) => mappingRecords(mm, numaMapsLine)),
    oom_score: textNode(() => `${oomScore(host.phys, task)}\n`, 0o444, undefined, task),
    oom_score_adj: textNode(
      () => `${task.oomScoreAdj}\n`,
      0o644,
      (from, writer) =>
        takeNumber(from, /* anyBase */ true, (adj) => setOomScoreAdj(task, adj, writer.uid === 0)),
      task,
    ),
    pagemap: memoryNode(task, 0o400, {
      read: (file, to, pos) => readPagemap(mmOfFile(file), to, pos, /* showPfn */ file.opener.uid === 0),
    }),
    root: objectLink(task, () => (task.exitStatus === null ? task.fs.root : null)),
    smaps: mappingsNode(task, (mm) => mappingRecords(mm, smapsEntry)),
    smaps_rollup: rollupNode(task),
    stat: textNode(
      (reader) => procStat(task, reader.pid, mayInspect(reader, task), host.sysctl.randomizesAddresses),
      0o444,
      undefined,
      task,
    ),
    statm: textNode(() => procStatm(mmOf(task)), 0o444, undefined, task),
    status: textNode((reader) => procStatus(task, reader.pid), 0o444, undefined, task),
  });
}

/** procfs_procmap_ioctl */
function mapsIoctl(host: ProcHost, mm: MmStruct, cmd: number, arg: number, pid: number | undefined): number {
  const caller = pid === undefined ? undefined : host.processes.get(pid);
  if (cmd !== PROCMAP_QUERY || caller === undefined) return -ENOTTY;
  return procmapQuery(host.mmu, caller, mm, arg);
}

function clearRefsNode(task: ProcTask): ProcNode {
  return {
    mode: S_IFREG | 0o200,
    owner: task,
    fops: {
      write: (_file, from) =>
        takeNumber(from, /* anyBase */ false, (kind) => {
          const mm = mmOf(task);
          if (mm !== null) return clearRefs(mm, kind);
          return kind >= 1 && kind <= 5 ? 0 : -EINVAL;
        }),
    },
  };
}

function rollupNode(task: ProcTask): ProcNode {
  return {
    mode: S_IFREG | 0o444,
    owner: task,
    ops: {
      open: (_inode, file) => {
        const mm = openMm(task, file.opener);
        if (typeof mm === "number") return mm;
        if (mm.users === 0) return openSeq(file, () => null);
        return openSingle(file, () => procSmapsRollup(mm));
      },
    },
    fops: seqOps,
  };
}

/** A process may name itself and its threads, and nobody else (comm_write). */
function writeComm(task: ProcTask, from: IovIter, writerPid: number | undefined): number {
  const wanted = from.count;
  const name = takeText(from, COMM_BYTES);
  if (typeof name === "number") return name;
  if (writerPid !== task.pid) return -EINVAL;
  const nul = name.indexOf("\0");
  task.comm = nul < 0 ? name : name.slice(0, nul);
  return wanted === 0 ? 0 : wanted;
}

/** __set_oom_adj: what root once allowed as the least, a user may go back to. */
function setOomScoreAdj(task: ProcTask, adj: number, privileged: boolean): number {
  if (adj < OOM_SCORE_ADJ_MIN || adj > OOM_SCORE_ADJ_MAX) return -EINVAL;
  if (adj < task.oomScoreAdjMin && !privileged) return -EACCES;
  task.oomScoreAdj = adj;
  if (privileged) task.oomScoreAdjMin = adj;
  return 0;
}
