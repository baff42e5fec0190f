/** The memory system calls, as a program makes them. What they do is the business of src/mm. */
import { sysBrk } from "../../mm/syscalls/brk.ts";
import { sysMadvise } from "../../mm/syscalls/madvise.ts";
import { sysMincore } from "../../mm/syscalls/mincore.ts";
import { sysMmap } from "../../mm/syscalls/mmap.ts";
import { sysMprotect } from "../../mm/syscalls/mprotect.ts";
import { sysMremap } from "../../mm/syscalls/mremap.ts";
import { sysMsync } from "../../mm/syscalls/msync.ts";
import { sysMunmap } from "../../mm/syscalls/munmap.ts";
import { EINVAL, EPERM } from "../../mm/uapi/errno.ts";
import type { Call, SyscallGroup } from "./call.ts";

const SYS_RISCV_FLUSH_ICACHE_LOCAL = 1;

const MEMBARRIER_CMD_QUERY = 0;
const MEMBARRIER_CMD_GLOBAL = 1;
const MEMBARRIER_CMD_PRIVATE_EXPEDITED = 8;
const MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED = 16;

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
  [259, "riscv_flush_icache", 3, flushIcache],
  [283, "membarrier", 3, membarrier],
];

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
      return (
        MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED
      );
    case MEMBARRIER_CMD_GLOBAL:
      return 0;
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
      group.hasMembarrier = true;
      return 0;
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
      return group.hasMembarrier ? 0 : -EPERM;
    default:
      return -EINVAL;
  }
}
