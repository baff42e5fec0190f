/**
 * The shadows of files' evicted pages, and the bound on them (shadow_nodes in mm/workingset.c).
 *
 * A shadow that nobody comes back for would stay as long as its file. So shadows are kept in nodes of 64 consecutive
 * pages of a file, the nodes in the order in which they came to be, and when there are more than an eighth of all frames,
 * the oldest are dropped with all their shadows. Eight shadows for each frame are as many as could ever tell something.
 */
import { type VmStat, WORKINGSET_NODERECLAIM, WORKINGSET_NODES } from "../trace/vmstat.ts";

const NODE_PAGES = 64;
/** Nodes for each frame, as a shift (XA_CHUNK_SHIFT − 3). */
const NODES_SHIFT = 3;
const MIN_NODES = 16;

interface ShadowNode {
  readonly shadows: Int32Array;
  readonly file: FileShadows;
  readonly leaf: number;
  count: number;
}

/** All shadow nodes of a kernel, oldest first. */
export class ShadowNodes {
  readonly #nodes: Set<ShadowNode> = new Set();
  readonly #stat: VmStat;
  readonly #max: number;

  constructor(stat: VmStat, totalFrames: number) {
    this.#stat = stat;
    this.#max = Math.max(totalFrames >> NODES_SHIFT, MIN_NODES);
  }

  add(node: ShadowNode): void {
    this.#nodes.add(node);
    this.#stat[WORKINGSET_NODES]++;
    if (this.#nodes.size <= this.#max) return;
    const [oldest] = this.#nodes;
    oldest.file.drop(oldest);
    this.#stat[WORKINGSET_NODERECLAIM]++;
  }

  delete(node: ShadowNode): void {
    if (this.#nodes.delete(node)) this.#stat[WORKINGSET_NODES]--;
  }

  get size(): number {
    return this.#nodes.size;
  }
}

/** The shadows of one file's pages, by page number. */
export class FileShadows {
  readonly #all: ShadowNodes;
  readonly #leaves: Map<number, ShadowNode> = new Map();

  constructor(all: ShadowNodes) {
    this.#all = all;
  }

  /** Leaves a shadow (not 0) in the place of page `index`. */
  store(index: number, shadow: number): void {
    const leaf = Math.floor(index / NODE_PAGES);
    let node = this.#leaves.get(leaf);
    if (node === undefined) {
      node = { shadows: new Int32Array(NODE_PAGES), file: this, leaf, count: 0 };
      this.#leaves.set(leaf, node);
      this.#all.add(node);
    }
    const slot = index & (NODE_PAGES - 1);
    if (node.shadows[slot] === 0) node.count++;
    node.shadows[slot] = shadow;
  }

  /** Takes the shadow of page `index` away and answers it, 0 when there is none. */
  take(index: number): number {
    if (this.#leaves.size === 0) return 0;
    const node = this.#leaves.get(Math.floor(index / NODE_PAGES));
    if (node === undefined) return 0;
    const slot = index & (NODE_PAGES - 1);
    const shadow = node.shadows[slot];
    if (shadow === 0) return 0;
    node.shadows[slot] = 0;
    if (--node.count === 0) this.drop(node);
    return shadow;
  }

  /** Calls `visit` with each shadow of pages `first` … `last`. */
  forEach(first: number, last: number, visit: (shadow: number) => void): void {
    for (const { leaf, shadows } of this.#leaves.values()) {
      const start = leaf * NODE_PAGES;
      if (start > last || start + NODE_PAGES <= first) continue;
      for (let slot = Math.max(first - start, 0); slot < NODE_PAGES && start + slot <= last; slot++) {
        if (shadows[slot] !== 0) visit(shadows[slot]);
      }
    }
  }

  /** Forgets the shadows of pages `first` … `last`, which the file does not have any more. */
  forget(first: number, last: number): void {
    if (this.#leaves.size === 0) return;
    for (const node of [...this.#leaves.values()]) {
      const start = node.leaf * NODE_PAGES;
      if (start > last || start + NODE_PAGES <= first) continue;
      for (let slot = Math.max(first - start, 0); slot < NODE_PAGES && start + slot <= last; slot++) {
        if (node.shadows[slot] === 0) continue;
        node.shadows[slot] = 0;
        node.count--;
      }
      if (node.count === 0) this.drop(node);
    }
  }

  /** Removes a node with whatever it still holds. */
  drop(node: ShadowNode): void {
    this.#leaves.delete(node.leaf);
    this.#all.delete(node);
  }
}
