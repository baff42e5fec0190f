/**
 * A process's memory as TypeScript uses it: typed loads and stores at an address, bytes, strings and views.
 *
 * A load or store first looks into the TLB, as a CPU would: a hit costs a few nanoseconds and allocates nothing. A miss
 * goes to the MMU and may fault. A bad access throws SegmentationFault or BusError. All numbers are little-endian, and
 * need not be aligned.
 */

import type { FaultingTask } from "../fault/faulting-task.ts";
import type { Mmu } from "../fault/mmu.ts";
import { copyFromUser, copyToUser, readUserBytesZ } from "../fault/uaccess.ts";
import {
  TLB_ENTRIES,
  TLB_ENTRY_BYTES,
  TLB_FRAME,
  TLB_READ_TAG,
  TLB_WRITE_TAG,
} from "../frames/tlb-layout.ts";
import { PAGE_OFFSET_MASK, PAGE_SIZE, type Vaddr } from "../page.ts";
import { ACCESS_READ, ACCESS_WRITE, type Access } from "../pagetable/access.ts";
import { EFAULT } from "../uapi/errno.ts";
import { decodeName, encodeName } from "../vfs/name-bytes.ts";
import type { MmActor } from "../vma/mm-actor.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { memoryFault } from "./errors.ts";

const TWO_32 = 2 ** 32;
const ENTRY_WORDS: number = TLB_ENTRY_BYTES / 4;
const READ_WORD: number = TLB_READ_TAG / 4;
const WRITE_WORD: number = TLB_WRITE_TAG / 4;
const FRAME_WORD: number = TLB_FRAME / 4;
const PAGE_FRACTION: number = 1 / PAGE_SIZE;
/** Room for an access that crosses a page. */
const SPLIT = new Uint8Array(8);
const SPLIT_VIEW = new DataView(SPLIT.buffer);

export abstract class MemoryAccess implements FaultingTask {
  abstract readonly pid: number;
  abstract mm: MmStruct;
  abstract readonly actor: MmActor;
  abstract minFlt: number;
  abstract majFlt: number;
  readonly #mmu: Mmu;
  readonly #u32: Uint32Array;
  readonly #u8: Uint8Array;
  readonly #view: DataView;

  constructor(mmu: Mmu) {
    this.#mmu = mmu;
    const { ram } = mmu.phys;
    this.#u32 = ram.u32;
    this.#u8 = ram.u8;
    this.#view = ram.view;
  }

  /** Loads an unsigned 8-bit number. Throws SegmentationFault or BusError. */
  loadU8(addr: Vaddr): number {
    return this.#u8[this.#at(addr, 1, READ_WORD, ACCESS_READ)];
  }

  /** Loads a signed 8-bit number. Throws SegmentationFault or BusError. */
  loadI8(addr: Vaddr): number {
    return (this.loadU8(addr) << 24) >> 24;
  }

  /** Loads an unsigned 16-bit number. Throws SegmentationFault or BusError. */
  loadU16(addr: Vaddr): number {
    const at = this.#at(addr, 2, READ_WORD, ACCESS_READ);
    return at < 0 ? this.#splitLoad(addr, 2).getUint16(0, true) : this.#view.getUint16(at, true);
  }

  /** Loads a signed 16-bit number. Throws SegmentationFault or BusError. */
  loadI16(addr: Vaddr): number {
    return (this.loadU16(addr) << 16) >> 16;
  }

  /** Loads an unsigned 32-bit number. Throws SegmentationFault or BusError. */
  loadU32(addr: Vaddr): number {
    const at = this.#at(addr, 4, READ_WORD, ACCESS_READ);
    return at < 0 ? this.#splitLoad(addr, 4).getUint32(0, true) : this.#view.getUint32(at, true);
  }

  /** Loads a signed 32-bit number. Throws SegmentationFault or BusError. */
  loadI32(addr: Vaddr): number {
    return this.loadU32(addr) | 0;
  }

  /** Loads an unsigned 64-bit number. Throws SegmentationFault or BusError. */
  loadU64(addr: Vaddr): bigint {
    const at = this.#at(addr, 8, READ_WORD, ACCESS_READ);
    return at < 0 ? this.#splitLoad(addr, 8).getBigUint64(0, true) : this.#view.getBigUint64(at, true);
  }

  /** Loads a signed 64-bit number. Throws SegmentationFault or BusError. */
  loadI64(addr: Vaddr): bigint {
    return BigInt.asIntN(64, this.loadU64(addr));
  }

  /** Loads a single-precision number. Throws SegmentationFault or BusError. */
  loadF32(addr: Vaddr): number {
    const at = this.#at(addr, 4, READ_WORD, ACCESS_READ);
    return at < 0 ? this.#splitLoad(addr, 4).getFloat32(0, true) : this.#view.getFloat32(at, true);
  }

  /** Loads a double-precision number. Throws SegmentationFault or BusError. */
  loadF64(addr: Vaddr): number {
    const at = this.#at(addr, 8, READ_WORD, ACCESS_READ);
    return at < 0 ? this.#splitLoad(addr, 8).getFloat64(0, true) : this.#view.getFloat64(at, true);
  }

  /** Stores the low 8 bits of `value`. */
  storeU8(addr: Vaddr, value: number): void {
    this.#u8[this.#at(addr, 1, WRITE_WORD, ACCESS_WRITE)] = value;
  }

  /** Stores the low 16 bits of `value`. */
  storeU16(addr: Vaddr, value: number): void {
    const at = this.#at(addr, 2, WRITE_WORD, ACCESS_WRITE);
    if (at >= 0) {
      this.#view.setUint16(at, value, true);
    } else {
      SPLIT_VIEW.setUint16(0, value, true);
      this.#splitStore(addr, 2);
    }
  }

  /** Stores the low 32 bits of `value`. */
  storeU32(addr: Vaddr, value: number): void {
    const at = this.#at(addr, 4, WRITE_WORD, ACCESS_WRITE);
    if (at >= 0) {
      this.#view.setUint32(at, value, true);
    } else {
      SPLIT_VIEW.setUint32(0, value, true);
      this.#splitStore(addr, 4);
    }
  }

  /** Stores the low 64 bits of `value`. */
  storeU64(addr: Vaddr, value: bigint): void {
    const at = this.#at(addr, 8, WRITE_WORD, ACCESS_WRITE);
    if (at >= 0) {
      this.#view.setBigUint64(at, value, true);
    } else {
      SPLIT_VIEW.setBigUint64(0, value, true);
      this.#splitStore(addr, 8);
    }
  }

  /** Stores a single-precision number. Throws SegmentationFault or BusError. */
  storeF32(addr: Vaddr, value: number): void {
    const at = this.#at(addr, 4, WRITE_WORD, ACCESS_WRITE);
    if (at >= 0) {
      this.#view.setFloat32(at, value, true);
    } else {
      SPLIT_VIEW.setFloat32(0, value, true);
      this.#splitStore(addr, 4);
    }
  }

  /** Stores a double-precision number. Throws SegmentationFault or BusError. */
  storeF64(addr: Vaddr, value: number): void {
    const at = this.#at(addr, 8, WRITE_WORD, ACCESS_WRITE);
    if (at >= 0) {
      this.#view.setFloat64(at, value, true);
    } else {
      SPLIT_VIEW.setFloat64(0, value, true);
      this.#splitStore(addr, 8);
    }
  }

  /** A copy of `length` bytes at `addr`. */
  readBytes(addr: Vaddr, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    if (copyFromUser(this.#mmu, this, addr, bytes) < length) this.#throwFault();
    return bytes;
  }

  /** Stores bytes at `addr`. What lies before a bad page is stored when this throws. */
  writeBytes(addr: Vaddr, bytes: Uint8Array): void {
    if (copyToUser(this.#mmu, this, addr, bytes) < bytes.length) this.#throwFault();
  }

  /** The NUL-terminated UTF-8 string at `addr`, of at most `max` bytes; what is no UTF-8 as in names, see decodeName. */
  readString(addr: Vaddr, max: number = 2 ** 20): string {
    const bytes = readUserBytesZ(this.#mmu, this, addr, max);
    if (typeof bytes === "number") {
      if (bytes === -EFAULT) this.#throwFault();
      throw new RangeError(`no NUL within ${max} bytes at 0x${addr.toString(16)}`);
    }
    return decodeName(bytes);
  }

  /** Stores a string as UTF-8 (see encodeName) with a NUL behind it; answers the bytes stored, NUL included. */
  writeString(addr: Vaddr, text: string): number {
    const bytes = encodeName(`${text}\0`);
    this.writeBytes(addr, bytes);
    return bytes.length;
  }

  /**
   * The very bytes of RAM that show `addr … addr + length`, which must lie within one page: no copy. The page is made
   * resident first, and for `write` its own. The view shows that frame for as long as the frame holds this page: until
   * it is unmapped, copied on write or reclaimed.
   */
  view(addr: Vaddr, length: number, access: "read" | "write" = "read"): Uint8Array {
    const offset = addr & PAGE_OFFSET_MASK;
    if (length < 0 || offset + length > PAGE_SIZE) {
      throw new RangeError(`a view lies within one page: 0x${addr.toString(16)} + ${length} does not`);
    }
    const frame = this.#translate(addr, access === "write" ? ACCESS_WRITE : ACCESS_READ);
    return this.#u8.subarray(frame + offset, frame + offset + length);
  }

  /**
   * The byte in RAM of an access of `size` bytes at `addr`; −1 when it crosses a page, whose halves lie apart. `tag` is
   * the word of the TLB entry that grants this kind of access.
   */
  #at(addr: Vaddr, size: number, tag: number, access: Access): number {
    const u32 = this.#u32;
    const offset = addr & PAGE_OFFSET_MASK;
    const entry = (this.mm.tlb.base >>> 2) + ((addr * PAGE_FRACTION) & (TLB_ENTRIES - 1)) * ENTRY_WORDS;
    if (
      u32[entry + tag] === (addr & ~PAGE_OFFSET_MASK) >>> 0 &&
      u32[entry + tag + 1] === (addr / TWO_32) >>> 0 &&
      offset + size <= PAGE_SIZE
    ) {
      return u32[entry + FRAME_WORD] + offset;
    }
    if (offset + size > PAGE_SIZE) return -1;
    return this.#translate(addr, access) + offset;
  }

  #translate(addr: Vaddr, access: Access): number {
    this.mm.actor = this.actor;
    const frame = this.#mmu.translate(this, addr, access);
    if (frame < 0) this.#throwFault();
    return frame;
  }

  /** Both pages must be good before anything is loaded or stored. */
  #splitLoad(addr: Vaddr, size: number): DataView {
    SPLIT.set(this.readBytes(addr, size));
    return SPLIT_VIEW;
  }

  #splitStore(addr: Vaddr, size: number): void {
    this.#translate(addr, ACCESS_WRITE);
    this.#translate(addr + size - 1, ACCESS_WRITE);
    this.writeBytes(addr, SPLIT.subarray(0, size));
  }

  /** An access was refused, and is about to throw: the owner of the memory may have to end, and may throw itself. */
  protected abstract afterRefusal(addr: Vaddr): void;

  #throwFault(): never {
    const { faultSignal, faultCode, faultAddress } = this.#mmu;
    this.afterRefusal(faultAddress);
    throw memoryFault(faultSignal, faultCode, faultAddress);
  }
}
