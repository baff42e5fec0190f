/**
 * Process: one process, as TypeScript sees it: its memory, and the system calls by their Linux names.
 *
 * Every call takes Linux's arguments and constants and answers what Linux answers; where Linux would answer −1 and an
 * errno, it throws a LinuxError. Buffers are addresses in the process's memory, or byte arrays of the caller's.
 */

import { SIGKILL } from "../fault/mmu.ts";
import { ROOT_MEM_CGROUP } from "../frames/lruvec.ts";
import type { ShmNamespace } from "../ipc/shm-namespace.ts";
import type { Vaddr } from "../page.ts";
import { procMaps } from "../proc/maps.ts";
import { mmOf, type TaskActivity } from "../proc/proc-task.ts";
import { sysGetMempolicy, sysSetMempolicy } from "../syscalls/mempolicy.ts";
import { sysStatPages } from "../syscalls/move-pages.ts";
import { pidfdGetTask, sysPidfdGetfd, sysPidfdOpen } from "../syscalls/pidfd.ts";
import { sysProcessMadvise } from "../syscalls/process-madvise.ts";
import { applyRlimits, sysGetrlimit, sysSetrlimit } from "../syscalls/rlimit.ts";
import { FsContext, initialRlimits, type Rlimit, type Task } from "../syscalls/task.ts";
import { EAGAIN, ECHILD, ESRCH } from "../uapi/errno.ts";
import type { Capabilities } from "../vfs/capability.ts";
import { FdTable } from "../vfs/fd-table.ts";
import { allOf, type Ids } from "../vfs/ids.ts";
import { PollQueue } from "../vfs/poll-queue.ts";
import type { Mempolicy } from "../vma/mempolicy.ts";
import { MmActor } from "../vma/mm-actor.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { nodeList, nodeMask, segmentsOf, u64 } from "./call-arguments.ts";
import { check, checkValue, LinuxError, OutOfMemoryError } from "./errors.ts";
import { FileCalls } from "./file-calls.ts";
import type { Kernel } from "./kernel.ts";
import type { MemoryCgroup } from "./memory-cgroup.ts";
import {
  applyCapabilities,
  becomeCurrent,
  exitProcess,
  forkProcess,
  newMm,
  reapChild,
  type Sharing,
  type WaitResult,
} from "./task-lifecycle.ts";

export interface SpawnOptions {
  /** Name in /proc/PID/comm. */
  readonly comm?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** How likely it is killed when memory is out: −1000 (never) … 1000. Default 0. */
  readonly oomScoreAdj?: number;
  /** The memory cgroup that pays for it. Default: the root. */
  readonly cgroup?: MemoryCgroup;
}

/** Leaves the flags as they are. */
const PERSONALITY_QUERY = 0xffffffff;

export class Process extends FileCalls implements Task {
  readonly kernel: Kernel;
  readonly pid: number;
  comm: string;
  mm: MmStruct;
  files: FdTable;
  fs: FsContext;
  userIds: Ids;
  groupIds: Ids;
  groups: readonly number[];
  capabilities: Capabilities | null;
  /** SECBIT_…: what a change of user and an exec do to its capabilities. */
  securebits: number;
  readonly rlimits: Rlimit[];
  readonly actor: MmActor = new MmActor();
  minFlt = 0;
  majFlt = 0;
  /** Peak resident set so far (pages), over all its address spaces. */
  maxRss = 0;
  /** Sums over children that were waited for. */
  childMinFlt = 0;
  childMajFlt = 0;
  childMaxRss = 0;
  /** How much likelier than its size says it is to be killed when memory is out: −1000 … 1000, and the least for a user. */
  oomScoreAdj: number;
  oomScoreAdjMin: number;
  /** It was chosen to be killed for its memory while it was running: it ends as soon as it is back from what it does. */
  isOomVictim = false;
  /** It ended so, or will. */
  wasKilledForMemory = false;
  isOomOrigin = false;
  /** The memory policy of the first thread. */
  mempolicy: Mempolicy | null;
  /** Number of the memory cgroup that it is in: 0 for the root. */
  memcg: number;
  parent: Process | null;
  readonly children: Set<Process> = new Set();
  /** Children of descendants that end become this process's (PR_SET_CHILD_SUBREAPER). */
  isChildSubreaper = false;
  /** Filled in by whoever runs it. */
  activity: TaskActivity | null = null;
  /** It became a user who had too many processes already: it can execute no program while that is so (PF_NPROC_EXCEEDED). */
  nprocExceeded = false;
  /** Wait status once it has ended, null while it lives. */
  exitStatus: number | null = null;
  metFileSizeLimit = false;
  /** Told when it ends: pidfds are watched through it. */
  readonly exitQueue: PollQueue = new PollQueue();

  private constructor(
    kernel: Kernel,
    parent: Process | null,
    mm: MmStruct,
    files: FdTable,
    fs: FsContext,
    rlimits: Rlimit[],
    /** Whom it copies; its parent, but for CLONE_PARENT. */
    maker: Process | null,
    pid?: number,
  ) {
    super(kernel.mmu);
    this.kernel = kernel;
    this.pid = pid ?? kernel.pids.alloc();
    kernel.totalForks++;
    this.comm = maker?.comm ?? "";
    this.userIds = maker?.userIds ?? allOf(0);
    this.groupIds = maker?.groupIds ?? allOf(0);
    this.securebits = maker?.securebits ?? 0;
    this.groups = maker?.groups ?? [];
    this.capabilities = maker?.capabilities ?? null;
    this.mempolicy = maker?.mempolicy ?? null;
    this.oomScoreAdj = maker?.oomScoreAdj ?? 0;
    this.oomScoreAdjMin = maker?.oomScoreAdjMin ?? 0;
    this.mm = mm;
    this.memcg = mm.memcg;
    this.files = files;
    this.fs = fs;
    this.rlimits = rlimits;
    this.actor.pid = this.pid;
    applyRlimits(this.actor, rlimits);
    applyCapabilities(this);
    this.actor.personality = maker?.actor.personality ?? 0;
    this.parent = parent;
    parent?.children.add(this);
    kernel.processes.set(this.pid, this);
  }

  /** For Kernel.spawn: a process without parent. */
  static spawn(kernel: Kernel, options: SpawnOptions): Process {
    check("spawn", kernel.pids.peek() ?? -EAGAIN);
    const rlimits = initialRlimits(kernel.sysctl.maxThreads);
    const actor = new MmActor();
    applyRlimits(actor, rlimits);
    const memcg = options.cgroup?.id ?? ROOT_MEM_CGROUP;
    kernel.phys.current = null;
    kernel.phys.chargeGroup = memcg;
    const mm = checkValue("spawn", newMm(kernel, actor, memcg));
    const root = kernel.mounts.root;
    const process = new Process(
      kernel,
      null,
      mm,
      new FdTable(),
      new FsContext(kernel.mounts, root, root),
      rlimits,
      null,
    );
    process.comm = options.comm ?? "";
    process.uid = options.uid ?? 0;
    process.gid = options.gid ?? 0;
    process.oomScoreAdj = options.oomScoreAdj ?? 0;
    applyCapabilities(process);
    mm.actor = process.actor;
    return process;
  }

  /** The effective user, whose rights it has. Setting it sets the real and the saved one, too. */
  get uid(): number {
    return this.userIds.effective;
  }
  set uid(uid: number) {
    this.userIds = allOf(uid);
  }

  /** The effective group, and so on. */
  get gid(): number {
    return this.groupIds.effective;
  }
  set gid(gid: number) {
    this.groupIds = allOf(gid);
  }

  get ipc(): ShmNamespace {
    return this.kernel.ipc;
  }

  /** For forkProcess: a child in the given address space, with copies of what is not shared. */
  cloneWith(mm: MmStruct, { files, fs, parent, pid }: Sharing): Process {
    const rlimits = this.rlimits.map((limit) => ({ ...limit }));
    if (files === true) this.files.users++;
    return new Process(
      this.kernel,
      parent === true ? this.parent : this,
      mm,
      files === true ? this.files : this.files.clone(),
      fs === true ? this.fs : this.fs.clone(),
      rlimits,
      this,
      pid,
    );
  }

  get isDumpable(): boolean {
    return this.exitStatus !== null || this.mm.dumpable === 1;
  }

  /** What they find of its memory who mean it by its number (get_task_mm): null where it, or its first thread alone, has ended. */
  get taskMm(): MmStruct | null {
    return mmOf(this);
  }

  /** It was waited for: its number is nobody's, or another's. */
  get isReaped(): boolean {
    return this.kernel.processes.get(this.pid) !== this;
  }

  // Limits

  /** getrlimit(2): soft and hard limit, Infinity for none. */
  getrlimit(resource: number): Rlimit {
    return checkValue("getrlimit", sysGetrlimit(this.#live("getrlimit"), resource));
  }

  /** setrlimit(2): RLIMIT_… for this process; Infinity for no limit. */
  setrlimit(resource: number, limit: Readonly<Rlimit>): void {
    check("setrlimit", sysSetrlimit(this.#live("setrlimit"), resource, limit));
  }

  // Life

  /** fork(2): a child with a copy of this process's memory, shared until either writes. */
  fork(): Process {
    return checkValue("fork", forkProcess(this.#live("fork")));
  }

  /**
   * clone(2): as fork, with what `sharing` names shared for good instead of copied. With `vm` both processes use one
   * address space, until one of them ends.
   */
  clone(sharing: Sharing = {}): Process {
    return checkValue("clone", forkProcess(this.#live("clone"), sharing));
  }

  /**
   * personality(2): sets the flags (ADDR_NO_RANDOMIZE = 0x40000, ADDR_COMPAT_LAYOUT = 0x200000, READ_IMPLIES_EXEC =
   * 0x400000) and answers the old ones; 0xffffffff only asks. What lies where is decided at the next exec.
   */
  personality(flags: number = PERSONALITY_QUERY): number {
    const { actor } = this.#live("personality");
    const old = actor.personality;
    if (flags !== PERSONALITY_QUERY) actor.personality = flags >>> 0;
    return old;
  }

  /** _exit(2): ends the process; its memory and descriptors are gone. */
  exit(code = 0): void {
    exitProcess(this, (code & 0xff) << 8);
  }

  /**
   * wait4(2): a child that has ended. Throws ECHILD without children; null when none has ended yet, since a caller in
   * the same thread can't wait for it.
   */
  wait(pid = -1): WaitResult | null {
    const result = reapChild(this, pid);
    if (typeof result === "number") throw new LinuxError("wait4", ECHILD);
    return result;
  }

  // Other processes

  /** pidfd_open(2): a descriptor for the process with that number, which goes on to mean it. PIDFD_… flags. */
  pidfd_open(pid: number, flags = 0): number {
    return check("pidfd_open", sysPidfdOpen(this.kernel.processes, this.#live("pidfd_open"), pid, flags));
  }

  /** pidfd_getfd(2): the other process's open file behind its descriptor `targetFd`, as a descriptor here. */
  pidfd_getfd(pidfd: number, targetFd: number, flags = 0): number {
    const task = this.#live("pidfd_getfd");
    return check("pidfd_getfd", sysPidfdGetfd(this.kernel.processes, task, pidfd, targetFd, flags));
  }

  /**
   * process_madvise(2): MADV_… for ranges of the process that a pidfd (or PIDFD_SELF_…) stands for. Bytes advised.
   *
   * @param ranges address and length each
   */
  process_madvise(pidfd: number, ranges: readonly (readonly [Vaddr, number])[], advice: number): number {
    const task = this.#live("process_madvise");
    const { kernel } = this;
    const segments = segmentsOf("process_madvise", ranges);
    const target = pidfdGetTask(kernel.processes, task, pidfd);
    if (typeof target === "number") return check("process_madvise", target);
    const live = target.taskMm === null ? undefined : target;
    return check("process_madvise", sysProcessMadvise(kernel.mmu, task, live, segments, advice));
  }

  /** set_mempolicy(2): MPOL_… with its flags, and the nodes that go with it. There is node 0. */
  set_mempolicy(mode: number, nodes: readonly number[] = []): void {
    const mask = nodeMask("set_mempolicy", nodes);
    check(
      "set_mempolicy",
      sysSetMempolicy(this.#live("set_mempolicy"), mode, () => mask),
    );
  }

  /**
   * get_mempolicy(2): the policy and its nodes; MPOL_F_ADDR asks for an address's, MPOL_F_NODE for a node instead,
   * MPOL_F_MEMS_ALLOWED for all nodes. EFAULT where nothing is mapped.
   */
  get_mempolicy(flags = 0, addr: Vaddr = 0): { mode: number; nodes: number[] } {
    const task = this.#live("get_mempolicy");
    const at = u64("get_mempolicy", addr);
    const { mode, nodes } = checkValue("get_mempolicy", sysGetMempolicy(this.mmu, task, task, at, flags));
    return { mode, nodes: nodeList(nodes) };
  }

  /** move_pages(2) without nodes: for each address the node that its page is on, or a negative errno. */
  move_pages(pid: number, pages: readonly Vaddr[], flags = 0): number[] {
    const task = this.#live("move_pages");
    const found = pid === 0 ? task : this.kernel.processes.get(pid);
    const target = found === undefined ? undefined : { task: found, mm: found.taskMm };
    const addrs = pages.map((addr) => u64("move_pages", addr));
    return checkValue("move_pages", sysStatPages(task, target, addrs, flags));
  }

  /** What /proc/PID/maps shows. */
  maps(): string {
    return procMaps(this.mm);
  }

  protected override caller(call: string): Task {
    return this.#live(call);
  }

  /**
   * This process, which a call is about to use: the kernel's entry (Kernel.enter). Throws ESRCH once it has ended: nothing
   * is left to work on.
   */
  #live(call: string): this {
    if (this.exitStatus === null) this.kernel.enter(this);
    if (this.exitStatus !== null) throw new LinuxError(call, ESRCH, "the process has ended");
    becomeCurrent(this);
    return this;
  }

  protected override afterRefusal(addr: Vaddr): void {
    if (this.isOomVictim) exitProcess(this, SIGKILL);
    if (this.wasKilledForMemory) throw new OutOfMemoryError(addr);
  }
}
