/** The settings of a booted kernel that /proc/sys shows, and that a change of reaches every process at once. */
import type { Sysctl } from "../proc/proc-task.ts";
import type { Arch } from "../vma/arch.ts";
import type { MmStruct } from "../vma/mm-struct.ts";

/** vm.max_map_count and vm.mmap_min_addr of a kernel that was not told otherwise. */
const DEFAULT_MAX_MAP_COUNT = 65530;
const DEFAULT_MMAP_MIN_ADDR = 65536;

/** A user's watches may take this part of RAM, so much each (struct epitem and eppoll_entry). */
const EPOLL_SHARE = 25;
const EPOLL_ITEM_BYTES = 184;

/** As many threads as could have their kernel stacks (on riscv64) in this part of RAM, or so many (set_max_threads). */
const THREADS_SHARE = 8;
const THREAD_SIZE = 16384;
const MIN_THREADS = 20;

interface InitialSettings {
  readonly maxMapCount?: number;
  readonly mmapMinAddr?: number;
  readonly lsmMmapMinAddr?: number;
  readonly randomize?: boolean;
}

export class KernelSysctl implements Sysctl {
  /** kernel.randomize_va_space: 0 for the same addresses in every run; 2 for a heap at a random place, too. */
  randomizeVaSpace: number;
  tainted = 0n;
  legacyVaLayout = 0;
  epollMaxUserWatches: number;
  maxThreads: number;
  numaStat = true;
  numaStatFrom = 0;
  mmapRndBits: number;
  /** Whose address spaces keep copies, so that the paths that ask need not look here. */
  readonly #processes: ReadonlyMap<number, { readonly mm: MmStruct }>;
  #maxMapCount: number;
  #mmapMinAddr: number;
  readonly #lsmMmapMinAddr: number;

  constructor(
    initial: InitialSettings,
    arch: Arch,
    processes: ReadonlyMap<number, { readonly mm: MmStruct }>,
    ramBytes: number,
  ) {
    this.epollMaxUserWatches = Math.floor(ramBytes / EPOLL_SHARE / EPOLL_ITEM_BYTES);
    this.maxThreads = Math.max(MIN_THREADS, Math.floor(ramBytes / THREADS_SHARE / THREAD_SIZE));
    this.mmapRndBits = arch.mmapRndBits;
    this.#processes = processes;
    this.#maxMapCount = initial.maxMapCount ?? DEFAULT_MAX_MAP_COUNT;
    this.#mmapMinAddr = initial.mmapMinAddr ?? DEFAULT_MMAP_MIN_ADDR;
    this.#lsmMmapMinAddr = initial.lsmMmapMinAddr ?? 0;
    this.randomizeVaSpace = initial.randomize === true ? 2 : 0;
  }

  get maxMapCount(): number {
    return this.#maxMapCount;
  }

  set maxMapCount(count: number) {
    this.#maxMapCount = count;
    for (const { mm } of this.#processes.values()) mm.maxMapCount = count;
  }

  get mmapMinAddr(): number {
    return this.#mmapMinAddr;
  }

  set mmapMinAddr(addr: number) {
    this.#mmapMinAddr = addr;
    for (const { mm } of this.#processes.values()) this.setMmapMinAddr(mm);
  }

  /** Tells an address space the least addresses (update_mmap_min_addr). */
  setMmapMinAddr(mm: MmStruct): void {
    mm.dacMmapMinAddr = this.#mmapMinAddr;
    mm.mmapMinAddr = Math.max(this.#mmapMinAddr, this.#lsmMmapMinAddr);
  }
}
