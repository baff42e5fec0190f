/** The memory system calls, as a program makes them. What they do is the business of src/mm. */
import type { Mmu } from "../../mm/fault/mmu.ts";
import { sysBrk } from "../../mm/syscalls/brk.ts";
import { sysCachestat } from "../../mm/syscalls/cachestat.ts";
import { fdGet } from "../../mm/syscalls/fd.ts";
import { sysMadvise } from "../../mm/syscalls/madvise.ts";
import { sysMincore } from "../../mm/syscalls/mincore.ts";
import { sysMlock, sysMlock2, sysMunlock } from "../../mm/syscalls/mlock.ts";
import { sysMlockall, sysMunlockall } from "../../mm/syscalls/mlockall.ts";
import { sysMmap } from "../../mm/syscalls/mmap.ts";
import { sysMprotect } from "../../mm/syscalls/mprotect.ts";
import { sysMremap } from "../../mm/syscalls/mremap.ts";
import { sysMseal } from "../../mm/syscalls/mseal.ts";
import { sysMsync } from "../../mm/syscalls/msync.ts";
import { sysMunmap } from "../../mm/syscalls/munmap.ts";
import { pidfdGetTask } from "../../mm/syscalls/pidfd.ts";
import { sysProcessMadvise } from "../../mm/syscalls/process-madvise.ts";
import {
  type ProcessVmTransfer,
  sysProcessVmReadv,
  sysProcessVmWritev,
} from "../../mm/syscalls/process-vm.ts";
import { sysRemapFilePages } from "../../mm/syscalls/remap-file-pages.ts";
import type { Task } from "../../mm/syscalls/task.ts";
import { EBADF, EFAULT, EINVAL, EPERM } from "../../mm/uapi/errno.ts";
import { StructView } from "../abi/bytes.ts";
import type { Call, SyscallGroup } from "./call.ts";

const SYS_RISCV_FLUSH_ICACHE_LOCAL = 1;

const MEMBARRIER_CMD_QUERY = 0;
const MEMBARRIER_CMD_GLOBAL = 1;
const MEMBARRIER_CMD_GLOBAL_EXPEDITED = 2;
const MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED = 4;
const MEMBARRIER_CMD_PRIVATE_EXPEDITED = 8;
const MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED = 16;
const MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE = 32;
const MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE = 64;
const MEMBARRIER_CMD_GET_REGISTRATIONS = 512;
/** All but those of rseq. */
const MEMBARRIER_CMD_BITMASK = 0x27f;

export const memoryCalls: SyscallGroup = [
  [214, "brk", 1, (call) => sysBrk(call.system.mmu, call.process, call.u64(0))],
  [215, "munmap", 2, (call) => sysMunmap(call.process, call.u64(0), call.u64(1))],
  [216, "mremap", 5, mremap],
  [222, "mmap", 6, mmap],
  [
    226,
    "mprotect",
    3,
    (call) => sysMprotect(call.system.mmu, call.process, call.u64(0), call.u64(1), call.u64(2)),
  ],
  [227, "msync", 3, (call) => sysMsync(call.process, call.u64(0), call.u64(1), call.s32(2))],
  [228, "mlock", 2, (call) => sysMlock(call.system.mmu, call.process, call.u64(0), call.u64(1))],
  [229, "munlock", 2, (call) => sysMunlock(call.process, call.u64(0), call.u64(1))],
  [230, "mlockall", 1, (call) => sysMlockall(call.system.mmu, call.process, call.s32(0))],
  [231, "munlockall", 0, (call) => sysMunlockall(call.process)],
  [
    232,
    "mincore",
    3,
    (call) => sysMincore(call.system.mmu, call.process, call.u64(0), call.u64(1), call.u64(2)),
  ],
  [
    233,
    "madvise",
    3,
    (call) => sysMadvise(call.system.mmu, call.process, call.u64(0), call.u64(1), call.s32(2)),
  ],
  [234, "remap_file_pages", 5, remapFilePages],
  [259, "riscv_flush_icache", 3, flushIcache],
  [270, "process_vm_readv", 6, (call) => processVm(call, sysProcessVmReadv)],
  [271, "process_vm_writev", 6, (call) => processVm(call, sysProcessVmWritev)],
  [283, "membarrier", 3, membarrier],
  [
    284,
    "mlock2",
    3,
    (call) => sysMlock2(call.system.mmu, call.process, call.u64(0), call.u64(1), call.s32(2)),
  ],
  [440, "process_madvise", 5, processMadvise],
  [451, "cachestat", 4, cachestat],
  [462, "mseal", 3, (call) => sysMseal(call.process, call.u64(0), call.u64(1), call.u64(2))],
];

/** struct cachestat_range { off, len } in, five numbers out. */
function cachestat(call: Call): number {
  const { process } = call;
  const file = fdGet(process, call.s32(0));
  if (file === undefined) return -EBADF;
  const range = call.get(call.u64(1), 16);
  if (range === undefined) return -EFAULT;
  const stat = sysCachestat(process, file, range.u64(0), range.u64(8), call.u32(3));
  if (typeof stat === "number") return stat;
  const { cache, dirty, writeback, evicted, recentlyEvicted } = stat;
  const answer = new StructView(40);
  for (const [index, pages] of [cache, dirty, writeback, evicted, recentlyEvicted].entries()) {
    answer.put64(index * 8, pages);
  }
  return call.put(call.u64(2), answer.bytes);
}

function mmap(call: Call): number {
  const { system, process } = call;
  return sysMmap(
    system.mmu,
    process,
    call.u64(0),
    call.u64(1),
    call.u32(2),
    call.u32(3) | 0,
    call.s32(4),
    call.u64(5),
  );
}

function mremap(call: Call): number {
  const { system, process } = call;
  return sysMremap(system.mmu, process, call.u64(0), call.u64(1), call.u64(2), call.u32(3), call.u64(4));
}

function remapFilePages(call: Call): number {
  const { system, process } = call;
  return sysRemapFilePages(
    system.mmu,
    process,
    call.u64(0),
    call.u64(1),
    call.u64(2),
    call.u64(3),
    call.u32(4) | 0,
  );
}

/** The checks that come before the other process is looked for: flags, the caller's segments, the other's. */
function processVm(call: Call, rw: (mmu: Mmu, task: Task, transfer: ProcessVmTransfer) => number): number {
  const { system, process } = call;
  if (call.u64(5) !== 0) return -EINVAL;
  const local = call.importVector(1);
  if (typeof local === "number") return local;
  if (local.every(({ len }) => len === 0)) return 0;
  const remote = call.vector(3);
  if (typeof remote === "number") return remote;
  const thread = system.thread(call.s32(0));
  const target = thread === undefined || thread.hasExited ? undefined : thread.group.process;
  return rw(system.mmu, process, { target, local, remote });
}

/** Ranges of the process that a pidfd stands for. */
function processMadvise(call: Call): number {
  const { system, process } = call;
  if (call.u32(4) !== 0) return -EINVAL;
  const ranges = call.importVector(1);
  if (typeof ranges === "number") return ranges;
  const target = pidfdGetTask(system.kernel.processes, process, call.s32(0));
  if (typeof target === "number") return target;
  const live = target.taskMm === null ? undefined : target;
  return sysProcessMadvise(system.mmu, process, live, ranges, call.s32(3));
}

/** Stores of the program become visible to its instruction fetches. */
function flushIcache(call: Call): number {
  if ((call.u64(2) & ~SYS_RISCV_FLUSH_ICACHE_LOCAL) !== 0) return -EINVAL;
  call.system.hart.invalidateAll();
  return 0;
}

/** One hart executes everything in order: every barrier holds already. */
function membarrier(call: Call): number {
  if (call.u32(1) !== 0) return -EINVAL;
  const { group } = call.thread;
  switch (call.s32(0)) {
    case MEMBARRIER_CMD_QUERY:
      return MEMBARRIER_CMD_BITMASK;
    case MEMBARRIER_CMD_GLOBAL:
    case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
      return 0;
    case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
      group.membarriers |= call.s32(0);
      return 0;
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
      return (group.membarriers & MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) !== 0 ? 0 : -EPERM;
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
      if ((group.membarriers & MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE) === 0) return -EPERM;
      call.system.hart.invalidateAll();
      return 0;
    case MEMBARRIER_CMD_GET_REGISTRATIONS:
      return group.membarriers;
    default:
      return -EINVAL;
  }
}
