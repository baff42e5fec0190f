/**
 * The Kernel: one booted machine's memory, files and processes. The way in for everyone.
 */
import { Prng } from "../../lib/prng.ts";
import { Mmu, SIGKILL } from "../fault/mmu.ts";
import { dirtyLimits } from "../filemap/dirty-limits.ts";
import { flushForReclaim, flushWhatIsDue } from "../filemap/flusher.ts";
import { ROOT_MEM_CGROUP } from "../frames/lruvec.ts";
import { PhysicalMemory } from "../frames/physical-memory.ts";
import { MessageQueues } from "../ipc/message-queues.ts";
import { Semaphores } from "../ipc/semaphores.ts";
import { ShmNamespace } from "../ipc/shm-namespace.ts";
import { TlbPool } from "../pagetable/tlb.ts";
import type { ProcHost, SystemActivity } from "../proc/proc-task.ts";
import { LruGenPolicy } from "../reclaim/lru-gen-policy.ts";
import { type OomHost, OomKiller } from "../reclaim/oom-kill.ts";
import { Vmscan } from "../reclaim/vmscan.ts";
import { tmpFs } from "../shmem/tmpfs.ts";
import { initSwap } from "../swap/swap-cache.ts";
import type { SwapDevice, SwapTiming } from "../swap/swap-device.ts";
import type { MkswapOptions } from "../swap/swap-header.ts";
import { swapSpace } from "../swap/swap-space.ts";
import { settleSwapWriteback } from "../swap/swap-writeback.ts";
import { swapoffArea, swaponDevice, writeSwapHeader } from "../syscalls/swapon.ts";
import type { Tracer } from "../trace/events.ts";
import { VMSTAT_NAMES } from "../trace/vmstat.ts";
import { EINVAL, ENOENT } from "../uapi/errno.ts";
import { SWAP_FLAG_DISCARD, SWAP_FLAG_PREFER, SWAP_FLAG_PRIO_MASK } from "../uapi/swap.ts";
import { UTS_DOMAINNAME, UTS_NODENAME, type UtsNames } from "../uapi/utsname.ts";
import { vfsMkdir } from "../vfs/directory.ts";
import { MountNamespace, type MountOptions } from "../vfs/mount.ts";
import { LOOKUP_FOLLOW, pathLookup } from "../vfs/namei.ts";
import type { FileSystem } from "../vfs/super-block.ts";
import { syncFilesystem } from "../vfs/sync.ts";
import { type Arch, RISCV64 } from "../vma/arch.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { check, checkValue, KernelPanic, LinuxError } from "./errors.ts";
import { KernelLog } from "./kernel-log.ts";
import { KernelSysctl } from "./kernel-sysctl.ts";
import { MemoryCgroup } from "./memory-cgroup.ts";
import { PidNumbers } from "./pid-numbers.ts";
import { Process, type SpawnOptions } from "./process.ts";
import { exitProcess } from "./task-lifecycle.ts";

export interface KernelOptions {
  /** The file system at /. Default: an empty tmpfs. */
  readonly root?: FileSystem;
  /** Allocatable RAM in bytes, 64 KiB to 4 GiB (what is reserved comes off 4 GiB). Default 256 MiB. */
  readonly ram?: number;
  /** Default riscv64. */
  readonly arch?: Arch;
  /** Seed of everything random: addresses, AT_RANDOM, getrandom, /dev/urandom. Default 0. */
  readonly seed?: number;
  /** Randomise the address space (from the seed). Default false: every run has the same addresses. */
  readonly randomize?: boolean;
  /** The clock: nanoseconds since the epoch. Default: stands at 0, so that runs repeat exactly. */
  readonly now?: () => number;
  /**
   * Lets nanoseconds of that clock pass, for what takes time in storage (delays on purpose). Default: they don't pass.
   */
  readonly sleep?: (ns: number) => void;
  /** The memory controller is that of cgroups of version 1: who reclaims at a limit waits for each page that is being written. */
  readonly legacyMemcg?: boolean;
  /** Most mappings of one process (vm.max_map_count). Default 65530. */
  readonly maxMapCount?: number;
  /** Least address that may be mapped (vm.mmap_min_addr). Default 65536. */
  readonly mmapMinAddr?: number;
  /**
   * What a kernel with security modules was built with besides (CONFIG_LSM_MMAP_MIN_ADDR): nothing is placed below the larger of
   * the two, but a program may ask for it by address. Default 0, as without them.
   */
  readonly lsmMmapMinAddr?: number;
  /** Size of transparent huge pages as far as it shows in addresses; 0 (default) for a kernel built without. */
  readonly thpSize?: number;
  /** vm.overcommit_memory: 0 (default) refuses only more than all RAM at once, 1 nothing, 2 what exceeds the limit. */
  readonly overcommitMemory?: 0 | 1 | 2;
  /** vm.overcommit_ratio: the limit of mode 2 in percent of RAM. Default 50. */
  readonly overcommitRatio?: number;
  /** vm.overcommit_kbytes: the limit of mode 2, where not 0. Default 0. */
  readonly overcommitKbytes?: number;
  /** vm.swappiness: 0 … 200, how much rather anonymous pages are reclaimed than pages of files. Default 60. */
  readonly swappiness?: number;
  /** vm.min_free_kbytes. Default: from the size of RAM, as Linux computes it. */
  readonly minFreeKbytes?: number;
  /** What reclaim takes: active and inactive lists ("lru", the default), or generations ("mglru"). */
  readonly lruPolicy?: "lru" | "mglru";
  /** Debug: fill freed frames with a pattern and check it when they are allocated again. */
  readonly poison?: boolean;
  /** Bytes of RAM set aside for a machine's hart, beside `ram`. */
  readonly machineBytes?: number;
}

export interface SwapOnOptions {
  /** What /proc/swaps calls it. Default: /dev/swap0, … */
  readonly name?: string;
  /** 0 to 32767; areas with the highest are filled first. Default: a negative one, lower for each further area. */
  readonly priority?: number;
  /** Takes no more pages of the area than that, the header's included. Default: as many as its header says. */
  readonly maxPages?: number;
  /** How long the device takes, instead of what it says itself; null: it answers at once. */
  readonly timing?: SwapTiming | null;
  /** Tells the device what is not needed any more, if it can make use of that (SWAP_FLAG_DISCARD). */
  readonly discard?: boolean;
  /** Writes a header first, as mkswap(8) does. What the device held is lost. */
  readonly mkswap?: MkswapOptions;
}

const DEFAULT_RAM = 256 * 2 ** 20;
/** Room for a few page tables and pages at least; and what one WebAssembly memory can hold. */
const MIN_RAM = 65536;
const MAX_RAM = 2 ** 32;

export class Kernel implements ProcHost, OomHost {
  readonly phys: PhysicalMemory;
  readonly arch: Arch;
  readonly tlbs: TlbPool;
  readonly mmu: Mmu;
  readonly mounts: MountNamespace;
  readonly random: Prng;
  /** The source for address-space randomisation, used as kernel.randomize_va_space says. */
  readonly addressRandom: Prng;
  readonly now: () => number;
  readonly bootNs: number;
  readonly utsNames: UtsNames = { node: UTS_NODENAME, domain: UTS_DOMAINNAME };
  /** How far the time of day is ahead of `now`, which never goes back: it may have been set (clock_settime). Nanoseconds 0 … 10^9 − 1. */
  timeOfDayOffset: { readonly seconds: number; readonly nanoseconds: number } = {
    seconds: 0,
    nanoseconds: 0,
  };
  /** Nanoseconds since the epoch, as times of files and of IPC objects say. */
  readonly timeOfDay = (): number =>
    this.now() + (this.timeOfDayOffset.seconds * 1e9 + this.timeOfDayOffset.nanoseconds);
  /** Filled in by whoever runs programs. */
  activity: SystemActivity | null = null;
  readonly options: KernelOptions;
  /** Processes by pid, zombies included. */
  readonly processes: Map<number, Process> = new Map();
  /** Numbers that threads have beside their processes'. Filled in by whoever runs threads. */
  threadIds: { has(tid: number): boolean } = new Set();
  /** Whether a group of processes or a session has a number. Filled in by whoever has groups. */
  isGroupOrSession: (pid: number) => boolean = () => false;
  readonly pids: PidNumbers = new PidNumbers(
    (pid) => this.processes.has(pid) || this.threadIds.has(pid) || this.isGroupOrSession(pid),
  );
  /** Processes and threads made since boot. */
  totalForks = 0;
  /** What /proc/sys shows and changes. */
  readonly sysctl: KernelSysctl;
  /** The segments of System V shared memory. */
  readonly ipc: ShmNamespace;
  /** Message queues of System V. */
  readonly messages: MessageQueues;
  /** Semaphores of System V. */
  readonly semaphores: Semaphores;
  /** Whose call is being served (current); 0 before the first. */
  currentPid = 0;
  readonly vmscan: Vmscan;
  /** The root of the memory cgroups: groups of processes with limits of their own. */
  readonly memcg: MemoryCgroup;
  /** Ends a process that is not running, because memory is out. The machine, which has threads, puts its own here. */
  killer: (process: Process) => void = (process) => exitProcess(process, SIGKILL);
  readonly #log: KernelLog;
  #panic: KernelPanic | null = null;
  /** Processes that have to die, and could not yet because somebody was at work in their memory. */
  readonly #doomed: Set<Process> = new Set();

  /** Boots, with one file system at /. */
  constructor(options: KernelOptions = {}) {
    const ram = options.ram ?? DEFAULT_RAM;
    if (!(ram >= MIN_RAM && ram <= MAX_RAM)) {
      throw new RangeError(`RAM is ${MIN_RAM} to ${MAX_RAM} bytes, not ${ram}`);
    }
    this.options = options;
    this.arch = options.arch ?? RISCV64;
    this.sysctl = new KernelSysctl(options, this.arch, this.processes, ram);
    this.phys = new PhysicalMemory({
      ramBytes: ram,
      machineBytes: options.machineBytes ?? 0,
      poison: options.poison ?? false,
    });
    const { commit } = this.phys;
    this.phys.memcg.isLegacy = options.legacyMemcg ?? false;
    commit.mode = options.overcommitMemory ?? commit.mode;
    commit.ratio = options.overcommitRatio ?? commit.ratio;
    commit.kbytes = options.overcommitKbytes ?? commit.kbytes;
    initSwap(this.phys, options.now, options.sleep).mms = () => this.#addressSpaces();
    this.tlbs = new TlbPool(this.phys.ram);
    this.mmu = new Mmu(this.phys, this.tlbs);
    this.now = options.now ?? (() => 0);
    this.bootNs = this.now();
    this.#log = new KernelLog(this.now);
    this.memcg = new MemoryCgroup(this, "/", null, ROOT_MEM_CGROUP);
    const oomKiller = new OomKiller(this.phys, this);
    const policy = options.lruPolicy === "mglru" ? new LruGenPolicy(this.phys, this.processes) : undefined;
    const wakeFlusher = (): void => flushForReclaim(this.mounts.writeback);
    this.vmscan = new Vmscan(this.phys, { now: this.now, oomKiller, wakeFlusher, ...(policy && { policy }) });
    this.vmscan.swappiness = options.swappiness ?? this.vmscan.swappiness;
    this.phys.reclaimer = this.vmscan;
    this.phys.watermarks.setup();
    if (options.minFreeKbytes !== undefined) this.phys.watermarks.minFreeKbytes = options.minFreeKbytes;
    this.random = new Prng(options.seed ?? 0);
    this.addressRandom = new Prng((options.seed ?? 0) ^ 0x5bd1e995);
    this.mounts = new MountNamespace(this.phys, this.now, options.sleep, this.timeOfDay);
    this.ipc = new ShmNamespace(this);
    this.messages = new MessageQueues(this.timeOfDay);
    this.semaphores = new Semaphores(this.timeOfDay);
    check("mount", this.mounts.mount("/", options.root ?? tmpFs()), "/");
  }

  /** Mounts a file system over the directory `path` (absolute), making the directory if there is none. */
  mount(path: string, fileSystem: FileSystem, options: MountOptions = {}): void {
    const { root } = this.mounts;
    const task = { root, cwd: root, uid: 0, gid: 0, umask: 0 };
    let dir = root;
    for (const name of path.split("/").filter((part) => part !== "")) {
      let next = pathLookup(task, dir, name, LOOKUP_FOLLOW);
      if (next === -ENOENT) {
        check("mkdir", vfsMkdir(task, dir, name, 0o755), path);
        next = pathLookup(task, dir, name, LOOKUP_FOLLOW);
      }
      dir = checkValue("mount", next, path);
    }
    check("mount", this.mounts.mount(path, fileSystem, options), path);
  }

  /**
   * Takes a device into use as a swap area. Throws EINVAL where it has no valid header, EBUSY where it, or its name, is in
   * use, EPERM for too many areas, or the device's error. What guests have as a file they take into use themselves (Process.swapon).
   */
  swapOn(device: SwapDevice, options: SwapOnOptions = {}): void {
    const name = options.name ?? `/dev/swap${swapSpace(this.phys).list().length}`;
    const { priority } = options;
    if (
      priority !== undefined &&
      !(Number.isInteger(priority) && priority >= 0 && priority <= SWAP_FLAG_PRIO_MASK)
    )
      throw new RangeError(`the priority of a swap area is 0 to ${SWAP_FLAG_PRIO_MASK}, not ${priority}`);
    if (options.mkswap !== undefined)
      check("mkswap", writeSwapHeader(this.phys, device, options.mkswap), name);
    const flags =
      (priority === undefined ? 0 : SWAP_FLAG_PREFER | priority) |
      (options.discard === true ? SWAP_FLAG_DISCARD : 0);
    checkValue(
      "swapon",
      swaponDevice(this.phys, device, name, flags, options.maxPages, options.timing),
      name,
    );
  }

  /**
   * Brings back all that the area of that name holds, and gives it up. Throws EINVAL where there is none, ENOMEM where RAM
   * and the other areas have no room for it: then it stays in use, and nothing is lost.
   */
  swapOff(name: string): void {
    const info = swapSpace(this.phys)
      .list()
      .find((area) => area.name === name);
    if (info === undefined) throw new LinuxError("swapoff", EINVAL, name);
    check("swapoff", swapoffArea(this.phys, info, null), name);
  }

  /** A new process without parent, with an empty address space. */
  spawn(options: SpawnOptions = {}): Process {
    return Process.spawn(this, options);
  }

  /** A process enters the kernel with a system call: who has to die does so now, and the flusher runs if it is time. */
  enter(process: Process): void {
    if (process.isOomVictim) exitProcess(process, SIGKILL);
    if (this.#doomed.size > 0) this.#killDoomed();
    this.phys.setCurrent(process);
    this.runFlusher();
  }

  /** The kernel's log, oldest line first (dmesg). */
  get dmesg(): readonly string[] {
    return this.#log.lines;
  }

  /** What it died of; null while it lives. */
  get panicked(): KernelPanic | null {
    return this.#panic;
  }

  panic(reason: string): never {
    this.#panic = new KernelPanic(reason);
    this.phys.hasPanicked = true;
    this.printk(this.#panic.message);
    this.printk(`---[ end ${this.#panic.message} ]---`);
    throw this.#panic;
  }

  printk(line: string): void {
    this.#log.print(line);
  }

  /** The process that runs, as far as the kernel knows; null for none. */
  get currentTask(): Process | null {
    const { current } = this.phys;
    return current instanceof Process ? current : null;
  }

  memCgroupPath(group: number): string {
    return findCgroup(this.memcg, group)?.path ?? "/";
  }

  killForMemory({ pid }: { readonly pid: number }): void {
    const process = this.processes.get(pid);
    if (process === undefined || process.exitStatus !== null) return;
    process.isOomVictim = true;
    process.wasKilledForMemory = true;
    if (process === this.phys.current) return;
    if (process.mm === this.mmu.busyMm) this.#doomed.add(process);
    else this.killer(process);
  }

  #killDoomed(): void {
    const doomed = [...this.#doomed];
    this.#doomed.clear();
    for (const process of doomed) if (process.exitStatus === null) this.killer(process);
  }

  /**
   * Lets the flusher write what has been dirty for long enough by the kernel's clock, if its time has come. System calls of
   * a Process and writers of files do so themselves; who lets time pass without either may call it, at any time at which
   * no call is in progress.
   */
  runFlusher(): void {
    if (this.#panic !== null) throw this.#panic;
    settleSwapWriteback(this.phys);
    const { writeback } = this.mounts;
    if (writeback.nextWakeNs !== Number.POSITIVE_INFINITY) flushWhatIsDue(writeback);
  }

  /**
   * Writes everything dirty to storage (sync(2)). After all was tried it throws the first error, also one that a file
   * met which was closed before it could tell anybody.
   */
  sync(): void {
    if (this.#panic !== null) throw this.#panic;
    let first = 0;
    for (const sb of this.mounts.superBlocks()) {
      const untold = sb.takeUntoldError?.() ?? 0;
      const failed = syncFilesystem(sb) || untold;
      if (first === 0) first = failed;
    }
    check("sync", first);
  }

  /**
   * Ends every process, writes everything to storage and closes what file systems hold open on the host. The kernel is
   * of no further use. Throws the first error of writing after all was tried; `using` does the same. After a panic nothing is
   * written.
   */
  shutdown(): void {
    try {
      if (this.#panic === null) {
        for (const process of [...this.processes.values()]) exitProcess(process, SIGKILL);
        this.sync();
      }
    } finally {
      for (const { device } of swapSpace(this.phys).list()) device.close?.();
      for (const sb of this.mounts.superBlocks()) sb.umount?.();
    }
  }

  [Symbol.dispose](): void {
    this.shutdown();
  }

  /** Events of everything that happens, for whoever subscribes. */
  get tracer(): Tracer {
    return this.phys.tracer;
  }

  /** The counters of /proc/vmstat by name. */
  vmstat(): Record<string, number> {
    const { writeback } = this.mounts;
    dirtyLimits(writeback);
    return {
      ...Object.fromEntries(VMSTAT_NAMES.map((name, index) => [name, this.phys.stat[index]])),
      nr_dirty_threshold: writeback.thresh,
      nr_dirty_background_threshold: writeback.bgThresh,
    };
  }

  /**
   * Each address space of a process that lives, once, the newest first (init_mm.mmlist). Who is killed while his is looked
   * at dies when that is over, as swapoff holds on to it in Linux (mmget, mmput).
   */
  *#addressSpaces(): Generator<MmStruct> {
    const mms = new Set<MmStruct>();
    for (const { mm, exitStatus } of this.processes.values()) if (exitStatus === null) mms.add(mm);
    for (const mm of [...mms].reverse()) {
      if (mm.users === 0) continue;
      this.mmu.busyMm = mm;
      try {
        yield mm;
      } finally {
        this.mmu.busyMm = null;
        this.#killDoomed();
      }
    }
  }
}

function findCgroup(from: MemoryCgroup, id: number): MemoryCgroup | undefined {
  if (from.id === id) return from;
  for (const child of from.children.values()) {
    const found = findCgroup(child, id);
    if (found !== undefined) return found;
  }
  return undefined;
}
