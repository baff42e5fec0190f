/**
 * vm_area_struct: one mapping of an address space, start ≤ address < end, pages all of one kind.
 *
 * Owner: the mm whose tree it stands in. While it is in the tree, start, end and pgoff change only through the tree
 * (which keeps the gaps) and the reverse-map trees (which are keyed by pgoff).
 */
import type { PgOff, Vaddr } from "../page.ts";
import type { AnonVma, AnonVmaChain } from "./anon-vma.ts";
import type { IntervalNode } from "./interval-tree.ts";
import type { Mempolicy } from "./mempolicy.ts";
import type { MmStruct } from "./mm-struct.ts";
import { VM_SHARED } from "./vm-flags.ts";
import type { MappedFile, VmOperations } from "./vm-operations.ts";

export class VmArea {
  // What the tree touches at every step of a search comes first: beside the object's head, which is touched anyway, it costs
  // no other line of the cache. At a million mappings these lines are all the time that there is.
  /** The start in coarse units, and what is left of it: two small integers, which the tree compares. */
  treeKey = 0;
  treeLow = 0;
  /** Links of the mm's tree and list; the tree alone writes them. */
  rbLeft: VmArea | null = null;
  rbRight: VmArea | null = null;
  rbParent: VmArea | null = null;
  rbRed = false;
  /** The gap below this mapping, and the largest one below any of this subtree (pages; MAX_GAP_PAGES stands for more, too). */
  gap = 0;
  subtreeGap = 0;
  prev: VmArea | null = null;
  next: VmArea | null = null;

  readonly mm: MmStruct;
  // Numbers begin as numbers: V8 would store a field that began as undefined as a pointer to a new number at each change.
  /** First byte, and the byte past the last; both page-aligned. */
  start: Vaddr = 0;
  end: Vaddr = 0;
  /** VM_… bits. */
  flags = 0;
  /** PTE bits that a page of this mapping gets (vm_page_prot): the protection map's row, lowered where writes must be noticed. */
  pageProt = 0;
  /** Offset of `start` in the file; for anonymous memory start's page number when the mapping was made (pages). */
  pgoff: PgOff = 0;
  /** The mapped file, with a reference held; null for private anonymous memory. */
  file: MappedFile | null = null;
  /** What the file system does on a fault; null for anonymous memory. */
  ops: VmOperations | null = null;
  /** Where this mapping's own anonymous pages are found from their frames; null until the first of them. */
  anonVma: AnonVma | null = null;
  /** All anon_vmas whose pages may be mapped here: its own first, then its ancestors' (fork). */
  readonly anonVmaChain: AnonVmaChain[] = [];
  /** From which memory nodes its memory is to come (vm_policy); null where nothing was said. */
  policy: Mempolicy | null = null;
  /** Node in the file's i_mmap tree; null while not linked there. */
  iMmapNode: IntervalNode<VmArea> | null = null;
  /** Where readahead from swap stands (swap_readahead_info): the last address, the last window, hits since (pages). */
  swapRaAddr: Vaddr = 0;
  swapRaWin = 0;
  swapRaHits = 4;

  constructor(mm: MmStruct, start: Vaddr, end: Vaddr, flags: number, pageProt: number, pgoff: PgOff) {
    this.mm = mm;
    this.start = start;
    this.end = end;
    this.flags = flags;
    this.pageProt = pageProt;
    this.pgoff = pgoff;
  }

  /** Whether its own pages are anonymous memory (vma_is_anonymous): no file system has a say. */
  get isAnonymous(): boolean {
    return this.ops === null;
  }

  get isShared(): boolean {
    return (this.flags & VM_SHARED) !== 0;
  }

  /** The memory policy that holds at an address of it: the object's, where that keeps them (__get_vma_policy). */
  policyAt(addr: Vaddr): Mempolicy | null {
    return this.ops?.getPolicy === undefined ? this.policy : this.ops.getPolicy(this, addr);
  }
}
