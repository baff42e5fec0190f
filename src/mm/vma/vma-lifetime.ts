/**
 * The life of a mapping: allocated, linked, its bounds and flags changed, detached, removed.
 *
 * A mapping stands in up to three places at once, each keyed by its bounds: the tree of its address space (by
 * address), its file's i_mmap and its anon_vmas' trees (both by pgoff). Every change of a linked mapping goes through
 * this file, so that the three always agree.
 *
 * ```
 *   allocVma / dupVma ──▶ vmaLink ──▶ setVmaRange, setVmaFlags ──▶ detachVma ──▶ (its pages are unmapped) ──▶ removeVma
 *          │          linkSplitVma    moveVmaBoundary           └─▶ absorbVma, by a neighbour that it merges with
 *          └──────── freeVma, when it was never linked
 * ```
 *
 * A mapping of a file holds one reference to it from allocVma or dupVma to removeVma or freeVma.
 */
import { PAGE_SIZE, type PgOff, type Vaddr } from "../page.ts";
import { resizeAnonVmaChains, unlinkAnonVmas } from "./anon-vma.ts";
import { IntervalNode } from "./interval-tree.ts";
import type { MmStruct } from "./mm-struct.ts";
import { vmaSetPageProt } from "./page-prot.ts";
import { VmArea } from "./vm-area.ts";
import { VM_MAYBE_GUARD, VM_MAYWRITE, VM_SHARED } from "./vm-flags.ts";
import type { MappedFile, VmOperations } from "./vm-operations.ts";

/** What a mapping is to be: start … end of an address space, and what it shows there. */
export interface VmaRange {
  readonly start: Vaddr;
  readonly end: Vaddr;
  /** VM_… bits */
  readonly flags: number;
  /** offset in the file, for anonymous memory start's page number (pages) */
  readonly pgoff: PgOff;
  readonly file: MappedFile | null;
  readonly ops: VmOperations | null;
}

/**
 * A mapping that stands nowhere yet, with a file reference of its own; null when memory is out. Each is an object of the
 * host's that no RAM is charged for, so all address spaces together have no more than a machine of this size could hold.
 */
export function allocVma(mm: MmStruct, range: VmaRange): VmArea | null {
  const { phys } = mm;
  if (phys.nrVmas >= phys.maxVmas || !mm.mayAllocVma()) return null;
  phys.nrVmas++;
  const vma = new VmArea(mm, range.start, range.end, range.flags, 0, range.pgoff);
  vma.file = range.file;
  vma.ops = range.ops;
  vma.file?.get();
  vmaSetPageProt(vma);
  return vma;
}

/**
 * A copy of `vma` for `mm` (vm_area_dup) that stands nowhere yet, with a file reference of its own; null when memory
 * is out. The caller shares the anon_vmas (anonVmaClone, anonVmaFork) and then tells ops.open.
 */
export function dupVma(mm: MmStruct, vma: VmArea): VmArea | null {
  const copy = allocVma(mm, vma);
  if (copy === null) return null;
  copy.policy = vma.policy;
  copy.swapRaAddr = vma.swapRaAddr;
  copy.swapRaWin = vma.swapRaWin;
  copy.swapRaHits = vma.swapRaHits;
  return copy;
}

/** Undoes allocVma or dupVma of a mapping that was never linked. */
export function freeVma(vma: VmArea): void {
  vma.mm.phys.nrVmas--;
  unlinkAnonVmas(vma);
  vma.file?.put();
}

/** Makes the mapping part of its address space (vma_link). Precondition: nothing is mapped there. */
export function vmaLink(mm: MmStruct, vma: VmArea): void {
  mm.vmas.insert(vma);
  linkFile(vma);
}

/** Gives one end of the linked `vma` to `added`, which has its bounds and stands nowhere yet but in its anon_vmas. */
export function linkSplitVma(vma: VmArea, added: VmArea): void {
  vma.mm.vmas.split(vma, added);
  resizeRmap(vma);
  linkFile(added);
}

/** Moves the bounds of a linked mapping. Precondition: the new range is free or its own. */
export function setVmaRange(vma: VmArea, start: Vaddr, end: Vaddr, pgoff: PgOff): void {
  vma.mm.vmas.resize(vma, start, end, pgoff);
  resizeRmap(vma);
}

/** Moves the boundary between two adjacent linked mappings to `addr`, inside one of them. */
export function moveVmaBoundary(lower: VmArea, upper: VmArea, addr: Vaddr): void {
  lower.mm.vmas.moveBoundary(lower, upper, addr);
  resizeRmap(lower);
  resizeRmap(upper);
}

/**
 * Gives the range of `gone` to its neighbour `vma`, both linked, and ends it: as detachVma and removeVma, but what was
 * mapped lives on, so no close.
 */
export function absorbVma(vma: VmArea, gone: VmArea): void {
  vma.mm.vmas.absorb(vma, gone);
  vma.mm.phys.nrVmas--;
  resizeRmap(vma);
  unlinkRmap(gone);
  gone.file?.put();
}

/** Gives the mapping other VM_… bits, and its pages-to-be the protection that follows from them. */
export function setVmaFlags(vma: VmArea, flags: number): void {
  vma.flags = flags | (vma.flags & VM_MAYBE_GUARD);
  vmaSetPageProt(vma);
}

/**
 * Takes the mapping out of its address space: no fault finds it any more. The reverse maps still do, since its pages
 * are yet to be unmapped.
 */
export function detachVma(vma: VmArea): void {
  vma.mm.vmas.remove(vma);
}

/** The end of a detached mapping whose pages are unmapped (unlink_anon_vmas, unlink_file_vma, remove_vma). */
export function removeVma(vma: VmArea): void {
  vma.mm.phys.nrVmas--;
  unlinkRmap(vma);
  vma.ops?.close?.(vma);
  vma.file?.put();
}

function linkFile(vma: VmArea): void {
  if (vma.file === null) return;
  const node = new IntervalNode<VmArea>(vma, vma.pgoff, lastPgoff(vma));
  vma.iMmapNode = node;
  vma.file.mapping.iMmap.insert(node);
  if (mayWriteFile(vma)) vma.file.mapping.writableMappings++;
}

function resizeRmap(vma: VmArea): void {
  if (vma.iMmapNode !== null) vma.file?.mapping.iMmap.resize(vma.iMmapNode, vma.pgoff, lastPgoff(vma));
  resizeAnonVmaChains(vma);
}

function unlinkRmap(vma: VmArea): void {
  unlinkAnonVmas(vma);
  const node = vma.iMmapNode;
  if (node === null) return;
  vma.iMmapNode = null;
  if (vma.file === null) return;
  vma.file.mapping.iMmap.remove(node);
  if (mayWriteFile(vma)) vma.file.mapping.writableMappings--;
}

/** Whether the file could be written through this mapping, now or after an mprotect (vma_is_shared_maywrite). */
function mayWriteFile(vma: VmArea): boolean {
  return (vma.flags & (VM_SHARED | VM_MAYWRITE)) === (VM_SHARED | VM_MAYWRITE);
}

function lastPgoff(vma: VmArea): PgOff {
  return vma.pgoff + (vma.end - vma.start) / PAGE_SIZE - 1;
}
