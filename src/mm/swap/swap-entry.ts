/**
 * swp_entry_t: the place of a page in swap, as one number: which area, and which slot of it (include/linux/swapops.h).
 *
 * ```
 *   30      26 25                            0
 *   ├─────────┼─────────────────────────────┤
 *   │ type    │ offset: slot in the area    │      0 is no entry: slot 0 of an area holds its header
 * ```
 *
 * So it has 31 bits: a column of frames holds it, and with the sign bit to spare, a slot of a radix tree does. In a PTE
 * type and offset stand in different words (pagetable/pte.ts), with the exclusive bit beside the type.
 */
import { PTE_SWAP, PTE_SWP_EXCLUSIVE } from "../pagetable/pte.ts";

/** An area and a slot in it. */
export type SwpEntry = number;

const OFFSET_BITS = 26;
/** Slots that an area can have, its header included: 256 GiB of 4 KiB pages. */
export const MAX_SWAP_OFFSET: number = 2 ** OFFSET_BITS;
const OFFSET_MASK: number = MAX_SWAP_OFFSET - 1;
/**
 * Areas at once: 5 bits of type, less those that migration and markers use, in a kernel without memory failure and
 * device-private memory (include/linux/swap.h).
 */
export const MAX_SWAPFILES = 28;
/** Where the type stands in word 0 of a PTE. */
const PTE_TYPE_SHIFT = 8;
const PTE_TYPE_MASK = 0x1f;

export function swpEntry(type: number, offset: number): SwpEntry {
  return (type << OFFSET_BITS) | offset;
}

export function swpType(entry: SwpEntry): number {
  return entry >>> OFFSET_BITS;
}

export function swpOffset(entry: SwpEntry): number {
  return entry & OFFSET_MASK;
}

/** Word 0 of the PTE for an entry; word 1 is its offset (swp_entry_to_pte, pte_swp_mkexclusive). */
export function swapPteWord(entry: SwpEntry, exclusive: boolean): number {
  return (swpType(entry) << PTE_TYPE_SHIFT) | PTE_SWAP | (exclusive ? PTE_SWP_EXCLUSIVE : 0);
}

/** The entry in the two words of a PTE for which isSwapPte holds (pte_to_swp_entry). */
export function pteToSwpEntry(word: number, offset: number): SwpEntry {
  return swpEntry((word >>> PTE_TYPE_SHIFT) & PTE_TYPE_MASK, offset);
}
