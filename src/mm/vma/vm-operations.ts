/**
 * The seam between mappings and what they map: a file as a mapping sees it, and the operations that a file system
 * gives the fault path (vm_operations_struct). Mappings know no file system, file systems no page table.
 */
import type { Pfn, PgOff, Vaddr } from "../page.ts";
import type { IntervalTree } from "./interval-tree.ts";
import type { Mempolicy } from "./mempolicy.ts";
import type { VmArea } from "./vm-area.ts";

/** Outcome flags of a fault (vm_fault_t, include/linux/mm_types.h). 0: handled, a minor fault. */
export const VM_FAULT_OOM = 0x0001;
export const VM_FAULT_SIGBUS = 0x0002;
export const VM_FAULT_MAJOR = 0x0004;
export const VM_FAULT_SIGSEGV = 0x0040;
/** `vmf.page` holds the page, with a reference for the caller, which maps it. */
export const VM_FAULT_LOCKED = 0x0200;
/** Nothing was done: storage must answer first; the fault is to be taken again. */
export const VM_FAULT_RETRY = 0x0400;
/** The handler did everything; nothing is left to map. */
export const VM_FAULT_NOPAGE = 0x0100;
/** The page was copied. */
export const VM_FAULT_DONE_COW = 0x1000;
export const VM_FAULT_ERROR: number = VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV;

/** How a fault came about (enum fault_flag). */
export const FAULT_FLAG_WRITE = 0x01;
export const FAULT_FLAG_USER = 0x40;
/** Nobody writes, but the page must be the process's own: copied if others have it, too (FAULT_FLAG_UNSHARE). */
export const FAULT_FLAG_UNSHARE = 0x400;
export const FAULT_FLAG_INSTRUCTION = 0x100;

/** What a mapping needs of an open file. */
export interface MappedFile {
  readonly mapping: MappedObject;
  /** The file's path as /proc/PID/maps shows it, " (deleted)" included. */
  readonly path: string;
  /** mremap moves mappings of it one at a time, not several with one call (vma_multi_allowed). */
  readonly movesAlone?: boolean;
  /** Takes and drops a reference to the open file. */
  get(): void;
  put(): void;
}

/** What a mapping needs of the mapped object (address_space): the tree of all mappings of it, keyed by pgoff. */
export interface MappedObject {
  readonly iMmap: IntervalTree<VmArea>;
  /** How many of them may write to it (i_mmap_writable): what a write seal asks. */
  writableMappings: number;
  /** Dirty pages are written back (mapping_can_writeback), so that writes through shared mappings must be noticed. */
  readonly canWriteback?: boolean;
  /** Bytes of its huge pages, where it consists of such (hugetlbfs): what is mapped of it begins and ends at their bounds. */
  readonly hugePageSize?: number;
  /** Large mappings are aligned to huge pages (ext4's get_unmapped_area), where the mm has a thpSize. */
  readonly hugeAligned?: boolean;
  /** Only private ones are (get_unmapped_area_zero). */
  readonly hugeAlignedPrivate?: boolean;
}

/** One fault on its way through the handlers (struct vm_fault). Reused: no fault allocates one. */
export interface VmFault {
  vma: VmArea;
  /** page-aligned address, and the byte that was touched */
  address: Vaddr;
  realAddress: Vaddr;
  /** page of the file that the address falls on */
  pgoff: PgOff;
  /** FAULT_FLAG_… */
  flags: number;
  /** word index of the PTE in RAM, 0 while there is none */
  pte: number;
  /** the page found, with a reference */
  page: Pfn;
}

export interface VmOperations {
  /**
   * Finds the page at `vmf.pgoff`, reading it where it is not cached. On success answers VM_FAULT_LOCKED (with
   * VM_FAULT_MAJOR when storage was read) and leaves the page in `vmf.page` with a reference; otherwise VM_FAULT_ERROR
   * bits or VM_FAULT_RETRY.
   */
  fault(vmf: VmFault): number;
  /** Whether pages that are in the page cache around the faulting one may be mapped along with it (map_pages). */
  readonly mapsAround: boolean;
  /**
   * A page of a shared mapping (`vmf.page`) is about to become writable: update times, reserve space. 0 or
   * VM_FAULT_ERROR bits. Its presence is why a clean page is mapped read-only first (vma_wants_writenotify).
   */
  pageMkwrite?(vmf: VmFault): number;
  /** A mapping with these operations was opened (by fork or split) or closed: SysV shared memory counts them. */
  open?(vma: VmArea): void;
  close?(vma: VmArea): void;
  /** The policy belongs to what is mapped: gives it to the pages of the whole mapping (0 or -ENOMEM), and looks up a page's. */
  setPolicy?(vma: VmArea, policy: Mempolicy | null): number;
  getPolicy?(vma: VmArea, addr: Vaddr): Mempolicy | null;
  /** What /proc/PID/maps calls the mapping, where not the file's path. */
  name?(vma: VmArea): string;
}
