/**
 * Page flags (include/linux/page-flags.h), one 32-bit word per frame.
 *
 * PG_buddy marks the first frame of a free block, whose order stands in the `priv` column. Frames of a block other
 * than the first carry no flag of their own.
 */
/** Under I/O, or in the hands of a fault: reclaim leaves it alone. */
export const PG_LOCKED: number = 1 << 0;
/** Content is valid: a page-cache page whose read has finished. */
export const PG_UPTODATE: number = 1 << 1;
/** Newer than the file: must be written back before the frame may go. */
export const PG_DIRTY: number = 1 << 2;
export const PG_WRITEBACK: number = 1 << 3;
/** On an LRU list. */
export const PG_LRU: number = 1 << 4;
export const PG_ACTIVE: number = 1 << 5;
export const PG_REFERENCED: number = 1 << 6;
/** Anonymous: `mapping` names an anon_vma, `index` the page of the VMA's pgoff space. */
export const PG_ANON: number = 1 << 7;
/** Anonymous and mapped by one process only: a write fault may reuse it in place (PageAnonExclusive). */
export const PG_ANON_EXCLUSIVE: number = 1 << 8;
/**
 * Backed by swap rather than a file: anonymous and shmem pages. An anonymous page without it is lazily freed (MADV_FREE):
 * on the lists of file pages, and dropped by reclaim unless a PTE says that it was written since.
 */
export const PG_SWAPBACKED: number = 1 << 9;
/** Readahead marker: touching this page starts the next window. */
export const PG_READAHEAD: number = 1 << 10;
/** First frame of a free block of the buddy allocator. */
export const PG_BUDDY: number = 1 << 11;
/** Holds a page table. */
export const PG_TABLE: number = 1 << 12;
/** Not RAM that may be allocated: zero page, TLBs, the machine's area. */
export const PG_RESERVED: number = 1 << 13;
/** The machine has decoded instructions from this frame: freeing or rewriting it must drop them. */
export const PG_ICACHE: number = 1 << 14;
/** Locked in memory by mlock. */
export const PG_MLOCKED: number = 1 << 15;
export const PG_UNEVICTABLE: number = 1 << 16;
/** The last write-back of this page failed. */
export const PG_ERROR: number = 1 << 17;
/** In the swap cache; `priv` holds the swap entry. */
export const PG_SWAPCACHE: number = 1 << 18;
/** Its file stays in memory as a whole (SHM_LOCK): the page is unevictable, or will be when reclaim or mlock meets it. */
export const PG_SHM_LOCKED: number = 1 << 19;
/** Was active before it left memory or the active list: its next refault is thrashing (PG_workingset). */
export const PG_WORKINGSET: number = 1 << 20;
/** Came from swap past the cache, and its slot went: until somebody writes to it, nothing else says that it holds data. */
export const PG_LAST_COPY: number = 1 << 21;
/** Reclaim waits for its write-back: at the end of that it is the next to be taken (PG_reclaim). */
export const PG_RECLAIM: number = 1 << 22;
/** Brought in by a transfer that is to leave nothing in the cache (RWF_DONTCACHE): goes when it has served. */
export const PG_DROPBEHIND: number = 1 << 23;
