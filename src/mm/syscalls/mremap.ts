/**
 * mremap(2): grows, shrinks or moves a mapping (mm/mremap.c).
 *
 * A move copies no byte: the new mapping takes over the PTEs. What has to be decided first:
 *
 * ```
 *   no new address given            shrink: unmap the tail
 *                                   grow:   in place if nothing follows, else (MAYMOVE) move
 *   MREMAP_FIXED or DONTUNMAP       unmap the destination, shrink, then move
 *   MREMAP_FIXED of equal sizes     the same, mapping by mapping: the range may cover several
 * ```
 */
import type { Mmu } from "../fault/mmu.ts";
import { movePageTables } from "../fault/move-page-tables.ts";
import { mmPopulate } from "../fault/populate.ts";
import { isPageAligned, PAGE_SIZE, pageAlign, type Vaddr } from "../page.ts";
import { EAGAIN, EFAULT, EINVAL, ENOMEM, EPERM } from "../uapi/errno.ts";
import { MAP_FIXED, MAP_SHARED, MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE } from "../uapi/mman.ts";
import { mayExpandVm, mlockFutureOk, vmStatAccount } from "../vma/accounting.ts";
import { unlinkAnonVmas } from "../vma/anon-vma.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { vmEnoughMemory } from "../vma/overcommit.ts";
import { getUnmappedArea } from "../vma/unmapped-area.ts";
import type { VmArea } from "../vma/vm-area.ts";
import {
  VM_ACCOUNT,
  VM_DONTEXPAND,
  VM_HUGETLB,
  VM_LOCKED,
  VM_LOCKONFAULT,
  VM_MAYSHARE,
  VM_SEALED,
  VM_SHARED,
} from "../vma/vm-flags.ts";
import { copyVma } from "../vma/vma-copy.ts";
import { setVmaFlags } from "../vma/vma-lifetime.ts";
import { vmaMergeExtend } from "../vma/vma-merge.ts";
import { vmaKernelPagesize } from "../vma/vma-page-size.ts";
import { doMunmap } from "./munmap.ts";
import type { Task } from "./task.ts";

/** One remapping on its way (struct vma_remap_struct). */
interface Remap {
  readonly mm: MmStruct;
  readonly flags: number;
  addr: Vaddr;
  oldLen: number;
  newLen: number;
  newAddr: Vaddr;
}

/**
 * Answers the new address. EINVAL bad flags, alignment, sizes or overlap; EFAULT no mapping there, or growth over the
 * end of one; ENOMEM no room, limits, or (without MAYMOVE) not in place; EAGAIN too much locked; EPERM sealed.
 */
export function sysMremap(
  mmu: Mmu,
  task: Task,
  addr: Vaddr,
  oldSize: number,
  newSize: number,
  flags: number,
  newAddr: Vaddr,
): number {
  const result = doMremap(mmu, task, addr, oldSize, newSize, flags, newAddr);
  if (result >= 0 && task.mm.phys.tracer.enabled) {
    const oldLength = (flags & MREMAP_DONTUNMAP) !== 0 ? 0 : wrapAlign(oldSize);
    task.mm.phys.tracer.emit({
      type: "mremap",
      pid: task.pid,
      oldAddress: addr,
      oldLength,
      address: result,
      length: wrapAlign(newSize),
    });
  }
  return result;
}

function doMremap(
  mmu: Mmu,
  task: Task,
  addr: Vaddr,
  oldSize: number,
  newSize: number,
  flags: number,
  newAddr: Vaddr,
): number {
  const { mm } = task;
  const remap: Remap = { mm, flags, addr, oldLen: wrapAlign(oldSize), newLen: wrapAlign(newSize), newAddr };
  const refused = checkParameters(remap);
  if (refused !== 0) return refused;
  if ((flags & MREMAP_FIXED) !== 0 && remap.oldLen === remap.newLen) {
    return remapMove(mmu, task, remap);
  }
  const vma = mm.vmas.lookup(addr);
  const failed = checkVma(remap, vma);
  if (vma === null || failed !== 0) return failed;
  return impliesNewAddress(remap) ? remapTo(mmu, task, remap, vma) : remapAt(mmu, task, remap, vma);
}

/** Rounds up to pages as a 64-bit number that wraps. */
function wrapAlign(size: number): number {
  return wrap(pageAlign(size));
}

/** A sum of two 64-bit numbers as the kernel's arithmetic has it. */
function wrap(sum: number): number {
  return sum >= 2 ** 64 ? sum - 2 ** 64 : sum;
}

function impliesNewAddress(remap: Remap): boolean {
  return (remap.flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) !== 0;
}

/** What can be said without looking at a mapping (check_mremap_params). */
function checkParameters(remap: Remap): number {
  const { mm, flags, addr, oldLen, newLen, newAddr } = remap;
  const { taskSize } = mm.arch;
  if ((flags & ~(MREMAP_FIXED | MREMAP_MAYMOVE | MREMAP_DONTUNMAP)) !== 0) return -EINVAL;
  if (!isPageAligned(addr)) return -EINVAL;
  if (newLen === 0) return -EINVAL;
  if (newLen > taskSize) return -EINVAL;
  if (!impliesNewAddress(remap)) return 0;
  if (newAddr > taskSize - newLen) return -EINVAL;
  if (!isPageAligned(newAddr)) return -EINVAL;
  if ((flags & MREMAP_MAYMOVE) === 0) return -EINVAL;
  if ((flags & MREMAP_DONTUNMAP) !== 0 && oldLen !== newLen) return -EINVAL;
  if (wrap(addr + oldLen) > newAddr && wrap(newAddr + newLen) > addr) return -EINVAL;
  // A move may split a mapping into three, twice; being refused half way would be worse.
  if (mm.mapCount + 2 >= mm.maxMapCount - 3) return -ENOMEM;
  return 0;
}

/** Whether this mapping can be remapped so (check_prep_vma). */
function checkVma(remap: Remap, vma: VmArea | null): number {
  const { mm, flags, addr } = remap;
  if (vma === null) return -EFAULT;
  if ((vma.flags & VM_SEALED) !== 0) return -EPERM;
  if ((vma.flags & VM_HUGETLB) !== 0 && !alignHugetlb(remap, vmaKernelPagesize(vma))) return -EINVAL;
  const { newLen } = remap;
  if (!impliesNewAddress(remap)) remap.newAddr = addr;
  const shrinks = remap.oldLen > newLen;
  if (!impliesNewAddress(remap) && remap.oldLen >= newLen) return 0;
  // An old length of 0 asks for a second view, which only shared memory can have.
  if (remap.oldLen === 0 && (vma.flags & (VM_SHARED | VM_MAYSHARE)) === 0) return -EINVAL;
  if ((flags & MREMAP_DONTUNMAP) !== 0 && (vma.flags & VM_DONTEXPAND) !== 0) return -EINVAL;
  const oldLen = shrinks ? newLen : remap.oldLen;
  if (oldLen > vma.end - addr) return -EFAULT;
  if (newLen === oldLen) return 0;
  if ((vma.flags & VM_DONTEXPAND) !== 0) return -EFAULT;
  const delta = newLen - oldLen;
  if (!mlockFutureOk(mm, vma.flags, delta)) return -EAGAIN;
  if (!mayExpandVm(mm, vma.flags, delta / PAGE_SIZE)) return -ENOMEM;
  return 0;
}

/**
 * Rounds up to huge pages; false where an address lies inside of one (the new one counts even where it is not asked for),
 * or for growth, which no promise of huge pages can follow (align_hugetlb).
 */
function alignHugetlb(remap: Remap, pageSize: number): boolean {
  remap.oldLen = Math.ceil(remap.oldLen / pageSize) * pageSize;
  remap.newLen = Math.ceil(remap.newLen / pageSize) * pageSize;
  if (remap.addr % pageSize !== 0 || remap.newAddr % pageSize !== 0) return false;
  return remap.newLen <= remap.oldLen;
}

/** Resizes without a wish for a place (mremap_at). */
function remapAt(mmu: Mmu, task: Task, remap: Remap, vma: VmArea): number {
  const { mm, addr, oldLen, newLen } = remap;
  if (newLen === oldLen) return addr;
  if (newLen < oldLen) {
    const failed = doMunmap(mm, addr + newLen, addr + oldLen);
    return failed !== 0 ? failed : addr;
  }
  if (canExpandInPlace(remap, vma)) return expandInPlace(mmu, task, remap, vma);
  if ((remap.flags & MREMAP_MAYMOVE) === 0) return -ENOMEM;
  const placed = findPlace(remap, vma, /* hint */ 0);
  return placed !== 0 ? placed : moveVma(mmu, task, remap, vma);
}

/** Moves to (about) newAddr, making room there and shrinking first (mremap_to). */
function remapTo(mmu: Mmu, task: Task, remap: Remap, found: VmArea): number {
  const { mm } = remap;
  let vma: VmArea | null = found;
  if ((remap.flags & MREMAP_FIXED) !== 0) {
    const failed = doMunmap(mm, remap.newAddr, remap.newAddr + remap.newLen);
    if (failed !== 0) return failed;
    vma = mm.vmas.lookup(remap.addr);
    if (vma === null) return -EFAULT;
  }
  if (remap.newLen < remap.oldLen) {
    const failed = doMunmap(mm, remap.addr + remap.newLen, remap.addr + remap.oldLen);
    if (failed !== 0) return failed;
    remap.oldLen = remap.newLen;
    vma = mm.vmas.lookup(remap.addr);
    if (vma === null) return -EFAULT;
  }
  if ((remap.flags & MREMAP_DONTUNMAP) !== 0 && !mayExpandVm(mm, vma.flags, remap.oldLen / PAGE_SIZE)) {
    return -ENOMEM;
  }
  const placed = findPlace(remap, vma, remap.newAddr);
  return placed !== 0 ? placed : moveVma(mmu, task, remap, vma);
}

/** A FIXED move of equal sizes over any number of mappings, which keep their distances (remap_move). */
function remapMove(mmu: Mmu, task: Task, remap: Remap): number {
  const { mm, addr: start, newAddr } = remap;
  const end = start + remap.oldLen;
  let result = -EFAULT;
  let target: number = newAddr;
  let lastEnd: number = start;
  let at: number = start;
  for (let seen = false; ; seen = true) {
    // With DONTUNMAP the last mapping is still there when its part has moved.
    const vma = at < end ? mm.vmas.findIntersection(at, end) : null;
    if (vma === null) return result;
    const from = Math.max(vma.start, start);
    if (!seen && start < from) return -EFAULT;
    if (vma.file?.movesAlone === true && (seen || vma.end < end)) return -EFAULT;
    const upTo = Math.min(vma.end, end);
    const piece: Remap = {
      mm,
      flags: remap.flags,
      addr: from,
      oldLen: upTo - from,
      newLen: upTo - from,
      newAddr: target + (seen ? vma.start - lastEnd : 0),
    };
    lastEnd = vma.end;
    const failed = checkVma(piece, vma);
    const moved = failed !== 0 ? failed : remapTo(mmu, task, piece, vma);
    if (moved < 0) return moved;
    if (!seen) result = moved;
    target = moved + piece.newLen;
    at = upTo;
  }
}

/** Whether the whole tail of the mapping is being grown, and nothing lies behind it (vrm_can_expand_in_place). */
function canExpandInPlace(remap: Remap, vma: VmArea): boolean {
  const { mm, addr, oldLen, newLen } = remap;
  if (addr + oldLen !== vma.end) return false;
  const end = vma.end + newLen - oldLen;
  if (end > mm.arch.taskSize || mm.vmas.findIntersection(vma.end, end) !== null) return false;
  return getUnmappedArea(mm, vma.start, end - vma.start, 0, MAP_FIXED) >= 0;
}

function expandInPlace(mmu: Mmu, task: Task, remap: Remap, vma: VmArea): number {
  const { mm, addr, oldLen, newLen } = remap;
  const delta = newLen - oldLen;
  const { flags } = vma;
  const charged = (flags & VM_ACCOUNT) !== 0 ? delta / PAGE_SIZE : 0;
  if (charged > 0 && !vmEnoughMemory(mm, charged)) return -ENOMEM;
  if (vmaMergeExtend(vma, delta) === null) {
    mm.phys.commit.uncharge(charged);
    return -ENOMEM;
  }
  vmStatAccount(mm, flags, delta / PAGE_SIZE);
  if ((flags & VM_LOCKED) !== 0) mm.lockedVm += delta / PAGE_SIZE;
  populateIfLocked(mmu, task, flags, addr + oldLen, delta);
  return addr;
}

/** Chooses remap.newAddr (vrm_set_new_addr). 0 or a negative errno. */
function findPlace(remap: Remap, vma: VmArea, hint: Vaddr): number {
  const flags =
    ((remap.flags & MREMAP_FIXED) !== 0 ? MAP_FIXED : 0) | ((vma.flags & VM_MAYSHARE) !== 0 ? MAP_SHARED : 0);
  const pgoff = vma.pgoff + (remap.addr - vma.start) / PAGE_SIZE;
  const found = getUnmappedArea(remap.mm, hint, remap.newLen, pgoff, flags, vma.file);
  if (found < 0) return found;
  remap.newAddr = found;
  return 0;
}

/** Makes the new mapping, moves the pages, and takes the old mapping away (move_vma). */
function moveVma(mmu: Mmu, task: Task, remap: Remap, vma: VmArea): number {
  const { mm, addr, oldLen, newLen, newAddr, flags } = remap;
  const vmFlags = vma.flags;
  const dontUnmap = (flags & MREMAP_DONTUNMAP) !== 0;
  if (mm.mapCount >= mm.maxMapCount - 3) return -ENOMEM;
  const isAccounted = (vmFlags & VM_ACCOUNT) !== 0;
  const charged = isAccounted ? (dontUnmap ? newLen : newLen - oldLen) / PAGE_SIZE : 0;
  if (isAccounted && !vmEnoughMemory(mm, charged)) return -ENOMEM;
  const copied = copyVma(vma, newAddr, newLen, vma.pgoff + (addr - vma.start) / PAGE_SIZE);
  if (copied === null) {
    mm.phys.commit.uncharge(charged);
    return -ENOMEM;
  }
  vmStatAccount(mm, vmFlags, newLen / PAGE_SIZE);
  if ((vmFlags & VM_LOCKED) !== 0) mm.lockedVm += newLen / PAGE_SIZE;
  // No huge page is ever there, so there is nothing to move, and no table to move it to (move_hugetlb_page_tables).
  const moved = (vmFlags & VM_HUGETLB) !== 0 ? oldLen : movePageTables(mm, addr, newAddr, oldLen);
  if (moved < oldLen) {
    // Back with what has moved; then the new mapping, empty again, goes as if it had never been.
    movePageTables(mm, newAddr, addr, moved);
    // The unmapping takes back the whole length, where only the charge is to go.
    if (isAccounted) mm.phys.commit.add(newLen / PAGE_SIZE - charged);
    doMunmap(mm, newAddr, newAddr + newLen);
    return -ENOMEM;
  }
  if (dontUnmap) {
    dontUnmapComplete(remap, copied.source, copied.area);
  } else if (oldLen > 0) {
    // The promise moves along, and must survive the unmapping.
    if (isAccounted) mm.phys.commit.add(oldLen / PAGE_SIZE);
    // A cut that can't be made leaves the old mapping there, empty. The move itself is done, and is what is answered.
    doMunmap(mm, addr, addr + oldLen);
  }
  populateIfLocked(mmu, task, vmFlags, newAddr + oldLen, newLen - oldLen);
  return newAddr;
}

/**
 * The old mapping stays, empty where the pages went, and all of it is no longer locked (dontunmap_complete). Linux goes
 * on counting it as locked, as VmLck shows, and so it does with the pages of it that stay, as Mlocked shows.
 */
function dontUnmapComplete(remap: Remap, source: VmArea, area: VmArea): void {
  if ((source.flags & VM_LOCKED) !== 0) {
    remap.mm.lockedVmLost += (source.end - source.start) / PAGE_SIZE;
    remap.mm.phys.lostLocks = true;
    setVmaFlags(source, source.flags & ~(VM_LOCKED | VM_LOCKONFAULT));
  }
  // With all its pages gone it need no longer be found from any.
  if (source !== area && source.start === remap.addr && source.end === remap.addr + remap.oldLen) {
    unlinkAnonVmas(source);
  }
}

function populateIfLocked(mmu: Mmu, task: Task, flags: number, start: Vaddr, len: number): void {
  if ((flags & VM_LOCKED) !== 0 && len > 0) mmPopulate(mmu, task, start, start + len);
}
