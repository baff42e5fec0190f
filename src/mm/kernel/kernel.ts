/**
 * The Kernel: one booted machine's memory, files and processes. The way in for everyone.
 */
import { Prng } from "../../lib/prng.ts";
import { Mmu, SIGKILL } from "../fault/mmu.ts";
import { PhysicalMemory } from "../frames/physical-memory.ts";
import { ShmNamespace } from "../ipc/shm-namespace.ts";
import { TlbPool } from "../pagetable/tlb.ts";
import type { ProcHost, SystemActivity } from "../proc/proc-task.ts";
import { Vmscan } from "../reclaim/vmscan.ts";
import { tmpFs } from "../shmem/tmpfs.ts";
import type { Tracer } from "../trace/events.ts";
import { VMSTAT_NAMES } from "../trace/vmstat.ts";
import { ENOENT } from "../uapi/errno.ts";
import { vfsMkdir } from "../vfs/directory.ts";
import { MountNamespace, type MountOptions } from "../vfs/mount.ts";
import { LOOKUP_FOLLOW, pathLookup } from "../vfs/namei.ts";
import type { FileSystem } from "../vfs/super-block.ts";
import { type Arch, RISCV64 } from "../vma/arch.ts";
import { check, checkValue } from "./errors.ts";
import { KernelSysctl } from "./kernel-sysctl.ts";
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
  /** Most mappings of one process (vm.max_map_count). Default 65530. */
  readonly maxMapCount?: number;
  /** Least address that may be mapped (vm.mmap_min_addr). Default 65536. */
  readonly mmapMinAddr?: number;
  /** Size of transparent huge pages as far as it shows in addresses; 0 (default) for a kernel built without. */
  readonly thpSize?: number;
  /** vm.overcommit_memory: 0 (default) refuses only more than all RAM at once, 1 nothing, 2 what exceeds the limit. */
  readonly overcommitMemory?: 0 | 1 | 2;
  /** vm.overcommit_ratio: the limit of mode 2 in percent of RAM. Default 50. */
  readonly overcommitRatio?: number;
  /** vm.overcommit_kbytes: the limit of mode 2, where not 0. Default 0. */
  readonly overcommitKbytes?: number;
  /** Debug: fill freed frames with a pattern and check it when they are allocated again. */
  readonly poison?: boolean;
  /** Bytes of RAM set aside for a machine's hart, beside `ram`. */
  readonly machineBytes?: number;
}

const DEFAULT_RAM = 256 * 2 ** 20;
/** Room for a few page tables and pages at least; and what one WebAssembly memory can hold. */
const MIN_RAM = 65536;
const MAX_RAM = 2 ** 32;

export class Kernel implements ProcHost {
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
  /** Filled in by whoever runs programs. */
  activity: SystemActivity | null = null;
  readonly options: KernelOptions;
  /** Processes by pid, zombies included. */
  readonly processes: Map<number, Process> = new Map();
  /** What /proc/sys shows and changes. */
  readonly sysctl: KernelSysctl;
  /** The segments of System V shared memory. */
  readonly ipc: ShmNamespace;
  /** Whose call is being served (current); 0 before the first. */
  currentPid = 0;
  #nextPid = 1;

  /** Boots, with one file system at /. */
  constructor(options: KernelOptions = {}) {
    const ram = options.ram ?? DEFAULT_RAM;
    if (!(ram >= MIN_RAM && ram <= MAX_RAM)) {
      throw new RangeError(`RAM is ${MIN_RAM} to ${MAX_RAM} bytes, not ${ram}`);
    }
    this.options = options;
    this.arch = options.arch ?? RISCV64;
    this.sysctl = new KernelSysctl(options, this.arch, this.processes);
    this.phys = new PhysicalMemory({
      ramBytes: ram,
      machineBytes: options.machineBytes ?? 0,
      poison: options.poison ?? false,
    });
    const { commit } = this.phys;
    commit.mode = options.overcommitMemory ?? commit.mode;
    commit.ratio = options.overcommitRatio ?? commit.ratio;
    commit.kbytes = options.overcommitKbytes ?? commit.kbytes;
    this.phys.reclaimer = new Vmscan(this.phys);
    this.tlbs = new TlbPool(this.phys.ram);
    this.mmu = new Mmu(this.phys, this.tlbs);
    this.now = options.now ?? (() => 0);
    this.bootNs = this.now();
    this.random = new Prng(options.seed ?? 0);
    this.addressRandom = new Prng((options.seed ?? 0) ^ 0x5bd1e995);
    this.mounts = new MountNamespace(this.phys, this.now);
    this.ipc = new ShmNamespace(this);
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

  /** A new process without parent, with an empty address space. */
  spawn(options: SpawnOptions = {}): Process {
    return Process.spawn(this, options);
  }

  /**
   * Writes everything dirty to storage (sync(2)). After all was tried it throws the first error, also one that a file
   * met which was closed before it could tell anybody.
   */
  sync(): void {
    let first = 0;
    for (const sb of this.mounts.superBlocks()) {
      const untold = sb.takeUntoldError?.() ?? 0;
      const failed = sb.sync() || untold;
      if (first === 0) first = failed;
    }
    check("sync", first);
  }

  /**
   * Ends every process, writes everything to storage and closes what file systems hold open on the host. The kernel is
   * of no further use. Throws the first error of writing after all was tried; `using` does the same.
   */
  shutdown(): void {
    for (const process of [...this.processes.values()]) exitProcess(process, SIGKILL);
    try {
      this.sync();
    } finally {
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
    return Object.fromEntries(VMSTAT_NAMES.map((name, index) => [name, this.phys.stat[index]]));
  }

  get lastPid(): number {
    return this.#nextPid - 1;
  }

  /** The next free process number. */
  allocPid(): number {
    while (this.processes.has(this.#nextPid)) this.#nextPid++;
    return this.#nextPid++;
  }
}
