/**
 * Write-back: bringing dirty pages to storage (mm/page-writeback.c, mm/filemap.c).
 *
 * A sync first tags all pages that are dirty now (TOWRITE) and then writes what is tagged, so that it ends even while a
 * program keeps dirtying pages behind it. Neighbours go to storage in one call. Each page becomes clean before it is
 * written, not after: a store that comes later makes it dirty again, and is not lost.
 *
 * When storage fails, the page is clean all the same, and its data stay in the cache as long as memory allows: writing it
 * over and over would help nobody. The error is noted in the mapping, and each open file reports it once (errseq).
 */
import { XA_DIRTY, XA_MAX, XA_TOWRITE, XA_WRITEBACK, type XaTag } from "../../lib/xarray.ts";
import { lruRotateReclaimable } from "../frames/lru.ts";
import { PG_DROPBEHIND, PG_ERROR, PG_RECLAIM, PG_WRITEBACK } from "../frames/page-flags.ts";
import { PAGE_SIZE, type Pfn, type PgOff } from "../page.ts";
import { NR_WRITEBACK, NR_WRITTEN, PGPGOUT } from "../trace/vmstat.ts";
import type { AddressSpace } from "../vfs/address-space.ts";
import { errseqCheck, errseqMarkSeen, errseqSet } from "../vfs/errseq.ts";
import type { File } from "../vfs/file.ts";
import { clearPageDirtyForIo } from "./dirty.ts";
import { endDropBehind } from "./drop-behind.ts";
import { mappingPath, PAGE_KIB } from "./page-cache.ts";

/** Pages that go to storage in one call. */
const BATCH_PAGES = 256;

/** Writes what is dirty in bytes `start` … `end` (exclusive; Infinity: all). 0 or the first negative errno. */
export function filemapWriteAndWaitRange(mapping: AddressSpace, start: number, end: number): number {
  const { pages, ops } = mapping;
  if (!ops.writesBack || !pages.isTagged(XA_DIRTY)) return 0;
  const first = Math.floor(start / PAGE_SIZE);
  const last = Math.min(Math.ceil(end / PAGE_SIZE), XA_MAX) - 1;
  for (let at = first; pages.nextTagged(at, XA_DIRTY) !== 0 && pages.index <= last; at = pages.index + 1) {
    pages.setTag(pages.index, XA_TOWRITE);
  }
  const batch: Pfn[] = [];
  let result = 0;
  while (pages.nextTagged(first, XA_TOWRITE) !== 0 && pages.index <= last) {
    const error = writeRun(mapping, pages.index, XA_TOWRITE, batch, BATCH_PAGES);
    if (result === 0) result = error;
    dropWritten(mapping, batch);
  }
  return result;
}

/**
 * Writes up to `max` dirty pages, from where the last such call ended, once around the file: for the flusher. Answers how
 * many. Errors are noted in the mapping.
 */
export function writeSomePages(mapping: AddressSpace, max: number): number {
  const { pages, phys } = mapping;
  const start = mapping.writebackIndex;
  const before = phys.stat[NR_WRITTEN];
  let left = max;
  let at: number = start;
  const batch: Pfn[] = [];
  for (let isAround = false; left > 0; ) {
    if (pages.nextTagged(at, XA_DIRTY) === 0 || (isAround && pages.index >= start)) {
      at = 0;
      if (isAround || start === 0) break;
      isAround = true;
      continue;
    }
    const first = pages.index;
    writeRun(mapping, first, XA_DIRTY, batch, Math.min(left, BATCH_PAGES));
    dropWritten(mapping, batch);
    left = max - (phys.stat[NR_WRITTEN] - before);
    at = first + 1;
  }
  mapping.writebackIndex = at;
  return max - left;
}

/** Of the pages that were just written those go that were to leave nothing behind. Empties the batch. */
function dropWritten(mapping: AddressSpace, batch: Pfn[]): void {
  const { flags } = mapping.phys.frames;
  for (const pfn of batch) if ((flags[pfn] & PG_DROPBEHIND) !== 0) endDropBehind(mapping, pfn);
  batch.length = 0;
}

/** As filemapWriteAndWaitRange, for fsync and msync: the error is what this open file has not reported yet. */
export function fileWriteAndWaitRange(file: File, start: number, end: number): number {
  filemapWriteAndWaitRange(file.mapping, start, end);
  return fileCheckAndAdvanceWbErr(file);
}

/** 0, or the newest write-back error that this open file has not reported yet; from now on it has. */
export function fileCheckAndAdvanceWbErr(file: File): number {
  const { mapping } = file;
  const error = errseqCheck(mapping.wbErr, file.wbErr);
  if (error === 0) return 0;
  mapping.wbErr = errseqMarkSeen(mapping.wbErr);
  file.wbErr = mapping.wbErr;
  return error;
}

/** Notes a write-back error (positive errno) for every open file to report. */
export function mappingSetError(mapping: AddressSpace, errno: number): void {
  mapping.wbErr = errseqSet(mapping.wbErr, errno);
  const { bdi } = mapping.host.sb;
  if (bdi !== undefined) bdi.wbErr = errseqSet(bdi.wbErr, errno);
}

/** Writes the pages from `index` on that have the tag, as one transfer; they lose it. They are left in `batch`, from its start. */
function writeRun(mapping: AddressSpace, index: PgOff, tag: XaTag, batch: Pfn[], max: number): number {
  const { pages, phys } = mapping;
  const { flags } = phys.frames;
  let count = 0;
  while (count < max && pages.getTag(index + count, tag)) {
    const pfn = pages.load(index + count);
    if (!clearPageDirtyForIo(mapping, pfn)) break;
    flags[pfn] |= PG_WRITEBACK;
    pages.setTag(index + count, XA_WRITEBACK);
    batch[count++] = pfn;
  }
  if (count === 0) return 0;
  phys.stat[NR_WRITEBACK] += count;
  phys.stat[PGPGOUT] += count * PAGE_KIB;
  zeroTail(mapping, index + count - 1, batch[count - 1]);
  if (phys.tracer.enabled) {
    phys.tracer.emit({ type: "writeback", path: mappingPath(mapping), index, pages: count });
  }
  const error = submit(mapping, index, batch, count);
  for (let i = 0; i < count; i++) {
    const pfn = batch[i];
    pages.clearTag(index + i, XA_WRITEBACK);
    const isAwaited = (flags[pfn] & PG_RECLAIM) !== 0;
    flags[pfn] &= ~(PG_WRITEBACK | PG_RECLAIM);
    if (isAwaited) lruRotateReclaimable(phys, pfn);
  }
  phys.stat[NR_WRITEBACK] -= count;
  phys.stat[NR_WRITTEN] += count;
  return error;
}

/** Hands the pages to storage, as far as no fault on purpose comes between. 0 or the first negative errno. */
function submit(mapping: AddressSpace, index: PgOff, pfns: readonly Pfn[], count: number): number {
  const faults = mapping.host.sb.bdi?.faults;
  if (faults === undefined) return submitPages(mapping, index, pfns, count);
  let result = 0;
  for (let at = 0; at < count; ) {
    const admitted = faults.admitWrites(mapping, index + at, count - at);
    const some = pfns.slice(at, at + admitted);
    const error = admitted === 0 ? 0 : submitPages(mapping, index + at, some, admitted);
    if (result === 0) result = error;
    at += admitted;
    if (at === count) break;
    const injected = faults.failWrite(mapping, index + at, pfns[at]);
    endFailedWrite(mapping, index + at, pfns[at], injected);
    if (result === 0) result = injected;
    at++;
  }
  return result;
}

/** Hands the pages to storage, one by one if all at once fails, so that one bad place costs one page. */
function submitPages(mapping: AddressSpace, index: PgOff, pfns: readonly Pfn[], count: number): number {
  const { flags } = mapping.phys.frames;
  if (mapping.ops.writePages(mapping, index, pfns, count) >= 0) {
    for (let i = 0; i < count; i++) flags[pfns[i]] &= ~PG_ERROR;
    return 0;
  }
  let result = 0;
  for (let i = 0; i < count; i++) {
    const error = mapping.ops.writePages(mapping, index + i, [pfns[i]], 1);
    if (error >= 0) continue;
    endFailedWrite(mapping, index + i, pfns[i], error);
    if (result === 0) result = error;
  }
  return result;
}

/** Storage did not take a page: every open file of it is to hear of that. */
function endFailedWrite(mapping: AddressSpace, index: PgOff, pfn: Pfn, error: number): void {
  const { phys } = mapping;
  phys.frames.flags[pfn] |= PG_ERROR;
  mappingSetError(mapping, -error);
  if (!phys.tracer.enabled) return;
  phys.tracer.emit({ type: "io-error", op: "write", path: mappingPath(mapping), index, pages: 1, error });
}

/** What a mapping stored in the last page past the end of the file goes no further: it reads as zero from now on. */
function zeroTail(mapping: AddressSpace, index: PgOff, pfn: Pfn): void {
  const { host, phys } = mapping;
  const used = host.size - index * PAGE_SIZE;
  if (used <= 0 || used >= PAGE_SIZE) return;
  phys.ram.u8.fill(0, pfn * PAGE_SIZE + used, (pfn + 1) * PAGE_SIZE);
  phys.flushIcache(pfn);
}
