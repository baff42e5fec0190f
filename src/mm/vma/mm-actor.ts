/**
 * Whose limits and privileges hold while an address space is worked on: the process that makes the call (current), not
 * the address space's. Processes that share their memory (vfork, CLONE_VM) each have limits of their own
 * (signal_struct.rlim, cred).
 *
 * Each process has one, which setrlimit and setuid keep up to date; an address space refers to that of the process that
 * acts on it.
 */
export class MmActor {
  /** The process's number; 0 for an address space that nobody acts on yet. */
  pid = 0;
  /** Resource limits in bytes: soft ones, and the hard one of RLIMIT_DATA, which a soft limit of 0 falls back to. */
  rlimitAs: number = Number.POSITIVE_INFINITY;
  rlimitData: number = Number.POSITIVE_INFINITY;
  rlimitDataMax: number = Number.POSITIVE_INFINITY;
  rlimitStack: number = 8 * 2 ** 20;
  rlimitMemlock: number = 8 * 2 ** 20;
  /**
   * Capabilities that lift RLIMIT_MEMLOCK (CAP_IPC_LOCK), open the reserve of overcommit mode 2 (CAP_SYS_ADMIN), and lift
   * vm.mmap_min_addr for mappings at a given address (CAP_SYS_RAWIO).
   */
  capIpcLock = false;
  capSysAdmin = false;
  capSysRawio = false;
  /** Bits of personality(2), of which ADDR_NO_RANDOMIZE and so on decide about memory. */
  personality = 0;
}
