/**
 * Page-table entries: 8 bytes, two 32-bit words, in every level's table.
 *
 * ```
 *   word 0   31                 10   9     8    7   6   5   4   3   2   1   0
 *           ┌─────────────────────┬─────┬─────┬───┬───┬───┬───┬───┬───┬───┬───┐
 *  present  │          0          │soft │spec.│ D │ A │ - │ U │ X │ W │ R │ 1 │    word 1: frame number
 *           ├─────────────────────┴─────┴─────┴───┴───┴───┴───┴───┴───┴───┼───┤
 *  marker   │                      kind, 0 for a guard                │ 1 │ 0 │    word 1: 0
 *           ├───────────────────┬─────────────────────────┬───┬───┬───┼───┼───┤
 *  swapped  │         0         │ 12    swap type       8 │ - │ E │ 1 │ 0 │ 0 │    word 1: swap offset
 *           └───────────────────┴─────────────────────────┴───┴───┴───┴───┴───┘
 *  none       all 64 bits zero
 * ```
 *
 * E (bit 3) says that the page was this process's alone when it was swapped out (pte_swp_exclusive).
 *
 * The order of bits 0–7 is that of RISC-V's Sv48. Word 1 gives a frame number 32 bits, of which 2^28 frames (1 TiB)
 * are promised. A page of a PROT_NONE mapping stays present with neither R, W nor X, so that no access can use it
 * while its frame is kept. Entries of upper levels are present and name the frame of the next table.
 */
export const PTE_PRESENT: number = 1 << 0;
export const PTE_READ: number = 1 << 1;
export const PTE_WRITE: number = 1 << 2;
export const PTE_EXEC: number = 1 << 3;
export const PTE_USER: number = 1 << 4;
export const PTE_ACCESSED: number = 1 << 6;
export const PTE_DIRTY: number = 1 << 7;
/** The frame is not counted: no map count, no reference, no Rss. Set for the zero page. */
export const PTE_SPECIAL: number = 1 << 8;
export const PTE_SOFT_DIRTY: number = 1 << 9;
export const PTE_PROT: number = PTE_READ | PTE_WRITE | PTE_EXEC;
/** Not present: a marker, which stands for no page (PTE_MARKER). Swap entries have this bit clear. */
export const PTE_MARKER: number = 1 << 1;
/** The whole word of a guard marker (MADV_GUARD_INSTALL): no frame, and every access is a SIGSEGV. */
export const PTE_GUARD: number = PTE_MARKER;
/** The whole word of a marker for a page that can't be had any more (PTE_MARKER_POISONED): every access is a SIGBUS. */
export const PTE_POISONED: number = PTE_MARKER | (1 << 4);
/** Not present: the page is in swap. */
export const PTE_SWAP: number = 1 << 2;
/** Of a swap entry: the page was exclusive (pte_swp_exclusive). */
export const PTE_SWP_EXCLUSIVE: number = 1 << 3;

export const PTRS_PER_TABLE = 512;
/** 32-bit words of one entry. */
export const PTE_WORDS = 2;

/** Whether a word 0 that is not zero names a page in swap. */
export function isSwapPte(word: number): boolean {
  return (word & (PTE_PRESENT | PTE_MARKER | PTE_SWAP)) === PTE_SWAP;
}
