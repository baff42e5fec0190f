/**
 * Physical memory as one buffer: a WebAssembly.Memory, so that generated code can run on it.
 *
 * ```
 *   byte 0          1 page        2 pages      + TLBs              + machine          ramTop
 *   ┌───────────────┬─────────────┬────────────┬───────────────────┬──────────────────┐
 *   │ never mapped  │ zero page   │ TLB slots  │ reserved for the  │ page frames      │
 *   │ (pfn 0 = none)│ (shared)    │            │ machine (its hart)│ firstPfn … endPfn│
 *   └───────────────┴─────────────┴────────────┴───────────────────┴──────────────────┘
 * ```
 *
 * A frame's number times PAGE_SIZE is its byte address in the buffer: nothing is ever added. The memory never grows,
 * so the views never detach. The whole is capped at 4 GiB; with RAM of 4 GiB the reserved part comes off it, as it
 * does on a real machine.
 */
import { PAGE_SIZE, type Pfn, pageAlign } from "../page.ts";
import { TLB_BYTES } from "./tlb-layout.ts";

/** Address spaces that can hold translations at once; a further one takes the slot of the least recently used. */
export const TLB_SLOTS = 16;
/** The shared zero page (empty_zero_page): never written, never freed, not counted in any Rss. */
export const ZERO_PFN: Pfn = 1;

const MAX_BYTES = 2 ** 32;
const WASM_PAGE = 65536;

export class Ram {
  readonly memory: WebAssembly.Memory;
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  readonly view: DataView;
  /** Byte address of the TLB slots: the null slot, in which nothing ever hits, then TLB_SLOTS to give out. */
  readonly tlbBase: number;
  /** Byte address and size of what the machine reserved for its hart. */
  readonly machineBase: number;
  readonly machineBytes: number;
  /** First allocatable frame, and the frame past the last. */
  readonly firstPfn: Pfn;
  readonly endPfn: Pfn;

  /** @param ramBytes size of allocatable RAM; @param machineBytes reserved beside it (both rounded up to pages) */
  constructor(ramBytes: number, machineBytes: number) {
    this.tlbBase = 2 * PAGE_SIZE;
    this.machineBase = this.tlbBase + (1 + TLB_SLOTS) * TLB_BYTES;
    this.machineBytes = pageAlign(machineBytes);
    const start = this.machineBase + this.machineBytes;
    const end = Math.min(start + pageAlign(ramBytes), MAX_BYTES);
    const wasmPages = Math.ceil(end / WASM_PAGE);
    this.memory = new WebAssembly.Memory({ initial: wasmPages, maximum: wasmPages });
    this.u8 = new Uint8Array(this.memory.buffer);
    this.u32 = new Uint32Array(this.memory.buffer);
    this.view = new DataView(this.memory.buffer);
    this.firstPfn = start / PAGE_SIZE;
    this.endPfn = end / PAGE_SIZE;
  }
}
