/**
 * An intrusive red-black tree whose nodes may carry a value computed from their subtree.
 *
 * A red-black tree is a binary search tree in which every node is red or black. A red node has no red child, and
 * every way from the root down to a missing child passes the same number of black nodes: so the longest way is at
 * most twice the shortest, and search, insertion and removal take O(log n). Insertion and removal repair the two rules
 * by recolouring and by at most three rotations, each of which exchanges a node and its child and leaves the order as
 * it was.
 *
 * Intrusive: the links are fields of the caller's own objects, so that a change allocates nothing and removal needs
 * no search. The caller walks down by its own key, which keeps comparisons free of callbacks.
 *
 * Augmented: a node may carry a value that depends on itself and on its two children alone (the largest gap below, the
 * last end). The tree has it recomputed wherever children change; when the node's own part changes, the caller says so
 * with `propagate`.
 */

/** The links of a node. The tree alone writes them. */
export interface RbNode<T> {
  rbParent: T | null;
  rbLeft: T | null;
  rbRight: T | null;
  rbRed: boolean;
}

export interface RbAugment<T> {
  /** Computes the value of `node` from itself and its children; answers whether it changed. */
  recompute(node: T): boolean;
}

export class RbTree<T extends RbNode<T>> {
  root: T | null = null;
  readonly #augment: RbAugment<T>;

  constructor(augment: RbAugment<T>) {
    this.#augment = augment;
  }

  /** Puts `node` where the search for its key ended: as left or right child of `parent`, or as root for null. */
  insertAt(node: T, parent: T | null, asLeft: boolean): void {
    node.rbParent = parent;
    node.rbLeft = null;
    node.rbRight = null;
    node.rbRed = true;
    if (parent === null) this.root = node;
    else if (asLeft) parent.rbLeft = node;
    else parent.rbRight = node;
    this.#augment.recompute(node);
    this.propagate(parent);
    this.#repairRed(node);
  }

  remove(node: T): void {
    const left = node.rbLeft;
    const right = node.rbRight;
    if (left !== null && right !== null) {
      this.#removeInner(node, left, right);
    } else {
      const child = left ?? right;
      const parent = node.rbParent;
      this.#replaceChild(parent, node, child);
      if (child !== null) child.rbParent = parent;
      this.propagate(parent);
      if (!node.rbRed) this.#repairBlack(child, parent);
    }
    node.rbParent = null;
    node.rbLeft = null;
    node.rbRight = null;
  }

  /** Recomputes values from `from` upwards, as far as they change. */
  propagate(from: T | null): void {
    let node = from;
    while (node !== null && this.#augment.recompute(node)) node = node.rbParent;
  }

  /** Removes a node of two children: its successor, which has no left child, takes its place and colour. */
  #removeInner(node: T, left: T, right: T): void {
    const successor = rbFirst(right);
    const successorRed = successor.rbRed;
    const child = successor.rbRight;
    let parent: T | null;
    if (successor === right) {
      parent = successor;
    } else {
      parent = successor.rbParent;
      if (parent !== null) parent.rbLeft = child;
      if (child !== null) child.rbParent = parent;
      successor.rbRight = right;
      right.rbParent = successor;
    }
    successor.rbLeft = left;
    left.rbParent = successor;
    successor.rbRed = node.rbRed;
    successor.rbParent = node.rbParent;
    this.#replaceChild(node.rbParent, node, successor);
    // Two starting points: where the successor left, and where it arrived. Its old value says nothing about its new
    // place, so the way up from there must not stop early.
    if (parent !== successor) this.propagate(parent);
    this.#augment.recompute(successor);
    this.propagate(successor.rbParent);
    if (!successorRed) this.#repairBlack(child, parent);
  }

  /** After insertion: `node` is red, its parent may be, too. */
  #repairRed(inserted: T): void {
    let node = inserted;
    for (;;) {
      let parent = node.rbParent;
      if (parent === null) {
        node.rbRed = false;
        return;
      }
      if (!parent.rbRed) return;
      const grand = parent.rbParent;
      if (grand === null) {
        parent.rbRed = false;
        return;
      }
      const onLeft = grand.rbLeft === parent;
      const uncle = onLeft ? grand.rbRight : grand.rbLeft;
      if (uncle?.rbRed) {
        uncle.rbRed = false;
        parent.rbRed = false;
        grand.rbRed = true;
        node = grand;
        continue;
      }
      if (node === (onLeft ? parent.rbRight : parent.rbLeft)) {
        this.#rotate(parent, onLeft);
        parent = node;
      }
      parent.rbRed = false;
      grand.rbRed = true;
      this.#rotate(grand, !onLeft);
      return;
    }
  }

  /** After removal: ways through `child` (which may be missing) below `top` lack one black node. */
  #repairBlack(child: T | null, top: T | null): void {
    let node = child;
    let parent = top;
    while (parent !== null && !node?.rbRed) {
      const onLeft = parent.rbLeft === node;
      let sibling = onLeft ? parent.rbRight : parent.rbLeft;
      if (sibling?.rbRed) {
        sibling.rbRed = false;
        parent.rbRed = true;
        this.#rotate(parent, onLeft);
        sibling = onLeft ? parent.rbRight : parent.rbLeft;
      }
      // The other side is at least two blacks deep, so there is a sibling: null would be a broken tree.
      if (sibling === null) return;
      const near = onLeft ? sibling.rbLeft : sibling.rbRight;
      let far = onLeft ? sibling.rbRight : sibling.rbLeft;
      if (!near?.rbRed && !far?.rbRed) {
        sibling.rbRed = true;
        node = parent;
        parent = node.rbParent;
        continue;
      }
      if (near !== null && !far?.rbRed) {
        near.rbRed = false;
        sibling.rbRed = true;
        this.#rotate(sibling, !onLeft);
        far = sibling;
        sibling = near;
      }
      sibling.rbRed = parent.rbRed;
      parent.rbRed = false;
      if (far !== null) far.rbRed = false;
      this.#rotate(parent, onLeft);
      return;
    }
    if (node !== null) node.rbRed = false;
  }

  /** Turns `node` down to the left (or right); its child on the other side comes up in its place. */
  #rotate(node: T, toLeft: boolean): void {
    const up = toLeft ? node.rbRight : node.rbLeft;
    if (up === null) return;
    const inner = toLeft ? up.rbLeft : up.rbRight;
    if (toLeft) {
      node.rbRight = inner;
      up.rbLeft = node;
    } else {
      node.rbLeft = inner;
      up.rbRight = node;
    }
    if (inner !== null) inner.rbParent = node;
    const parent = node.rbParent;
    this.#replaceChild(parent, node, up);
    up.rbParent = parent;
    node.rbParent = up;
    // The subtree holds the same nodes as before, so values above it stand.
    this.#augment.recompute(node);
    this.#augment.recompute(up);
  }

  #replaceChild(parent: T | null, from: T, to: T | null): void {
    if (parent === null) this.root = to;
    else if (parent.rbLeft === from) parent.rbLeft = to;
    else parent.rbRight = to;
  }
}

/** The lowest node of the subtree. */
export function rbFirst<T extends RbNode<T>>(subtree: T): T {
  let node = subtree;
  while (node.rbLeft !== null) node = node.rbLeft;
  return node;
}

/** The highest node of the subtree. */
export function rbLast<T extends RbNode<T>>(subtree: T): T {
  let node = subtree;
  while (node.rbRight !== null) node = node.rbRight;
  return node;
}

/** The node after `from` in order, or null. */
export function rbNext<T extends RbNode<T>>(from: T): T | null {
  if (from.rbRight !== null) return rbFirst(from.rbRight);
  let node = from;
  let parent = node.rbParent;
  while (parent !== null && parent.rbRight === node) {
    node = parent;
    parent = node.rbParent;
  }
  return parent;
}

/** The node before `from` in order, or null. */
export function rbPrev<T extends RbNode<T>>(from: T): T | null {
  if (from.rbLeft !== null) return rbLast(from.rbLeft);
  let node = from;
  let parent = node.rbParent;
  while (parent !== null && parent.rbLeft === node) {
    node = parent;
    parent = node.rbParent;
  }
  return parent;
}
