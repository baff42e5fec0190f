import { HART_AREA_BYTES, Hart, type Stop } from "../../../src/machine/cpu/hart.ts";
import {
  TLB_BYTES,
  TLB_ENTRIES,
  TLB_ENTRY_BYTES,
  TLB_EXEC_TAG,
  TLB_FRAME,
  TLB_READ_TAG,
  TLB_WRITE_TAG,
} from "../../../src/mm/frames/tlb-layout.ts";
import { ACCESS_EXEC, ACCESS_READ, ACCESS_WRITE, type Access } from "../../../src/mm/pagetable/access.ts";

/**
 * A hart over a page table that is a Map: virtual page address → frame and rights. For tests of the processor alone.
 */

export const READ: number = 1 << ACCESS_READ;
export const WRITE: number = 1 << ACCESS_WRITE;
export const EXEC: number = 1 << ACCESS_EXEC;
export const ALL: number = READ | WRITE | EXEC;

const PAGE = 4096;
const BASE = 65536;
const TLB = BASE + HART_AREA_BYTES;
const FRAMES = TLB + TLB_BYTES;
const TAGS: readonly number[] = [TLB_READ_TAG, TLB_WRITE_TAG, TLB_EXEC_TAG];

interface Mapping {
  readonly frame: number;
  readonly rights: number;
}

export class FlatRig {
  readonly hart: Hart;
  readonly bytes: Uint8Array;
  readonly table: Map<number, Mapping> = new Map();
  /** Every call of translate: address and access. */
  readonly misses: { address: number; access: Access }[] = [];
  /** Called at every miss before it is answered. */
  onMiss: (address: number, access: Access) => void = () => {};
  private readonly words: Int32Array;
  private nextFrame = FRAMES;

  constructor(ramBytes: number = 1 << 20, readTime?: () => number) {
    const pages = Math.ceil((FRAMES + ramBytes) / 65536);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Int32Array(memory.buffer);
    this.flush();
    this.hart = new Hart({
      memory,
      base: BASE,
      translate: (low, high, access) => this.translate(low, high, access),
      ...(readTime === undefined ? {} : { readTime }),
    });
  }

  /** Map a new frame at the page of `address`; returns the frame's byte address. */
  map(address: number, rights: number = ALL): number {
    const frame = this.nextFrame;
    this.nextFrame += PAGE;
    this.table.set(address - (address % PAGE), { frame, rights });
    return frame;
  }

  /** Map pages for `size` bytes at `address` where there are none. */
  mapRange(address: number, size: number, rights: number = ALL): void {
    for (let page = address - (address % PAGE); page < address + size; page += PAGE) {
      if (!this.table.has(page)) this.map(page, rights);
    }
  }

  unmap(address: number): void {
    this.table.delete(address - (address % PAGE));
    this.flush();
  }

  flush(): void {
    this.words.fill(-1, TLB >>> 2, (TLB + TLB_BYTES) >>> 2);
  }

  private ram(address: number): number {
    const mapping = this.table.get(address - (address % PAGE));
    if (mapping === undefined) throw new Error(`flat rig: nothing at ${address.toString(16)}`);
    return mapping.frame + (address % PAGE);
  }

  write(address: number, data: ArrayLike<number>): void {
    for (let i = 0; i < data.length; i++) this.bytes[this.ram(address + i)] = data[i];
  }

  read(address: number, length: number): number[] {
    return Array.from({ length }, (_, i) => this.bytes[this.ram(address + i)]);
  }

  write64(address: number, value: bigint): void {
    this.write(
      address,
      Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn)),
    );
  }

  read64(address: number): bigint {
    return this.read(address, 8).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  run(budget = 100_000): Stop {
    return this.hart.run(TLB, budget);
  }

  private translate(low: number, high: number, access: Access): number {
    const address = (high >>> 0) * 0x1_0000_0000 + (low >>> 0);
    this.misses.push({ address, access });
    this.onMiss(address, access);
    const page = address - (address % PAGE);
    const mapping = this.table.get(page);
    if (mapping === undefined || (mapping.rights & (1 << access)) === 0) return -1;
    const entry = (TLB + ((low >>> 12) % TLB_ENTRIES) * TLB_ENTRY_BYTES) >>> 2;
    for (const [kind, tag] of TAGS.entries()) {
      const granted = (mapping.rights & (1 << kind)) !== 0;
      this.words[entry + tag / 4] = granted ? low & -PAGE : -1;
      this.words[entry + tag / 4 + 1] = granted ? high : -1;
    }
    this.words[entry + TLB_FRAME / 4] = mapping.frame;
    return mapping.frame;
  }
}

/** Little-endian bytes of 32-bit instruction words. */
export function code(...words: number[]): number[] {
  return words.flatMap((w) => [w & 255, (w >>> 8) & 255, (w >>> 16) & 255, w >>> 24]);
}

/** Bytes from hex, as objdump or a compiler gave them; white space is ignored. */
export function hex(text: string): number[] {
  return (text.replace(/\s/g, "").match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16));
}
