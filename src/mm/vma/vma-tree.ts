/**
 * The mappings of an address space, ordered by address, in a red-black tree that knows where the holes are.
 *
 * A fault asks "which mapping holds this address?", mmap asks "where is a hole of this size?", and a program may have
 * 65,530 mappings. Ordered by address, a tree answers the first in O(log n). For the second, each mapping carries the
 * size of the hole right below it, and each node the largest such hole in its whole subtree: the search leaves out
 * every subtree whose largest hole is too small, and so walks straight to the highest or lowest that fits.
 *
 * ```
 *            gap(B)                 gap(C)
 *   │  A  │◀──────▶│  B  ││   D   │◀──────▶│ C │          B.subtreeGap = max(gap(A), gap(B), gap(C), …)
 * ```
 *
 * Linux kept exactly this tree (rb_subtree_gap in mm/mmap.c) until 6.1, when the maple tree took its place; what the
 * two answer is the same. The hole above the last mapping belongs to no node and is looked at by itself. Guard gaps
 * of growing stacks are not in here: they are a matter of who asks (unmapped-area.ts).
 *
 * An address is too large for V8's small integers, so each `start` is a pointer to a number elsewhere in memory. At a
 * million mappings the search waits for memory and little else, so it compares `treeKey`, the start in units of 128 KiB, and
 * then `treeLow`, the bytes left, which are small integers and lie in the object beside the links. Gaps are small
 * integers for the same reason, and kept, for to compute one takes the mapping before.
 *
 * Invariants: in order, start < end <= next.start; prev and next are the neighbours in order; the gap of a node is
 * start − prev.end, or start for the first, and its `gap` that in pages; subtreeGap is the largest `gap` in the subtree, both
 * up to MAX_GAP_PAGES; treeKey and treeLow follow from start;
 * `size` counts the nodes.
 */
import { RbTree } from "../../lib/rbtree.ts";
import { BugError } from "../bug.ts";
import { PAGE_SIZE, type PgOff, type Vaddr } from "../page.ts";
import type { VmArea } from "./vm-area.ts";

/** What lowestGap and highestGap answer when no hole fits. */
export const NO_GAP = -1;

/** Bytes of one unit of treeKey: 2^47 addresses fit the 30 bits that a small integer has in every build of V8. */
const KEY_BYTES = 2 ** 17;
const KEY_MASK: number = KEY_BYTES - 1;

/** The largest gap that is told from larger ones: 4 TiB less a page. */
const MAX_GAP_PAGES = 2 ** 30 - 1;

const SUBTREE_GAP = {
  recompute(vma: VmArea): boolean {
    let { gap } = vma;
    const { rbLeft, rbRight } = vma;
    if (rbLeft !== null && rbLeft.subtreeGap > gap) gap = rbLeft.subtreeGap;
    if (rbRight !== null && rbRight.subtreeGap > gap) gap = rbRight.subtreeGap;
    if (gap === vma.subtreeGap) return false;
    vma.subtreeGap = gap;
    return true;
  },
};

export class VmaTree {
  /** Mappings in the tree. */
  size = 0;
  first: VmArea | null = null;
  last: VmArea | null = null;
  readonly #tree: RbTree<VmArea> = new RbTree<VmArea>(SUBTREE_GAP);
  /** What find answered last, for faults come in runs, as do look-ups within a system call. Always in the tree, or null. */
  #hit: VmArea | null = null;

  /** For the validator. */
  get root(): VmArea | null {
    return this.#tree.root;
  }

  /** The first mapping that ends above `addr` (find_vma): the one that holds it, or the next one up, or null. */
  find(addr: Vaddr): VmArea | null {
    const hit = this.#hit;
    // In it, or in the hole right below it.
    if (hit !== null && addr < hit.end && (addr >= hit.start || hit.prev === null || addr >= hit.prev.end)) {
      return hit;
    }
    const key = Math.floor(addr / KEY_BYTES);
    const low = addr & KEY_MASK;
    let below: VmArea | null = null;
    let node = this.#tree.root;
    while (node !== null) {
      if (node.treeKey < key || (node.treeKey === key && node.treeLow <= low)) {
        below = node;
        node = node.rbRight;
      } else {
        node = node.rbLeft;
      }
    }
    // `below` is the last mapping that starts at or below the address.
    let found = below;
    if (below === null) found = this.first;
    else if (below.end <= addr) found = below.next;
    if (found !== null) this.#hit = found;
    return found;
  }

  /** The mapping that holds `addr`, or null (vma_lookup). */
  lookup(addr: Vaddr): VmArea | null {
    const vma = this.find(addr);
    return vma !== null && vma.start <= addr ? vma : null;
  }

  /** The lowest mapping that meets start … end, or null (find_vma_intersection). */
  findIntersection(start: Vaddr, end: Vaddr): VmArea | null {
    const vma = this.find(start);
    return vma !== null && vma.start < end ? vma : null;
  }

  /** The last mapping that ends at or below `addr`: the one before find(addr), or null. */
  findPrev(addr: Vaddr): VmArea | null {
    const vma = this.find(addr);
    return vma === null ? this.last : vma.prev;
  }

  insert(vma: VmArea): void {
    const next = this.find(vma.start);
    if (vma.start >= vma.end || (next !== null && next.start < vma.end)) {
      throw new BugError("VmaTree.insert", `${vma.start}–${vma.end} is empty or meets a neighbour`);
    }
    setTreeKey(vma);
    this.#link(vma, next === null ? this.last : next.prev, next);
    vma.gap = gapPages(vma);
    // One change at a time: rotations rely on values being right. So first the gap that the newcomer takes a part of.
    if (next !== null) this.#gapChanged(next);
    this.#attach(vma);
  }

  /**
   * Gives one end of `vma` to `added`, which has its bounds and is not in the tree: what follows from that for `vma` is
   * done here. Cheaper than resize and insert: no gap between mappings changes, so nothing above the two has to know.
   */
  split(vma: VmArea, added: VmArea): void {
    const isBelow = added.start === vma.start;
    if (
      added.start >= added.end ||
      (isBelow ? added.end >= vma.end : added.start <= vma.start || added.end !== vma.end)
    ) {
      throw new BugError("VmaTree.split", `${added.start}–${added.end} is no end of ${vma.start}–${vma.end}`);
    }
    setTreeKey(added);
    if (isBelow) {
      this.#link(added, vma.prev, vma);
      moveStart(vma, added.end);
      added.gap = vma.gap;
      vma.gap = 0;
    } else {
      this.#link(added, vma, vma.next);
      vma.end = added.start;
      added.gap = 0;
    }
    this.#attach(added);
  }

  /** Moves the boundary between two adjacent mappings to `addr`, inside one of them. No gap changes. */
  moveBoundary(lower: VmArea, upper: VmArea, addr: Vaddr): void {
    if (lower.end !== upper.start || addr <= lower.start || addr >= upper.end) {
      throw new BugError(
        "VmaTree.moveBoundary",
        `${addr} is not inside ${lower.start}–${upper.end}, or a hole is`,
      );
    }
    lower.end = addr;
    moveStart(upper, addr);
  }

  /** Takes `gone` out of the tree and gives its range to `vma`, which is adjacent to it. */
  absorb(vma: VmArea, gone: VmArea): void {
    if (vma.end === gone.start) {
      vma.end = gone.end;
    } else if (gone.end === vma.start) {
      moveStart(vma, gone.start);
    } else {
      throw new BugError(
        "VmaTree.absorb",
        `${gone.start}–${gone.end} is not adjacent to ${vma.start}–${vma.end}`,
      );
    }
    this.#unlink(gone);
    // The gap below a lower one is `vma`'s from now on. One above has none, so no value changes.
    this.#gapChanged(vma);
    this.#tree.remove(gone);
    if (this.#hit === gone) this.#hit = vma;
    gone.prev = null;
    gone.next = null;
  }

  remove(vma: VmArea): void {
    const { prev, next } = vma;
    if (this.#hit === vma) this.#hit = next ?? prev;
    // One change at a time, as in insert: `next` keeps its old gap until the tree is whole again.
    this.#tree.remove(vma);
    this.#unlink(vma);
    if (next !== null) this.#gapChanged(next);
    vma.prev = null;
    vma.next = null;
  }

  /** Moves the bounds of a mapping that is in the tree. Precondition: its place in the order stays. */
  resize(vma: VmArea, start: Vaddr, end: Vaddr, pgoff: PgOff): void {
    const { prev, next } = vma;
    if (start >= end || (prev !== null && prev.end > start) || (next !== null && next.start < end)) {
      throw new BugError("VmaTree.resize", `${start}–${end} is empty or meets a neighbour`);
    }
    const endMoves = vma.end !== end;
    vma.start = start;
    setTreeKey(vma);
    vma.end = end;
    vma.pgoff = pgoff;
    this.#gapChanged(vma);
    if (endMoves && next !== null) this.#gapChanged(next);
  }

  /**
   * Start of the lowest hole of `size` bytes in low … high, or NO_GAP (mas_empty_area). A hole that reaches below `low`
   * counts from `low`.
   */
  lowestGap(low: Vaddr, high: Vaddr, size: number): Vaddr {
    let vma = this.find(low);
    let from = low;
    // Every hole but the first lies above `low` as a whole, so its node's own gap decides.
    if (vma !== null && vma.start - low < size) {
      vma = nextWithGap(vma, size);
      from = vma === null ? (this.last?.end ?? low) : (vma.prev?.end ?? low);
    }
    return high - from >= size ? from : NO_GAP;
  }

  /**
   * End of the highest hole of `size` bytes in low … high, or NO_GAP (mas_empty_area_rev). A hole that reaches above
   * `high` counts up to `high`.
   */
  highestGap(low: Vaddr, high: Vaddr, size: number): Vaddr {
    const above = this.find(high - 1);
    const below = above === null ? this.last : above.prev;
    let to = above === null ? high : Math.min(above.start, high);
    let from = below === null ? 0 : below.end;
    if (to - from < size) {
      // The top hole is too small, and every further one lies below `high` as a whole.
      const vma = below !== null && gapBelow(below) < size ? prevWithGap(below, size) : below;
      if (vma === null) return NO_GAP;
      to = vma.start;
      from = to - gapBelow(vma);
    }
    // A hole that `low` cuts too short has only shorter ones below it.
    return to - Math.max(from, low) >= size ? to : NO_GAP;
  }

  *[Symbol.iterator](): IterableIterator<VmArea> {
    for (let vma = this.first; vma !== null; vma = vma.next) yield vma;
  }

  /** Puts `vma` into the list between two neighbours. */
  #link(vma: VmArea, prev: VmArea | null, next: VmArea | null): void {
    vma.prev = prev;
    vma.next = next;
    if (prev === null) this.first = vma;
    else prev.next = vma;
    if (next === null) this.last = vma;
    else next.prev = vma;
    this.size++;
  }

  /** The room below a mapping that is in the tree has become another. */
  #gapChanged(vma: VmArea): void {
    vma.gap = gapPages(vma);
    this.#tree.propagate(vma);
  }

  #unlink(vma: VmArea): void {
    const { prev, next } = vma;
    if (prev === null) this.first = next;
    else prev.next = next;
    if (next === null) this.last = prev;
    else next.prev = prev;
    this.size--;
  }

  /** Hangs a mapping that is in the list into the tree. Of two neighbours in order, one has no child on that side. */
  #attach(vma: VmArea): void {
    const { prev, next } = vma;
    if (next !== null && next.rbLeft === null) this.#tree.insertAt(vma, next, /* asLeft */ true);
    else this.#tree.insertAt(vma, prev, /* asLeft */ false);
  }
}

/** Gives a mapping another start, at which it shows what it showed there before, or would have shown. */
function moveStart(vma: VmArea, start: Vaddr): void {
  vma.pgoff += (start - vma.start) / PAGE_SIZE;
  vma.start = start;
  setTreeKey(vma);
}

/** After each change of the start. */
function setTreeKey(vma: VmArea): void {
  vma.treeKey = Math.floor(vma.start / KEY_BYTES);
  vma.treeLow = vma.start & KEY_MASK;
}

/** Whether the search finds the mapping where it starts: for the validator. */
export function hasTreeKey({ start, treeKey, treeLow }: VmArea): boolean {
  return treeKey * KEY_BYTES + treeLow === start;
}

/** As `gap` and `subtreeGap` have it: a small integer in every build of V8, which so many pages at most are. */
export function gapPages(vma: VmArea): number {
  return Math.min(gapBelow(vma) / PAGE_SIZE, MAX_GAP_PAGES);
}

/** Bytes between the mapping and the one before it. */
function gapBelow(vma: VmArea): number {
  return vma.prev === null ? vma.start : vma.start - vma.prev.end;
}

/** The first mapping above `from` with a hole of `size` bytes below it. */
function nextWithGap(from: VmArea, bytes: number): VmArea | null {
  const size = Math.ceil(bytes / PAGE_SIZE);
  if (size > MAX_GAP_PAGES) return nextWithHugeGap(from, bytes);
  let node = from;
  for (;;) {
    let subtree = node.rbRight;
    if (subtree !== null && subtree.subtreeGap >= size) {
      // The hole is in here: leftmost first.
      for (;;) {
        const left: VmArea | null = subtree.rbLeft;
        if (left !== null && left.subtreeGap >= size) {
          subtree = left;
        } else if (subtree.gap >= size || subtree.rbRight === null) {
          return subtree;
        } else {
          subtree = subtree.rbRight;
        }
      }
    }
    let parent = node.rbParent;
    while (parent !== null && parent.rbRight === node) {
      node = parent;
      parent = node.rbParent;
    }
    if (parent === null || parent.gap >= size) return parent;
    node = parent;
  }
}

/** The last mapping below `from` with a hole of `size` bytes below it. */
function prevWithGap(from: VmArea, bytes: number): VmArea | null {
  const size = Math.ceil(bytes / PAGE_SIZE);
  if (size > MAX_GAP_PAGES) return prevWithHugeGap(from, bytes);
  let node = from;
  for (;;) {
    let subtree = node.rbLeft;
    if (subtree !== null && subtree.subtreeGap >= size) {
      for (;;) {
        const right: VmArea | null = subtree.rbRight;
        if (right !== null && right.subtreeGap >= size) {
          subtree = right;
        } else if (subtree.gap >= size || subtree.rbLeft === null) {
          return subtree;
        } else {
          subtree = subtree.rbLeft;
        }
      }
    }
    let parent = node.rbParent;
    while (parent !== null && parent.rbLeft === node) {
      node = parent;
      parent = node.rbParent;
    }
    if (parent === null || parent.gap >= size) return parent;
    node = parent;
  }
}

/** The same for a hole larger than the tree can tell apart: there are not many of that size, but they have to be looked for. */
function nextWithHugeGap(from: VmArea, bytes: number): VmArea | null {
  let vma = from.next;
  while (vma !== null && gapBelow(vma) < bytes) vma = vma.next;
  return vma;
}

function prevWithHugeGap(from: VmArea, bytes: number): VmArea | null {
  let vma = from.prev;
  while (vma !== null && gapBelow(vma) < bytes) vma = vma.prev;
  return vma;
}
