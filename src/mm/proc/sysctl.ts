/**
 * /proc/sys: the settings of the kernel, a file each (fs/proc/proc_sysctl.c, kernel/sysctl.c).
 *
 * Only what has an effect here, or what programs ask for at their start, is there. A number is read in one go: a read
 * that does not start at 0 finds the end.
 */
import { dropPagecache } from "../filemap/drop-caches.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { IPC_MNI } from "../ipc/ipc-ids.ts";
import type { Semaphores } from "../ipc/semaphores.ts";
import { swapSpace } from "../swap/swap-space.ts";
import { DROP_PAGECACHE, DROP_SLAB, PGALLOC } from "../trace/vmstat.ts";
import { ERANGE } from "../uapi/errno.ts";
import { UTS_RELEASE, UTS_SYSNAME, UTS_VERSION } from "../uapi/utsname.ts";
import { fsSettings } from "./fs-settings.ts";
import { hugetlbSettings } from "./hugetlb-settings.ts";
import { settingsWithoutEffect } from "./idle-settings.ts";
import { dirtySettings, reclaimSettings } from "./pressure-settings.ts";
import type { ProcHost, Sysctl } from "./proc-task.ts";
import {
  directoryNode,
  fixedDirectory,
  type ProcDirectory,
  type ProcNode,
  polledNodes,
} from "./proc-tree.ts";
import {
  commandNode,
  longNode,
  nameNode,
  numberNode,
  stringNode,
  unsignedNode,
  vectorNode,
} from "./sysctl-node.ts";

const INT_MIN: number = -(2 ** 31);
/** As many as there are numbers for in a futex. */
const MAX_THREADS = 0x3fffffff;

/** Everything under /proc/sys. */
export function sysctlDirectory(host: ProcHost): ProcDirectory {
  return fixedDirectory({
    fs: directoryNode(fixedDirectory(polledNodes(fsSettings(host)))),
    kernel: directoryNode(fixedDirectory(polledNodes(kernelSettings(host)))),
    vm: directoryNode(fixedDirectory(polledNodes(vmSettings(host)))),
  });
}

function kernelSettings(host: ProcHost): Record<string, ProcNode> {
  return {
    domainname: nameNode(host.utsNames, "domain"),
    hostname: nameNode(host.utsNames, "node"),
    osrelease: stringNode(UTS_RELEASE),
    ostype: stringNode(UTS_SYSNAME),
    pid_max: numberNode({
      get: () => host.pids.max,
      set: (max) => {
        host.pids.max = max;
      },
      ...host.pids.maxBounds,
    }),
    randomize_va_space: numberNode({
      get: () => host.sysctl.randomizeVaSpace,
      set: (kinds) => {
        host.sysctl.randomizeVaSpace = kinds;
      },
    }),
    sem: semNode(host.semaphores),
    shm_rmid_forced: numberNode({
      get: () => (host.ipc.rmidForced ? 1 : 0),
      set: (forced) => {
        host.ipc.rmidForced = forced !== 0;
      },
      max: 1,
    }),
    shmall: longNode({
      get: () => host.ipc.shmall,
      set: (pages) => {
        host.ipc.shmall = pages;
      },
    }),
    shmmax: longNode({
      get: () => host.ipc.shmmax,
      set: (bytes) => {
        host.ipc.shmmax = bytes;
      },
    }),
    msgmax: numberNode({
      get: () => host.messages.msgmax,
      set: (bytes) => {
        host.messages.msgmax = bytes;
      },
    }),
    msgmnb: numberNode({
      get: () => host.messages.msgmnb,
      set: (bytes) => {
        host.messages.msgmnb = bytes;
      },
    }),
    msgmni: numberNode({
      get: () => host.messages.msgmni,
      set: (queues) => {
        host.messages.msgmni = queues;
      },
      max: IPC_MNI,
    }),
    shmmni: numberNode({
      get: () => host.ipc.shmmni,
      set: (segments) => {
        host.ipc.shmmni = segments;
      },
      max: IPC_MNI,
    }),
    tainted: longNode({
      get: () => host.sysctl.tainted,
      set: (why) => {
        host.sysctl.tainted |= why;
      },
    }),
    "threads-max": numberNode({
      get: () => host.sysctl.maxThreads,
      set: (threads) => {
        host.sysctl.maxThreads = threads;
      },
      min: 1,
      max: MAX_THREADS,
    }),
    version: stringNode(UTS_VERSION),
  };
}

/** Four numbers, of which only the last has bounds: where it is beyond them it stays what it was, and the others are set. */
function semNode(semaphores: Semaphores): ProcNode {
  const names = ["semmsl", "semmns", "semopm", "semmni"] as const;
  return vectorNode({
    get: () => names.map((name) => semaphores[name]),
    set: (values, failed) => {
      const { semmni } = semaphores;
      for (const [index, value] of values.entries()) semaphores[names[index]] = value;
      const isUnfit = semaphores.semmni < 0 || semaphores.semmni > IPC_MNI;
      const outcome = failed === 0 && isUnfit ? -ERANGE : failed;
      if (outcome !== 0) semaphores.semmni = semmni;
      return outcome;
    },
  });
}

function vmSettings({ arch, phys, sysctl, vmscan, mounts, ipc }: ProcHost): Record<string, ProcNode> {
  const { commit } = phys;
  return {
    ...dirtySettings(mounts.writeback),
    ...hugetlbSettings(phys.hugePools, ipc),
    ...settingsWithoutEffect(),
    ...reclaimSettings(phys, vmscan),
    admin_reserve_kbytes: unsignedNode(
      () => commit.adminReserveKbytes,
      (kbytes) => {
        commit.adminReserveKbytes = kbytes;
      },
    ),
    drop_caches: dropCachesNode(phys),
    legacy_va_layout: numberNode({
      get: () => sysctl.legacyVaLayout,
      set: (layout) => {
        sysctl.legacyVaLayout = layout;
      },
    }),
    max_map_count: numberNode({
      get: () => sysctl.maxMapCount,
      set: (count) => {
        sysctl.maxMapCount = count;
      },
    }),
    memfd_noexec: numberNode({
      get: () => mounts.memfdNoexec,
      set: (scope) => {
        mounts.memfdNoexec = scope;
      },
      max: 2,
    }),
    mmap_min_addr: unsignedNode(
      () => sysctl.mmapMinAddr,
      (addr) => {
        sysctl.mmapMinAddr = addr;
      },
    ),
    mmap_rnd_bits: numberNode(
      {
        get: () => sysctl.mmapRndBits,
        set: (bits) => {
          sysctl.mmapRndBits = bits;
        },
        min: arch.mmapRndBitsMin,
        max: arch.mmapRndBitsMax,
      },
      0o600,
    ),
    numa_stat: numaStatNode(sysctl, phys),
    overcommit_kbytes: unsignedNode(
      () => commit.kbytes,
      // Each of the two ways to say the limit switches the other off.
      (kbytes) => {
        commit.kbytes = kbytes;
        commit.ratio = 0;
      },
    ),
    overcommit_memory: numberNode({
      get: () => commit.mode,
      set: (mode) => {
        commit.mode = mode;
      },
      max: 2,
    }),
    overcommit_ratio: numberNode({
      get: () => commit.ratio,
      set: (percent) => {
        commit.ratio = percent;
        commit.kbytes = 0;
      },
      min: INT_MIN,
    }),
    "page-cluster": numberNode({
      get: () => swapSpace(phys).pageCluster,
      set: (order) => {
        swapSpace(phys).pageCluster = order;
      },
      max: 31,
    }),
    user_reserve_kbytes: unsignedNode(
      () => commit.userReserveKbytes,
      (kbytes) => {
        commit.userReserveKbytes = kbytes;
      },
    ),
  };
}

/** Switched off, the counters of memory nodes are 0; switched on again, they begin anew. */
function numaStatNode(sysctl: Sysctl, phys: PhysicalMemory): ProcNode {
  return numberNode({
    get: () => (sysctl.numaStat ? 1 : 0),
    set: (value) => {
      const counts = value !== 0;
      if (counts && !sysctl.numaStat) sysctl.numaStatFrom = phys.stat[PGALLOC];
      sysctl.numaStat = counts;
    },
    max: 1,
  });
}

/** Written to, bit 0 gives up what the page cache need not keep; bit 1 the caches of objects, of which there are none. */
function dropCachesNode(phys: PhysicalMemory): ProcNode {
  const drop = (what: number): void => {
    if ((what & 1) !== 0) {
      dropPagecache(phys);
      phys.stat[DROP_PAGECACHE]++;
    }
    if ((what & 2) !== 0) phys.stat[DROP_SLAB]++;
  };
  return commandNode(drop, { min: 1 });
}
