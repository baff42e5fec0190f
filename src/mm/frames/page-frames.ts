/**
 * The page frame table (mem_map): what is known of each frame, in typed columns indexed by frame number.
 *
 * 38 bytes a frame. Owner: the allocator while a frame is free, whoever holds references afterwards.
 *
 * - `refCount`: 0 iff free. One for each PTE that maps the frame, one for the page cache or swap cache, one for each
 *   holder passing through (a fault, I/O, a view).
 * - `mapCount`: PTEs that map the frame (0 based, where Linux's _mapcount starts at −1).
 * - `mapping`: id in PhysicalMemory.owners of the address_space or anon_vma, 0 for none.
 * - `index`: the page's offset in its file, or in its anon_vma's pgoff space (pages).
 * - `lruNext`, `lruPrev`: links of the one list that the frame is on: a free list, or an LRU list.
 *   Behind the last frame these two columns hold the heads of the LRU lists (lruvec.ts).
 * - `priv`: order of a free block; swap entry in the swap cache.
 * - `memcg`: the memory cgroup that the frame is charged to, 0 for the root, which nothing is charged to.
 */
import { LISTS_PER_LRUVEC, MAX_MEM_CGROUPS } from "./lruvec.ts";

export class PageFrames {
  readonly flags: Uint32Array;
  readonly refCount: Int32Array;
  readonly mapCount: Int32Array;
  readonly mapping: Int32Array;
  readonly index: Float64Array;
  readonly lruNext: Int32Array;
  readonly lruPrev: Int32Array;
  readonly priv: Uint32Array;
  readonly memcg: Uint16Array;
  /** The frame past the last. */
  readonly endPfn: number;

  constructor(endPfn: number) {
    this.endPfn = endPfn;
    const links = endPfn + MAX_MEM_CGROUPS * LISTS_PER_LRUVEC;
    this.flags = new Uint32Array(endPfn);
    this.refCount = new Int32Array(endPfn);
    this.mapCount = new Int32Array(endPfn);
    this.mapping = new Int32Array(endPfn);
    this.index = new Float64Array(endPfn);
    this.lruNext = new Int32Array(links);
    this.lruPrev = new Int32Array(links);
    this.priv = new Uint32Array(endPfn);
    this.memcg = new Uint16Array(endPfn);
  }

  /** Bytes of bookkeeping for each frame. */
  static readonly BYTES_PER_FRAME = 38;
}
