/**
 * Which mappings show page n of this file? The reverse map's question (lib/interval_tree.c, mm/interval_tree.c).
 *
 * Every mapping of an object covers an interval of its pages, first … last. The intervals overlap at will (a library
 * is mapped by a hundred processes), so an ordered list finds nothing quickly. An interval tree orders them by
 * `first` and notes at each node the highest `last` of its whole subtree: a subtree whose highest last lies before the
 * page asked for is left out unseen, and one whose first lies behind it as well. All k overlapping intervals are found
 * in O(log n + k).
 *
 * Both reverse maps use it: an address_space's i_mmap for file pages, an anon_vma's tree for anonymous ones.
 */
import { type RbNode, RbTree, rbFirst, rbNext } from "../../lib/rbtree.ts";
import type { PgOff } from "../page.ts";

/** An interval, and what it belongs to. In a tree, `first` and `last` change only through the tree. */
export class IntervalNode<T> implements RbNode<IntervalNode<T>> {
  readonly owner: T;
  /** First and last page, both included. */
  first: PgOff;
  last: PgOff;
  /** Highest `last` in the subtree under this node. */
  subtreeLast: PgOff;
  rbParent: IntervalNode<T> | null = null;
  rbLeft: IntervalNode<T> | null = null;
  rbRight: IntervalNode<T> | null = null;
  rbRed = false;

  constructor(owner: T, first: PgOff, last: PgOff) {
    this.owner = owner;
    this.first = first;
    this.last = last;
    this.subtreeLast = last;
  }
}

/** The same for every tree: it looks at the node alone. */
const SUBTREE_LAST = {
  recompute(node: IntervalNode<unknown>): boolean {
    let last: number = node.last;
    const { rbLeft, rbRight } = node;
    if (rbLeft !== null && rbLeft.subtreeLast > last) last = rbLeft.subtreeLast;
    if (rbRight !== null && rbRight.subtreeLast > last) last = rbRight.subtreeLast;
    if (last === node.subtreeLast) return false;
    node.subtreeLast = last;
    return true;
  },
};

export class IntervalTree<T> {
  /** Intervals in the tree. */
  size = 0;
  readonly #tree: RbTree<IntervalNode<T>> = new RbTree<IntervalNode<T>>(SUBTREE_LAST);

  get isEmpty(): boolean {
    return this.size === 0;
  }

  /** For the validator. */
  get root(): IntervalNode<T> | null {
    return this.#tree.root;
  }

  insert(node: IntervalNode<T>): void {
    let parent: IntervalNode<T> | null = null;
    let at = this.#tree.root;
    let asLeft = false;
    while (at !== null) {
      parent = at;
      asLeft = node.first < at.first;
      at = asLeft ? at.rbLeft : at.rbRight;
    }
    node.subtreeLast = node.last;
    this.#tree.insertAt(node, parent, asLeft);
    this.size++;
  }

  remove(node: IntervalNode<T>): void {
    this.#tree.remove(node);
    this.size--;
  }

  /** Gives a node of this tree another interval. */
  resize(node: IntervalNode<T>, first: PgOff, last: PgOff): void {
    if (node.first === first) {
      node.last = last;
      this.#tree.propagate(node);
      return;
    }
    this.remove(node);
    node.first = first;
    node.last = last;
    this.insert(node);
  }

  /** The lowest interval that meets first … last, or null. Goes on with nextOverlap; the tree must not change between. */
  firstOverlap(first: PgOff, last: PgOff): IntervalNode<T> | null {
    const { root } = this.#tree;
    if (root === null || root.subtreeLast < first) return null;
    return lowestOverlap(root, first, last);
  }

  /** The interval after `from`, which firstOverlap or nextOverlap answered, that meets first … last. */
  nextOverlap(from: IntervalNode<T>, first: PgOff, last: PgOff): IntervalNode<T> | null {
    let node = from;
    for (;;) {
      const right = node.rbRight;
      if (right !== null && right.subtreeLast >= first) return lowestOverlap(right, first, last);
      // Up until we come from the left: that parent is next in order.
      let parent = node.rbParent;
      while (parent !== null && parent.rbRight === node) {
        node = parent;
        parent = node.rbParent;
      }
      if (parent === null || parent.first > last) return null;
      node = parent;
      if (node.last >= first) return node;
    }
  }

  /** All intervals by `first`. */
  *[Symbol.iterator](): IterableIterator<IntervalNode<T>> {
    const { root } = this.#tree;
    if (root === null) return;
    for (let node: IntervalNode<T> | null = rbFirst(root); node !== null; node = rbNext(node)) yield node;
  }
}

/** Lowest node of a subtree that meets first … last. Precondition: subtree.subtreeLast >= first. */
function lowestOverlap<T>(subtree: IntervalNode<T>, first: PgOff, last: PgOff): IntervalNode<T> | null {
  let node = subtree;
  for (;;) {
    // Whatever on the left reaches as far as `first` is lower than node, and if it begins too late, so does node.
    const left = node.rbLeft;
    if (left !== null && left.subtreeLast >= first) {
      node = left;
      continue;
    }
    if (node.first > last) return null;
    if (node.last >= first) return node;
    const right = node.rbRight;
    if (right === null || right.subtreeLast < first) return null;
    node = right;
  }
}
