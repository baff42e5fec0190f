/**
 * All swap areas together: which one the next slot comes from, and how often each slot is named (mm/swapfile.c).
 *
 * Areas of higher priority are filled first; those of equal priority take turns, a cluster each. A slot is named by the
 * PTEs and shmem files whose page it holds: fork adds one (swapDuplicate), reading the page back takes one away
 * (swapFree). Beside them the swap cache may need the slot (swap-cache.ts); when nobody does, it is free again.
 *
 * Owner: the kernel, one for each physical memory. Invariants: `nrSwapPages` is the sum of the free slots and
 * `totalSwapPages` of the usable slots of the areas that are written to.
 */
import { BugError } from "../bug.ts";
import type { PhysicalMemory, SwapTotals } from "../frames/physical-memory.ts";
import { PAGE_SIZE, type Pfn } from "../page.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import type { IoTime } from "./io-time.ts";
import type { SwapDevice, SwapTiming } from "./swap-device.ts";
import { MAX_SWAPFILES, type SwpEntry, swpEntry, swpOffset, swpType } from "./swap-entry.ts";
import { SwapInfo } from "./swap-info.ts";

/** What swapon knows of a new area. */
export interface NewSwapArea {
  readonly device: SwapDevice;
  readonly name: string;
  /** 0 … 32767, or −1 for the next negative one. */
  readonly priority: number;
  /** Slots, the header included; and those among them that can't be used. */
  readonly maxPages: number;
  readonly badSlots: readonly number[];
  readonly discardsPages: boolean;
  /** Instead of the device's own; null: it answers at once. */
  readonly timing?: SwapTiming | null | undefined;
}

export class SwapSpace implements SwapTotals {
  totalSwapPages = 0;
  nrSwapPages = 0;
  /** By type; undefined where an area was taken away. */
  readonly areas: (SwapInfo | undefined)[] = [];
  /** Every address space there is, for swapoff. Whoever has the processes fills it in. */
  mms: () => Iterable<MmStruct> = () => [];
  /** Areas whose devices seek: while there is one, readahead follows the device (nr_rotate_swap). */
  nrRotational = 0;
  /** vm.page-cluster: log2 of the most pages that readahead reads at once. */
  pageCluster: number;
  /** State of readahead along the device (swapin_nr_pages): hits since the last window, the last offset and window. */
  raHits = 4;
  raPrevOffset = 0;
  raLastPages = 0;
  /** Pages that devices have still to write (swap-writeback.ts). */
  nrWriteback = 0;
  /** Who writes or reads many pages in a row, one within the other (blk_start_plug): devices get them when the outermost ends. */
  plugs = 0;
  /** Time, as devices see it. */
  readonly time: IoTime;
  /** The memory whose pages lie in the areas. */
  readonly phys: PhysicalMemory;
  /** Areas that are written to, in the order in which they are asked (swap_avail_head). */
  #order: SwapInfo[] = [];
  /** Priority that the next area without a wish gets, plus one. */
  #leastPriority = -1;
  /** The area that gave out the last slot, and where its cluster goes on; 0 for nowhere (percpu_swap_cluster). */
  #current: SwapInfo | null = null;
  #currentSlot = 0;
  readonly #reclaimSlot: (type: number, slot: number) => boolean;
  /** For reclaimIn: made once an area, so that taking a slot allocates nothing. */
  readonly #reclaimers: ((slot: number) => boolean)[] = [];

  /** @param reclaimSlot frees a slot that only the cache needs; answers whether it did (swap-cache.ts) */
  constructor(phys: PhysicalMemory, time: IoTime, reclaimSlot: (type: number, slot: number) => boolean) {
    this.phys = phys;
    this.time = time;
    // Less on small machines (swap_setup).
    this.pageCluster = phys.totalFrames * PAGE_SIZE < 16 * 2 ** 20 ? 2 : 3;
    this.#reclaimSlot = reclaimSlot;
  }

  /** Whether slots that only the cache needs are better used for other pages (vm_swap_full). */
  get isFull(): boolean {
    return this.nrSwapPages * 2 < this.totalSwapPages;
  }

  /** As isFull, or the page's cgroup uses half of the swap that it may use (mem_cgroup_swap_full). */
  isFullFor(pfn: Pfn): boolean {
    if (this.isFull) return true;
    const { frames, memcg, lruvecs } = this.phys;
    for (let group: number = frames.memcg[pfn]; group > 0; group = lruvecs.parent[group]) {
      if (memcg.swapUsage[group] * 2 >= memcg.swapMax[group]) return true;
    }
    return false;
  }

  /** The area of an entry. */
  infoOf(entry: SwpEntry): SwapInfo {
    const info = this.areas[swpType(entry)];
    if (info === undefined) throw new BugError("swapInfoOf", `entry ${entry} is of no swap area`);
    return info;
  }

  /** Areas in the order of /proc/swaps: by type. */
  list(): SwapInfo[] {
    return this.areas.filter((area) => area !== undefined);
  }

  /** Whether one more area would be too many. */
  get isAtLimit(): boolean {
    return this.list().length >= MAX_SWAPFILES;
  }

  /** A new area, ready for use (enable_swap_info). */
  add(area: NewSwapArea): SwapInfo {
    let type = this.areas.indexOf(undefined);
    if (type < 0) type = this.areas.length;
    const prio = area.priority >= 0 ? area.priority : --this.#leastPriority;
    const info = new SwapInfo(
      type,
      area.device,
      area.name,
      prio,
      area.maxPages,
      area.badSlots,
      area.discardsPages,
      timingOf(area),
    );
    this.areas[type] = info;
    this.#reclaimers[type] = (slot) => this.#reclaimSlot(type, slot);
    if (area.device.isRotational === true) this.nrRotational++;
    this.#enlist(info);
    return info;
  }

  /** Gives out no more slots of the area: the begin of swapoff. */
  stop(info: SwapInfo): void {
    if (info.prio < 0) {
      for (const other of this.list()) if (other.prio < info.prio) other.prio++;
      this.#leastPriority++;
    }
    info.isWriteOk = false;
    this.#order = this.#order.filter((other) => other !== info);
    this.totalSwapPages -= info.pages;
    this.phys.commit.swapPages = this.totalSwapPages;
    this.nrSwapPages -= info.pages - info.inuse;
    if (this.#current === info) this.#current = null;
  }

  /** Takes the area back into use: a swapoff that failed (reinsert_swap_info). */
  restart(info: SwapInfo): void {
    info.isWriteOk = true;
    this.#enlist(info);
  }

  /** Forgets an area that is stopped and empty: the end of swapoff. */
  remove(info: SwapInfo): void {
    if (info.isWriteOk || info.inuse !== 0) {
      throw new BugError("removeSwap", `${info.name} has ${info.inuse} slots in use`);
    }
    if (info.device.isRotational === true) this.nrRotational--;
    this.areas[info.type] = undefined;
  }

  /**
   * A free slot, which from now on the swap cache needs for frame `pfn`, charged to its cgroup; 0 when all are used, or
   * the cgroup may have no more (folio_alloc_swap). No count is taken.
   */
  allocEntry(pfn: Pfn): SwpEntry {
    const entry = this.#allocAny(pfn);
    const { frames, memcg } = this.phys;
    const group = frames.memcg[pfn];
    if (entry === 0 || group === 0) return entry;
    const info = this.infoOf(entry);
    const slot = swpOffset(entry);
    if (memcg.tryChargeSwap(group)) {
      info.memcg[slot] = group;
      return entry;
    }
    info.cache[slot] = 0;
    this.#freeSlot(info, slot);
    return 0;
  }

  #allocAny(pfn: Pfn): SwpEntry {
    if (this.nrSwapPages <= 0) return this.isFull ? this.#allocSlow(pfn) : 0;
    const current = this.#current;
    if (current !== null && this.#currentSlot !== 0 && current.isUsable(this.#currentSlot)) {
      const slot = current.allocInCluster(this.#currentSlot, pfn, this.#reclaimIn(current));
      this.#currentSlot = current.nextSlot;
      if (slot !== 0) return this.#taken(current, slot);
    }
    return this.#allocSlow(pfn);
  }

  /** Takes one more name for a slot that is used (swap_duplicate). */
  duplicate(entry: SwpEntry): void {
    const info = this.infoOf(entry);
    const slot = swpOffset(entry);
    if (!info.isUsed(slot)) throw new BugError("swapDuplicate", `slot ${slot} of ${info.name} is free`);
    info.map[slot]++;
  }

  /** Names of a slot; 0 when only the cache needs it, or nobody. */
  count(entry: SwpEntry): number {
    return this.infoOf(entry).map[swpOffset(entry)];
  }

  /** Takes one name away; the slot is free once neither name nor cache is left (swap_free). Answers the names left. */
  free(entry: SwpEntry): number {
    const info = this.infoOf(entry);
    const slot = swpOffset(entry);
    if (info.map[slot] <= 0) throw new BugError("swapFree", `slot ${slot} of ${info.name} has no name`);
    const left = --info.map[slot];
    if (left === 0 && info.cache[slot] === 0) this.#freeSlot(info, slot);
    return left;
  }

  /** The cache does not need the slot any more; `shadow` stays in its place as long as the slot has names. */
  uncache(entry: SwpEntry, shadow: number): void {
    const info = this.infoOf(entry);
    const slot = swpOffset(entry);
    info.cache[slot] = 0;
    if (info.map[slot] === 0) this.#freeSlot(info, slot);
    else info.shadow[slot] = shadow;
  }

  /** What is wrong with areas and sums: for the validator. */
  findings(): string[] {
    const found = this.list().flatMap((info) => info.findings());
    let total = 0;
    let free = 0;
    for (const info of this.list()) {
      if (!info.isWriteOk) continue;
      total += info.pages;
      free += info.pages - info.inuse;
    }
    if (total !== this.totalSwapPages)
      found.push(`${this.totalSwapPages} slots of swap in all, ${total} found`);
    if (free !== this.nrSwapPages) found.push(`${this.nrSwapPages} slots of swap are free, ${free} found`);
    return found;
  }

  #enlist(info: SwapInfo): void {
    // Behind those of equal priority.
    const at = this.#order.findIndex((other) => other.prio < info.prio);
    this.#order.splice(at < 0 ? this.#order.length : at, 0, info);
    this.totalSwapPages += info.pages;
    this.phys.commit.swapPages = this.totalSwapPages;
    this.nrSwapPages += info.pages - info.inuse;
  }

  #reclaimIn(info: SwapInfo): ((slot: number) => boolean) | null {
    return this.isFull ? this.#reclaimers[info.type] : null;
  }

  /** A slot of a new cluster, of the area whose turn it is (swap_alloc_slow). */
  #allocSlow(pfn: Pfn): SwpEntry {
    for (const info of [...this.#order]) {
      this.#requeue(info);
      const slot = this.#allocIn(info, pfn);
      if (slot === 0) continue;
      if (info.device.isRotational === true) {
        // Where seeks cost, an area goes on in its own cluster, and those of one priority take turns slot by slot.
        info.globalNext = info.nextSlot;
      } else {
        this.#current = info;
        this.#currentSlot = info.nextSlot;
      }
      return this.#taken(info, slot);
    }
    return 0;
  }

  /** cluster_alloc_swap_entry */
  #allocIn(info: SwapInfo, pfn: Pfn): number {
    const reclaim = this.#reclaimIn(info);
    const next = info.globalNext;
    if (next !== 0 && info.isUsable(next)) {
      const slot = info.allocInCluster(next, pfn, reclaim);
      if (slot !== 0) return slot;
    }
    return info.allocInNewCluster(pfn, reclaim);
  }

  /** Moves an area behind those of its priority. */
  #requeue(info: SwapInfo): void {
    const order = this.#order;
    const at = order.indexOf(info);
    let to = at;
    while (to + 1 < order.length && order[to + 1].prio === info.prio) {
      order[to] = order[to + 1];
      to++;
    }
    order[to] = info;
  }

  #taken(info: SwapInfo, slot: number): SwpEntry {
    this.nrSwapPages--;
    return swpEntry(info.type, slot);
  }

  #freeSlot(info: SwapInfo, slot: number): void {
    const group = info.memcg[slot];
    if (group !== 0) {
      this.phys.memcg.unchargeSwap(group);
      info.memcg[slot] = 0;
    }
    info.freeSlot(slot);
    if (info.isWriteOk) this.nrSwapPages++;
  }
}

/** What is as fast as memory has no queue. */
function timingOf({ device, timing }: NewSwapArea): SwapTiming | undefined {
  if (device.isSynchronous === true || timing === null) return undefined;
  return timing ?? device.timing;
}

/** The swap areas of a memory, null before the first (no PTE can name one then). */
export function swapOf(phys: PhysicalMemory): SwapSpace | null {
  return phys.swap instanceof SwapSpace ? phys.swap : null;
}

/** As swapOf, where an entry proves that there is one. */
export function swapSpace(phys: PhysicalMemory): SwapSpace {
  if (phys.swap instanceof SwapSpace) return phys.swap;
  throw new BugError("swapSpace", "a swap entry without swap");
}
