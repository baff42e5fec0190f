/**
 * address_space: the page cache of one inode: which frames hold which pages of it, and which mappings show them.
 *
 * Owner: the inode (`i_mapping`). Every open file and every mapping of the inode goes through this one object, so that
 * read, write and memory agree at once. Invariants: a page in `pages` at index i has frames.mapping == id,
 * frames.index == i, valid content (PG_UPTODATE), one reference for the cache, and where storage stands behind the file
 * PG_DIRTY iff tag DIRTY is set; `pages.size` counts them (nrpages).
 */
import { XArray } from "../../lib/xarray.ts";
import type { PageOwner, PhysicalMemory } from "../frames/physical-memory.ts";
import { FileShadows } from "../frames/shadow-nodes.ts";
import type { Pfn, PgOff } from "../page.ts";
import { IntervalTree } from "../vma/interval-tree.ts";
import type { VmArea } from "../vma/vm-area.ts";
import type { Errseq } from "./errseq.ts";
import type { Inode } from "./inode.ts";

/** What a file system does for the page cache (address_space_operations). All answer 0 or a negative errno. */
export interface AddressSpaceOperations {
  /**
   * Fills `count` consecutive pages from `index` on, whose frames are `pfns[0…count)`: the whole of each frame, zeros
   * past the end of the file. The array is the caller's scratch, good for the call alone; nothing may be allocated, read
   * or written through a page cache in between.
   */
  readPages(mapping: AddressSpace, index: PgOff, pfns: readonly Pfn[], count: number): number;
  /** Writes `count` consecutive pages to storage; of the last one only what lies before the end of the file. */
  writePages(mapping: AddressSpace, index: PgOff, pfns: readonly Pfn[], count: number): number;
  /** Dirty pages are written back to storage (false for tmpfs, whose pages live in memory alone). */
  readonly writesBack: boolean;
  /** Large private mappings are aligned to huge pages, as of anonymous memory. */
  readonly hugeAlignedPrivate?: boolean;
}

export class AddressSpace implements PageOwner {
  readonly ownerKind = "file";
  /** Id in PhysicalMemory.owners, which the frames' `mapping` column names. */
  readonly id: number;
  readonly phys: PhysicalMemory;
  readonly host: Inode;
  readonly ops: AddressSpaceOperations;
  /** Cached pages: index → frame number, with tags. */
  readonly pages: XArray = new XArray();
  /** What reclaim left in the place of pages that it took. */
  readonly shadows: FileShadows;
  /** Every mapping of this file, keyed by the pages it shows. */
  readonly iMmap: IntervalTree<VmArea> = new IntervalTree<VmArea>();
  /** Mappings through which the file may be written (i_mmap_writable). */
  writableMappings = 0;
  /** Its pages stay in memory (AS_UNEVICTABLE): those that come are on no list of reclaim's. */
  isUnevictable = false;
  /** Pages that come into the cache now are to leave it again (filemap/drop-behind.ts). */
  dropsBehind = false;
  /** The page at which the flusher goes on: it writes in rounds, a part at a time (writeback_index). */
  writebackIndex: PgOff = 0;
  /** The last write-back error, and who has seen it. */
  wbErr: Errseq = 0;

  /** Large mappings of the file are aligned to huge pages where the kernel has them (thp_get_unmapped_area). */
  get hugeAligned(): boolean {
    return this.host.sb.hugeAligned === true;
  }

  /** Bytes of its huge pages; 0 for a file of ordinary ones. */
  get hugePageSize(): number {
    return this.host.sb.hugePageSize ?? 0;
  }

  get hugeAlignedPrivate(): boolean {
    return this.ops.hugeAlignedPrivate === true;
  }

  constructor(phys: PhysicalMemory, host: Inode, ops: AddressSpaceOperations) {
    this.phys = phys;
    this.host = host;
    this.ops = ops;
    this.shadows = new FileShadows(phys.shadowNodes);
    this.id = phys.owners.add(this);
  }

  /** Whether a store through a mapping must be noticed, because storage is to get it (mapping_can_writeback). */
  get canWriteback(): boolean {
    return this.ops.writesBack;
  }

  /** Forgets the id, and the shadows. Every page must be gone. */
  destroy(): void {
    this.shadows.forget(0, Number.POSITIVE_INFINITY);
    this.phys.owners.remove(this.id);
  }
}
