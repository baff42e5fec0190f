/**
 * The Kernel: one booted machine's memory, files and processes. The way in for everyone.
 */
import { Prng } from "../../lib/prng.ts";
import { Mmu } from "../fault/mmu.ts";
import { PhysicalMemory } from "../frames/physical-memory.ts";
import { TlbPool } from "../pagetable/tlb.ts";
import { Vmscan } from "../reclaim/vmscan.ts";
import { tmpFs } from "../shmem/tmpfs.ts";
import type { Tracer } from "../trace/events.ts";
import { VMSTAT_NAMES } from "../trace/vmstat.ts";
import { ENOENT } from "../uapi/errno.ts";
import { vfsMkdir } from "../vfs/directory.ts";
import { MountNamespace } from "../vfs/mount.ts";
import { LOOKUP_FOLLOW, pathLookup } from "../vfs/namei.ts";
import type { FileSystem } from "../vfs/super-block.ts";
import { type Arch, RISCV64 } from "../vma/arch.ts";
import { check, checkValue } from "./errors.ts";
import { Process, type SpawnOptions } from "./process.ts";

export interface KernelOptions {
  /** The file system at /. Default: an empty tmpfs. */
  readonly root?: FileSystem;
  /** Allocatable RAM in bytes, up to 4 GiB. Default 256 MiB. */
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
  /** Debug: fill freed frames with a pattern and check it when they are allocated again. */
  readonly poison?: boolean;
  /** Bytes of RAM set aside for a machine's hart, beside `ram`. */
  readonly machineBytes?: number;
}

const DEFAULT_RAM = 256 * 2 ** 20;

export class Kernel {
  readonly phys: PhysicalMemory;
  readonly arch: Arch;
  readonly tlbs: TlbPool;
  readonly mmu: Mmu;
  readonly mounts: MountNamespace;
  readonly random: Prng;
  /** The source for address-space randomisation, undefined when that is off. */
  readonly addressRandom: Prng | undefined;
  readonly now: () => number;
  readonly options: KernelOptions;
  /** Processes by pid, zombies included. */
  readonly processes: Map<number, Process> = new Map();
  #nextPid = 1;

  /** Boots, with one file system at /. */
  constructor(options: KernelOptions = {}) {
    this.options = options;
    this.phys = new PhysicalMemory({
      ramBytes: options.ram ?? DEFAULT_RAM,
      machineBytes: options.machineBytes ?? 0,
      poison: options.poison ?? false,
    });
    this.phys.reclaimer = new Vmscan(this.phys);
    this.arch = options.arch ?? RISCV64;
    this.tlbs = new TlbPool(this.phys.ram);
    this.mmu = new Mmu(this.phys, this.tlbs);
    this.now = options.now ?? (() => 0);
    this.random = new Prng(options.seed ?? 0);
    this.addressRandom = options.randomize === true ? new Prng((options.seed ?? 0) ^ 0x5bd1e995) : undefined;
    this.mounts = new MountNamespace(this.phys, this.now);
    check("mount", this.mounts.mount("/", options.root ?? tmpFs()), "/");
  }

  /** Mounts a file system over the directory `path` (absolute), making the directory if there is none. */
  mount(path: string, fileSystem: FileSystem): void {
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
    check("mount", this.mounts.mount(path, fileSystem), path);
  }

  /** A new process without parent, with an empty address space. */
  spawn(options: SpawnOptions = {}): Process {
    return Process.spawn(this, options);
  }

  /** Writes everything dirty to storage (sync(2)). Throws the first error after all was tried. */
  sync(): void {
    let first = 0;
    for (const sb of this.mounts.superBlocks()) {
      const failed = sb.sync();
      if (first === 0) first = failed;
    }
    check("sync", first);
  }

  /** Events of everything that happens, for whoever subscribes. */
  get tracer(): Tracer {
    return this.phys.tracer;
  }

  /** The counters of /proc/vmstat by name. */
  vmstat(): Record<string, number> {
    return Object.fromEntries(VMSTAT_NAMES.map((name, index) => [name, this.phys.stat[index]]));
  }

  /** The next free process number. */
  allocPid(): number {
    return this.#nextPid++;
  }
}
