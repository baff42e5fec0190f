/**
 * The reverse map of anonymous pages: from a frame to the mappings that may show it (mm/rmap.c).
 *
 * A file page names its address_space, which knows all mappings of the file. An anonymous page belongs to no file, so
 * a mapping gets an `anon_vma` when it faults its first page in, and each of its pages names that. After fork, parent
 * and child show the same frames until they write; new pages of either are its own. So the child's mapping hangs in the
 * parent's anon_vma (where the old pages are) and gets one of its own for the new pages. A mapping thus has a list of
 * chains, its own anon_vma first, then its ancestors' up to the root:
 *
 * ```
 *                  anon_vma A (root)   anon_vma B (parent A)   anon_vma C (parent B)
 *   process 1  vma ─── chain
 *   process 2  vma ─── chain ──────────────── chain                                     forked from 1
 *   process 3  vma ─── chain ──────────────── chain ────────────────── chain            forked from 2
 * ```
 *
 * A page that names B may be mapped by processes 2 and 3. Each anon_vma keeps its mappings in an interval tree by
 * pgoff, the page's `index`: splitting and moving leave a page's pgoff as it was.
 *
 * Whose number is it: an anon_vma has an id in PhysicalMemory.owners as long as any chain names it. A page that is
 * mapped, or whose swap entry a PTE holds, has a mapping with that chain, so its id is good. A page with map count 0
 * that somebody still holds may carry a number that has gone to another owner: as in Linux, who follows `mapping`
 * looks at the map count first. Counting pages instead would cost two writes for each fault.
 *
 * Invariants: chain[0].anonVma is vma.anonVma, unless a merge or fork reused an ancestor's; the last chain's is the
 * root; every chain of a mapping stands in its anon_vma's tree with the mapping's pgoff range; numActiveVmas counts the
 * mappings whose anonVma it is; numChildren counts the anon_vmas whose parent it is (the root being its own parent).
 */
import type { PageOwner } from "../frames/physical-memory.ts";
import { PAGE_SIZE, type PgOff } from "../page.ts";
import { ENOMEM } from "../uapi/errno.ts";
import { IntervalNode, IntervalTree } from "./interval-tree.ts";
import { mpolEqual } from "./mempolicy.ts";
import type { VmArea } from "./vm-area.ts";
import { VM_ACCESS_FLAGS, VM_IGNORE_MERGE } from "./vm-flags.ts";

export class AnonVma implements PageOwner {
  readonly ownerKind = "anon";
  /** Number in PhysicalMemory.owners: what frames carry in their `mapping` column. */
  readonly id: number;
  /** The anon_vma of the first ancestor, itself for that one; and the one it was forked from, itself for a root. */
  readonly root: AnonVma;
  readonly parent: AnonVma;
  /** Mappings that may show pages of this anon_vma, by pgoff. */
  readonly tree: IntervalTree<VmArea> = new IntervalTree<VmArea>();
  numChildren = 0;
  numActiveVmas = 0;

  constructor(vma: VmArea, parent: AnonVma | null) {
    this.root = parent?.root ?? this;
    this.parent = parent ?? this;
    this.parent.numChildren++;
    this.id = vma.mm.phys.owners.add(this);
  }
}

/** One mapping's place in one anon_vma's tree. */
export class AnonVmaChain extends IntervalNode<VmArea> {
  readonly anonVma: AnonVma;

  constructor(vma: VmArea, anonVma: AnonVma) {
    super(vma, vma.pgoff, lastPgoff(vma));
    this.anonVma = anonVma;
    anonVma.tree.insert(this);
  }
}

/** Gives the mapping an anon_vma before its first anonymous page (anon_vma_prepare). 0 or −ENOMEM. */
export function anonVmaPrepare(vma: VmArea): number {
  if (vma.anonVma !== null) return 0;
  if (!vma.mm.mayAllocVma()) return -ENOMEM;
  const anonVma = findMergeableAnonVma(vma) ?? new AnonVma(vma, null);
  vma.anonVma = anonVma;
  anonVma.numActiveVmas++;
  vma.anonVmaChain.push(new AnonVmaChain(vma, anonVma));
  return 0;
}

/**
 * Lets `dst`, which has no anon_vma yet, show whatever anonymous pages `src` may show: for splitting, moving and
 * merging within one address space (anon_vma_clone). 0, or −ENOMEM with `dst` as it was.
 */
export function anonVmaClone(dst: VmArea, src: VmArea): number {
  const error = cloneChains(dst, src);
  if (error !== 0) return error;
  dst.anonVma = src.anonVma;
  if (dst.anonVma !== null) dst.anonVma.numActiveVmas++;
  return 0;
}

/**
 * The child's mapping after fork: hung in all anon_vmas of the parent's mapping, with one of its own for new pages
 * (anon_vma_fork). An ancestor's anon_vma whose own mapping is gone and which has one child at most is taken over
 * instead, so that a line of processes, each of which forks and exits, does not grow its chains for ever.
 * 0, or −ENOMEM with the child's mapping as it was.
 */
export function anonVmaFork(vma: VmArea, parentVma: VmArea): number {
  const parent = parentVma.anonVma;
  if (parent === null) return 0;
  const error = cloneChains(vma, parentVma);
  if (error !== 0) return error;
  const reusable = vma.anonVmaChain.findLast(
    ({ anonVma }) => anonVma.numChildren < 2 && anonVma.numActiveVmas === 0,
  );
  if (reusable !== undefined) {
    vma.anonVma = reusable.anonVma;
  } else {
    if (!vma.mm.mayAllocVma()) {
      unlinkAnonVmas(vma);
      return -ENOMEM;
    }
    vma.anonVma = new AnonVma(vma, parent);
    vma.anonVmaChain.unshift(new AnonVmaChain(vma, vma.anonVma));
  }
  vma.anonVma.numActiveVmas++;
  return 0;
}

/** Takes the mapping out of every anon_vma (unlink_anon_vmas). Precondition: it maps no anonymous page any more. */
export function unlinkAnonVmas(vma: VmArea): void {
  if (vma.anonVmaChain.length === 0) return;
  // From the newest to the root: an anon_vma goes before its parent.
  for (const chain of vma.anonVmaChain) {
    const { anonVma } = chain;
    anonVma.tree.remove(chain);
    if (!anonVma.tree.isEmpty) continue;
    anonVma.parent.numChildren--;
    vma.mm.phys.owners.remove(anonVma.id);
  }
  vma.anonVmaChain.length = 0;
  if (vma.anonVma === null) return;
  vma.anonVma.numActiveVmas--;
  vma.anonVma = null;
}

/** Brings the mapping's places in the trees to its pgoff range: after every change of that. */
export function resizeAnonVmaChains(vma: VmArea): void {
  for (const chain of vma.anonVmaChain) chain.anonVma.tree.resize(chain, vma.pgoff, lastPgoff(vma));
}

function cloneChains(dst: VmArea, src: VmArea): number {
  for (const { anonVma } of src.anonVmaChain) {
    if (!dst.mm.mayAllocVma()) {
      unlinkAnonVmas(dst);
      return -ENOMEM;
    }
    dst.anonVmaChain.push(new AnonVmaChain(dst, anonVma));
  }
  return 0;
}

/** A neighbour's anon_vma, where the two may merge later (find_mergeable_anon_vma): next first, then prev. */
function findMergeableAnonVma(vma: VmArea): AnonVma | null {
  const { prev, next } = vma;
  return (
    (next !== null && anonVmaCompatible(vma, next) ? reusableAnonVma(next) : null) ??
    (prev !== null && anonVmaCompatible(prev, vma) ? reusableAnonVma(prev) : null)
  );
}

/** Not one that went through a fork: sharing it would let neighbours merge that Linux keeps apart. */
function reusableAnonVma(neighbour: VmArea): AnonVma | null {
  return neighbour.anonVmaChain.length === 1 ? neighbour.anonVma : null;
}

/** Adjacent, continuing, and different in nothing but what mprotect may change. */
function anonVmaCompatible(a: VmArea, b: VmArea): boolean {
  return (
    a.end === b.start &&
    a.file === b.file &&
    mpolEqual(a.policy, b.policy) &&
    ((a.flags ^ b.flags) & ~(VM_ACCESS_FLAGS | VM_IGNORE_MERGE)) === 0 &&
    b.pgoff === a.pgoff + (b.start - a.start) / PAGE_SIZE
  );
}

function lastPgoff(vma: VmArea): PgOff {
  return vma.pgoff + (vma.end - vma.start) / PAGE_SIZE - 1;
}
