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
export { Kernel, type KernelOptions } from "./kernel/kernel.ts";
export { Process, type SpawnOptions } from "./kernel/process.ts";
export type { WaitResult } from "./kernel/task-lifecycle.ts";
export { validate } from "./kernel/validate.ts";
export { PAGE_SHIFT, PAGE_SIZE } from "./page.ts";
export { procFs } from "./proc/proc-fs.ts";
export type { ProcHost, ProcTask, Sysctl } from "./proc/proc-task.ts";
export { devFs } from "./shmem/dev-fs.ts";
export { tmpFs } from "./shmem/tmpfs.ts";
export type { Rlimit } from "./syscalls/task.ts";
export * from "./trace/events.ts";
export { VMSTAT_NAMES, type VmStatName } from "./trace/vmstat.ts";
export * from "./uapi/errno.ts";
export * from "./uapi/fcntl.ts";
export * from "./uapi/mman.ts";
export type { Stat } from "./vfs/attributes.ts";
export type { FileSystem, MountContext, SuperBlock } from "./vfs/super-block.ts";
export { type Arch, RISCV64, X86_64 } from "./vma/arch.ts";
