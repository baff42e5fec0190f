/**
 * Memory cgroups as a program that sets limits sees them (the files memory.* of cgroup v2): a limit for a group of
 * processes, and what they use of it.
 *
 * Sizes are bytes. A limit is rounded down to whole pages; Infinity is no limit ("max").
 */
import { lruReparent } from "../frames/lru.ts";
import { lruvecListPages } from "../frames/lru-cost.ts";
import { lruGenInit } from "../frames/lru-gen.ts";
import { LRU_UNEVICTABLE, ROOT_MEM_CGROUP } from "../frames/lruvec.ts";
import {
  MEMCG_HIGH,
  MEMCG_LOW,
  MEMCG_MAX,
  MEMCG_OOM,
  MEMCG_OOM_GROUP_KILL,
  MEMCG_OOM_KILL,
  MEMCG_SWAP_FAIL,
  MEMCG_SWAP_MAX,
} from "../frames/mem-cgroup.ts";
import {
  PG_ANON,
  PG_DIRTY,
  PG_SWAPBACKED,
  PG_SWAPCACHE,
  PG_TABLE,
  PG_WRITEBACK,
} from "../frames/page-flags.ts";
import { PAGE_SIZE } from "../page.ts";
import { SwapSpace } from "../swap/swap-space.ts";
import { VMSTAT_NAMES } from "../trace/vmstat.ts";
import { EBUSY, EEXIST, EINVAL, ENOENT, ENOSPC } from "../uapi/errno.ts";
import { LinuxError } from "./errors.ts";
import type { Kernel } from "./kernel.ts";
import type { Process } from "./process.ts";

/** Counters of memory.stat that faults and reclaim count, in its order. */
const EVENT_ITEMS = VMSTAT_NAMES.filter((name) =>
  /^(workingset_(refault|activate|restore)|pgscan_(kswapd|direct)|pgsteal_(kswapd|direct)|pgfault|pgmajfault|pgrefill|pgactivate|pgdeactivate|pglazyfree|pglazyfreed|pswpin|pswpout)/.test(
    name,
  ),
);
/** Rounds of reclaim that a limit that is lowered below the usage waits for. */
const MAX_RECLAIM_RETRIES = 16;

export class MemoryCgroup {
  /** "/" for the root, else "/name/…". */
  readonly path: string;
  readonly parent: MemoryCgroup | null;
  /** Number in the `memcg` column of frames. */
  readonly id: number;
  readonly children: Map<string, MemoryCgroup> = new Map();
  readonly #kernel: Kernel;
  /** Removed: the number may be another group's by now. */
  #isGone = false;

  constructor(kernel: Kernel, path: string, parent: MemoryCgroup | null, id: number) {
    this.#kernel = kernel;
    this.path = path;
    this.parent = parent;
    this.id = id;
  }

  /** mkdir: a group in this one. EEXIST; ENOSPC when there are 511; ENOENT once this one is removed. */
  create(name: string): MemoryCgroup {
    if (this.#isGone) throw new LinuxError("mkdir", ENOENT, this.path);
    if (name === "" || name.includes("/")) throw new LinuxError("mkdir", EINVAL, name);
    if (this.children.has(name)) throw new LinuxError("mkdir", EEXIST, name);
    const { phys } = this.#kernel;
    const id = phys.memcg.create(this.id);
    if (id === 0) throw new LinuxError("mkdir", ENOSPC, name);
    if (phys.lruvecs.genEnabled) lruGenInit(phys, id);
    const path = this.parent === null ? `/${name}` : `${this.path}/${name}`;
    const child = new MemoryCgroup(this.#kernel, path, this, id);
    this.children.set(name, child);
    return child;
  }

  /**
   * rmdir: the group goes; what its processes left behind belongs to the group above. EBUSY while it has groups or
   * processes in it.
   */
  remove(): void {
    const { parent } = this;
    if (parent === null || this.children.size > 0 || this.processes.length > 0) {
      throw new LinuxError("rmdir", EBUSY, this.path);
    }
    const { phys } = this.#kernel;
    const swap = phys.swap instanceof SwapSpace ? phys.swap : undefined;
    if (this.#isGone) throw new LinuxError("rmdir", ENOENT, this.path);
    this.#isGone = true;
    parent.children.delete(this.#name);
    lruReparent(phys, this.id);
    for (const area of swap?.areas ?? []) {
      const owners = area?.memcg;
      if (owners === undefined) continue;
      for (let slot = 0; slot < owners.length; slot++) if (owners[slot] === this.id) owners[slot] = parent.id;
    }
    phys.memcg.remove(this.id);
  }

  /**
   * Puts a process into the group, with what it allocates from now on; its memory so far stays where it is. ENOENT once the
   * group is removed.
   */
  add(process: Process): void {
    if (this.#isGone) throw new LinuxError("write", ENOENT, this.path);
    process.memcg = this.id;
    process.mm.memcg = this.id;
    const { phys } = this.#kernel;
    if (phys.current === process) phys.setCurrent(process);
  }

  /** The processes in this group itself. */
  get processes(): Process[] {
    return [...this.#kernel.processes.values()].filter(
      (process) => process.exitStatus === null && process.memcg === this.id,
    );
  }

  /** memory.current and memory.peak. */
  get current(): number {
    const { phys } = this.#kernel;
    return (this.id === ROOT_MEM_CGROUP ? phys.usedFrames : phys.memcg.usage[this.id]) * PAGE_SIZE;
  }

  get peak(): number {
    return this.#kernel.phys.memcg.peak[this.id] * PAGE_SIZE;
  }

  /** memory.max. Below what is used it reclaims, and kills when that is not enough. */
  get max(): number {
    return this.#kernel.phys.memcg.max[this.id] * PAGE_SIZE;
  }

  set max(bytes: number) {
    this.#checkLimit("memory.max", bytes);
    const { phys } = this.#kernel;
    const { memcg, reclaimer } = phys;
    memcg.max[this.id] = Math.floor(bytes / PAGE_SIZE);
    phys.clearCurrent();
    for (let retries = MAX_RECLAIM_RETRIES; reclaimer !== undefined; ) {
      const excess = memcg.usage[this.id] - memcg.max[this.id];
      if (excess <= 0) return;
      if (reclaimer.tryToFreeMemCgroupPages(this.id, excess) > 0 || retries-- > 0) continue;
      memcg.noteEvent(this.id, MEMCG_OOM);
      if (!reclaimer.outOfMemory(this.id)) return;
    }
  }

  /** memory.high: above it whoever allocates has to reclaim. */
  get high(): number {
    return this.#kernel.phys.memcg.high[this.id] * PAGE_SIZE;
  }

  set high(bytes: number) {
    this.#checkLimit("memory.high", bytes);
    const { memcg, reclaimer } = this.#kernel.phys;
    memcg.high[this.id] = Math.floor(bytes / PAGE_SIZE);
    const excess = memcg.usage[this.id] - memcg.high[this.id];
    if (excess > 0) reclaimer?.tryToFreeMemCgroupPages(this.id, excess);
  }

  /** memory.min: what of the group reclaim leaves alone, though somebody has to be killed for it. */
  get min(): number {
    return this.#kernel.phys.memcg.min[this.id] * PAGE_SIZE;
  }

  set min(bytes: number) {
    this.#checkLimit("memory.min", bytes);
    this.#kernel.phys.memcg.min[this.id] = Math.floor(bytes / PAGE_SIZE);
  }

  /** memory.low: what of the group reclaim leaves alone, as long as it finds something elsewhere. */
  get low(): number {
    return this.#kernel.phys.memcg.low[this.id] * PAGE_SIZE;
  }

  set low(bytes: number) {
    this.#checkLimit("memory.low", bytes);
    this.#kernel.phys.memcg.low[this.id] = Math.floor(bytes / PAGE_SIZE);
  }

  /** memory.swap.max, memory.swap.current, memory.swap.peak. */
  get swapMax(): number {
    return this.#kernel.phys.memcg.swapMax[this.id] * PAGE_SIZE;
  }

  set swapMax(bytes: number) {
    this.#checkLimit("memory.swap.max", bytes);
    this.#kernel.phys.memcg.swapMax[this.id] = Math.floor(bytes / PAGE_SIZE);
  }

  get swapCurrent(): number {
    return this.#kernel.phys.memcg.swapUsage[this.id] * PAGE_SIZE;
  }

  get swapPeak(): number {
    return this.#kernel.phys.memcg.swapPeak[this.id] * PAGE_SIZE;
  }

  /**
   * memory.oom.group: whom the OOM killer takes of this group or those in it, takes all of them along, but for those that
   * oom_score_adj exempts. The root has no such file: setting it there is EINVAL.
   */
  get oomGroup(): boolean {
    return this.#kernel.phys.memcg.oomGroup[this.id] !== 0;
  }

  set oomGroup(isWhole: boolean) {
    if (this.parent === null) throw new LinuxError("write", EINVAL, "memory.oom.group");
    this.#kernel.phys.memcg.oomGroup[this.id] = isWhole ? 1 : 0;
  }

  /** memory.reclaim: frees up to so many bytes; answers how many. */
  reclaim(bytes: number): number {
    const pages = Math.ceil(bytes / PAGE_SIZE);
    let freed = 0;
    while (freed < pages) {
      const more = this.#kernel.vmscan.reclaimProactively(this.id, pages - freed);
      if (more === 0) break;
      freed += more;
    }
    return freed * PAGE_SIZE;
  }

  /** memory.events: how often a limit was met, of this group and those in it. */
  events(): Record<string, number> {
    const of = (event: number): number => this.#kernel.phys.memcg.events(this.id, event);
    return {
      low: of(MEMCG_LOW),
      high: of(MEMCG_HIGH),
      max: of(MEMCG_MAX),
      oom: of(MEMCG_OOM),
      oom_kill: of(MEMCG_OOM_KILL),
      oom_group_kill: of(MEMCG_OOM_GROUP_KILL),
    };
  }

  /** memory.swap.events. */
  swapEvents(): Record<string, number> {
    const of = (event: number): number => this.#kernel.phys.memcg.events(this.id, event);
    return { high: 0, max: of(MEMCG_SWAP_MAX), fail: of(MEMCG_SWAP_FAIL) };
  }

  /** memory.stat: bytes by kind, then counts of events; of this group and those in it. */
  stat(): Record<string, number> {
    const { phys } = this.#kernel;
    const groups = new Set(phys.memcg.subtree(this.id));
    const pages = this.#countFrames(groups);
    for (let list = LRU_UNEVICTABLE; list >= 0; list--) {
      const name = ["inactive_anon", "active_anon", "inactive_file", "active_file", "unevictable"][list];
      pages[name] = 0;
      for (const group of groups) pages[name] += lruvecListPages(phys, group, list);
    }
    const result: Record<string, number> = {};
    for (const name of STAT_ITEMS) result[name] = (pages[name] ?? 0) * PAGE_SIZE;
    for (const name of EVENT_ITEMS) {
      const item = VMSTAT_NAMES.indexOf(name);
      result[name] = this.id === ROOT_MEM_CGROUP ? phys.stat[item] : phys.memcg.eventsOf(this.id, item);
    }
    return result;
  }

  /** What the frames of some groups are used for, counted anew: nobody has to keep it. */
  #countFrames(groups: ReadonlySet<number>): Record<string, number> {
    const { frames, ram, owners } = this.#kernel.phys;
    const { flags, memcg, mapCount, mapping, refCount } = frames;
    const pages: Record<string, number> = Object.fromEntries(STAT_ITEMS.map((name) => [name, 0]));
    for (let pfn: number = ram.firstPfn; pfn < ram.endPfn; pfn++) {
      if (refCount[pfn] === 0 || !groups.has(memcg[pfn])) continue;
      const now = flags[pfn];
      if ((now & PG_TABLE) !== 0) {
        pages.pagetables++;
        pages.kernel++;
      }
      if ((now & PG_SWAPCACHE) !== 0) pages.swapcached++;
      if ((now & PG_WRITEBACK) !== 0) pages.file_writeback++;
      if ((now & PG_ANON) !== 0) {
        if (mapCount[pfn] > 0) pages.anon++;
        continue;
      }
      if (mapping[pfn] === 0 || owners.get(mapping[pfn])?.ownerKind !== "file") continue;
      pages.file++;
      if ((now & PG_SWAPBACKED) !== 0) pages.shmem++;
      if (mapCount[pfn] > 0) pages.file_mapped++;
      if ((now & PG_SWAPBACKED) === 0 && (now & PG_DIRTY) !== 0) pages.file_dirty++;
    }
    return pages;
  }

  #checkLimit(file: string, bytes: number): void {
    if (this.parent === null || !(bytes >= 0)) throw new LinuxError("write", EINVAL, file);
  }

  get #name(): string {
    return this.path.slice(this.path.lastIndexOf("/") + 1);
  }
}

/** Items of memory.stat that are sizes, in its order. */
const STAT_ITEMS: readonly string[] = [
  "anon",
  "file",
  "kernel",
  "kernel_stack",
  "pagetables",
  "sec_pagetables",
  "percpu",
  "sock",
  "vmalloc",
  "shmem",
  "file_mapped",
  "file_dirty",
  "file_writeback",
  "swapcached",
  "inactive_anon",
  "active_anon",
  "inactive_file",
  "active_file",
  "unevictable",
];
