/**
 * swap_info_struct: one swap area: which of its slots are used, how often, and which one is given out next
 * (mm/swapfile.c).
 *
 * Slots are given out one after the other in clusters of SWAPFILE_CLUSTER, so that what left memory together lies
 * together. A cluster stands on one of four lists:
 *
 * ```
 *   free ──first slot taken──▶ frag ──last one taken──▶ full
 *     ▲                          │ a slot comes free      │
 *     └──all slots are free── nonfull ◀───────────────────┘
 * ```
 *
 * `frag` holds the cluster that is being filled, too. A new one comes from `nonfull`, then from `free`, then, when nearly
 * all is used, from slots that only the swap cache still needs.
 *
 * Owner: SwapSpace. Invariants: a slot is used iff its count is not 0 or a frame is cached for it; `inuse` counts these
 * slots; a cluster counts its used and its bad slots.
 */
import { BugError } from "../bug.ts";
import type { Pfn } from "../page.ts";
import { DeviceQueue } from "./device-queue.ts";
import type { SwapDevice, SwapTiming } from "./swap-device.ts";

/** Slots of a cluster, in a kernel without huge pages in swap. */
export const SWAPFILE_CLUSTER = 256;
/** Count of a slot that can't be used (SWAP_MAP_BAD). */
export const SWAP_MAP_BAD = -1;

const FREE = 0;
const NONFULL = 1;
const FRAG = 2;
const FULL = 3;
const OFF_LIST = 4;
const LISTS = 4;

export class SwapInfo {
  readonly type: number;
  readonly device: SwapDevice;
  /** What its device has still to write; null for one that answers at once. */
  readonly queue: DeviceQueue | null;
  /** What /proc/swaps calls it: a path. */
  readonly name: string;
  /** Higher ones are used first; negative ones were chosen by swapon. */
  prio: number;
  /** Slots, the header included. */
  readonly max: number;
  /** After allocInCluster: the slot to look at next in the same cluster, 0 for none. */
  nextSlot = 0;
  /** Of a device that seeks: where the next slot is looked for first (global_cluster). */
  globalNext = 0;
  /** Usable slots, and those in use. */
  readonly pages: number;
  inuse = 0;
  /** New slots are given out (SWP_WRITEOK): not while swapoff empties the area. */
  isWriteOk = true;
  /** Freed clusters are discarded (SWP_PAGE_DISCARD). */
  readonly discardsPages: boolean;
  /** Places that name each slot, the swap cache not counted (swap_map); SWAP_MAP_BAD. */
  readonly map: Int32Array;
  /** The frame that the swap cache has for each slot, 0 for none (the swap table). */
  readonly cache: Int32Array;
  /** What working-set detection left there when the frame went (workingset.ts), 0 for nothing. */
  readonly shadow: Int32Array;
  /** The memory cgroup that each used slot is charged to (swap_cgroup). */
  readonly memcg: Uint16Array;
  /** Slots whose page is all zero, and was not written (zeromap). */
  readonly zeromap: Uint8Array;
  /** Used and bad slots of each cluster, and its list. */
  readonly #counts: Int32Array;
  readonly #flags: Uint8Array;
  /** Links of the lists; heads stand behind the clusters. */
  readonly #next: Int32Array;
  readonly #prev: Int32Array;
  readonly #clusters: number;

  constructor(
    type: number,
    device: SwapDevice,
    name: string,
    prio: number,
    max: number,
    badSlots: readonly number[],
    discardsPages: boolean,
    timing?: SwapTiming,
  ) {
    this.type = type;
    this.device = device;
    this.queue = timing === undefined ? null : new DeviceQueue(timing);
    this.name = name;
    this.prio = prio;
    this.max = max;
    this.discardsPages = discardsPages;
    this.map = new Int32Array(max);
    this.cache = new Int32Array(max);
    this.shadow = new Int32Array(max);
    this.memcg = new Uint16Array(max);
    this.zeromap = new Uint8Array(max);
    const clusters = Math.ceil(max / SWAPFILE_CLUSTER);
    this.#clusters = clusters;
    this.#counts = new Int32Array(clusters);
    this.#flags = new Uint8Array(clusters).fill(OFF_LIST);
    this.#next = new Int32Array(clusters + LISTS);
    this.#prev = new Int32Array(clusters + LISTS);
    for (let head = clusters; head < clusters + LISTS; head++) this.#next[head] = this.#prev[head] = head;
    // What lies past the end of the last cluster is as bad as a bad slot, and so is the header.
    this.#counts[clusters - 1] = clusters * SWAPFILE_CLUSTER - max;
    this.#markBad(0);
    for (const slot of badSlots) if (slot < max) this.#markBad(slot);
    let bad = 0;
    for (let slot = 0; slot < max; slot++) if (this.map[slot] === SWAP_MAP_BAD) bad++;
    this.pages = max - bad;
    for (let cluster = 0; cluster < clusters; cluster++) {
      const count = this.#counts[cluster];
      this.#move(cluster, count === 0 ? FREE : count < SWAPFILE_CLUSTER ? NONFULL : FULL);
    }
  }

  /** Whether anything needs the slot, be it only the cache. */
  isUsed(slot: number): boolean {
    return this.map[slot] !== 0 || this.cache[slot] !== 0;
  }

  /**
   * Takes a free slot for frame `pfn`, which enters the cache there, at `from` or later in the same cluster; 0 when there
   * is none. `reclaim` tries to free a slot that only the cache needs, where that is allowed now. Afterwards `nextSlot`
   * is where to look on, 0 at the end of the cluster (alloc_swap_scan_cluster).
   */
  allocInCluster(from: number, pfn: Pfn, reclaim: ((slot: number) => boolean) | null): number {
    const cluster = Math.floor(from / SWAPFILE_CLUSTER);
    const end = Math.min((cluster + 1) * SWAPFILE_CLUSTER, this.max);
    this.nextSlot = 0;
    let found = 0;
    if (this.#counts[cluster] < SWAPFILE_CLUSTER || reclaim !== null) {
      for (let slot = from; slot < end; slot++) {
        if (this.map[slot] !== 0) continue;
        if (this.cache[slot] !== 0 && (reclaim === null || !reclaim(slot))) continue;
        found = slot;
        break;
      }
    }
    if (found !== 0) {
      this.cache[found] = pfn;
      this.#counts[cluster]++;
      this.inuse++;
      if (this.#counts[cluster] < SWAPFILE_CLUSTER && found + 1 < end) this.nextSlot = found + 1;
    }
    this.#relocate(cluster);
    return found;
  }

  /** Whether slots can be given out of the cluster that `slot` lies in (cluster_is_usable). */
  isUsable(slot: number): boolean {
    return this.#flags[Math.floor(slot / SWAPFILE_CLUSTER)] !== FULL;
  }

  /** As allocInCluster, in whichever cluster comes next (cluster_alloc_swap_entry). 0: the area is full. */
  allocInNewCluster(pfn: Pfn, reclaim: ((slot: number) => boolean) | null): number {
    return (
      (this.discardsPages ? this.#allocFromList(FREE, pfn, reclaim) : 0) ||
      this.#allocFromList(NONFULL, pfn, reclaim) ||
      this.#allocFromList(FREE, pfn, reclaim) ||
      this.#allocAfterReclaim(pfn, reclaim) ||
      this.#allocFromList(FRAG, pfn, reclaim)
    );
  }

  /** A used slot is needed by nobody any more. */
  freeSlot(slot: number): void {
    if (this.isUsed(slot)) throw new BugError("freeSlot", `slot ${slot} of ${this.name} is used`);
    const cluster = Math.floor(slot / SWAPFILE_CLUSTER);
    this.shadow[slot] = 0;
    this.zeromap[slot] = 0;
    this.inuse--;
    this.device.slotFreeNotify?.(slot);
    if (--this.#counts[cluster] === 0) {
      const first = cluster * SWAPFILE_CLUSTER;
      if (this.discardsPages) this.device.discard?.(first, SWAPFILE_CLUSTER);
      this.#move(cluster, FREE);
    } else if (this.#flags[cluster] !== NONFULL) {
      this.#move(cluster, NONFULL);
    }
  }

  /** The first slot behind `from` that is in use, 0 for none (find_next_to_unuse). */
  nextUsed(from: number): number {
    for (let slot = from + 1; slot < this.max; slot++) {
      if (this.map[slot] > 0 || this.cache[slot] !== 0) return slot;
    }
    return 0;
  }

  /** What is wrong with the counts and lists: for the validator. */
  findings(): string[] {
    const found: string[] = [];
    let inuse = 0;
    for (let cluster = 0; cluster < this.#clusters; cluster++) {
      const first = cluster * SWAPFILE_CLUSTER;
      let count = Math.max(first + SWAPFILE_CLUSTER - this.max, 0);
      for (let slot = first; slot < Math.min(first + SWAPFILE_CLUSTER, this.max); slot++) {
        if (!this.isUsed(slot)) {
          if (this.shadow[slot] !== 0 || this.memcg[slot] !== 0)
            found.push(`free slot ${slot} has a shadow or an owner`);
          continue;
        }
        count++;
        if (this.map[slot] !== SWAP_MAP_BAD) inuse++;
      }
      if (count !== this.#counts[cluster])
        found.push(`cluster ${cluster} counts ${this.#counts[cluster]}, not ${count}`);
      const flags = this.#flags[cluster];
      const fits = count === 0 ? FREE : count === SWAPFILE_CLUSTER ? FULL : flags === FRAG ? FRAG : NONFULL;
      if (flags !== fits) found.push(`cluster ${cluster} with ${count} slots is on list ${flags}`);
    }
    if (inuse !== this.inuse) found.push(`${this.inuse} slots are in use, ${inuse} found`);
    return found.map((finding) => `swap ${this.name}: ${finding}`);
  }

  #markBad(slot: number): void {
    if (this.map[slot] === SWAP_MAP_BAD) return;
    this.map[slot] = SWAP_MAP_BAD;
    this.#counts[Math.floor(slot / SWAPFILE_CLUSTER)]++;
  }

  #allocFromList(
    list: number,
    pfn: Pfn,
    reclaim: ((slot: number) => boolean) | null,
    tries = this.#clusters,
  ): number {
    const head = this.#clusters + list;
    // A cluster that yields nothing goes to the end of a list: each is tried once.
    for (let left = Math.min(this.#length(head), tries); left > 0; left--) {
      const cluster = this.#next[head];
      if (cluster === head) return 0;
      this.#unlink(cluster);
      const found = this.allocInCluster(cluster * SWAPFILE_CLUSTER, pfn, reclaim);
      if (found !== 0) return found;
    }
    return 0;
  }

  /** Takes back the slots of the oldest full cluster that only the cache needs, and one of them (swap_reclaim_full_clusters). */
  #allocAfterReclaim(pfn: Pfn, reclaim: ((slot: number) => boolean) | null): number {
    return reclaim === null ? 0 : this.#allocFromList(FULL, pfn, reclaim, 1);
  }

  #relocate(cluster: number): void {
    const count = this.#counts[cluster];
    const list = count === 0 ? FREE : count === SWAPFILE_CLUSTER ? FULL : FRAG;
    if (this.#flags[cluster] !== list) this.#move(cluster, list);
  }

  /** To the end of a list. */
  #move(cluster: number, list: number): void {
    if (this.#flags[cluster] !== OFF_LIST) this.#unlink(cluster);
    const head = this.#clusters + list;
    const last = this.#prev[head];
    this.#next[last] = cluster;
    this.#prev[cluster] = last;
    this.#next[cluster] = head;
    this.#prev[head] = cluster;
    this.#flags[cluster] = list;
  }

  #unlink(cluster: number): void {
    this.#next[this.#prev[cluster]] = this.#next[cluster];
    this.#prev[this.#next[cluster]] = this.#prev[cluster];
    this.#flags[cluster] = OFF_LIST;
  }

  #length(head: number): number {
    let length = 0;
    for (let at = this.#next[head]; at !== head; at = this.#next[at]) length++;
    return length;
  }
}
