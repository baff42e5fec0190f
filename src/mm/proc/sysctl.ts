/**
 * /proc/sys: the settings of the kernel, a file each (fs/proc/proc_sysctl.c, kernel/sysctl.c).
 *
 * Only what has an effect here, or what programs ask for at their start, is there. A number is read in one go: a read
 * that does not start at 0 finds the end.
 */
import { EINVAL } from "../uapi/errno.ts";
import { S_IFREG } from "../uapi/fcntl.ts";
import { UTS_DOMAINNAME, UTS_NODENAME, UTS_RELEASE, UTS_SYSNAME, UTS_VERSION } from "../uapi/utsname.ts";
import type { IovIter } from "../vfs/iov-iter.ts";
import type { ProcHost } from "./proc-task.ts";
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

function vmSettings({ phys: { commit }, sysctl }: ProcHost): Record<string, ProcNode> {
  const settings: Record<string, NumberSetting> = {
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
  const value = parseInteger(word, /* anyBase */ true);
  if (value === "invalid" || value === "range") return -EINVAL;
  if (value < (setting.min ?? 0) || value > (setting.max ?? INT_MAX)) return -EINVAL;
  set(value);
  return head.length;
}
