/**
 * The header of a swap area: its first page, as mkswap(8) writes it and swapon reads it (union swap_header in
 * include/linux/swap.h; read_swap_header).
 *
 * ```
 *   byte 0      1024      1028        1032          1036    1052     1068      1536          4086
 *   ├───────────┼─────────┼───────────┼─────────────┼───────┼────────┼─────────┼─────────────┼────────────┤
 *   │ boot bits │ version │ last page │ nr badpages │ uuid  │ label  │ padding │ bad pages … │ SWAPSPACE2 │
 * ```
 *
 * All numbers are 32 bits, of the byte order of whoever wrote them: the version, which is 1, tells.
 */
import { PAGE_SIZE } from "../page.ts";
import { MAX_SWAP_OFFSET } from "./swap-entry.ts";

const MAGIC = "SWAPSPACE2";
const MAGIC_AT: number = PAGE_SIZE - MAGIC.length;
const INFO = 1024;
const VERSION_AT: number = INFO;
const LAST_PAGE_AT: number = INFO + 4;
const NR_BADPAGES_AT: number = INFO + 8;
const UUID_AT: number = INFO + 12;
const UUID_BYTES = 16;
const LABEL_AT: number = INFO + 28;
const LABEL_BYTES = 16;
const BADPAGES_AT = 1536;
/** Bad pages that a header has room for (MAX_SWAP_BADPAGES). */
export const MAX_SWAP_BADPAGES: number = Math.floor((MAGIC_AT - BADPAGES_AT) / 4);

/** What swapon takes from a header. */
export interface SwapHeader {
  /** Slots that the area has, the header included. */
  readonly maxPages: number;
  readonly badPages: readonly number[];
}

/**
 * Reads a header. `pages` is how many the device has; `isFile` says that it is a file, which can't have bad pages.
 * Undefined for anything that swapon refuses with EINVAL.
 */
export function readSwapHeader(page: Uint8Array, pages: number, isFile: boolean): SwapHeader | undefined {
  if (new TextDecoder("latin1").decode(page.subarray(MAGIC_AT, PAGE_SIZE)) !== MAGIC) return undefined;
  const view = new DataView(page.buffer, page.byteOffset, PAGE_SIZE);
  const littleEndian = view.getUint32(VERSION_AT, false) !== 1;
  if (view.getUint32(VERSION_AT, littleEndian) !== 1) return undefined;
  const lastPage = view.getUint32(LAST_PAGE_AT, littleEndian);
  const nrBad = view.getUint32(NR_BADPAGES_AT, littleEndian);
  if (lastPage === 0) return undefined;
  const maxPages = Math.min(lastPage + 1, MAX_SWAP_OFFSET);
  // An area may be smaller than its device, never larger.
  if (pages < maxPages) return undefined;
  if (nrBad > MAX_SWAP_BADPAGES || (nrBad > 0 && isFile)) return undefined;
  const badPages: number[] = [];
  for (let i = 0; i < nrBad; i++) {
    const bad = view.getUint32(BADPAGES_AT + 4 * i, littleEndian);
    if (bad === 0 || bad > lastPage) return undefined;
    if (bad < maxPages && !badPages.includes(bad)) badPages.push(bad);
  }
  // An area of bad pages alone is empty.
  return maxPages - 1 - badPages.length > 0 ? { maxPages, badPages } : undefined;
}

/** Fewest pages of an area, the header included, for mkswap. */
export const MIN_SWAP_PAGES = 10;

export interface MkswapOptions {
  /** Up to 15 bytes of UTF-8, shown by blkid. */
  readonly label?: string;
  /** 16 bytes; default zeros: no randomness of one's own. */
  readonly uuid?: Uint8Array;
  /** Slots that must not be used. */
  readonly badPages?: readonly number[];
}

/** The header page of an area of `pages` pages (10 at least, as mkswap wants), the header included (mkswap(8)). */
export function mkswap(pages: number, options: MkswapOptions = {}): Uint8Array {
  if (!(pages >= MIN_SWAP_PAGES && pages <= 2 ** 32))
    throw new RangeError(`a swap area has ${MIN_SWAP_PAGES} pages at least, not ${pages}`);
  const badPages = options.badPages ?? [];
  if (badPages.length > MAX_SWAP_BADPAGES) throw new RangeError(`${badPages.length} bad pages are too many`);
  const page = new Uint8Array(PAGE_SIZE);
  const view = new DataView(page.buffer);
  view.setUint32(VERSION_AT, 1, true);
  view.setUint32(LAST_PAGE_AT, pages - 1, true);
  view.setUint32(NR_BADPAGES_AT, badPages.length, true);
  for (const [i, bad] of badPages.entries()) view.setUint32(BADPAGES_AT + 4 * i, bad, true);
  if (options.uuid !== undefined) page.set(options.uuid.subarray(0, UUID_BYTES), UUID_AT);
  page.set(new TextEncoder().encode(options.label ?? "").subarray(0, LABEL_BYTES - 1), LABEL_AT);
  page.set(new TextEncoder().encode(MAGIC), MAGIC_AT);
  return page;
}
