/**
 * cachestat(2): how much of a file is in memory, how much of that is not in storage yet, and how much was in memory and went
 * (mm/filemap.c). What mincore tells page by page, without a mapping.
 */
import { XA_DIRTY, XA_WRITEBACK } from "../../lib/xarray.ts";
import { lruGenTestRecent } from "../frames/lru-gen.ts";
import { workingsetTestRecent } from "../frames/workingset.ts";
import { PAGE_SIZE, type PgOff, pageAlignDown } from "../page.ts";
import { ShmemInode } from "../shmem/shmem-inode.ts";
import { swapCacheShadow } from "../swap/swap-cache.ts";
import { EINVAL, EOPNOTSUPP, EPERM } from "../uapi/errno.ts";
import type { AddressSpace } from "../vfs/address-space.ts";
import { type File, FMODE_WRITE } from "../vfs/file.ts";
import { inodePermission, isOwner, MAY_WRITE } from "../vfs/permission.ts";
import type { Task } from "./task.ts";

/** struct cachestat: pages. */
export interface CacheStat {
  cache: number;
  dirty: number;
  writeback: number;
  /** Reclaim took them, and remembers; `recentlyEvicted` of them so lately that it was too early. */
  evicted: number;
  recentlyEvicted: number;
}

/**
 * What there is of `length` bytes from `offset` on, to the end for 0. EOPNOTSUPP huge pages, EPERM who may not write to the
 * file (what others use shows in its cache), EINVAL any flags.
 */
export function sysCachestat(
  task: Task,
  file: File,
  offset: number,
  length: number,
  flags: number,
): CacheStat | number {
  const { inode } = file;
  if (inode.sb.hugePageSize !== undefined) return -EOPNOTSUPP;
  const maySee =
    (file.mode & FMODE_WRITE) !== 0 || isOwner(task, inode) || inodePermission(task, inode, MAY_WRITE) === 0;
  if (!maySee) return -EPERM;
  if (flags !== 0) return -EINVAL;
  const stat: CacheStat = { cache: 0, dirty: 0, writeback: 0, evicted: 0, recentlyEvicted: 0 };
  if (inode.mapping === null) return stat;
  const first = Math.floor(offset / PAGE_SIZE);
  filemapCachestat(
    inode.mapping,
    first,
    length === 0 ? Number.POSITIVE_INFINITY : lastPage(offset, length),
    stat,
  );
  return stat;
}

/**
 * Of a range that runs past the end of 64 bits Linux sees the end where it comes out at the start again. Lengths of that size
 * are known by the page.
 */
function lastPage(offset: number, length: number): PgOff {
  const short = 2 ** 64 - length;
  const end = short < offset ? offset - pageAlignDown(short) : offset + length;
  return Math.floor((end - 1) / PAGE_SIZE);
}

function filemapCachestat(mapping: AddressSpace, first: PgOff, last: PgOff, stat: CacheStat): void {
  const { pages, host } = mapping;
  for (let pfn = pages.next(first); pfn !== 0 && pages.index <= last; pfn = pages.next(pages.index + 1)) {
    stat.cache++;
    if (pages.getTag(pages.index, XA_DIRTY)) stat.dirty++;
    if (pages.getTag(pages.index, XA_WRITEBACK)) stat.writeback++;
  }
  mapping.shadows.forEach(first, last, (shadow) => countEvicted(mapping, shadow, stat));
  if (!(host instanceof ShmemInode)) return;
  const { swapped } = host;
  for (
    let entry = swapped.next(first);
    entry !== 0 && swapped.index <= last;
    entry = swapped.next(swapped.index + 1)
  ) {
    // −1: lost with its device.
    const shadow = entry < 0 ? 0 : swapCacheShadow(mapping.phys, entry);
    countEvicted(mapping, shadow, stat);
  }
}

function countEvicted({ phys, canWriteback }: AddressSpace, shadow: number, stat: CacheStat): void {
  stat.evicted++;
  if (shadow === 0) return;
  const isRecent = phys.lruvecs.genEnabled
    ? lruGenTestRecent(phys, shadow)
    : workingsetTestRecent(phys, shadow, canWriteback);
  if (isRecent) stat.recentlyEvicted++;
}
