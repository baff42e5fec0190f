/** The part of a process's system calls that is about its memory: mappings, the break, locks, advice, segments of System V. */
import type { Mmu } from "../fault/mmu.ts";
import type { IpcChange } from "../ipc/ipc-permission.ts";
import { type ShmidDs, shmidDs } from "../ipc/shm-segment.ts";
import type { Vaddr } from "../page.ts";
import { sysBrk } from "../syscalls/brk.ts";
import { sysMadvise } from "../syscalls/madvise.ts";
import { sysMbind, sysSetMempolicyHomeNode } from "../syscalls/mbind.ts";
import { sysMincore } from "../syscalls/mincore.ts";
import { sysMlock, sysMlock2, sysMunlock } from "../syscalls/mlock.ts";
import { sysMlockall, sysMunlockall } from "../syscalls/mlockall.ts";
import { sysMmap } from "../syscalls/mmap.ts";
import { sysMprotect } from "../syscalls/mprotect.ts";
import { sysMremap } from "../syscalls/mremap.ts";
import { sysMseal } from "../syscalls/mseal.ts";
import { sysMsync } from "../syscalls/msync.ts";
import { sysMunmap } from "../syscalls/munmap.ts";
import { sysRemapFilePages } from "../syscalls/remap-file-pages.ts";
import { sysShmat, sysShmdt, sysShmget } from "../syscalls/shm.ts";
import {
  type ShmInfo,
  type ShmInfo64,
  sysShmctlIpcInfo,
  sysShmctlLock,
  sysShmctlRmid,
  sysShmctlSet,
  sysShmctlShmInfo,
  sysShmctlStat,
  sysShmctlStatSlot,
  sysShmctlUnlock,
} from "../syscalls/shmctl.ts";
import type { Task } from "../syscalls/task.ts";
import { EINVAL } from "../uapi/errno.ts";
import {
  IPC_INFO,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  SHM_INFO,
  SHM_LOCK,
  SHM_STAT,
  SHM_STAT_ANY,
  SHM_UNLOCK,
} from "../uapi/ipc.ts";
import { integer, nodeMask, u64 } from "./call-arguments.ts";
import { check, checkValue, LinuxError } from "./errors.ts";
import { MemoryAccess } from "./memory-access.ts";

export abstract class MemoryCalls extends MemoryAccess {
  protected readonly mmu: Mmu;

  constructor(mmu: Mmu) {
    super(mmu);
    this.mmu = mmu;
  }

  /** The process as the caller of a system call. Throws ESRCH once it has ended. */
  protected abstract caller(call: string): Task;

  /** mmap(2): maps `length` bytes and answers where. */
  mmap(addr: Vaddr, length: number, prot: number, flags: number, fd = -1, offset = 0): Vaddr {
    return check(
      "mmap",
      sysMmap(
        this.mmu,
        this.caller("mmap"),
        u64("mmap", addr),
        u64("mmap", length),
        prot,
        flags,
        fd,
        u64("mmap", offset),
      ),
    );
  }

  /** munmap(2): takes a range out of the address space; holes are fine. */
  munmap(addr: Vaddr, length: number): void {
    check("munmap", sysMunmap(this.caller("munmap"), u64("munmap", addr), u64("munmap", length)));
  }

  /** mprotect(2): PROT_… for a range of mappings. ENOMEM at a hole, EACCES beyond what the file allows. */
  mprotect(addr: Vaddr, length: number, prot: number): void {
    check(
      "mprotect",
      sysMprotect(this.mmu, this.caller("mprotect"), u64("mprotect", addr), u64("mprotect", length), prot),
    );
  }

  /** mremap(2): resizes or moves a mapping and answers where it is. */
  mremap(addr: Vaddr, oldSize: number, newSize: number, flags = 0, newAddr: Vaddr = 0): Vaddr {
    return check(
      "mremap",
      sysMremap(
        this.mmu,
        this.caller("mremap"),
        u64("mremap", addr),
        u64("mremap", oldSize),
        u64("mremap", newSize),
        flags,
        u64("mremap", newAddr),
      ),
    );
  }

  /** The raw system call: moves the break where that is possible, and answers where it is. brk(0) only asks. */
  brk(addr: Vaddr = 0): Vaddr {
    return sysBrk(this.mmu, this.caller("brk"), u64("brk", addr));
  }

  /** msync(2): with MS_SYNC the bytes written through shared mappings are in the file when this returns. */
  msync(addr: Vaddr, length: number, flags: number): void {
    check("msync", sysMsync(this.caller("msync"), u64("msync", addr), u64("msync", length), flags));
  }

  /** madvise(2): MADV_… for a range. */
  madvise(addr: Vaddr, length: number, advice: number): void {
    check(
      "madvise",
      sysMadvise(this.mmu, this.caller("madvise"), u64("madvise", addr), u64("madvise", length), advice),
    );
  }

  /** mincore(2): the residency byte of each page goes to memory at `vec`. */
  mincore(addr: Vaddr, length: number, vec: Vaddr): void {
    check(
      "mincore",
      sysMincore(
        this.mmu,
        this.caller("mincore"),
        u64("mincore", addr),
        u64("mincore", length),
        u64("mincore", vec),
      ),
    );
  }

  /** mlock(2): brings the range into memory, and keeps it there. */
  mlock(addr: Vaddr, length: number): void {
    check("mlock", sysMlock(this.mmu, this.caller("mlock"), u64("mlock", addr), u64("mlock", length)));
  }

  /** mlock2(2): as mlock; with MLOCK_ONFAULT pages are kept from their first use on. */
  mlock2(addr: Vaddr, length: number, flags: number): void {
    check(
      "mlock2",
      sysMlock2(this.mmu, this.caller("mlock2"), u64("mlock2", addr), u64("mlock2", length), flags),
    );
  }

  /** munlock(2): undoes mlock. */
  munlock(addr: Vaddr, length: number): void {
    check("munlock", sysMunlock(this.caller("munlock"), u64("munlock", addr), u64("munlock", length)));
  }

  /** mlockall(2): MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT. */
  mlockall(flags: number): void {
    check("mlockall", sysMlockall(this.mmu, this.caller("mlockall"), flags));
  }

  /** munlockall(2): undoes every mlock and mlockall. */
  munlockall(): void {
    check("munlockall", sysMunlockall(this.caller("munlockall")));
  }

  /** mseal(2): from now on the range can't be unmapped, moved, or given other rights. */
  mseal(addr: Vaddr, length: number, flags = 0): void {
    check("mseal", sysMseal(this.caller("mseal"), u64("mseal", addr), u64("mseal", length), flags));
  }

  /** mbind(2): the memory policy of a range, MPOL_… with its flags and nodes; MPOL_MF_… for pages that are there. */
  mbind(addr: Vaddr, length: number, mode: number, nodes: readonly number[] = [], flags = 0): void {
    const [start, len] = [u64("mbind", addr), u64("mbind", length)];
    const mask = nodeMask("mbind", nodes);
    check(
      "mbind",
      sysMbind(this.caller("mbind"), start, len, mode, () => mask, flags),
    );
  }

  /** set_mempolicy_home_node(2): from which node on memory is looked for by the policies of a range. */
  set_mempolicy_home_node(addr: Vaddr, length: number, node: number, flags = 0): void {
    const call = "set_mempolicy_home_node";
    const [start, len] = [u64(call, addr), u64(call, length)];
    check(call, sysSetMempolicyHomeNode(this.caller(call), start, len, u64(call, node), flags));
  }

  /** remap_file_pages(2): shows the file's page `pgoff` and those behind it at `addr`. */
  remap_file_pages(addr: Vaddr, size: number, prot: number, pgoff: number, flags = 0): void {
    check(
      "remap_file_pages",
      sysRemapFilePages(
        this.mmu,
        this.caller("remap_file_pages"),
        u64("remap_file_pages", addr),
        u64("remap_file_pages", size),
        prot,
        u64("remap_file_pages", pgoff),
        flags,
      ),
    );
  }

  /** shmget(2): the id of the segment called `key`, or of a new one; IPC_PRIVATE makes one without a name. */
  shmget(key: number, size: number, flags: number): number {
    const task = this.caller("shmget");
    return check("shmget", sysShmget(task, integer("shmget", key) | 0, u64("shmget", size), flags));
  }

  /** shmat(2): maps the segment, at `addr` or (0) where there is room, and answers where. */
  shmat(shmid: number, addr: Vaddr = 0, flags = 0): Vaddr {
    return check(
      "shmat",
      sysShmat(this.mmu, this.caller("shmat"), integer("shmat", shmid) | 0, u64("shmat", addr), flags),
    );
  }

  /** shmdt(2): takes the mapping of a segment at `addr` away, or what is left of it. */
  shmdt(addr: Vaddr): void {
    check("shmdt", sysShmdt(this.caller("shmdt"), u64("shmdt", addr)));
  }

  /** shmctl(2): IPC_STAT tells of a segment; SHM_STAT and SHM_STAT_ANY of the one in a slot. */
  shmctl(shmid: number, command: typeof IPC_STAT | typeof SHM_STAT | typeof SHM_STAT_ANY): ShmidDs;
  /** IPC_SET gives it another owner and other permissions. */
  shmctl(shmid: number, command: typeof IPC_SET, change: IpcChange): void;
  /** IPC_RMID ends it, with its last attachment; SHM_LOCK keeps it in memory until SHM_UNLOCK. */
  shmctl(shmid: number, command: typeof IPC_RMID | typeof SHM_LOCK | typeof SHM_UNLOCK): void;
  /** IPC_INFO tells the limits, whatever the first argument is. */
  shmctl(shmid: number, command: typeof IPC_INFO): ShmInfo64;
  /** SHM_INFO tells how much there is of all segments together. */
  shmctl(shmid: number, command: typeof SHM_INFO): ShmInfo;
  shmctl(
    shmid: number,
    command: number,
    change: IpcChange = { uid: -1, gid: -1, mode: 0 },
  ): ShmidDs | ShmInfo64 | ShmInfo | undefined {
    const task = this.caller("shmctl");
    const id = integer("shmctl", shmid) | 0;
    switch (command) {
      case IPC_STAT:
        return shmidDs(checkValue("shmctl", sysShmctlStat(task, id)));
      case SHM_STAT:
      case SHM_STAT_ANY:
        return shmidDs(checkValue("shmctl", sysShmctlStatSlot(task, id, command === SHM_STAT_ANY)));
      case IPC_INFO:
        return sysShmctlIpcInfo(task);
      case SHM_INFO:
        return sysShmctlShmInfo(task);
      case IPC_SET:
        check("shmctl", sysShmctlSet(task, id, change));
        return undefined;
      case IPC_RMID:
        check("shmctl", sysShmctlRmid(task, id));
        return undefined;
      case SHM_LOCK:
        check("shmctl", sysShmctlLock(task, id));
        return undefined;
      case SHM_UNLOCK:
        check("shmctl", sysShmctlUnlock(task, id));
        return undefined;
      default:
        throw new LinuxError("shmctl", EINVAL, `no command ${command}`);
    }
  }
}
