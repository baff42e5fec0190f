/**
 * /proc as a file system: directories of processes, and files about the whole (fs/proc/root.c).
 *
 * Everything under it is text made from the state when it is read. The file system holds nothing of its own but inodes
 * for what somebody has looked at.
 */
import { ENOENT } from "../uapi/errno.ts";
import { POLLIN, POLLRDNORM } from "../uapi/fs.ts";
import { UTS_RELEASE, UTS_SYSNAME, UTS_VERSION } from "../uapi/utsname.ts";
import type { FileSystem } from "../vfs/super-block.ts";
import { procLocks } from "./locks.ts";
import { procMeminfo } from "./meminfo.ts";
import { procFilesystems } from "./mounts.ts";
import type { ProcHost } from "./proc-task.ts";
import {
  directoryNode,
  fixedDirectory,
  linkNode,
  type ProcDirectory,
  type ProcName,
  type ProcNode,
  ProcSuperBlock,
  polledNode,
} from "./proc-tree.ts";
import { processDirectory } from "./process-directory.ts";
import { procSwaps } from "./swaps.ts";
import { sysctlDirectory } from "./sysctl.ts";
import { procCpuinfo, procLoadavg, procSystemStat, procUptime } from "./system-texts.ts";
import { procSysvipcMsg, procSysvipcSem, procSysvipcShm } from "./sysvipc.ts";
import { textNode } from "./text-file.ts";
import { procVmstat, procZoneinfo } from "./vmstat.ts";

/** Ready to be mounted at /proc: `kernel.mount("/proc", procFs(kernel))`. */
export function procFs(host: ProcHost): FileSystem {
  return { name: "proc", mount: (context) => new ProcSuperBlock(context, rootDirectory(host)) };
}

function rootDirectory(host: ProcHost): ProcDirectory {
  const { processes } = host;
  const cpuinfo = procCpuinfo(host.arch);
  const fixed = fixedDirectory({
    ...(cpuinfo === undefined ? {} : { cpuinfo: polledNode(textNode(() => cpuinfo)) }),
    filesystems: polledNode(textNode(() => procFilesystems(host.mounts))),
    loadavg: polledNode(textNode(() => procLoadavg(host))),
    locks: polledNode(textNode(() => procLocks(host.mounts.locks))),
    meminfo: polledNode(textNode(() => procMeminfo(host))),
    mounts: linkNode(() => "self/mounts"),
    // Whoever asks is led to its own directory.
    self: linkNode((_inode, { pid }) => (pid === undefined || !processes.has(pid) ? -ENOENT : String(pid))),
    stat: polledNode(textNode(() => procSystemStat(host))),
    swaps: polledNode(
      textNode(() => procSwaps(host)),
      POLLIN | POLLRDNORM,
    ),
    sys: directoryNode(sysctlDirectory(host)),
    sysvipc: directoryNode(
      fixedDirectory({
        msg: textNode(() => procSysvipcMsg(host.messages)),
        sem: textNode(() => procSysvipcSem(host.semaphores)),
        shm: textNode(() => procSysvipcShm(host.ipc)),
      }),
    ),
    "thread-self": linkNode((_inode, { pid }) =>
      pid === undefined || !processes.has(pid)
        ? -ENOENT
        : `${pid}/task/${host.activity === null || host.activity.currentTid === 0 ? pid : host.activity.currentTid}`,
    ),
    uptime: polledNode(textNode(() => procUptime(host))),
    version: polledNode(textNode(() => `${UTS_SYSNAME} version ${UTS_RELEASE} (faultline) ${UTS_VERSION}\n`)),
    vmstat: polledNode(textNode(() => procVmstat(host))),
    zoneinfo: polledNode(textNode(() => procZoneinfo(host))),
  });
  /** Threads are found by their numbers, and not listed. */
  const findThread = (name: string): ProcName | undefined => {
    const tid = Number(name);
    if (!host.threadIds.has(tid)) return undefined;
    for (const task of processes.values()) {
      const thread = task.activity?.threads.find((one) => one.tid === tid);
      if (thread === undefined) continue;
      return {
        key: thread,
        node: () => ({
          ...directoryNode(processDirectory(host, task, thread), 0o555, task),
          isImmutable: true,
          process: thread.pidfdTarget,
        }),
      };
    }
    return undefined;
  };
  const findProcess = (name: string): ProcName | undefined => {
    // Only the way the number is written in a listing: "01" is no process.
    const task = /^[1-9][0-9]*$/.test(name) ? processes.get(Number(name)) : undefined;
    if (task === undefined) return findThread(name);
    const node = (): ProcNode => ({
      ...directoryNode(processDirectory(host, task), 0o555, task),
      isImmutable: true,
      process: task,
    });
    return { key: task, node };
  };
  return {
    find: (name) => fixed.find(name) ?? findProcess(name),
    names: () => [...fixed.names(), ...[...processes.keys()].sort((a, b) => a - b).map(String)],
  };
}
