/**
 * The radix tree (lib/xarray.c, once lib/radix-tree.c): from a sparse index to a small number, in order, with tags.
 *
 * The index is read six bits at a time: each node has 64 slots, which hold child nodes above and values at the
 * bottom, so that a look-up is one array access per level, and a file of up to 64 pages has one level, of 4096 two. A
 * tag marks values (a dirty page); each node notes which of its slots have the tag anywhere below, so that "the
 * next dirty page" skips whole subtrees that are clean.
 *
 * ```
 *   index  bits …  17      12 11       6 5        0
 *                 ├──────────┼──────────┼─────────┤
 *                 │ slot in  │ slot in  │ slot in │
 *                 │ the root │ its child│ the leaf│
 *
 *   node   word    0 … 63    64 … 71                               72        73
 *                 ┌─────────┬─────────────────────────────────────┬─────────┬─────────────┐
 *                 │ slots   │ tags 0, 1, 2 and "present", 64 bits │ parent  │ slot there  │
 *                 └─────────┴─────────────────────────────────────┴─────────┴─────────────┘
 * ```
 *
 * All nodes of a tree lie in one Int32Array and are named by their first word. Invariants: no node is empty; a tag bit
 * of an inner slot is set iff the child has that bit anywhere; the root has something beyond slot 0, or is a leaf.
 */
export const XA_DIRTY = 0;
export const XA_WRITEBACK = 1;
export const XA_TOWRITE = 2;
export type XaTag = typeof XA_DIRTY | typeof XA_WRITEBACK | typeof XA_TOWRITE;

/** One more than the largest index. */
export const XA_MAX: number = 2 ** 51;

const BITS = 6;
const SLOTS = 64;
const MASK = 63;
/** The tag that every value has. */
const PRESENT = 3;
const TAGS = 64;
const PARENT = 72;
const OFFSET = 73;
const NODE_WORDS = 74;
/** Index bits that are handled as one 32-bit integer: five levels. */
const LOW_LEVELS = 5;
const LOW_SPAN: number = 2 ** 30;
/** `&` takes the low bits of an index of any size in one instruction; `%` would be a call, where V8 has seen a double. */
const LOW_MASK: number = LOW_SPAN - 1;
const NO_WORDS: Int32Array = new Int32Array(0);

export class XArray {
  /** Values stored. */
  size = 0;
  /** After `next` or `nextTagged` found a value: its index. */
  index = 0;
  #words: Int32Array = NO_WORDS;
  /** First word of the root, 0 while the tree is empty. */
  #root = 0;
  #levels = 0;
  /** One more than the largest index that the present height reaches: 64^levels. */
  #span = 0;
  /** Words given to nodes so far; word 0 belongs to none, so that 0 can mean "no node". */
  #used = 1;
  /** Freed nodes, linked through their slot 0. */
  #free = 0;

  /** The value at `index`, 0 when there is none. */
  load(index: number): number {
    const leaf = this.#leaf(index);
    return leaf === 0 ? 0 : this.#words[leaf + (index & MASK)];
  }

  /** Stores `value` (not 0) and answers what was there; a value that is replaced leaves its tags to the new one. */
  store(index: number, value: number): number {
    const leaf = this.#leafForStore(index);
    const slot = index & MASK;
    const old = this.#words[leaf + slot];
    this.#words[leaf + slot] = value;
    if (old === 0) {
      this.size++;
      this.#mark(leaf, slot, PRESENT);
    }
    return old;
  }

  /** Removes the value at `index` with its tags and answers it; 0 when there was none. */
  erase(index: number): number {
    const leaf = this.#leaf(index);
    if (leaf === 0) return 0;
    const slot = index & MASK;
    const words = this.#words;
    const old = words[leaf + slot];
    if (old === 0) return 0;
    for (let tag = 0; tag < PRESENT; tag++) this.#unmark(leaf, slot, tag);
    words[leaf + slot] = 0;
    this.size--;
    this.#prune(leaf, slot);
    return old;
  }

  /** Tags the value at `index`; nothing where there is none. */
  setTag(index: number, tag: XaTag): void {
    const leaf = this.#leaf(index);
    const slot = index & MASK;
    if (leaf !== 0 && this.#words[leaf + slot] !== 0) this.#mark(leaf, slot, tag);
  }

  clearTag(index: number, tag: XaTag): void {
    const leaf = this.#leaf(index);
    if (leaf !== 0) this.#unmark(leaf, index & MASK, tag);
  }

  getTag(index: number, tag: XaTag): boolean {
    const leaf = this.#leaf(index);
    if (leaf === 0) return false;
    const slot = index & MASK;
    return ((this.#words[leaf + TAGS + 2 * tag + (slot >>> 5)] >>> (slot & 31)) & 1) !== 0;
  }

  /** Whether any value has the tag. */
  isTagged(tag: XaTag): boolean {
    const at = this.#root + TAGS + 2 * tag;
    return this.#root !== 0 && (this.#words[at] | this.#words[at + 1]) !== 0;
  }

  /** The first value at `from` or later, its index left in `index`; 0 when there is none. */
  next(from: number): number {
    return this.#find(from, PRESENT);
  }

  /** The first value with the tag at `from` or later, its index left in `index`; 0 when there is none. */
  nextTagged(from: number, tag: XaTag): number {
    return this.#find(from, tag);
  }

  #find(from: number, tag: number): number {
    if (from >= this.#span) return 0;
    const words = this.#words;
    const top = this.#levels - 1;
    let level = top;
    let node = this.#root;
    let slot = digit(from, level);
    // While the path is that of `from`, each level begins at its digit; once past it, at 0.
    let onPath = true;
    for (;;) {
      const found = firstBit(words, node + TAGS + 2 * tag, slot);
      if (found === SLOTS) {
        if (level === top) return 0;
        slot = words[node + OFFSET] + 1;
        node = words[node + PARENT];
        level++;
        onPath = false;
        continue;
      }
      if (found !== slot) onPath = false;
      if (level === 0) {
        this.index = this.#indexOf(node, found);
        return words[node + found];
      }
      node = words[node + found];
      level--;
      slot = onPath ? digit(from, level) : 0;
    }
  }

  /** The index of a slot of a leaf. */
  #indexOf(leaf: number, slot: number): number {
    const words = this.#words;
    let index = slot;
    let span = SLOTS;
    for (let node = leaf; node !== this.#root; node = words[node + PARENT]) {
      index += words[node + OFFSET] * span;
      span *= SLOTS;
    }
    return index;
  }

  /** The leaf that holds `index`, or 0. */
  #leaf(index: number): number {
    if (index >= this.#span) return 0;
    const words = this.#words;
    let node = this.#root;
    let level = this.#levels - 1;
    for (; level >= LOW_LEVELS; level--) {
      node = words[node + digit(index, level)];
      if (node === 0) return 0;
    }
    const low = index & LOW_MASK;
    for (let shift = level * BITS; shift > 0; shift -= BITS) {
      node = words[node + ((low >>> shift) & MASK)];
      if (node === 0) return 0;
    }
    return node;
  }

  /** The leaf that holds `index`, made where it is missing. The caller fills the slot. */
  #leafForStore(index: number): number {
    while (index >= this.#span) this.#addLevel();
    let node = this.#root;
    for (let level = this.#levels - 1; level > 0; level--) {
      const slot = digit(index, level);
      let child = this.#words[node + slot];
      if (child === 0) {
        child = this.#newNode(node, slot);
        this.#words[node + slot] = child;
      }
      node = child;
    }
    return node;
  }

  /** Puts a new root above the old one, which becomes its slot 0. */
  #addLevel(): void {
    const child = this.#root;
    const root = this.#newNode(0, 0);
    const words = this.#words;
    if (child !== 0) {
      words[root] = child;
      words[child + PARENT] = root;
      words[child + OFFSET] = 0;
      for (let tag = 0; tag <= PRESENT; tag++) {
        const at = child + TAGS + 2 * tag;
        if ((words[at] | words[at + 1]) !== 0) words[root + TAGS + 2 * tag] = 1;
      }
    }
    this.#root = root;
    this.#levels++;
    this.#span = SLOTS ** this.#levels;
  }

  /** Takes back the present bit of a slot that was emptied, and every node that is empty for it. */
  #prune(leaf: number, leafSlot: number): void {
    const words = this.#words;
    let node = leaf;
    let slot = leafSlot;
    for (;;) {
      const at = node + TAGS + 2 * PRESENT;
      words[at + (slot >>> 5)] &= ~(1 << (slot & 31));
      if ((words[at] | words[at + 1]) !== 0) break;
      const parent = words[node + PARENT];
      slot = words[node + OFFSET];
      this.#freeNode(node);
      if (node === this.#root) {
        this.#root = 0;
        this.#levels = 0;
        this.#span = 0;
        return;
      }
      words[parent + slot] = 0;
      node = parent;
    }
    this.#dropLevels();
  }

  /** While slot 0 is all that the root holds, its child can be the root. */
  #dropLevels(): void {
    const words = this.#words;
    while (this.#levels > 1) {
      const root = this.#root;
      const at = root + TAGS + 2 * PRESENT;
      if (words[at] !== 1 || words[at + 1] !== 0) return;
      this.#root = words[root];
      words[this.#root + PARENT] = 0;
      this.#freeNode(root);
      this.#levels--;
      this.#span = SLOTS ** this.#levels;
    }
  }

  #mark(leaf: number, leafSlot: number, tag: number): void {
    const words = this.#words;
    let node = leaf;
    let slot = leafSlot;
    for (;;) {
      const at = node + TAGS + 2 * tag + (slot >>> 5);
      const bit = 1 << (slot & 31);
      if ((words[at] & bit) !== 0) return;
      words[at] |= bit;
      if (node === this.#root) return;
      slot = words[node + OFFSET];
      node = words[node + PARENT];
    }
  }

  #unmark(leaf: number, leafSlot: number, tag: number): void {
    const words = this.#words;
    let node = leaf;
    let slot = leafSlot;
    for (;;) {
      const at = node + TAGS + 2 * tag;
      const bit = 1 << (slot & 31);
      if ((words[at + (slot >>> 5)] & bit) === 0) return;
      words[at + (slot >>> 5)] &= ~bit;
      if ((words[at] | words[at + 1]) !== 0 || node === this.#root) return;
      slot = words[node + OFFSET];
      node = words[node + PARENT];
    }
  }

  /** A node with all words zero but its place in the tree. */
  #newNode(parent: number, offset: number): number {
    let node = this.#free;
    if (node !== 0) {
      this.#free = this.#words[node];
      this.#words[node] = 0;
    } else {
      node = this.#used;
      this.#used += NODE_WORDS;
      if (this.#used > this.#words.length) {
        const grown = new Int32Array(1 + 2 * (this.#used - 1 - NODE_WORDS) + NODE_WORDS);
        grown.set(this.#words);
        this.#words = grown;
      }
    }
    this.#words[node + PARENT] = parent;
    this.#words[node + OFFSET] = offset;
    return node;
  }

  #freeNode(node: number): void {
    this.#words.fill(0, node, node + NODE_WORDS);
    this.#words[node] = this.#free;
    this.#free = node;
  }
}

/** The slot of `index` at a level, 0 being the leaves. */
function digit(index: number, level: number): number {
  return level < LOW_LEVELS
    ? ((index & LOW_MASK) >>> (level * BITS)) & MASK
    : (Math.floor(index / LOW_SPAN) >>> ((level - LOW_LEVELS) * BITS)) & MASK;
}

/** The first set bit at `from` (0 … 64) or later of the 64 bits in words[at] and words[at + 1]; 64 when there is none. */
function firstBit(words: Int32Array, at: number, from: number): number {
  if (from < 32) {
    const low = words[at] & (-1 << from);
    if (low !== 0) return 31 - Math.clz32(low & -low);
  }
  if (from >= SLOTS) return SLOTS;
  const high = from > 32 ? words[at + 1] & (-1 << (from - 32)) : words[at + 1];
  return high === 0 ? SLOTS : 63 - Math.clz32(high & -high);
}
