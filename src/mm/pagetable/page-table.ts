/**
 * Four levels of page tables over 47-bit user addresses (mm/memory.c, arch pgtable.h).
 *
 * Every table is a frame of RAM with 512 entries of 8 bytes, allocated like any other frame and charged to the mm
 * (VmPTE), so that page tables cost what they cost in Linux. For 4 KiB pages:
 *
 * ```
 *   47       39 38      30 29      21 20      12 11         0
 *   ├──────────┼──────────┼──────────┼──────────┼───────────┤
 *   │ pgd 0…255│ pud      │ pmd      │ pte      │ offset    │
 * ```
 *
 * A PTE is named by its word index in RAM (`ram.u32[pte]` and `ram.u32[pte + 1]`): a number, so that the fault path
 * allocates nothing. 0 is no PTE. An index stays good until the table under it is freed, which only unmapping does.
 *
 * Invariants: an upper entry is either zero or present and names a frame with PG_TABLE; `tables` counts them all, the
 * top one included.
 */
import { PG_TABLE } from "../frames/page-flags.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SHIFT, PAGE_SIZE, type Pfn, type Vaddr } from "../page.ts";
import { NR_PAGETABLE } from "../trace/vmstat.ts";
import { PTE_PRESENT, PTE_USER, PTE_WORDS, PTRS_PER_TABLE } from "./pte.ts";

/** log2 of the bytes that one entry of each level spans. */
export const PMD_SHIFT: number = PAGE_SHIFT + 9;
export const PUD_SHIFT: number = PMD_SHIFT + 9;
export const PGD_SHIFT: number = PUD_SHIFT + 9;
/** Bytes that one table of PTEs spans. */
export const PMD_SIZE: number = 2 ** PMD_SHIFT;
/** Bytes that one table of such tables spans. */
export const PUD_SIZE: number = 2 ** PUD_SHIFT;
export const PGD_SIZE: number = 2 ** PGD_SHIFT;
const PUD_OFFSET_MASK: number = PUD_SIZE - 1;
const INDEX_MASK: number = PTRS_PER_TABLE - 1;
/** Words of a frame: the word index of a table is its frame number times this. */
const FRAME_WORDS: number = PAGE_SIZE / 4;

export class PageTable {
  /** Frame of the top table. 0 once destroyed: frame 0 is all zero, so that nothing is found there. */
  pgd: Pfn;
  /** Tables of all levels, each a frame. */
  tables = 0;
  /**
   * After `walk` found nothing: the first address that another table could translate, and how many tables stand on the way
   * below the top one (0 … 2).
   */
  holeEnd: Vaddr = 0;
  holeDepth = 0;
  readonly #phys: PhysicalMemory;
  readonly #u32: Uint32Array;

  private constructor(phys: PhysicalMemory, pgd: Pfn) {
    this.#phys = phys;
    this.#u32 = phys.ram.u32;
    this.pgd = pgd;
    this.#own(pgd);
  }

  /** A page table with an empty top level, or undefined when memory is out. */
  static create(phys: PhysicalMemory): PageTable | undefined {
    const pgd = phys.allocZeroedPage();
    return pgd === 0 ? undefined : new PageTable(phys, pgd);
  }

  /** The PTE of `addr`, or 0 when a level is missing; then `holeEnd` says where to look on. */
  walk(addr: Vaddr): number {
    const u32 = this.#u32;
    // Two small integers hold the 47 bits: pgd and pud index above bit 30, the rest below.
    const high = (addr / PUD_SIZE) | 0;
    const low = addr & PUD_OFFSET_MASK;
    let entry = this.pgd * FRAME_WORDS + (high >>> 9) * PTE_WORDS;
    if (u32[entry] === 0) {
      this.holeEnd = ((high >>> 9) + 1) * PGD_SIZE;
      this.holeDepth = 0;
      return 0;
    }
    entry = u32[entry + 1] * FRAME_WORDS + (high & INDEX_MASK) * PTE_WORDS;
    if (u32[entry] === 0) {
      this.holeEnd = (high + 1) * PUD_SIZE;
      this.holeDepth = 1;
      return 0;
    }
    entry = u32[entry + 1] * FRAME_WORDS + (low >>> PMD_SHIFT) * PTE_WORDS;
    if (u32[entry] === 0) {
      this.holeEnd = high * PUD_SIZE + ((low >>> PMD_SHIFT) + 1) * PMD_SIZE;
      this.holeDepth = 2;
      return 0;
    }
    return u32[entry + 1] * FRAME_WORDS + ((low >>> PAGE_SHIFT) & INDEX_MASK) * PTE_WORDS;
  }

  /** The PTE of `addr`, allocating the tables that are missing; 0 when memory is out. */
  walkAlloc(addr: Vaddr): number {
    const found = this.walk(addr);
    if (found !== 0) return found;
    const high = (addr / PUD_SIZE) | 0;
    const low = addr & PUD_OFFSET_MASK;
    const pud = this.#next(this.pgd, high >>> 9);
    if (pud === 0) return 0;
    const pmd = this.#next(pud, high & INDEX_MASK);
    if (pmd === 0) return 0;
    const table = this.#next(pmd, low >>> PMD_SHIFT);
    if (table === 0) return 0;
    return table * FRAME_WORDS + ((low >>> PAGE_SHIFT) & INDEX_MASK) * PTE_WORDS;
  }

  /** Makes the first `depth` tables (0 … 2) on the way to `addr` below the top one; false when memory is out. */
  upperAlloc(addr: Vaddr, depth: number): boolean {
    if (depth === 0) return true;
    const high = (addr / PUD_SIZE) | 0;
    const pud = this.#next(this.pgd, high >>> 9);
    return pud !== 0 && (depth === 1 || this.#next(pud, high & INDEX_MASK) !== 0);
  }

  /**
   * Moves the table that `depth` tables (1: one of PMD entries, 2: one of PTEs) stand above on the way to `from`, which is
   * there, with all that it leads to, to the same place on the way to `to`; false where there is one already or memory is
   * out (move_pgt_entry). Both addresses are where its span begins.
   */
  moveTable(from: Vaddr, to: Vaddr, depth: 1 | 2): boolean {
    if (!this.upperAlloc(to, depth)) return false;
    const u32 = this.#u32;
    const [source, target] = [this.#upperEntry(from, depth), this.#upperEntry(to, depth)];
    if (u32[target] !== 0) return false;
    u32[target + 1] = u32[source + 1];
    u32[target] = u32[source];
    u32[source] = 0;
    u32[source + 1] = 0;
    return true;
  }

  /** The entry of `addr` in the last of `depth` tables below the top one, all of which are there. */
  #upperEntry(addr: Vaddr, depth: 1 | 2): number {
    const high = (addr / PUD_SIZE) | 0;
    const pud = this.#next(this.pgd, high >>> 9);
    if (depth === 1) return pud * FRAME_WORDS + (high & INDEX_MASK) * PTE_WORDS;
    const pmd = this.#next(pud, high & INDEX_MASK);
    return pmd * FRAME_WORDS + ((addr & PUD_OFFSET_MASK) >>> PMD_SHIFT) * PTE_WORDS;
  }

  /** Whether there is a table in which the entry of a huge page of `size` bytes would stand (huge_pte_offset). */
  hasHugePte(addr: Vaddr, size: number): boolean {
    return this.walk(addr) !== 0 || this.holeEnd <= (Math.floor(addr / size) + 1) * size;
  }

  /** Makes that table, and those above it; false when memory is out (huge_pte_alloc). */
  hugePteAlloc(addr: Vaddr, size: number): boolean {
    return this.upperAlloc(addr, size >= PUD_SIZE ? 1 : 2);
  }

  /**
   * Frees the tables that only served `start` … `end`, which no longer holds any PTE (free_pgd_range). A table goes
   * when its whole span lies between `floor` and `ceiling`, the ends of the neighbouring mappings.
   */
  freeRange(start: Vaddr, end: Vaddr, floor: Vaddr, ceiling: Vaddr): void {
    this.#freeLevel(this.pgd, 0, PGD_SIZE, start, end, floor, ceiling);
  }

  /** Frees the table of PTEs that translates `addr`, if there is one and nothing is in it. */
  dropEmptyTable(addr: Vaddr): void {
    const u32 = this.#u32;
    const pte = this.walk(addr);
    if (pte === 0) return;
    const first = pte - (pte % FRAME_WORDS);
    for (let at = first; at < first + FRAME_WORDS; at++) if (u32[at] !== 0) return;
    const entry = this.#upperEntry(addr, 2);
    u32[entry] = 0;
    u32[entry + 1] = 0;
    this.#disown(first / FRAME_WORDS);
  }

  /** The same for each table of which start … end (page-aligned) has the whole span. */
  dropEmptyTables(start: Vaddr, end: Vaddr): void {
    let addr = Math.ceil(start / PMD_SIZE) * PMD_SIZE;
    while (addr + PMD_SIZE <= end) {
      const isThere = this.walk(addr) !== 0;
      if (isThere) this.dropEmptyTable(addr);
      addr = isThere ? addr + PMD_SIZE : this.holeEnd;
    }
  }

  /** Frees every table; the page table is gone. All PTEs must have been cleared. */
  destroy(): void {
    this.#freeLevel(this.pgd, 0, PGD_SIZE, 0, PGD_SIZE * PTRS_PER_TABLE, 0, PGD_SIZE * PTRS_PER_TABLE);
    this.#disown(this.pgd);
    this.pgd = 0;
  }

  /** Calls `visit` for each table of PTEs with the address its first entry translates: for the validator. */
  forEachTable(visit: (table: Pfn, level: number, addr: Vaddr) => void): void {
    this.#visit(this.pgd, 3, 0, visit);
  }

  #visit(
    table: Pfn,
    level: number,
    addr: Vaddr,
    visit: (table: Pfn, level: number, addr: Vaddr) => void,
  ): void {
    visit(table, level, addr);
    if (level === 0) return;
    const span = 2 ** (PAGE_SHIFT + 9 * level);
    for (let index = 0; index < PTRS_PER_TABLE; index++) {
      const entry = table * FRAME_WORDS + index * PTE_WORDS;
      if (this.#u32[entry] !== 0) this.#visit(this.#u32[entry + 1], level - 1, addr + index * span, visit);
    }
  }

  #next(table: Pfn, index: number): Pfn {
    const entry = table * FRAME_WORDS + index * PTE_WORDS;
    if (this.#u32[entry] !== 0) return this.#u32[entry + 1];
    const pfn = this.#phys.allocZeroedPage();
    if (pfn === 0) return 0;
    this.#own(pfn);
    this.#u32[entry + 1] = pfn;
    this.#u32[entry] = PTE_PRESENT | PTE_USER;
    return pfn;
  }

  /** Walks the entries of `table`, whose span is `span` bytes each from `base`, that meet start … end. */
  #freeLevel(
    table: Pfn,
    base: Vaddr,
    span: number,
    start: Vaddr,
    end: Vaddr,
    floor: Vaddr,
    ceiling: Vaddr,
  ): void {
    const first = Math.max(0, Math.floor((start - base) / span));
    const last = Math.min(PTRS_PER_TABLE - 1, Math.floor((end - 1 - base) / span));
    for (let index = first; index <= last; index++) {
      const entry = table * FRAME_WORDS + index * PTE_WORDS;
      if (this.#u32[entry] === 0) continue;
      const child = this.#u32[entry + 1];
      const from = base + index * span;
      if (span > PMD_SIZE) this.#freeLevel(child, from, span / PTRS_PER_TABLE, start, end, floor, ceiling);
      if (from < floor || from + span > ceiling) continue;
      this.#u32[entry] = 0;
      this.#u32[entry + 1] = 0;
      this.#disown(child);
    }
  }

  #own(pfn: Pfn): void {
    this.#phys.frames.flags[pfn] |= PG_TABLE;
    this.tables++;
    this.#phys.stat[NR_PAGETABLE]++;
  }

  #disown(pfn: Pfn): void {
    this.#phys.frames.flags[pfn] &= ~PG_TABLE;
    this.tables--;
    this.#phys.stat[NR_PAGETABLE]--;
    this.#phys.putPage(pfn);
  }
}
