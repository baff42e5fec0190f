/**
 * The flusher: write-back that nobody waits for (wb_workfn and what it calls in fs/fs-writeback.c).
 *
 * Two things make it write. Age: every dirty_writeback_centisecs it comes by and writes inodes that have been dirty for
 * longer than dirty_expire_centisecs, so that a crash costs half a minute at most. And amount: once more memory is dirty
 * than the background threshold allows, it writes until that is no longer so, those that have been dirty for longest first.
 *
 * There is no thread. Who may let it run calls `flushWhatIsDue` at a point where nothing is half done: the kernel's entry
 * does, the machine's scheduler between turns, and every writer of a file. When it runs depends on the kernel's clock
 * alone, so the same program sees the same write-back each time.
 *
 * An inode gets a chunk at a time and then waits for the others (bMoreIo), so that a huge file does not keep small ones
 * from storage.
 */
import { XA_DIRTY } from "../../lib/xarray.ts";
import {
  type BackingDevInfo,
  CENTISEC_NS,
  type DirtyInode,
  forgetDirtyInode,
  I_DIRTY_PAGES,
  moveInode,
  type WritebackDomain,
} from "../vfs/backing-dev.ts";
import { Inode } from "../vfs/inode.ts";
import { isOverBgThresh } from "./dirty-limits.ts";
import { filemapWriteAndWaitRange, writeSomePages } from "./writeback.ts";

/** Pages of one inode that are written before the next one's turn: 4 MiB (MIN_WRITEBACK_PAGES). */
const CHUNK_PAGES = 1024;

/** Runs the periodic flush of each device for which its time has come. Cheap when there is none. */
export function flushWhatIsDue(domain: WritebackDomain): void {
  if (domain.isFlushing) return;
  const now = domain.now();
  if (now < domain.nextWakeNs) return;
  let next = Number.POSITIVE_INFINITY;
  for (const device of [...domain.devices]) {
    if (device.wakeAtNs <= now) flushOld(device, now);
    if (device.hasDirtyIo) {
      next = Math.min(next, device.wakeAtNs);
      continue;
    }
    device.wakeAtNs = Number.POSITIVE_INFINITY;
    domain.devices.delete(device);
  }
  domain.nextWakeNs = next;
}

/** The periodic flush of one device, which then is due again in an interval. */
function flushOld(device: BackingDevInfo, now: number): void {
  const { domain } = device;
  const expireNs = domain.dirtyExpireCentisecs * CENTISEC_NS;
  if (domain.intervalNs < Number.POSITIVE_INFINITY)
    whileFlushing(domain, () => writeback(device, "periodic", now - expireNs));
  if (isOverBgThresh(domain)) flushBackground(device);
  device.wakeAtNs = domain.now() + domain.intervalNs;
}

/**
 * The interval was changed: the flusher looks at once, and from then on in the new rhythm (dirty_writeback_centisecs_handler
 * wakes all flushers). An interval of 0, set before, had left it asleep.
 */
export function rescheduleFlush(domain: WritebackDomain): void {
  const now = domain.now();
  for (const device of domain.devices) device.wakeAt(now);
}

/** Writes what is dirty on the device, oldest first, until no more of memory is dirty than the background threshold allows. */
export function flushBackground(device: BackingDevInfo): void {
  if (device.domain.isFlushing) return;
  whileFlushing(device.domain, () => writeback(device, "background", Number.POSITIVE_INFINITY));
}

/**
 * Reclaim has met nothing but dirty pages: writes those of all files, as many as there are now (wakeup_flusher_threads).
 * The flusher has a processor of its own and runs at once. Only pages: reclaim may run in the middle of a call that
 * changes what else storage is to know of a file.
 */
export function flushForReclaim(domain: WritebackDomain): void {
  if (domain.isFlushing) return;
  whileFlushing(domain, () => {
    for (const { bDirty, bIo, bMoreIo } of [...domain.devices]) {
      for (const inode of [...bIo, ...bMoreIo, ...bDirty]) {
        if (inode instanceof Inode && inode.mapping !== null)
          writeSomePages(inode.mapping, Number.POSITIVE_INFINITY);
      }
    }
  });
}

function whileFlushing(domain: WritebackDomain, work: () => void): void {
  domain.isFlushing = true;
  try {
    work();
  } finally {
    domain.isFlushing = false;
  }
}

/** wb_writeback: rounds over the inodes that became dirty before `dirtiedBeforeNs`. */
function writeback(device: BackingDevInfo, reason: "periodic" | "background", dirtiedBeforeNs: number): void {
  const { bIo, domain } = device;
  for (;;) {
    if (reason === "background" && !isOverBgThresh(domain)) return;
    if (bIo.size === 0) queueIo(device, dirtiedBeforeNs);
    const first: DirtyInode | undefined = bIo.values().next().value;
    if (!(first instanceof Inode)) return;
    if (!writebackChunk(device, first)) return;
  }
}

/** Moves to bIo what was left of the last round, and what has been dirty for long enough (queue_io). */
function queueIo({ bDirty, bIo, bMoreIo }: BackingDevInfo, dirtiedBeforeNs: number): void {
  for (const inode of bMoreIo) moveInode(inode, bIo);
  for (const inode of bDirty) {
    // The list is in the order of time.
    if (inode.dirtiedWhenNs > dirtiedBeforeNs) return;
    moveInode(inode, bIo);
  }
}

/**
 * One chunk of one inode; then the inode is clean, or waits for its next turn (requeue_inode). Answers whether that got it
 * any further.
 */
function writebackChunk(device: BackingDevInfo, inode: Inode): boolean {
  const { mapping } = inode;
  const written = mapping === null ? 0 : writeSomePages(mapping, CHUNK_PAGES);
  if (mapping?.pages.isTagged(XA_DIRTY) === true) {
    moveInode(inode, device.bMoreIo);
    return written > 0;
  }
  writeAttributes(inode);
  return true;
}

/** The pages are written; size and times follow. If storage refuses them, they go with the next change. */
function writeAttributes(inode: Inode): number {
  forgetDirtyInode(inode);
  return inode.sb.writeInode?.(inode) ?? 0;
}

/**
 * Writes all of one inode, pages and attributes, now (writeback_single_inode for WB_SYNC_ALL). 0 or the first negative
 * errno.
 */
export function writebackSingleInode(inode: Inode): number {
  const failed =
    inode.mapping === null ? 0 : filemapWriteAndWaitRange(inode.mapping, 0, Number.POSITIVE_INFINITY);
  return writeAttributes(inode) || failed;
}

/** Whether an inode has what its state says, for the validator: "" or what is wrong. */
export function dirtyStateFinding(inode: Inode): string {
  const hasDirtyPages = inode.mapping?.pages.isTagged(XA_DIRTY) === true;
  if (hasDirtyPages && inode.sb.bdi !== undefined && (inode.dirtyState & I_DIRTY_PAGES) === 0)
    return "has dirty pages and is not marked";
  if ((inode.dirtyState !== 0) !== (inode.ioList !== null)) return "is marked dirty or listed, not both";
  if (inode.ioList !== null && !inode.ioList.has(inode)) return "is not on the list it names";
  return "";
}
