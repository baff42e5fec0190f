/**
 * Reclaim: making frames free when there are too few (mm/vmscan.c).
 *
 * What can be had again may go: a clean page of a file, an anonymous page once it is in swap. Reclaim runs on three
 * occasions, each of which repeats rounds of growing urgency until it has what it wants:
 *
 * ```
 *   free memory falls below low      kswapd, until it is above high
 *   … below min                      who allocates, for 32 frames (direct reclaim)
 *   a cgroup reaches its limit       who is charged, among the pages of that group
 * ```
 *
 * Which pages go is the policy's business: active and inactive lists (shrink-lruvec.ts), or generations
 * (lru-gen-evict.ts).
 *
 * kswapd has a processor of its own here, and no other work: it runs at the very moment it is woken, inside the allocation
 * that found memory low, and that allocation goes on when it sleeps again. So a run depends on nothing but the program,
 * and direct reclaim is left what kswapd could not do.
 *
 * Reclaim takes no page that somebody holds: whoever works on a page across an allocation has a reference beside those of
 * its cache and its PTEs, and a page that is being read is in no list yet.
 */
import { ROOT_MEM_CGROUP } from "../frames/lruvec.ts";
import type { PhysicalMemory, Reclaimer } from "../frames/physical-memory.ts";
import { swapOf } from "../swap/swap-space.ts";
import { waitForSomeWriteback } from "../swap/swap-writeback.ts";
import {
  ALLOCSTALL,
  KSWAPD_HIGH_WMARK_HIT_QUICKLY,
  KSWAPD_LOW_WMARK_HIT_QUICKLY,
  NR_ACTIVE_ANON,
  NR_ACTIVE_FILE,
  NR_INACTIVE_ANON,
  NR_INACTIVE_FILE,
  PAGEOUTRUN,
} from "../trace/vmstat.ts";
import type { OomKiller } from "./oom-kill.ts";
import type { ReclaimPolicy } from "./reclaim-policy.ts";
import { canReclaimAnon, snapshotRefaults } from "./scan-balance.ts";
import { DEF_PRIORITY, type ReclaimerKind, ScanControl, SWAP_CLUSTER_MAX } from "./scan-control.ts";
import { ActiveInactivePolicy } from "./shrink-lruvec.ts";

/** Runs of kswapd without a frame freed, after which it is not woken until somebody else frees one. */
const MAX_RECLAIM_RETRIES = 16;
/** A kswapd that is woken so soon after it fell asleep had met its goal too narrowly. */
const SHORT_SLEEP_NS = 100e6;
/** The longest that reclaim waits for write-back, and for anything to free at all. */
const THROTTLE_WRITEBACK_NS = 100e6;
const THROTTLE_NOPROGRESS_NS = 4e6;

export interface VmscanOptions {
  /** Nanoseconds. Default: time stands. */
  readonly now?: () => number;
  readonly policy?: ReclaimPolicy;
  /** Writes dirty pages of files. Default: nobody does. */
  readonly wakeFlusher?: () => void;
  /** Default: nobody is killed. */
  readonly oomKiller?: OomKiller;
}

export class Vmscan implements Reclaimer {
  /** vm.swappiness: 0 … 200, how much rather anonymous pages are taken than pages of files. */
  swappiness = 60;
  readonly #phys: PhysicalMemory;
  readonly #policy: ReclaimPolicy;
  readonly #now: () => number;
  readonly #oomKiller: OomKiller | undefined;
  readonly #wakeFlusher: () => void;
  #isRunning = false;
  #kswapdFailures = 0;
  /** All that the last round of kswapd met was under write-back (PGDAT_WRITEBACK). */
  #isNodeUnderWriteback = false;
  #kswapdSleptAt = Number.NEGATIVE_INFINITY;

  constructor(phys: PhysicalMemory, options: VmscanOptions = {}) {
    this.#phys = phys;
    this.#policy = options.policy ?? new ActiveInactivePolicy(phys);
    this.#now = options.now ?? (() => 0);
    this.#oomKiller = options.oomKiller;
    this.#wakeFlusher = options.wakeFlusher ?? (() => {});
  }

  /** vm.panic_on_oom, vm.oom_kill_allocating_task, vm.oom_dump_tasks. */
  get panicOnOom(): number {
    return this.#oomKiller?.panicOnOom ?? 0;
  }

  set panicOnOom(value: number) {
    if (this.#oomKiller !== undefined) this.#oomKiller.panicOnOom = value;
  }

  get oomKillAllocatingTask(): boolean {
    return this.#oomKiller?.killAllocatingTask ?? false;
  }

  set oomKillAllocatingTask(value: boolean) {
    if (this.#oomKiller !== undefined) this.#oomKiller.killAllocatingTask = value;
  }

  get oomDumpTasks(): boolean {
    return this.#oomKiller?.dumpTasks ?? false;
  }

  set oomDumpTasks(value: boolean) {
    if (this.#oomKiller !== undefined) this.#oomKiller.dumpTasks = value;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  get isCurrentDying(): boolean {
    return this.#oomKiller?.isCurrentDying ?? false;
  }

  wakeKswapd(): void {
    if (this.#isRunning || this.#kswapdFailures >= MAX_RECLAIM_RETRIES || this.#isBalanced) return;
    if (this.#now() - this.#kswapdSleptAt < SHORT_SLEEP_NS) this.#phys.stat[KSWAPD_LOW_WMARK_HIT_QUICKLY]++;
    this.#isRunning = true;
    try {
      for (;;) {
        this.#balance();
        if (this.#isBalanced || this.#kswapdFailures >= MAX_RECLAIM_RETRIES) break;
        this.#phys.stat[KSWAPD_HIGH_WMARK_HIT_QUICKLY]++;
      }
    } finally {
      this.#isRunning = false;
    }
    this.#kswapdSleptAt = this.#now();
  }

  tryToFreePages(nrPages: number): number {
    return this.#doTryToFreePages("direct", nrPages, ROOT_MEM_CGROUP);
  }

  tryToFreeMemCgroupPages(group: number, nrPages: number): number {
    return this.#doTryToFreePages("direct", nrPages, group);
  }

  /** Frees pages of a group because somebody outside thinks it has too many (memory.reclaim). Answers how many. */
  reclaimProactively(group: number, nrPages: number): number {
    return this.#doTryToFreePages("proactive", nrPages, group);
  }

  reclaimablePages(): number {
    const { stat } = this.#phys;
    const file = stat[NR_INACTIVE_FILE] + stat[NR_ACTIVE_FILE];
    if (!canReclaimAnon(this.#phys, ROOT_MEM_CGROUP)) return file;
    return file + stat[NR_INACTIVE_ANON] + stat[NR_ACTIVE_ANON];
  }

  outOfMemory(group: number): boolean {
    return this.#oomKiller?.outOfMemory(group) ?? false;
  }

  /** Free memory is above the high watermark (pgdat_balanced). */
  get #isBalanced(): boolean {
    return this.#phys.buddy.freeFrames > this.#phys.watermarks.high;
  }

  #doTryToFreePages(kind: ReclaimerKind, nrPages: number, target: number): number {
    // Storage that allocates while it writes a page back must not come here again.
    if (this.#isRunning) return 0;
    this.#isRunning = true;
    const { lruvecs } = this.#phys;
    lruvecs.target = target;
    try {
      const { isLegacy } = this.#phys.memcg;
      const wanted = Math.max(nrPages, SWAP_CLUSTER_MAX);
      const sc = new ScanControl(kind, wanted, this.swappiness, target, isLegacy);
      this.#repeatRounds(sc);
      if (sc.nrReclaimed === 0 && kind !== "proactive") {
        sc.memcgFullWalk = true;
        this.#repeatRounds(sc);
      }
      if (sc.nrReclaimed === 0) this.#forceDeactivation(sc);
      if (sc.nrReclaimed === 0 && sc.memcgLowSkipped) {
        sc.forceDeactivate = false;
        sc.memcgLowReclaim = true;
        this.#repeatRounds(sc);
        if (sc.nrReclaimed === 0) this.#forceDeactivation(sc);
      }
      return sc.nrReclaimed;
    } finally {
      lruvecs.target = ROOT_MEM_CGROUP;
      this.#isRunning = false;
    }
  }

  /** Lists that were left alone are shortened, too. */
  #forceDeactivation(sc: ScanControl): void {
    if (!sc.skippedDeactivate) return;
    sc.skippedDeactivate = false;
    sc.forceDeactivate = true;
    this.#repeatRounds(sc);
  }

  /** do_try_to_free_pages: rounds of growing urgency. */
  #repeatRounds(sc: ScanControl): void {
    if (!sc.isCgroupReclaim) this.#phys.stat[ALLOCSTALL]++;
    for (sc.priority = DEF_PRIORITY; sc.priority >= 0; sc.priority--) {
      sc.nrScanned = 0;
      this.#shrinkNode(sc);
      if (sc.nrReclaimed >= sc.nrToReclaim) break;
    }
    snapshotRefaults(this.#phys, sc.target);
  }

  #shrinkNode(sc: ScanControl): void {
    const before = sc.nrReclaimed;
    sc.resetRound();
    sc.isNodeUnderWriteback = this.#isNodeUnderWriteback;
    this.#policy.shrinkNode(sc);
    if (sc.needsFlusher) this.#wakeFlusher();
    this.#throttle(sc);
    if (sc.nrReclaimed > before) this.#kswapdFailures = 0;
  }

  /** Whoever reclaims faster than devices write waits for them (reclaim_throttle). */
  #throttle(sc: ScanControl): void {
    const swap = swapOf(this.#phys);
    if (swap === null || swap.nrWriteback === 0) return;
    if (sc.kind === "kswapd") {
      if (sc.nrWriteback > 0 && sc.nrWriteback === sc.nrTaken) this.#isNodeUnderWriteback = true;
      if (sc.nrImmediate > 0) waitForSomeWriteback(swap, SWAP_CLUSTER_MAX, THROTTLE_WRITEBACK_NS);
    } else if (sc.priority === 1 && sc.nrReclaimed === 0) {
      waitForSomeWriteback(swap, SWAP_CLUSTER_MAX, THROTTLE_NOPROGRESS_NS);
    }
  }

  /** One run of kswapd (balance_pgdat). */
  #balance(): void {
    const phys = this.#phys;
    phys.stat[PAGEOUTRUN]++;
    const sc = new ScanControl("kswapd", 0, this.swappiness);
    do {
      this.#balanceRounds(sc);
      const restarts =
        sc.nrReclaimed === 0 && sc.priority < 1 && !sc.noCacheTrimMode && sc.cacheTrimModeFailed;
      if (!restarts) break;
      sc.noCacheTrimMode = true;
    } while (!this.#isBalanced);
    if (sc.nrReclaimed === 0 && !this.#isBalanced) this.#kswapdFailures++;
    if (this.#isBalanced) this.#isNodeUnderWriteback = false;
    snapshotRefaults(phys, ROOT_MEM_CGROUP);
  }

  #balanceRounds(sc: ScanControl): void {
    for (sc.priority = DEF_PRIORITY; sc.priority >= 1 && !this.#isBalanced; ) {
      const before = sc.nrReclaimed;
      this.#policy.ageNode(sc);
      sc.nrScanned = 0;
      sc.nrToReclaim = Math.max(this.#phys.watermarks.high, SWAP_CLUSTER_MAX);
      this.#shrinkNode(sc);
      // Scanned enough for the goal, had every page been free: no need to become more urgent.
      const isEnough = sc.nrScanned >= sc.nrToReclaim;
      if (!isEnough || sc.nrReclaimed === before) sc.priority--;
    }
  }
}
