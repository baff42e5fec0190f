/**
 * The validator on what is cached: pages of files with their tags, slots in swap with the pages of the swap cache, and the
 * lists of dirty inodes.
 */
import { XA_DIRTY, XA_TOWRITE, XA_WRITEBACK } from "../../lib/xarray.ts";
import { dirtyStateFinding } from "../filemap/flusher.ts";
import {
  PG_DIRTY,
  PG_LRU,
  PG_SHM_LOCKED,
  PG_SWAPBACKED,
  PG_SWAPCACHE,
  PG_WRITEBACK,
} from "../frames/page-flags.ts";
import { PAGE_SIZE, pageAlign } from "../page.ts";
import { ShmemInode } from "../shmem/shmem-inode.ts";
import { swpEntry } from "../swap/swap-entry.ts";
import { swapOf } from "../swap/swap-space.ts";
import { swapWritebackFindings } from "../swap/swap-writeback.ts";
import { NR_FILE_DIRTY, NR_FILE_PAGES, NR_SHMEM, NR_SWAPCACHE, NR_WRITEBACK } from "../trace/vmstat.ts";
import type { AddressSpace } from "../vfs/address-space.ts";
import type { Recount } from "./validate-recount.ts";

/** Every slot is named as often as it counts, and each cached page says which slot it has. */
export function checkSwap(to: Recount): void {
  const { phys } = to.kernel;
  const swap = swapOf(phys);
  if (swap === null) return;
  for (const finding of swap.findings()) to.found(finding);
  let writing = 0;
  for (const info of swap.list()) {
    for (let slot = 1; slot < info.max; slot++) {
      if (info.map[slot] < 0) continue;
      const entry = swpEntry(info.type, slot);
      const named = to.slots.get(entry) ?? 0;
      if (named !== info.map[slot])
        to.found(`slot ${slot} of ${info.name} counts ${info.map[slot]} names, ${named} found`);
      const pfn = info.cache[slot];
      if (pfn === 0) continue;
      to.refs[pfn]++;
      to.stat[NR_SWAPCACHE]++;
      to.stat[NR_FILE_PAGES]++;
      const { flags, priv } = phys.frames;
      if ((flags[pfn] & PG_WRITEBACK) !== 0) writing++;
      if (
        (flags[pfn] & (PG_SWAPCACHE | PG_SWAPBACKED)) !== (PG_SWAPCACHE | PG_SWAPBACKED) ||
        priv[pfn] !== entry
      )
        to.found(`frame ${pfn} in the swap cache at ${entry} has flags ${flags[pfn]}, entry ${priv[pfn]}`);
      if ((flags[pfn] & PG_LRU) === 0) to.found(`frame ${pfn} in the swap cache is on no LRU list`);
    }
  }
  to.stat[NR_WRITEBACK] += writing;
  for (const finding of swapWritebackFindings(swap, writing)) to.found(finding);
}

export function checkMapping(to: Recount, mapping: AddressSpace): void {
  const { frames } = mapping.phys;
  let count = 0;
  for (let pfn = mapping.pages.next(0); pfn !== 0; ) {
    const { index } = mapping.pages;
    const at = `page ${index} of mapping ${mapping.id}`;
    count++;
    to.refs[pfn]++;
    to.stat[NR_FILE_PAGES]++;
    if (!mapping.ops.writesBack) to.stat[NR_SHMEM]++;
    if (frames.mapping[pfn] !== mapping.id || frames.index[pfn] !== index)
      to.found(`${at}: frame ${pfn} says otherwise`);
    if ((frames.flags[pfn] & PG_LRU) === 0) to.found(`${at}: on no LRU list`);
    if (((frames.flags[pfn] & PG_SHM_LOCKED) !== 0) !== mapping.isUnevictable)
      to.found(`${at}: the frame does not know whether its file stays in memory`);
    const dirty = (frames.flags[pfn] & PG_DIRTY) !== 0;
    if (mapping.ops.writesBack) {
      if (dirty) to.stat[NR_FILE_DIRTY]++;
      if (mapping.pages.getTag(index, XA_DIRTY) !== dirty) to.found(`${at}: dirty flag and tag differ`);
    }
    const isWriteback = (frames.flags[pfn] & PG_WRITEBACK) !== 0;
    if (isWriteback) to.stat[NR_WRITEBACK]++;
    if (mapping.pages.getTag(index, XA_WRITEBACK) !== isWriteback)
      to.found(`${at}: writeback flag and tag differ`);
    pfn = mapping.pages.next(index + 1);
  }
  const { host } = mapping;
  if (host instanceof ShmemInode) {
    checkShmemSwap(to, host);
    to.committed += host.isReserved ? pageAlign(host.size) / PAGE_SIZE : host.chargedPages;
  }
  if (mapping.pages.isTagged(XA_TOWRITE))
    to.found(`mapping ${mapping.id}: a page waits for a sync that is over`);
  const wrong = dirtyStateFinding(host);
  if (wrong !== "") to.found(`inode ${host.ino} of ${host.sb.fsName} ${wrong}`);
  if (count !== mapping.pages.size)
    to.found(`mapping ${mapping.id} counts ${mapping.pages.size} pages, has ${count}`);
}

function checkShmemSwap(to: Recount, inode: ShmemInode): void {
  const { swapped, swappedPages } = inode;
  let inSwap = 0;
  for (let entry = swapped.next(0); entry !== 0; entry = swapped.next(swapped.index + 1)) {
    if (inode.mapping?.pages.load(swapped.index) !== 0)
      to.found(`page ${swapped.index} of shmem inode ${inode.ino} is in memory and in swap`);
    // The rest are lost pages.
    if (entry < 0) continue;
    inSwap++;
    to.nameSlot(entry);
  }
  if (inSwap !== swappedPages)
    to.found(`shmem inode ${inode.ino} counts ${swappedPages} swapped, has ${inSwap}`);
  const pages = (inode.mapping?.pages.size ?? 0) + inSwap;
  // More, where reclaim has dropped pages that nobody had written: the next change of the file makes that good.
  if (inode.chargedPages < pages)
    to.found(`shmem inode ${inode.ino} is charged ${inode.chargedPages} pages, has ${pages}`);
}

/** What waits for the flusher knows it, and the flusher knows of the device. */
export function checkDirtyLists(to: Recount): void {
  const { writeback } = to.kernel.mounts;
  for (const { bdi, fsName } of to.kernel.mounts.superBlocks()) {
    if (bdi?.hasDirtyIo !== true) continue;
    if (!writeback.devices.has(bdi)) to.found(`the flusher does not know that ${fsName} is dirty`);
    for (const list of [bdi.bDirty, bdi.bIo, bdi.bMoreIo]) {
      for (const inode of list) {
        if (inode.ioList !== list || inode.dirtyState === 0)
          to.found(`an inode of ${fsName} is on a list of dirty ones and does not know`);
      }
    }
    if (writeback.intervalNs < Number.POSITIVE_INFINITY && writeback.nextWakeNs > bdi.wakeAtNs)
      to.found(`the flusher comes to ${fsName} too late`);
  }
}
