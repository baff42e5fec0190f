/**
 * swapon(2) and swapoff(2): a file becomes a swap area, and is one no longer (mm/swapfile.c).
 *
 * While it is one, the file is nobody else's: writing to it, shortening it and mapping it writable are ETXTBSY, taking
 * its name away is EPERM.
 */

import { tryToUnuse } from "../fault/try-to-unuse.ts";
import { filemapReadPage } from "../filemap/filemap.ts";
import { filemapWriteAndWaitRange } from "../filemap/writeback.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SIZE } from "../page.ts";
import { FileSwapDevice } from "../swap/file-device.ts";
import type { SwapDevice, SwapTiming } from "../swap/swap-device.ts";
import { MAX_SWAP_OFFSET } from "../swap/swap-entry.ts";
import { MIN_SWAP_PAGES, type MkswapOptions, mkswap, readSwapHeader } from "../swap/swap-header.ts";
import type { SwapInfo } from "../swap/swap-info.ts";
import { type SwapSpace, swapSpace } from "../swap/swap-space.ts";
import { CAP_SYS_ADMIN } from "../uapi/capability.ts";
import { EBUSY, EINVAL, ENOENT, ENOMEM, EPERM } from "../uapi/errno.ts";
import { O_LARGEFILE, O_RDWR } from "../uapi/fcntl.ts";
import {
  SWAP_FLAG_DISCARD,
  SWAP_FLAG_DISCARD_ONCE,
  SWAP_FLAG_DISCARD_PAGES,
  SWAP_FLAG_PREFER,
  SWAP_FLAG_PRIO_MASK,
  SWAP_FLAGS_VALID,
} from "../uapi/swap.ts";
import { capable } from "../vfs/capability.ts";
import type { File } from "../vfs/file.ts";
import { isReg } from "../vfs/inode.ts";
import { openPath } from "../vfs/open.ts";
import { walkContext } from "./fd.ts";
import type { Task } from "./task.ts";

/**
 * swapon(2). EINVAL unknown flags, what is no regular file with storage, has holes or no valid header; EPERM without
 * CAP_SYS_ADMIN or with too many areas; EBUSY a swap area already; ENOENT a file without a name; ENOMEM; and what opening
 * the file answers. @param path the path, or why it could not be read
 */
export function sysSwapon(task: Task, path: string | number, flags: number): number {
  if ((flags & ~SWAP_FLAGS_VALID) !== 0) return -EINVAL;
  if (!capable(task, CAP_SYS_ADMIN)) return -EPERM;
  const { phys } = task.mm;
  if (swapSpace(phys).isAtLimit) return -EPERM;
  if (typeof path === "number") return path;
  const file = openPath(walkContext(task), task.fs.cwd, path, O_RDWR | O_LARGEFILE, 0);
  if (typeof file === "number") return file;
  const added = swaponFile(phys, file, flags);
  if (added !== 0) file.put();
  return added;
}

/** Makes the open file an area, which keeps it open. 0 or a negative errno. */
function swaponFile(phys: PhysicalMemory, file: File, flags: number): number {
  const { inode } = file;
  if (!isReg(inode)) return -EINVAL;
  if (file.dentry.unhashed || inode.nlink === 0) return -ENOENT;
  if (inode.isSwapFile) return -EBUSY;
  const { mapping } = inode;
  // Memory can't hold what is to leave memory; and a text of /proc holds nothing at all.
  if (mapping?.ops.writesBack !== true) return -EINVAL;
  const pfn = filemapReadPage(mapping, 0);
  if (pfn < 0) return pfn;
  const header = phys.ram.u8.slice(pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
  phys.putPage(pfn);
  const parsed = readSwapHeader(header, Math.floor(inode.size / PAGE_SIZE), /* isFile */ true);
  if (parsed === undefined) return -EINVAL;
  // What a writer left in the page cache must not overwrite swapped pages later.
  const failed = filemapWriteAndWaitRange(mapping, 0, Number.MAX_SAFE_INTEGER);
  if (failed < 0) return failed;
  const stale = inode.ops.getattr?.(inode) ?? 0;
  if (stale !== 0) return stale;
  if (inode.blocks * 512 < parsed.maxPages * PAGE_SIZE) return -EINVAL;
  swapSpace(phys).add({
    device: new FileSwapDevice(file),
    name: file.path,
    priority: priorityOf(flags),
    maxPages: parsed.maxPages,
    badSlots: parsed.badPages,
    discardsPages: false,
  });
  inode.isSwapFile = true;
  return 0;
}

function priorityOf(flags: number): number {
  return (flags & SWAP_FLAG_PREFER) !== 0 ? flags & SWAP_FLAG_PRIO_MASK : -1;
}

/**
 * As swapon, of a device that no path leads to. The area, or a negative errno. @param flags SWAP_FLAG_…
 * @param mostPages fewer pages, the header's included, than the area has
 */
export function swaponDevice(
  phys: PhysicalMemory,
  device: SwapDevice,
  name: string,
  flags: number,
  mostPages: number = MAX_SWAP_OFFSET,
  timing?: SwapTiming | null,
): SwapInfo | number {
  if ((flags & ~SWAP_FLAGS_VALID) !== 0) return -EINVAL;
  const swap = swapSpace(phys);
  if (swap.isAtLimit) return -EPERM;
  if (swap.list().some((info) => info.device === device || info.name === name)) return -EBUSY;
  const pfn = phys.allocPage();
  if (pfn === 0) return -ENOMEM;
  const failed = device.readPage(0, phys.ram, pfn * PAGE_SIZE);
  const header = phys.ram.u8.slice(pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
  phys.putPage(pfn);
  if (failed < 0) return failed;
  const parsed = readSwapHeader(header, device.pages, device.kind !== "partition");
  if (parsed === undefined) return -EINVAL;
  const maxPages = Math.min(parsed.maxPages, mostPages);
  if (!(maxPages >= MIN_SWAP_PAGES)) return -EINVAL;
  const discards = (flags & SWAP_FLAG_DISCARD) !== 0 && device.discard !== undefined;
  // Without a wish it is both: all of it now, and clusters as they come free.
  const wish = flags & (SWAP_FLAG_DISCARD_ONCE | SWAP_FLAG_DISCARD_PAGES);
  if (discards && wish !== SWAP_FLAG_DISCARD_PAGES) device.discard?.(1, maxPages - 1);
  return swap.add({
    device,
    name,
    priority: priorityOf(flags),
    maxPages,
    badSlots: parsed.badPages,
    timing,
    discardsPages: discards && wish !== SWAP_FLAG_DISCARD_ONCE,
  });
}

/** Writes a header for all of the device, as mkswap(8) does. 0 or a negative errno. */
export function writeSwapHeader(phys: PhysicalMemory, device: SwapDevice, options: MkswapOptions): number {
  if (device.pages < MIN_SWAP_PAGES) return -EINVAL;
  const pfn = phys.allocPage();
  if (pfn === 0) return -ENOMEM;
  phys.ram.u8.set(mkswap(device.pages, options), pfn * PAGE_SIZE);
  const failed = device.writePage(0, phys.ram, pfn * PAGE_SIZE);
  phys.putPage(pfn);
  return Math.min(failed, 0);
}

/**
 * swapoff(2). EPERM without CAP_SYS_ADMIN; EINVAL no area in use; ENOMEM when what it holds could not be brought back;
 * and what opening the file answers.
 */
export function sysSwapoff(task: Task, path: string | number): number {
  if (!capable(task, CAP_SYS_ADMIN)) return -EPERM;
  if (typeof path === "number") return path;
  const { phys } = task.mm;
  const file = openPath(walkContext(task), task.fs.cwd, path, O_RDWR | O_LARGEFILE, 0);
  if (typeof file === "number") return file;
  const info = isReg(file.inode) ? areaOf(phys, file) : undefined;
  file.put();
  return info === undefined ? -EINVAL : swapoffArea(phys, info, task);
}

function areaOf(phys: PhysicalMemory, file: File): SwapInfo | undefined {
  return swapSpace(phys)
    .list()
    .find(({ device }) => device instanceof FileSwapDevice && device.mapping === file.inode.mapping);
}

/**
 * Empties an area and forgets it. 0; or -ENOMEM, with the area in use as before: by the rules of overcommit, or because a
 * page finds no frame. When memory is out for all, `task`, which wants it, is killed; where the limit of a cgroup forbids it,
 * processes of that group are, until the rest fits.
 *
 * @param task null: from outside, and nobody is killed
 */
export function swapoffArea(phys: PhysicalMemory, info: SwapInfo, task: Task | null): number {
  const swap = swapSpace(phys);
  if (!phys.commit.charge(info.pages, task?.mm ?? null)) return -ENOMEM;
  phys.commit.uncharge(info.pages);
  swap.stop(info);
  const failed = bringBack(phys, swap, info, task);
  if (failed !== 0) {
    swap.restart(info);
    return failed;
  }
  swap.remove(info);
  if (info.device instanceof FileSwapDevice) info.device.file.inode.isSwapFile = false;
  info.device.close?.();
  return 0;
}

function bringBack(phys: PhysicalMemory, swap: SwapSpace, info: SwapInfo, task: Task | null): number {
  if (task === null) phys.failsBeforeOom = true;
  else task.isOomOrigin = true;
  try {
    return tryToUnuse(swap, info, swap.mms);
  } catch (error) {
    swap.restart(info);
    throw error;
  } finally {
    phys.failsBeforeOom = false;
    if (task !== null) task.isOomOrigin = false;
  }
}
