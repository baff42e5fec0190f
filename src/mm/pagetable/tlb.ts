/**
 * The translation look-aside buffers: who owns a slot, how an entry is filled, and how it is flushed.
 *
 * An address space gets one of a few slots in RAM when it becomes current, as it would get an ASID: switching between
 * processes flushes nothing, and the one that became current longest ago loses its slot to a newcomer. The machine says
 * so at every turn; the library's processes become current at a miss without a slot.
 *
 * Coherence rule: whoever lowers a PTE (unmaps, write-protects, cleans, moves it) flushes its page before it returns.
 * Raising a PTE needs no flush, since a tag that is missing only costs a walk.
 */
import { type Ram, TLB_SLOTS } from "../frames/ram.ts";
import { TLB_BYTES, TLB_ENTRIES, TLB_ENTRY_BYTES } from "../frames/tlb-layout.ts";
import { PAGE_OFFSET_MASK, PAGE_SIZE, type Vaddr } from "../page.ts";
import { PTE_ACCESSED, PTE_DIRTY, PTE_EXEC, PTE_READ, PTE_WRITE } from "./pte.ts";

/** Low word of a tag that equals no page address, whatever the high word says: its offset bits are set. */
const INVALID = 0xffffffff;
const ENTRY_WORDS: number = TLB_ENTRY_BYTES / 4;
const TWO_32 = 2 ** 32;

/**
 * One address space's TLB. Owner: its mm. Without a slot of its own it points at the null slot, in which every look-up
 * misses and which nothing fills: who looks up need not ask.
 */
export class TlbContext {
  /** Byte address of the slot in RAM. The pool alone writes it. */
  base: number;
  readonly #nullBase: number;
  readonly #u32: Uint32Array;

  constructor(ram: Ram) {
    this.#u32 = ram.u32;
    this.#nullBase = ram.tlbBase;
    this.base = this.#nullBase;
  }

  get hasSlot(): boolean {
    return this.base !== this.#nullBase;
  }

  /** Takes the slot away. */
  drop(): void {
    this.base = this.#nullBase;
  }

  /** Enters the translation of `addr`'s page. `pte` is word 0 of its PTE, already accessed (and dirty on a write). */
  fill(addr: Vaddr, pte: number, frameAddr: number): void {
    if (!this.hasSlot) return;
    const u32 = this.#u32;
    const entry = this.#entry(addr);
    const low = (addr & ~PAGE_OFFSET_MASK) >>> 0;
    const high = (addr / TWO_32) >>> 0;
    const used = (pte & PTE_ACCESSED) !== 0;
    const writable = used && (pte & (PTE_WRITE | PTE_DIRTY)) === (PTE_WRITE | PTE_DIRTY);
    u32[entry] = used && (pte & PTE_READ) !== 0 ? low : INVALID;
    u32[entry + 1] = high;
    u32[entry + 2] = writable ? low : INVALID;
    u32[entry + 3] = high;
    u32[entry + 4] = used && (pte & PTE_EXEC) !== 0 ? low : INVALID;
    u32[entry + 5] = high;
    u32[entry + 6] = frameAddr;
  }

  flushPage(addr: Vaddr): void {
    if (!this.hasSlot) return;
    const entry = this.#entry(addr);
    this.#u32[entry] = INVALID;
    this.#u32[entry + 2] = INVALID;
    this.#u32[entry + 4] = INVALID;
  }

  /** Flushes every page that meets start … end. */
  flushRange(start: Vaddr, end: Vaddr): void {
    if (!this.hasSlot) return;
    if (end - start >= TLB_ENTRIES * PAGE_SIZE) this.flushAll();
    else for (let addr: number = start; addr < end; addr += PAGE_SIZE) this.flushPage(addr);
  }

  flushAll(): void {
    if (!this.hasSlot) return;
    this.#u32.fill(INVALID, this.base / 4, (this.base + TLB_BYTES) / 4);
  }

  #entry(addr: Vaddr): number {
    return this.base / 4 + ((addr / PAGE_SIZE) & (TLB_ENTRIES - 1)) * ENTRY_WORDS;
  }
}

/** Hands the slots out. */
export class TlbPool {
  readonly #ram: Ram;
  /** Owners of the slots, by when they last became current. */
  readonly #owners: TlbContext[] = [];

  constructor(ram: Ram) {
    this.#ram = ram;
    ram.u32.fill(INVALID, ram.tlbBase / 4, (ram.tlbBase + TLB_BYTES) / 4);
  }

  /** Gives `context` a slot, empty if it had none. Call when an address space becomes current. */
  activate(context: TlbContext): void {
    const owners = this.#owners;
    if (context.hasSlot) {
      if (owners[owners.length - 1] !== context) {
        owners.splice(owners.indexOf(context), 1);
        owners.push(context);
      }
      return;
    }
    const idle = owners.length === TLB_SLOTS ? owners.shift() : undefined;
    if (idle === undefined) {
      context.base = this.#freeBase();
    } else {
      context.base = idle.base;
      idle.drop();
    }
    owners.push(context);
    context.flushAll();
  }

  /** Takes the slot away: the address space is gone. */
  release(context: TlbContext): void {
    if (!context.hasSlot) return;
    this.#owners.splice(this.#owners.indexOf(context), 1);
    context.drop();
  }

  #freeBase(): number {
    for (let base = this.#ram.tlbBase + TLB_BYTES; ; base += TLB_BYTES) {
      if (!this.#owners.some((owner) => owner.base === base)) return base;
    }
  }
}
