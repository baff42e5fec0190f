/**
 * /proc/sys: the settings of the kernel, a file each (fs/proc/proc_sysctl.c, kernel/sysctl.c).
 *
 * Only what has an effect here, or what programs ask for at their start, is there. A number is read in one go: a read
 * that does not start at 0 finds the end.
 */
import { dropPagecache } from "../filemap/drop-caches.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { IPC_MNI } from "../ipc/ipc-ids.ts";
import { DROP_PAGECACHE, DROP_SLAB } from "../trace/vmstat.ts";
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
const INT_MIN: number = -(2 ** 31);
const ULONG_MAX: bigint = 2n ** 64n - 1n;
const PID_MAX = 32768;

/** A setting that is a number between bounds. */
interface NumberSetting {
  readonly get: () => number;
  /** Absent: can't be changed. */
  readonly set?: (value: number) => void;
  readonly min?: number;
  readonly max?: number;
}

/** A setting that is an unsigned number of 64 bits. */
interface LongSetting {
  readonly get: () => bigint;
  readonly set: (value: bigint) => void;
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
    randomize_va_space: numberNode({
      get: () => host.sysctl.randomizeVaSpace,
      set: (kinds) => {
        host.sysctl.randomizeVaSpace = kinds;
      },
    }),
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
    shmmni: numberNode({
      get: () => host.ipc.shmmni,
      set: (segments) => {
        host.ipc.shmmni = segments;
      },
      max: IPC_MNI,
    }),
    version: stringNode(UTS_VERSION),
  };
}

function vmSettings({ arch, phys, sysctl }: ProcHost): Record<string, ProcNode> {
  const { commit } = phys;
  return {
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
    user_reserve_kbytes: unsignedNode(
      () => commit.userReserveKbytes,
      (kbytes) => {
        commit.userReserveKbytes = kbytes;
      },
    ),
  };
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
  const setting: NumberSetting = { get: () => 0, set: drop, min: 1 };
  return {
    mode: S_IFREG | 0o200,
    fops: { write: (_file, from) => writeNumber(setting, drop, from) },
  };
}

/** An unsigned long that is kept as a number: exact to 2^53, which no setting here comes near. */
function unsignedNode(get: () => number, set: (value: number) => void): ProcNode {
  const clamped = (value: bigint): bigint => (value > ULONG_MAX ? ULONG_MAX : value);
  return longNode({ get: () => clamped(BigInt(get())), set: (value) => set(Number(value)) });
}

function stringNode(text: string): ProcNode {
  const bytes = ENCODER.encode(`${text}\n`);
  return { mode: S_IFREG | 0o444, fops: { read: (_file, to, pos) => readBytes(bytes, to, pos) } };
}

function longNode(setting: LongSetting): ProcNode {
  return {
    mode: S_IFREG | 0o644,
    fops: {
      read: (_file, to, pos) => (pos > 0 ? 0 : readBytes(ENCODER.encode(`${setting.get()}\n`), to, 0)),
      write: (_file, from) => writeLong(setting, from),
    },
  };
}

/** As writeNumber, for 64 bits (proc_doulongvec_minmax). */
function writeLong(setting: LongSetting, from: IovIter): number {
  const wanted = from.count;
  const text = takeText(from, WRITE_BYTES);
  if (typeof text === "number") return text;
  if (text.trim() === "") return wanted === 0 ? 0 : -EINVAL;
  const [head, digits] = /^\s*(0x[0-9a-f]+|[0-9]+)(?:\s+|$)/i.exec(text) ?? [];
  if (head === undefined || digits === undefined) return -EINVAL;
  const isOctal = /^0[0-9]/.test(digits);
  if (isOctal && /[89]/.test(digits)) return -EINVAL;
  const value = BigInt(isOctal ? `0o${digits.slice(1)}` : digits.toLowerCase());
  if (value > ULONG_MAX) return -EINVAL;
  setting.set(value);
  return head.length;
}

function numberNode(setting: NumberSetting, permissions = 0o644): ProcNode {
  const { set } = setting;
  const read = (to: IovIter, pos: number): number =>
    pos > 0 ? 0 : readBytes(ENCODER.encode(`${setting.get()}\n`), to, 0);
  return {
    mode: S_IFREG | (set === undefined ? 0o444 : permissions),
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
  if (value === "invalid" || value === "range" || word.startsWith("+")) return -EINVAL;
  if (value < (setting.min ?? 0) || value > (setting.max ?? INT_MAX)) return -EINVAL;
  set(value);
  return head.length;
}
