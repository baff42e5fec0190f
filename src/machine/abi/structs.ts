/**
 * The structures that system calls exchange with a riscv64 program, each drawn where it is written or read.
 *
 * All are little-endian and naturally aligned (the lp64 ABI); `byte: field` in the comments. Sources: include/uapi of
 * Linux 6.18. riscv64 takes the generic layouts of include/uapi/asm-generic.
 */
import type { MountStat } from "../../mm/syscalls/stat.ts";
import type { Stat } from "../../mm/vfs/attributes.ts";
import { StructView } from "./bytes.ts";

const NS_PER_SECOND = 1e9;

/** A time as a program sees it: seconds and nanoseconds apart, so that the nanoseconds are exact. */
export interface Timespec {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** Splits nanoseconds since some start; before it, the seconds go negative and the nanoseconds do not. */
export function timespecOf(ns: number): Timespec {
  const seconds = Math.floor(ns / NS_PER_SECOND);
  return { seconds, nanoseconds: ns - seconds * NS_PER_SECOND };
}

export function nsOf(time: Timespec): number {
  return time.seconds * NS_PER_SECOND + time.nanoseconds;
}

/** struct __kernel_timespec, 16 bytes: 0 tv_sec, 8 tv_nsec. */
export const TIMESPEC_BYTES = 16;

export function putTimespec(to: StructView, at: number, time: Timespec): void {
  to.put64(at, time.seconds).put64(at + 8, time.nanoseconds);
}

export function getTimespec(from: StructView, at = 0): Timespec {
  return { seconds: from.s64(at), nanoseconds: from.s64(at + 8) };
}

/** Whether the kernel takes it as a time to wait (timespec64_valid): not negative, less than a second of nanoseconds. */
export function isValidTimespec(time: Timespec): boolean {
  return time.seconds >= 0 && time.nanoseconds >= 0 && time.nanoseconds < NS_PER_SECOND;
}

/** struct timeval, 16 bytes: 0 tv_sec, 8 tv_usec. */
export const TIMEVAL_BYTES = 16;

export interface Timeval {
  readonly seconds: number;
  readonly microseconds: number;
}

export function getTimeval(from: StructView, at: number): Timeval {
  return { seconds: from.s64(at), microseconds: from.s64(at + 8) };
}

/** Whether a timer takes it (timeval_valid): not negative, less than a second of microseconds. */
export function isValidTimeval(time: Timeval): boolean {
  return time.seconds >= 0 && time.microseconds >= 0 && time.microseconds < 1e6;
}

export function nsOfTimeval(time: Timeval): number {
  return time.seconds * NS_PER_SECOND + time.microseconds * 1000;
}

export function putTimeval(to: StructView, at: number, ns: number): void {
  const { seconds, nanoseconds } = timespecOf(ns);
  to.put64(at, seconds).put64(at + 8, Math.floor(nanoseconds / 1000));
}

/** struct itimerspec, 32 bytes: 0 it_interval, 16 it_value. */
export const ITIMERSPEC_BYTES: number = 2 * TIMESPEC_BYTES;

export interface TimerSetting {
  readonly interval: Timespec;
  readonly value: Timespec;
}

/** undefined stands for EINVAL: one of the times is none. */
export function getItimerspec(from: StructView): TimerSetting | undefined {
  const interval = getTimespec(from, 0);
  const value = getTimespec(from, TIMESPEC_BYTES);
  return isValidTimespec(interval) && isValidTimespec(value) ? { interval, value } : undefined;
}

export function encodeItimerspec(intervalNs: number, valueNs: number): Uint8Array {
  const out = new StructView(ITIMERSPEC_BYTES);
  putTimespec(out, 0, timespecOf(intervalNs));
  putTimespec(out, TIMESPEC_BYTES, timespecOf(valueNs));
  return out.bytes;
}

/**
 * struct stat, 128 bytes (asm-generic/stat.h): 0 st_dev, 8 st_ino, 16 st_mode, 20 st_nlink, 24 st_uid, 28 st_gid,
 * 32 st_rdev, 40 pad, 48 st_size, 56 st_blksize (int), 60 pad, 64 st_blocks, 72 st_atim, 88 st_mtim, 104 st_ctim, 120 pad.
 */
export function encodeStat(stat: Stat): Uint8Array {
  const out = new StructView(128);
  out.put64(0, stat.dev).put64(8, stat.ino).put32(16, stat.mode).put32(20, stat.nlink);
  out.put32(24, stat.uid).put32(28, stat.gid).put64(32, stat.rdev);
  out.put64(48, stat.size).put32(56, stat.blksize).put64(64, stat.blocks);
  putTimespec(out, 72, timespecOf(stat.atimeNs));
  putTimespec(out, 88, timespecOf(stat.mtimeNs));
  putTimespec(out, 104, timespecOf(stat.ctimeNs));
  return out.bytes;
}

export const STATX_BASIC_STATS = 0x7ff;
/** STATX_CTIME, STATX_MTIME */
const STATX_TIMES_OF_CHANGE = 0xc0;
const STATX_MNT_ID = 0x1000;
const STATX_MNT_ID_UNIQUE = 0x4000;
/** Numbers of mounts that are never given again begin here. */
const FIRST_UNIQUE_ID: number = 2 ** 32;
const STATX_ATTR_MOUNT_ROOT = 0x2000;
/** Which attributes there can be: AUTOMOUNT, MOUNT_ROOT, DAX; on tmpfs also IMMUTABLE, APPEND, NODUMP. */
const STATX_ATTRIBUTES = 0x203000;
const STATX_ATTRIBUTES_OF_TMPFS = 0x70;
const TMPFS_KINDS: ReadonlySet<string> = new Set(["tmpfs", "devtmpfs"]);
export const STATX_RESERVED = 0x80000000;

/**
 * struct statx, 256 bytes (linux/stat.h): 0 stx_mask, 4 stx_blksize, 8 stx_attributes, 16 stx_nlink, 20 stx_uid,
 * 24 stx_gid, 28 stx_mode (u16), 32 stx_ino, 40 stx_size, 48 stx_blocks, 56 stx_attributes_mask, 64 stx_atime,
 * 80 stx_btime, 96 stx_ctime, 112 stx_mtime (each: 0 tv_sec, 8 tv_nsec u32, 12 pad), 128 stx_rdev_major, 132 minor,
 * 136 stx_dev_major, 140 minor, 144 stx_mnt_id, … zero.
 */
export function encodeStatx(found: MountStat, wanted: number): Uint8Array {
  const { stat, mountId, isMountRoot, fsName } = found;
  const out = new StructView(256);
  // A tmpfs looks at its times of change only for those who ask: a next change shows in them from then on (FS_MGTIME).
  const isLeftOut = fsName === "tmpfs" && (wanted & STATX_TIMES_OF_CHANGE) === 0;
  const basic = isLeftOut ? STATX_BASIC_STATS & ~STATX_TIMES_OF_CHANGE : STATX_BASIC_STATS;
  const isUnique = (wanted & STATX_MNT_ID_UNIQUE) !== 0;
  out.put32(0, basic | (isUnique ? STATX_MNT_ID_UNIQUE : STATX_MNT_ID)).put32(4, stat.blksize);
  out.put64(8, isMountRoot ? STATX_ATTR_MOUNT_ROOT : 0);
  out.put64(56, TMPFS_KINDS.has(fsName) ? STATX_ATTRIBUTES | STATX_ATTRIBUTES_OF_TMPFS : STATX_ATTRIBUTES);
  out.put64(144, isUnique ? FIRST_UNIQUE_ID + mountId : mountId);
  out.put32(16, stat.nlink).put32(20, stat.uid).put32(24, stat.gid).put16(28, stat.mode);
  out.put64(32, stat.ino).put64(40, stat.size).put64(48, stat.blocks);
  const times = [
    [64, stat.atimeNs],
    [96, isLeftOut ? 0 : stat.ctimeNs],
    [112, isLeftOut ? 0 : stat.mtimeNs],
  ] as const;
  for (const [at, ns] of times) {
    const { seconds, nanoseconds } = timespecOf(ns);
    out.put64(at, seconds).put32(at + 8, nanoseconds);
  }
  out.put32(128, major(stat.rdev)).put32(132, minor(stat.rdev));
  out.put32(136, major(stat.dev)).put32(140, minor(stat.dev));
  return out.bytes;
}

/** The parts of a device number as makedev packs them. */
function major(dev: number): number {
  return (dev >>> 8) & 0xfff;
}

function minor(dev: number): number {
  return (dev & 0xff) | ((dev >>> 12) & ~0xff);
}

/** What getrusage and wait4 tell (struct rusage). Times in nanoseconds, memory in KiB. */
export interface ResourceUsage {
  readonly userNs: number;
  readonly systemNs: number;
  readonly maxRssKib: number;
  readonly minFlt: number;
  readonly majFlt: number;
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
}

/**
 * struct rusage, 144 bytes: 0 ru_utime, 16 ru_stime, 32 ru_maxrss (KiB), 40 ixrss, 48 idrss, 56 isrss, 64 ru_minflt,
 * 72 ru_majflt, 80 nswap, 88 inblock, 96 oublock, 104 msgsnd, 112 msgrcv, 120 nsignals, 128 ru_nvcsw, 136 ru_nivcsw.
 */
export function encodeRusage(usage: ResourceUsage): Uint8Array {
  const out = new StructView(144);
  putTimeval(out, 0, usage.userNs);
  putTimeval(out, 16, usage.systemNs);
  out.put64(32, usage.maxRssKib).put64(64, usage.minFlt).put64(72, usage.majFlt);
  out.put64(128, usage.voluntarySwitches).put64(136, usage.involuntarySwitches);
  return out.bytes;
}

/** struct new_utsname, 390 bytes: six strings of 65 bytes, NUL included. */
export function encodeUtsname(fields: readonly string[]): Uint8Array {
  const out = new StructView(390);
  for (const [index, field] of fields.entries()) out.putText(index * 65, field, 65);
  return out.bytes;
}

export interface SystemInfo {
  readonly uptimeSeconds: number;
  readonly totalRam: number;
  readonly freeRam: number;
  readonly sharedRam: number;
  readonly bufferRam: number;
  readonly totalSwap: number;
  readonly freeSwap: number;
  readonly processes: number;
}

/**
 * struct sysinfo, 112 bytes: 0 uptime, 8 loads[3], 32 totalram, 40 freeram, 48 sharedram, 56 bufferram, 64 totalswap,
 * 72 freeswap, 80 procs (u16), 82 pad, 88 totalhigh, 96 freehigh, 104 mem_unit (u32).
 */
export function encodeSysinfo(info: SystemInfo): Uint8Array {
  const out = new StructView(112);
  out.put64(0, info.uptimeSeconds).put64(32, info.totalRam).put64(40, info.freeRam);
  out.put64(48, info.sharedRam).put64(56, info.bufferRam);
  out.put64(64, info.totalSwap).put64(72, info.freeSwap);
  return out.put16(80, info.processes).put32(104, 1).bytes;
}

/** struct iovec, 16 bytes: 0 iov_base, 8 iov_len. */
export const IOVEC_BYTES = 16;
/** The most segments that readv and writev take (UIO_MAXIOV). */
export const UIO_MAXIOV = 1024;

/** struct rlimit64, 16 bytes: 0 rlim_cur, 8 rlim_max; all ones for no limit. */
export const RLIMIT_BYTES = 16;

export function getRlimitValue(from: StructView, at: number): number {
  return from.u32(at) === 0xffffffff && from.u32(at + 4) === 0xffffffff
    ? Number.POSITIVE_INFINITY
    : from.u64(at);
}

/** struct kernel_sigaction on riscv64, which has no sa_restorer, 24 bytes: 0 sa_handler, 8 sa_flags, 16 sa_mask. */
export const SIGACTION_BYTES = 24;

/** stack_t, 24 bytes: 0 ss_sp, 8 ss_flags (int), 12 pad, 16 ss_size. */
export const STACK_T_BYTES = 24;

/** struct pollfd, 8 bytes: 0 fd, 4 events (s16), 6 revents (s16). */
export const POLLFD_BYTES = 8;

/** struct winsize, 8 bytes: 0 ws_row, 2 ws_col, 4 ws_xpixel, 6 ws_ypixel. */
export function encodeWinsize(size: {
  readonly rows: number;
  readonly columns: number;
  readonly xPixels: number;
  readonly yPixels: number;
}): Uint8Array {
  const { rows, columns, xPixels, yPixels } = size;
  return new StructView(8).put16(0, rows).put16(2, columns).put16(4, xPixels).put16(6, yPixels).bytes;
}

/**
 * One struct linux_dirent64: 0 d_ino, 8 d_off, 16 d_reclen (u16), 18 d_type (u8), 19 d_name with its NUL, padded to a
 * multiple of 8.
 */
export function encodeDirent64(ino: number, off: number, type: number, name: Uint8Array): Uint8Array {
  const length = Math.ceil((19 + name.length + 1) / 8) * 8;
  const out = new StructView(length);
  out.put64(0, ino).put64(8, off).put16(16, length).put8(18, type);
  out.bytes.set(name, 19);
  return out.bytes;
}

/** What statfs tells of a file system. */
export interface FsStatistics {
  readonly magic: number;
  readonly dev: number;
  readonly blockSize: number;
  readonly blocks: number;
  readonly freeBlocks: number;
  /** Without those that are kept for root. */
  readonly availableBlocks: number;
  readonly files: number;
  readonly freeFiles: number;
  readonly nameMax: number;
  readonly readOnly: boolean;
  readonly noExec: boolean;
}

/** How it is mounted (f_flags). ST_VALID: there are flags at all; and reads change times no more than they have to. */
const ST_RDONLY = 0x1;
const ST_NOEXEC = 0x8;
const ST_VALID = 0x20;
const ST_RELATIME = 0x1000;

/**
 * struct statfs, 120 bytes: 0 f_type, 8 f_bsize, 16 f_blocks, 24 f_bfree, 32 f_bavail, 40 f_files, 48 f_ffree, 56 f_fsid,
 * 64 f_namelen, 72 f_frsize, 80 f_flags, 88 spare.
 */
export function encodeStatfs(fs: FsStatistics): Uint8Array {
  const out = new StructView(120);
  out.put64(0, fs.magic).put64(8, fs.blockSize).put64(16, fs.blocks).put64(24, fs.freeBlocks);
  out.put64(32, fs.availableBlocks).put64(40, fs.files).put64(48, fs.freeFiles).put64(56, fs.dev);
  const flags = ST_VALID | ST_RELATIME | (fs.readOnly ? ST_RDONLY : 0) | (fs.noExec ? ST_NOEXEC : 0);
  return out.put64(64, fs.nameMax).put64(72, fs.blockSize).put64(80, flags).bytes;
}

/** struct tms, 32 bytes: 0 tms_utime, 8 tms_stime, 16 tms_cutime, 24 tms_cstime, in ticks of 1/100 s. */
export function encodeTms(ticks: readonly number[]): Uint8Array {
  const out = new StructView(32);
  for (const [index, value] of ticks.entries()) out.put64(index * 8, value);
  return out.bytes;
}
