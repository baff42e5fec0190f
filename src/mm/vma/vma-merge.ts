/**
 * Merging: adjacent mappings that differ in nothing are one mapping (mm/vma.c).
 *
 * A program that maps a page a million times side by side, or that turns a range read-only page by page, must not end
 * with a million mappings. So whenever a range is mapped, or its flags change, the neighbours are looked at: they may
 * join when they have the same flags, file and memory policy, when the offset in the file (for anonymous memory the pgoff)
 * continues, and when their anonymous pages can be found from one anon_vma.
 *
 * ```
 *   a new range *               flags of a part * of V change
 *   A***B  →  AAAAA             AVVVB, * = all of V  →  AAAAA, AAAAB or ABBBB
 *   A***   →  AAAA              A**VV                →  AAAVV
 *   ***B   →  BBBB              VV**B                →  VVBBB
 * ```
 *
 * Mappings of a file system that counts them (ops.close) are never merged away, though they may grow.
 */
import { PAGE_SIZE, type PgOff, type Vaddr } from "../page.ts";
import { type AnonVma, anonVmaClone } from "./anon-vma.ts";
import { type Mempolicy, mpolEqual } from "./mempolicy.ts";
import type { MmStruct } from "./mm-struct.ts";
import type { VmArea } from "./vm-area.ts";
import { VM_DONTEXPAND, VM_IGNORE_MERGE, VM_STICKY } from "./vm-flags.ts";
import type { MappedFile } from "./vm-operations.ts";
import { absorbVma, moveVmaBoundary, setVmaRange, type VmaRange } from "./vma-lifetime.ts";

/** The range that looks for neighbours (struct vma_merge_struct). */
interface MergeRange {
  readonly start: Vaddr;
  readonly end: Vaddr;
  readonly flags: number;
  readonly pgoff: PgOff;
  readonly file: MappedFile | null;
  readonly policy: Mempolicy | null;
  /** Where the range's anonymous pages are found; null when it has none. */
  readonly anonVma: AnonVma | null;
  /** The mapping that holds those pages now: the one being changed, or the one that mremap moves. */
  readonly source: VmArea | null;
}

/**
 * Maps a free range by growing a neighbour over it, and over the other neighbour as well where all three fit
 * (vma_merge_new_range). Answers the grown mapping; null where none fits (or memory is out): then a mapping of its own
 * is to be linked.
 */
export function vmaMergeNewRange(mm: MmStruct, range: VmaRange): VmArea | null {
  const next = mm.vmas.find(range.start);
  const prev = next === null ? mm.vmas.last : next.prev;
  // Field by field: spreading a range costs more than the merge.
  const { start, end, flags, pgoff, file } = range;
  const merged = mergeNew(
    { start, end, flags, pgoff, file, policy: null, anonVma: null, source: null },
    prev,
    next,
  );
  return typeof merged === "number" ? null : merged;
}

/** As vmaMergeNewRange, for the range that mremap moves `source` to (vma_merge_copied_range). */
export function vmaMergeCopied(source: VmArea, start: Vaddr, end: Vaddr, pgoff: PgOff): VmArea | null {
  const { flags, file, policy, anonVma, mm } = source;
  const next = mm.vmas.find(start);
  const prev = next === null ? mm.vmas.last : next.prev;
  const merged = mergeNew({ start, end, flags, pgoff, file, policy, anonVma, source }, prev, next);
  return typeof merged === "number" ? null : merged;
}

/**
 * Grows a mapping by `delta` bytes upwards, over the next one as well where it fits (vma_merge_extend). Answers the
 * mapping, or null when it can't grow. Precondition: the bytes above it are free.
 */
export function vmaMergeExtend(vma: VmArea, delta: number): VmArea | null {
  const { end, flags, file, policy, anonVma } = vma;
  const pgoff = vma.pgoff + (end - vma.start) / PAGE_SIZE;
  const range = { start: end, end: end + delta, flags, pgoff, file, policy, anonVma, source: null };
  const merged = mergeNew(range, vma, vma.next);
  return typeof merged === "number" ? null : merged;
}

/**
 * Grows `prev`, and it alone, over a range of anonymous memory right above it: the heap's way (do_brk_flags with
 * just_expand). Answers it, null when it doesn't fit, or −ENOMEM.
 */
export function vmaJustExpand(prev: VmArea, end: Vaddr, flags: number): VmArea | number | null {
  const start = prev.end;
  const pgoff = start / PAGE_SIZE;
  const range = { start, end, flags, pgoff, file: null, policy: null, anonVma: null, source: null };
  return mergeNew(range, prev, null);
}

/**
 * Joins start … end, a part of `vma` whose flags and policy are about to become these, to the neighbours that have them
 * (vma_merge_existing_range). Answers the neighbour that grew, null where none fits, or −ENOMEM, nothing changed.
 */
export function vmaMergeExisting(
  vma: VmArea,
  start: Vaddr,
  end: Vaddr,
  flags: number,
  policy: Mempolicy | null = vma.policy,
): VmArea | number | null {
  const wholeLeft = start === vma.start;
  const wholeRight = end === vma.end;
  if (isSpecial(flags) || (!wholeLeft && !wholeRight)) return null;
  const { file, anonVma } = vma;
  const pgoff = vma.pgoff + (start - vma.start) / PAGE_SIZE;
  const range = { start, end, flags, pgoff, file, policy, anonVma, source: vma };
  const { prev } = vma;
  const left = wholeLeft && prev !== null && canMergeLeft(range, prev) ? prev : null;
  let right = wholeRight && vma.next !== null && canMergeRight(range, left, vma.next) ? vma.next : null;
  if (left === null && right === null) return null;
  const vmaGoes = wholeLeft && wholeRight;
  if (vmaGoes && !mayGo(vma)) return null;
  if (left !== null && right !== null && !mayGo(right)) right = null;

  if (left !== null) {
    const error = dupAnonVma(left, right !== null && right.anonVma !== null ? right : vma);
    if (error !== 0) return error;
    left.flags |= (vma.flags | (right?.flags ?? 0)) & VM_STICKY;
    if (vmaGoes) absorbVma(left, vma);
    else moveVmaBoundary(left, vma, end);
    if (right !== null) absorbVma(left, right);
    return left;
  }
  if (right === null) return null;
  const error = dupAnonVma(right, vma);
  if (error !== 0) return error;
  right.flags |= vma.flags & VM_STICKY;
  if (vmaGoes) absorbVma(right, vma);
  else moveVmaBoundary(vma, right, start);
  return right;
}

/** Whether the neighbours `a` and `b` would be one mapping if `b` were changed now: for the validator. */
export function areMergeable(a: VmArea, b: VmArea): boolean {
  const { start, end, flags, pgoff, file, policy, anonVma } = b;
  const range = { start, end, flags, pgoff, file, policy, anonVma, source: b };
  return !isSpecial(flags) && mayGo(b) && canMergeLeft(range, a);
}

/** Grows `prev` or `next` over the free range between them. The grown mapping, null, or −ENOMEM with nothing changed. */
function mergeNew(range: MergeRange, prev: VmArea | null, next: VmArea | null): VmArea | number | null {
  if (isSpecial(range.flags)) return null;
  const left = prev !== null && canMergeLeft(range, prev) ? prev : null;
  const right = next !== null && canMergeRight(range, left, next) ? next : null;
  const target = left ?? right;
  if (target === null) return null;
  const goes = left !== null && right !== null && mayGo(right) ? right : null;
  let error = goes === null ? 0 : dupAnonVma(target, goes);
  // Pages are about to move here from `source`: they must be found from the target, too.
  if (error === 0 && range.source !== null) error = dupAnonVma(target, range.source);
  if (error !== 0) return error;
  target.flags |= (range.flags | (goes?.flags ?? 0)) & VM_STICKY;
  if (left !== null) setVmaRange(left, left.start, range.end, left.pgoff);
  else setVmaRange(target, range.start, target.end, range.pgoff);
  if (goes !== null) absorbVma(target, goes);
  return target;
}

function canMergeLeft(range: MergeRange, prev: VmArea): boolean {
  return (
    prev.end === range.start &&
    isMergeable(range, prev) &&
    prev.pgoff + (prev.end - prev.start) / PAGE_SIZE === range.pgoff
  );
}

/** @param left the mapping below, where that merges: the two must fit each other, too */
function canMergeRight(range: MergeRange, left: VmArea | null, next: VmArea): boolean {
  if (
    range.end !== next.start ||
    !isMergeable(range, next) ||
    next.pgoff !== range.pgoff + (range.end - range.start) / PAGE_SIZE
  ) {
    return false;
  }
  return left === null || left.anonVma === null || next.anonVma === null || left.anonVma === next.anonVma;
}

/** Whether range and neighbour differ in nothing that matters (is_mergeable_vma, is_mergeable_anon_vma). */
function isMergeable(range: MergeRange, neighbour: VmArea): boolean {
  if (((range.flags ^ neighbour.flags) & ~VM_IGNORE_MERGE) !== 0 || range.file !== neighbour.file)
    return false;
  if (!mpolEqual(range.policy, neighbour.policy)) return false;
  // One of them has anonymous pages: the other takes its anon_vma over. Not if that came through a fork, for then
  // more and more mappings would hang in the trees of the whole family.
  if (neighbour.anonVma === null && range.anonVma !== null) return !isForkChild(range.source);
  if (neighbour.anonVma !== null && range.anonVma === null) return !isForkChild(neighbour);
  return neighbour.anonVma === range.anonVma;
}

/** Whether pages of an ancestor may be mapped here (vma_had_uncowed_parents). */
function isForkChild(vma: VmArea | null): boolean {
  return vma !== null && vma.anonVma !== null && vma.anonVmaChain.length !== 1;
}

/** Mappings that never merge (VM_SPECIAL). */
function isSpecial(flags: number): boolean {
  return (flags & VM_DONTEXPAND) !== 0;
}

/** Whether a merge may delete this mapping: not one whose file system counts its mappings (can_merge_remove_vma). */
function mayGo(vma: VmArea): boolean {
  return vma.ops?.close === undefined;
}

function dupAnonVma(dst: VmArea, src: VmArea): number {
  return src.anonVma !== null && dst.anonVma === null ? anonVmaClone(dst, src) : 0;
}
