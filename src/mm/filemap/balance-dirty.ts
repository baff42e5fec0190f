/**
 * What happens to who makes pages dirty faster than storage takes them (balance_dirty_pages, mm/page-writeback.c).
 *
 * ```
 *   0 ─────────────── background ─────────────── limit
 *     nothing happens      │  the flusher writes   │   the writer waits
 * ```
 *
 * Writers don't look at the limits for each page, but once in so many as could not do harm: often near the limit, seldom
 * far from it. Storage answers at once here, so the flusher has written what it was asked for when it returns, and a
 * writer never meets the limit: what the writing cost in time, the writer has waited.
 */
import { NR_FILE_DIRTY, NR_WRITEBACK } from "../trace/vmstat.ts";
import type { AddressSpace } from "../vfs/address-space.ts";
import type { BackingDevInfo } from "../vfs/backing-dev.ts";
import { dirtyLimits, isOverBgThresh } from "./dirty-limits.ts";
import { flushBackground, flushWhatIsDue } from "./flusher.ts";

/**
 * A page of the file was made dirty, or is about to be: now and then it is looked whether that goes on for too long. Call
 * it where nothing is half done, since it may write back and clean any page.
 */
export function balanceDirtyPagesRatelimited(mapping: AddressSpace): void {
  const { bdi } = mapping.host.sb;
  if (bdi === undefined || !mapping.ops.writesBack) return;
  const { domain } = bdi;
  if (++domain.nrDirtied >= domain.nrDirtiedPause) balanceDirtyPages(bdi);
  if (domain.nextWakeNs !== Number.POSITIVE_INFINITY) flushWhatIsDue(domain);
}

function balanceDirtyPages(bdi: BackingDevInfo): void {
  const { domain } = bdi;
  const { stat, tracer } = domain.phys;
  const dirtied = domain.nrDirtied;
  domain.nrDirtied = 0;
  dirtyLimits(domain);
  const dirty = stat[NR_FILE_DIRTY] + stat[NR_WRITEBACK];
  const { thresh, bgThresh } = domain;
  let pausedNs = 0;
  if (dirty > bgThresh) {
    const start = domain.now();
    flushBackground(bdi);
    // Memory full of other devices' pages: every one that has something to write takes part.
    if (isOverBgThresh(domain)) for (const other of domain.devices) flushBackground(other);
    pausedNs = domain.now() - start;
  }
  domain.nrDirtiedPause = dirtyPollInterval(stat[NR_FILE_DIRTY] + stat[NR_WRITEBACK], domain.thresh);
  if (!tracer.enabled || dirty <= bgThresh) return;
  tracer.emit({ type: "balance-dirty", dirtied, dirty, thresh, bgThresh, pausedNs });
}

/** In how many pages the limits are looked at again: the square root of the room that is left, as a power of two. */
function dirtyPollInterval(dirty: number, thresh: number): number {
  return thresh > dirty ? 1 << ((31 - Math.clz32(thresh - dirty)) >> 1) : 1;
}
