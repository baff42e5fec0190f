/** Flags of swapon(2) (include/linux/swap.h). */
/** The low bits say the priority. */
export const SWAP_FLAG_PREFER = 0x8000;
export const SWAP_FLAG_PRIO_MASK = 0x7fff;
/** Discard the area when it is taken into use, its clusters when they come free, or, without the two below, both. */
export const SWAP_FLAG_DISCARD = 0x10000;
export const SWAP_FLAG_DISCARD_ONCE = 0x20000;
export const SWAP_FLAG_DISCARD_PAGES = 0x40000;
export const SWAP_FLAGS_VALID: number =
  SWAP_FLAG_PRIO_MASK |
  SWAP_FLAG_PREFER |
  SWAP_FLAG_DISCARD |
  SWAP_FLAG_DISCARD_ONCE |
  SWAP_FLAG_DISCARD_PAGES;
