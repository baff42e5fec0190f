/**
 * /proc/sys: the settings of the kernel, a file each (fs/proc/proc_sysctl.c, kernel/sysctl.c).
 *
 * Only what has an effect here, or what programs ask for at their start, is there. A number is read in one go: a read
 * that does not start at 0 finds the end.
 */

import { rescheduleFlush } from "../filemap/flusher.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { WATERMARK_SCALE_FACTOR_MAX } from "../frames/watermarks.ts";
import { PAGE_SIZE } from "../page.ts";
import { MAX_SWAPPINESS } from "../reclaim/scan-balance.ts";
import { swapSpace } from "../swap/swap-space.ts";
import { EINVAL } from "../uapi/errno.ts";
import { S_IFREG } from "../uapi/fcntl.ts";
import { UTS_DOMAINNAME, UTS_NODENAME, UTS_RELEASE, UTS_SYSNAME, UTS_VERSION } from "../uapi/utsname.ts";
import type { WritebackDomain } from "../vfs/backing-dev.ts";
import type { IovIter } from "../vfs/iov-iter.ts";
import type { ProcHost, ReclaimSysctl } from "./proc-task.ts";
import { directoryNode, fixedDirectory, type ProcDirectory, type ProcNode } from "./proc-tree.ts";
import { parseInteger, readBytes, takeText } from "./text-file.ts";

const ENCODER = new TextEncoder();
/** Most bytes of one write that are looked at (KMALLOC_MAX_SIZE is larger; a number is not). */
const WRITE_BYTES = 4096;
const INT_MAX = 0x7fffffff;
const PID_MAX = 32768;

/** A setting that is a number between bounds. */
interface NumberSetting {
  readonly get: () => number;
  /** Absent: can't be changed. */
  readonly set?: (value: number) => void;
  readonly min?: number;
  readonly max?: number;
}

/** Everything under /proc/sys. */
export function sysctlDirectory(host: ProcHost): ProcDirectory {
  return fixedDirectory({
    kernel: directoryNode(fixedDirectory(kernelSettings(host))),
    vm: directoryNode(fixedDirectory(vmSettings(host))),
  });
}

function kernelSettings(host: ProcHost): Record<string, ProcNode> {
  return {
    domainname: stringNode(UTS_DOMAINNAME),
    hostname: stringNode(UTS_NODENAME),
    osrelease: stringNode(UTS_RELEASE),
    ostype: stringNode(UTS_SYSNAME),
    pid_max: numberNode({ get: () => PID_MAX }),
    randomize_va_space: numberNode({ get: () => (host.sysctl.randomizesAddresses ? 2 : 0) }),
    version: stringNode(UTS_VERSION),
  };
}

function vmSettings({ phys, sysctl, vmscan, mounts: { writeback } }: ProcHost): Record<string, ProcNode> {
  const { commit } = phys;
  const settings: Record<string, NumberSetting> = {
    "page-cluster": {
      get: () => swapSpace(phys).pageCluster,
      set: (order) => {
        swapSpace(phys).pageCluster = order;
      },
      max: 31,
    },
    ...dirtySettings(writeback),
    ...reclaimSettings(phys, vmscan),
    admin_reserve_kbytes: {
      get: () => commit.adminReserveKbytes,
      set: (kbytes) => {
        commit.adminReserveKbytes = kbytes;
      },
    },
    legacy_va_layout: { get: () => 0 },
    max_map_count: {
      get: () => sysctl.maxMapCount,
      set: (count) => {
        sysctl.maxMapCount = count;
      },
    },
    mmap_min_addr: {
      get: () => sysctl.mmapMinAddr,
      set: (addr) => {
        sysctl.mmapMinAddr = addr;
      },
    },
    overcommit_kbytes: {
      get: () => commit.kbytes,
      // Each of the two ways to say the limit switches the other off.
      set: (kbytes) => {
        commit.kbytes = kbytes;
        commit.ratio = 0;
      },
    },
    overcommit_memory: {
      get: () => commit.mode,
      set: (mode) => {
        commit.mode = mode;
      },
      max: 2,
    },
    overcommit_ratio: {
      get: () => commit.ratio,
      set: (percent) => {
        commit.ratio = percent;
        commit.kbytes = 0;
      },
    },
    user_reserve_kbytes: {
      get: () => commit.userReserveKbytes,
      set: (kbytes) => {
        commit.userReserveKbytes = kbytes;
      },
    },
  };
  return Object.fromEntries(Object.entries(settings).map(([name, setting]) => [name, numberNode(setting)]));
}

/** When reclaim begins, what it takes first, and who dies when it fails. */
function reclaimSettings(
  { watermarks }: PhysicalMemory,
  vmscan: ReclaimSysctl,
): Record<string, NumberSetting> {
  return {
    min_free_kbytes: {
      get: () => watermarks.minFreeKbytes,
      set: (kbytes) => {
        watermarks.minFreeKbytes = kbytes;
      },
    },
    oom_dump_tasks: {
      get: () => (vmscan.oomDumpTasks ? 1 : 0),
      set: (value) => {
        vmscan.oomDumpTasks = value !== 0;
      },
    },
    oom_kill_allocating_task: {
      get: () => (vmscan.oomKillAllocatingTask ? 1 : 0),
      set: (value) => {
        vmscan.oomKillAllocatingTask = value !== 0;
      },
    },
    swappiness: {
      get: () => vmscan.swappiness,
      set: (value) => {
        vmscan.swappiness = value;
      },
      max: MAX_SWAPPINESS,
    },
    watermark_scale_factor: {
      get: () => watermarks.scaleFactor,
      set: (factor) => {
        watermarks.scaleFactor = factor;
      },
      min: 1,
      max: WATERMARK_SCALE_FACTOR_MAX,
    },
  };
}

/**
 * Of ratio and bytes each switches the other off; that of the writers' limit only when it becomes another one
 * (dirty_ratio_handler, dirty_background_ratio_handler in mm/page-writeback.c). Bytes can't be set to 0.
 */
function dirtySettings(writeback: WritebackDomain): Record<string, NumberSetting> {
  return {
    dirty_background_bytes: {
      get: () => writeback.dirtyBackgroundBytes,
      set: (bytes) => {
        writeback.dirtyBackgroundBytes = bytes;
        writeback.dirtyBackgroundRatio = 0;
      },
      min: 1,
      max: Number.MAX_SAFE_INTEGER,
    },
    dirty_background_ratio: {
      get: () => writeback.dirtyBackgroundRatio,
      set: (percent) => {
        writeback.dirtyBackgroundRatio = percent;
        writeback.dirtyBackgroundBytes = 0;
      },
      max: 100,
    },
    dirty_bytes: {
      get: () => writeback.dirtyBytes,
      set: (bytes) => {
        if (bytes === writeback.dirtyBytes) return;
        writeback.dirtyBytes = bytes;
        writeback.dirtyRatio = 0;
      },
      min: 2 * PAGE_SIZE,
      max: Number.MAX_SAFE_INTEGER,
    },
    dirty_expire_centisecs: {
      get: () => writeback.dirtyExpireCentisecs,
      set: (centisecs) => {
        writeback.dirtyExpireCentisecs = centisecs;
      },
    },
    dirty_ratio: {
      get: () => writeback.dirtyRatio,
      set: (percent) => {
        if (percent === writeback.dirtyRatio) return;
        writeback.dirtyRatio = percent;
        writeback.dirtyBytes = 0;
      },
      max: 100,
    },
    dirty_writeback_centisecs: {
      get: () => writeback.dirtyWritebackCentisecs,
      set: (centisecs) => {
        const isChange = centisecs !== writeback.dirtyWritebackCentisecs;
        writeback.dirtyWritebackCentisecs = centisecs;
        if (isChange && centisecs !== 0) rescheduleFlush(writeback);
      },
      // Linux checks nothing; whoever writes a negative one has no periodic write-back.
      min: -INT_MAX - 1,
    },
  };
}

function stringNode(text: string): ProcNode {
  const bytes = ENCODER.encode(`${text}\n`);
  return { mode: S_IFREG | 0o444, fops: { read: (_file, to, pos) => readBytes(bytes, to, pos) } };
}

function numberNode(setting: NumberSetting): ProcNode {
  const { set } = setting;
  const read = (to: IovIter, pos: number): number =>
    pos > 0 ? 0 : readBytes(ENCODER.encode(`${setting.get()}\n`), to, 0);
  return {
    mode: S_IFREG | (set === undefined ? 0o444 : 0o644),
    fops: {
      read: (_file, to, pos) => read(to, pos),
      ...(set === undefined ? {} : { write: (_file, from) => writeNumber(setting, set, from) }),
    },
  };
}

/** Takes the first word and the white space behind it, as proc_dointvec does: the bytes taken, or -EINVAL. */
function writeNumber(setting: NumberSetting, set: (value: number) => void, from: IovIter): number {
  const wanted = from.count;
  const text = takeText(from, WRITE_BYTES);
  if (typeof text === "number") return text;
  if (text.trim() === "") return wanted === 0 ? 0 : -EINVAL;
  const [head, word] = /^\s*(\S+)\s*/.exec(text) ?? ["", ""];
  const value = parseInteger(word, /* anyBase */ true, Math.max(INT_MAX, setting.max ?? 0));
  if (value === "invalid" || value === "range") return -EINVAL;
  if (value < (setting.min ?? 0) || value > (setting.max ?? INT_MAX)) return -EINVAL;
  set(value);
  return head.length;
}
