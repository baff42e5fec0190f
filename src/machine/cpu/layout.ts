import { TLB_BYTES } from "../../mm/frames/tlb-layout.ts";
import { PAGE_SIZE } from "../../mm/page.ts";

/**
 * Where the hart keeps its things: one area of RAM that no guest page ever maps, at a byte address `base` that is
 * fixed at boot and baked into the generated code.
 *
 * ```
 *   base + 0      x0 … x31, u64 each; x0 is never written and reads 0
 *        + 256    f0 … f31, u64 each
 *        + 512    the scalars below
 *        + 4096   a TLB for accesses that cross a page
 *        + 64 Ki  frame map: u32 per page frame of RAM, the address of the frame's decoded page, or 0
 *        + …      decoded pages
 * ```
 *
 * **Decode cache.** A page of code is turned into records once, and executed from them: fetching, splitting fields and
 * looking up the meaning happen once instead of every time. A decoded page belongs to a frame, not to a virtual
 * address, so that all mappings and processes share it; nothing in a record depends on where the frame is mapped.
 * It has one record per 2-byte slot, as instructions may start at any even address:
 *
 * ```
 *   slot 0 … 2047   the instruction that starts at byte 2 × slot; all zero: not decoded yet
 *        2048       runs past the end: go on in the next page
 *        2050       copy of the 4-byte instruction that begins in slot 2047 and ends in the next page
 *        2052       after it: go on in the next page
 *
 *   record: 0 u16 op │ 2 u16 rd │ 4 u16 rs1 │ 6 u16 rs2 │ 8 i32 imm │ 12 u16 rs3 │ 14 u16 rm
 * ```
 *
 * Registers in a record are byte offsets from `base`, chosen by the decoder, never by the guest. `rm` is the byte
 * offset of the word that holds the rounding mode. In a branch whose target lies in the same page (an op of its own)
 * imm is the distance to the target's record.
 */

export const X_REGISTERS = 0;
export const F_REGISTERS = 256;
export const FFLAGS = 512;
export const FRM = 516;
/** The pc where the last run stopped, u64. */
export const PC = 520;
/** Where writes to x0 go, u64. */
export const DISCARD = 528;
/** The address that LR reserved, u64, or all ones. */
export const RESERVED = 536;
/** The address of the access that missed in the TLB or faulted, u64. */
export const ACCESS_ADDRESS = 544;
/** Where to resume without a new look-up: the record, u32, and the bias (interpreter.ts), i64. */
export const RECORD = 552;
export const BIAS = 560;
/** What is left of the budget, i32. */
export const LEFT = 568;
/** The words 0, 1, 2, 3, 4: where `rm` of an instruction with its own rounding mode points. */
export const ROUNDING_MODES = 576;
/** Stands in for RAM in an access that crosses a page. */
export const BOUNCE = 640;
/** One record to step over, with STEP_END after it (two of them, for either length). */
export const STEP = 704;
export const BOUNCE_TLB = 4096;
export const FRAME_MAP = 0x1_0000;

export const RECORD_BYTES = 16;
export const RECORD_OP = 0;
export const RECORD_RD = 2;
export const RECORD_RS1 = 4;
export const RECORD_RS2 = 6;
export const RECORD_IMM = 8;
export const RECORD_RS3 = 12;
export const RECORD_RM = 14;

export const SLOTS: number = PAGE_SIZE / 2;
export const STRADDLE_SLOT: number = SLOTS + 2;
export const DECODED_PAGE_BYTES: number = (SLOTS + 8) * RECORD_BYTES;

const MAX_RAM_BYTES = 0x1_0000_0000;
const FRAME_MAP_BYTES: number = (MAX_RAM_BYTES / PAGE_SIZE) * 4;
export const DECODED_PAGES: number = FRAME_MAP + FRAME_MAP_BYTES;
/** How many pages of code stay decoded: 2 MiB of text. What isn't used is never committed by the host. */
export const DECODED_PAGE_COUNT = 512;

/** Size of the area. */
export const HART_AREA_BYTES: number =
  Math.ceil((DECODED_PAGES + DECODED_PAGE_COUNT * DECODED_PAGE_BYTES) / 65536) * 65536;

if (BOUNCE_TLB + TLB_BYTES > FRAME_MAP)
  throw new Error("hart layout: the bounce TLB reaches into the frame map");
