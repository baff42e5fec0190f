/** The system calls of which nothing but the result is compared, as functions of Faultline. */
import { readUserString } from "../src/mm/fault/uaccess.ts";
import { UserIter } from "../src/mm/fault/user-iter.ts";
import type { Process } from "../src/mm/kernel/process.ts";
import { checkMemfdFlags } from "../src/mm/shmem/memfd.ts";
import { sysBrk } from "../src/mm/syscalls/brk.ts";
import { sysFadvise64, sysReadahead } from "../src/mm/syscalls/fadvise.ts";
import { sysFallocate, sysFtruncate } from "../src/mm/syscalls/file-size.ts";
import { sysMadvise } from "../src/mm/syscalls/madvise.ts";
import { sysMlock, sysMlock2, sysMunlock } from "../src/mm/syscalls/mlock.ts";
import { sysMlockall, sysMunlockall } from "../src/mm/syscalls/mlockall.ts";
import { sysMmap } from "../src/mm/syscalls/mmap.ts";
import { sysMprotect } from "../src/mm/syscalls/mprotect.ts";
import { sysMremap } from "../src/mm/syscalls/mremap.ts";
import { sysMseal } from "../src/mm/syscalls/mseal.ts";
import { sysMsync } from "../src/mm/syscalls/msync.ts";
import { sysMunmap } from "../src/mm/syscalls/munmap.ts";
import { sysClose, sysDup, sysDup2, sysFcntl, sysMemfdCreate, sysOpenat } from "../src/mm/syscalls/open.ts";
import { sysLseek, sysPread64, sysPwrite64, sysRead, sysWrite } from "../src/mm/syscalls/read-write.ts";
import { sysRemapFilePages } from "../src/mm/syscalls/remap-file-pages.ts";
import { sysSetrlimit } from "../src/mm/syscalls/rlimit.ts";
import { sysShmat, sysShmdt, sysShmget } from "../src/mm/syscalls/shm.ts";
import { sysFsync } from "../src/mm/syscalls/sync.ts";
import { AT_FDCWD, PATH_MAX } from "../src/mm/uapi/fcntl.ts";
import { F_ADD_SEALS, F_GET_SEALS } from "../src/mm/uapi/fs.ts";
import * as mman from "../src/mm/uapi/mman.ts";
import { pathOf } from "./faultline-kernel.ts";
import type { Operation } from "./operation.ts";
import { MEMFD_NAMES } from "./subject.ts";

/** What the call returns; it takes its arguments as they are, but for buffers, names and limits. */
export function systemCall(task: Process, { call, args }: Operation): number {
  const { mmu } = task.kernel;
  switch (call) {
    case "mmap":
      return sysMmap(mmu, task, args[0], args[1], args[2], args[3], args[4], args[5]);
    case "munmap":
      return sysMunmap(task, args[0], args[1]);
    case "mprotect":
      return sysMprotect(mmu, task, args[0], args[1], args[2]);
    case "mremap":
      return sysMremap(mmu, task, args[0], args[1], args[2], args[3], args[4]);
    case "brk":
      return sysBrk(mmu, task, args[0]);
    case "msync":
      return sysMsync(task, args[0], args[1], args[2]);
    case "madvise":
      return sysMadvise(mmu, task, args[0], args[1], args[2]);
    case "mlock":
      return sysMlock(mmu, task, args[0], args[1]);
    case "mlock2":
      return sysMlock2(mmu, task, args[0], args[1], args[2]);
    case "munlock":
      return sysMunlock(task, args[0], args[1]);
    case "mlockall":
      return sysMlockall(mmu, task, args[0]);
    case "munlockall":
      return sysMunlockall(task);
    case "mseal":
      return sysMseal(task, args[0], args[1], args[2]);
    case "remap_file_pages":
      return sysRemapFilePages(mmu, task, args[0], args[1], args[2], args[3], args[4]);
    case "setrlimit":
      return sysSetrlimit(task, args[0], { soft: limitOf(args[1]), hard: limitOf(args[2]) });
    case "shmget":
      return sysShmget(task, args[0], args[1], args[2]);
    case "shmat":
      return sysShmat(mmu, task, args[0], args[1], args[2]);
    case "shmdt":
      return sysShmdt(task, args[0]);
    case "memfd_create":
      return memfdCreate(task, args);
    case "open":
      return sysOpenat(task, AT_FDCWD, pathOf(args[0]), args[1], 0);
    case "close":
      return sysClose(task, args[0]);
    case "read":
      return sysRead(task, args[0], userBuffer(task, args[1], args[2]));
    case "write":
      return sysWrite(task, args[0], userBuffer(task, args[1], args[2]));
    case "pread64":
      return sysPread64(task, args[0], userBuffer(task, args[1], args[2]), args[3]);
    case "pwrite64":
      return sysPwrite64(task, args[0], userBuffer(task, args[1], args[2]), args[3]);
    case "ftruncate":
      return sysFtruncate(task, args[0], args[1]);
    case "fsync":
      return sysFsync(task, args[0]);
    case "fallocate":
      return sysFallocate(task, args[0], args[1], args[2], args[3]);
    case "dup":
      return sysDup(task, args[0]);
    case "dup2":
      return sysDup2(task, args[0], args[1]);
    case "lseek":
      return sysLseek(task, args[0], args[1], args[2]);
    case "seals":
      return sysFcntl(task, args[0], args[1] === 0 ? F_GET_SEALS : F_ADD_SEALS, args[1]);
    case "fadvise64":
      return sysFadvise64(task, args[0], args[1], args[2], args[3]);
    case "readahead":
      return sysReadahead(task, args[0], args[1], args[2]);
    default:
      throw new Error(`Faultline can't ${call}`);
  }
}

/** With what the machine checks on the way where the name is the program's: flags, and the name. */
function memfdCreate(task: Process, [name, flags, nameAt = 0]: readonly number[]): number {
  if (nameAt === 0) return sysMemfdCreate(task, MEMFD_NAMES[name], flags);
  const wrong = checkMemfdFlags(task.fs.mounts, flags);
  if (wrong !== 0) return wrong;
  const text = readUserString(task.kernel.mmu, task, nameAt, PATH_MAX);
  return typeof text === "number" ? text : sysMemfdCreate(task, text, flags);
}

/** A buffer of the process as one segment. */
export function userBuffer(task: Process, base: number, len: number): UserIter {
  return new UserIter(task.kernel.mmu, task, [{ base, len }]);
}

/** A limit as the kernel holds it. */
function limitOf(value: number): number {
  return value < 0 ? mman.RLIM_INFINITY : value;
}
