/**
 * What write-back knows of the storage behind a file system (backing_dev_info, bdi_writeback; mm/backing-dev.c), and of
 * all of them together (wb_domain, and the dirty_… settings of mm/page-writeback.c).
 *
 * An inode that got its first dirty page, or a time or size that storage has not, goes on its device's list with the
 * moment that happened. The flusher takes from there what has been dirty for long, or whatever is dirty once there is
 * too much of it.
 *
 * ```
 *   mark dirty ─▶ bDirty ──long enough, or too much──▶ bIo ──written──▶ clean
 *                   ▲                                   │ one chunk written, more left
 *                   └── dirtied again meanwhile ◀───────┼──▶ bMoreIo ─▶ bIo
 * ```
 *
 * Invariant: an inode is on exactly one list (inode.ioList) iff inode.dirtyState is not 0. An inode whose pages somebody
 * else wrote in the meantime (fsync) stays until the flusher comes by and finds nothing to do, as in Linux.
 */
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import type { Errseq } from "./errseq.ts";
import type { StorageFaults } from "./storage-faults.ts";

/** Something to write: attributes (times, size); pages. */
export const I_DIRTY_SYNC = 1;
export const I_DIRTY_PAGES = 2;

/** Nanoseconds in the hundredth of a second that the settings count in. */
export const CENTISEC_NS = 1e7;

/** What the lists need to know of an inode. */
export interface DirtyInode {
  readonly sb: { readonly bdi?: BackingDevInfo };
  /** I_DIRTY_… */
  dirtyState: number;
  /** When it became dirty (nanoseconds of the kernel's clock). Stale while clean. */
  dirtiedWhenNs: number;
  /** The list it is on, null for none. */
  ioList: Set<DirtyInode> | null;
}

/** Settings and counts that all devices share. */
export class WritebackDomain {
  readonly phys: PhysicalMemory;
  /** Nanoseconds since the epoch. */
  readonly now: () => number;
  /** Lets nanoseconds of that clock pass: what a slow device costs. */
  readonly sleep: (ns: number) => void;
  /** Those with something to write. */
  readonly devices: Set<BackingDevInfo> = new Set();
  /** vm.dirty_ratio, vm.dirty_bytes and so on: of ratio (percent of dirtyable memory) and bytes one is 0. */
  dirtyRatio = 20;
  dirtyBytes = 0;
  dirtyBackgroundRatio = 10;
  dirtyBackgroundBytes = 0;
  /** How long something may be dirty before the periodic flush takes it, and how often that comes; ≤ 0: never. */
  dirtyExpireCentisecs = 3000;
  dirtyWritebackCentisecs = 500;
  /** Limits in pages as of the last look (dirtyLimits): writers are held above `thresh`. */
  thresh = 0;
  bgThresh = 0;
  /** Pages dirtied since the limits were last looked at, and at how many they are looked at again (bdp_ratelimits). */
  nrDirtied = 0;
  nrDirtiedPause = 32;
  /** The next moment at which the flusher has something to look at; Infinity while nothing is dirty. */
  nextWakeNs: number = Number.POSITIVE_INFINITY;
  /** The flusher is at work: storage that comes back here must not start it again. */
  isFlushing = false;

  constructor(phys: PhysicalMemory, now: () => number, sleep: (ns: number) => void) {
    this.phys = phys;
    this.now = now;
    this.sleep = sleep;
  }

  /** dirty_writeback_centisecs in nanoseconds; Infinity when there is no periodic flush. */
  get intervalNs(): number {
    const { dirtyWritebackCentisecs: every } = this;
    return every > 0 ? every * CENTISEC_NS : Number.POSITIVE_INFINITY;
  }
}

/** One file system's storage. */
export class BackingDevInfo {
  readonly domain: WritebackDomain;
  /** Dirty inodes, the one that has been so for longest first. */
  readonly bDirty: Set<DirtyInode> = new Set();
  /** Those that the flusher is working on, and those of which it has written a part. */
  readonly bIo: Set<DirtyInode> = new Set();
  readonly bMoreIo: Set<DirtyInode> = new Set();
  /** When the periodic flush comes next. */
  wakeAtNs: number = Number.POSITIVE_INFINITY;
  /** The newest write-back error of any of its files (s_wb_err), for syncfs. */
  wbErr: Errseq = 0;
  /** Faults on purpose: what stands between the page cache and storage. */
  faults: StorageFaults | undefined;

  constructor(domain: WritebackDomain) {
    this.domain = domain;
  }

  /** Whether any inode waits for write-back (wb_has_dirty_io). */
  get hasDirtyIo(): boolean {
    return this.bDirty.size + this.bIo.size + this.bMoreIo.size > 0;
  }

  /** Asks for the flusher at `ns`, unless it comes earlier anyway. */
  wakeAt(ns: number): void {
    this.wakeAtNs = Math.min(this.wakeAtNs, ns);
    this.domain.nextWakeNs = Math.min(this.domain.nextWakeNs, ns);
  }
}

/** Something of the inode is newer than storage (__mark_inode_dirty). Without a device there is nobody to tell. */
export function markInodeDirty(inode: DirtyInode, state: number): void {
  if ((inode.dirtyState & state) === state) return;
  const { bdi } = inode.sb;
  if (bdi === undefined) return;
  const wasClean = inode.dirtyState === 0;
  inode.dirtyState |= state;
  if (!wasClean) return;
  const now = bdi.domain.now();
  inode.dirtiedWhenNs = now;
  moveInode(inode, bdi.bDirty);
  bdi.domain.devices.add(bdi);
  if (bdi.wakeAtNs === Number.POSITIVE_INFINITY) bdi.wakeAt(now + bdi.domain.intervalNs);
}

/** Puts a dirty inode at the end of a list. */
export function moveInode(inode: DirtyInode, list: Set<DirtyInode>): void {
  inode.ioList?.delete(inode);
  list.add(inode);
  inode.ioList = list;
}

/** Nothing of the inode is to be written any more (inode_io_list_del). */
export function forgetDirtyInode(inode: DirtyInode): void {
  inode.dirtyState = 0;
  inode.ioList?.delete(inode);
  inode.ioList = null;
}
