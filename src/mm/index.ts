/**
 * faultline: Linux memory mapping as a library. The explicit list of what is public.
 *
 * @packageDocumentation
 */
export { BugError } from "./bug.ts";
export {
  BusError,
  LinuxError,
  MemoryFault,
  OutOfMemoryError,
  SegmentationFault,
} from "./kernel/errors.ts";
export { Kernel, type KernelOptions, type SwapOnOptions } from "./kernel/kernel.ts";
export { MemoryCgroup } from "./kernel/memory-cgroup.ts";
export { Process, type SpawnOptions } from "./kernel/process.ts";
export type { WaitResult } from "./kernel/task-lifecycle.ts";
export { validate } from "./kernel/validate.ts";
export { PAGE_SHIFT, PAGE_SIZE } from "./page.ts";
export { procFs } from "./proc/proc-fs.ts";
export type { ProcHost, ProcTask, ReclaimSysctl, Sysctl } from "./proc/proc-task.ts";
export { devFs } from "./shmem/dev-fs.ts";
export { tmpFs } from "./shmem/tmpfs.ts";
export { FaultySwapDevice } from "./swap/faulty-swap-device.ts";
export { MemorySwapDevice } from "./swap/memory-device.ts";
export type { SwapDevice } from "./swap/swap-device.ts";
export { type MkswapOptions, mkswap } from "./swap/swap-header.ts";
export { type Compressor, type ZramStat, ZramSwapDevice } from "./swap/zram-device.ts";
export type { Rlimit } from "./syscalls/task.ts";
export * from "./trace/events.ts";
export { VMSTAT_NAMES, type VmStatName } from "./trace/vmstat.ts";
export * from "./uapi/errno.ts";
export * from "./uapi/fcntl.ts";
export * from "./uapi/mman.ts";
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
export type { FileSystem, MountContext, SuperBlock } from "./vfs/super-block.ts";
export { type Arch, RISCV64, X86_64 } from "./vma/arch.ts";
