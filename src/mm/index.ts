/**
 * faultline: Linux memory mapping as a library. The explicit list of what is public.
 *
 * @packageDocumentation
 */
export { BugError } from "./bug.ts";
export type { IpcChange } from "./ipc/ipc-permission.ts";
export type { ShmidDs } from "./ipc/shm-segment.ts";
export {
  BusError,
  KernelPanic,
  LinuxError,
  MemoryFault,
  OutOfMemoryError,
  SegmentationFault,
} from "./kernel/errors.ts";
export type { IoVector } from "./kernel/file-transfers.ts";
export { Kernel, type KernelOptions, type SwapOnOptions } from "./kernel/kernel.ts";
export { MemoryCgroup } from "./kernel/memory-cgroup.ts";
export { Process, type SpawnOptions } from "./kernel/process.ts";
export type { Sharing, WaitResult } from "./kernel/task-lifecycle.ts";
export { validate } from "./kernel/validate.ts";
export { PAGE_SHIFT, PAGE_SIZE } from "./page.ts";
export { procFs } from "./proc/proc-fs.ts";
export type {
  ProcHost,
  ProcTask,
  ReclaimSysctl,
  Sysctl,
  SystemActivity,
  TaskActivity,
} from "./proc/proc-task.ts";
export { sysFs } from "./proc/sys-fs.ts";
export { devFs } from "./shmem/dev-fs.ts";
export { tmpFs } from "./shmem/tmpfs.ts";
export { FaultySwapDevice } from "./swap/faulty-swap-device.ts";
export { MemorySwapDevice } from "./swap/memory-device.ts";
export { DISK_TIMING, type SwapDevice, type SwapTiming } from "./swap/swap-device.ts";
export { type MkswapOptions, mkswap } from "./swap/swap-header.ts";
export { type Compressor, type ZramStat, ZramSwapDevice } from "./swap/zram-device.ts";
export type { ShmInfo, ShmInfo64 } from "./syscalls/shmctl.ts";
export type { Rlimit } from "./syscalls/task.ts";
export * from "./trace/events.ts";
export { VMSTAT_NAMES, type VmStatName } from "./trace/vmstat.ts";
export * from "./uapi/errno.ts";
export * from "./uapi/fcntl.ts";
export {
  F_ADD_SEALS,
  F_GET_SEALS,
  F_GETPIPE_SZ,
  F_SEAL_EXEC,
  F_SEAL_FUTURE_WRITE,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  FALLOC_FL_COLLAPSE_RANGE,
  FALLOC_FL_INSERT_RANGE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  RWF_APPEND,
  RWF_DONTCACHE,
  RWF_DSYNC,
  RWF_HIPRI,
  RWF_NOAPPEND,
  RWF_NOSIGNAL,
  RWF_NOWAIT,
  RWF_SYNC,
  SPLICE_F_GIFT,
  SPLICE_F_MORE,
  SPLICE_F_MOVE,
  SPLICE_F_NONBLOCK,
} from "./uapi/fs.ts";
export * from "./uapi/ipc.ts";
export * from "./uapi/mempolicy.ts";
export * from "./uapi/mman.ts";
export * from "./uapi/pidfd.ts";
export * from "./uapi/swap.ts";
export type { Stat } from "./vfs/attributes.ts";
export { FaultEngine, StorageCrash } from "./vfs/fault-engine.ts";
export { type FaultInjector, faultInjection } from "./vfs/fault-injection.ts";
export {
  type FaultAction,
  type FaultPlan,
  FaultPlanError,
  type FaultRule,
  type FaultTarget,
  parseFaultPlan,
} from "./vfs/fault-plan.ts";
export type { MountOptions } from "./vfs/mount.ts";
export { decodeName, encodeName } from "./vfs/name-bytes.ts";
export type { FileSystem, MountContext, SuperBlock } from "./vfs/super-block.ts";
export { unionFs } from "./vfs/union-fs.ts";
export { type Arch, RISCV64, X86_64 } from "./vma/arch.ts";
